"""The parts of a run, put together: each gets a reference to the parts that it uses."""

from __future__ import annotations

import os
import time

from procman.errors import ConfigError
from procman.output.messages.announcer import Announcer
from procman.runtime.control.listener import Control
from procman.runtime.guardian import guardian
from procman.runtime.guardian.leftovers import LeftoverNotice
from procman.runtime.loop.component import LazyComponent, OnRequest
from procman.runtime.loop.engine import Engine
from procman.runtime.loop.signal_requests import JobControl, SignalRequests
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.commands.started_run import StartedRun
    from procman.config.plan_source import PlanSource
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import InstancePlan
    from procman.output.hub import Hub
    from procman.runtime.control.session import Remark, Session
    from procman.runtime.health.scheduler import Scheduler
    from procman.runtime.health.socket_keeper import SocketKeeper
    from procman.runtime.loop.component import Component
    from procman.runtime.loop.recorder import Recorder
    from procman.runtime.processes.children import Children
    from procman.runtime.reload import Reload
    from procman.runtime.system.poller import Poller
    from procman.runtime.terminal.attached import Attached
    from procman.runtime.terminal.status_updates import StatusUpdates

    Lending = Callable[[StatusUpdates, str, Poller, Callable[[], None]], Attached | None]


def wire(run: StartedRun) -> Engine:
    """Return the engine of a run that has begun, with its components."""
    supervisor, children, hub, settings = run.supervisor, run.children, run.hub, run.settings
    plan_source = _plan_source(run)
    supervisor.on_removed = hub.history.forget
    reload = _reloading(supervisor, plan_source)
    job_control = JobControl(1, hub)
    requests = SignalRequests(
        supervisor, children, hub, run.outlet, job_control, run.signals, guardian.guardian_pipe, guardian.suspend
    )
    announcer = _announcer(run)
    components = [announcer, *_reporters(run)]
    recorders = _recorders(run)
    detachment = _detachment(run, job_control, requests, recorders)
    if run.primary:
        components[:0] = _primary_terminal(
            run.primary, hub, supervisor, children, requests, job_control, reload, detachment.request
        )
        components.append(detachment)
        components.append(job_control)
    elif hub.has_footer:
        if settings.status is not False:
            lend = _lending(hub, supervisor, children, requests, reload)
            always = settings.status is True
            components += _status_line(hub, supervisor, job_control, reload, lend, detachment.request, always)
            components.append(detachment)
        components.append(job_control)
    components.append(LeftoverNotice(hub.announce))
    log_dir = os.path.join(run.here, settings.log_dir) if settings.log_dir else ""
    components += _lazy_components(supervisor, hub, children, reload, log_dir)
    components.append(_limits(run))
    keeper, on_sockets = _socket_keeper(run)
    scheduler, on_times = _scheduler(run)
    components += [keeper, scheduler, *_rarely_given(run)]
    session = _session(run, plan_source, announcer, [on_sockets, on_times])
    components.append(_autoscaling(run, session))
    components += recorders  # before the clients are sent the end: they may read the record then
    if run.socket_claim.endpoint is not None:
        components.append(Control(run.socket_claim.endpoint, session))
    return Engine(supervisor, children, run.launcher, hub, run.outlet, requests, components)


def _plan_source(run: StartedRun) -> Callable[[], PlanSource]:
    """Return a function that makes what plans the next lives: it reads the files again."""

    def plan_source() -> PlanSource:
        from procman.config.plan_source import PlanSource

        return PlanSource(run.settings, run.plan, run.environ, run.here)

    return plan_source


def _recorders(run: StartedRun) -> list[Recorder]:
    """Return what drives the record, if there is one, or may be one once the session is detached."""
    may_detach = run.hub.has_footer and run.settings.record == "auto" and run.settings.record_limit
    if run.record is None and not may_detach:
        return []
    from procman.runtime.loop.recorder import Recorder

    return [Recorder(run.supervisor, run.record)]


def _detachment(
    run: StartedRun, job_control: JobControl, requests: SignalRequests, recorders: list[Recorder]
) -> OnRequest:
    """Return what detaches the session from its terminal on request, or announces why that is impossible."""

    def detach(poller: Poller) -> None:
        from procman.runtime.terminal import detachment

        if why := detachment.obstacle(run.supervisor, run.socket_claim.endpoint is not None):
            run.hub.announce(f"not detached: {why}")
        else:
            for one in recorders:
                _begin_record(run, one)
            detachment.detach(run.hub, run.outlet, job_control, requests, poller)

    return OnRequest(detach)


def _begin_record(run: StartedRun, recorder: Recorder) -> None:
    """Record what the session remembers, and everything from now on."""
    if recorder.record is not None:
        return
    from procman.cli.commands.record_start import begin

    recorder.record, why = begin(run.plan, run.settings, run.hub, run.here)
    if why:
        run.hub.announce(why)
    if recorder.record is not None:
        history = run.hub.history
        recorder.record.recall(history.recall(lambda _name: True, None, None), history.lives(lambda _name: True))


def _rarely_given(run: StartedRun) -> list[Component]:
    """Return what ends the session after its lifetime, and what runs the user's commands for events."""
    found: list[Component] = []
    if run.settings.lifetime is not None:
        from procman.runtime.loop.lifetime import Lifetime

        found.append(Lifetime(run.supervisor, run.settings.lifetime))
    if run.hooks:
        from procman.runtime.health.hooks import Hooks

        found.append(Hooks(run.hooks, run.plan.root, run.supervisor, run.hub, run.children))
    return found


def _session(
    run: StartedRun, plan_source: Callable[[], PlanSource], announcer: Announcer, remarks: list[Remark]
) -> Callable[[], Session]:
    """Return a function for the session that answers clients. It is made when it is needed for the first time."""
    began = time.time()
    made: list[Session] = []

    def pid() -> int:
        return guardian.visible_pid

    def session() -> Session:
        if not made:
            from procman.runtime.control.session import Session

            cards = announcer.cards
            made.append(Session(run.supervisor, run.children, run.hub, plan_source(), pid, began, cards, remarks))
        return made[0]

    return session


def _autoscaling(run: StartedRun, session: Callable[[], Session]) -> Component:
    """Return what changes the number of instances by itself; it works like a client that sends `scale`."""

    def resize(type_: str, count: int) -> None:
        from procman.runtime.control import commands

        commands.resize_by_itself(session(), type_, count, run.hub.announce)

    def make() -> Component:
        from procman.runtime.health.autoscaler import Autoscaler

        return Autoscaler(run.supervisor, run.hub, run.children, resize)

    return LazyComponent(lambda plan: plan.autoscale is not None, make)


def _taken_by(port: int) -> str:
    from procman.runtime.system.port_owner import busy_ports, owner

    return owner(port) if busy_ports([port]) else ""


def _announcer(run: StartedRun) -> Announcer:
    """Return what reports events to the user."""

    def hint(instance: Instance) -> str:
        from procman.runtime.processes.diagnosis import launch_hint

        return launch_hint(instance, run.plan.environment, run.environ)

    return Announcer(run.hub, run.supervisor, _taken_by, hint)


def _reporters(run: StartedRun) -> list[Component]:
    """Return what reports events to systemd and to readers of JSON, if they are there."""
    hub, supervisor = run.hub, run.supervisor
    reporters: list[Component] = []
    if os.environ.get("NOTIFY_SOCKET"):
        from procman.runtime.health.notify import Notifier

        reporters.append(Notifier(supervisor, os.environ, time.monotonic()))
    if run.settings.format == "json":
        from procman.output.messages.announcer import EventReporter

        reporters.append(EventReporter(hub, supervisor))
    return reporters


def _primary_terminal(
    name: str,
    hub: Hub,
    supervisor: Supervisor,
    children: Children,
    requests: SignalRequests,
    job_control: JobControl,
    reload: Reload,
    detach: Callable[[], None],
) -> list[Component]:
    """Return the keyboard and screen of the primary instance. They learn of its end before that is announced."""
    from procman.runtime.terminal.primary import Primary
    from procman.runtime.terminal.status_updates import StatusUpdates

    assert hub.passthrough is not None
    line = StatusUpdates(hub, supervisor, os.environ)
    keyboard = Primary(0, hub, supervisor, line, hub.passthrough, children, requests, name, reload, detach)
    job_control.add(keyboard)
    return [line, keyboard]


def _lending(hub: Hub, supervisor: Supervisor, children: Children, requests: SignalRequests, reload: Reload) -> Lending:
    """Return a function that lends the keyboard to one instance, or announces why it cannot."""

    def lend(line: StatusUpdates, name: str, poller: Poller, on_leave: Callable[[], None]) -> Attached | None:
        from procman.runtime.terminal.attached import Attached

        child = children.of(name)
        if child is None or child.pty is None:
            hub.announce(f"{name} has no terminal to attach to")
        elif name in hub.taps:
            hub.announce(f"another client is attached to {name}")
        else:
            return Attached(0, hub, supervisor, line, children, requests, name, reload, poller, on_leave)
        return None

    return lend


def _status_line(
    hub: Hub,
    supervisor: Supervisor,
    job_control: JobControl,
    reload: Reload,
    lend: Lending,
    detach: Callable[[], None],
    always: bool,
) -> list[Component]:
    """Return the status line, and the keys that it explains if stdin is a terminal.

    ``always``: show the line even if the terminal is narrow.
    """
    from procman.runtime.terminal.console import Console
    from procman.runtime.terminal.status_updates import StatusUpdates

    line = StatusUpdates(hub, supervisor, os.environ, always)
    if not is_terminal(0):
        return [line]
    console = Console(0, hub, supervisor, line, reload, lambda *loan: lend(line, *loan), detach)
    job_control.add(console)
    return [line, console]


def _reloading(supervisor: Supervisor, plan_source: Callable[[], PlanSource]) -> Reload:
    """Return a function that applies the current contents of the files to the next lives of instances."""

    def reload(chosen: list[Instance]) -> list[str]:
        try:
            from procman.runtime.reload import reload_plans

            return reload_plans(supervisor, plan_source(), chosen)
        except OSError as error:  # a failing disk or a lack of descriptors must not end the session
            raise ConfigError(f"cannot read the files again: {(error.strerror or str(error)).lower()}") from None

    return reload


def _socket_keeper(run: StartedRun) -> tuple[Component, Remark]:
    """Return what looks after kept sockets, and what it knows about an instance."""

    def make() -> SocketKeeper:
        from procman.runtime.health.socket_keeper import SocketKeeper

        return SocketKeeper(run.supervisor, run.hub, run.children.sockets.kept)

    return _remarking(run, lambda plan: plan.listen is not None, make)


def _limits(run: StartedRun) -> Component:
    """Return what holds processes to their limits, made when a plan has one."""

    def make() -> Component:
        from procman.runtime.health.limits_enforcer import LimitsEnforcer

        pid = guardian.visible_pid or os.getpid()
        return LimitsEnforcer(run.supervisor, run.hub, run.children, run.plan.session, pid)

    return LazyComponent(lambda plan: plan.is_limited, make)


def _scheduler(run: StartedRun) -> tuple[Component, Remark]:
    """Return what runs instances by the clock, and what it knows about an instance."""

    def make() -> Scheduler:
        from procman.runtime.health.scheduler import Scheduler

        return Scheduler(run.supervisor, run.hub)

    return _remarking(run, lambda plan: plan.schedule is not None, make)


def _remarking(
    run: StartedRun, needs_it: Callable[[InstancePlan], bool], make: Callable[[], SocketKeeper | Scheduler]
) -> tuple[Component, Remark]:
    """Return a component that is made when the first plan needs it, and what it knows about an instance."""
    made: list[SocketKeeper | Scheduler] = []

    def make_once() -> Component:
        made.append(make())
        return made[0]

    def remark(instance: Instance) -> dict[str, object]:
        return made[0].remark(instance) if made else {}

    if any(needs_it(plan) for plan in run.plan.instances):
        return make_once(), remark
    return LazyComponent(needs_it, make_once), remark


def _lazy_components(
    supervisor: Supervisor, hub: Hub, children: Children, reload: Reload, log_dir: str
) -> list[Component]:
    """Return the components for checks, watched files and restarts of dependents, made when a plan needs them."""

    def probes() -> Component:
        from procman.runtime.health.probes import Probes

        return Probes(supervisor, hub, children)

    def watch() -> Component:
        from procman.runtime.health.watch import Watch

        return Watch(supervisor, hub, reload, log_dir)

    def dependents() -> Component:
        from procman.runtime.health.dependents import Dependents

        return Dependents(supervisor, hub)

    return [
        LazyComponent(lambda plan: plan.ready is not None or plan.health is not None, probes),
        LazyComponent(lambda plan: bool(plan.watch), watch),
        LazyComponent(lambda plan: any(needed.restart for needed in plan.depends_on), dependents),
    ]
