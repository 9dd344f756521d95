"""States of instances, read from what kubectl has printed about pods in trouble."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from procman.engines.kubernetes.pod_states import TypeNames, instance_of, numbered, state_of
from procman.engines.kubernetes.rollouts import STUCK_TIMEOUT, Rollout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.records import InstanceState, Look

    Object = dict[str, Any]

TYPES = TypeNames({"web": "web", "clock": "clock"})
TRANSCRIPTS = Path(__file__).parent / "transcripts"


def recorded(name: str) -> list[Object]:
    items: list[Object] = json.loads((TRANSCRIPTS / f"{name}.json").read_text())["items"]
    return items


def instances(items: list[Object]) -> dict[str, InstanceState]:
    pods = [one for one in items if one["kind"] == "Pod"]
    return {name: instance_of(name, pod) for name, pod in numbered(pods, TYPES)}


def look(items: list[Object], crashes: int = 3, now: float = 0.0) -> Look:
    return Rollout(TYPES, lambda _: crashes).look(items, {"web": 2, "clock": 1}, now, {})


def names(states: tuple[InstanceState, ...]) -> list[str]:
    return [one.name for one in states]


def test_running_pods_are_instances() -> None:
    found = instances(recorded("running"))
    assert {name: (one.state, one.node, one.version, one.port) for name, one in found.items()} == {
        "clock.1": ("running", "n2", "1", None),
        "web.1": ("running", "n2", "1", 5000),
        "web.2": ("running", "n2", "1", 5000),
    }
    assert found["web.1"].since is not None
    done = look(recorded("running"))
    assert done.is_done
    assert names(done.instances) == ["web.1", "web.2", "clock.1"]


def test_a_crash_is_a_backoff_with_its_exit_code() -> None:
    found = instances(recorded("crashing"))
    (crashed,) = (one for one in found.values() if one.version == "crash2" and one.type == "web")
    assert (crashed.state, crashed.exit, crashed.reason) == ("backoff", "7", "it exited with code 7")
    assert look(recorded("crashing"), crashes=3).failed == ()
    failed = look(recorded("crashing"), crashes=1)
    assert names(failed.failed) == ["web.1"], "it is numbered among the pods of its version"
    assert not failed.is_done


def test_an_image_that_is_not_found_fails_the_rollout_immediately() -> None:
    failed = look(recorded("pulling")).failed
    assert [one.reason for one in failed] == ["the image shop:missing1 cannot be pulled: not found"] * len(failed)
    assert failed


def test_an_image_of_a_registry_that_does_not_answer_is_waited_for() -> None:
    items = recorded("pulling")
    for one in items:
        for status in one.get("status", {}).get("containerStatuses", ()):
            if "waiting" in status["state"]:
                message = "Back-off pulling image: ErrImagePull: failed to do request: dial tcp: i/o timeout"
                status["state"]["waiting"] = {"reason": "ImagePullBackOff", "message": message}
    assert look(items).failed == ()


def test_a_pod_that_no_node_takes_says_why_and_is_waited_for() -> None:
    found = instances(recorded("unschedulable"))["web.3"]
    assert (found.state, found.node) == ("waiting", "")
    assert found.reason == "no node takes it: 0/2 nodes are available: 2 node(s) were unschedulable."
    assert look(recorded("unschedulable")).failed == ()


def test_memory_that_ran_out_is_named() -> None:
    found = instances(recorded("oom"))["web.1"]
    assert (found.exit, found.restarts, found.reason) == ("SIGKILL", 1, "it ran out of memory before")


def test_a_pod_that_ends_comes_last_and_does_not_count() -> None:
    found = instances(recorded("restarting"))
    assert [one.state for one in found.values() if one.type == "web"][-1] == "stopping"
    after = look(recorded("restarting"))
    assert not after.is_done
    assert "stopping" not in {one.state for one in after.instances}


def test_a_lost_node_is_named() -> None:
    (pod,) = (one for one in recorded("running") if one["kind"] == "Pod" and "clock" in one["metadata"]["name"])
    unknown = copy.deepcopy(pod)
    (ready,) = (one for one in unknown["status"]["conditions"] if one["type"] == "Ready")
    ready.update(status="Unknown", reason="NodeStatusUnknown")
    assert (state_of(unknown).word, state_of(unknown).reason) == ("starting", "its node n2 does not answer")
    pod["metadata"]["deletionTimestamp"] = "2026-11-30T03:20:00Z"
    pod["status"]["conditions"].append({"type": "DisruptionTarget", "reason": "DeletionByTaintManager"})
    assert (state_of(pod).word, state_of(pod).reason) == ("stopping", "its node n2 does not answer")


def test_what_was_evicted_has_no_number() -> None:
    items = recorded("running")
    (pod,) = (one for one in items if one["kind"] == "Pod" and "clock" in one["metadata"]["name"])
    pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    assert "clock.1" not in instances(items)
    assert state_of(pod).reason == "The node was low on resource: memory."


def test_what_cannot_be_created_fails_after_a_while() -> None:
    items = recorded("running")
    for one in items:
        if one["kind"] == "Pod" and "clock" in one["metadata"]["name"]:
            waiting = {"reason": "CreateContainerConfigError", "message": 'secret "shop-1" not found'}
            one["status"]["containerStatuses"][0]["state"] = {"waiting": waiting}
            one["status"]["phase"] = "Pending"
    rollout = Rollout(TYPES, lambda _: 3)
    assert rollout.look(items, {"clock": 1}, 0.0, {}).failed == ()
    (failed,) = rollout.look(items, {"clock": 1}, STUCK_TIMEOUT, {}).failed
    assert failed.reason == 'its container cannot be created: secret "shop-1" not found'


def test_pods_that_the_cluster_refuses_fail_after_a_while() -> None:
    items = [one for one in recorded("running") if not (one["kind"] == "Pod" and "clock" in one["metadata"]["name"])]
    refusals = {"shop-clock": "the cluster refuses its pod: exceeded quota: small"}
    rollout = Rollout(TYPES, lambda _: 3)
    found = rollout.look(items, {"clock": 1}, 0.0, refusals)
    assert [(one.name, one.state, one.reason) for one in found.instances] == [
        ("clock.1", "waiting", "the cluster refuses its pod: exceeded quota: small")
    ]
    assert found.failed == ()
    assert names(rollout.look(items, {"clock": 1}, STUCK_TIMEOUT, refusals).failed) == ["clock.1"]


def test_a_workload_that_is_about_to_be_removed_does_not_count() -> None:
    items = recorded("numbered")
    old = [one for one in recorded("restarting") if one["metadata"]["labels"]["app.kubernetes.io/component"] == "web"]
    rollout = Rollout(TYPES, lambda _: 3)
    assert not rollout.look([*items, *old], {"web": 2}, 0.0, {}).is_done
    rollout.applied = {"statefulset.apps/shop-web": "web", "deployment.apps/shop-clock": "clock"}
    done = rollout.look([*items, *old], {"web": 2, "clock": 1}, 0.0, {})
    assert done.is_done
    assert [(one.name, one.version) for one in done.instances] == [("web.1", "5"), ("web.2", "5"), ("clock.1", "5")]


@pytest.mark.parametrize(
    "labels",
    [
        {"apps.kubernetes.io/pod-index": "7"},
        {"statefulset.kubernetes.io/pod-name": "shop-web-7"},  # before Kubernetes 1.28
    ],
)
def test_a_stateful_set_numbers_its_pods(labels: dict[str, str]) -> None:
    (pod, _) = (one for one in recorded("running") if one["kind"] == "Pod" and "web" in one["metadata"]["name"])
    pod["metadata"]["name"] = "shop-web-7"
    pod["metadata"]["labels"] |= labels
    assert [name for name, _ in numbered([pod], TYPES)] == ["web.7"]


def test_of_the_pods_of_a_job_the_latest_counts() -> None:
    (pod,) = (one for one in recorded("running") if one["kind"] == "Pod" and "clock" in one["metadata"]["name"])
    first, second = copy.deepcopy(pod), copy.deepcopy(pod)
    for number, one in enumerate((first, second)):
        one["metadata"]["labels"]["job-name"] = "shop-clock"
        one["metadata"]["creationTimestamp"] = f"2026-11-30T03:0{number}:00Z"
    assert [(name, one is second) for name, one in numbered([second, first], TYPES)] == [("clock.1", True)]


@pytest.mark.parametrize(("code", "word"), [(0, "exited"), (3, "failed")])
def test_what_is_not_restarted_has_ended_when_its_container_has(code: int, word: str) -> None:
    (pod,) = (one for one in recorded("running") if one["kind"] == "Pod" and "clock" in one["metadata"]["name"])
    pod["spec"]["restartPolicy"] = "Never"
    ended = {"exitCode": code, "finishedAt": "2026-11-30T03:20:00Z"}
    pod["status"]["containerStatuses"][0]["state"] = {"terminated": ended}
    assert (pod["status"]["phase"], state_of(pod).word, state_of(pod).exit) == ("Running", word, str(code))
