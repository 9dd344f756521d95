"""A run whose first instances are being started: its parts, and who gets the terminal."""

from __future__ import annotations

import os
import sys

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.model.plan import SYSTEM
from procman.output.factory import open_output, takes_footer
from procman.output.outlet import Outlet
from procman.runtime.guardian import guardian
from procman.runtime.processes.children import Children
from procman.runtime.processes.launcher import Launcher
from procman.runtime.system.port_owner import port_warnings
from procman.runtime.system.signals import SignalPipe
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.cli.commands.socket_claim import SocketClaim
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings
    from procman.output.sinks.record import Record
    from procman.runtime.processes.pty import Window

JITTER = 0.1  # fraction of a backoff, so that instances that died together do not restart together


class StartedRun:
    """The parts of a run until the engine takes over.

    When one is made, every mistake that a user can make has been found. ``environ`` is what children inherit, ``here``
    the folder that relative paths in the settings start from.
    """

    __slots__ = (
        "children",
        "environ",
        "here",
        "hooks",
        "hub",
        "launcher",
        "outlet",
        "plan",
        "primary",
        "record",
        "settings",
        "signals",
        "socket_claim",
        "supervisor",
        "warnings",
    )

    def __init__(self, plan: Plan, settings: Settings, environ: Mapping[str, str], socket_claim: SocketClaim) -> None:
        self.plan = plan
        self.settings = settings
        self.environ = environ
        self.socket_claim = socket_claim
        self.outlet = Outlet(1)
        self.primary, lack = find_primary(plan, settings)
        lends = bool(self.primary)
        self.hub = hub = open_output(plan, settings, self.outlet, os.environ, is_terminal(1), lends)
        self.warnings = [*_warnings(plan), *filter(None, (socket_claim.warning, lack))]  # besides the Procfile's own
        self.hooks: Mapping[str, str] = {}  # commands by event
        self.here = os.getcwd()
        self.record = self._begin_record()
        os.chdir(plan.root)
        self.supervisor = Supervisor(plan.instances, settings.exit or _default_exit_rule(), _jitter)
        self.children = Children(plan.session, len(plan.instances), separate_streams=settings.format == "json")
        self.children.announce = hub.announce
        self.signals = SignalPipe()
        room = window(plan, settings, self.primary, hub.prefix_width)
        self.launcher = Launcher(self.supervisor, self.children, room)

    def _begin_record(self) -> Record | None:
        if self.settings.record != "always" or not self.settings.record_limit:
            return None
        from procman.cli.commands.record_start import begin

        record, why = begin(self.plan, self.settings, self.hub, self.here)
        self.warnings += [why] if why else []
        return record

    def begin(self) -> None:
        """Start the first instances, then show the warnings.

        A warning may need colors, whose import takes 7 ms, so it waits for the first spawns. The user still reads it
        before the messages about these starts, which the engine shows later.
        """
        self.signals.open()
        if guardian.guardian_pipe is not None:
            guardian.leave_to_engine()
        self.launcher.begin()
        procfile = self.plan.procfile
        problems = [f"{procfile.name}:{p.line}:{p.column}: {p.message}" for p in procfile.warnings]
        for warning in (*problems, *self.warnings):
            palette = self.hub.palette
            self.hub.announce(f"{palette.warning}warning:{palette.reset} {warning}")


def wants_terminals(settings: Settings) -> bool:
    """Return whether children get a pty: by ``--pty``, or if stdout is a terminal. JSON needs two separate streams."""
    wanted = is_terminal(1) if settings.pty is None else settings.pty
    return wanted and settings.format != "json"


def find_primary(plan: Plan, settings: Settings) -> tuple[str, str]:
    """Return the instance that gets the terminal, and a warning if the one named by ``--primary`` cannot get it."""
    name = next((instance.name for instance in plan.instances if instance.primary), "")
    asked = settings.primary is not None and settings.origin.get("primary", "-").startswith("-")
    if name and is_terminal(0) and takes_footer(settings, os.environ, is_terminal(1)):
        return name, ""
    if not name:
        return "", f"{settings.primary} is not running, so no process has the terminal" if asked else ""
    return "", f"{name} cannot have the terminal: {_terminal_lack(settings)}" if asked else ""


def _terminal_lack(settings: Settings) -> str:
    if not is_terminal(0) or not is_terminal(1):
        return "stdin and stdout are not both a terminal"
    direct = settings.raw or settings.format == "json"
    return "--raw and --format json write to it directly" if direct else "it is a dumb terminal (TERM)"


def window(plan: Plan, settings: Settings, primary: str, prefix_width: int) -> Window | None:
    """Return the part of the terminal that a child may fill, or None if all children get pipes."""
    usual_pty = wants_terminals(settings)
    if not (usual_pty or primary) and (settings.format == "json" or not any(i.pty for i in plan.instances)):
        return None
    from procman.runtime.processes.pty import Window

    return Window(1, prefix_width, usual_pty, lent_to=primary)


def _default_exit_rule() -> str:
    """Return "failure" as PID 1 or under systemd, which has to see a failure; else "all", so that a developer can
    continue.
    """
    return "all" if guardian.is_needed() else "failure"


def _jitter() -> float:
    return 1 - JITTER + 2 * JITTER * os.urandom(1)[0] / 255


def _warnings(plan: Plan) -> list[str]:
    root = ["running as root: processes will run as root"] if os.geteuid() == 0 and _root_matters() else []
    return [*plan.warnings, *_nothing_shown(plan), *port_warnings(plan.instances), *root]


def _nothing_shown(plan: Plan) -> list[str]:
    """Warn if ``--only`` names no instance of the run: the empty output would look like silent processes."""
    if not plan.only - {SYSTEM} or any({instance.name, instance.type} & plan.only for instance in plan.instances):
        return []
    return [f"nothing is shown: {', '.join(sorted(plan.only))} is not running"]


def _root_matters() -> bool:
    """Return whether running as root is worth a warning: it is not for PID 1 of a container."""
    return os.getpid() != 1 and sys.platform != "win32"
