"""Asks: ``procman start``: brings the first instances up, then loads and runs what looks after them."""

from __future__ import annotations

import os
import sys

from procman.cli.commands.socket_claim import enter, join
from procman.cli.commands.terminal_use import find_primary, wants_terminals, window
from procman.config.files import read_plan
from procman.core.lifecycle.supervisor import Supervisor
from procman.output.factory import open_output
from procman.output.outlet import Outlet
from procman.output.palette import wants_color
from procman.runtime.guardian import guardian
from procman.runtime.guardian.early_signals import hand_over
from procman.runtime.processes.children import Children
from procman.runtime.processes.launcher import Launcher
from procman.runtime.system.descendants import (
    become_subreaper,
    close_inherited_on_exec,
    kill_until_empty,
    open_standard_descriptors,
)
from procman.runtime.system.port_owner import port_warnings
from procman.runtime.system.signals import SignalPipe, deafen
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.cli.commands.socket_claim import SocketClaim
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

JITTER = 0.1  # of a backoff: instances that died together shall not come back together


class StartedRun:
    """What a run consists of when its first instances are on their way, and nobody hears them yet.

    Everything that a user may have got wrong was found by then; ``environ`` is what children inherit, ``here`` is where
    paths of the settings are seen from.
    """

    __slots__ = (
        "children",
        "environ",
        "here",
        "hub",
        "launcher",
        "outlet",
        "plan",
        "primary",
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
        self.warnings = [*_warnings(plan), *filter(None, (socket_claim.warning, lack))]
        self.here = os.getcwd()
        os.chdir(plan.root)
        self.supervisor = Supervisor(plan.instances, settings.exit or _default_exit_rule(), _jitter)
        self.children = Children(plan.session, len(plan.instances), separate_streams=settings.format == "json")
        self.children.complain = hub.announce
        self.signals = SignalPipe()
        room = window(plan, settings, self.primary, hub.prefix_width)
        self.launcher = Launcher(self.supervisor, self.children, room)

    def begin(self) -> None:
        """Listen to signals, and bring the first instances up; then warn, in color perhaps, whose import takes 7 ms.

        A warning is read before the starts all the same: those are told by the engine.
        """
        self.signals.open()
        if guardian.lifeline is not None:
            hand_over()
        self.launcher.begin()
        for warning in self.warnings:
            self.hub.announce(f"warning: {warning}")


def start(settings: Settings) -> int:
    """Run the formation until it ends or is ended; returns the exit code."""
    open_standard_descriptors()
    joined = join(settings)
    if joined is not None:
        return joined
    environ = _environ(settings)
    plan = read_plan(settings, environ, _new_session())
    close_inherited_on_exec()
    become_subreaper()
    socket_claim = enter(settings, plan)
    if socket_claim.code is not None:
        return socket_claim.code
    code = _run(StartedRun(plan, settings, environ, socket_claim))
    deafen()
    return code


def _run(beginning: StartedRun) -> int:
    try:
        beginning.begin()
        from procman.cli.commands.wiring import wire  # a fifth of the start, for which no child has to wait

        engine = wire(beginning)
    except BaseException:
        kill_until_empty(beginning.children.spared)
        raise
    return engine.run()


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


def _default_exit_rule() -> str:
    """Where something above us restarts what failed, a failure must be seen there; a developer goes on working."""
    return "all" if guardian.is_needed() else "failure"


def _jitter() -> float:
    return 1 - JITTER + 2 * JITTER * os.urandom(1)[0] / 255


def _warnings(plan: Plan) -> list[str]:
    problems = [f"{plan.procfile.name}:{p.line}:{p.column}: {p.message}" for p in plan.procfile.warnings]
    root = ["running as root; children have all its rights"] if os.geteuid() == 0 and _is_not_boxed() else []
    return [*problems, *plan.warnings, *_unheard(plan), *port_warnings(plan.instances), *root]


def _unheard(plan: Plan) -> list[str]:
    """A word where `--only` names nobody who runs: a log that stays empty would be taken for silence."""
    if not plan.only or any({instance.name, instance.type} & plan.only for instance in plan.instances):
        return []
    return [f"nothing is shown: {', '.join(sorted(plan.only))} does not run"]


def _is_not_boxed() -> bool:
    """Whether being root says anything: it does not as PID 1 of a container."""
    return os.getpid() != 1 and sys.platform != "win32"
