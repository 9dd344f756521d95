"""Runs by the clock: when they are due, what a late or overlapping one becomes, and what a clock that is set does."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, Instance, State
from procman.core.model.plan import RestartPolicy
from procman.core.model.schedule import Schedule
from procman.core.model.status import ExitStatus
from procman.runtime.health.scheduler import Scheduler, zone
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

pytest.importorskip("cronsim")

HOUR, DAY = 3600.0, 86400.0


class World:
    """A scheduler with a clock of the wall and a monotonic one; the test moves both, or sets the first."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        rule: Schedule,
        begin: datetime,
        has_timer: bool = True,
        mode: str = "never",
    ) -> None:
        self.wall = begin.timestamp()
        self.now = 1000.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        plan = a_plan("nightly.1", restart=RestartPolicy("never"))
        plan.schedule, plan.autostart, plan.can_die = rule, False, True
        self.supervisor = Supervisor([plan])
        self.instance: Instance = self.supervisor.instances["nightly.1"]
        self.said: list[str] = []
        self.starts: list[float] = []
        hub: Any = SimpleNamespace(announce=self.said.append)
        self.timer = SimpleNamespace(
            fd=7 if has_timer else -1, set=self._set, acknowledge=lambda: None, close=lambda: None
        )
        self.moment: float | None = None
        self._callback: Callable[[], None] = lambda: None
        self.scheduler = Scheduler(self.supervisor, hub, lambda: self.wall, self.timer)
        poller: Any = SimpleNamespace(add=lambda _fd, callback: setattr(self, "_callback", callback))
        self.scheduler.open(poller)

    def _set(self, moment: float | None) -> None:
        self.moment = moment

    def perform(self) -> None:
        """Do what the engine does with the supervisor's actions."""
        while actions := self.supervisor.take_actions():
            for action, instance in actions:
                if action == Action.LAUNCH:
                    self.starts.append(self.wall)
                    self.supervisor.spawned(instance, 4711, self.now)
                elif action in (Action.STOP, Action.KILL):
                    self.supervisor.exited(instance, ExitStatus(signal=15), self.now)
                else:
                    self.scheduler.on_event(action, instance, self.now)

    def pass_time(self, seconds: float, wall: float | None = None) -> None:
        """Let time pass, and everything happen that is due meanwhile. ``wall``: more or less on the wall clock."""
        end, lag = self.now + seconds, 0.0 if wall is None else wall - seconds
        self.wall += lag
        if lag:
            self._ring()
        while True:
            timer = [] if self.moment is None else [self.now + max(0.0, self.moment - self.wall)]
            deadline = self.scheduler.next_deadline()
            due = min([*timer, *([] if deadline is None else [max(self.now, deadline)]), end])
            self.wall += due - self.now
            self.now = due
            if timer and due == timer[0] and due < end:
                self._ring()
            if due >= end:
                break
            self.scheduler.tick(self.now)
            self.perform()

    def _ring(self) -> None:
        if self.timer.fd != -1:
            self._callback()
        self.perform()

    def sleep(self, seconds: float) -> None:
        """Suspend the machine: only the wall clock moves."""
        self.wall += seconds
        self._ring()

    def end(self, code: int = 0) -> None:
        """Let the run end."""
        self.supervisor.exited(self.instance, ExitStatus(code=code), self.now)
        self.perform()

    def times(self, name: str = "UTC") -> list[str]:
        return [f"{datetime.fromtimestamp(moment, ZoneInfo(name)):%d %H:%M}" for moment in self.starts]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    return lambda rule, begin=datetime(2026, 3, 10, 12, tzinfo=UTC), **more: World(monkeypatch, rule, begin, **more)


def test_a_run_begins_at_each_time(world: Callable[..., World]) -> None:
    it = world(Schedule("0 2 * * *", timezone="UTC"))
    assert it.said == ["nightly.1 runs at 2026-03-11 02:00 UTC, in 14 h 0 min"]
    for _ in range(3):
        it.pass_time(DAY)
        it.end()
    assert it.times() == ["11 02:00", "12 02:00", "13 02:00"]
    assert not it.supervisor.settled


@pytest.mark.parametrize("has_timer", [True, False])
def test_it_needs_no_timer_of_the_system(world: Callable[..., World], has_timer: bool) -> None:
    it = world(Schedule("*/10 * * * *", timezone="UTC"), has_timer=has_timer)
    it.pass_time(HOUR / 2 + 1)
    assert it.times() == ["10 12:10"]  # the others are skipped: the first run has not ended
    assert (it.scheduler.next_deadline() is None) is has_timer


def test_a_period_begins_with_the_session(world: Callable[..., World]) -> None:
    it = world(Schedule(every=60.0))
    assert it.said == ["nightly.1 runs in 1 min 0 s, every 1 min 0 s"]
    for _ in range(3):
        it.pass_time(60.5)
        it.end()
    assert len(it.starts) == 3


def test_periods_that_were_suspended_are_made_up_for_once(world: Callable[..., World]) -> None:
    it = world(Schedule(every=60.0, overlap="replace"))
    it.now += 10 * 60.0  # the process did not run meanwhile
    it.pass_time(59.0)
    assert len(it.starts) == 1
    it.pass_time(2.0)
    assert len(it.starts) == 2


def test_a_clock_that_is_set_changes_no_period(world: Callable[..., World]) -> None:
    it = world(Schedule(every=60.0))
    it.pass_time(30, wall=30 + DAY)
    assert it.starts == []
    it.pass_time(31)
    assert len(it.starts) == 1


def test_a_run_that_lasts_is_not_begun_again(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC"))
    it.pass_time(3 * HOUR)
    assert it.times() == ["10 13:00"]
    assert it.said[-1] == "nightly.1 is still running; the run that is due now is skipped"


def test_a_queued_run_follows_once(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC", overlap="queue"))
    it.pass_time(3.5 * HOUR)
    it.end()
    assert it.scheduler.next_deadline() == 0.0  # after the end has been announced
    it.pass_time(1)
    assert it.times() == ["10 13:00", "10 15:30"]
    it.end()
    it.pass_time(1)
    assert len(it.starts) == 2


def test_a_replaced_run_is_restarted(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC", overlap="replace"))
    it.pass_time(2.5 * HOUR)
    assert it.times() == ["10 13:00", "10 14:00"]


def test_a_failed_run_is_shown_and_the_next_one_begins(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC"))
    it.pass_time(1.5 * HOUR)
    it.end(3)
    assert it.instance.state == State.FAILED
    remark = it.scheduler.remark(it.instance)
    assert remark["state"] == "scheduled"
    assert remark["next"] == datetime(2026, 3, 10, 14, tzinfo=UTC).timestamp()
    assert str(remark["why"]).endswith("last run: exited with code 3")
    it.pass_time(HOUR)
    assert it.times() == ["10 13:00", "10 14:00"]
    assert it.supervisor.exit_code == 0


def test_a_run_that_takes_too_long_has_failed(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC", timeout=600.0))
    it.pass_time(1.5 * HOUR)
    assert (it.instance.state, it.instance.failure) == (State.FAILED, "overdue: it has run for 10 min 0 s")
    it.pass_time(HOUR)
    assert len(it.starts) == 2


def test_the_time_of_a_suspended_session_does_not_count(world: Callable[..., World]) -> None:
    it = world(Schedule(every=60.0, timeout=600.0))
    it.pass_time(61)
    it.scheduler.stand_still(1000.0)
    it.pass_time(1000)
    assert it.instance.state == State.RUNNING


def test_what_the_user_stopped_waits_for_the_user(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC"))
    it.supervisor.hold([it.instance], it.now)
    it.perform()
    it.pass_time(1.5 * HOUR)
    assert it.starts == []
    assert it.scheduler.remark(it.instance) == {}
    it.supervisor.wish("start", [it.instance], it.now)
    it.perform()
    it.end()
    it.pass_time(HOUR)
    assert it.times() == ["10 13:30", "10 14:00"]


def test_a_run_that_was_missed_is_announced(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC"))
    it.sleep(3.5 * HOUR)
    assert it.starts == []
    assert it.said[-1].startswith("nightly.1 missed a run 2 h 30 min ago")
    it.pass_time(HOUR)
    assert it.times() == ["10 16:00"]


def test_missed_runs_are_made_up_for_once(world: Callable[..., World]) -> None:
    it = world(Schedule("0 * * * *", timezone="UTC", catch_up=True))
    it.sleep(3.5 * HOUR)
    assert it.times() == ["10 15:30"]
    it.end()
    it.pass_time(HOUR)
    assert it.times() == ["10 15:30", "10 16:00"]


def test_a_clock_that_goes_back_runs_nothing_twice(world: Callable[..., World]) -> None:
    it = world(Schedule("0,30 * * * *", timezone="UTC"))
    it.pass_time(31 * 60)
    it.end()
    it.pass_time(1, wall=-HOUR / 2)
    it.pass_time(50 * 60)
    assert it.times() == ["10 12:30"]
    it.pass_time(HOUR / 2)
    assert it.times() == ["10 12:30", "10 13:00"]


@pytest.mark.parametrize("expression", ["0 * * * *", "*/10 * * * *", "* * * * *"])
def test_no_minute_has_two_runs_when_the_clock_goes_back_by_an_hour(
    world: Callable[..., World], expression: str
) -> None:
    it = world(Schedule(expression, timezone="UTC"))

    def minutes(count: int) -> None:
        for _ in range(count):
            it.pass_time(60)
            if it.instance.state == State.RUNNING:
                it.end()

    minutes(65)
    it.pass_time(1, wall=-HOUR)
    minutes(180)
    assert len(set(it.times())) == len(it.starts)
    assert it.times()[-1] == max(it.times()) > "10 14:00"


def test_several_runs_that_a_clock_jumps_over_are_one(world: Callable[..., World]) -> None:
    it = world(Schedule("*/10 * * * *", timezone="UTC", catch_up=True))
    it.pass_time(1, wall=3 * HOUR + 65)
    it.end()
    it.pass_time(5 * 60)
    assert it.times() == ["10 15:01"]


def test_periods_do_not_drift(world: Callable[..., World]) -> None:
    it = world(Schedule(every=60.0))
    began = it.now
    starts = []
    for number in range(1, 201):
        it.now = it.scheduler.next_deadline() or 0.0
        it.now += 0.4 + number % 5 / 10  # the loop is late, now more and now less
        it.scheduler.tick(it.now)
        it.perform()
        starts.append(it.now - began)
        it.end()
    assert all(60.0 * number <= at < 60.0 * number + 1 for number, at in enumerate(starts, 1))


@pytest.mark.parametrize(
    ("name", "begin", "expected"),
    [
        # 04:00 UTC is 09:30 in Kolkata and 09:45 in Kathmandu.
        ("Asia/Kolkata", datetime(2026, 3, 10, 4, tzinfo=UTC), ["11 02:30", "12 02:30"]),
        ("Asia/Kathmandu", datetime(2026, 3, 10, 4, tzinfo=UTC), ["11 02:30", "12 02:30"]),
        # On Lord Howe Island, 02:00 becomes 02:30 on 4 October 2026, and 02:00 becomes 01:30 on 5 April.
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 0, tzinfo=UTC), ["04 02:30", "05 02:30"]),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 4, tzinfo=UTC), ["05 02:30", "06 02:30"]),
    ],
)
def test_zones_whose_offset_is_not_in_hours(
    world: Callable[..., World], name: str, begin: datetime, expected: list[str]
) -> None:
    it = world(Schedule("30 2 * * *", timezone=name), begin)
    for _ in range(8 * 6):
        it.pass_time(HOUR)
        if it.instance.state == State.RUNNING:
            it.end()
    assert it.times(name) == expected


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (datetime(2026, 10, 3, 12, tzinfo=UTC), ["04 02:30"]),  # 02:15 does not exist
        (datetime(2026, 4, 4, 12, tzinfo=UTC), ["05 01:45"]),  # 01:45 comes twice
    ],
)
def test_half_an_hour_that_does_not_exist_or_comes_twice(
    world: Callable[..., World], begin: datetime, expected: list[str]
) -> None:
    expression = "15 2 * * *" if begin.month == 10 else "45 1 * * *"
    it = world(Schedule(expression, timezone="Australia/Lord_Howe"), begin)
    for _ in range(12):
        it.pass_time(HOUR / 2)
        if it.instance.state == State.RUNNING:
            it.end()
    assert it.times("Australia/Lord_Howe") == expected


def test_a_clock_that_was_wrong_by_days_counts_from_its_new_time(world: Callable[..., World]) -> None:
    it = world(Schedule("0 2 * * *", timezone="UTC"))
    it.pass_time(DAY)
    it.end()
    it.pass_time(1, wall=-30 * DAY)
    it.pass_time(DAY)
    assert len(it.starts) == 2


def test_a_clock_that_is_set_forward_misses_what_was_due(world: Callable[..., World]) -> None:
    it = world(Schedule("0 13 * * *", timezone="UTC"))
    it.pass_time(1, wall=2 * HOUR)
    assert it.starts == []
    it.pass_time(DAY)
    assert it.times() == ["11 13:00"]


def test_an_hour_that_does_not_exist_is_made_up_for_after_it(world: Callable[..., World]) -> None:
    # In Berlin, 02:00 to 03:00 of 29 March 2026 does not exist. Debian's cron runs its tasks just after it.
    begin = datetime(2026, 3, 28, 12, tzinfo=UTC)
    it = world(Schedule("30 2 * * *", timezone="Europe/Berlin"), begin)
    it.pass_time(DAY)
    it.end()
    it.pass_time(DAY)
    assert it.times("Europe/Berlin") == ["29 03:00", "30 02:30"]


def test_an_hour_that_comes_twice_has_one_run(world: Callable[..., World]) -> None:
    begin = datetime(2026, 10, 24, 12, tzinfo=UTC)
    it = world(Schedule("30 2 * * *", timezone="Europe/Berlin"), begin)
    for _ in range(2 * 24):
        it.pass_time(HOUR)
        if it.instance.state == State.RUNNING:
            it.end()
    assert it.times("Europe/Berlin") == ["25 02:30", "26 02:30"]
    assert it.starts[0] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()  # the first of the two


def test_a_clock_that_is_set_in_the_second_of_two_hours_does_not_look_back(world: Callable[..., World]) -> None:
    begin = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00, for the first time
    it = world(Schedule("30 2 * * *", timezone="Europe/Berlin"), begin)
    it.pass_time(45 * 60)
    it.end()
    it.pass_time(25 * 60)  # 02:10, for the second time
    it.sleep(1)
    assert len(it.starts) == 1
    assert it.moment == datetime(2026, 10, 26, 1, 30, tzinfo=UTC).timestamp()


def test_times_of_every_hour_come_in_both_of_two_hours(world: Callable[..., World]) -> None:
    begin = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    it = world(Schedule("30 * * * *", timezone="Europe/Berlin"), begin)
    for _ in range(3):
        it.pass_time(HOUR)
        it.end()
    assert it.times("Europe/Berlin") == ["25 02:30", "25 02:30", "25 03:30"]


def test_a_reloaded_schedule_applies_from_then_on(world: Callable[..., World]) -> None:
    it = world(Schedule("0 13 * * *", timezone="UTC"))
    plan = a_plan("nightly.1", restart=RestartPolicy("never"))
    plan.schedule = Schedule("0 14 * * *", timezone="UTC")
    it.supervisor.replan(it.instance, plan)
    it.supervisor.wish("start", [it.instance], it.now)
    it.perform()
    it.end()
    it.pass_time(3 * HOUR)
    assert it.times() == ["10 12:00", "10 14:00"]


def test_an_instance_that_was_scaled_away_has_no_runs(world: Callable[..., World]) -> None:
    it = world(Schedule(every=60.0))
    del it.supervisor.instances["nightly.1"]
    it.pass_time(HOUR)
    assert it.starts == []
    it.scheduler.close(it.now, 0)


def test_a_schedule_without_a_zone_follows_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert str(zone("")) == "Asia/Tokyo"
    assert str(zone("UTC")) == "UTC"
    monkeypatch.setenv("TZ", "nowhere/at all")
    assert zone("") is UTC
    monkeypatch.delenv("TZ")
    assert datetime(2026, 1, 1, tzinfo=zone("")).utcoffset() == datetime(2026, 1, 1).astimezone().utcoffset()
