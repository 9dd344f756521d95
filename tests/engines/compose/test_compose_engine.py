"""The engine for Docker Compose: what it runs, and what it reads in recorded answers."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from engines.driver import Driver, said
from export.plans import plan_of
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.destination import Destination
from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.core.model.schedule import Schedule
from procman.engines.calls import Outcome
from procman.engines.compose.compose_choice import beside
from procman.engines.compose.compose_engine import Compose
from procman.engines.compose.compose_logs import merged
from procman.engines.compose.compose_project import described, make_project, project_from_json
from procman.engines.compose.compose_records import containers, log_line, reason_of
from procman.engines.compose.compose_versions import begun, come_up, deployed
from procman.engines.interface import EngineError, Release, Target
from procman.engines.records import InstanceState
from procman.errors import UsageError
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from export.plans import Overlay
    from procman.engines.calls import Call
    from procman.engines.compose.compose_project import Project
    from procman.engines.records import Deployed

STATES = (Path(__file__).parent / "states.json").read_text()
LINES = "web: ./serve $PORT\nmail_er: ./mail\nrelease: ./migrate\n"


def release_of(
    lines: str = LINES, overlay: Overlay | None = None, counts: Mapping[str, int] | None = None, **values: str
) -> Release:
    given = dict(counts or {"web": 2, "mail_er": 1})
    formation = ",".join(f"{name}={max(1, count)}" for name, count in given.items())
    plan = plan_of(lines, overlay, f"all=1,{formation}", **values)
    options = ExportOptions("shop", image="shop:2", replicas=given)
    return Release("here", "2", "shop:2", plan, options, given, 10.0)


def project_of(*words: Any, **more: Any) -> Project:
    return make_project(release_of(*words, **more), "sha256:12", {})


def services(project: Project) -> Any:
    return project.configuration()["services"]


def engine(context: str = "") -> Compose:
    destination = Destination("here")
    destination.engine, destination.context = "compose", context
    return Compose(Target(destination, "shop", ("web", "mail_er"), "/srv/shop"))


# The project ----------------------------------------------------------------------------------------------------------


def test_each_instance_is_a_service_with_its_own_name_and_port() -> None:
    found = services(project_of())
    assert set(found) == {"web-1", "web-2", "mail-er-1", "release"}
    assert [found[name]["environment"]["PS"] for name in ("web-1", "web-2", "mail-er-1")] == [
        "web.1",
        "web.2",
        "mail_er.1",
    ]
    assert [found[name].get("ports") for name in ("web-1", "web-2")] == [["5000:5000"], ["5001:5000"]]
    assert "ports" not in found["mail-er-1"]
    assert found["web-2"]["networks"] == {"default": {"aliases": ["web"]}}, "others find all of them by the type's name"
    assert found["web-1"]["restart"] == "unless-stopped"


def test_only_run_starts_the_release() -> None:
    found = services(project_of())
    assert found["release"]["profiles"] == ["procman-release"]
    assert found["release"]["restart"] == "no"
    assert "release" not in str(found["web-1"].get("depends_on"))


def test_a_type_with_the_count_0_can_be_scaled_later() -> None:
    project = project_of(counts={"web": 0, "mail_er": 1})
    assert set(services(project)) == {"mail-er-1", "release"}
    assert "web-2" in services(project.with_counts({"web": 2, "mail_er": 1}, {}))


def test_values_are_in_a_script_whose_name_changes_with_them() -> None:
    first, second = project_of(KEY="it's $x"), project_of(KEY="other")
    ((name, script),) = first.scripts.items()
    assert script == "export KEY='it'\\''s $x'\n"
    assert services(first)["web-1"]["configs"] == [{"source": name, "target": "/run/procman.env"}]
    assert list(second.scripts) != [name]
    assert "it's" not in json.dumps(services(first)["web-1"])
    assert services(first)["web-1"]["command"][3].startswith(". /run/procman.env\n")
    assert first.hash_of("web") != second.hash_of("web")


def test_what_a_shell_cannot_set_is_set_by_docker() -> None:
    project = project_of(UID="7", KEY="x")
    assert services(project)["web-1"]["environment"]["UID"] == "7"
    assert "UID" not in "".join(project.scripts.values())


def test_a_check_and_a_stop_command_have_the_environment_too() -> None:
    overlay: Overlay = {"web": {"health": Check("exec", "./healthy $KEY")}}
    check = services(project_of(overlay=overlay, KEY="x"))["web-1"]["healthcheck"]
    assert check["test"][1].startswith("if (\n. /run/procman.env\n./healthy $KEY\n); then")


@pytest.mark.parametrize(("results", "stopped"), [("110", False), ("0110", False), ("01101", False), ("0111", True)])
def test_what_fails_its_health_check_often_enough_in_a_row_stops_itself(
    results: str, stopped: bool, tmp_path: Path
) -> None:
    health = Check("exec", "./check", threshold=3)
    overlay: Overlay = {"web": {"health": health, "stop": StopPolicy(10, 5.0)}}
    command = services(project_of(overlay=overlay))["web-1"]["healthcheck"]["test"][1]
    assert "kill -s USR1 1\n" in command
    here = command.replace("/dev/shm", str(tmp_path)).replace("kill -s USR1 1", f"touch {tmp_path}/stopped")
    check = tmp_path / "check"
    for result in results:
        check.write_text(f"#!/bin/sh\nexit {result}\n")
        check.chmod(0o755)
        done = subprocess.run(["/bin/sh", "-c", here], cwd=tmp_path, check=False, timeout=60)
        assert done.returncode == int(result)
    assert (tmp_path / "stopped").exists() == stopped


def test_limits_are_those_of_the_overlay() -> None:
    web = services(project_of(overlay={"web": {"memory_max": 1 << 20, "cpu_max": 0.5, "pids_max": 7}}))["web-1"]
    assert (web["mem_limit"], web["cpus"], web["pids_limit"]) == ("1048576b", "0.5", 7)


def test_what_compose_does_not_do_is_a_warning() -> None:
    overlay: Overlay = {"web": {"ready": Check("log", "listening")}, "mail_er": {"schedule": Schedule("0 2 * * *")}}
    assert engine().warnings(release_of(overlay=overlay)) == [
        "not exported to Compose: the schedule of mail_er, which starts only by hand there; "
        "use ofelia, or a cron of the host that calls docker compose run",
        "not exported to Compose: readiness by log of web",
    ]


def test_dependencies_are_on_every_instance_and_not_on_what_is_not_there() -> None:
    overlay: Overlay = {
        "web": {"depends_on": (Dependency("mail_er", "started"), Dependency("once", "completed_successfully"))},
        "once": {"restart": RestartPolicy("never")},
    }
    lines = f"{LINES}once: ./import\n"
    found = services(project_of(lines, overlay, {"web": 1, "mail_er": 2, "once": 0}))
    assert found["web-1"]["depends_on"] == {
        "mail-er-1": {"condition": "service_started"},
        "mail-er-2": {"condition": "service_started"},
    }


@pytest.mark.parametrize("value", ["$HOME ${X} $$", "größe ✓ 🚀 \u2028", 'say "hi"\\ud83d\\ude80', "a\nb\tc\x85\x7f"])
def test_a_value_arrives_whatever_is_in_it(value: str) -> None:
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load(project_of(KEY=value).config())
    ((_, config),) = read["configs"].items()
    quoted = "'" + value.replace("'", "'\\''") + "'"
    assert config["content"].replace("$$", "$") == f"export KEY={quoted}\n"


def test_a_project_can_be_read_again() -> None:
    project = project_of(KEY="x")
    assert project_from_json(project.as_json()) == project
    with pytest.raises(ValueError, match="unexpected"):
        project_from_json(b'{"something": "else"}')


def test_a_difference_names_what_changes_and_shows_no_value() -> None:
    old, new = project_of(KEY="secret", SAME="x"), project_of(counts={"web": 3, "mail_er": 1}, KEY="other", SAME="x")
    lines = [line for line in described(new, old) if line not in described(old)]
    assert lines == ["web: 3 instances", "KEY=******** (changed)"]
    assert not any("secret" in line or "other" in line for line in (*described(old), *described(new, old)))


# What Docker says -----------------------------------------------------------------------------------------------------


def test_the_states_of_containers_are_ours() -> None:
    found = {one.state.name: one for one in containers(STATES, "prod")}
    assert {name: one.state.state for name, one in found.items()} == {
        "web.1": "starting",
        "web.2": "running",
        "worker.1": "failed",
        "once.1": "exited",
        "once.2": "failed",
        "bad.1": "failed",
        "old.1": "exited",
    }
    assert [name for name, one in found.items() if one.is_ready] == ["once.1", "web.2"]
    assert [name for name, one in found.items() if one.has_failed] == ["bad.1", "once.2", "web.1", "worker.1"]
    assert (found["web.2"].state.port, found["web.2"].state.node, found["web.2"].state.version) == (5901, "prod", "v1")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("web.1", "it is running, but not ready: its health check failed 33 times: refused"),
        ("web.2", "it is running"),
        ("worker.1", "it has crashed 7 times"),
        ("once.1", "it has ended with 0"),
        ("once.2", "it ended with 3"),
        ("old.1", "it is stopped; its last life ended with SIGKILL"),
    ],
)
def test_why_is_a_sentence(name: str, sentence: str) -> None:
    (found,) = (reason_of(one).why for one in containers(STATES) if one.state.name == name)
    assert found == sentence


def test_a_line_of_output_has_its_time() -> None:
    line = log_line(InstanceState("web.1", "running"), b"2026-11-30T03:09:34.250000000Z hi  there", "stderr")
    assert (line.line, line.stream, line.time) == (b"hi  there", "stderr", 1796008174.25)
    assert log_line(InstanceState("web.1", "running"), b"no time", "stdout").line == b"no time"


# What it runs ---------------------------------------------------------------------------------------------------------


class Docker:
    """Answers calls: those whose words contain a key get its value, all others succeed and say nothing."""

    def __init__(self, **answers: Outcome | Callable[[Call], Outcome]) -> None:
        self.answers = {key.replace("_", " "): value for key, value in answers.items()}
        self.driver = Driver(self._answer)

    def _answer(self, call: Call) -> Outcome | BaseException:
        words = " ".join(call.argv)
        for key, value in self.answers.items():
            if key in words:
                return value if isinstance(value, Outcome) else value(call)
        return said("2.26.1-4") if "version --short" in words else said()


def stored(project: Project) -> Outcome:
    """Return what `docker cp` prints for a project that is deployed."""
    buffer, data = io.BytesIO(), project.as_json()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("project.json")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return Outcome(0, buffer.getvalue())


@pytest.mark.parametrize(
    ("version", "message"),
    [("1.29.2", "Compose 1.29.2 is too old"), ("v2.20.3", "Compose 2.20.3 is too old"), ("", "is not installed")],
)
def test_an_old_compose_is_refused(version: str, message: str) -> None:
    docker = Docker()
    docker.answers = {"version --short": said(version, 0 if version else 1)}
    with pytest.raises(EngineError, match=message):
        docker.driver.perform(engine().check())


def test_an_old_docker_is_refused() -> None:
    docker = Docker(APIVersion=said("1.40\n"))
    with pytest.raises(EngineError, match=r"Docker with the API 1\.40 is too old"):
        docker.driver.perform(engine().check())


@pytest.mark.parametrize(
    ("complaint", "hint"),
    [
        ('Error response from daemon: Head "http://r/v2/shop/manifests/2": no basic auth credentials', "docker login"),
        ("Error response from daemon: unauthorized: authentication required", "docker login"),
        ("Error response from daemon: manifest for shop:2 not found: manifest unknown", "check its name"),
    ],
)
def test_an_image_that_cannot_be_pulled_has_a_hint(complaint: str, hint: str) -> None:
    docker = Docker(pull=said("", 1, complaint), image_inspect=said("", 1, "No such image"))
    with pytest.raises(EngineError, match=r"there is no image shop:2: Error response") as raised:
        docker.driver.perform(engine().ship(release_of(), None))
    assert hint in raised.value.hint


def test_a_context_wins_over_a_host_of_the_environment() -> None:
    docker = Docker()
    docker.driver.perform(engine("prod").check())
    assert all(call.env["DOCKER_CONTEXT"] == "prod" and call.env["DOCKER_HOST"] == "" for call in docker.driver.calls)


def test_an_address_is_a_context_too() -> None:
    docker = Docker()
    docker.driver.perform(engine("ssh://deploy@host").check())
    assert {call.env["DOCKER_HOST"] for call in docker.driver.calls} == {"ssh://deploy@host"}
    docker.answers = {"ps": said("12"), "inspect": said(STATES)}
    found = docker.driver.perform(engine("ssh://deploy@host:22").instances())
    assert {one.node for one in found} == {"host"}


def test_no_secret_is_in_an_argument() -> None:
    release = release_of(KEY="hunter2-hunter2")
    docker = Docker(image_inspect=said("sha256:12"), cp=stored(project_of(KEY="hunter2-hunter2")))
    compose = engine()
    docker.driver.perform(compose.ship(release, None))
    docker.driver.perform(compose.release(release))
    docker.driver.perform(compose.apply(release, None))
    docker.driver.perform(compose.prune(release))
    docker.driver.perform(engine().run("env", terminal=False))
    assert any(b"hunter2" in call.stdin for call in docker.driver.calls)
    assert not any("hunter2" in word for call in docker.driver.calls for word in call.argv)
    assert not any("hunter2" in value for call in docker.driver.calls for value in call.env.values())


def test_what_a_shell_cannot_set_is_in_no_argument_either() -> None:
    docker = Docker(cp=stored(project_of(PATH="/opt/hunter2", LD_PRELOAD="/hunter2.so", IFS="\n")), create=said("12"))
    docker.driver.perform(engine().run("env", terminal=False))
    (create,) = (call for call in docker.driver.calls if "--rm" in call.argv)
    assert {b"PATH=/opt/hunter2", b"LD_PRELOAD=/hunter2.so"} <= set(create.stdin.splitlines())
    assert {"--env-file=/dev/stdin", "--env=IFS"} <= set(create.argv)
    assert create.env["IFS"] == "\n"
    assert "PATH" not in create.env, "docker itself would be searched there"
    assert not any("hunter2" in word for call in docker.driver.calls for word in call.argv)
    docker = Docker(cp=stored(project_of(PATH="/bin\n")))
    with pytest.raises(EngineError, match="PATH has a value with a line break"):
        docker.driver.perform(engine().run("env", terminal=False))


def test_a_release_that_fails_has_a_card() -> None:
    docker = Docker(image_inspect=said("sha256:12"), release=said("migrating\nno column\n", 4))
    compose = engine()
    docker.driver.perform(compose.ship(release_of(), None))
    with pytest.raises(EngineError, match="the release failed with exit code 4"):
        docker.driver.perform(compose.release(release_of()))
    assert docker.driver.cards[0].lines == ("migrating", "no column")


def test_a_command_reads_what_is_deployed_once() -> None:
    docker = Docker(cp=stored(project_of()), ps=said("12"))
    docker.answers["docker inspect"] = said(STATES)
    compose = engine()
    docker.driver.perform(compose.deployed())
    docker.driver.perform(compose.restart([], rolling=False))
    assert [line for line in docker.driver.commands if " cp " in line] == [
        "docker cp shop-procman:/procman/project.json -"
    ]


def test_a_look_that_finds_the_containers_of_the_last_one_has_no_second_round() -> None:
    docker = Docker(ps=said("12"))
    docker.answers["docker inspect"] = said(STATES)
    compose = engine()
    first = docker.driver.perform(compose.instances())
    assert docker.driver.rounds == 2
    assert docker.driver.perform(compose.instances()) == first
    assert docker.driver.rounds == 3
    docker.answers["ps"] = said("12\n34")
    docker.driver.perform(compose.instances())
    assert docker.driver.commands[-1] == "docker inspect 12 34"


def test_what_has_no_check_is_ready_when_it_has_stayed_up() -> None:
    docker = Docker(image_inspect=said("sha256:12"))
    compose = engine()
    docker.driver.perform(compose.ship(release_of(counts={"mail_er": 1}), None))
    labels = {"procman.type": "mail_er", "procman.number": "1", "procman.hash": compose._applied().hash_of("mail_er")}
    (one, *_) = (one for one in json.loads(STATES) if one["State"]["Status"] == "running" and "Health" in one["State"])
    one["State"].pop("Health")
    one["Config"]["Labels"].update(labels)
    docker.answers = {"ps": said("12"), "inspect": said(json.dumps([one]))}
    for seconds, is_done in ((0.0, False), (0.9, False), (0.1, True)):
        docker.driver.time += seconds
        assert docker.driver.perform(compose.look({"mail_er": 1})).is_done == is_done


def restarted(*states: str) -> tuple[Docker, list[str]]:
    """Return a daemon on which web.1 is in these states, one for each look, and restart it one after the other."""
    (one, *_) = (one for one in json.loads(STATES) if one["Config"]["Labels"].get("procman.type") == "web")
    one["Config"]["Labels"].update({"procman.number": "1"})
    one["Config"]["Healthcheck"] = {"Test": ["CMD-SHELL", "./check"], "Timeout": 5 * 10**9}
    left = list(states)

    def inspected(_call: Call) -> Outcome:
        one["State"]["Health"]["Status"] = left.pop(0) if len(left) > 1 else left[0]
        return said(json.dumps([one]))

    docker = Docker(cp=stored(project_of()), ps=said("12"))
    docker.answers["docker inspect"] = inspected
    return docker, left


def test_a_rolling_restart_does_not_wait_for_the_next_check_of_docker() -> None:
    docker, _ = restarted("healthy", "starting")
    docker.answers = {"./check": said("", 1), **docker.answers}
    answer = docker.driver.answer
    tries = [1, 1, 0]
    docker.driver.answer = lambda call: said("", tries.pop(0)) if "./check" in call.argv else answer(call)
    docker.driver.perform(engine().restart(["web.1"], rolling=True))
    assert tries == []
    assert " ".join(docker.driver.calls[-1].argv[-3:]) == "/bin/sh -c ./check"


def test_a_check_that_hangs_is_left_to_docker() -> None:
    docker, left = restarted("healthy", "starting", "starting", "healthy")
    answer = docker.driver.answer
    docker.driver.answer = lambda call: said("", 124) if "./check" in call.argv else answer(call)
    docker.driver.perform(engine().restart(["web.1"], rolling=True))
    assert left == ["healthy"]
    assert sum("./check" in call.argv for call in docker.driver.calls) == 1


def test_what_does_not_depend_on_the_first_half_goes_with_it() -> None:
    lines = f"{LINES}probe: ./probe\ncheck: ./check\nclock: ./tick\n"
    overlay: Overlay = {
        "probe": {"depends_on": (Dependency("web", "started"),)},
        "check": {"depends_on": (Dependency("probe", "started"),)},
        "web": {"depends_on": (Dependency("clock", "started"),)},
    }
    counts = {"web": 4, "mail_er": 2, "probe": 1, "check": 1, "clock": 0}
    project = make_project(release_of(lines, overlay, counts), "sha256:12", {})
    assert beside(project, ["web.1", "web.2"]) == ["mail_er.1", "mail_er.2"]


@pytest.mark.parametrize("verb", ["stop", "down"])
def test_what_depends_on_another_stops_before_it(verb: str) -> None:
    overlay: Overlay = {
        "web": {"depends_on": (Dependency("worker", "started"),)},
        "once": {"depends_on": (Dependency("web", "started"), Dependency("old", "started"))},
    }
    lines = "web: ./web\nworker: ./work\nold: ./old\nonce: ./once\n"
    project = project_of(lines, overlay, {"web": 2, "worker": 1, "old": 1, "once": 2})
    free = said("", 1, "No such object: shop-procman-lock")
    docker = Docker(cp=stored(project), ps=said("12"), inspect_12=said(STATES), inspect=free)
    compose = engine()
    docker.driver.perform(compose.stop(()) if verb == "stop" else compose.down())
    names = {one["Id"][:12]: one["Config"]["Labels"]["procman.type"] for one in json.loads(STATES)}
    stops = [{names[word] for word in call.argv[2:]} for call in docker.driver.calls if call.argv[1] == "stop"]
    assert stops == [{"bad", "once"}, {"old", "web"}, {"worker"}]


def test_a_compose_of_its_own_is_looked_for_once() -> None:
    docker = Docker(**{"docker compose version": said("", 1), "docker-compose version": said("2.26.1")})
    docker.driver.perform(engine().check())
    assert [" ".join(call.argv) for call in docker.driver.calls][1:] == [
        "docker compose version --short",
        "docker-compose version --short",
    ]


def lock_of(owner: str, until: int) -> Outcome:
    """Return what `docker inspect` prints for a lock."""
    labels = {"procman.lock.owner": owner, "procman.lock.until": str(until)}
    return said(json.dumps({"Id": "34cd", "Labels": labels}))


def test_of_two_that_find_a_lock_expired_one_leaves_the_new_lock_of_the_other() -> None:
    locks = {"34cd": ("killed", 1.0)}

    def create(_: Call) -> Outcome:
        if locks:
            return said("", 1, 'The container name "/shop-procman-lock" is already in use by container "12"')
        locks["56ef"] = ("you", 2e6)
        return said("56ef\n")

    def inspect(_: Call) -> Outcome:
        (found,) = locks.items()
        locks.clear()  # the other command is faster: it removes the lock and has its own
        locks["78ab"] = ("other", 2e6)
        return lock_of(found[1][0], int(found[1][1]))

    def remove(call: Call) -> Outcome:
        known = [number for number in locks if call.argv[-1] in (number, "shop-procman-lock")]
        return said() if [locks.pop(number) for number in known] else said("", 1, "No such container")

    docker = Docker(docker_rm=remove, create=create, inspect=inspect)
    with pytest.raises(EngineError, match="the lock cannot be taken"):
        docker.driver.perform(engine().lock("you", 100.0))
    assert locks == {"78ab": ("other", 2e6)}


def test_a_lock_that_was_taken_here_goes_by_its_id() -> None:
    docker = Docker(create=said("12ab\n"))
    compose = engine()
    docker.driver.perform(compose.lock("me", 60))
    docker.driver.perform(compose.unlock("me"))
    assert docker.driver.commands[1:] == ["docker rm --force 12ab"]


def test_scaling_starts_only_what_is_missing() -> None:
    docker = Docker(cp=stored(project_of()))
    docker.driver.perform(engine().scale({"mail_er": 2}))
    (up,) = (line for line in docker.driver.commands if " up " in line)
    assert up.endswith("up --detach --no-build --no-recreate --no-deps mail-er-1 mail-er-2")


def test_a_lock_of_somebody_else_is_respected_until_it_expires() -> None:
    holder = lock_of("me@there", 1000060)
    taken = said("", 1, 'The container name "/shop-procman-lock" is already in use by container "12"')
    docker = Docker(inspect=holder, create=taken)
    with pytest.raises(EngineError, match="me@there is changing shop; the lock expires in 60 s"):
        docker.driver.perform(engine().lock("you@here", 100.0))
    docker.driver.time += 61
    docker.answers["create"] = lambda _: said() if "docker rm --force 34cd" in docker.driver.commands else taken
    docker.driver.perform(engine().lock("you@here", 100.0))
    assert docker.driver.said == ["the lock of me@there has expired, and is taken over"]


def test_what_another_one_changes_is_not_removed() -> None:
    docker = Docker(inspect=lock_of("me@there", 1000060), cp=stored(project_of()))
    with pytest.raises(EngineError, match="me@there is changing shop"):
        docker.driver.perform(engine().down())
    assert not any(" rm " in command for command in docker.driver.commands)


@pytest.mark.parametrize("text", ["Welcome to docker\n[]", "[{}]", "[1]", '{"a": 1}'])
def test_a_docker_that_prints_something_else_is_shown(text: str) -> None:
    docker = Docker(ps=said("12"))
    docker.answers["docker inspect"] = said(text)
    first = re.escape(text.splitlines()[0])
    with pytest.raises(EngineError, match=f"^docker printed what procman does not understand: {first}$"):
        docker.driver.perform(engine().instances())
    docker = Docker(events=said("Welcome\n"))
    with pytest.raises(EngineError, match="docker printed what procman does not understand: Welcome"):
        docker.driver.perform(engine().logs([], follow=True, lines=5, since=None))


def test_a_lock_that_has_just_been_released_and_taken_by_another_is_left_alone() -> None:
    taken = said("", 1, 'The container name "/shop-procman-lock" is already in use by container "12"')
    docker = Docker(inspect=said("", 1, "No such object: shop-procman-lock"), create=taken)
    with pytest.raises(EngineError, match="the lock cannot be taken"):
        docker.driver.perform(engine().lock("you@here", 100.0))
    assert not any(" rm " in command for command in docker.driver.commands)
    docker = Docker(inspect=said('{"Id":"34cd","Labels":null}\n'), create=taken)
    with pytest.raises(EngineError, match="the lock cannot be taken"):
        docker.driver.perform(engine().lock("you@here", 100.0))


def test_a_lock_of_somebody_else_is_not_released() -> None:
    docker = Docker(inspect=lock_of("me", 1))
    docker.driver.perform(engine().unlock("you"))
    assert not any(" rm " in line for line in docker.driver.commands)
    docker.driver.perform(engine().unlock(""))
    assert "docker rm --force 34cd" in docker.driver.commands


def started(at: int, **labels: str) -> str:
    """Return what `docker events` prints when a container starts."""
    names = {f"procman.{name}": value for name, value in labels.items()}
    return json.dumps({"Actor": {"ID": "ab" * 32, "Attributes": names}, "timeNano": at}) + "\n"


def test_what_starts_later_is_followed_too() -> None:
    first = "2026-11-30T03:09:33.9Z old\n"
    events = started(1796008173000000000, type="web", number="2") + started(1796008174250000000, type="web", number="2")
    docker = Docker(**{"event=start": said(events)})
    docker.answers["since=1796008171"] = said(first)
    docker.answers["since=1796008172"] = said(f"{first}2026-11-30T03:09:34.3Z new\n2026-11-30T03:09:34.3Z new\n")
    with pytest.raises(EngineError, match="the Docker daemon no longer sends output"):
        docker.driver.perform(engine().logs(["web"], follow=True, lines=5, since=None))
    lines = [(line.instance, line.line) for line in docker.driver.lines]
    assert lines == [("web.2", b"old"), ("web.2", b"new"), ("web.2", b"new")], "two lines may have the same time"
    assert "--since=1796008172.250" in docker.driver.commands[-2], "its first lines may be older than the event"


def test_what_is_followed_ends_when_the_application_is_removed() -> None:
    docker = Docker(**{"event=start": said(started(1796008174250000000, type="web", number="2"))})
    docker.answers["type=volume"] = said("{}\n")
    docker.answers["since=1796008172"] = said("2026-11-30T03:09:34.3Z bye\n")
    docker.driver.perform(engine().logs([], follow=True, lines=5, since=None))
    assert [(line.instance, line.line) for line in docker.driver.lines] == [("web.2", b"bye")]
    (removal,) = (line for line in docker.driver.commands if "type=volume" in line)
    assert "--filter=event=destroy --filter=volume=shop_procman" in removal
    assert docker.driver.said == ["shop has been removed from here"]


def test_a_release_that_starts_does_not_end_what_is_followed() -> None:
    docker = Docker(**{"event=start": said(started(1796008173000000000, type="release")), "ps": said("12")})
    docker.answers["docker inspect"] = said("[]")
    with pytest.raises(EngineError, match="the Docker daemon no longer sends output"):
        docker.driver.perform(engine().logs([], follow=True, lines=5, since=None))
    assert docker.driver.lines == []


def test_an_unknown_name_is_not_an_empty_log() -> None:
    docker = Docker(ps=said("12"))
    docker.answers["docker inspect"] = said("[]")
    with pytest.raises(UsageError, match='there is no process "wbe" at here'):
        docker.driver.perform(engine().logs(["wbe"], follow=False, lines=5, since=None))
    assert docker.driver.perform(engine().logs(["web.7"], follow=False, lines=5, since=None)) == []


def test_a_daemon_that_does_not_answer_has_not_lost_its_containers_or_its_lock() -> None:
    docker = Docker(ps=said("12"), inspect=said("", 1, "Cannot connect to the Docker daemon"))
    with pytest.raises(EngineError, match="does not answer"):
        docker.driver.perform(engine().instances())
    docker = Docker(version=said("", 1, "Cannot connect to the Docker daemon"))
    with pytest.raises(EngineError, match="does not answer"):
        docker.driver.perform(engine().unlock(""))
    docker = Docker(cp=said("", 1, "Cannot connect to the Docker daemon"))
    for verb in (engine().deployed, engine().down):
        with pytest.raises(EngineError, match="the Docker daemon here does not answer"):
            docker.driver.perform(verb())


def test_a_carriage_return_does_not_end_a_line() -> None:
    output = said("2026-11-30T03:09:33Z first\n2026-11-30T03:09:34Z 10%\r100%\n")
    found = merged([(InstanceState("web.1", "running"), output)])
    assert [line.line for line in found] == [b"first", b"10%\r100%"]


def test_an_application_whose_names_would_be_the_same_is_left_alone() -> None:
    docker = Docker(cp=stored(replace(project_of(), app="Shop")), inspect=said("null"))
    for verb in (engine().deployed, engine().down):
        with pytest.raises(EngineError, match="Shop is deployed there, and shop would have the same names"):
            docker.driver.perform(verb())
    assert not any(" rm " in command for command in docker.driver.commands)
    assert all("--filter=label=procman.app=shop" in one for one in docker.driver.commands if " ps " in one)


def test_a_daemon_that_does_not_answer_is_not_an_empty_one() -> None:
    missing = said("", 1, "Error response from daemon: No such container: shop-procman")
    no_volume = said("", 1, "Error response from daemon: get shop_procman: no such volume")
    docker = Docker(cp=missing, volume_inspect=no_volume)
    assert docker.driver.perform(engine().deployed()) is None
    docker = Docker(cp=missing, volume_inspect=said("", 124, "docker volume did not answer within 60 s"))
    with pytest.raises(EngineError, match="what is deployed cannot be read: docker volume did not answer"):
        docker.driver.perform(engine().deployed())
    docker = Docker(cp=said("", 1, "Error response from daemon: No space left on device"))
    with pytest.raises(EngineError, match=r"what is deployed cannot be read: .*No space left"):
        docker.driver.perform(engine().deployed())
    docker = Docker(cp=said("", 1, "Could not find the file /procman/project.json in container shop-procman"))
    assert docker.driver.perform(engine().deployed()) is None


def test_a_line_of_the_procfile_runs_in_its_own_folder_and_environment() -> None:
    project = project_of(overlay={"mail_er": {"cwd": "/srv/app/services/mail"}}, KEY="x")
    docker = Docker(cp=stored(project), create=said("12"))
    docker.driver.perform(engine().run("./mail --once", process="mail_er", terminal=False))
    (create,) = (call for call in docker.driver.calls if "--rm" in call.argv)
    assert create.argv[-1] == ". /run/procman.env\ncd services/mail || exit 126; ./mail --once"
    assert {b"PROCMAN_PROCESS=mail_er", b"PS=run.1"} <= set(create.stdin.splitlines())


def test_a_command_has_the_variables_of_the_env_files_although_a_type_has_another_value() -> None:
    plan = plan_of(LINES, None, TOKEN="shared")
    next(one for one in plan.instances if one.type == "web").lay_under({"TOKEN": "of web"})
    one_off = make_project(replace(release_of(), plan=plan), "sha256:12", {}).one_off_of("")
    assert one_off.script == "export TOKEN=shared\n"


def test_a_command_does_not_outlive_the_one_who_runs_it() -> None:
    docker = Docker(cp=stored(project_of()), create=said("12"))
    work, answer = docker.driver, docker.driver.answer
    work.answer = lambda call: KeyboardInterrupt() if "start" in call.argv else answer(call)
    with pytest.raises(KeyboardInterrupt):
        work.perform(engine().run("env", terminal=False))
    assert work.commands[-1] == "docker rm --force 12"


def test_the_output_of_a_release_is_shown() -> None:
    docker = Docker(image_inspect=said("sha256:12"), run=said("migrated\n"))
    compose = engine()
    docker.driver.perform(compose.ship(release_of(), None))
    docker.driver.perform(compose.release(release_of()))
    assert [(line.instance, line.line) for line in docker.driver.lines] == [("release.1", b"migrated")]


class Daemon(Docker):
    """Keeps the project that is noted, and has the containers of one. ``up`` are the instances that are running."""

    def __init__(self, project: Project | None = None) -> None:
        super().__init__(image_inspect=said("sha256:12"))
        self.running: Project | None = None
        self.up: set[str] = set()
        self.noted = project
        self.answers |= {"cp": self._copied, "docker ps": self._listed, "docker inspect": self._inspected}

    def _copied(self, call: Call) -> Outcome:
        if not call.stdin:
            return stored(self.noted) if self.noted else said("", 1, "Error: No such container: shop-procman")
        with tarfile.open(fileobj=io.BytesIO(call.stdin)) as tar:
            file = tar.extractfile("project.json")
            assert file
            self.noted = project_from_json(file.read())
        return said()

    def _ids(self) -> dict[str, str]:
        counts = self.running.counts if self.running else {}
        names = [f"{name}.{number}" for name, count in counts.items() for number in range(1, count + 1)]
        return {f"{number:012}": name for number, name in enumerate(names)}

    def _listed(self, call: Call) -> Outcome:
        return said("\n".join(self._ids()))

    def _inspected(self, call: Call) -> Outcome:
        (one, *_) = (one for one in json.loads(STATES) if one["Config"]["Labels"].get("procman.type") == "web")
        found = []
        for number, name in self._ids().items():
            assert self.running
            kind, _, of = name.rpartition(".")
            labels = {"procman.type": kind, "procman.number": of, "procman.hash": self.running.hash_of(kind)}
            config = {**one["Config"], "Labels": {**one["Config"]["Labels"], **labels}}
            state = {**one["State"], "Health": {"Status": "healthy" if name in self.up else "starting"}}
            found.append({**one, "Id": number, "Config": config, "State": state})
        return said(json.dumps(found))

    def deployed(self) -> Deployed:
        found = self.driver.perform(engine().deployed())
        assert found is not None
        return found

    def apply(self, version: str, counts: Mapping[str, int], before: Deployed | None, *, up: bool) -> Compose:
        """Apply a version, and see nothing of what becomes of it."""
        release = replace(release_of(counts=counts), version=version)
        compose = engine()
        self.driver.perform(compose.ship(release, before))
        self.running = compose._applied()
        self.up = set(self._ids().values()) if up else set()
        self.driver.perform(compose.apply(release, before))
        return compose


def test_a_version_that_has_never_been_up_is_noted_but_not_restored() -> None:
    daemon = Daemon()
    daemon.apply("1", {"web": 3, "mail_er": 1}, None, up=False)
    found = daemon.deployed()
    assert (found.version, found.has_run, found.counts) == ("1", False, {"web": 3, "mail_er": 1})


def test_a_first_version_that_came_up_after_its_deployment_had_failed_is_restored() -> None:
    daemon = Daemon()
    daemon.apply("1", {"web": 2, "mail_er": 0}, None, up=True)
    assert (daemon.deployed().version, daemon.deployed().has_run) == ("1", True)


@pytest.mark.parametrize("is_up", [True, False])
def test_after_an_interruption_the_latest_version_that_came_up_is_restored(is_up: bool) -> None:
    daemon = Daemon()
    daemon.driver.perform(daemon.apply("1", {"web": 1, "mail_er": 0}, None, up=True).prune(release_of()))
    daemon.apply("2", {"web": 2, "mail_er": 1}, daemon.deployed(), up=is_up)
    before = daemon.deployed()
    expected = ("2", True, "") if is_up else ("1", True, "2")
    assert (before.version, before.has_run, before.unfinished) == expected
    assert before.counts == {"web": 2, "mail_er": 1}, "the next deployment keeps what the last one was given"
    compose = daemon.apply("3", {"web": 2, "mail_er": 1}, before, up=False)
    daemon.driver.perform(compose.restore(before, release_of()))
    assert daemon.noted
    assert (daemon.noted.version, daemon.noted.has_been_up) == (before.version, True)
    assert daemon.deployed().unfinished == ""


def test_a_type_that_only_an_unfinished_version_has_is_not_restored() -> None:
    old, new = project_of(), project_of(lines="web: ./serve $PORT\nmail_er: ./mail\nlazy: ./lazy\n", counts={"lazy": 2})
    before = deployed(begun(new, deployed(come_up(old))))
    assert (before.added, before.restored) == (("lazy",), {"web": 0, "mail_er": 0})
    assert before.counts["lazy"] == 2


def test_what_the_release_depends_on_keeps_its_count_after_a_release_that_failed() -> None:
    overlay: Overlay = {"release": {"depends_on": (Dependency("mail_er", "started"),)}}
    release = release_of(overlay=overlay, counts={"web": 3, "mail_er": 1})
    daemon = Daemon()
    daemon.answers["run --rm"] = said("", 3)
    compose = engine()
    daemon.driver.perform(compose.ship(release, None))
    with pytest.raises(EngineError, match="exit code 3"):
        daemon.driver.perform(compose.release(release))
    assert (daemon.deployed().counts, daemon.deployed().has_run) == ({"web": 3, "mail_er": 1}, False)
