"""What is announced about an instance, through a real hub."""

from __future__ import annotations

import json
from typing import Any

import pytest

from procman.core.lifecycle.outcome import TERMINATED, Reason
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, Event, Instance, State
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import Environment, InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.settings import Settings
from procman.core.model.status import ExitStatus
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.output.hub import Hub
from procman.output.messages.announcer import MAX_NAMES, Announcer, EventReporter
from procman.output.messages.sentences import event_record, sentence
from procman.output.palette import Palette
from procman.output.sink import Sink
from procman.output.sinks.jsonlines import JsonLines


class Screen(Sink):
    """Keeps all announcements, and counts lines as a screen does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.counts: dict[str, int] = {}

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        self.counts[name] = self.counts.get(name, 0) + lines.count(b"\n")

    def announce(self, text: str) -> None:
        self.said.append(text)

    def line_count(self, name: str) -> int:
        return self.counts.get(name, 0)


def test_a_failure_card_shows_the_words_of_the_last_life_only() -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy(max_restarts=2), StopPolicy())
    supervisor, screen = Supervisor([plan]), Screen()
    hub = Hub(screen)
    announcer = Announcer(hub, supervisor)
    supervisor.start_all(0.0)
    for life, now in (("first", 0.0), ("second", 2.0)):
        supervisor.tick(now)
        supervisor.spawned(supervisor.instances["a.1"], 7, now)
        pass_on(announcer, supervisor, now)
        hub.publish("a.1", "stdout", f"{life} words\n".encode())
        supervisor.exited(supervisor.instances["a.1"], ExitStatus(code=3), now + 0.5)
        pass_on(announcer, supervisor, now + 0.5)
    card = "\n".join(screen.said[next(i for i, line in enumerate(screen.said) if "FAILED" in line) :])
    assert "second words" in card
    assert "first words" not in card


def test_a_bad_end_is_red_and_a_good_one_is_not() -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy("never"), StopPolicy())
    for code, color in ((3, "\x1b[31m"), (0, "")):
        supervisor, screen = Supervisor([plan]), Screen()
        announcer = Announcer(Hub(screen, palette=Palette(True)), supervisor)
        supervisor.start_all(0.0)
        supervisor.spawned(supervisor.instances["a.1"], 7, 0.0)
        supervisor.exited(supervisor.instances["a.1"], ExitStatus(code=code), 0.5)
        pass_on(announcer, supervisor, 0.5)
        said = f"{color}a.1 exited with code {code} after 0.5 s"
        assert [line for line in screen.said if line.startswith(said)]


def test_the_summary_tells_the_code_of_a_failure_on_eighty_columns() -> None:
    plan = InstancePlan("worker.1", "worker", 1, None, "x", "/", {}, RestartPolicy(max_restarts=1), StopPolicy())
    supervisor, screen = Supervisor([plan]), Screen()
    announcer = Announcer(Hub(screen), supervisor)
    supervisor.start_all(0.0)
    supervisor.spawned(supervisor.instances["worker.1"], 7, 0.0)
    supervisor.exited(supervisor.instances["worker.1"], ExitStatus(code=137), 0.5)
    pass_on(announcer, supervisor, 0.5)
    announcer.close(1.0, 137)
    assert "failed: code 137" in screen.said[-2]
    assert len(screen.said[-2]) <= 60


def pass_on(announcer: Announcer, supervisor: Supervisor, now: float) -> None:
    """Pass on the actions that the engine does not perform itself."""
    for action, instance in supervisor.take_actions():
        if action not in (Action.LAUNCH, Action.STOP, Action.KILL):
            announcer.on_event(action, instance, now)


def test_a_life_is_told_in_records() -> None:
    parts: list[bytes] = []
    plan = make_plan(parse_procfile(b"web: x\n"), Environment({}, {}), Settings()).instances[0]
    supervisor, instance = Supervisor([plan]), Instance(plan)
    hub = Hub(JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.0, lambda _: False))
    reporter = EventReporter(hub, supervisor, lambda: 0.0)
    instance.pid, instance.started = 42, 10.0
    reporter.on_event(Action.ANNOUNCE_STARTED, instance, 10.0)
    reporter.on_event(Action.PROBE, instance, 11.0)
    instance.pid, instance.ended, instance.status, instance.delay = None, 12.5, ExitStatus(signal=9), 2.0
    instance.failure = "unhealthy: HTTP 500"
    reporter.on_event(Action.ANNOUNCE_RESTARTING, instance, 13.0)
    reporter.close(14.0, 137)
    started, restarting, ended = (json.loads(line) for line in b"".join(parts).splitlines())
    common = {"time": "1970-01-01T00:00:00.000000Z", "instance": "web.1", "type": "web", "port": 5000, "restarts": 0}
    common["crashes"] = 0
    assert started == {
        **common,
        "event": "started",
        "pid": 42,
        "uptime": 0.0,
        "code": None,
        "signal": None,
        "words": "web.1 started with pid 42",
    }
    assert restarting == {
        **common,
        "event": "restarting",
        "pid": None,
        "uptime": 2.5,
        "code": 137,
        "signal": 9,
        "failure": "unhealthy: HTTP 500",
        "delay": 2.0,
        "words": "web.1 unhealthy: HTTP 500; restarting in 2.0 s",
    }
    assert (ended["event"], ended["instance"], ended["exit_status"]) == ("ended", "system", 137)


EVENTS = [value for name, value in vars(Action).items() if name.startswith("ANNOUNCE_")]


@pytest.mark.parametrize("event", EVENTS)
def test_the_screen_and_the_record_tell_an_event_in_the_same_sentence(event: str) -> None:
    plan = InstancePlan("a.1", "a", 1, 5000, "x", "/", {}, RestartPolicy(), StopPolicy())
    supervisor, screen = Supervisor([plan]), Screen()
    instance = supervisor.instances["a.1"]
    instance.started, instance.ended, instance.status = 1.0, 2.0, ExitStatus(code=1)
    instance.state, instance.failure = State.WAITING, "unhealthy: HTTP 500"
    announcer = Announcer(Hub(screen), supervisor)
    announcer.on_event(event, instance, 3.0)
    announcer.tick(5.0)  # waiting is announced later
    record = event_record(event, instance, 3.0, "", supervisor.hindrances)
    assert screen.said[0] == record["words"] == sentence(event, instance, 3.0, supervisor.hindrances)


def test_waiting_is_announced_only_after_a_second() -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
    supervisor, screen = Supervisor([plan]), Screen()
    announcer, instance = Announcer(Hub(screen), supervisor), supervisor.instances["a.1"]
    instance.state = State.WAITING
    announcer.on_event(Action.ANNOUNCE_WAITING, instance, 10.0)
    assert (announcer.next_deadline(), screen.said) == (11.0, [])
    announcer.tick(10.5)
    assert screen.said == []
    announcer.tick(11.0)
    assert screen.said == ["a.1 is waiting for its dependencies"]
    assert announcer.next_deadline() is None
    announcer.on_event(Action.ANNOUNCE_WAITING, instance, 20.0)
    instance.pid, instance.state = 7, State.RUNNING
    announcer.on_event(Action.ANNOUNCE_STARTED, instance, 20.1)
    announcer.tick(21.0)
    assert screen.said[1:] == ["a.1 started with pid 7"]


def test_the_end_lists_only_those_that_did_more_than_stop() -> None:
    plans = [
        InstancePlan(f"{name}.1", name, 1, None, "x", "/", {}, RestartPolicy("never"), StopPolicy()) for name in "abc"
    ]
    supervisor, screen = Supervisor(plans), Screen()
    announcer = Announcer(Hub(screen, palette=Palette(True)), supervisor)
    supervisor.start_all(0.0)
    for instance in supervisor.instances.values():
        supervisor.spawned(instance, 7, 0.0)
    supervisor.exited(supervisor.instances["b.1"], ExitStatus(code=3), 1.0)
    supervisor.stop_all(Reason("asked", 0), 2.0)
    for name in ("a.1", "c.1"):
        supervisor.exited(supervisor.instances[name], ExitStatus(signal=15), 2.5)
    announcer.close(3.0, 3)
    *table, last = screen.said
    assert [row.split()[0] for row in table] == ["instance", "\x1b[31mb.1"]
    assert last == "all stopped: 3 instances; exit status 3"


def test_a_stop_is_announced_behind_its_cause_and_before_everything_else() -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy("never"), StopPolicy())
    for event, order in (
        (Action.ANNOUNCE_EXITED, ["a.1 exited", "asked"]),
        (Action.ANNOUNCE_FAILED, ["a.1 FAILED", "asked"]),
        (Action.ANNOUNCE_STOPPED, ["asked", "a.1 stopped"]),
    ):
        supervisor, screen = Supervisor([plan]), Screen()
        announcer = Announcer(Hub(screen), supervisor)
        supervisor.instances["a.1"].status = ExitStatus(code=1)
        supervisor.stopping = Reason("asked", 0)
        announcer.on_event(event, supervisor.instances["a.1"], 1.0)
        announcer.on_event(event, supervisor.instances["a.1"], 1.5)
        said = [line for line in screen.said if line.startswith(("a.1", "asked"))]
        assert [line[: len(start)] for line, start in zip(said, order, strict=False)] == order
        assert len(said) == 3  # the stop once, the event twice


def test_a_failure_that_ends_the_run_is_told_before_the_stop_that_follows() -> None:
    rules = [("a.1", RestartPolicy("never")), ("b.1", RestartPolicy())]
    plans = [InstancePlan(name, name[0], 1, None, "x", "/", {}, policy, StopPolicy()) for name, policy in rules]
    plans[1].depends_on = (Dependency("a"),)
    plans[0].ready, plans[0].can_die = Check("delay", "9"), True
    supervisor, screen = Supervisor(plans, "failure"), Screen()
    announcer = Announcer(Hub(screen), supervisor)
    supervisor.start_all(0.0)
    supervisor.spawned(supervisor.instances["a.1"], 7, 0.0)
    supervisor.exited(supervisor.instances["a.1"], ExitStatus(code=3), 0.5)
    pass_on(announcer, supervisor, 0.5)
    failed = next(line for line in screen.said if line.startswith("b.1 FAILED"))
    assert screen.said[screen.said.index(failed) + 1] == "b.1 failed: no process is left"
    assert len([line for line in screen.said if line.startswith("b.1 failed")]) == 1


def test_the_reminder_names_what_has_not_stopped_every_two_seconds() -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy(grace=5.0))
    supervisor, screen = Supervisor([plan]), Screen()
    announcer = Announcer(Hub(screen), supervisor)
    supervisor.start_all(0.0)
    supervisor.spawned(supervisor.instances["a.1"], 7, 0.0)
    supervisor.stop_all(Reason("asked", 0), 1.0)
    pass_on(announcer, supervisor, 1.0)
    assert announcer.next_deadline() == 3.0
    announcer.tick(2.9)
    announcer.tick(3.0)
    assert announcer.next_deadline() == 5.0
    announcer.tick(5.0)
    assert [line for line in screen.said if line.startswith("still")] == [
        "still waiting for a.1 (pid 7); KILL in 3.0 s",
        "still waiting for a.1 (pid 7); KILL in 1.0 s",
    ]


def announcing(*graces: float) -> tuple[Announcer, Supervisor, Screen]:
    """Return an announcer, and a supervisor of running instances with these graces."""
    plans = [
        InstancePlan(f"a.{n}", "a", n, None, "x", "/", {}, RestartPolicy(), StopPolicy(grace=grace))
        for n, grace in enumerate(graces, 1)
    ]
    supervisor, screen = Supervisor(plans), Screen()
    announcer = Announcer(Hub(screen), supervisor)
    supervisor.start_all(0.0)
    for instance in supervisor.instances.values():
        supervisor.spawned(instance, 7, 0.0)
    pass_on(announcer, supervisor, 0.0)
    screen.said.clear()
    return announcer, supervisor, screen


def test_what_does_not_wait_any_more_is_not_announced_as_waiting() -> None:
    announcer, supervisor, screen = announcing(5.0)
    instance = supervisor.instances["a.1"]
    announcer.on_event(Action.ANNOUNCE_WAITING, instance, 1.0)
    announcer.tick(2.0)  # it runs
    assert (screen.said, announcer.next_deadline()) == ([], None)
    announcer.on_event(Action.ANNOUNCE_WAITING, instance, 3.0)
    announcer.on_event(Action.ANNOUNCE_READY, instance, 3.5)
    assert announcer.next_deadline() is None


def test_a_probe_is_not_announced() -> None:
    announcer, supervisor, screen = announcing(5.0)
    announcer.on_event(Action.PROBE, supervisor.instances["a.1"], 1.0)
    assert screen.said == []


@pytest.mark.parametrize(("number", "processes"), [(1, "1 process"), (2, "2 processes")])
def test_a_stop_names_the_number_of_processes(number: int, processes: str) -> None:
    announcer, supervisor, screen = announcing(*[5.0] * number)
    supervisor.stop_all(Reason("asked", 0), 1.0)
    pass_on(announcer, supervisor, 1.0)
    assert screen.said == [f"asked: stopping {processes}"]


def test_the_reminder_has_the_time_until_the_first_kill() -> None:
    announcer, supervisor, screen = announcing(9.0, 5.0)
    supervisor.stop_all(Reason("asked", 0), 1.0)
    pass_on(announcer, supervisor, 1.0)
    announcer.tick(3.0)
    assert screen.said[-1] == "still waiting for a.1 (pid 7), a.2 (pid 7); KILL in 3.0 s"


def test_what_never_started_has_a_headline_and_no_card() -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy("never"), StopPolicy())
    supervisor, screen = Supervisor([plan]), Screen()
    instance = supervisor.instances["a.1"]
    instance.state, instance.failure = State.FAILED, "no such program"
    Announcer(Hub(screen), supervisor).on_event(Action.ANNOUNCE_FAILED, instance, 1.0)
    (headline,) = screen.said
    assert "a.1 FAILED: no such program" in headline


@pytest.mark.parametrize(("code", "hinted"), [(127, True), (126, True), (1, False)])
def test_the_hint_for_a_command_that_cannot_be_run_comes_last(code: int, hinted: bool) -> None:
    plan = InstancePlan("a.1", "a", 1, None, "x", "/", {}, RestartPolicy("never"), StopPolicy())
    supervisor, screen = Supervisor([plan], "failure"), Screen()
    announcer = Announcer(Hub(screen), supervisor, launch_hint=lambda instance: f"write ./{instance.plan.command}")
    supervisor.start_all(0.0)
    supervisor.spawned(supervisor.instances["a.1"], 7, 0.0)
    supervisor.exited(supervisor.instances["a.1"], ExitStatus(code=code), 0.5)
    pass_on(announcer, supervisor, 0.5)
    assert (screen.said[-1] == "hint: write ./x") is hinted
    assert ("hint: write ./x" in screen.said) is hinted


def failing(
    *, taken: dict[int, str] | None = None, port: int | None = None, ready: str = "", health: str = ""
) -> tuple[Announcer, Supervisor, Screen, Hub]:
    """Return an announcer with one instance that will fail at its first exit, and another one that keeps running."""
    plans = [
        InstancePlan(f"{name}.1", name, 1, port, "x", "/", {}, RestartPolicy("never"), StopPolicy()) for name in "ab"
    ]
    plans[0].ready = Check("tcp", ready) if ready else None
    plans[0].health = Check("tcp", health) if health else None
    supervisor, screen = Supervisor(plans), Screen()
    hub = Hub(screen)
    announcer = Announcer(hub, supervisor) if taken is None else Announcer(hub, supervisor, lambda p: taken.get(p, ""))
    supervisor.start_all(0.0)
    for instance in supervisor.instances.values():
        supervisor.spawned(instance, 7, 0.0)
    pass_on(announcer, supervisor, 0.0)
    screen.said.clear()
    return announcer, supervisor, screen, hub


def card_of(announcer: Announcer, supervisor: Supervisor, screen: Screen) -> list[str]:
    supervisor.exited(supervisor.instances["a.1"], ExitStatus(code=3), 0.5)
    pass_on(announcer, supervisor, 0.5)
    title = next(at for at, line in enumerate(screen.said) if "a.1 FAILED" in line)
    return screen.said[title + 1 :]


BY_NGINX = {5000: "nginx (pid 9)", 6000: "redis (pid 8)", 7000: "postgres (pid 4)"}


@pytest.mark.parametrize(
    ("ports", "printed", "ports_told"),
    [
        ({}, b"bind: address already in use\n", []),
        ({"port": 5000}, b"boom\n", []),
        ({"port": 5000}, b"bind: address already in use\n", [5000]),
        ({"port": 5000}, b"Error: listen EADDRINUSE\n", [5000]),
        ({"port": 5000}, b"cannot listen on :5000\n", [5000]),
        ({"port": 5001}, b"cannot listen on :5001\n", []),  # nothing is known to listen there
        ({"port": 5000, "ready": "localhost:6000"}, b"boom\n", [6000]),
        ({"port": 5000, "health": "localhost:7000"}, b"boom\n", [7000]),
        ({"port": 5000, "ready": "localhost:7000", "health": "localhost:6000"}, b":5000\n", [5000, 6000, 7000]),
        ({"port": 5000, "ready": "localhost:5000"}, b":5000\n", [5000]),
        ({"port": 5000, "ready": "no port"}, b":5000\n", [5000]),
    ],
)
def test_a_failure_names_what_has_taken_the_ports_it_may_be_about(
    ports: dict[str, Any], printed: bytes, ports_told: list[int]
) -> None:
    announcer, supervisor, screen, hub = failing(taken=BY_NGINX, **ports)
    hub.publish("a.1", "stdout", printed)
    advice = card_of(announcer, supervisor, screen)[2:]
    assert advice[:-1] == [f"port {port} is taken by {BY_NGINX[port]}" for port in ports_told]
    assert advice[-1] == "start it again with `procman restart a.1`"


def test_nothing_is_known_of_ports_unless_somebody_looks() -> None:
    announcer, supervisor, screen, hub = failing(port=5000)
    hub.publish("a.1", "stdout", b"address already in use\n")
    assert not [line for line in card_of(announcer, supervisor, screen) if line.startswith("port")]


def test_how_to_start_it_again_is_said_only_while_the_session_continues() -> None:
    announcer, supervisor, screen, _ = failing()
    assert card_of(announcer, supervisor, screen)[-1] == "start it again with `procman restart a.1`"
    for continues in (lambda one: one.exited(one.instances["b.1"], ExitStatus(code=0), 0.1), stop_b):
        announcer, supervisor, screen, _ = failing()
        continues(supervisor)
        pass_on(announcer, supervisor, 0.2)
        assert not [line for line in card_of(announcer, supervisor, screen) if "procman restart" in line]


def stop_b(supervisor: Supervisor) -> None:
    """Stop everything, while the other instance takes its time."""
    supervisor.stopping = Reason("asked", 0)


def test_the_key_is_named_only_where_there_are_keys() -> None:
    announcer, supervisor, screen, hub = failing()
    footer: Any = object()
    hub._footer = footer
    advice = card_of(announcer, supervisor, screen)[-1]
    assert advice.startswith("start it again with `procman restart a.1`, or")
    assert advice.endswith(" R")


def test_a_card_shows_no_more_lines_than_this_life_has_written() -> None:
    announcer, supervisor, screen, hub = failing()
    hub.publish("a.1", "stdout", b"".join(b"line %d\n" % number for number in range(30)))
    assert card_of(announcer, supervisor, screen)[1:-1] == [f"    line {number}" for number in range(10, 30)]
    announcer, supervisor, screen, hub = failing()
    assert card_of(announcer, supervisor, screen)[0] == "it ran for 0.5 s and printed nothing"


def test_a_life_that_could_not_be_spawned_has_printed_nothing() -> None:
    announcer, supervisor, screen, hub = failing()
    hub.publish("a.1", "stdout", b"of an earlier life\n")
    instance = supervisor.instances["a.1"]
    supervisor.wish(Event.RESTART, [instance], 0.1)
    supervisor.exited(instance, ExitStatus(code=0), 0.2)
    supervisor.spawn_failed(instance, "/gone: no such folder", ExitStatus(code=126), 0.3)
    pass_on(announcer, supervisor, 0.3)
    assert "a.1 FAILED: /gone: no such folder" in screen.said
    assert "it ran for 0.0 s and printed nothing" in screen.said


def test_a_life_that_was_not_started_in_time_has_a_headline_and_no_card() -> None:
    announcer, supervisor, screen, hub = failing()
    hub.publish("a.1", "stdout", b"of an earlier life\n")
    instance = supervisor.instances["a.1"]
    instance.state, instance.failure = State.FAILED, "not started because db.1 failed"
    announcer.on_event(Action.ANNOUNCE_FAILED, instance, 1.0)
    assert screen.said == ["a.1 FAILED: not started because db.1 failed"]


def test_while_everything_stops_only_what_still_matters_is_said() -> None:
    announcer, supervisor, screen, _ = failing()
    instance = supervisor.instances["a.1"]
    for event in (Action.ANNOUNCE_STOPPING, Action.ANNOUNCE_RESTARTING, Action.ANNOUNCE_CANCELLED):
        announcer.on_event(event, instance, 1.0)
    assert len(screen.said) == 3
    screen.said.clear()
    supervisor.stopping = Reason("asked", 0)
    for event in (Action.ANNOUNCE_STOPPING, Action.ANNOUNCE_RESTARTING, Action.ANNOUNCE_CANCELLED):
        announcer.on_event(event, instance, 1.0)
    assert screen.said == ["asked: stopping 2 processes"]
    announcer.on_event(Action.ANNOUNCE_READY, instance, 1.0)
    assert screen.said[1:] == ["a.1 is ready after 1.0 s"]


def test_a_stop_with_a_cause_is_not_announced_by_another_event() -> None:
    announcer, supervisor, screen, _ = failing()
    supervisor.stopping = Reason("a.1 exited", cause=(Action.ANNOUNCE_EXITED, "a.1"))
    supervisor.instances["a.1"].status = supervisor.instances["b.1"].status = ExitStatus(code=0)
    announcer.on_event(Action.ANNOUNCE_EXITED, supervisor.instances["b.1"], 1.0)
    announcer.on_event(Action.ANNOUNCE_READY, supervisor.instances["a.1"], 1.0)
    assert len(screen.said) == 2
    announcer.on_event(Action.ANNOUNCE_EXITED, supervisor.instances["a.1"], 1.0)
    assert screen.said[2:] == ["a.1 exited with code 0 after 1.0 s", "a.1 exited: stopping 2 processes"]


def test_when_no_process_is_left_what_left_its_group_is_still_waited_for() -> None:
    announcer, supervisor, screen = announcing()
    supervisor.stopping = Reason("asked", 0)
    announcer._announce_stop(1.0)
    announcer.tick(3.0)
    assert screen.said == [
        "asked: no process is left",
        "still waiting for processes that have left their process groups",
    ]


def test_the_next_line_is_the_earliest_one_that_is_due() -> None:
    announcer, supervisor, screen = announcing(5.0, 5.0)
    first, second = supervisor.instances.values()
    first.state = second.state = State.WAITING
    announcer.on_event(Action.ANNOUNCE_WAITING, second, 1.0)
    announcer.on_event(Action.ANNOUNCE_WAITING, first, 1.5)
    assert announcer.next_deadline() == 2.0
    announcer.tick(2.0)
    assert (announcer.next_deadline(), screen.said) == (2.5, ["a.2 is waiting for its dependencies"])
    supervisor.instances.clear()
    announcer.tick(2.5)
    assert (announcer.next_deadline(), len(screen.said)) == (None, 1)


def test_records_are_due_at_no_time() -> None:
    assert EventReporter(Hub(Screen()), Supervisor([])).next_deadline() is None


def test_the_sinks_learn_of_a_new_child_when_it_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    announcer, supervisor, _, _ = failing()
    lives: list[tuple[str, int]] = []
    monkeypatch.setattr(Screen, "child_started", lambda _self, name, pid: lives.append((name, pid)))
    supervisor.instances["a.1"].pid = 42
    announcer.on_event(Action.ANNOUNCE_STARTED, supervisor.instances["a.1"], 1.0)
    announcer.on_event(Action.ANNOUNCE_READY, supervisor.instances["a.1"], 1.0)
    assert lives == [("a.1", 42)]


def test_the_reminder_leaves_the_time_out_where_there_is_none() -> None:
    announcer, supervisor, screen = announcing(9.0, 5.0)
    supervisor.stop_all(Reason("asked", 0), 1.0)
    pass_on(announcer, supervisor, 1.0)
    supervisor.instances["a.2"].deadline = None  # it is being killed
    announcer.tick(3.0)
    supervisor.instances["a.1"].deadline = None
    announcer.tick(5.0)
    names = "still waiting for a.1 (pid 7), a.2 (pid 7)"
    assert screen.said[1:] == [f"{names}; KILL in 7.0 s", names]


def test_a_failure_to_spawn_shows_what_was_written_so_far() -> None:
    announcer, supervisor, screen, hub = failing()
    announcer._lines_before.clear()  # no life of it was announced
    hub.publish("a.1", "stdout", b"one\n")
    assert card_of(announcer, supervisor, screen)[:2] == ["it ran for 0.5 s; its last line:", "    one"]


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
            if action != Action.STOP:
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
