"""The sentence for each event, and the explanation of each state."""

from __future__ import annotations

import pytest

from procman.core.lifecycle.transitions import Action, Instance, State
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus
from procman.output.messages.sentences import (
    event_record,
    explanation,
    losses,
    next_attempt,
    outcome,
    sentence,
    status_record,
)

KILLED = ExitStatus(signal=9)


def web(state: str = State.RUNNING, *, autostart: bool = True, **values: object) -> Instance:
    plan = InstancePlan("web.1", "web", 1, 5000, "x", "/", {}, RestartPolicy(), StopPolicy())
    plan.autostart = autostart
    instance = Instance(plan)
    instance.state = state
    for name, value in values.items():
        setattr(instance, name, value)
    instance.last = instance.status if instance.last is None else instance.last
    return instance


def why(instance: Instance, *, held: bool = False, paused: bool = False) -> str:
    return explanation(instance, 10.0, held, paused, ["db.1 is not ready", "cache.1 is not ready"])


@pytest.mark.parametrize(
    ("instance", "text"),
    [
        (web(pid=7, started=4.0), "up for 6.0 s with pid 7"),
        (web(pid=7, started=4.0, trouble="HTTP 500"), "up for 6.0 s with pid 7; its last check failed: HTTP 500"),
        (
            web(pid=7, started=4.0, restarts=3, crashes=1, last=ExitStatus(code=3)),
            "up for 6.0 s with pid 7; crashed once; restarted 3 times; last exit: exited with code 3",
        ),
        (web(State.STARTING), "about to start"),
        (web(State.STARTING, pid=7, started=4.0), "started 6.0 s ago and not ready yet"),
        (
            web(State.STARTING, pid=7, started=4.0, trouble="connection refused", deadline=12.0),
            "started 6.0 s ago and not ready yet: connection refused; procman gives up in 2.0 s",
        ),
        (web(State.WAITING), "waiting because db.1 is not ready; cache.1 is not ready"),
        (
            web(State.WAITING, deadline=13.0),
            "waiting because db.1 is not ready; cache.1 is not ready; procman gives up in 3.0 s",
        ),
        (web(State.STOPPING, deadline=11.0), "stopping; will be killed in 1.0 s at the latest"),
        (
            web(State.STOPPING, deadline=9.0, wanted=True),
            "stopping; will be killed in 0.0 s at the latest, then restarted",
        ),
        (web(State.STOPPING), "being killed"),
        (
            web(State.BACKOFF, status=ExitStatus(code=3), deadline=12.5, quick_deaths=2),
            "exited with code 3; restarting in 2.5 s (attempt 2 of 4)",
        ),
        (web(State.BACKOFF, status=ExitStatus(code=3)), "exited with code 3; restarting in 0.0 s"),
        (web(State.EXITED), "not started"),
        (web(State.EXITED, failure="no descriptors"), "no descriptors"),
        (
            web(State.EXITED, autostart=False),
            "not started because autostart is false; `procman start web` starts it",
        ),
        (web(State.EXITED, autostart=False, failure="no descriptors"), "no descriptors"),
        (
            web(State.EXITED, autostart=False, status=ExitStatus(code=0)),
            "exited with code 0, which counts as success; it will not be restarted",
        ),
        (web(State.EXITED, status=ExitStatus(signal=15)), "killed by SIGTERM; it will not be restarted"),
        (web(State.FAILED, status=ExitStatus(code=3), quick_deaths=1), "gave up: exited with code 3"),
        (web(State.FAILED, status=ExitStatus(code=3), quick_deaths=2), "gave up: exited with code 3, 2 times in a row"),
        (web("unheard of"), "unheard of"),
    ],
)
def test_why_explains_every_state(instance: Instance, text: str) -> None:
    assert why(instance) == text


def test_why_names_the_command_that_undoes_a_pause_or_a_stop() -> None:
    assert why(web(pid=7), paused=True) == "paused; `procman resume web.1` resumes it"
    assert why(web(State.EXITED), held=True) == "stopped by you; `procman start web.1` starts it"


@pytest.mark.parametrize(
    ("event", "instance", "text"),
    [
        (Action.ANNOUNCE_WAITING, web(State.WAITING), "web.1 is waiting because db.1 is not ready"),
        (Action.ANNOUNCE_STARTED, web(pid=7), "web.1 started with pid 7"),
        (Action.ANNOUNCE_READY, web(pid=7, started=9.0), "web.1 is ready after 1.0 s"),
        (
            Action.ANNOUNCE_UNHEALTHY,
            web(pid=7, condemned=True, failure="unhealthy: HTTP 500"),
            "web.1 is unhealthy: HTTP 500; stopping it",
        ),
        (Action.ANNOUNCE_UNHEALTHY, web(pid=7, trouble="HTTP 500"), "web.1 is unhealthy: HTTP 500"),
        (Action.ANNOUNCE_STOPPING, web(pid=7), "stopping web.1"),
        (Action.ANNOUNCE_RESTARTING, web(), "web.1 restarting now"),
        (Action.ANNOUNCE_RESTARTING, web(delay=2.0, quick_deaths=1), "web.1 restarting in 2.0 s (attempt 1 of 4)"),
        (Action.ANNOUNCE_RESTARTING, web(failure="no descriptors"), "web.1 no descriptors; restarting now"),
        (Action.ANNOUNCE_EXITED, web(started=9.0, status=ExitStatus(code=1)), "web.1 exited with code 1 after 1.0 s"),
        (Action.ANNOUNCE_EXITED, web(started=9.0), "web.1 ended after 1.0 s"),
        (
            Action.ANNOUNCE_STOPPED,
            web(started=9.0, status=ExitStatus(signal=9)),
            "web.1 stopped (killed by SIGKILL) after 1.0 s",
        ),
        (Action.ANNOUNCE_STOPPED, web(started=9.0, status=ExitStatus(signal=15)), "web.1 stopped after 1.0 s"),
        (Action.ANNOUNCE_STOPPED, web(started=9.0, status=ExitStatus(code=0)), "web.1 stopped after 1.0 s"),
        (Action.ANNOUNCE_EXITED, web(started=9.0, status=KILLED, asked=True), "web.1 killed by SIGKILL after 1.0 s"),
        (Action.ANNOUNCE_STOPPED, web(), "web.1 stopped before it started"),
        (Action.ANNOUNCE_CANCELLED, web(), "web.1 will not be started"),
        (Action.ANNOUNCE_CANCELLED, web(started=1.0), "web.1 will not be restarted"),
        (Action.ANNOUNCE_FAILED, web(status=ExitStatus(code=1)), "web.1 FAILED: exited with code 1"),
        (Action.ANNOUNCE_FAILED, web(failure="unhealthy", status=ExitStatus(code=0)), "web.1 FAILED: unhealthy"),
        (Action.ANNOUNCE_FAILED, web(), "web.1 FAILED: gave up"),
    ],
)
def test_every_event_is_one_sentence(event: str, instance: Instance, text: str) -> None:
    assert sentence(event, instance, 10.0, lambda _: ["db.1 is not ready"]) == text


def test_a_dependency_that_is_up_again_leaves_a_sentence_without_a_reason() -> None:
    assert sentence(Action.ANNOUNCE_WAITING, web(), 10.0, lambda _: []) == "web.1 is waiting for its dependencies"


def test_an_attempt_is_counted_only_where_a_failure_has_spent_one() -> None:
    assert next_attempt(web(quick_deaths=0)) == ""
    assert next_attempt(web(quick_deaths=4)) == " (attempt 4 of 4)"
    assert next_attempt(web(quick_deaths=5)) == ""
    assert next_attempt(web(quick_deaths=1, status=ExitStatus(code=0))) == ""


def test_the_outcome_fits_a_narrow_column() -> None:
    assert outcome(web(State.FAILED, status=ExitStatus(code=3))) == "failed: code 3"
    assert outcome(web(State.EXITED, status=KILLED, asked=True)) == "killed by SIGKILL"
    assert outcome(web(State.EXITED, status=ExitStatus(signal=15), asked=True)) == "stopped"
    assert outcome(web(State.EXITED, status=ExitStatus(signal=15))) == "killed by SIGTERM"
    assert outcome(web(State.EXITED)) == "not started"


def test_a_port_is_told_where_the_process_has_one() -> None:
    instance = web(pid=7)
    for command in ("serve -p $PORT", "serve ${PORT:-1}", "serve 5000", "serve $PROCMAN_WEB_PORT", "env.PORT"):
        instance.plan.command = command
        assert (
            sentence(Action.ANNOUNCE_STARTED, instance, 10.0, lambda _: ()) == "web.1 started with pid 7 on port 5000"
        )
    for command in ("serve", "serve $DB_PORT", "serve 50001", "EXPORT"):
        instance.plan.command = command
        assert sentence(Action.ANNOUNCE_STARTED, instance, 10.0, lambda _: ()) == "web.1 started with pid 7"


def test_a_root_cause_is_told_once() -> None:
    db = named("db.1", status=ExitStatus(code=1))
    others = [
        named(name, failure="not started because db.1 failed: exited with code 1")
        for name in ("api.1", "web.1", "job.1")
    ]
    assert losses([others[0], db]) == "db.1 exited with code 1; api.1 depends on it"
    assert losses([db, *others]) == "db.1 exited with code 1; api.1, web.1 and job.1 depend on it"
    assert losses(others[:1]) == "api.1: not started because db.1 failed: exited with code 1"
    assert losses([db, named("mq.1", failure="not ready after 2 s"), *others[:2]]) == (
        "db.1 exited with code 1; mq.1: not ready after 2 s; api.1 and web.1 depend on them"
    )


def named(name: str, **values: object) -> Instance:
    plan = InstancePlan(name, name.partition(".")[0], 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
    instance = Instance(plan)
    for key, value in values.items():
        setattr(instance, key, value)
    return instance


def test_a_record_tells_how_a_life_ended_only_once_it_has() -> None:
    status = ExitStatus(signal=9)
    up = event_record(Action.ANNOUNCE_READY, web(pid=7, status=status), 10.0, "", lambda _: ())
    down = event_record(Action.ANNOUNCE_EXITED, web(status=status), 10.0, "", lambda _: ())
    assert (up["code"], up["signal"]) == (None, None)
    assert (down["code"], down["signal"]) == (137, 9)
    assert not {"failure", "delay"} & {*up, *down}


def test_a_row_of_ps_holds_the_uptime_of_what_runs_and_the_end_of_what_does_not() -> None:
    up = status_record(web(pid=7, started=4.0), 10.0, paused=False)
    assert (up["state"], up["uptime"], up["exit"], up["code"]) == ("running", 6.0, None, None)
    down = status_record(web(State.EXITED, started=4.0, status=ExitStatus(signal=9)), 10.0, paused=False)
    assert (down["state"], down["uptime"], down["exit"], down["code"]) == ("exited", None, KILLED.words(), 137)
    again = status_record(web(pid=7, started=4.0, last=KILLED, restarts=2, crashes=1), 10.0, paused=False)
    assert (again["exit"], again["code"], again["restarts"], again["crashes"]) == (KILLED.words(), 137, 2, 1)
    backoff = status_record(web(State.BACKOFF, status=ExitStatus(signal=9)), 10.0, paused=False)
    assert backoff["exit"] == "killed by SIGKILL (perhaps out of memory)"
    assert status_record(web(pid=7), 10.0, paused=True)["state"] == "paused"


def test_an_attempt_is_spent_by_a_failure_whatever_the_code() -> None:
    instance = web(quick_deaths=1, status=ExitStatus(code=0), failure="unhealthy: HTTP 500")
    assert next_attempt(instance) == " (attempt 1 of 4)"


def test_an_end_that_only_a_failed_check_asked_for_is_not_called_a_stop() -> None:
    stopped = web(State.EXITED, status=ExitStatus(signal=15), asked=True)
    condemned = web(State.EXITED, status=ExitStatus(signal=15), asked=True, condemned=True)
    assert why(stopped) == "stopped; it will not be restarted"
    assert why(condemned) == "killed by SIGTERM; it will not be restarted"


def test_an_earlier_end_is_no_news_without_a_crash_or_a_restart() -> None:
    assert why(web(pid=7, started=4.0, last=ExitStatus(code=0))) == "up for 6.0 s with pid 7"


def test_times_in_records_are_whole_milliseconds() -> None:
    instance = web(pid=7, started=8.76544, delay=0.98765)
    assert event_record(Action.ANNOUNCE_RESTARTING, instance, 10.0, "", lambda _: ())["delay"] == 0.988
    assert event_record(Action.ANNOUNCE_READY, instance, 10.0, "", lambda _: ())["uptime"] == 1.235
    assert status_record(instance, 10.0, paused=False)["uptime"] == 1.235


def test_a_row_of_ps_says_whether_the_port_is_used() -> None:
    instance = web(pid=7)
    for command, used in (("serve", False), ("serve $PORT", True)):
        instance.plan.command = command
        row = status_record(instance, 10.0, paused=False)
        assert (row["port"], row["has_port"]) == (5000, used)


@pytest.mark.parametrize(
    ("restarts", "crashes", "history"),
    [
        (0, 0, ""),
        (1, 0, "; restarted once; last exit: exited with code 3"),
        (0, 2, "; crashed twice; last exit: exited with code 3"),
        (3, 1, "; crashed once; restarted 3 times; last exit: exited with code 3"),
    ],
)
def test_what_an_instance_went_through_is_told_once_there_is_something(
    restarts: int, crashes: int, history: str
) -> None:
    instance = web(pid=7, started=4.0, restarts=restarts, crashes=crashes, last=ExitStatus(code=3))
    assert why(instance) == f"up for 6.0 s with pid 7{history}"


def test_causes_that_nothing_depends_on_stand_alone() -> None:
    lost = [named("db.1", status=ExitStatus(code=1)), named("mq.1", failure="unhealthy: HTTP 500"), named("job.1")]
    assert losses(lost) == "db.1 exited with code 1; mq.1: unhealthy: HTTP 500; job.1 gave up"
    assert losses([]) == ""
