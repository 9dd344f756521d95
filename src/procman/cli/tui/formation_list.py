"""The list of process types and instances: its rows, which of them is selected, and their latest measurements."""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Record = dict[str, object]

ALL, TYPE, INSTANCE = "all", "type", "instance"  # kinds of rows
SAMPLES = 12  # of the CPU, for a sparkline
_BARS = "▁▂▃▄▅▆▇█"
_BUSY = 100.0  # percent of one CPU: the full height, unless more is used
_UP = ("running",)
_ROOM = 6  # characters of counts that leave room for "up" in their column
ENDED, UNKNOWN = "ended", "unknown"  # states of all processes without an answer of the session
_WORST = ("failed", "backoff", "stopped", "paused", "waiting", "starting", "stopping", "running", "exited")


class Row:
    """One row: all instances, those of a process type, or one instance, with the columns that it shows.

    ``names`` is what requests for it name; ``members`` are the rows of ``ps`` behind it.
    """

    __slots__ = ("kind", "members", "name")

    def __init__(self, kind: str, name: str, members: Sequence[Record]) -> None:
        self.kind = kind
        self.name = name
        self.members = members

    @property
    def names(self) -> list[str]:
        """What a request names for this row; for all, each process type, since without names the session is meant."""
        if self.kind == ALL:
            return list(dict.fromkeys(str(one["type"]) for one in self.members))
        return [self.name]

    @property
    def log_names(self) -> list[str]:
        """Whose output the row stands for. All includes procman's own lines."""
        return [] if self.kind == ALL else [self.name]

    @property
    def type(self) -> str:
        """The process type; empty for all."""
        return "" if self.kind == ALL else str(self.members[0]["type"])

    @property
    def index(self) -> int:
        """The place of the process type in the Procfile, from 0."""
        index = self.members[0].get("index")
        return index if isinstance(index, int) else 0

    @property
    def state(self) -> str:
        """The state: of several instances how many are up, and the worst state of the others."""
        if self.kind == INSTANCE or self.is_lost:
            return str(self.members[0]["state"])
        up = sum(one["state"] in _UP for one in self.members)
        counts = f"{up}/{len(self.members)}"
        return (f"{counts} up" if len(counts) <= _ROOM else counts) if self.members else "empty"

    @property
    def worst(self) -> str:
        """The state of what is most in need of attention."""
        found = {str(one["state"]) for one in self.members}
        return next((state for state in (*_WORST, ENDED, UNKNOWN) if state in found), "exited")

    @property
    def is_lost(self) -> bool:
        """Whether there is no session that answers for it."""
        return any(one["state"] in (ENDED, UNKNOWN) for one in self.members)

    @property
    def port(self) -> int | None:
        """The port of an instance that uses one."""
        port = self.members[0].get("port") if self.kind == INSTANCE else None
        return port if isinstance(port, int) and self.members[0].get("has_port") else None

    @property
    def url(self) -> str:
        """Where its port answers, or an empty string."""
        return str(self.members[0].get("url") or "") if self.port is not None else ""

    @property
    def restarts(self) -> int:
        """How often it has been restarted."""
        return sum(int(str(one["restarts"])) for one in self.members)

    @property
    def cpu(self) -> float | None:
        """Percent of one CPU."""
        found = [one["cpu_percent"] for one in self.members if isinstance(one.get("cpu_percent"), (int, float))]
        return sum(found) if found else None  # type: ignore[arg-type]  # numbers, as was just seen

    @property
    def memory(self) -> int | None:
        """Resident bytes."""
        found = [one["memory_bytes"] for one in self.members if isinstance(one.get("memory_bytes"), int)]
        return sum(found) if found else None  # type: ignore[arg-type]  # see cpu


class FormationList:
    """The rows for the latest answer of the session. The selected row keeps its name, wherever it moves."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.selected = 0
        self._answer: list[Record] = []
        self._folded: set[str] = set()
        self._samples: dict[tuple[str, str], deque[float]] = {}

    @property
    def row(self) -> Row | None:
        """The selected row; None before the first answer."""
        return self.rows[self.selected] if self.rows else None

    def update(self, answer: Sequence[Record]) -> None:
        """Show these rows of ``ps``, and take a sample of what they measure."""
        self._answer = list(answer)
        self._lay_out()
        known = {}
        for row in self._all_rows():
            key = row.kind, row.name
            known[key] = self._samples.get(key) or deque(maxlen=SAMPLES)
            if row.cpu is not None:
                known[key].append(row.cpu)
            else:
                known[key].clear()
        self._samples = known

    def lose(self, state: str) -> None:
        """Show this state for all, and no measurements: the session does not answer."""
        nothing = {"state": state, "pid": None, "has_port": False, "cpu_percent": None, "memory_bytes": None}
        self.update([{**one, **nothing} for one in self._answer])

    def _all_rows(self) -> Iterable[Row]:
        groups: dict[str, list[Record]] = {}
        for one in self._answer:
            groups.setdefault(str(one["type"]), []).append(one)
        yield Row(ALL, "all", self._answer)
        for name, members in groups.items():
            if len(members) > 1:
                yield Row(TYPE, name, members)
            yield from (Row(INSTANCE, str(one["name"]), [one]) for one in members)

    def _lay_out(self) -> None:
        before, at = self.row, self.selected
        rows = list(self._all_rows())
        grouped = {row.name for row in rows if row.kind == TYPE}
        hidden = self._folded & grouped
        self.rows = [row for row in rows if row.kind != INSTANCE or row.type not in hidden]
        self.selected = min(at, len(self.rows) - 1)
        if before is not None:
            self.select(before.kind, before.name) or self.select(TYPE, before.type) or self.select(
                INSTANCE, before.name
            )

    def select(self, kind: str, name: str) -> bool:
        """Select the row of this name. Return False if there is none."""
        for at, row in enumerate(self.rows):
            if row.kind == kind and row.name == name:
                self.selected = at
                return True
        return False

    def move(self, by: int) -> None:
        """Select the row this far below, or the nearest."""
        self.selected = max(0, min(len(self.rows) - 1, self.selected + by))

    def fold(self, folded: bool) -> None:
        """Hide the instances of the selected process type, or show them."""
        row = self.row
        if row is None or row.kind == ALL:
            return
        (self._folded.add if folded else self._folded.discard)(row.type)
        self._lay_out()

    def is_folded(self, row: Row) -> bool:
        """Whether the instances of a row are hidden."""
        return row.kind == TYPE and row.name in self._folded

    def sparkline(self, row: Row, width: int) -> str:
        """Return the latest samples of a row's CPU as bars."""
        samples = list(self._samples.get((row.kind, row.name), ()))[-width:]
        full = max([_BUSY, *samples])
        return "".join(_BARS[min(7, int(8 * sample / full))] for sample in samples).rjust(width)


def size_text(size: int | None) -> str:
    """Return a number of bytes in at most five characters, such as ``12M``."""
    if size is None:
        return "-"
    if size < 1 << 20:
        return f"{size >> 10}K"
    return f"{size / (1 << 20):.0f}M" if size < 1000 << 20 else f"{size / (1 << 30):.1f}G"
