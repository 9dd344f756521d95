"""An engine for tests of the order: each verb yields one call of its name, and looks come from a list."""

from __future__ import annotations

from procman.core.model.destination import Destination
from procman.core.model.plan import Plan, merge
from procman.core.procfile.parser import parse_procfile
from procman.engines.calls import Call, Report, run
from procman.engines.deployment import Order
from procman.engines.interface import EngineError, Release, Target
from procman.engines.records import Deployed, InstanceState, LogLine, Look, Reason
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.engines.calls import Steps

UP = Look((InstanceState("web.1", "running", "a", "2"),), is_done=True)
STARTING = Look((InstanceState("web.1", "starting", "a", "2"),))
BROKEN = Look((InstanceState("web.1", "failed", "a", "2"),), failed=(InstanceState("web.1", "failed", "a", "2"),))


class Scripted:
    """An engine whose calls are the names of its verbs. A call that fails raises EngineError."""

    refuses: Mapping[str, str] = {"instances": "it is a script"}

    def __init__(self, target: Target) -> None:
        self.target = target
        self.before: Deployed | None = Deployed("1", {"web": 1})
        self.looks = [UP]
        self.secret_files: tuple[str, ...] = ()

    @staticmethod
    def _do(name: str, *words: str) -> Steps[None]:
        outcome = yield from run(Call((name, *words)))
        if not outcome.ok:
            raise EngineError(outcome.complaint)

    def check(self) -> Steps[None]:
        return self._do("check")

    def lock(self, owner: str, valid: float) -> Steps[None]:
        return self._do("lock", owner)

    def unlock(self, owner: str) -> Steps[None]:
        return self._do("unlock", owner)

    def deployed(self) -> Steps[Deployed | None]:
        yield from self._do("deployed")
        return self.before

    @staticmethod
    def warnings(release: Release) -> Sequence[str]:
        return [f"{release.version} is a release of a script"] if release.version == "odd" else []

    def diff(self, release: Release, before: Deployed | None) -> Steps[str]:
        yield from self._do("diff")
        return f"-{before.version if before else ''}\n+{release.version}\n"

    def ship(self, release: Release, before: Deployed | None) -> Steps[None]:
        self.secret_files = release.secret_files
        return self._do("ship")

    def release(self, release: Release) -> Steps[None]:
        return self._do("release")

    def apply(self, release: Release, before: Deployed | None) -> Steps[None]:
        return self._do("apply", release.version)

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        yield from self._do("look", *(f"{name}={count}" for name, count in wanted.items()))
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def last_lines(self, instance: InstanceState, count: int) -> Steps[Sequence[str]]:
        outcome = yield from run(Call(("last", instance.name)))
        return outcome.text.splitlines()

    def restore(self, before: Deployed, release: Release) -> Steps[None]:
        return self._do("restore", before.version)

    def prune(self, release: Release) -> Steps[None]:
        return self._do("prune")

    def instances(self) -> Steps[Sequence[InstanceState]]:
        yield from self._do("instances")
        return UP.instances

    def scale(self, counts: Mapping[str, int]) -> Steps[None]:
        return self._do("scale", *(f"{name}={count}" for name, count in counts.items()))

    def restart(self, names: Sequence[str], *, rolling: bool) -> Steps[None]:
        return self._do("restart", *names)

    def stop(self, names: Sequence[str]) -> Steps[None]:
        return self._do("stop", *names)

    def start(self, names: Sequence[str]) -> Steps[None]:
        return self._do("start", *names)

    def down(self) -> Steps[None]:
        return self._do("down")

    def logs(self, names: Sequence[str], *, follow: bool, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        line = LogLine("web.1", b"hello", 5.0, node="a")
        if follow:
            yield line
        yield from self._do("logs")
        if follow:
            yield Report("shop has been removed")
        return [] if follow else [line]

    def run(self, command: str, *, terminal: bool, process: str = "") -> Steps[int]:
        outcome = yield from run(Call(("run", command)))
        return outcome.code

    def why(self, names: Sequence[str]) -> Steps[Sequence[Reason]]:
        yield from self._do("why")
        return [Reason("web.1", "running", "it is up")]


def destination(**keys: object) -> Destination:
    """Return a destination with these keys."""
    found = Destination("production", "procman.toml:1")
    for name, value in keys.items():
        setattr(found, name, value)
    return found


def release(version: str = "2", counts: Mapping[str, int] | None = None) -> Release:
    """Return a release of an empty plan."""
    procfile = parse_procfile(b"web: true\n")
    plan = Plan(procfile, "/shop/Procfile", "/shop", "", (), merge([]), ())
    return Release("production", version, "shop:2", plan, ExportOptions("shop"), counts or {"web": 1}, 10.0)


def order(place: Destination | None = None, version: str = "2") -> Order:
    """Return an order for one release."""

    def make_release(before: Deployed | None, version: str) -> Release:
        return release(version, before.counts if before else None)

    return Order(place or destination(), make_release, "/shop", "ann@laptop", version)


def scripted(place: Destination | None = None) -> Scripted:
    """Return the engine."""
    return Scripted(Target(place or destination(), "shop", ("web",), "/shop"))
