"""Asks: puts the parts of a run together: each is told only of those that it speaks to."""

from __future__ import annotations

import os
import time

from procman.cli.commands.terminal_use import bottom_line, lending
from procman.errors import ConfigError
from procman.output.messages.announcer import Announcer
from procman.runtime.control.listener import Control
from procman.runtime.guardian import guardian
from procman.runtime.guardian.leftovers import LeftoverNews
from procman.runtime.loop.component import LazyComponent
from procman.runtime.loop.engine import Engine
from procman.runtime.loop.job_control import Foreground
from procman.runtime.loop.signal_requests import SignalRequests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.commands.start import StartedRun
    from procman.config.plan_source import PlanSource
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.settings import Settings
    from procman.output.hub import Hub
    from procman.runtime.control.session import Session
    from procman.runtime.loop.component import Component
    from procman.runtime.processes.children import Children
    from procman.runtime.reload import Renew


def wire(run: StartedRun) -> Engine:
    """The engine of a run that has begun, and its guests."""
    supervisor, children, hub, settings = run.supervisor, run.children, run.hub, run.settings

    def plan_source() -> PlanSource:
        from procman.config.plan_source import PlanSource

        return PlanSource(settings, run.plan, run.environ, run.here)

    renew = _renewal(supervisor, plan_source)
    foreground = Foreground(1, hub)
    orders = SignalRequests(supervisor, children, hub, run.outlet, foreground, run.signals, guardian.lifeline)
    components = _reporters(hub, supervisor, settings)
    if run.primary:
        components[:0] = lending(run.primary, hub, supervisor, children, orders, foreground, renew)
        components.append(foreground)
    elif hub.has_footer:
        if settings.status is not False:
            components += bottom_line(hub, supervisor, foreground, renew, always=settings.status is True)
        components.append(foreground)
    components.append(LeftoverNews(hub.announce))
    components += _lazy_components(supervisor, hub, children, renew)
    if run.socket_claim.place is not None:
        components.append(Control(run.socket_claim.place, lambda: _session(plan_source(), supervisor, children, hub)))
    return Engine(supervisor, children, run.launcher, hub, run.outlet, orders, run.signals, components)


def _reporters(hub: Hub, supervisor: Supervisor, settings: Settings) -> list[Component]:
    """Who tells what happens: a person always, systemd and programs that read us where they are there."""
    reporters: list[Component] = [Announcer(hub, supervisor)]
    if os.environ.get("NOTIFY_SOCKET"):
        from procman.runtime.health.notify import Notifier

        reporters.append(Notifier(supervisor, os.environ, time.monotonic()))
    if settings.format == "json":
        from procman.output.messages.announcer import Events

        reporters.append(Events(hub))
    return reporters


def _renewal(supervisor: Supervisor, plan_source: Callable[[], PlanSource]) -> Renew:
    """What lets new lives of instances follow their files as they are by then."""

    def renew(chosen: list[Instance]) -> list[str]:
        try:
            from procman.runtime import reload

            return reload.renew(supervisor, plan_source(), chosen)
        except OSError as error:  # of a disk, or for want of descriptors: no reason for the session to end
            raise ConfigError(f"the files cannot be read again: {(error.strerror or str(error)).lower()}") from None

    return renew


def _lazy_components(supervisor: Supervisor, hub: Hub, children: Children, renew: Renew) -> list[Component]:
    """Who asks instances how they are, and who looks at files: not here before a plan wants them."""

    def probes() -> Component:
        from procman.runtime.health.probes import Probes

        return Probes(supervisor, hub, children)

    def watch() -> Component:
        from procman.runtime.health.watch import Watch

        return Watch(supervisor, hub, renew)

    return [
        LazyComponent(lambda plan: plan.ready is not None or plan.health is not None, probes),
        LazyComponent(lambda plan: bool(plan.watch), watch),
    ]


def _session(plan_source: PlanSource, supervisor: Supervisor, children: Children, hub: Hub) -> Session:
    """Who answers the first client, and the others."""
    from procman.runtime.control.session import Session

    return Session(supervisor, children, hub, plan_source, guardian.visible_pid)
