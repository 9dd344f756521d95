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
from procman.runtime.loop.component import Latecomer
from procman.runtime.loop.engine import Engine
from procman.runtime.loop.job_control import Foreground
from procman.runtime.loop.signal_requests import Orders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.commands.start import Beginning
    from procman.config.plan_source import Blueprint
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.settings import Settings
    from procman.output.hub import Hub
    from procman.runtime.control.session import Desk
    from procman.runtime.loop.guest import Guest
    from procman.runtime.processes.children import Children
    from procman.runtime.reload import Renew


def wire(run: Beginning) -> Engine:
    """The engine of a run that has begun, and its guests."""
    supervisor, children, hub, settings = run.supervisor, run.children, run.hub, run.settings

    def blueprint() -> Blueprint:
        from procman.config.plan_source import Blueprint

        return Blueprint(settings, run.plan, run.environ, run.here)

    renew = _renewal(supervisor, blueprint)
    foreground = Foreground(1, hub)
    orders = Orders(supervisor, children, hub, run.outlet, foreground, run.signals, guardian.lifeline)
    guests = _heralds(hub, supervisor, settings)
    if run.primary:
        guests[:0] = lending(run.primary, hub, supervisor, children, orders, foreground, renew)
        guests.append(foreground)
    elif hub.has_footer:
        if settings.status is not False:
            guests += bottom_line(hub, supervisor, foreground, renew, always=settings.status is True)
        guests.append(foreground)
    guests.append(LeftoverNews(hub.say))
    guests += _latecomers(supervisor, hub, children, renew)
    if run.entrance.place is not None:
        guests.append(Control(run.entrance.place, lambda: _desk(blueprint(), supervisor, children, hub)))
    return Engine(supervisor, children, run.launcher, hub, run.outlet, orders, run.signals, guests)


def _heralds(hub: Hub, supervisor: Supervisor, settings: Settings) -> list[Guest]:
    """Who tells what happens: a person always, systemd and programs that read us where they are there."""
    heralds: list[Guest] = [Announcer(hub, supervisor)]
    if os.environ.get("NOTIFY_SOCKET"):
        from procman.runtime.health.notify import Notifier

        heralds.append(Notifier(supervisor, os.environ, time.monotonic()))
    if settings.format == "json":
        from procman.output.sinks.event_records import Events

        heralds.append(Events(hub))
    return heralds


def _renewal(supervisor: Supervisor, blueprint: Callable[[], Blueprint]) -> Renew:
    """What lets new lives of instances follow their files as they are by then."""

    def renew(chosen: list[Instance]) -> list[str]:
        try:
            from procman.runtime import reload

            return reload.renew(supervisor, blueprint(), chosen)
        except OSError as error:  # of a disk, or for want of descriptors: no reason for the session to end
            raise ConfigError(f"the files cannot be read again: {(error.strerror or str(error)).lower()}") from None

    return renew


def _latecomers(supervisor: Supervisor, hub: Hub, children: Children, renew: Renew) -> list[Guest]:
    """Who asks instances how they are, and who looks at files: not here before a plan wants them."""

    def probes() -> Guest:
        from procman.runtime.health.probes import Probes

        return Probes(supervisor, hub, children)

    def watch() -> Guest:
        from procman.runtime.health.watch import Watch

        return Watch(supervisor, hub, renew)

    return [
        Latecomer(lambda plan: plan.ready is not None or plan.health is not None, probes),
        Latecomer(lambda plan: bool(plan.watch), watch),
    ]


def _desk(blueprint: Blueprint, supervisor: Supervisor, children: Children, hub: Hub) -> Desk:
    """Who answers the first client, and the others."""
    from procman.runtime.control.session import Desk

    return Desk(supervisor, children, hub, blueprint, guardian.visible_pid)
