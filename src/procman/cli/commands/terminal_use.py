"""Asks who has the terminal: the status line and its keys, or one process; and what the others may fill of it."""

from __future__ import annotations

import os

from procman.output.factory import takes_footer
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings
    from procman.output.hub import Hub
    from procman.runtime.loop.component import Component
    from procman.runtime.loop.job_control import Foreground
    from procman.runtime.loop.signal_requests import SignalRequests
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.pty import Window
    from procman.runtime.reload import Renew


def wants_terminals(settings: Settings) -> bool:
    """Whether children get terminals: as stdout is one, or as the user says; JSON has to tell two streams apart."""
    wanted = is_terminal(1) if settings.pty is None else settings.pty
    return wanted and settings.format != "json"


def bottom_line(
    hub: Hub, supervisor: Supervisor, foreground: Foreground, renew: Renew, always: bool
) -> list[Component]:
    """The status line, and the keys that it explains where there is a keyboard; ``always``: however narrow it is."""
    from procman.runtime.terminal.console import Console
    from procman.runtime.terminal.status_updates import StatusUpdates

    line = StatusUpdates(hub, supervisor, os.environ, always)
    if not is_terminal(0):
        return [line]
    console = Console(0, hub, supervisor, line, renew)
    foreground.add(console)
    return [line, console]


def find_primary(plan: Plan, settings: Settings) -> tuple[str, str]:
    """The instance that the terminal is lent to, if any; or a word on why who was asked for by name cannot have it."""
    name = next((instance.name for instance in plan.instances if instance.primary), "")
    asked = settings.primary is not None and settings.origin.get("primary", "-").startswith("-")
    if name and is_terminal(0) and takes_footer(settings, os.environ, is_terminal(1)):
        return name, ""
    if not name:
        return "", f"{settings.primary} is not among what runs: nobody has the terminal" if asked else ""
    return "", f"{name} cannot have the terminal: {_lack(settings)}" if asked else ""


def _lack(settings: Settings) -> str:
    if not is_terminal(0) or not is_terminal(1):
        return "stdin and stdout are not both one"
    direct = settings.raw or settings.format == "json"
    return "--raw and --format json write to it by themselves" if direct else "it is a dumb one (TERM)"


def lending(
    name: str,
    hub: Hub,
    supervisor: Supervisor,
    children: Children,
    orders: SignalRequests,
    foreground: Foreground,
    renew: Renew,
) -> list[Component]:
    """The keyboard and screen of the primary. They hear of its end before that is announced."""
    from procman.runtime.terminal.primary import Primary
    from procman.runtime.terminal.status_updates import StatusUpdates

    assert hub.stage is not None
    line = StatusUpdates(hub, supervisor, os.environ)
    keyboard = Primary(0, hub, supervisor, line, hub.stage, children, orders, name, renew)
    foreground.add(keyboard)
    return [line, keyboard]


def window(plan: Plan, settings: Settings, primary: str, prefix_width: int) -> Window | None:
    """What a child may fill of the terminal; None when children shall have pipes."""
    usual_pty = wants_terminals(settings)
    if not (usual_pty or primary) and (settings.format == "json" or not any(i.pty for i in plan.instances)):
        return None
    from procman.runtime.processes.pty import Window

    return Window(1, prefix_width, usual_pty, lent_to=primary)
