"""Asks: ``procman start``: puts the parts together and lets the engine run."""

from __future__ import annotations

import os
import sys
import time

from procman.cli.session import enter, join
from procman.cli.terminal import bottom_line, find_primary, lending, wants_terminals, window
from procman.core.supervisor import Supervisor
from procman.errors import ConfigError
from procman.output.announce import Announcer
from procman.output.factory import open_output
from procman.output.outlet import Outlet
from procman.output.palette import wants_color
from procman.runtime import guardian
from procman.runtime.children import Children
from procman.runtime.control.listener import Control
from procman.runtime.engine import Engine
from procman.runtime.family import become_subreaper, close_inherited_on_exec, open_standard_descriptors
from procman.runtime.files import read_plan
from procman.runtime.foreground import Foreground
from procman.runtime.latecomer import Latecomer
from procman.runtime.leftovers import LeftoverNews
from procman.runtime.orders import Orders
from procman.runtime.portowner import port_warnings
from procman.runtime.signals import SignalPipe, deafen
from procman.runtime.terminal import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.cli.session import Entrance
    from procman.core.lifecycle import Instance
    from procman.core.plan import Plan
    from procman.core.settings import Settings
    from procman.output.hub import Hub
    from procman.runtime.blueprint import Blueprint
    from procman.runtime.control.desk import Desk
    from procman.runtime.guest import Guest
    from procman.runtime.refresh import Renew

JITTER = 0.1  # of a backoff: instances that died together shall not come back together


def start(settings: Settings) -> int:
    """Run the formation until it ends or is ended; returns the exit code."""
    open_standard_descriptors()
    joined = join(settings)
    if joined is not None:
        return joined
    plan = read_plan(settings, _environ(settings), _new_session())
    close_inherited_on_exec()
    become_subreaper()
    entrance = enter(settings, plan)
    if entrance.code is not None:
        return entrance.code
    code = _engine(plan, settings, entrance).run()
    deafen()
    return code


def _environ(settings: Settings) -> Mapping[str, str]:
    """What children inherit. Those on pipes cannot see that they may use color, so they are told where we do.

    Those on a terminal see for themselves, and better: FORCE_COLOR=1 stands for 16 colors (force-color.org).
    """
    colored = wants_color(settings.color, os.environ, is_terminal(1)) and settings.format == "text"
    refused = "NO_COLOR" in os.environ or os.environ.get("FORCE_COLOR") in ("0", "false")
    if not colored or refused or wants_terminals(settings):
        return os.environ
    return {"CLICOLOR_FORCE": "1", "FORCE_COLOR": "1", **os.environ}


def _new_session() -> str:
    """The mark of everything that comes from this run; it holds nothing secret and need only be unique."""
    return f"{os.getpid():x}-{os.urandom(6).hex()}"


def _engine(plan: Plan, settings: Settings, entrance: Entrance) -> Engine:
    """Wire the parts: each is told only of those that it speaks to."""
    outlet = Outlet(1)
    primary, lack = find_primary(plan, settings)
    hub = open_output(plan, settings, outlet, os.environ, is_terminal(1), lends=bool(primary))
    for warning in (*_warnings(plan), *filter(None, (entrance.warning, lack))):
        hub.say(f"warning: {warning}")
    here = os.getcwd()
    os.chdir(plan.root)
    supervisor = Supervisor(plan.instances, settings.exit or _default_exit_rule(), _jitter)

    def blueprint() -> Blueprint:
        return _blueprint(plan, settings, here)

    renew = _renewal(supervisor, blueprint)
    children = Children(plan.session, len(plan.instances), separate_streams=settings.format == "json")
    children.complain = hub.say
    signals = SignalPipe()
    foreground = Foreground(1, hub)
    orders = Orders(supervisor, children, hub, outlet, foreground, signals, guardian.lifeline)
    guests = _heralds(hub, supervisor, settings)
    if primary:
        guests[:0] = lending(primary, hub, supervisor, children, orders, foreground, renew)
        guests.append(foreground)
    elif hub.has_footer:
        if settings.status is not False:
            guests += bottom_line(hub, supervisor, foreground, renew, always=settings.status is True)
        guests.append(foreground)
    guests.append(LeftoverNews(hub.say))
    guests += _latecomers(supervisor, hub, children, renew)
    if entrance.place is not None:
        guests.append(Control(entrance.place, lambda: _desk(blueprint(), supervisor, children, hub)))
    room = window(plan, settings, primary, hub.prefix_width)
    return Engine(supervisor, children, hub, outlet, orders, signals, room, guests)


def _heralds(hub: Hub, supervisor: Supervisor, settings: Settings) -> list[Guest]:
    """Who tells what happens: a person always, systemd and programs that read us where they are there."""
    heralds: list[Guest] = [Announcer(hub, supervisor)]
    if os.environ.get("NOTIFY_SOCKET"):
        from procman.runtime.notify import Notifier

        heralds.append(Notifier(supervisor, os.environ, time.monotonic()))
    if settings.format == "json":
        from procman.output.events import Events

        heralds.append(Events(hub))
    return heralds


def _renewal(supervisor: Supervisor, blueprint: Callable[[], Blueprint]) -> Renew:
    """What lets new lives of instances follow their files as they are by then."""

    def renew(chosen: list[Instance]) -> list[str]:
        try:
            from procman.runtime import refresh

            return refresh.renew(supervisor, blueprint(), chosen)
        except OSError as error:  # of a disk, or for want of descriptors: no reason for the session to end
            raise ConfigError(f"the files cannot be read again: {(error.strerror or str(error)).lower()}") from None

    return renew


def _latecomers(supervisor: Supervisor, hub: Hub, children: Children, renew: Renew) -> list[Guest]:
    """Who asks instances how they are, and who looks at files: not here before a plan wants them."""

    def probes() -> Guest:
        from procman.runtime.probes import Probes

        return Probes(supervisor, hub, children)

    def watch() -> Guest:
        from procman.runtime.watch import Watch

        return Watch(supervisor, hub, renew)

    return [
        Latecomer(lambda plan: plan.ready is not None or plan.health is not None, probes),
        Latecomer(lambda plan: bool(plan.watch), watch),
    ]


def _blueprint(plan: Plan, settings: Settings, here: str) -> Blueprint:
    """How the plan was made; ``here`` is where paths of the settings are seen from."""
    from procman.runtime.blueprint import Blueprint

    return Blueprint(settings, plan, _environ(settings), here)


def _desk(blueprint: Blueprint, supervisor: Supervisor, children: Children, hub: Hub) -> Desk:
    """Who answers the first client, and the others."""
    from procman.runtime.control.desk import Desk

    return Desk(supervisor, children, hub, blueprint, guardian.visible_pid)


def _default_exit_rule() -> str:
    """Where something above us restarts what failed, a failure must be seen there; a developer goes on working."""
    return "all" if guardian.is_needed() else "failure"


def _jitter() -> float:
    return 1 - JITTER + 2 * JITTER * os.urandom(1)[0] / 255


def _warnings(plan: Plan) -> list[str]:
    problems = [f"{plan.procfile.name}:{p.line}:{p.column}: {p.message}" for p in plan.procfile.warnings]
    root = ["running as root; children have all its rights"] if os.geteuid() == 0 and _is_not_boxed() else []
    return [*problems, *plan.warnings, *port_warnings(plan.instances), *root]


def _is_not_boxed() -> bool:
    """Whether being root says anything: it does not as PID 1 of a container."""
    return os.getpid() != 1 and sys.platform != "win32"
