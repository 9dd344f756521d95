"""What ``systemctl show`` says about instances, in the words of the local commands."""

from __future__ import annotations

from dataclasses import dataclass

from procman.core.model.status import ExitStatus, signal_name
from procman.engines.hosts.host_clock import parse_clock
from procman.engines.records import BACKOFF, EXITED, FAILED, RUNNING, STARTING, STOPPING, InstanceState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.engines.hosts.host_clock import HostClock

PROPERTIES = (
    *("Id", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainCode", "ExecMainStatus", "Job"),
    *("ExecMainStartTimestampMonotonic", "StateChangeTimestampMonotonic", "LoadState", "ConditionResult"),
)
SEPARATOR = "--"
_EXITED, _KILLED, _DUMPED = 1, 2, 3  # CLD_EXITED … of waitid(2)

_STATES = {
    "active": RUNNING,
    "reloading": RUNNING,
    "refreshing": RUNNING,
    "activating": STARTING,
    "deactivating": STOPPING,
    "inactive": EXITED,
    "failed": FAILED,
    "maintenance": STARTING,
}
_RESULTS = {
    "start-limit-hit": "systemd gave up, since it ended too often",
    "timeout": "it was not ready in time",
    "oom-kill": "the kernel killed it for want of memory",
    "resources": "systemd lacks something to start it: a file, a folder or memory",
    "exec-condition": "its condition does not hold",
    "protocol": "it did not do what systemd expects",
    "watchdog": "it did not answer the watchdog",
}


@dataclass(frozen=True, slots=True)
class UnitState:
    """One instance on its host.

    ``started`` is when the main process started, in seconds of systemd's clock; ``age`` is how long ago that was, if
    ``is_exact``. ``release`` is the folder that the process runs in, empty if that is unknown.
    """

    state: InstanceState
    started: float
    age: float
    release: str = ""
    pending: bool = False  # systemd has not yet done what it was told to do
    succeeded: bool = False  # down, and by itself
    is_exact: bool = True


class Ages:
    """How long processes have been seen to run: by the clock of their host or, unless that is exact, by ours.

    ``now`` is the time of a look by our clock.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._seen: dict[str, tuple[float, float]] = {}  # by instance: when it started, and when that was first seen

    def of(self, name: str, seen: UnitState) -> float:
        """Return the seconds that a process has run. Before the first look, any clock will do."""
        if seen.is_exact or not self.now:
            return seen.age
        started, since = self._seen.get(name, (-1.0, 0.0))
        if started != seen.started:
            since = self.now
            self._seen[name] = seen.started, since
        return self.now - since


@dataclass(frozen=True, slots=True)
class Look:
    """What one host says: its record, and the instances by unit name.

    ``has_come_up`` is whether all of the version has once been up, as far as that is noted.
    """

    record: str
    units: Mapping[str, UnitState]
    has_come_up: bool = False


def parse(output: bytes, host: str) -> Look:
    """Parse the output of the script SHOW."""
    record, _, text = output.decode("utf-8", "replace").partition(f"\n{SEPARATOR}\n")
    line, _, units_text = text.partition("\n")
    shown, _, folders = units_text.partition(f"\n{SEPARATOR}\n")
    clock, has_come_up = parse_clock(line), len(line.split()) > 2
    places: dict[str, str] = dict(line.split(" ", 1) for line in folders.splitlines() if " " in line)
    units = {}
    for values in _blocks(shown):
        if "@" in values.get("Id", ""):
            units[values["Id"]] = _unit_state(values, host, clock, places)
    return Look(record, units, has_come_up)


def _blocks(shown: str) -> Iterator[dict[str, str]]:
    for block in shown.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values:
            yield values


def _unit_state(values: Mapping[str, str], host: str, clock: HostClock, places: Mapping[str, str]) -> UnitState:
    state = _state(values)
    started, changed = (
        int(values.get(f"{what}TimestampMonotonic") or 0) / 1e6 for what in ("ExecMainStart", "StateChange")
    )
    restarts = int(values.get("NRestarts") or 0)
    instance = InstanceState(
        name=_name(values["Id"]),
        state=state,
        node=host,
        since=clock.now - (clock.uptime - changed) if changed else None,
        restarts=restarts,
        exit=_exit(values) if state in (EXITED, FAILED, BACKOFF) and started else "",
        reason=_RESULTS.get(values.get("Result", ""), "") if state in (FAILED, BACKOFF) else "",
        id=values["Id"],
    )
    ended_well = state == EXITED and values.get("Result") == "success" and started > 0
    release = places.get(values.get("MainPID", ""), "")
    pending = values.get("Job", "") not in ("", "0")
    return UnitState(instance, started, clock.uptime - started, release, pending, ended_well, clock.is_exact)


def _state(values: Mapping[str, str]) -> str:
    sub = values.get("SubState", "")
    if sub.startswith("auto-restart"):
        return BACKOFF
    if values.get("ActiveState") == "active" and sub == "exited":
        return EXITED  # Type=oneshot: done
    return _STATES.get(values.get("ActiveState", ""), EXITED)


def _exit(values: Mapping[str, str]) -> str:
    code, status = int(values.get("ExecMainCode") or 0), int(values.get("ExecMainStatus") or 0)
    if code in (_KILLED, _DUMPED):
        return signal_name(status)
    return str(status) if code == _EXITED else ""


def exit_words(text: str) -> str:
    """Return how it ended for a sentence: "3" is "exited with code 3"."""
    if text.isdecimal():
        return ExitStatus(code=int(text)).words()
    return f"killed by {text}" if text else "ended"


def _name(unit: str) -> str:
    """Return the instance of a unit. The application's name is cut off by who knows it."""
    stem, _, number = unit.rpartition(".")[0].rpartition("@")
    return f"{stem}.{number}"
