"""A deployment to Kubernetes and the commands there, on a fake cluster that answers like kubectl."""

from __future__ import annotations

import json
import re

import pytest

from engines.driver import Driver, said
from engines.kubernetes.fake_cluster import BEGINNING
from engines.kubernetes.rig import LINES, Rig
from procman.core.model.dependency import Dependency
from procman.engines.calls import Call
from procman.engines.interface import EngineError
from procman.engines.kubernetes.kubectl import Kubectl
from procman.engines.kubernetes.rollouts import SHORTEST_START
from procman.engines.waiting import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.calls import Outcome

UP = {"web.1": ("running", "1"), "web.2": ("running", "1"), "worker.1": ("running", "1")}


def test_a_deployment_runs_the_release_before_the_rest() -> None:
    rig = Rig()
    done = rig.deploy("1")
    assert (done.before, done.version, len(done.instances)) == ("", "1", 3)
    assert rig.states() == UP
    first = rig.driver.said.index("release.1 exited")
    assert first < rig.driver.said.index("web.1 starting") < rig.driver.said.index("web.1 running")
    assert rig.names("lease.coordination.k8s.io") == [], "the lock is released"


def test_each_call_names_the_context_and_the_namespace() -> None:
    rig = Rig()
    rig.deploy("1")
    assert all(call.argv[:5] == ("kubectl", "--context", "prod", "--namespace", "live") for call in rig.driver.calls)


def test_a_deployment_makes_few_calls_beside_its_looks() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.cluster.commands.clear()
    rig.deploy("2")
    looks = ("get jobs,pods ", "get deployments,replicasets,pods ")
    found = [command.split()[0] for command in rig.cluster.commands if not command.startswith(looks)]
    assert sorted(found) == ["apply"] * 4 + ["create"] + ["delete"] * 2 + ["get"] * 4 + ["version"]


def test_no_look_comes_before_a_container_can_be_up() -> None:
    rig = Rig()
    applied, waited = 0.0, []

    def answer(call: Call) -> Outcome:
        nonlocal applied
        if "apply" in call.argv:
            applied = rig.driver.time
        elif any(word.endswith(",pods") for word in call.argv):
            waited.append(rig.driver.time - applied)
        return rig.cluster(call)

    rig.driver.answer = answer
    rig.deploy("1")
    assert waited
    assert min(waited) >= SHORTEST_START


def test_what_the_cluster_does_not_do_is_said() -> None:
    overlay = {"web": {"pids_max": 50, "depends_on": (Dependency("worker"),)}}
    rig = Rig(overlay=overlay)
    assert rig.engine().warnings(rig.release(None, "1")) == ["not exported to Kubernetes: pids_max of web"]


def test_what_is_applied_is_checked_by_the_server_alone() -> None:
    rig = Rig()
    rig.deploy("1")
    applied = [command for command in rig.cluster.commands if command.startswith("apply")]
    assert len(applied) == 4
    assert all("--validate=false" in command for command in applied), "kubectl would read the whole schema each time"


def test_a_release_ends_with_its_pod_since_the_job_follows_a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(lines="web: ./serve\nrelease: ./migrate\n", counts={"web": 1})
    work = rig.cluster._work

    def work_later(job: dict[str, Any]) -> None:
        if rig.driver.time > BEGINNING + 30 or not rig.cluster._pods_of(job["metadata"]["name"]):
            work(job)

    monkeypatch.setattr(rig.cluster, "_work", work_later)
    rig.deploy("1")
    assert rig.driver.time < BEGINNING + 30
    assert not any(command.startswith("get events") for command in rig.cluster.commands), "it lacks no pod"


def test_context_and_namespace_are_those_of_the_kubeconfig_when_the_command_begins() -> None:
    rig = Rig()
    rig.destination.context = rig.destination.namespace = ""
    rig.deploy("1")
    first, *others = rig.driver.calls
    assert first.argv == ("kubectl", "config", "view", "--minify", "-o", "json")
    assert all(call.argv[:5] == ("kubectl", "--context", "prod", "--namespace", "live") for call in others)


def test_what_is_written_may_take_longer_than_what_is_read() -> None:
    rig = Rig()
    rig.deploy("1")
    times = {(call.argv[6], call.argv[5], call.timeout) for call in rig.driver.calls}
    assert ("get", "--request-timeout=10s", 30.0) in times
    assert ("apply", "--request-timeout=40s", 120.0) in times, "the cluster waits for others, such as webhooks"


def test_no_secret_is_an_argument_or_an_annotation() -> None:
    rig = Rig()
    rig.deploy("1")
    assert not any("very-secret" in word for call in rig.driver.calls for word in call.argv)
    for (kind, _), found in rig.cluster.objects.items():
        assert "very-secret" not in json.dumps(found), kind


def test_a_changed_value_gets_a_new_secret_and_the_old_one_is_removed() -> None:
    rig = Rig()
    rig.deploy("1")
    (old,) = rig.names("secret")
    rig.values["KEY"] = "another"
    rig.deploy("1")
    (new,) = rig.names("secret")
    assert new != old
    sources = [pod["spec"]["containers"][0]["envFrom"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web"]
    assert all({"secretRef": {"name": new}} in of_pod for of_pod in sources[-2:])


def test_counts_survive_a_deployment() -> None:
    rig = Rig()
    rig.deploy("1")
    engine = rig.engine()
    rig.driver.perform(engine.scale({"web": 4}))
    rig.driver.perform(wait(engine, {"web": 4}, 30.0))
    rig.deploy("2")
    assert [name for name, state in rig.states().items() if state == ("running", "2")] == [
        "web.1",
        "web.2",
        "web.3",
        "web.4",
        "worker.1",
    ]


def test_pods_do_not_depend_on_the_count() -> None:
    rig = Rig(counts={"web": 1, "worker": 1})
    rig.deploy("1")
    rig.driver.perform(rig.engine().scale({"web": 3}))
    assert rig.diff("1") == ""


def test_a_type_that_is_gone_is_removed_after_the_rollout() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.lines = "web: ./serve --port $PORT\n"
    rig.deploy("2")
    assert rig.names("deployment.apps") == ["shop-web"]
    assert rig.names("poddisruptionbudget.policy") == ["shop-web"]


# Failures -------------------------------------------------------------------------------------------------------------


def test_a_failed_release_changes_nothing() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.cluster.logs = {pod["metadata"]["name"]: ["relation exists"] for pod in rig.cluster.pods()}
    with pytest.raises(EngineError, match=r"^the release phase failed: it exited with code 3; 1 still runs$"):
        rig.deploy("broken")
    assert rig.states() == UP
    assert [card.instance.name for card in rig.driver.cards] == ["release.1"]


def test_a_release_that_fails_before_anything_runs_says_so() -> None:
    with pytest.raises(EngineError, match="nothing runs yet"):
        Rig().deploy("broken")


@pytest.mark.parametrize(
    ("version", "reason", "message"),
    [
        ("crash", "it exited with code 7", r"web\.1, web\.2, worker\.1 did not come up; 1 runs again"),
        ("missing", "the image shop:missing cannot be pulled: not found", r"did not come up; 1 runs again"),
        ("unready", "", r"did not come up within 60 s; 1 runs again"),
    ],
)
def test_a_version_that_does_not_come_up_is_taken_back(version: str, reason: str, message: str) -> None:
    rig = Rig(lines="web: ./serve --port $PORT\nworker: ./work\n")
    rig.deploy("1")
    with pytest.raises(EngineError, match=message):
        rig.deploy(version)
    assert rig.states() == UP
    assert rig.driver.cards[0].instance.reason.removesuffix(" before") == reason


def test_a_restored_version_leaves_the_next_one_all_its_fields() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\n", counts={"web": 1})
    rig.deploy("1")
    with pytest.raises(EngineError):
        rig.deploy("crash")
    applied = [command for command in rig.cluster.commands if command.startswith(("apply", "rollout"))]
    assert all("--field-manager=procman" in command for command in applied), "kubectl must own nothing of the template"


def test_what_the_cluster_refuses_is_refused_before_a_change() -> None:
    rig = Rig()
    rig.deploy("1")
    complaint = (
        'Error from server (Forbidden): deployments.apps "shop-web" is forbidden: User "ann" cannot patch resource '
        '"deployments" in API group "apps" in the namespace "live"'
    )
    rig.cluster.refused["apply"] = complaint
    with pytest.raises(EngineError, match=r"^ann may not patch deployments in the namespace live; 1 still runs$"):
        rig.deploy("2")
    assert rig.states() == UP


def test_ctrl_c_during_the_release_stops_it() -> None:
    rig = Rig()
    rig.deploy("1")

    def answer(call: Call) -> Outcome | BaseException:
        interrupted = "component=release" in " ".join(call.argv) and len(rig.names("job.batch")) == 2
        return KeyboardInterrupt() if interrupted else rig.cluster(call)

    rig.driver = Driver(answer)
    with pytest.raises(KeyboardInterrupt):
        rig.deploy("2")
    assert rig.driver.said[-2:] == ["the release phase is stopped", "interrupted; 1 still runs"]
    assert len(rig.names("job.batch")) == 1
    assert rig.names("lease.coordination.k8s.io") == []
    rig.driver = Driver(rig.cluster)
    assert rig.states() == UP


def test_the_next_deployment_waits_for_a_release_that_still_runs() -> None:
    rig = Rig()
    rig.driver.perform(rig.engine().ship(rig.release(None, "1"), None))
    steps = rig.engine().release(rig.release(None, "1"))
    step = next(steps)
    assert isinstance(step, Call)
    steps.send(rig.cluster(step))  # its Job is created, and then this procman is killed
    del steps
    rig.deploy("1")
    assert "the release phase of this version still runs, and is waited for" in rig.driver.said
    assert rig.states() == UP


def test_a_first_version_that_never_came_up_is_not_restored() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\nworker: ./work\n")
    for version, clause in (("crash", "nothing ran before"), ("missing", "crash never came up")):
        with pytest.raises(EngineError, match=f"{clause}, so what was started stays"):
            rig.deploy(version)
    rig.deploy("1")
    assert rig.states() == UP


def interrupt_at_the_wait(rig: Rig, version: str) -> None:
    """Deploy a version, and press Ctrl-C when it has been applied."""

    def answer(call: Call) -> Outcome | BaseException:
        looks = any(word.endswith("replicasets,pods") for word in call.argv)
        return KeyboardInterrupt() if looks else rig.cluster(call)

    rig.driver.answer = answer
    with pytest.raises(KeyboardInterrupt):
        rig.deploy(version)
    rig.driver.answer = rig.cluster


def test_after_a_version_that_never_came_up_the_one_before_it_is_restored() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\nworker: ./work\n")
    rig.deploy("1")
    interrupt_at_the_wait(rig, "unready")
    with pytest.raises(EngineError, match=r"1 runs again$"):
        rig.deploy("missing")
    assert rig.states() == UP
    rig.deploy("2")
    assert set(rig.states().values()) == {("running", "2")}


def test_a_version_that_came_up_after_its_deployment_is_restored() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\nworker: ./work\n")
    rig.deploy("1")
    interrupt_at_the_wait(rig, "2")
    engine = rig.engine()
    rig.driver.perform(wait(engine, rig.counts, 30.0))
    with pytest.raises(EngineError, match=r"2 runs again$"):
        rig.deploy("missing")
    assert set(rig.states().values()) == {("running", "2")}
    found = rig.driver.perform(rig.engine().deployed())
    assert found is not None
    assert (found.version, found.has_run, found.unfinished) == ("2", True, "")


def test_a_first_version_that_came_up_after_its_deployment_had_failed_is_restored() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\nworker: ./work\n")
    with pytest.raises(EngineError, match="nothing ran before"):
        rig.deploy("unready")
    for pod in rig.cluster.pods():  # such as after the end of an outage
        pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    with pytest.raises(EngineError, match=r"unready runs again$"):
        rig.deploy("missing")


def test_a_type_that_only_the_unfinished_version_has_is_removed_by_the_way_back() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\n", counts={"web": 1, "mailer": 1})
    rig.deploy("1")
    rig.lines += "mailer: ./mail\n"
    interrupt_at_the_wait(rig, "unready")
    with pytest.raises(EngineError, match=r"1 runs again$"):
        rig.deploy("missing")
    assert rig.states() == {"web.1": ("running", "1")}


@pytest.mark.parametrize(
    ("status", "has_run"),
    [
        ({"conditions": [{"type": "Progressing", "reason": "ReplicaSetUpdated"}]}, False),
        ({"conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}]}, True),  # an outage
        ({"availableReplicas": 1}, True),
    ],
)
def test_a_version_has_run_if_all_of_it_has_come_up(status: dict[str, Any], *, has_run: bool) -> None:
    rig = Rig()
    rig.deploy("1")
    del rig.cluster.objects["configmap", "shop-deploy"]  # as if its files had been applied by hand
    rig.cluster.objects["deployment.apps", "shop-web"]["status"] = status
    found = rig.driver.perform(rig.engine().deployed())
    assert found is not None
    assert found.has_run == has_run


def test_long_names_that_begin_alike_are_those_of_two_applications() -> None:
    lines, counts = "web: ./serve --port $PORT\n", {"web": 1}
    first = Rig(lines, counts, app=f"{'x' * 57}-a")
    second = Rig(lines, counts, app=f"{'x' * 57}-b", cluster=first.cluster)
    first.deploy("1")
    second.deploy("2")
    notes = [first.cluster.objects["configmap", f"{one.app}-deploy"]["data"]["came-up"] for one in (first, second)]
    assert [json.loads(text)["version"] for text in notes] == ["1", "2"]


@pytest.mark.parametrize("printed", ["Welcome to the wrapper\n", "[]", "", '{"items": 3}'])
@pytest.mark.parametrize("verb", ["version", "get"])
def test_a_kubectl_that_prints_something_else_is_named(verb: str, printed: str) -> None:
    rig = Rig()
    rig.deploy("1")

    def answer(call: Call) -> Outcome:
        is_meant = verb in call.argv and not (verb == "version" and printed.startswith("{"))
        return said(printed) if is_meant and "lease/shop-deploy" not in call.argv else rig.cluster(call)

    rig.driver = Driver(answer)
    if verb == "version" and printed.startswith("{"):
        return
    first = printed.partition("\n")[0]
    complaint = f'kubectl prints "{first}"' if first else "kubectl prints nothing"
    with pytest.raises(EngineError, match=f"^{re.escape(complaint)} where JSON is expected"):
        rig.deploy("2")


def test_names_among_other_output_are_not_guessed() -> None:
    with pytest.raises(EngineError, match="where JSON is expected"):
        Kubectl("prod", "live").named(said("v1 Secret shop-1 \nUpdate available!\n"))


# The lock -------------------------------------------------------------------------------------------------------------


def test_a_second_deployment_names_the_first() -> None:
    rig = Rig()
    rig.driver.perform(rig.engine().lock("bob@desk", 300.0))
    rig.driver.time += 5
    with pytest.raises(EngineError, match=r"^bob@desk is changing shop; the lock expires in 295 s$"):
        rig.deploy("1")
    assert rig.names("lease.coordination.k8s.io") == ["shop-deploy"], "it belongs to another one"
    rig.driver.perform(rig.engine().unlock(""))
    assert rig.names("lease.coordination.k8s.io") == []


def test_nothing_is_removed_while_another_command_has_the_lock() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.driver.perform(rig.engine().lock("bob@desk", 300.0))
    with pytest.raises(EngineError, match=r"^bob@desk is changing shop; the lock expires in 300 s$"):
        rig.driver.perform(rig.engine().down())
    assert rig.names("deployment.apps") == ["shop-web", "shop-worker"]
    rig.driver.time += 301
    rig.driver.perform(rig.engine().down())
    assert rig.names("deployment.apps") == []


def test_an_expired_lock_is_taken_over() -> None:
    rig = Rig()
    rig.driver.perform(rig.engine().lock("bob@desk", 300.0))
    rig.driver.time += 301
    rig.deploy("1")
    assert "the lock of bob@desk has expired, and is taken over" in rig.driver.said


def test_a_lock_that_another_one_has_taken_over_stays() -> None:
    rig = Rig()
    first, second = rig.engine(), rig.engine()
    rig.driver.perform(first.lock("ann@laptop", 300.0))
    rig.driver.time += 301
    rig.driver.perform(second.lock("bob@desk", 300.0))
    rig.driver.perform(first.unlock("ann@laptop"))
    assert rig.names("lease.coordination.k8s.io") == ["shop-deploy"]
    rig.driver.perform(second.unlock("bob@desk"))
    rig.driver.perform(second.unlock("bob@desk"))
    assert rig.names("lease.coordination.k8s.io") == []


def test_two_that_take_over_the_same_lock_do_not_both_get_it() -> None:
    rig = Rig()
    rig.driver.perform(rig.engine().lock("bob@desk", 300.0))
    rig.driver.time += 301
    rig.cluster.refused["replace"] = "Error from server (Conflict): the object has been modified"
    with pytest.raises(EngineError, match=r"^another command has just begun to change shop$"):
        rig.deploy("1")


def test_a_missing_namespace_is_created() -> None:
    rig = Rig()
    rig.cluster.namespaces.clear()
    assert rig.diff("1").startswith("--- /dev/null\n")
    rig.deploy("1")
    assert "the namespace live is created" in rig.driver.said


# The difference -------------------------------------------------------------------------------------------------------


def test_a_difference_shows_what_changes_without_values_of_secrets() -> None:
    rig = Rig()
    rig.deploy("1")
    assert rig.diff("1") == ""
    rig.values |= {"KEY": "more-secret", "ADDED": "also-secret"}
    rig.lines = LINES.replace("worker: ./work\n", "")
    lines = rig.diff("2").splitlines()
    assert '+          image: "shop:2"' in lines
    assert '-  KEY: "*** (old)"' in lines
    assert '+  KEY: "*** (new)"' in lines
    assert '+  ADDED: "***"' in lines
    assert "--- deployment.apps/shop-worker" in lines
    assert lines[lines.index("--- deployment.apps/shop-worker") + 1] == "+++ /dev/null"
    assert not any("secret" in line for line in lines if line[5:].startswith(("KEY", "ADDED")))
    assert "more-secret" not in "".join(lines)


# The other commands ---------------------------------------------------------------------------------------------------


def test_what_is_stopped_comes_back_with_its_count() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.driver.perform(rig.engine().stop(["web"]))
    assert rig.states() == {"web.1": ("exited", ""), "web.2": ("exited", ""), "worker.1": ("running", "1")}
    rig.deploy("2")
    assert rig.states()["web.1"] == ("exited", ""), "a deployment keeps it stopped"
    engine = rig.engine()
    rig.driver.perform(engine.start(["web"]))
    rig.driver.perform(wait(engine, {"web": 2}, 30.0))
    assert rig.states() == dict.fromkeys(UP, ("running", "2"))


def test_a_single_instance_can_be_restarted_but_not_stopped() -> None:
    rig = Rig()
    rig.deploy("1")
    before = {pod["metadata"]["name"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web"}
    engine = rig.engine()
    rig.driver.perform(engine.restart(["web.1"], rolling=False))
    rig.driver.perform(wait(engine, {"web": 2}, 30.0))
    after = {pod["metadata"]["name"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web"}
    assert len(before & after) == 1
    with pytest.raises(EngineError, match=r"Kubernetes would start web\.1 again") as caught:
        rig.driver.perform(rig.engine().stop(["web.1"]))
    assert caught.value.exit_code == 126


def test_a_restart_of_a_type_is_a_rollout() -> None:
    rig = Rig()
    rig.deploy("1")
    engine = rig.engine()
    rig.driver.perform(engine.restart(["web"], rolling=True))
    assert [command.split()[0] for command in rig.cluster.commands[-2:]] == ["get", "rollout"], "one look is enough"
    assert rig.cluster.commands[-1] == "rollout restart deployment.apps/shop-web"
    rig.driver.perform(wait(engine, {"web": 2}, 30.0))
    assert rig.states() == UP


def test_a_clock_is_not_scaled() -> None:
    rig = Rig(lines="web: ./serve\nclock: ./tick\n", counts={"web": 1, "clock": 1})
    rig.deploy("1")
    with pytest.raises(EngineError, match="clock runs once only"):
        rig.driver.perform(rig.engine().scale({"clock": 2}))


def test_down_removes_everything() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.driver.perform(rig.engine().down())
    assert [key for key in rig.cluster.objects if key[0] != "replicaset.apps"] == []
    with pytest.raises(EngineError, match=r"^shop is not deployed to live$"):
        rig.driver.perform(rig.engine().instances())
    rig.driver.perform(rig.engine().down())
    assert rig.driver.said[-1] == "shop is not deployed to live, so there is nothing to remove"


def test_a_one_off_has_the_environment_of_what_is_deployed() -> None:
    rig = Rig()
    rig.deploy("1")
    assert rig.driver.perform(rig.engine().run("echo $(date) $HOME", terminal=False)) == 3
    argv = rig.driver.calls[-1].argv
    assert argv[5] == "run"
    assert not {"--tty", "--namespace"} & set(argv[6:])
    (overrides,) = (json.loads(word.partition("=")[2]) for word in argv if word.startswith("--overrides="))
    (container,) = overrides["spec"]["containers"]
    assert container["command"] == ["/bin/sh", "-c", "echo $$(date) $HOME"], "the kubelet expands $(…)"
    assert container["image"] == "shop:1"
    assert {one["name"] for one in container["env"]} == set()
    assert container["envFrom"] == rig.cluster.pods()[0]["spec"]["containers"][0]["envFrom"]
    assert "readinessProbe" not in container
    assert overrides["spec"]["restartPolicy"] == "Never"
    assert overrides["metadata"]["labels"]["procman/run"] == "yes"


def test_a_one_off_whose_user_is_gone_leaves_no_pod() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.driver = Driver(lambda call: KeyboardInterrupt() if "run" in call.argv else rig.cluster(call))
    with pytest.raises(KeyboardInterrupt):
        rig.driver.perform(rig.engine().run("sleep 60", terminal=True))
    assert " delete pod/shop-run-" in rig.driver.commands[-1]


def test_a_one_off_that_is_killed_leaves_no_pod() -> None:
    rig = Rig()
    rig.deploy("1")
    rig.driver = Driver(lambda call: said("", 130) if "run" in call.argv else rig.cluster(call))
    assert rig.driver.perform(rig.engine().run("sleep 60", terminal=True)) == 130
    assert " delete pod/shop-run-" in rig.driver.commands[-1]


def test_why_says_what_kubernetes_says() -> None:
    rig = Rig(lines="web: ./serve --port $PORT\n", counts={"web": 1})
    with pytest.raises(EngineError):
        rig.deploy("unready")
    (pod,) = rig.cluster.pods()
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "one"},
        "involvedObject": {"name": pod["metadata"]["name"]},
        "message": "Startup probe failed: HTTP probe failed with statuscode: 503",
        "lastTimestamp": "2026-01-02T00:00:00Z",
    }
    rig.cluster.objects["event", "one"] = event
    (reason,) = rig.driver.perform(rig.engine().why([]))
    assert reason.why == (
        "starting: it is not ready yet; Kubernetes says: Startup probe failed: HTTP probe failed with statuscode: 503"
    )


# Versions of the tools ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "server", "message"),
    [
        ("20", "32", r"^kubectl 1\.20 is too old$"),
        ("32", "19+", r"^Kubernetes 1\.19 is too old$"),
    ],
)
def test_what_is_too_old_is_refused(client: str, server: str, message: str) -> None:
    versions = {"clientVersion": {"minor": client}, "serverVersion": {"minor": server}}
    driver = Driver(lambda _: said(json.dumps(versions)))
    with pytest.raises(EngineError, match=message):
        driver.perform(Rig().engine().check())


def test_a_kubectl_that_is_not_made_for_the_cluster_is_reported() -> None:
    versions = {"clientVersion": {"minor": "29"}, "serverVersion": {"minor": "36"}}
    driver = Driver(lambda _: said(json.dumps(versions)))
    driver.perform(Rig().engine().check())
    assert driver.said == ["kubectl 1.29 is not made for Kubernetes 1.36"]


@pytest.mark.parametrize(
    ("labels", "whose"),
    [
        ({"app": "other"}, "that procman has not made"),
        ({"app.kubernetes.io/name": "shop", "app.kubernetes.io/managed-by": "Helm"}, "that procman has not made"),
        ({"app.kubernetes.io/name": "shop-x", "app.kubernetes.io/managed-by": "procman"}, "of shop-x"),
    ],
)
def test_what_has_the_same_name_and_is_of_another_is_not_taken_over(labels: dict[str, str], whose: str) -> None:
    rig = Rig()
    metadata = {"name": "shop-web", "labels": labels}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "other"}}}
    rig.cluster.objects["service", "shop-web"] = service
    with pytest.raises(EngineError, match=f"^there is a Service shop-web {whose}, and shop would have the same names"):
        rig.deploy("v1")
    assert rig.cluster.objects == {("service", "shop-web"): service}
    del rig.cluster.objects["service", "shop-web"]
    rig.deploy("v1")
    rig.deploy("v2")
    assert "shop-web" in rig.names("service")
