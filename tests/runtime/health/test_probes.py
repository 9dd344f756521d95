"""Readiness and health on a fake kernel and clock: when checks are tried, and what their answers change."""

from __future__ import annotations

import errno
import signal
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.transitions import Action, Event, Instance, State
from procman.core.model.checks import Check
from procman.core.model.plan import RestartPolicy
from procman.runtime.health.probes import LAST_LOOK, Probe, Probes
from procman.runtime.loop.engine import SHORT_WAIT
from runtime.fakes import Kernel, Process, Run, a_plan, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.core.model.plan import InstancePlan


class Checked:
    """A run of one instance with a check; `answer` is what each command of the check does."""

    def __init__(self, kernel: Kernel, *plans: InstancePlan) -> None:
        self.kernel = kernel
        self.tries: list[float] = []  # seconds since the start
        self.answer: Callable[[Process], object] = lambda command: command.exit(0)
        self.run = Run(kernel, *plans, components=lambda run: [Probes(run.supervisor, run.hub, run.children)])
        kernel.on_spawn = self._on_spawn

    def _on_spawn(self, child: Process) -> None:
        if child.command.startswith("side-"):
            self.tries.append(round(self.kernel.now - 1000, 3))
            self.kernel.after(0.0, lambda: self.answer(child))

    def until(self, seconds: float) -> int:
        self.run.after(seconds, lambda: self.run.signal(signal.SIGTERM))
        return self.run.run()

    def time(self, action: str) -> float:
        return self.run.recorder.times[action, "web.1"]

    @property
    def trouble(self) -> str:
        return self.run.supervisor.instances["web.1"].trouble

    @property
    def failure(self) -> str:
        return self.run.supervisor.instances["web.1"].failure


def plan(*, ready: Check | None = None, health: Check | None = None, mode: str = "never") -> InstancePlan:
    return a_plan("web.1", ready=ready, health=health, restart=RestartPolicy(mode))


def failing(words: bytes = b"no table\n") -> Callable[[Process], object]:
    def answer(command: Process) -> None:
        command.write(words)
        command.exit(1)

    return answer


# Commands -----------------------------------------------------------------------------------------------------------


def test_a_check_that_passes_makes_it_ready(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check")))
    states: list[str] = []

    def answer(command: Process) -> None:
        states.append(checked.run.state("web.1"))
        command.exit(0)

    checked.answer = answer
    checked.until(10.0)
    assert states == [State.STARTING]
    assert checked.time("ready") == 0.0
    assert checked.tries == [0.0]


def test_a_check_is_tried_again_ever_more_rarely_up_to_its_interval(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", interval=1.5)))
    checked.answer = failing()
    checked.until(6.0)
    assert checked.tries == [0.0, 0.25, 0.75, 1.75, 3.25, 4.75]


def test_so_many_successes_in_a_row_make_it_ready(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", interval=0.25, successes=3)))
    checked.answer = lambda command: command.exit(int(len(checked.tries) == 2))
    checked.until(4.0)
    assert checked.tries == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert checked.time("ready") == 1.0


def test_the_first_attempt_may_be_put_off(kernel: Kernel) -> None:
    check = Check("exec", "side-check", initial_delay=2.0)
    checked = Checked(kernel, plan(ready=check, health=Check("exec", "side-check", initial_delay=0.5, interval=4.0)))
    checked.until(8.0)
    assert checked.tries == [2.0, 2.5, 6.5]


def test_a_failure_is_kept_as_the_trouble_of_the_instance(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check")))
    checked.answer = failing()
    troubles: list[str] = []
    checked.run.after(0.1, lambda: troubles.append(checked.trouble))
    checked.until(1.0)
    assert troubles == ["no table"]


def test_who_is_not_ready_in_time_is_stopped_and_has_failed(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", interval=1.0, timeout=3.0)))
    checked.answer = failing()
    assert checked.run.run() == 1
    assert checked.time("unhealthy") == 3.0
    assert checked.failure == "not ready after 3 s: no table"
    assert max(checked.tries) < 3.0


def test_an_overdue_command_is_killed_and_counts_as_a_failure(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", attempt=2.0, interval=1.0)))
    checked.answer = lambda command: None
    troubles: list[str] = []
    checked.run.after(2.1, lambda: troubles.append(checked.trouble))
    checked.until(4.0)
    first, second = [one for one in kernel.spawned if one.command == "side-check"]
    assert signal_names(first.got) == ["KILL"]
    assert first.pid in kernel.reaped
    assert troubles == ["no answer within 2 s"]
    assert checked.tries == [0.0, 2.25]
    assert not second.alive


def test_a_command_in_time_is_not_killed(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", attempt=2.0)))
    checked.answer = lambda command: kernel.after(1.9, lambda: command.exit(0))
    checked.until(10.0)
    assert checked.time("ready") == 1.9
    assert kernel.named("web.1")[1].got == []


@pytest.mark.parametrize("end", ["exit", "stop"])
def test_the_check_of_a_life_that_ends_is_killed_with_it(kernel: Kernel, end: str) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", attempt=50.0)), a_plan("db.1"))
    run = checked.run
    checked.answer = lambda command: None

    def begin_to_end() -> None:
        if end == "exit":
            kernel.process("web.1").exit(3)
            return
        kernel.process("web.1").ignores.add(signal.SIGTERM)
        run.supervisor.hold([run.supervisor.instances["web.1"]], kernel.now)
        run.signal(signal.SIGCONT)

    run.after(1.0, begin_to_end)
    alive: list[bool] = []
    run.after(2.0, lambda: alive.append(kernel.named("web.1")[1].alive))
    checked.until(3.0)
    assert alive == [False]
    assert checked.tries == [0.0]
    assert ("ready", "web.1") not in run.events


def test_the_next_life_is_checked_from_the_start(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check"), mode="on-failure"))
    checked.run.after(1.0, checked.run.exits("web.1", 3))
    checked.until(5.0)
    assert checked.tries == [0.0, 2.0]
    assert checked.run.events.count(("ready", "web.1")) == 2


def test_a_command_that_cannot_start_is_a_failure_and_tried_again(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check", interval=1.0)))
    troubles: list[str] = []

    def refuse_the_check(child: Process) -> None:
        if not child.command.startswith("side-"):
            kernel.refusals = [OSError(errno.EAGAIN, "text")]

    kernel.on_spawn = refuse_the_check
    checked.run.after(0.1, lambda: troubles.append(checked.trouble))
    checked.run.after(0.2, lambda: setattr(kernel, "on_spawn", checked._on_spawn))
    checked.until(5.0)
    assert troubles[0] != ""
    assert checked.time("ready") == 0.25


def test_a_word_that_comes_too_late_is_not_believed(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("exec", "side-check"), mode="on-failure"))
    checked.answer = lambda command: None
    run = checked.run
    run.after(1.0, lambda: run.supervisor.wish(Event.RESTART, run.supervisor.instances.values(), kernel.now))
    run.after(1.0, lambda: run.signal(signal.SIGCONT))
    checked.until(2.0)
    assert ("ready", "web.1") not in run.events
    assert [one.alive for one in kernel.spawned] == [False] * len(kernel.spawned)


# Other kinds --------------------------------------------------------------------------------------------------------


def test_a_delay_is_waited_for_and_nothing_is_tried(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("delay", "2.5")))
    checked.until(10.0)
    assert checked.time("ready") == 2.5
    assert len(kernel.spawned) == 1


def test_a_line_makes_it_ready(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("log", "listening on [0-9]+")))
    checked.run.after(1.0, lambda: kernel.process("web.1").write(b"listening to nobody\n"))
    checked.run.after(2.0, lambda: kernel.process("web.1").write(b"\x1b[32mlistening\x1b[0m on 80\n"))
    checked.until(10.0)
    assert checked.time("ready") == 2.0


def test_the_line_of_another_instance_is_not_its_own(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("log", "ready")), a_plan("db.1"))
    checked.run.after(1.0, lambda: kernel.process("db.1").write(b"ready\n"))
    checked.until(5.0)
    assert ("ready", "web.1") not in checked.run.events


def test_when_no_line_is_waited_for_output_is_not_looked_at(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("log", "ready")))
    added: list[object] = []
    sinks = checked.run.hub._sinks
    checked.run.after(0.5, lambda: added.append(len(checked.run.hub._sinks)))
    checked.run.after(1.0, lambda: kernel.process("web.1").write(b"ready\n"))
    checked.run.after(2.0, lambda: kernel.process("web.1").write(b"more\n"))
    checked.run.after(3.0, lambda: added.append(len(checked.run.hub._sinks)))
    checked.until(5.0)
    assert added == [len(sinks) + 1, len(sinks)]


def test_a_life_that_ends_without_its_line_is_not_waited_for(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("log", "ready"), mode="on-failure"))
    checked.run.after(1.0, checked.run.exits("web.1", 1))
    checked.run.after(3.0, lambda: kernel.process("web.1").write(b"ready\n"))
    checked.until(5.0)
    assert checked.run.events.count(("ready", "web.1")) == 1
    assert checked.time("ready") == 3.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_port_that_is_listened_on_makes_it_ready(kernel: Kernel, server: socket.socket) -> None:
    checked = Checked(kernel, plan(ready=Check("tcp", f"127.0.0.1:{server.getsockname()[1]}", anyone=True)))
    checked.until(10.0)
    assert checked.time("ready") == 0.0


def test_a_refused_connection_is_tried_again_at_the_pace_of_connections(kernel: Kernel, server: socket.socket) -> None:
    target = f"127.0.0.1:{server.getsockname()[1]}"
    server.close()
    checked = Checked(kernel, plan(ready=Check("tcp", target, interval=0.3)))
    troubles: list[str] = []
    checked.run.after(0.01, lambda: troubles.append(checked.trouble))
    checked.until(1.2)
    assert troubles == ["connection refused"]
    pauses = [wait for wait in kernel.waits if wait is not None and wait < 1.0 and wait != SHORT_WAIT]
    assert pauses[0] == pytest.approx(0.05)
    assert max(pauses) == pytest.approx(0.3)


def test_a_page_that_never_comes_is_overdue(kernel: Kernel, server: socket.socket) -> None:
    check = Check("http", f"http://127.0.0.1:{server.getsockname()[1]}/", attempt=3.0, interval=1.0, anyone=True)
    checked = Checked(kernel, plan(ready=check))
    troubles: list[str] = []
    checked.run.after(2.9, lambda: troubles.append(checked.trouble))
    checked.run.after(3.01, lambda: troubles.append(checked.trouble))
    checked.run.after(3.02, lambda: troubles.append(str(len(checked.run.poller.events))))
    checked.until(3.03)
    assert troubles[:2] == ["", "no answer within 3 s"]
    assert int(troubles[2]) == 3  # signals, pumps and the output: the connection is not waited for any more


# Health -------------------------------------------------------------------------------------------------------------


def test_health_is_asked_for_at_its_interval_once_it_runs(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(health=Check("exec", "side-check", interval=10.0)))
    checked.until(35.0)
    assert checked.tries == [10.0, 20.0, 30.0]


def test_so_many_failures_in_a_row_condemn_it(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(health=Check("exec", "side-check", interval=10.0, threshold=3, on_fail="fail")))
    checked.answer = failing()
    assert checked.run.run() == 1
    assert checked.tries == [10.0, 20.0, 30.0]
    assert checked.failure == "unhealthy: no table"


def test_a_success_in_between_starts_the_count_again(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(health=Check("exec", "side-check", interval=10.0, threshold=2, on_fail="fail")))
    checked.answer = lambda command: command.exit(0 if len(checked.tries) == 2 else 1)
    assert checked.run.run() == 1
    assert checked.tries == [10.0, 20.0, 30.0, 40.0]


def test_a_health_check_under_way_is_not_begun_a_second_time(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(health=Check("exec", "side-check", interval=10.0, attempt=25.0)))
    checked.answer = lambda command: None
    checked.until(24.0)
    assert checked.tries == [10.0]


def test_an_overdue_health_check_is_killed_too(kernel: Kernel) -> None:
    checked = Checked(
        kernel,
        plan(health=Check("exec", "side-check", interval=10.0, attempt=2.0, threshold=1, on_fail="fail")),
    )
    checked.answer = lambda command: None
    assert checked.run.run() == 1
    assert checked.time("unhealthy") == 12.0
    assert signal_names(kernel.named("web.1")[1].got) == ["KILL"]
    assert checked.failure == "unhealthy: no answer within 2 s"


def test_readiness_comes_before_health(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("delay", "3"), health=Check("exec", "side-check", interval=10.0)))
    checked.until(30.0)
    assert checked.tries == [13.0, 23.0]


# A single probe -----------------------------------------------------------------------------------------------------


class Judge:
    """A supervisor that notes what it is told, and an instance in its first life."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.instance = Instance(a_plan("web.1"))
        self.instance.state = State.STARTING
        self.instance.pid = 7
        judge: Any = self
        self.probes = Probes(judge, judge, judge)
        self.forgotten: list[str] = []
        tools: Any = SimpleNamespace(
            owners=SimpleNamespace(forget=self.forgotten.append), release_idle=lambda: None, log_lines=None
        )
        self.probes._tools = tools
        self.reason = ""  # why the user holds the instance
        self.announced: list[str] = []
        holds: Any = SimpleNamespace(reason=lambda _instance: self.reason)
        self.probes._holds = holds

    def ready(self, instance: Instance, _now: float) -> None:
        self.told.append(("ready", instance.name))

    def probed(self, instance: Instance, trouble: str) -> None:
        self.told.append(("probed", instance.name, trouble))

    def unhealthy(self, instance: Instance, trouble: str, _now: float) -> None:
        self.told.append(("unhealthy", instance.name, trouble))

    def postpone(self, instance: Instance, seconds: float) -> None:
        assert instance.deadline is not None
        instance.deadline += seconds
        self.told.append(("postponed", instance.name, seconds))

    def announce(self, text: str) -> None:
        self.announced.append(text)

    def begin(self, check: Check) -> Probe:
        self.probes._start(self.instance, check, 100.0)
        return self.probes._probes["web.1"]


CHECK = Check("tcp", "localhost:1")


def test_a_probe_is_stale_once_its_life_is_over_or_about_to_be() -> None:
    judge = Judge()
    probe = judge.begin(CHECK)
    assert not probe.is_stale
    judge.instance.state = State.RUNNING
    assert not probe.is_stale
    judge.instance.state = State.STOPPING
    assert probe.is_stale
    judge.instance.state, judge.instance.pid = State.RUNNING, 8
    assert probe.is_stale
    probe.drop()
    assert (probe.attempt, probe.due, probe.overdue) == (None, None, None)


def test_a_new_life_ends_the_probe_of_the_last_one() -> None:
    judge = Judge()
    judge.begin(CHECK)
    judge.probes.on_event(Action.ANNOUNCE_STARTED, judge.instance, 101.0)
    assert judge.probes._probes == {}
    assert judge.probes.next_deadline() is None


def test_an_answer_counts_only_for_the_probe_that_asked() -> None:
    judge = Judge()
    first = judge.begin(CHECK)
    second = judge.begin(CHECK)
    judge.probes._on_answer(first, "")
    assert judge.told == []
    judge.probes._on_answer(second, "refused")
    assert judge.told == [("probed", "web.1", "refused")]
    judge.probes._on_answer(second, "")
    assert judge.told[1:] == [("ready", "web.1")]


def test_after_a_failure_it_is_found_out_again_who_answers() -> None:
    judge = Judge()
    probe = judge.begin(CHECK)
    judge.probes._on_answer(probe, "refused")
    assert judge.forgotten == ["web.1"]
    judge.probes._on_answer(probe, "")
    assert judge.forgotten == ["web.1"]


def test_health_is_reported_once_and_the_probe_is_over() -> None:
    for trouble, report in (("refused", ("unhealthy", "web.1", "refused")), ("", ("probed", "web.1", ""))):
        judge = Judge()
        judge.instance.state = State.RUNNING
        judge.probes._on_answer(judge.begin(CHECK), trouble)
        assert judge.told == [report]
        assert judge.probes._probes == {}


def test_a_line_may_take_longer_than_an_attempt(kernel: Kernel) -> None:
    checked = Checked(kernel, plan(ready=Check("log", "listening", attempt=5.0)))
    checked.run.after(20.0, lambda: kernel.process("web.1").write(b"listening\n"))
    checked.until(30.0)
    assert checked.time("ready") == 20.0


# What the user holds -----------------------------------------------------------------------------------------------


def test_an_instance_that_is_held_may_fail_its_health_check_and_that_is_announced_once_a_life() -> None:
    judge = Judge()
    judge.instance.state = State.RUNNING
    judge.reason = "it is paused"
    said = "web.1 fails its health check: refused; procman leaves it alone, because it is paused"
    for _ in range(2):
        judge.probes._on_answer(judge.begin(CHECK), "refused")
    assert judge.told == [("probed", "web.1", "refused")] * 2
    assert judge.announced == [said]
    judge.instance.pid = 8
    judge.probes._on_answer(judge.begin(CHECK), "refused")
    assert judge.announced == [said] * 2
    judge.reason = ""
    judge.probes._on_answer(judge.begin(CHECK), "refused")
    assert judge.told[-1] == ("unhealthy", "web.1", "refused")
    judge.reason = "it is paused"
    judge.probes._on_answer(judge.begin(CHECK), "refused")
    assert judge.announced == [said] * 3


def test_an_instance_that_is_held_has_its_time_to_become_ready_again_and_again() -> None:
    judge = Judge()
    judge.reason = "a debugger has stopped it"
    judge.instance.deadline = 110.0
    check = Check("tcp", "localhost:1", timeout=10.0)
    probe = judge.begin(check)
    probe.due = None
    assert judge.probes.next_deadline() == 110.0 - LAST_LOOK
    judge.probes.tick(109.7)
    assert judge.told == []
    judge.probes.tick(109.8)
    assert judge.told == [("postponed", "web.1", 10.0)]
    assert judge.probes.next_deadline() == 120.0 - LAST_LOOK
    judge.probes.tick(119.8)
    assert judge.told == [("postponed", "web.1", 10.0)] * 2
    assert judge.announced == [
        "web.1 is not ready after 10 s; procman leaves it alone, because a debugger has stopped it"
    ]
    judge.reason = ""
    judge.probes.tick(129.8)
    assert len(judge.told) == 2
    assert judge.probes.next_deadline() is None  # its deadline is the supervisor's


@pytest.mark.parametrize(("timeout", "deadline"), [(None, 110.0), (10.0, None)])
def test_without_a_limit_nothing_is_postponed(timeout: float | None, deadline: float | None) -> None:
    judge = Judge()
    judge.reason = "it is paused"
    judge.instance.deadline = 110.0
    probe = judge.begin(Check("tcp", "localhost:1", timeout=timeout))
    probe.due, judge.instance.deadline = None, deadline
    judge.probes.tick(109.8)
    assert judge.told == []
    assert judge.probes.next_deadline() is None


def test_a_short_time_to_become_ready_is_looked_at_from_its_start() -> None:
    judge = Judge()
    judge.instance.deadline = 100.0 + LAST_LOOK / 2
    assert judge.begin(CHECK).last_look == 100.0


def test_a_time_of_standing_still_is_charged_to_no_probe() -> None:
    judge = Judge()
    judge.instance.deadline = 110.0
    probe = judge.begin(CHECK)
    judge.probes.stand_still(60.0)
    assert (probe.due, probe.overdue, probe.last_look) == (160.0, None, 170.0 - LAST_LOOK)
    probe.due, probe.overdue, probe.last_look = None, 170.0, None
    judge.probes.stand_still(60.0)
    assert (probe.due, probe.overdue, probe.last_look) == (None, 230.0, None)


@pytest.mark.parametrize("notice", ["event", "tick"])
def test_the_probe_of_a_life_that_ends_is_dropped_at_the_first_sign(notice: str) -> None:
    judge = Judge()
    probe = judge.begin(CHECK)
    judge.probes.on_event(Action.ANNOUNCE_PAUSED, judge.instance, 101.0)
    assert judge.probes._probes == {"web.1": probe}
    judge.instance.state = State.STOPPING
    if notice == "event":
        judge.probes.on_event(Action.ANNOUNCE_STOPPING, judge.instance, 101.0)
    else:
        judge.probes.tick(101.0)
    assert judge.probes._probes == {}
    assert probe.due is None


def test_a_line_is_awaited_before_the_first_output_of_the_life() -> None:
    judge = Judge()
    expected: list[str] = []
    assert judge.probes._tools is not None
    lines: Any = SimpleNamespace(expect=lambda name, *_: expected.append(name))
    judge.probes._tools.log_lines = lines  # type: ignore[misc]
    probe = judge.begin(Check("log", "listening"))
    assert expected == ["web.1"]
    assert (probe.due, probe.overdue) == (None, None)
