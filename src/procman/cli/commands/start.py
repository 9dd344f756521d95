"""``procman start``: start the first instances, then load and run what looks after them."""

from __future__ import annotations

import os
import sys

from procman.cli.commands.socket_claim import enter, join
from procman.cli.commands.started_run import StartedRun, wants_terminals
from procman.cli.options.precedence import settle
from procman.config.files import at_checkout
from procman.config.plan_source import read_plan
from procman.errors import ProcmanError
from procman.output.palette import wants_color
from procman.runtime.control.endpoint import common_folder
from procman.runtime.guardian import guardian
from procman.runtime.system.descendants import become_subreaper, kill_until_empty
from procman.runtime.system.descriptors import close_inherited_on_exec, open_standard_descriptors
from procman.runtime.system.port_owner import open_reservations, reserve
from procman.runtime.system.signals import block_signals
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.cli.commands.socket_claim import SocketClaim
    from procman.cli.options.option import Invocation
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

# What coding agents set for their commands: AGENT (Amp, Goose, OpenCode), AI_AGENT (any), Claude Code, Cursor, Gemini
# CLI, Codex. Not all of CODEX_*: people set CODEX_HOME themselves.
AGENT_VARIABLES = (
    *("AGENT", "AI_AGENT", "CLAUDECODE", "CURSOR_AGENT", "GEMINI_CLI"),
    *("CODEX_CI", "CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_THREAD_ID"),
)
NOT_ADOPTING = "this system refuses prctl, so processes that leave their group are only searched for when procman exits"


def perform(invocation: Invocation) -> int:
    """Perform ``procman start``."""
    settings = settle(invocation)
    open_standard_descriptors()
    joined = join(settings)
    if joined is not None:
        return joined
    if any(map(os.environ.get, AGENT_VARIABLES)):
        from procman.cli.commands.agents import advise

        advise(settings)
    return start(settings)


def start(
    settings: Settings,
    on_moved: Callable[[str], None] | None = None,
    claim: Callable[[Settings, Plan], SocketClaim] = enter,
    on_begun: Callable[[], None] | None = None,
) -> int:
    """Run the formation until it ends or is stopped. Returns the exit code.

    ``on_moved`` gets a sentence about each port that is taken, instead of the session's own output. ``on_begun`` is
    called when the first instances have been started, and the engine is about to take over.
    """
    open_standard_descriptors()
    environ = _environ(settings)
    settings = _placed(settings, environ)
    plan = read_plan(settings, environ, _new_session())
    hooks = _hooks(settings)
    if any(instance.schedule for instance in plan.instances):
        from procman.config.extras import installation
        from procman.config.schedules import require_cronsim

        require_cronsim(plan.instances, installation("cronsim"))
    close_inherited_on_exec()
    adopts = become_subreaper() or os.getpid() == 1 or sys.platform == "darwin"
    socket_claim = claim(settings, plan)
    if socket_claim.code is not None:
        return socket_claim.code
    plan, settings = _with_ports(plan, settings, environ, socket_claim, on_moved)
    run = StartedRun(plan, settings, environ, socket_claim)
    run.hooks = hooks
    if any(instance.listen for instance in plan.instances):
        _open_sockets(run)
    run.warnings += [] if adopts else [NOT_ADOPTING]
    code = _run(run, on_begun)
    if not adopts:
        from procman.runtime.guardian.leftovers import end_marked

        end_marked(plan.session, settings.timeout)
    block_signals()
    return code


def _placed(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with what the checkout decides. On a server, where others know the ports, they stay."""
    if settings.isolated:
        from procman.cli.commands.port_conflicts import require_no_base

        require_no_base(settings)
    if not guardian.is_needed() and "port_offset" not in settings.origin:
        settings = settings.but(port_offset=0)
    return at_checkout(settings, environ)


def _hooks(settings: Settings) -> Mapping[str, str]:
    if not settings.on:
        return {}
    from procman.config.event_commands import sound_hooks

    return sound_hooks(settings)


def _open_sockets(run: StartedRun) -> None:
    """Open the sockets that are kept for instances. Raises UsageError if another process has one of them."""
    try:
        run.children.sockets.kept.open_all(run.plan.instances)
    except ProcmanError:
        if run.socket_claim.endpoint is not None:
            run.socket_claim.endpoint.close()
        raise


def _with_ports(
    plan: Plan,
    settings: Settings,
    environ: Mapping[str, str],
    socket_claim: SocketClaim,
    on_moved: Callable[[str], None] | None,
) -> tuple[Plan, Settings]:
    """Reserve the ports, or choose others if the settings say so. Returns the plan, and the settings that make it."""
    try:
        open_reservations(common_folder())
    except (ProcmanError, OSError):
        pass  # another user has made it, for example
    if settings.port_conflict == "warn" and not settings.isolated:
        for instance in plan.instances:
            if instance.port is not None:
                reserve(instance.port)
        return plan, settings
    from procman.cli.commands.port_conflicts import isolated, with_free_ports

    try:
        if settings.isolated:
            settings = isolated(plan, settings)
            plan = read_plan(settings, environ, plan.session)
        return with_free_ports(plan, settings, environ, on_moved), settings
    except ProcmanError:
        if socket_claim.endpoint is not None:
            socket_claim.endpoint.close()
        raise


def _run(run: StartedRun, on_begun: Callable[[], None] | None) -> int:
    try:
        run.begin()
        from procman.cli.commands.wiring import wire  # a fifth of the start, and no child has to wait for it

        run.children.limit.spare.guard_imports()
        engine = wire(run)
        if on_begun is not None:
            on_begun()
    except BaseException:
        kill_until_empty(run.children.spared)
        raise
    return engine.run()


def _environ(settings: Settings) -> Mapping[str, str]:
    """Return what children inherit. If procman shows colors, children on pipes are told that they may use them.

    Children on a terminal find out for themselves, and better: FORCE_COLOR=1 means 16 colors (force-color.org).
    """
    colored = wants_color(settings.color, os.environ, is_terminal(1)) and settings.format == "text"
    refused = "NO_COLOR" in os.environ or os.environ.get("FORCE_COLOR") in ("0", "false")
    if not colored or refused or wants_terminals(settings):
        return os.environ
    return {"CLICOLOR_FORCE": "1", "FORCE_COLOR": "1", **os.environ}


def _new_session() -> str:
    """Return a tag for everything that this run starts. It is not secret and only has to be unique."""
    return f"{os.getpid():x}-{os.urandom(6).hex()}"
