"""What clients of a running session can request, and its answers: verbs and tasks on a fake kernel."""

from __future__ import annotations

import signal

import pytest

from procman.core.lifecycle.transitions import State
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy
from procman.errors import EXIT_USAGE
from runtime.control.served import Served
from runtime.fakes import Kernel, Process, a_plan, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from procman.core.model.plan import InstancePlan

    Serve = Callable[..., Served]


@pytest.fixture
def serve(kernel: Kernel, tmp_path: Path) -> Serve:
    def serve(*plans: InstancePlan | str) -> Served:
        return Served(kernel, tmp_path, *plans)

    return serve


def done(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The last record, which ends an answer."""
    assert records, "nothing was answered"
    assert records[-1].get("done"), records
    assert not any(record.get("done") for record in records[:-1]), records
    return records[-1]


def said(records: list[dict[str, Any]]) -> list[str]:
    return [record["say"] for record in records if "say" in record]


# Queries ------------------------------------------------------------------------------------------------------------


def test_hello_describes_the_session(serve: Serve) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "hello")
    run.until(2.0)
    about = done(answer)
    assert (about["pid"], about["procfile"], about["root"], about["session"]) == (4711, "Procfile", "/srv/app", "s1")
    assert about["stopping"] is None
    assert about["code"] == 0


def test_ps_lists_the_named_instances_in_their_order(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "web.2", "worker.1")
    all_of_them, some = run.ask(1.0, "ps"), run.ask(1.0, "ps", names=["web"])
    run.until(2.0)
    assert [row["name"] for row in done(all_of_them)["instances"]] == ["web.1", "web.2", "worker.1"]
    rows = done(some)["instances"]
    assert [row["name"] for row in rows] == ["web.1", "web.2"]
    assert (rows[0]["pid"], rows[0]["state"]) == (kernel.spawned[0].pid, "running")


def test_why_explains_what_is_here_and_what_is_absent(serve: Serve) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "why", names=["web", "css"])
    everything = run.ask(1.0, "why")
    run.until(2.0)
    absent, present = done(answer)["instances"]
    assert absent == {"name": "css", "state": "absent", "why": "css was left out"}
    assert (present["name"], present["state"]) == ("web.1", "running")
    assert [row["name"] for row in done(everything)["instances"]] == ["web.1"]


def test_why_names_the_dependency_that_is_waited_for(serve: Serve) -> None:
    run = serve(a_plan("web.1", depends_on=(Dependency("db"),)), a_plan("db.1", ready=Check("delay", "9")))
    answer = run.ask(1.0, "why", names=["web"])
    run.until(2.0)
    (row,) = done(answer)["instances"]
    assert "db.1 is not ready" in row["why"]


@pytest.mark.parametrize("name", ["nobody", "web.7"])
def test_an_unknown_name_is_refused_with_the_exit_code_of_usage(serve: Serve, name: str) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "ps", names=[name])
    run.until(2.0)
    assert done(answer)["code"] == EXIT_USAGE
    assert name in done(answer)["error"]


def test_a_type_that_was_left_out_is_said_to_be(serve: Serve) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "ps", names=["css"])
    run.until(2.0)
    assert done(answer)["error"] == "css is not part of this session: css was left out"
    assert done(answer)["hint"] == "procman start css adds it"


# Start --------------------------------------------------------------------------------------------------------------


def test_start_brings_up_what_is_down_and_answers_when_it_is_up(serve: Serve) -> None:
    run = serve("web.1", a_plan("worker.1", ready=Check("delay", "2")))
    run.ask(1.0, "stop", names=["worker"])
    answer = run.ask(3.0, "start", names=["worker"])
    times: list[bool] = []
    run.after(4.9, lambda: times.append(any("done" in one for one in run.answers[1][0].records())))
    run.after(5.1, lambda: times.append(run.answers[1][0].records()[-1]["done"]))
    run.until(6.0)
    assert times == [False, True]
    assert answer == []
    assert run.recorder.times["ready", "worker.1"] == 5.0


def test_start_says_who_is_running_already(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "start", names=["web"])
    run.until(2.0)
    assert said(answer) == [f"web.1 is already running (pid {kernel.spawned[0].pid})"]
    assert done(answer)["code"] == 0
    assert len(kernel.spawned) == 1


def test_start_without_names_means_all(serve: Serve) -> None:
    run = serve("web.1", "worker.1")
    run.ask(1.0, "stop", names=["web", "worker"])
    answer = run.ask(2.0, "start")
    run.until(3.0)
    assert done(answer)["code"] == 0
    assert run.events.count(("started", "web.1")) == run.events.count(("started", "worker.1")) == 2


@pytest.mark.parametrize(("words", "count"), [(["css"], 1), (["css=2"], 2)])
def test_start_adds_a_type_that_was_left_out(serve: Serve, words: list[str], count: int) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "start", names=words)
    run.until(2.0)
    assert done(answer)["code"] == 0
    assert [name for action, name in run.events if action == "started"][1:] == [
        f"css.{number}" for number in range(1, count + 1)
    ]


def test_start_with_a_count_adds_what_is_missing_and_never_removes(serve: Serve) -> None:
    run = serve("web.1", "web.2")
    less, more = run.ask(1.0, "start", names=["web=1"]), run.ask(2.0, "start", names=["web=3"])
    run.until(3.0)
    assert done(less)["code"] == done(more)["code"] == 0
    assert run.events.count(("started", "web.3")) == 1
    assert run.recorder.times["stopping", "web.2"] == 3.0


def test_start_refuses_a_change_of_count(serve: Serve) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "start", names=["css+1"])
    run.until(2.0)
    assert done(answer)["code"] == EXIT_USAGE


def test_start_answers_that_one_has_failed_and_why(serve: Serve) -> None:
    run = serve("web.1", a_plan("worker.1", restart=RestartPolicy("never"), autostart=False))
    answer = run.ask(1.0, "start", names=["worker"])
    waiting = run.ask(2.0, "wait", names=["worker"])
    run.kernel.on_spawn = lambda child: run.dies(child, 0.2) if child.name == "worker.1" else None
    run.until(9.0)
    assert said(answer)[0].startswith("worker.1 started with pid")
    assert done(answer)["code"] == done(waiting)["code"] == 1


def test_without_wait_an_answer_comes_at_once(serve: Serve) -> None:
    run = serve(a_plan("web.1"), a_plan("worker.1", ready=Check("delay", "50"), autostart=False))
    answer = run.ask(1.0, "start", names=["worker"], wait=False)
    run.until(2.0)
    assert answer == [{"done": True, "code": 0}]
    assert run.recorder.times["started", "worker.1"] == 1.0


def test_a_stopping_session_starts_nothing(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    run.after(1.0, lambda: run.signal(signal.SIGTERM))
    answers = [
        run.ask(2.0, verb, names=names) for verb, names in (("start", ["css"]), ("restart", []), ("scale", ["web=2"]))
    ]
    hello = run.ask(2.0, "hello")
    run.run()
    assert [done(answer)["code"] for answer in answers] == [EXIT_USAGE] * 3
    assert all("the session is stopping: terminated" in done(answer)["error"] for answer in answers)
    assert done(hello)["stopping"] == "terminated"


# Stop ---------------------------------------------------------------------------------------------------------------


def test_stop_answers_when_it_is_down_and_the_run_goes_on(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "worker.1")
    answer = run.ask(1.0, "stop", names=["web"])
    run.until(2.0)
    assert all("web.1" in sentence for sentence in said(answer))
    assert done(answer)["code"] == 0
    assert run.recorder.times["stopped", "web.1"] == 1.0
    assert run.recorder.times["stopped", "worker.1"] == 2.0


def test_stop_waits_for_one_that_takes_its_time(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "worker.1")
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    run.ask(1.0, "stop", names=["web"])
    seen: list[bool] = []
    run.after(5.9, lambda: seen.append(any("done" in one for one in run.answers[0][0].records())))
    run.after(6.1, lambda: seen.append(any("done" in one for one in run.answers[0][0].records())))
    run.until(7.0)
    assert seen == [False, True]


def test_what_was_stopped_by_name_keeps_the_session_alive(serve: Serve) -> None:
    run = serve("web.1")
    run.ask(1.0, "stop", names=["web"])
    assert run.until(50.0) == 0
    assert run.kernel.now == 1050.0


def test_stop_without_names_ends_the_session_and_says_how(serve: Serve) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "stop")
    assert run.run() == 0
    last = done([{**record, "done": True} if "over" in record else record for record in answer])
    assert last == {"over": True, "exit": 0, "done": True, "code": 0}
    assert len(said(answer)) == 1


# Restart ------------------------------------------------------------------------------------------------------------


def test_restart_replaces_the_named_and_leaves_the_others(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "worker.1")
    answer = run.ask(1.0, "restart", names=["web"])
    run.until(2.0)
    assert done(answer)["code"] == 0
    assert [one.name for one in kernel.spawned] == ["web.1", "worker.1", "web.1"]
    assert len(said(answer)) == 3  # stopping, stopped, started


def test_restart_reads_the_files_again_and_says_what_changed(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    run.files.commands = {"web": "serve --more"}
    answer = run.ask(1.0, "restart", names=["web"])
    run.until(2.0)
    assert "web: command is now serve --more" in said(answer)
    assert run.screen.announced == ["web: command is now serve --more"]
    assert kernel.spawned[-1].command == "serve --more"


def test_a_rolling_restart_goes_one_by_one_each_settled_before_the_next(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "web.2", a_plan("web.3", ready=Check("delay", "9")))
    answer = run.ask(20.0, "restart", names=["web"], rolling=True)
    run.until(60.0)
    times = run.recorder.times
    assert done(answer)["code"] == 0
    assert times["started", "web.1"] == 20.0
    assert times["started", "web.2"] == 20.5
    assert times["started", "web.3"] == 21.0
    assert times["ready", "web.3"] == 30.0


def test_a_rolling_restart_ends_with_the_first_that_fails(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "web.2", "web.3")
    kernel.on_spawn = lambda child: run.dies(child, 0.1) if len(kernel.spawned) == 4 else None
    answer = run.ask(1.0, "restart", names=["web"], rolling=True)
    run.until(1.9)
    assert done(answer)["code"] == 1
    assert done(answer)["error"] == "web.1: exited with code 3; not restarted: web.2, web.3"
    assert len(kernel.spawned) == 4


def test_a_rolling_restart_is_refused_the_rest_when_the_session_stops(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "web.2")
    answer = run.ask(1.0, "restart", names=["web"], rolling=True)
    kernel.on_spawn = lambda child: child.ignores.update({signal.SIGTERM} if len(kernel.spawned) > 2 else ())
    run.until(1.2)
    assert done(answer)["error"] == "the session is stopping"
    assert len(kernel.spawned) == 3


# Scale --------------------------------------------------------------------------------------------------------------


def test_scaling_up_adds_and_scaling_down_removes_the_highest_numbers(serve: Serve) -> None:
    run = serve("web.1")
    up, down = run.ask(1.0, "scale", names=["web=3"]), run.ask(2.0, "scale", names=["web-2"])
    names: list[list[str]] = []
    run.after(1.5, lambda: names.append(list(run.supervisor.instances)))
    run.after(2.5, lambda: names.append(list(run.supervisor.instances)))
    run.until(3.0)
    assert done(up)["code"] == done(down)["code"] == 0
    assert names == [["web.1", "web.2", "web.3"], ["web.1"]]
    assert [name for action, name in run.events if action == "stopped"] == ["web.2", "web.3", "web.1"]


def test_scaling_down_answers_when_the_leaving_are_down(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "web.2")
    kernel.on_spawn = lambda child: child.ignores.update({signal.SIGTERM} if child.name == "web.2" else ())
    run.ask(1.0, "scale", names=["web=1"])
    seen: list[bool] = []
    run.after(5.9, lambda: seen.append(any("done" in one for one in run.answers[0][0].records())))
    run.after(6.1, lambda: seen.append(any("done" in one for one in run.answers[0][0].records())))
    run.until(7.0)
    assert seen == [False, True]


def test_scaling_to_nothing_and_back_is_a_new_instance(serve: Serve) -> None:
    run = serve("web.1", "worker.1")
    run.ask(1.0, "scale", names=["web=0"])
    answer = run.ask(2.0, "scale", names=["web+1"])
    run.until(3.0)
    assert done(answer)["code"] == 0
    assert run.events.count(("started", "web.1")) == 2


def test_scaling_starts_what_was_down_among_the_kept(serve: Serve) -> None:
    run = serve("web.1", "web.2")
    run.ask(1.0, "stop", names=["web.1"])
    run.ask(2.0, "scale", names=["web=2"])
    run.until(3.0)
    assert run.recorder.times["started", "web.1"] == 2.0


@pytest.mark.parametrize("words", [[], ["nobody=2"]])
def test_scaling_nothing_known_is_refused(serve: Serve, words: list[str]) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "scale", names=words)
    run.until(2.0)
    assert done(answer)["code"] == EXIT_USAGE


# Wait ---------------------------------------------------------------------------------------------------------------


def test_wait_answers_when_all_are_ready_and_says_nothing_meanwhile(serve: Serve) -> None:
    run = serve(a_plan("web.1", ready=Check("delay", "3")), "worker.1")
    run.ask(1.0, "wait")
    seen: list[int] = []
    run.after(2.9, lambda: seen.append(len(run.answers[0][0].records())))
    run.after(3.1, lambda: seen.extend(one["code"] for one in run.answers[0][0].records()))
    run.until(4.0)
    assert seen == [0, 0]


def test_wait_gives_up_after_its_time(serve: Serve) -> None:
    run = serve(*(a_plan(f"web.{number}", ready=Check("delay", "30")) for number in range(1, 11)))
    answer = run.ask(1.0, "wait", timeout=2.0)
    seen: list[int] = []
    run.after(2.9, lambda: seen.append(len(run.answers[0][0].records())))
    run.until(5.0)
    assert seen == [0]
    assert done(answer)["code"] == 124
    assert done(answer)["error"] == f"not ready after 2 s: {', '.join(f'web.{number}' for number in range(1, 9))}"


def test_one_that_has_ended_well_counts_as_up(serve: Serve) -> None:
    run = serve("web.1", "job.1")
    run.after(0.5, run.exits("job.1"))
    answer = run.ask(1.0, "wait")
    run.until(2.0)
    assert done(answer)["code"] == 0


def test_one_that_was_never_started_does_not_count_as_up(serve: Serve) -> None:
    run = serve("web.1", a_plan("job.1", autostart=False))
    answer = run.ask(1.0, "wait", names=["job"])
    run.until(2.0)
    assert done(answer)["code"] == 1


def test_waiting_ends_when_the_session_stops(serve: Serve, kernel: Kernel) -> None:
    run = serve(a_plan("web.1", ready=Check("delay", "30")))
    kernel.on_spawn = lambda child: child.ignores.add(signal.SIGTERM)
    answer = run.ask(1.0, "wait")
    run.until(2.0)
    assert done(answer)["error"] == "the session is stopping"


# Events and logs ----------------------------------------------------------------------------------------------------


def test_events_sends_what_happens_to_the_named_from_then_on(serve: Serve) -> None:
    run = serve("web.1", "worker.1")
    answer = run.ask(1.0, "events", names=["web"])
    run.after(2.0, run.exits("worker.1", 3))
    run.after(2.5, run.exits("web.1", 3))
    run.until(5.0)
    events = [(record["event"], record["instance"]) for record in answer if "event" in record]
    assert events[:4] == [("exited", "web.1"), ("restarting", "web.1"), ("started", "web.1"), ("ready", "web.1")]
    assert {name for _, name in events} == {"web.1"}
    assert answer[-1] == {"done": True, "code": 0, "over": True, "exit": 0}


def test_a_probe_is_no_event(serve: Serve) -> None:
    run = serve(a_plan("web.1", health=Check("exec", "side-check", interval=1.0)))
    answer = run.ask(0.5, "events")
    run.until(3.5)
    assert "probe" not in [record.get("event") for record in answer]


def test_logs_come_from_the_history(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "worker.1")
    run.after(1.0, lambda: kernel.process("web.1").write(b"one\ntwo\n"))
    run.after(1.0, lambda: kernel.process("worker.1").write(b"other\n"))
    answer, last = run.ask(2.0, "logs", names=["web"]), run.ask(2.0, "logs", names=["web"], lines=1)
    run.until(3.0)
    assert b"".join(record.get("bytes", b"") for record in answer) == b"one\ntwo\n"
    assert done(answer) == {"done": True, "code": 0, "cursor": answer[0]["cursor"]}
    assert b"".join(record.get("bytes", b"") for record in last) == b"two\n"


def test_logs_have_the_time_in_milliseconds(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    run.after(1.0, lambda: kernel.process("web.1").write(b"before\n"))
    answer = run.ask(2.0, "logs", follow=True)
    run.after(3.0, lambda: kernel.process("web.1").write(b"live\n"))
    run.until(4.0)
    assert [record["time"] for record in answer if record.get("log") == "web.1"] == [1700001001.123, 1700001003.123]


def test_logs_may_begin_so_many_seconds_ago(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    for moment in (1.0, 2.0, 3.0):
        run.after(moment, lambda: kernel.process("web.1").write(b"%d\n" % (kernel.now - 1000)))
    answer = run.ask(3.5, "logs", since=2)
    run.until(4.0)
    assert b"".join(record.get("bytes", b"") for record in answer) == b"2\n3\n"


def test_following_logs_goes_on_until_the_session_is_over(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1", "worker.1")
    run.after(1.0, lambda: kernel.process("web.1").write(b"before\n"))
    answer = run.ask(2.0, "logs", names=["web"], follow=True)
    run.after(3.0, lambda: kernel.process("web.1").write(b"live\n"))
    run.after(3.0, lambda: kernel.process("worker.1").write(b"other\n"))
    run.after(3.5, lambda: run.hub.announce("a word of procman's"))
    run.until(4.0)
    assert [(record["log"], record["bytes"]) for record in answer if "log" in record] == [
        ("web.1", b"before\n"),
        ("web.1", b"live\n"),
    ]


def test_procmans_own_lines_are_called_system(serve: Serve) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "logs", names=["system"], follow=True)
    run.after(2.0, lambda: run.hub.announce("a word of procman's"))
    run.after(2.0, lambda: run.signal(signal.SIGCONT))
    run.until(3.0)
    assert [record["bytes"] for record in answer if "log" in record] == [b"a word of procman's\n"]


def test_a_client_that_follows_and_leaves_costs_nothing_any_more(serve: Serve) -> None:
    run = serve("web.1")
    run.ask(1.0, "logs", follow=True)
    sinks = len(run.hub._sinks)
    seen: list[int] = []
    run.after(1.5, lambda: seen.append(len(run.hub._sinks)))
    run.after(2.0, lambda: run.hang_up(0))
    run.after(2.5, lambda: seen.append(len(run.hub._sinks)))
    run.until(3.0)
    assert seen == [sinks + 1, sinks]


# Signals ------------------------------------------------------------------------------------------------------------


def test_a_signal_for_the_program_goes_to_the_leader_alone(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    helpers: list[Process] = []

    def fork(child: Process) -> None:
        child.caught.add(signal.SIGUSR1)
        helpers.append(child.fork())

    kernel.on_spawn = fork
    answer = run.ask(1.0, "signal", text="USR1", names=["web"])
    run.after(2.0, lambda: run.signal(signal.SIGTERM))
    run.run()
    assert signal_names(kernel.spawned[0].got)[0] == "USR1"
    assert "USR1" not in signal_names(helpers[0].got)
    assert said(answer) == [f"SIGUSR1 sent to web.1 (pid {kernel.spawned[0].pid})"]
    assert done(answer)["code"] == 0


def test_behind_a_shell_the_programs_get_it(serve: Serve, kernel: Kernel) -> None:
    run = serve(a_plan("web.1", "sh -c 'serve | tee'"))
    helpers: list[Process] = []

    def fork(child: Process) -> None:
        helpers.append(child.fork("serve"))
        helpers[0].caught.add(signal.SIGUSR1)

    kernel.on_spawn = fork
    run.ask(1.0, "signal", text="usr1", names=["web"])
    run.until(2.0)
    assert "USR1" in signal_names(helpers[0].got)
    assert "USR1" not in signal_names(kernel.spawned[0].got)


def test_a_signal_that_ends_goes_to_the_whole_group(serve: Serve, kernel: Kernel) -> None:
    run = serve(a_plan("web.1", restart=RestartPolicy("never")), "worker.1")
    helpers: list[Process] = []
    kernel.on_spawn = lambda child: helpers.append(child.fork())
    run.ask(1.0, "signal", text="TERM", names=["web"])
    run.until(2.0)
    assert "TERM" in signal_names(helpers[0].got)
    assert run.recorder.times["failed", "web.1"] == 1.0


@pytest.mark.parametrize(("text", "names"), [("", ["web"]), ("NOSUCH", ["web"])])
def test_an_unknown_signal_is_refused(serve: Serve, kernel: Kernel, text: str, names: list[str]) -> None:
    run = serve("web.1")
    answer = run.ask(1.0, "signal", text=text, names=names)
    run.until(2.0)
    assert done(answer)["code"] == EXIT_USAGE
    assert signal_names(kernel.spawned[0].got) == ["TERM"]


def test_a_signal_for_one_that_does_not_run_is_refused(serve: Serve) -> None:
    run = serve("web.1", a_plan("job.1", autostart=False))
    answers = [
        run.ask(1.0, verb, names=["job"], **more) for verb, more in (("pause", {}), ("signal", {"text": "USR1"}))
    ]
    run.until(2.0)
    assert [done(answer)["code"] for answer in answers] == [1, 1]


def test_a_pause_stops_the_group_until_it_is_resumed(serve: Serve, kernel: Kernel) -> None:
    run = serve("web.1")
    states: list[str] = []
    run.ask(1.0, "pause", names=["web"])
    run.after(1.5, lambda: states.append(kernel.spawned[0].state))
    paused = run.ask(1.5, "ps")
    run.ask(2.0, "resume", names=["web"])
    run.after(2.5, lambda: states.append(kernel.spawned[0].state))
    resumed = run.ask(2.5, "ps")
    run.until(3.0)
    assert states == ["T", "S"]
    assert done(paused)["instances"][0]["state"] != done(resumed)["instances"][0]["state"] == State.RUNNING


def test_one_connection_does_one_thing_at_a_time(serve: Serve) -> None:
    run = serve("web.1")
    run.ask(1.0, "events")
    busy: list[dict[str, Any]] = []
    run.after(2.0, lambda: run.callers[0].ask("ps"))
    run.after(2.5, lambda: busy.extend(run.callers[0].records()))
    run.until(3.0)
    assert "busy" in busy[-1]["error"]
