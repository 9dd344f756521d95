"""Reasons of a cluster that creates no pods, out of statuses and events."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from engines.driver import Driver, said
from engines.kubernetes.rig import Rig
from procman.engines.interface import EngineError
from procman.engines.kubernetes.kubectl import Kubectl
from procman.engines.kubernetes.refusals import find_refusals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_POLICY = 'violates PodSecurity "restricted:latest": runAsNonRoot != true'
NOW = 1_000_000.0


def event(name: str, message: str, ago: float = 1.0) -> dict[str, Any]:
    time = datetime.fromtimestamp(NOW - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"involvedObject": {"name": name}, "message": message, "lastTimestamp": time, "reason": "FailedCreate"}


def found(*objects: dict[str, Any], events: list[dict[str, Any]], code: int = 0) -> dict[str, str]:
    driver = Driver(lambda _: said(json.dumps({"items": events}), code))
    return driver.perform(find_refusals(Kubectl("prod", "live"), objects))


def test_a_stateful_set_and_a_job_have_events() -> None:
    numbered = {"kind": "StatefulSet", "metadata": {"name": "shop-web"}, "spec": {"replicas": 2}, "status": {}}
    job = {"kind": "Job", "metadata": {"name": "shop-build"}, "spec": {}, "status": {}}
    events = [
        event(
            "shop-web", f'create Pod shop-web-1 in StatefulSet shop-web failed error: pods "x" is forbidden: {_POLICY}'
        ),
        event("shop-build", f'Error creating: pods "shop-build-1" is forbidden: {_POLICY}'),
        event("shop-web", "of another time", ago=500.0),
        event("shop-worker", "of another type"),
    ]
    reason = f"the cluster refuses its pod: {_POLICY}"
    assert found(numbered, job, events=events) == {"shop-web": reason, "shop-build": reason}
    assert found(numbered, events=[], code=1) == {}, "not everyone may read events"


def test_a_deployment_has_a_condition() -> None:
    message = 'pods "x" is forbidden: exceeded quota: small'
    condition = {"type": "ReplicaFailure", "status": "True", "message": message}
    deployment = {"kind": "Deployment", "metadata": {"name": "shop-web"}, "status": {"conditions": [condition]}}
    assert found(deployment, events=[]) == {"shop-web": "the cluster refuses its pod: exceeded quota: small"}


def test_nothing_is_read_while_there_are_enough_pods() -> None:
    driver = Driver(lambda _: said())
    whole = {"kind": "StatefulSet", "metadata": {"name": "w"}, "spec": {"replicas": 2}, "status": {"replicas": 2}}
    assert driver.perform(find_refusals(Kubectl("prod", "live"), [whole])) == {}
    assert driver.calls == []


def test_a_release_that_the_namespace_refuses_says_why() -> None:
    rig = Rig()
    rig.cluster.takes_pods = False
    job = rig.engine()._wanted(rig.release(None, "1")).release_job()[0]["metadata"]["name"]
    rig.cluster.events = [event(job, f'Error creating: pods "{job}-1" is forbidden: {_POLICY}')]
    with pytest.raises(
        EngineError, match="the release phase failed: the cluster refuses its pod: violates PodSecurity"
    ):
        rig.deploy("1")
    assert rig.names("job.batch") == [], "it would start as soon as it is allowed"
