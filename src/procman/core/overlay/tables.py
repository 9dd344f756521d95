"""What the tables [process.NAME] of the config files mean, and every mistake in them.

The Procfile stays the only list of commands; an overlay says how each of them runs.
"""

from __future__ import annotations

from procman.core.model.checks import Check
from procman.core.model.dependency import COMPLETED, SUCCEEDED, find_cycle
from procman.core.model.process_overlay import Overlay, OverlayProblem, ProcessOverlay
from procman.core.overlay.converters import WrongValueError, unknown_key
from procman.core.overlay.keys import KEYS, READY_TIMEOUT
from procman.core.text.suggest import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from procman.core.model.process_overlay import Path, Table
    from procman.core.model.procfile import Procfile

    Raw = dict[str, tuple[object, Table]]  # of one process type: key → value, and the table that it is from


def parse_overlay(tables: Sequence[Table], procfile: Procfile) -> Overlay:
    """Convert and check the tables, the one that wins first. Invalid values become problems; they are not raised."""
    overlay = Overlay()
    merged = _merged(tables, overlay.problems)
    for name in _unknown_first(merged, procfile):
        process = ProcessOverlay(name)
        for key, (value, table) in merged[name].items():
            _convert(process, key, value, table, overlay.problems)
        if procfile.get(name) is not None:
            overlay.processes[name] = process
        else:
            source = next(table for table in tables if isinstance(table.processes, dict) and name in table.processes)
            message = f'{procfile.name} has no process type "{name}"'
            hint = did_you_mean(name, procfile.names)
            overlay.problems.append(OverlayProblem(source.location((name,)), message, hint))
    overlay.problems += _contradictions(overlay, procfile)
    return overlay


def _unknown_first(merged: Mapping[str, Raw], procfile: Procfile) -> list[str]:
    known = [name for name in procfile.names if name in merged]
    return [name for name in merged if name not in known] + known


def _merged(tables: Sequence[Table], problems: list[OverlayProblem]) -> dict[str, Raw]:
    """Merge the tables key by key, and `env` variable by variable."""
    merged: dict[str, Raw] = {}
    for table in reversed(tables):
        for name, keys in _entries(table, table.processes, (), problems):
            raw = merged.setdefault(name, {})
            for key, value in _entries(table, keys, (name,), problems):
                normal = key.replace("-", "_")
                raw[normal] = (_merged_value(raw.get(normal), normal, value), table)
    return merged


def _merged_value(known: tuple[object, Table] | None, key: str, value: object) -> object:
    if known is not None and key == "env" and isinstance(value, dict) and isinstance(known[0], dict):
        return {**known[0], **value}
    return value


def _entries(table: Table, value: object, path: Path, problems: list[OverlayProblem]) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return list(value.items())
    title = ".".join(("process", *path))
    problems.append(OverlayProblem(table.location(path), f"{title} is not a table", f"write [{title or 'process'}]"))
    return []


def _convert(process: ProcessOverlay, key: str, value: object, table: Table, problems: list[OverlayProblem]) -> None:
    path = (process.name, key)
    if key not in KEYS:
        message = f'unknown key "{key}" in [process.{process.name}]'
        problems.append(OverlayProblem(table.location(path), message, unknown_key(key, KEYS)))
        return
    try:
        setattr(process, key, KEYS[key](value))
        process.sources[key] = table
    except WrongValueError as error:
        full = ".".join((key, *error.path))
        problems.append(OverlayProblem(table.location((*path, *error.path)), f"{full} {error.message}", error.hint))


# Mistakes that show only when all tables are seen together --------------------------------------------------------


def _contradictions(overlay: Overlay, procfile: Procfile) -> Iterator[OverlayProblem]:
    for process in overlay.processes.values():
        yield from _wrong_dependencies(process, overlay, procfile)
        _borrow_health(process, overlay)
        yield from _sockets(process, procfile)
        if process.schedule is not None:
            from procman.core.overlay.scheduling import contradictions

            yield from contradictions(process)
        yield from _wrong_count(process)
        for group in process.groups:
            if procfile.get(group) is not None or group == "all":
                message = f'the group "{group}" has the name of a process type'
                yield OverlayProblem(process.location("groups"), message, "choose another name")
    edges = {p.name: tuple(d.type for d in p.depends_on) for p in overlay.processes.values()}
    cycle = find_cycle(edges)
    if cycle:
        circle = " → ".join([*cycle, cycle[0]])
        location = overlay.processes[cycle[0]].location("depends_on")
        yield OverlayProblem(location, f"these wait for one another: {circle}", "one of them must start first")
    yield from _primaries(overlay)


def _sockets(process: ProcessOverlay, procfile: Procfile) -> Iterator[OverlayProblem]:
    if process.sources.keys().isdisjoint(("listen", "share", "start_on", "hold")):
        return
    from procman.core.overlay.listening import contradictions

    type_ = procfile.get(process.name)
    yield from contradictions(process, type_.command if type_ else "")


def _primaries(overlay: Overlay) -> Iterator[OverlayProblem]:
    primaries = [process for process in overlay.processes.values() if process.primary]
    for process in primaries[1:]:
        first = f'"{primaries[0].name}" is, at {primaries[0].location("primary")}'
        message = f'"{process.name}" cannot be primary: {first}'
        yield OverlayProblem(process.location("primary"), message, "only one process can have the terminal")


def _wrong_count(process: ProcessOverlay) -> Iterator[OverlayProblem]:
    rule, count = process.autoscale, process.formation
    if rule is not None and count is not None and not rule.lowest <= count <= rule.highest:
        message = f"formation = {count} is outside of what autoscale allows: {rule.lowest} to {rule.highest}"
        yield OverlayProblem(process.location("formation"), message, "change one of them")


def _wrong_dependencies(process: ProcessOverlay, overlay: Overlay, procfile: Procfile) -> Iterator[OverlayProblem]:
    location = process.location("depends_on")
    for dependency in process.depends_on:
        other = overlay.get(dependency.type)
        if procfile.get(dependency.type) is None:
            message = f'"{process.name}" depends on "{dependency.type}", which {procfile.name} does not have'
            yield OverlayProblem(location, message, did_you_mean(dependency.type, procfile.names))
        elif dependency.condition in (COMPLETED, SUCCEEDED) and other and other.restart == "always":
            message = f'"{process.name}" waits for "{other.name}" to complete, which is always restarted'
            yield OverlayProblem(location, message, f"see restart at {other.location('restart')}")


def _borrow_health(process: ProcessOverlay, overlay: Overlay) -> None:
    """Let the health check of a dependency be its readiness check, if `process` waits for it to be healthy.

    That is what Compose's condition means. A readiness check of its own wins.
    """
    for dependency in process.depends_on:
        other = overlay.get(dependency.type)
        if other and other.health and dependency.healthy and other.ready is None:
            other.ready = Check(other.health.kind, other.health.target, 1.0, READY_TIMEOUT, other.health.attempt)
            other.sources["ready"] = other.sources["health"]
