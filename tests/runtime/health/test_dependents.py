"""Which instances restart after their dependency has, on a fake kernel and clock."""

from __future__ import annotations

import signal

import pytest

from procman.core.lifecycle.transitions import Event
from procman.core.model.checks import Check
from procman.core.model.dependency import STARTED, Dependency
from procman.core.model.plan import RestartPolicy
from procman.runtime.health.dependents import Dependents
from procman.runtime.health.probes import Probes
from runtime.fakes import Kernel, Run, a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan


def dependent(name: str, *types: str, restart: bool = True) -> InstancePlan:
    return a_plan(name, depends_on=tuple(Dependency(type_, restart=restart) for type_ in types))


class Followed:
    """A run with what it has started, in order, and when."""

    def __init__(self, kernel: Kernel, *plans: InstancePlan) -> None:
        self.kernel = kernel
        self.starts: list[tuple[float, str]] = []
        self.run = Run(
            kernel,
            *plans,
            components=lambda run: [
                Probes(run.supervisor, run.hub, run.children),
                Dependents(run.supervisor, run.hub),
            ],
        )
        kernel.on_spawn = lambda child: self.starts.append((round(kernel.now - 1000, 2), child.name))

    def crash(self, seconds: float, name: str) -> None:
        def end() -> None:
            next(one for one in self.kernel.spawned if one.name == name and one.alive).exit(1)

        self.run.after(seconds, end)

    def wish(self, seconds: float, event: str, *names: str) -> None:
        def act() -> None:
            supervisor = self.run.supervisor
            supervisor.wish(event, [supervisor.instances[name] for name in names], self.kernel.now)

        self.run.after(seconds, act)
        self.run.after(seconds, lambda: self.run.signal(signal.SIGWINCH))

    def until(self, seconds: float, after: float = 4.0) -> list[str]:
        """Run that long; return the names of what was started later than ``after`` seconds."""
        self.run.after(seconds, lambda: self.run.signal(signal.SIGTERM))
        self.run.run()
        return [name for when, name in self.starts if when > after]


def test_a_crash_restarts_the_dependents_that_want_it(kernel: Kernel) -> None:
    followed = Followed(kernel, a_plan("db.1"), dependent("web.1", "db"), dependent("job.1", "db", restart=False))
    followed.crash(5.0, "db.1")
    assert followed.until(20.0) == ["db.1", "web.1"]
    assert "web.1 restarts, because db.1 was restarted" in followed.run.screen.announced


def test_they_restart_once_the_dependency_is_ready(kernel: Kernel) -> None:
    followed = Followed(kernel, a_plan("db.1", ready=Check("delay", "3")), dependent("web.1", "db"))
    followed.wish(9.0, Event.RESTART, "db.1")
    assert followed.until(20.0) == ["db.1", "web.1"]
    (db, _), (web, _) = followed.starts[-2:]
    assert web - db >= 3.0


def test_a_chain_restarts_link_by_link(kernel: Kernel) -> None:
    followed = Followed(kernel, a_plan("db.1"), dependent("api.1", "db"), dependent("web.1", "api"))
    followed.crash(5.0, "db.1")
    assert followed.until(20.0) == ["db.1", "api.1", "web.1"]


def test_two_instances_that_restart_together_restart_a_dependent_once(kernel: Kernel) -> None:
    slow = a_plan("db.2", ready=Check("delay", "2"))
    followed = Followed(kernel, a_plan("db.1"), slow, dependent("web.1", "db"))
    followed.wish(9.0, Event.RESTART, "db.1", "db.2")
    assert followed.until(20.0) == ["db.1", "db.2", "web.1"]


def test_a_restart_of_everything_restarts_each_once(kernel: Kernel) -> None:
    followed = Followed(kernel, a_plan("db.1"), dependent("web.1", "db"))
    followed.wish(9.0, Event.RESTART, "db.1", "web.1")
    assert sorted(followed.until(20.0)) == ["db.1", "web.1"]


def test_one_more_instance_restarts_nothing(kernel: Kernel) -> None:
    followed = Followed(kernel, a_plan("db.1"), dependent("web.1", "db"))

    def add() -> None:
        supervisor = followed.run.supervisor
        supervisor.wish(Event.START, supervisor.add([a_plan("db.2")], kernel.now), kernel.now)

    followed.run.after(5.0, add)
    followed.run.after(5.0, lambda: followed.run.signal(signal.SIGWINCH))
    followed.crash(9.0, "web.1")  # a restart of its own
    assert followed.until(20.0) == ["db.2", "web.1"]


@pytest.mark.parametrize("stopped", [True, False])
def test_what_the_user_has_stopped_stays_stopped(kernel: Kernel, stopped: bool) -> None:
    followed = Followed(kernel, a_plan("db.1"), dependent("web.1", "db"))
    supervisor = followed.run.supervisor
    if stopped:
        followed.run.after(3.0, lambda: supervisor.hold([supervisor.instances["web.1"]], kernel.now))
        followed.run.after(3.0, lambda: followed.run.signal(signal.SIGWINCH))
    followed.crash(5.0, "db.1")
    assert followed.until(20.0) == ["db.1", *([] if stopped else ["web.1"])]


def test_what_has_ended_for_good_does_not_start_again(kernel: Kernel) -> None:
    once = dependent("job.1", "db")
    once.restart = RestartPolicy("never")
    followed = Followed(kernel, a_plan("db.1"), once)
    followed.crash(3.0, "job.1")
    followed.crash(5.0, "db.1")
    assert followed.until(20.0) == ["db.1"]


def test_a_dependency_that_need_not_be_ready_is_followed_when_it_has_started(kernel: Kernel) -> None:
    plan = a_plan("web.1", depends_on=(Dependency("db", STARTED, restart=True),))
    followed = Followed(kernel, a_plan("db.1", ready=Check("delay", "60", timeout=90.0)), plan)
    followed.crash(5.0, "db.1")
    assert followed.until(20.0) == ["db.1", "web.1"]
