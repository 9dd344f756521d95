"""The Swarm engine on recorded answers of a real swarm: what it reads, and which commands it gives."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from engines.driver import Driver, said
from engines.swarm.swarm_transcript import Transcript, swarm
from export.plans import plan_of
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.schedule import Schedule
from procman.engines.interface import EngineError, Release
from procman.engines.records import Deployed, LogLine
from procman.engines.swarm.swarm_files import kept_names, started_first
from procman.engines.swarm.swarm_records import log_line, moment
from procman.errors import UsageError
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from export.plans import Overlay
    from procman.engines.calls import Call, Outcome

SSH = 'error during connect: Get "http://x/version": command [ssh -l nobody -- b docker system dial-stdio] has exited:'
COUNTS = {"web": 2, "worker": 2, "clock": 1}
LINES = "web: serve $PORT\nworker: work\nclock: tick\nrelease: migrate\n"


def release(version: str = "v6", lines: str = LINES, counts: Mapping[str, int] = COUNTS, **values: str) -> Release:
    """Return a release with these lines of a Procfile and variables of env files."""
    plan = plan_of(lines, {}, **values)
    options = ExportOptions("fleet", image=f"fleet:{version}", replicas=counts)
    return Release("production", version, f"fleet:{version}", plan, options, counts, 60.0)


# What is read ---------------------------------------------------------------------------------------------------------


def test_instances_have_local_names_and_states() -> None:
    engine, driver, _ = swarm("steady")
    found = driver.perform(engine.instances())
    assert [(one.name, one.state, one.version, one.restarts) for one in found] == [
        ("web.1", "running", "v5", 0),
        ("web.2", "running", "v5", 0),
        ("worker.1", "running", "v5", 0),
        ("worker.2", "running", "v5", 0),
        ("clock.1", "running", "v5", 0),
    ]
    assert found[0].port == 5000
    assert found[2].port is None
    assert {one.node.partition("-")[0] for one in found} == {"vm"}
    assert len({one.node for one in found}) == 2, "two nodes of the same name can be told apart"
    assert len(driver.calls) == 3


def test_a_node_that_is_lost_has_no_instances_although_swarm_lists_them() -> None:
    engine, driver, _ = swarm("lost")
    found = driver.perform(engine.instances())
    assert [(one.name, one.state) for one in found] == [
        *(("web.1", "running"), ("web.2", "running"), ("worker.1", "running"), ("worker.2", "running")),
        ("clock.1", "running"),
    ]
    assert len({one.node for one in found}) == 1


def test_what_is_steady_is_done_once_it_is_known_to_stay_up() -> None:
    engine, driver, _ = swarm("steady")
    first = driver.perform(engine.look(COUNTS))
    assert not first.is_done, "what has no health check is watched for a moment"
    driver.time += 1.0
    assert driver.perform(engine.look(COUNTS)).is_done
    assert not driver.perform(engine.look({**COUNTS, "web": 3})).is_done
    assert not driver.perform(engine.look({**COUNTS, "mail": 1})).is_done


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({"procman.name": "Fleet"}, "Fleet is deployed there, and fleet would have the same names"),
        ({"procman.type": None}, "a stack is there that procman has not deployed, and fleet would have the same names"),
    ],
)
def test_what_another_application_has_deployed_is_left_alone(labels: dict[str, str | None], sentence: str) -> None:
    engine, driver, transcript = swarm("steady")
    for service in transcript.state["services"]:
        found = service["Spec"]["Labels"]
        service["Spec"]["Labels"] = {key: value for key, value in {**found, **labels}.items() if value is not None}
    for steps in (engine.deployed(), engine.instances(), engine.down(), engine.stop([]), engine.why([])):
        with pytest.raises(EngineError, match=sentence):
            driver.perform(steps)
    assert not any(word in ("rm", "update") for call in driver.calls for word in call.argv)


def test_a_lock_of_an_application_whose_names_would_be_the_same_is_not_removed() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.lock("ann", 60))
    transcript.configs["fleet.lock"][0]["procman.name"] = "Fleet"
    with pytest.raises(EngineError, match="Fleet is deployed there, and fleet would have the same names"):
        driver.perform(engine.unlock(""))
    assert list(transcript.configs) == ["fleet.lock"]


@pytest.mark.parametrize("text", ["Welcome to docker\n[]", "[{}]", "[1]", '{"a": 1}'])
def test_a_docker_that_prints_something_else_is_shown(text: str) -> None:
    engine, driver, transcript = swarm("steady")
    driver.answer = lambda call: said(text) if "inspect" in call.argv else transcript(call)
    first = re.escape(text.splitlines()[0])
    for steps in (engine.instances(), engine.deployed(), engine.restart([], rolling=False)):
        with pytest.raises(EngineError, match=f"^docker printed what procman does not understand: {first}$"):
            driver.perform(steps)


def test_output_that_ends_while_its_services_are_there_is_an_error() -> None:
    engine, driver, transcript = swarm("steady")
    names = [said("fleet_web\n"), said("other_web\n"), said("", 1, "Cannot connect to the Docker daemon")]

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "logs", *_):
                return said()
            case ("service", "ls", "--format", *_):
                return names.pop(0)
        return transcript(call)

    driver.answer = answer
    with pytest.raises(EngineError, match="Swarm no longer sends output"):
        driver.perform(engine.logs([], follow=True, lines=5, since=None))
    assert driver.perform(engine.logs([], follow=True, lines=5, since=None)) == [], "the application was removed"
    with pytest.raises(EngineError, match="does not answer"):
        driver.perform(engine.logs([], follow=True, lines=5, since=None))


def service_event(action: str, name: str) -> str:
    event = {"Action": action, "Actor": {"Attributes": {"name": name}}, "timeNano": 1796008173500000000}
    return json.dumps(event) + "\n"


@pytest.mark.parametrize(("names", "is_all"), [((), True), (("worker",), False)])
def test_what_is_followed_ends_after_the_last_output_of_what_is_removed(names: tuple[str, ...], is_all: bool) -> None:
    """`docker service logs --follow` would wait forever. A deployment removes one type, and creates another."""
    engine, driver, transcript = swarm("steady")
    head = "2026-11-30T03:20:3{}.562194057Z {}.1.0fc5dlgbf6msdl9ws2wcmme35@vm    | {}\n"
    events = [service_event("remove", "fleet_worker"), service_event("create", "fleet_mail")]
    events += [service_event("create", "fleet-release-1"), service_event("remove", "fleet-release-1")]
    events += [service_event("remove", f"fleet_{name}") for name in ("web", "clock", "mail")]

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "logs", *_, "fleet_mail"):
                return said(head.format(1, "fleet_mail", "from later"))
            case ("service", "logs", *_):
                return said()
            case ("events", *words) if "--filter=type=service" in words:
                return said("".join(events))
            case ("service", "ls", "--format", *_):
                return said("" if is_all else "fleet_web\n")
        return transcript(call)

    driver.answer = answer
    assert driver.perform(engine.logs(names, follow=True, lines=5, since=None)) == []
    assert [(one.instance, one.line) for one in driver.lines] == ([("mail.1", b"from later")] if is_all else [])
    whole, part = "fleet has been removed from production", "worker of fleet has been removed"
    assert driver.said == [whole if is_all else part]
    (removal,) = (line for line in driver.commands if "type=network" in line)
    assert "--filter=network=fleet_default --since 1796008173.500000 --until 1796008233.500000" in removal


def test_a_look_that_finds_the_tasks_of_the_last_one_has_no_second_round() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.look(COUNTS))
    assert driver.rounds == 2
    driver.perform(engine.look(COUNTS))
    assert driver.rounds == 3
    transcript.state["ps"].append({**transcript.state["ps"][0], "ID": "new"})
    transcript.state["tasks"].append({**transcript.state["tasks"][0], "ID": "new"})
    driver.perform(engine.look(COUNTS))
    assert driver.rounds == 5


def test_the_states_of_nodes_are_read_every_two_seconds() -> None:
    engine, driver, _ = swarm("updating")
    for _ in range(4):
        driver.perform(engine.look(COUNTS))
        driver.time += 0.5
    assert sum("node ls" in command for command in driver.commands) == 1
    driver.perform(engine.look(COUNTS))
    assert sum("node ls" in command for command in driver.commands) == 2


def test_what_is_replaced_and_gets_no_more_requests_is_not_waited_for() -> None:
    engine, driver, transcript = swarm("steady")
    web = next(one for one in transcript.state["ps"] if one["Name"] == "fleet_web.1")
    task = next(one for one in transcript.state["tasks"] if one["ID"] == web["ID"])
    old = {**task, "ID": "old", "DesiredState": "shutdown", "CreatedAt": "2026-01-01T00:00:00Z"}
    transcript.state["tasks"].append(old)
    transcript.state["ps"].append({**web, "ID": "old", "DesiredState": "Shutdown"})
    for seconds, is_done in ((0, False), (0.9, False), (0.1, True)):
        driver.time += seconds
        assert driver.perform(engine.look(COUNTS)).is_done == is_done
    old["Slot"] = 3
    driver.time += 60
    assert not driver.perform(engine.look(COUNTS)).is_done, "it is scaled down, and still runs"


def test_an_update_is_not_done_before_the_last_instance() -> None:
    engine, driver, _ = swarm("updating")
    driver.perform(engine.look(COUNTS))
    driver.time += 60
    look = driver.perform(engine.look(COUNTS))
    assert not look.is_done
    assert look.failed == ()
    states = {one.name: (one.state, one.version) for one in look.instances}
    assert states["worker.1"] == ("running", "v5")  # the tag of its image
    assert states["worker.2"] == ("starting", "v4")


def test_what_fails_again_and_again_is_in_backoff_until_swarm_gives_up() -> None:
    engine, driver, transcript = swarm("failing")
    look = driver.perform(engine.look(COUNTS))
    worker = next(one for one in look.instances if one.name == "worker.2")
    assert (worker.state, worker.restarts, worker.exit, worker.reason) == ("backoff", 2, "3", "exited with code 3")
    assert look.failed == ()
    why = {one.name: one.why for one in driver.perform(engine.why(["worker.2"]))}
    assert why == {"worker.2": "it exited with code 3, and will be started again"}

    (service,) = (one for one in transcript.state["services"] if one["Spec"]["Name"] == "fleet_worker")
    service["UpdateStatus"] = {"State": "paused", "Message": "update paused due to failure or early termination"}
    assert driver.perform(engine.look(COUNTS)).failed == (), "a successor may have come between two calls"
    failed = driver.perform(engine.look(COUNTS)).failed
    assert {one.name for one in failed} == {"worker.1", "worker.2"}
    assert {(one.state, one.reason) for one in failed} == {("failed", "exited with code 3")}


def test_an_instance_that_is_not_started_again_has_failed() -> None:
    engine, driver, transcript = swarm("failing")
    ready = [one["ID"] for one in transcript.state["tasks"] if one["Status"]["State"] == "ready"]
    transcript.state["ps"] = [row for row in transcript.state["ps"] if row["ID"] not in ready]
    assert driver.perform(engine.look(COUNTS)).failed == ()
    assert "worker.2" in {one.name for one in driver.perform(engine.look(COUNTS)).failed}


def test_counts_versions_and_what_was_stopped_are_known() -> None:
    engine, driver, transcript = swarm("steady")
    (clock,) = (one for one in transcript.state["services"] if one["Spec"]["Name"] == "fleet_clock")
    clock["Spec"]["Mode"]["Replicated"]["Replicas"] = 0
    clock["Spec"]["Labels"]["procman.stopped"] = "3"
    deployed = driver.perform(engine.deployed())
    assert deployed is not None
    assert (deployed.version, deployed.counts) == ("v5", {**COUNTS, "clock": 0})
    assert deployed.stopped == {"clock": 3}


def test_nothing_is_deployed() -> None:
    engine, driver, transcript = swarm("steady")
    transcript.state = {"ps": [], "services": [], "tasks": [], "nodes": []}
    assert driver.perform(engine.deployed()) is None
    for steps in (engine.instances(), engine.down(), engine.restart([], rolling=True)):
        with pytest.raises(EngineError, match="fleet is not deployed to production"):
            driver.perform(steps)


# What is deployed -----------------------------------------------------------------------------------------------------


def test_secrets_are_named_by_their_content_and_are_in_no_command() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.ship(release(TOKEN="hunter2", ODD="it's $HOME\n"), None))
    assert transcript.secrets == {"fleet-env-c9dfd7611125": b"export ODD='it'\\''s $HOME\n'\nexport TOKEN=hunter2\n"}
    driver.perform(engine.apply(release(TOKEN="hunter2", ODD="it's $HOME\n"), None))
    assert not any("hunter2" in word for call in driver.calls for word in call.argv)
    assert b"hunter2" not in transcript.stdin["stack deploy"]
    first = list(transcript.secrets)
    driver.perform(engine.ship(release(TOKEN="hunter3"), None))
    assert list(transcript.secrets) != first


def test_what_a_shell_cannot_set_is_in_no_argument_either() -> None:
    engine, driver, transcript = swarm("steady")
    given = release(TOKEN="x", PATH="/opt/hunter2", LD_PRELOAD="/hunter2.so")

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "ps", *_):
                return said("t1\n")
            case ("inspect", *_):
                return said(json.dumps(job(transcript, ("complete", 0))))
        return transcript(call)

    driver.answer = answer
    driver.perform(engine.release(given))
    create = next(call for call in driver.calls if call.argv[3:5] == ("service", "create"))
    assert {b"PATH=/opt/hunter2", b"LD_PRELOAD=/hunter2.so"} <= set(create.stdin.splitlines())
    assert not any("hunter2" in word for call in driver.calls for word in call.argv)


def test_the_stack_has_labels_counts_and_a_command_that_reads_its_secret() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(
        engine.apply(release(TOKEN="x", counts={**COUNTS, "clock": 0}), Deployed("v5", COUNTS, {"clock": 2}))
    )
    stack = json.loads(transcript.stdin["stack deploy"])
    assert list(stack["services"]) == ["web", "worker", "clock"], "the release phase is not a service"
    web, clock = stack["services"]["web"], stack["services"]["clock"]
    assert web["image"] == "fleet:v6"
    assert any(word.startswith(". /run/secrets/procman.env\n") for word in web["command"])
    assert web["environment"]["PS"] == "web.{{.Task.Slot}}"
    assert "TOKEN" not in web["environment"]
    names = {"procman.app": "fleet", "procman.name": "fleet", "procman.type": "web", "procman.version": "v6"}
    assert web["deploy"]["labels"] == {**names, "procman.file": "fleet.00001000000000"}
    assert (web["deploy"]["replicas"], web["deploy"]["update_config"]["order"]) == (2, "start-first")
    assert (clock["deploy"]["replicas"], clock["deploy"]["labels"]["procman.stopped"]) == (0, "2")
    updates = [stack["services"][name]["deploy"]["update_config"] for name in ("web", "worker")]
    assert [(one["parallelism"], one["monitor"]) for one in updates] == [(2, "0.1s"), (0, "1s")], "what has a check"
    assert not any("--prune" in command for command in driver.commands)


def test_limits_are_those_of_the_overlay_and_what_swarm_does_not_do_is_a_warning() -> None:
    engine, driver, transcript = swarm("steady")
    overlay: Overlay = {
        "web": {"memory_max": 1 << 20, "cpu_max": 0.5, "pids_max": 7, "depends_on": (Dependency("clock", "started"),)},
        "worker": {"schedule": Schedule("0 2 * * *"), "ready": Check("log", "listening")},
    }
    plan = plan_of(LINES, overlay)
    limited = replace(release(), plan=plan)
    driver.perform(engine.apply(limited, None))
    web = json.loads(transcript.stdin["stack deploy"])["services"]["web"]
    assert web["deploy"]["resources"] == {"limits": {"cpus": "0.5", "memory": "1048576b"}}
    assert engine.warnings(limited) == [
        "not exported to Swarm: the schedule of worker, which starts only by hand there; "
        "use a cron that calls procman run --on",
        "Swarm does not support dependencies: it starts all services at the same time",
        "Swarm does not support pids_max of web, which Compose does",
        "not exported to Swarm: readiness by log of worker",
    ]


def test_what_the_release_phase_depends_on_starts_before_it() -> None:
    engine, driver, transcript = swarm("steady")
    needed = {"release": {"depends_on": (Dependency("worker"),)}}
    plan = plan_of(LINES, needed)
    options = ExportOptions("fleet", image="fleet:v6", replicas=COUNTS)
    first = Release("production", "v6", "fleet:v6", plan, options, COUNTS, 60.0)
    driver.perform(engine.ship(first, None))
    assert list(json.loads(transcript.stdin["stack deploy"])["services"]) == ["worker"]
    transcript.stdin.clear()
    driver.perform(engine.ship(first, Deployed("v5", COUNTS)))
    assert "stack deploy" not in transcript.stdin, "it runs already"


def test_counts_are_kept_of_what_a_failed_release_phase_did_not_let_start() -> None:
    engine, driver, transcript = swarm("steady")
    counts = {"web": 7, "worker": 2, "clock": 1}
    plan = plan_of(LINES, {"release": {"depends_on": (Dependency("worker"),)}})
    options = ExportOptions("fleet", image="fleet:v6", replicas=counts)
    first = Release("production", "v6", "fleet:v6", plan, options, counts, 60.0)
    driver.perform(engine.ship(first, None))  # then the release phase fails
    label = json.loads(transcript.stdin["stack deploy"])["services"]["worker"]["deploy"]["labels"]["procman.file"]
    (worker,) = (one for one in transcript.state["services"] if one["Spec"]["Labels"]["procman.type"] == "worker")
    worker["Spec"]["Labels"]["procman.file"] = label
    transcript.state["services"] = [worker]
    found = driver.perform(engine.deployed())
    assert found is not None
    assert (found.version, found.has_run, found.counts) == ("v6", False, {"worker": 2})
    assert found.asked == {"web": 7, "clock": 1}


def test_a_type_that_only_an_unfinished_version_has_is_not_restored() -> None:
    engine, driver, transcript = swarm("steady")
    plan = plan_of("web: ./serve --port $PORT\nworker: ./work\n")
    options = ExportOptions("fleet", image="fleet:v4", replicas=COUNTS)
    old = Release("production", "v4", "fleet:v4", plan, options, COUNTS, 60.0)
    driver.perform(engine.apply(old, None))
    driver.perform(engine.prune(old))
    before = driver.perform(engine.deployed())
    transcript.state = swarm("failing")[2].state
    applied(driver, transcript, release("v5"), before)
    between = driver.perform(engine.deployed())
    assert between is not None
    assert (between.version, between.unfinished, between.added) == ("v4", "v5", ("clock",))
    assert "clock" not in between.restored
    assert "clock" in between.counts


def test_what_has_failed_and_has_not_changed_is_tried_again() -> None:
    engine, driver, transcript = swarm("failing")
    ready = [one["ID"] for one in transcript.state["tasks"] if one["Status"]["State"] == "ready"]
    transcript.state["ps"] = [row for row in transcript.state["ps"] if row["ID"] not in ready]
    driver.perform(engine.apply(release(), Deployed("v4", COUNTS)))
    assert driver.commands[-1] == "docker --context prod service update --detach --force fleet_worker"


def test_an_unknown_name_is_not_an_empty_log() -> None:
    engine, driver, _ = swarm("steady")
    with pytest.raises(UsageError, match='there is no process "wbe"'):
        driver.perform(engine.logs(["wbe"], follow=False, lines=5, since=None))
    driver.perform(engine.logs(["w*.1", "web.*"], follow=False, lines=5, since=None))
    assert [command.rpartition(" ")[2] for command in driver.commands[-2:]] == ["fleet_web", "fleet_worker"]


def test_a_manager_that_does_not_answer_has_neither_lost_its_tasks_nor_its_lock() -> None:
    engine, driver, transcript = swarm("steady")
    lost = said("", 1, "Cannot connect to the Docker daemon")
    driver.answer = lambda call: lost if "stack" in call.argv or "version" in call.argv else transcript(call)
    with pytest.raises(EngineError, match="does not answer"):
        driver.perform(engine.down())
    with pytest.raises(EngineError, match="does not answer"):
        driver.perform(engine.unlock(""))


def test_a_clock_that_was_ahead_does_not_keep_the_old_file_the_latest() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.apply(release("v5"), None))
    driver.time -= 3600
    before = driver.perform(engine.deployed())
    driver.perform(engine.apply(release("v6"), before))
    driver.perform(engine.prune(release("v6")))
    after = driver.perform(engine.deployed())
    assert after is not None
    assert (after.version, len(transcript.configs)) == ("v6", 1)


def test_what_ran_before_is_restored_with_its_counts_and_the_new_file_forgotten() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.apply(release("v5"), None))
    driver.time += 1
    before = driver.perform(engine.deployed())
    assert before is not None
    driver.perform(engine.apply(release("v6"), before))
    assert len(transcript.configs) == 2
    assert json.loads(transcript.stdin["stack deploy"])["services"]["web"]["image"] == "fleet:v6"
    driver.perform(engine.restore(Deployed("v5", {**COUNTS, "web": 7}, {}, before.restorable), release("v6")))
    stack = json.loads(transcript.stdin["stack deploy"])
    assert stack["services"]["web"]["deploy"]["replicas"] == 7
    assert stack["services"]["web"]["deploy"]["labels"]["procman.version"] == "v5"
    assert stack["services"]["web"]["deploy"]["update_config"]["failure_action"] == "continue"
    assert stack["services"]["web"]["image"] == "procman-witness:v5", "what Swarm has pinned"
    assert len(transcript.configs) == 1


def applied(driver: Driver, transcript: Transcript, made: Release, before: Deployed | None) -> None:
    """Apply a version by an engine of its own, and have Swarm say so in the labels of its services."""
    engine, _, _ = swarm("steady")
    driver.perform(engine.apply(made, before))
    (latest,) = (name for name in transcript.configs if name == max(transcript.configs))
    for service in transcript.state["services"]:
        service["Spec"]["Labels"]["procman.file"] = latest.removesuffix(".new")
    driver.time += 1


def test_a_version_that_never_came_up_is_not_the_one_to_restore() -> None:
    engine, driver, transcript = swarm("failing")
    counts = {"web": 1, "worker": 2, "clock": 1}
    applied(driver, transcript, release("v5", counts=counts), None)
    first = driver.perform(engine.deployed())
    assert first is not None
    assert (first.version, first.has_run) == ("v5", False)
    applied(driver, transcript, release("v6", counts=counts), first)
    second = driver.perform(engine.deployed())
    assert second is not None
    assert (second.version, second.has_run, second.unfinished) == ("v6", False, "")


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ([], []),
        (["a.1"], ["a.1"]),
        (["a.1.new"], ["a.1.new"]),
        (["a.1", "a.2.new"], ["a.1", "a.2.new"]),
        (["a.1", "a.2", "a.2.new"], ["a.2"]),
        (["a.1.new", "a.2.new"], ["a.2.new"]),
    ],
)
def test_the_files_that_count_are_the_latest_and_that_of_what_came_up(names: list[str], kept: list[str]) -> None:
    assert kept_names(names) == kept


def test_what_ran_before_an_interrupted_rollout_is_restored() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.apply(release("v4"), None))
    driver.perform(engine.prune(release("v4")))
    assert [name.endswith(".new") for name in transcript.configs] == [False]
    before = driver.perform(engine.deployed())
    assert before is not None
    assert (before.version, before.has_run) == ("v4", True)
    transcript.state = swarm("failing")[2].state
    applied(driver, transcript, release("v5", TOKEN="x"), before)
    between = driver.perform(engine.deployed())
    assert between is not None
    assert (between.version, between.has_run, between.unfinished) == ("v4", True, "v5")
    driver.perform(engine.restore(between, release("v6")))
    stack = json.loads(transcript.stdin["stack deploy"])["services"]
    assert stack["web"]["deploy"]["labels"]["procman.version"] == "v4"
    assert {one["image"] for one in stack.values()} == {"procman-witness:v5"}, "those that Swarm had pinned then"
    assert len(transcript.configs) == 1, "the interrupted one is forgotten"


def test_what_has_come_up_after_its_deployment_had_ended_has_run() -> None:
    engine, driver, transcript = swarm("steady")
    applied(driver, transcript, release("v5"), None)
    found = driver.perform(engine.deployed())
    assert found is not None
    assert (found.version, found.has_run) == ("v5", True)
    driver.perform(engine.apply(release("v6"), found))  # interrupted before its stack is deployed
    found = driver.perform(engine.deployed())
    assert found is not None
    assert (found.version, found.has_run, found.unfinished) == ("v5", True, "v6"), "v5 was seen up"


def test_a_dry_run_shows_what_differs_and_no_secret() -> None:
    engine, driver, _ = swarm("steady")
    driver.perform(engine.apply(release("v5", TOKEN="one"), None))
    before = driver.perform(engine.deployed())
    assert driver.perform(engine.diff(release("v5", TOKEN="one"), before)) == ""
    text = driver.perform(engine.diff(release("v6", TOKEN="two", EXTRA="three"), before))
    lines = [line.strip() for line in text.splitlines() if line[0] in "+-"]
    assert '-      "image": "fleet:v5",' in lines
    assert '+      "image": "fleet:v6",' in lines
    assert '+      "EXTRA",' in lines
    assert not any(word in text for word in ("one", "two", "three"))


def test_what_a_version_no_longer_has_is_removed_after_it() -> None:
    engine, driver, transcript = swarm("steady")
    transcript.secrets["fleet-env-000000000000"] = b""

    def answer(call: Call) -> Outcome:
        listing = call.argv[3:5] == ("stack", "services")
        return said("fleet_web\nfleet_old\n") if listing else transcript(call)

    driver.answer = answer
    driver.perform(engine.prune(release(counts={"web": 2})))
    assert driver.commands[-2:] == [
        "docker --context prod service rm fleet_old",
        "docker --context prod secret rm fleet-env-000000000000",
    ]


def test_a_lock_is_taken_once_and_expires() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.lock("ann", 60))
    other, _, _ = swarm("steady")
    with pytest.raises(EngineError, match="ann is changing fleet; the lock expires in 60 s"):
        driver.perform(other.lock("bob", 60))
    with pytest.raises(EngineError, match="ann is changing"):
        driver.perform(other.down())
    driver.perform(other.unlock("bob"))
    assert len(transcript.configs) == 1
    driver.time += 61
    driver.perform(other.lock("bob", 60))
    assert driver.said == ["the lock of ann has expired, and is taken over"]
    assert list(transcript.configs) == ["fleet.lock"]
    driver.perform(engine.unlock("ann"))
    assert len(transcript.configs) == 1, "it goes by its ID, and that of bob has another"
    driver.perform(engine.unlock(""))
    assert transcript.configs == {}


def test_a_name_that_swarm_would_refuse_is_refused_before_anything_is_there() -> None:
    engine, driver, _ = swarm("steady")
    plan = plan_of("a-report-of-all-that-has-happened-since-the-last-one-was-read: ./x\n")
    new = replace(release(), plan=plan)
    with pytest.raises(UsageError, match="63 characters are the most"):
        driver.perform(engine.ship(new, None))
    assert driver.commands == []


def test_of_two_that_find_a_lock_expired_one_leaves_the_new_lock_of_the_other() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.lock("killed", 60))
    driver.time += 61
    other, others_driver, _ = swarm("steady")
    others_driver.answer, others_driver.time = transcript, driver.time

    def answer(call: Call) -> Outcome:
        found = transcript(call)
        if call.argv[3:5] == ("config", "inspect") and driver.answer is answer:
            driver.answer = transcript  # the other command is faster
            others_driver.perform(other.lock("other", 60))
        return found

    driver.answer = answer
    late, _, _ = swarm("steady")
    with pytest.raises(EngineError, match="the lock cannot be taken"):
        driver.perform(late.lock("late", 60))
    assert transcript.configs["fleet.lock"][0]["procman.lock.owner"] == "other"


# Other verbs ----------------------------------------------------------------------------------------------------------


def test_counts_change_in_one_command() -> None:
    engine, driver, _ = swarm("steady")
    driver.perform(engine.scale({"web": 4, "worker": 0}))
    assert driver.commands == ["docker --context prod service scale --detach fleet_web=4 fleet_worker=0"]


@pytest.mark.parametrize(("rolling", "parallelism"), [(True, "2"), (False, "0")])
def test_a_restart_is_rolling_or_of_all_at_the_same_time(rolling: bool, parallelism: str) -> None:
    engine, driver, _ = swarm("steady")
    driver.perform(engine.restart(["web"], rolling=rolling))
    update = f"service update --detach --force --update-parallelism {parallelism} fleet_web"
    assert driver.commands[-1] == f"docker --context prod {update}"


@pytest.mark.parametrize(("count", "at_a_time"), [(0, 1), (1, 1), (2, 2), (3, 3), (5, 3), (6, 3), (9, 5)])
def test_what_starts_first_is_replaced_by_three_or_half_of_it(count: int, at_a_time: int) -> None:
    assert started_first(count) == at_a_time


def test_a_command_that_changes_services_lists_them_once_more_under_its_lock() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.deployed())
    assert driver.rounds == 2
    driver.perform(engine.restart(["web"], rolling=True))
    assert driver.rounds == 4, "one to read, one to update"
    transcript.state["services"].pop()
    driver.perform(engine.restart(["web"], rolling=True))
    assert driver.rounds == 7, "what has changed is read again"


def test_stop_keeps_the_count_for_start() -> None:
    engine, driver, transcript = swarm("steady")
    driver.perform(engine.stop(["worker"]))
    update = "docker --context prod service update --detach --replicas 0 --label-add procman.stopped=2 fleet_worker"
    assert update in driver.commands
    (worker,) = (one for one in transcript.state["services"] if one["Spec"]["Name"] == "fleet_worker")
    worker["Spec"]["Mode"]["Replicated"]["Replicas"] = 0
    worker["Spec"]["Labels"]["procman.stopped"] = "2"
    driver.perform(engine.start([]))
    update = "docker --context prod service update --detach --label-rm procman.stopped --replicas 2 fleet_worker"
    assert driver.commands[-1] == update


def test_the_network_goes_after_the_last_instance() -> None:
    engine, driver, transcript = swarm("steady")
    left = {"stack ps": ["a\n", "a\n", ""], "network ls": ["n\n", ""]}

    def answer(call: Call) -> Outcome:
        key = " ".join(call.argv[3:5])
        return said(left[key].pop(0)) if key in left else transcript(call)

    driver.answer = answer
    driver.perform(engine.down())
    removed = [command.removeprefix("docker --context prod ") for command in driver.commands if " rm " in command]
    assert [command.split()[0] for command in removed] == ["service", "network"]


def job(transcript: object, *states: tuple[str, int | None]) -> list[dict[str, object]]:
    return [
        {
            "ID": "t1",
            "Slot": 1,
            "Status": {"State": state, "Err": "", "ContainerStatus": {"ExitCode": code}},
            "DesiredState": "running",
        }
        for state, code in states
    ]


def test_a_job_is_followed_to_its_end_and_removed() -> None:
    engine, driver, transcript = swarm("steady")
    looks = job(transcript, ("preparing", None), ("running", None), ("failed", 3))
    line = "2026-11-30T03:18:17.721859573Z "
    logs = [said(), said(), said(f"{line}one\n"), said(f"{line}one\n", err=f"{line.replace('17', '18')}two\n")]
    logs.append(logs[-1])

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "ps", *_):
                return said("t1\n")
            case ("inspect", "--type", "task", "t1"):
                return said(json.dumps([looks.pop(0)]))
            case ("service", "logs", *_):
                return logs.pop(0)
        return transcript(call)

    driver.answer = answer
    assert driver.perform(engine.run("migrate --all", process="web", terminal=False)) == 3
    assert [(line.stream, line.line) for line in driver.lines] == [("stdout", b"one"), ("stderr", b"two")]
    create = next(call for call in driver.calls if call.argv[3:5] == ("service", "create"))
    assert create.argv[-4:] == ("procman-witness:v5", "/bin/sh", "-c", ". /run/secrets/procman.env\nmigrate --all")
    assert b"PS=run.1" in create.stdin.splitlines()
    assert b"PS=web" not in create.stdin
    assert driver.calls[-1].argv[3:5] == ("service", "rm")


def test_a_line_of_the_procfile_runs_in_its_own_folder() -> None:
    engine, driver, transcript = swarm("steady")
    plan = plan_of(LINES, {"worker": {"cwd": "/srv/app/services/mail"}})
    options = ExportOptions("fleet", image="fleet:v6", replicas=COUNTS)
    driver.perform(engine.apply(Release("production", "v6", "fleet:v6", plan, options, COUNTS, 60.0), None))
    labels = json.loads(transcript.stdin["stack deploy"])["services"]["worker"]["deploy"]["labels"]
    assert labels["procman.folder"] == "services/mail"
    (worker,) = (one for one in transcript.state["services"] if one["Spec"]["Name"] == "fleet_worker")
    worker["Spec"]["Labels"]["procman.folder"] = "services/mail"

    def answer(call: Call) -> Outcome:
        if call.argv[3:5] == ("service", "ps"):
            return said("t1\n")
        return said(json.dumps(job(transcript, ("complete", 0)))) if call.argv[-1] == "t1" else transcript(call)

    driver.answer = answer
    driver.perform(engine.run("work --once", process="worker", terminal=False))
    create = [call.argv for call in driver.calls if call.argv[3:5] == ("service", "create")][-1]
    assert create[-1] == ". /run/secrets/procman.env\ncd services/mail || exit 126; work --once"


@pytest.mark.parametrize(
    ("process", "token", "secret"), [("", "shared", True), ("release", "'of the release'", True), ("", "", False)]
)
def test_a_command_that_is_not_of_a_service_has_what_all_types_share(process: str, token: str, secret: bool) -> None:
    engine, driver, transcript = swarm("steady")
    plan = plan_of(LINES, None, **({"TOKEN": "shared", "PATH": "/opt/bin:$HOME"} if secret else {}))
    for instance in plan.instances if secret else ():
        instance.lay_under({"web": {"OF_WEB": "x"}, "release": {"TOKEN": "of the release"}}.get(instance.type, {}))
    made = replace(release(), plan=plan)
    driver.perform(engine.ship(made, Deployed()))
    driver.perform(engine.apply(made, None))
    looks = job(transcript, ("complete", 0))

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "ps", *_):
                return said("t1\n")
            case ("inspect", "--type", "task", "t1"):
                return said(json.dumps(looks))
        return transcript(call)

    driver.answer = answer
    assert driver.perform(engine.run("env", process=process, terminal=False)) == 0
    create = next(call for call in driver.calls if call.argv[3:5] == ("service", "create"))
    variables = create.stdin.decode().splitlines()
    assert {"PS=run.1", "PROCMAN_INSTANCE=run.1", "PROCMAN_WEB_PORT=5000"} <= set(variables)
    names = [one for one in variables if one.startswith("PROCMAN_PROCESS=")]
    assert names == ([f"PROCMAN_PROCESS={process}"] if process else [])
    assert not any(one.startswith(("PORT=", "OF_WEB")) for one in variables)
    assert ("PATH=/opt/bin:$HOME" in variables) == secret
    used = [word for word in create.argv if word.startswith("--secret=source=")]
    contents = [transcript.secrets[one.partition("source=")[2].partition(",")[0]].decode() for one in used]
    assert contents == ([f"export TOKEN={token}\n"] if secret else [])


def test_what_was_deployed_without_the_environment_of_commands_needs_a_type() -> None:
    engine, driver, _ = swarm("steady")
    with pytest.raises(EngineError, match="an older procman has deployed it, without the environment of commands"):
        driver.perform(engine.run("env", process="", terminal=False))


def test_a_job_whose_machine_is_lost_does_not_wait_for_ever() -> None:
    engine, driver, transcript = swarm("steady")
    (look,) = job(transcript, ("running", None))
    look["DesiredState"] = "shutdown"

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "ps", *_):
                return said("t1\n")
            case ("inspect", "--type", "task", "t1"):
                return said(json.dumps([look]))
        return transcript(call)

    driver.answer = answer
    with pytest.raises(EngineError, match=r"the machine that ran run\.1 does not answer"):
        driver.perform(engine.run("migrate", process="web", terminal=False))
    assert driver.calls[-1].argv[3:5] == ("service", "rm")


def test_an_interrupted_job_is_removed() -> None:
    engine, driver, transcript = swarm("steady")

    def answer(call: Call) -> Outcome | BaseException:
        return KeyboardInterrupt() if call.argv[3:5] == ("service", "ps") else transcript(call)

    driver.answer = answer
    with pytest.raises(KeyboardInterrupt):
        driver.perform(engine.run("sleep 600", process="web", terminal=False))
    assert driver.calls[-1].argv[3:5] == ("service", "rm")


def test_a_failed_release_phase_has_a_card() -> None:
    engine, driver, transcript = swarm("steady")
    looks = job(transcript, ("failed", 4))

    def answer(call: Call) -> Outcome:
        match call.argv[3:]:
            case ("service", "ps", *_):
                return said("t1\n")
            case ("inspect", *_):
                return said(json.dumps(looks))
            case ("service", "logs", *_):
                return said("2026-11-30T03:18:17.721859573Z no such table\n")
        return transcript(call)

    driver.answer = answer
    with pytest.raises(EngineError, match="the release phase failed: exited with code 4"):
        driver.perform(engine.release(release()))
    assert [(card.instance.name, card.lines) for card in driver.cards] == [("release.1", ("no such table",))]


def test_the_output_of_all_services_is_in_one_order() -> None:
    engine, driver, transcript = swarm("steady")
    head = "2026-11-30T03:20:3{}.562194057Z fleet_{}.{}.0fc5dlgbf6msdl9ws2wcmme35@vm    | {}\n"
    texts = {
        "fleet_web": head.format(1, "web", 2, "first") + head.format(3, "web", 1, "third"),
        "fleet_worker": head.format(2, "worker", 1, "  second "),
    }

    def answer(call: Call) -> Outcome:
        logs = call.argv[3:5] == ("service", "logs")
        return said(texts.get(call.argv[-1], "")) if logs else transcript(call)

    driver.answer = answer
    found = driver.perform(engine.logs([], follow=False, lines=2, since=None))
    assert [(one.instance, one.line) for one in found] == [("worker.1", b"  second "), ("web.1", b"third")]
    found = driver.perform(engine.logs(["web.2"], follow=False, lines=9, since=30))
    assert [(one.instance, one.line) for one in found] == [("web.2", b"first")]
    assert "--since 30s" in driver.commands[-1]
    driver.perform(engine.logs(["web"], follow=True, lines=9, since=None))
    assert [one.instance for one in driver.lines] == ["web.2", "web.1"]


def test_a_line_of_a_task_and_others() -> None:
    line = b"2026-11-30T03:20:34.5Z fleet_my-job.12.abc@some-host.example    | "
    expected = LogLine("my_job.12", b"", moment("2026-11-30T03:20:34.5Z"), "stderr", "some-host.example")
    assert log_line(line, {"my-job": "my_job"}, "stderr", "fleet_") == expected
    assert log_line(b"warning: incomplete log stream", {}, "stderr", "fleet_") is None


@pytest.mark.parametrize(
    ("err", "sentence"),
    [
        ("Cannot connect to the Docker daemon at tcp://x. Is the docker daemon running?", "does not answer"),
        ("Error response from daemon: This node is not a swarm manager. Use ...", "is not a manager of a swarm"),
        ('context "prod": context not found', "docker has no context prod"),
        (
            f"{SSH} stderr=nobody@b: Permission denied (publickey).\r\n",
            r"prod does not answer: nobody@b: Permission .*y\)",
        ),
        (
            f"{SSH} stderr=Warning: added\nHost key verification failed.\n",
            "does not answer: Host key verification failed",
        ),
        (
            'error during connect: Get "http://b:1/version": dial tcp: lookup b: no such host',
            "answer: dial tcp: lookup b",
        ),
        ("error during connect: EOF", "at prod does not answer$"),
        (
            "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44",
            "too old for",
        ),
        ("permission denied while trying to connect to the Docker daemon socket", "you may not use the Docker daemon"),
        ("Error response from daemon: something else", "the swarm does not answer: Error response .*: something else"),
    ],
)
def test_errors_of_docker_are_sentences(err: str, sentence: str) -> None:
    engine, _, _ = swarm("steady")
    with pytest.raises(EngineError, match=sentence):
        Driver(lambda call: said("1.41" if "version" in call.argv else "", int("node" in call.argv), err)).perform(
            engine.check()
        )


@pytest.mark.parametrize(
    "err",
    [
        "Error response from daemon: rpc error: desc = port '5000' is already in use by service 'x'",
        "Error response from daemon: driver failed programming: listen tcp4 0.0.0.0:5000: bind: address already in use",
        "Error: Bind for 0.0.0.0:5000 failed: port is already allocated",
    ],
)
def test_a_port_that_is_taken_is_named(err: str) -> None:
    engine, driver, transcript = swarm("steady")
    driver.answer = lambda call: said("", 1, err) if "deploy" in call.argv else transcript(call)
    with pytest.raises(EngineError, match="the port 5000 is already in use at prod"):
        driver.perform(engine.apply(release(), None))


def test_an_image_that_a_machine_cannot_pull_has_a_hint() -> None:
    engine, driver, transcript = swarm("failing")
    for task in transcript.state["tasks"]:
        task["Status"].update({"State": "rejected", "Err": "No such image: r.example/fleet:v6"})
        task["Status"].pop("ContainerStatus", None)
    reasons = {one.reason for one in driver.perform(engine.instances())}
    assert any(one.startswith("no such image: r.example/fleet:v6; its machine cannot pull it") for one in reasons)


def test_an_old_docker_is_refused() -> None:
    engine, _, _ = swarm("steady")
    with pytest.raises(EngineError, match=r"API 1\.39 is too old"):
        Driver(lambda call: said("1.39\n")).perform(engine.check())
