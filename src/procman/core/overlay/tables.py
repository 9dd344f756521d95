"""Decides what the tables [process.NAME] of the config files mean, and finds every mistake in them.

The Procfile stays the only list of commands; an overlay says how each of them runs.
"""

from __future__ import annotations

from procman.core.model.checks import Check
from procman.core.model.dependency import COMPLETED, SUCCEEDED, find_cycle
from procman.core.overlay.converters import WrongValueError, unknown_key
from procman.core.overlay.keys import KEYS
from procman.core.text.suggest import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from procman.core.model.dependency import Dependency
    from procman.core.model.procfile import Procfile

Path = tuple[str, ...]  # ("web", "ready", "interval"): a table's name, its key, and keys below that
Raw = dict[str, "tuple[object, Table]"]  # of one process type: key → value, and the file that it is from
READY_TIMEOUT = 60.0  # seconds, where a health check serves as readiness check, too


def normal(path: Path) -> Path:
    """The path in the one spelling that all are compared in: a dash in a key is as good as an underscore."""
    return (*path[:1], *(key.replace("-", "_") for key in path[1:]))


class Table:
    """The [process] table of one file, as TOML has it; ``lines`` says where each of its paths stands (from 1)."""

    __slots__ = ("folder", "lines", "path", "processes")

    def __init__(self, path: str, folder: str, processes: object, lines: Mapping[Path, int]) -> None:
        self.path = path
        self.folder = folder
        self.processes = processes
        self.lines = lines

    def place(self, path: Path) -> str:
        """Where ``path`` stands, or what it is part of: ``procman.toml:3``."""
        path = normal(path)
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path}:{self.lines[path]}" if path else self.path


class OverlayProblem:
    """A mistake: ``place`` is FILE:LINE, ``hint`` what may be meant. ``severity`` is "error" or "warning"."""

    __slots__ = ("hint", "message", "place", "severity")

    def __init__(self, place: str, message: str, hint: str = "", severity: str = "error") -> None:
        self.place = place
        self.message = message
        self.hint = hint
        self.severity = severity

    def as_record(self) -> dict[str, object]:
        """The problem as ``check --json`` has it; ``file`` tells it from those of the Procfile."""
        file, line = self.position()
        message = f"{self.message} ({self.hint})" if self.hint else self.message
        return {"severity": self.severity, "line": line, "column": 1, "message": message, "file": file}

    def position(self) -> tuple[str, int]:
        """File and line, to sort by."""
        file, _, line = self.place.rpartition(":")
        return (file, int(line)) if line.isdigit() else (self.place, 1)

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.message}{f' ({self.hint})' if self.hint else ''}"

    def __repr__(self) -> str:
        return f"OverlayProblem({str(self)!r})"


class ProcessOverlay:
    """What is said about one process type: converted values by key, and the table each comes from."""

    __slots__ = ("name", "sources", "values", "variables")

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[str, object] = {}
        self.sources: dict[str, Table] = {}
        self.variables: dict[str, str] = {}  # of its env files and its env, once they are read

    def place(self, key: str) -> str:
        """Where the key stands: ``procman.toml:3``."""
        return self.sources[key].place((self.name, key)) if key in self.sources else "the command line"

    def folder(self, key: str) -> str:
        """The folder that paths in this key's value start from."""
        return self.sources[key].folder

    @property
    def depends_on(self) -> tuple[Dependency, ...]:
        """The types it waits for."""
        return self.values.get("depends_on", ())  # type: ignore[return-value]  # the converter of the key made it

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups."""
        return self.values.get("groups", ())  # type: ignore[return-value]  # the converter of the key made it


class Overlay:
    """All [process.NAME] tables, by name in the Procfile's order, and their problems in order of finding."""

    __slots__ = ("problems", "processes")

    def __init__(self) -> None:
        self.processes: dict[str, ProcessOverlay] = {}
        self.problems: list[OverlayProblem] = []

    def get(self, name: str) -> ProcessOverlay | None:
        """What is said about the process type ``name``, or None."""
        return self.processes.get(name)

    def process(self, name: str) -> ProcessOverlay:
        """What is said about ``name``, to say more."""
        return self.processes.setdefault(name, ProcessOverlay(name))

    @property
    def errors(self) -> list[OverlayProblem]:
        """The problems that keep it from being used."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The process types of each group."""
        found: dict[str, list[str]] = {}
        for process in self.processes.values():
            for group in process.groups:
                found.setdefault(group, []).append(process.name)
        return {group: tuple(names) for group, names in found.items()}

    def expanded(self, words: Sequence[str]) -> tuple[str, ...]:
        """Words of the command line with the name of a group replaced by its process types."""
        groups = self.groups()
        return tuple(name for word in words for part in word.split(",") for name in groups.get(part.strip(), (part,)))


def parse_overlay(tables: Sequence[Table], procfile: Procfile) -> Overlay:
    """Convert and check the tables, the one that wins first; never raises on bad values: they become problems."""
    overlay = Overlay()
    merged = _merged(tables, overlay.problems)
    for name in _unknown_first(merged, procfile):
        process = ProcessOverlay(name)
        for key, (value, table) in merged[name].items():
            _convert(process, key, value, table, overlay.problems)
        if procfile.get(name) is not None:
            overlay.processes[name] = process
        else:
            place = next(iter(merged[name].values()))[1].place((name,)) if merged[name] else tables[0].place((name,))
            message = f'{procfile.name} has no process type "{name}"'
            overlay.problems.append(OverlayProblem(place, message, did_you_mean(name, procfile.names)))
    overlay.problems += _contradictions(overlay, procfile)
    return overlay


def _unknown_first(merged: Mapping[str, Raw], procfile: Procfile) -> list[str]:
    known = [name for name in procfile.names if name in merged]
    return [name for name in merged if name not in known] + known


def _merged(tables: Sequence[Table], problems: list[OverlayProblem]) -> dict[str, Raw]:
    """Lay the tables over one another key by key; of ``env`` variable by variable."""
    merged: dict[str, Raw] = {}
    for table in reversed(tables):
        for name, keys in _entries(table, table.processes, (), problems):
            raw = merged.setdefault(name, {})
            for key, value in _entries(table, keys, (name,), problems):
                normal = key.replace("-", "_")
                raw[normal] = (_laid_over(raw.get(normal), normal, value), table)
    return merged


def _laid_over(known: tuple[object, Table] | None, key: str, value: object) -> object:
    if known is not None and key == "env" and isinstance(value, dict) and isinstance(known[0], dict):
        return {**known[0], **value}
    return value


def _entries(table: Table, value: object, path: Path, problems: list[OverlayProblem]) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return list(value.items())
    title = ".".join(("process", *path))
    problems.append(OverlayProblem(table.place(path), f"{title} is not a table", f"write [{title or 'process'}]"))
    return []


def _convert(process: ProcessOverlay, key: str, value: object, table: Table, problems: list[OverlayProblem]) -> None:
    path = (process.name, key)
    if key not in KEYS:
        problems.append(
            OverlayProblem(table.place(path), f'"{key}" is no setting of a process', unknown_key(key, KEYS))
        )
        return
    try:
        process.values[key] = KEYS[key](value)
        process.sources[key] = table
    except WrongValueError as error:
        words = ".".join((key, *error.path))
        problems.append(OverlayProblem(table.place((*path, *error.path)), f"{words} {error.message}", error.hint))


# What only shows when all are seen together -----------------------------------------------------------------------


def _contradictions(overlay: Overlay, procfile: Procfile) -> Iterator[OverlayProblem]:
    for process in overlay.processes.values():
        yield from _wrong_dependencies(process, overlay, procfile)
        _borrow_health(process, overlay)
        for group in process.groups:
            if procfile.get(group) is not None or group == "all":
                message = f'the group "{group}" has the name of a process type'
                yield OverlayProblem(process.place("groups"), message, "choose another name")
    edges = {p.name: tuple(d.type for d in p.depends_on) for p in overlay.processes.values()}
    cycle = find_cycle(edges)
    if cycle:
        circle = " → ".join([*cycle, cycle[0]])
        place = overlay.processes[cycle[0]].place("depends_on")
        yield OverlayProblem(place, f"these wait for one another: {circle}", "one of them must start first")
    yield from _primaries(overlay)


def _primaries(overlay: Overlay) -> Iterator[OverlayProblem]:
    primaries = [process for process in overlay.processes.values() if process.values.get("primary")]
    for process in primaries[1:]:
        message = f'"{process.name}" cannot be primary: "{primaries[0].name}" is, at {primaries[0].place("primary")}'
        yield OverlayProblem(process.place("primary"), message, "one process can have the terminal")


def _wrong_dependencies(process: ProcessOverlay, overlay: Overlay, procfile: Procfile) -> Iterator[OverlayProblem]:
    place = process.place("depends_on")
    for dependency in process.depends_on:
        other = overlay.get(dependency.type)
        if procfile.get(dependency.type) is None:
            message = f'"{process.name}" depends on "{dependency.type}", which {procfile.name} does not have'
            yield OverlayProblem(place, message, did_you_mean(dependency.type, procfile.names))
        elif dependency.condition in (COMPLETED, SUCCEEDED) and other and other.values.get("restart") == "always":
            message = f'"{process.name}" waits for "{other.name}" to complete, which is always restarted'
            yield OverlayProblem(place, message, f"see restart at {other.place('restart')}")


def _borrow_health(process: ProcessOverlay, overlay: Overlay) -> None:
    """Who waits for one to be healthy, as Compose has it, waits for its health check where it has no other."""
    for dependency in process.depends_on:
        other = overlay.get(dependency.type)
        health = other.values.get("health") if other else None
        if other and dependency.healthy and isinstance(health, Check) and "ready" not in other.values:
            other.values["ready"] = Check(health.kind, health.target, 1.0, READY_TIMEOUT, health.attempt)
            other.sources["ready"] = other.sources["health"]
