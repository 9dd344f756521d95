"""While a session stops, it names every two seconds what it is still waiting for, in readable durations."""

from __future__ import annotations

import pytest

from procman.core.lifecycle.outcome import TERMINATED
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Event
from procman.core.model.dependency import Dependency
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.text.values import format_duration
from procman.output.hub import Hub
from procman.output.messages.announcer import MAX_NAMES, Announcer
from procman.output.messages.sentences import next_attempt
from procman.output.sink import Sink


class Screen(Sink):
    def __init__(self) -> None:
        self.said: list[str] = []

    def announce(self, text: str) -> None:
        self.said.append(text)


class Stopping:
    """So many instances that were stopped at 10.0 and take their time."""

    def __init__(self, number: int, depends: bool = False) -> None:
        """``depends``: the second one is of another type, and needs the first."""
        plans = [
            InstancePlan(f"web.{one}", "web", one, None, "x", "/", {}, RestartPolicy(), StopPolicy(grace=5.0))
            for one in range(1, number + 1)
        ]
        if depends:
            plans[0].type = "db"
            plans[1].depends_on = (Dependency("db"),)
        self.supervisor = Supervisor(plans)
        self.screen = Screen()
        self.announcer = Announcer(Hub(self.screen), self.supervisor)
        self.supervisor.start_all(0.0)
        for pid, instance in enumerate(self.supervisor.instances.values(), 101):
            self.supervisor.spawned(instance, pid, 0.0)
        self.supervisor.take_actions()
        self.supervisor.stop_all(TERMINATED, 10.0)
        for action, instance in self.supervisor.take_actions():
            if action != Event.STOP:
                self.announcer.on_event(action, instance, 10.0)

    def reminder(self, now: float) -> list[str]:
        self.screen.said.clear()
        self.announcer.tick(now)
        return self.screen.said


@pytest.mark.parametrize(("number", "words"), [(1, "1 process"), (2, "2 processes")])
def test_a_stop_is_announced_once_with_its_number(number: int, words: str) -> None:
    assert Stopping(number).screen.said == [f"terminated: stopping {words}"]


def test_reminders_come_every_two_seconds() -> None:
    stopping = Stopping(1)
    assert stopping.announcer.next_deadline() == 12.0
    assert stopping.reminder(11.9) == []
    assert len(stopping.reminder(12.0)) == 1
    assert stopping.announcer.next_deadline() == 14.0
    assert stopping.reminder(13.9) == []


@pytest.mark.parametrize(("number", "more"), [(MAX_NAMES, ""), (MAX_NAMES + 1, " and 1 more")])
def test_only_so_many_are_named(number: int, more: str) -> None:
    names = ", ".join(f"web.{one} (pid {100 + one})" for one in range(1, MAX_NAMES + 1))
    assert Stopping(number).reminder(12.0) == [f"still waiting for {names}{more}; KILL in 3.0 s"]


def test_one_that_others_still_use_is_not_waited_for_yet() -> None:
    stopping = Stopping(2, depends=True)
    assert stopping.reminder(12.0) == ["still waiting for web.2 (pid 102); KILL in 3.0 s"]


def test_a_grace_that_is_over_has_no_time_left() -> None:
    assert Stopping(1).reminder(16.0) == ["still waiting for web.1 (pid 101); KILL in 0.0 s"]


def test_without_a_stop_there_is_no_reminder() -> None:
    announcer = Announcer(Hub(Screen()), Supervisor([]))
    assert announcer.next_deadline() is None
    announcer.tick(100.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185.0, "3 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3600.0, "1 h 0 min"),
        (7620.0, "2 h 7 min"),
    ],
)
def test_a_span_of_time(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(("deaths", "words"), [(0, ""), (1, " (attempt 1 of 2)"), (2, " (attempt 2 of 2)"), (3, "")])
def test_an_attempt_of_the_budget_is_counted(deaths: int, words: str) -> None:
    plan = InstancePlan("web.1", "web", 1, None, "x", "/", {}, RestartPolicy(max_restarts=3), StopPolicy())
    instance = Supervisor([plan]).instances["web.1"]
    instance.quick_deaths = deaths
    assert next_attempt(instance) == words
