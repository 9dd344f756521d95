"""What others depend on comes first, on a fake cluster."""

from __future__ import annotations

import json

import pytest

from engines.kubernetes.rig import Rig
from procman.core.model.dependency import Dependency
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.engines.calls import Call

LINES = "web: ./serve --port $PORT\nworker: ./work\nstore: ./store $PORT\nmigrate: ./migrate\n"
NEEDS_STORE = {"depends_on": (Dependency("store"),)}


def rig_of(**overlay: Mapping[str, object]) -> Rig:
    """Return a rig without a release phase."""
    return Rig(LINES, {"web": 1, "worker": 1, "store": 1, "migrate": 0}, overlay=overlay)


def applied(rig: Rig) -> list[set[str]]:
    """Return the names of the workloads in each call that has applied some."""
    return [found for call in rig.driver.calls if (found := _workloads(call))]


def _workloads(call: Call) -> set[str]:
    if "apply" not in call.argv or "--dry-run=server" in call.argv:
        return set()
    items = json.loads(call.stdin)["items"]
    return {one["metadata"]["name"] for one in items if one["kind"] in ("Deployment", "Job")}


def test_what_others_depend_on_is_up_before_they_start() -> None:
    rig = rig_of(web=NEEDS_STORE)
    rig.deploy("1")
    assert applied(rig) == [{"shop-worker", "shop-store", "shop-migrate"}, {"shop-web"}]
    said = rig.driver.said
    assert said.index("store.1 running") < said.index("what they depend on is up: web can start")
    assert {state for name, state in rig.states().items()} == {("running", "1")}


def test_a_chain_is_followed_link_by_link() -> None:
    rig = rig_of(web=NEEDS_STORE, worker={"depends_on": (Dependency("web"),)})
    rig.deploy("1")
    assert applied(rig) == [{"shop-store", "shop-migrate"}, {"shop-web"}, {"shop-worker"}]


def test_what_is_up_already_is_not_waited_for() -> None:
    rig = rig_of(web=NEEDS_STORE)
    rig.deploy("1")
    rig.driver.calls.clear()
    rig.deploy("2")
    assert len(applied(rig)) == 1


@pytest.mark.parametrize("dependency", [Dependency("store", "started"), Dependency("migrate")])
def test_what_only_has_to_be_started_or_is_not_wanted_is_not_waited_for(dependency: Dependency) -> None:
    rig = rig_of(web={"depends_on": (dependency,)})
    rig.deploy("1")
    assert len(applied(rig)) == 1


def test_what_has_to_end_runs_and_ends_before_each_version() -> None:
    rig = rig_of(web={"depends_on": (Dependency("migrate", "completed_successfully"),)})
    rig.counts = {**rig.counts, "migrate": 1}
    rig.deploy("1")
    rig.driver.calls.clear()
    rig.driver.said.clear()
    rig.deploy("2")
    assert [bool({"shop-web"} & names) for names in applied(rig)] == [False, True]
    said = rig.driver.said
    assert said.index("migrate.1 exited") < said.index("what they depend on is up: web can start")


def test_what_depends_on_what_does_not_come_up_is_not_started() -> None:
    rig = rig_of(web=NEEDS_STORE)
    with pytest.raises(EngineError, match=r"store\.1"):
        rig.deploy("unready")
    assert not any("shop-web" in names for names in applied(rig))


def test_counts_of_what_was_not_started_are_kept_for_the_next_deployment() -> None:
    rig = rig_of(web=NEEDS_STORE)
    rig.counts = {**rig.counts, "web": 3}
    with pytest.raises(EngineError, match=r"store\.1"):
        rig.deploy("unready")
    rig.counts = dict.fromkeys(rig.counts, 0)  # no count is given this time
    rig.deploy("2")
    assert {name for name in rig.states() if name.startswith("web")} == {"web.1", "web.2", "web.3"}
