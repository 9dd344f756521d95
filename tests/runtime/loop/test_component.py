"""Components that are made when the first instance needs them, or that act on request."""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action, Instance
from procman.runtime.loop.component import LazyComponent, OnRequest, QuietComponent
from procman.runtime.system.poller import Poller
from runtime.fakes import Kernel, Recorder, a_plan


class Timed(Recorder):
    """Has a deadline, and notes what it was opened with."""

    poller: object = None
    ticks = 0
    timing = True
    suspended = 0.0

    def open(self, poller: object) -> None:
        self.poller = poller

    def next_deadline(self) -> float | None:
        return 5.0

    def tick(self, now: float) -> None:
        self.ticks += 1

    def is_timing(self) -> bool:
        return self.timing

    def stand_still(self, seconds: float) -> None:
        self.suspended += seconds


class Maker:
    """A lazy component for instances with a port, and what it has made."""

    def __init__(self, kernel: Kernel) -> None:
        self.made: list[Timed] = []
        self._kernel = kernel
        self.lazy = LazyComponent(lambda plan: plan.port is not None, self.make)
        self.poller = Poller()
        self.lazy.open(self.poller)
        self.plain, self.wanted = Instance(a_plan("web.1")), Instance(a_plan("db.1", port=5000))

    def make(self) -> Timed:
        self.made.append(Timed(self._kernel))
        return self.made[-1]


def test_nothing_is_made_for_instances_that_do_not_need_it(kernel: Kernel) -> None:
    maker = Maker(kernel)
    maker.lazy.on_event(Action.ANNOUNCE_STARTED, maker.plain, kernel.now)
    maker.lazy.on_event(Action.ANNOUNCE_READY, maker.wanted, kernel.now)
    maker.lazy.tick(kernel.now)
    maker.lazy.stand_still(1.0)
    maker.lazy.close(kernel.now, 0)
    assert maker.made == []
    assert maker.lazy.next_deadline() is None
    assert not maker.lazy.is_timing()


def test_the_first_start_that_needs_it_makes_it_and_all_later_events_reach_it(kernel: Kernel) -> None:
    maker = Maker(kernel)
    maker.lazy.on_event(Action.ANNOUNCE_STARTED, maker.wanted, kernel.now)
    maker.lazy.on_event(Action.ANNOUNCE_STARTED, maker.wanted, kernel.now)
    maker.lazy.on_event(Action.ANNOUNCE_STARTED, maker.plain, kernel.now)
    (made,) = maker.made
    assert made.poller is maker.poller
    assert made.events == [("started", "db.1"), ("started", "db.1"), ("started", "web.1")]
    assert maker.lazy.next_deadline() == 5.0
    maker.lazy.tick(kernel.now)
    assert made.ticks == 1
    assert maker.lazy.is_timing()
    made.timing = False
    assert not maker.lazy.is_timing()
    maker.lazy.stand_still(60.0)
    assert made.suspended == 60.0
    maker.lazy.close(kernel.now, 3)
    assert made.closed_with == 3


def test_a_quiet_component_does_nothing_and_waits_for_nothing(kernel: Kernel) -> None:
    quiet = QuietComponent()
    quiet.open(Poller())
    quiet.on_event(Action.ANNOUNCE_STARTED, Instance(a_plan("web.1")), kernel.now)
    quiet.tick(kernel.now)
    assert not quiet.is_timing()
    quiet.close(kernel.now, 0)
    assert quiet.next_deadline() is None


def test_an_action_is_performed_once_for_each_turn_in_which_it_was_requested() -> None:
    performed: list[Poller] = []
    component, poller = OnRequest(performed.append), Poller()
    component.open(poller)
    component.tick(1.0)
    assert performed == []
    component.request()
    component.request()
    assert performed == []
    component.tick(2.0)
    component.tick(3.0)
    assert performed == [poller]
    component.request()
    component.tick(4.0)
    assert performed == [poller, poller]


def test_an_action_may_request_itself_for_the_next_turn() -> None:
    turns: list[float] = []

    def action(_poller: Poller) -> None:
        turns.append(0.0)
        component.request()

    component = OnRequest(action)
    component.open(Poller())
    component.request()
    component.tick(1.0)
    component.tick(2.0)
    assert len(turns) == 2
