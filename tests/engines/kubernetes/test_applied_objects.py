"""What is applied fits Kubernetes' own schemas, and says the same as the exported files."""

from __future__ import annotations

import copy
import json

import pytest

from engines.kubernetes.rig import LINES, Rig
from export.plans import Export
from procman.core.model.autoscale import Autoscale
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy
from procman.core.model.schedule import Schedule
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    Object = dict[str, Any]

NIGHTLY = Schedule("0 3 * * *")


def applied(rig: Rig) -> dict[tuple[str, str], Object]:
    """Return all objects that a deployment applies, by kind and type."""
    rig.deploy("1")
    found: dict[tuple[str, str], Object] = {}
    for call in rig.driver.calls:
        if "apply" in call.argv and "--dry-run=server" not in call.argv:
            for one in json.loads(call.stdin)["items"]:
                component = one["metadata"]["labels"].get("app.kubernetes.io/component", "")
                found[one["kind"], component or one["metadata"]["name"]] = one
    return found


@pytest.fixture(scope="module")
def validator() -> ModuleType:
    found: ModuleType = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed (PyPI)")
    return found


@pytest.mark.parametrize("version", ["1.25", "newest"])
def test_the_schemas_accept_what_is_applied(validator: ModuleType, version: str) -> None:
    once = {"build": {"restart": RestartPolicy("never")}}
    rig = Rig(f"{LINES}clock: ./tick\nbuild: ./build\n", {"web": 2, "worker": 0, "clock": 1, "build": 1}, overlay=once)
    for one in applied(rig).values():
        validator.validate(one, validator.latest_version() if version == "newest" else version, strict=True)


def test_objects_are_those_of_the_export_but_for_the_version_and_the_history() -> None:
    import yaml

    rig = Rig()
    found = applied(rig)
    release = rig.release(None, "1")
    export = Export("kubernetes", release.plan, app="shop", image="shop:1", owner="", replicas=release.counts)
    documents = [part for text in export.files.values() for part in yaml.safe_load_all(text) if part]
    for part in documents:
        if part["kind"] in ("Deployment", "Service", "PodDisruptionBudget"):
            one = found[part["kind"], part["metadata"]["labels"]["app.kubernetes.io/component"]]
            metadata = one["spec"].get("template", {}).get("metadata", {})
            assert metadata.pop("annotations", None) in ({"procman/version": "1"}, None)
            assert one["spec"].pop("revisionHistoryLimit", 2) == 2
            assert one == part


def test_each_version_has_a_release_of_its_own() -> None:
    def job(version: str) -> str:
        rig = Rig()
        rig.deploy(version)
        return next(name for name in rig.names("job.batch") if "release" in name)

    assert job("1") != job("2")
    assert job("1") == job("1")


def test_what_runs_once_is_a_job_that_stop_and_start_leave_finished() -> None:
    once = {"build": {"restart": RestartPolicy("never")}}
    rig = Rig("web: ./serve\nbuild: ./build\n", {"web": 1, "build": 1}, overlay=once)
    rig.deploy("1")
    states = rig.states()
    assert states["web.1"] == ("running", "1")
    assert states["build.1"][0] in ("running", "exited")
    rig.driver.perform(rig.engine().instances())
    assert rig.states()["build.1"] == ("exited", "1")
    rig.driver.perform(rig.engine().stop(["build"]))
    assert not any(command.startswith("patch") for command in rig.cluster.commands)


def test_a_type_that_is_not_wanted_is_there_with_no_instance() -> None:
    rig = Rig(counts={"web": 1, "worker": 0})
    assert applied(rig)["Deployment", "worker"]["spec"]["replicas"] == 0
    rig.driver.perform(rig.engine().scale({"worker": 2}))
    assert set(rig.states()) == {"web.1", "worker.1", "worker.2"}


def test_a_job_that_tries_again_has_not_failed_yet() -> None:
    once = {"web": {"depends_on": (Dependency("build", "completed_successfully"),)}}
    rig = Rig("web: ./serve\nbuild: ./build\n", {"web": 1, "build": 1}, overlay=once)
    rig.driver.perform(rig.engine().apply(rig.release(None, "broken"), None))
    engine = rig.engine()
    looks = [rig.driver.perform(engine.look({"build": 1})) for _ in range(20)]
    pods = [pod for pod in rig.cluster.pods() if pod["owner"].startswith("shop-build")]
    assert len(pods) == 5, "it has the restart budget of the process"
    failed = [bool(look.failed) for look in looks]
    assert failed == sorted(failed), "once it has failed, it stays so"
    assert failed.index(True) > 2 * 4, "each try takes two looks"
    assert not any(look.is_done for look in looks)


def test_an_autoscaled_type_keeps_the_count_that_it_has() -> None:
    rig = Rig("web: ./serve --port $PORT\n", {"web": 2}, overlay={"web": {"autoscale": Autoscale("", 0.8, 9, 2)}})
    rig.deploy("1")
    assert rig.names("horizontalpodautoscaler.autoscaling") == ["shop-web"]
    rig.cluster.objects["deployment.apps", "shop-web"]["spec"]["replicas"] = 5  # by the autoscaler
    rig.deploy("2")
    assert len(rig.states()) == 5
    rig.overlay = {}
    rig.deploy("3")
    assert rig.names("horizontalpodautoscaler.autoscaling") == []
    assert len(rig.states()) == 5


def test_what_runs_by_the_clock_is_waited_for_only_to_be_there() -> None:
    overlay = {"nightly": {"schedule": NIGHTLY, "autostart": False}}
    rig = Rig("web: ./serve\nnightly: ./report\n", {"web": 1, "nightly": 0}, overlay=overlay)
    done = rig.deploy("1")
    assert [one.name for one in done.instances] == ["web.1"]
    assert rig.names("cronjob.batch") == ["shop-nightly"]
    timed = rig.cluster.objects["cronjob.batch", "shop-nightly"]
    assert not timed["spec"].get("suspend"), "nothing is running, but it is not stopped"
    with pytest.raises(EngineError, match="nightly is a Job, which runs alone"):
        rig.driver.perform(rig.engine().scale({"nightly": 2}))
    run = copy.deepcopy(timed["spec"]["jobTemplate"]) | {"apiVersion": "batch/v1", "kind": "Job"}
    owner = {"kind": "CronJob", "name": "shop-nightly"}
    labels = run["spec"]["template"]["metadata"]["labels"]  # the cluster labels a Job like its pods
    run["metadata"] = {"name": "shop-nightly-1", "labels": labels, "ownerReferences": [owner]}
    rig.cluster.objects["job.batch", "shop-nightly-1"] = run
    rig.deploy("1")
    assert rig.names("job.batch") == ["shop-nightly-1"], "a deployment does not end what runs by the clock"
    assert rig.diff("1") == ""
    rig.driver.perform(rig.engine().stop(["nightly"]))
    timed = rig.cluster.objects["cronjob.batch", "shop-nightly"]
    assert timed["spec"]["suspend"] is True
    assert rig.states()["nightly.1"][0] == "exited"
    rig.deploy("2")
    assert rig.cluster.objects["cronjob.batch", "shop-nightly"]["spec"]["suspend"] is True, "it stays stopped"
    rig.driver.perform(rig.engine().start(["nightly"]))
    assert rig.cluster.objects["cronjob.batch", "shop-nightly"]["spec"]["suspend"] is False
    rig.driver.perform(rig.engine().restart([], rolling=True))
    rig.driver.perform(rig.engine().down())
    assert rig.names("cronjob.batch") == []


def test_what_the_clock_of_kubernetes_cannot_say_is_not_waited_for() -> None:
    uneven = Schedule(every=7 * 3600 + 11)
    rig = Rig("web: ./serve\nodd: ./report\n", {"web": 1, "odd": 1}, overlay={"odd": {"schedule": uneven}})
    assert [one.name for one in rig.deploy("1").instances] == ["web.1"]
    assert rig.names("cronjob.batch") == []
