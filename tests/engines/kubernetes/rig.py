"""An application, its destination on a fake cluster, and releases of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from engines.driver import Driver
from engines.kubernetes.fake_cluster import FakeCluster
from export.plans import plan_of
from procman.core.model.destination import Destination
from procman.engines.deployment import Order, deploy, difference
from procman.engines.interface import Release, Target
from procman.engines.kubernetes.kubernetes_engine import Kubernetes
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.engines.deployment import Deployment
    from procman.engines.records import Deployed

LINES = "web: ./serve --port $PORT\nworker: ./work\nrelease: ./migrate\n"


@dataclass
class Rig:
    """A fake cluster and what is needed to deploy to it. ``counts`` are those of a first deployment."""

    lines: str = LINES
    counts: Mapping[str, int] = field(default_factory=lambda: {"web": 2, "worker": 1})
    values: dict[str, str] = field(default_factory=lambda: {"KEY": "very-secret"})
    overlay: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    app: str = "shop"
    cluster: FakeCluster = field(default_factory=FakeCluster)

    def __post_init__(self) -> None:
        self.driver = Driver(self.cluster)
        self.destination = Destination("live", "procman.toml:1")
        self.destination.context, self.destination.namespace = "prod", "live"

    def engine(self) -> Kubernetes:
        """Return a new engine, as each command has one of its own."""
        types = tuple(line.partition(":")[0] for line in self.lines.splitlines())
        return Kubernetes(Target(self.destination, self.app, types))

    def release(self, before: Deployed | None, version: str) -> Release:
        """Return a release with the counts that run now."""
        counts = {**self.counts, **({**before.asked, **before.counts} if before else {})}
        counts = {name: count for name, count in counts.items() if f"{name}:" in self.lines}
        formation = ",".join(f"{name}={max(1, count)}" for name, count in counts.items())
        plan = plan_of(self.lines, self.overlay, f"{formation},all=1", **self.values)
        options = ExportOptions(self.app, image=f"shop:{version}", replicas=counts)
        return Release("live", version, f"shop:{version}", plan, options, counts, 60.0)

    def _order(self, version: str) -> Order:
        return Order(self.destination, self.release, "/srv", "ann@laptop", version)

    def deploy(self, version: str) -> Deployment:
        """Deploy a version."""
        return self.driver.perform(deploy(self.engine(), self._order(version)))

    def diff(self, version: str) -> str:
        """Return what a deployment would change."""
        return self.driver.perform(difference(self.engine(), self._order(version)))

    def states(self) -> dict[str, tuple[str, str]]:
        """Return the state and the version of each instance."""
        found = self.driver.perform(self.engine().instances())
        return {one.name: (one.state, one.version) for one in found}

    def names(self, kind: str) -> list[str]:
        """Return the names of the objects of a kind."""
        return sorted(name for found, name in self.cluster.objects if found == kind)
