"""Which version a failed deployment restores: the latest one that has come up."""

from __future__ import annotations

from dataclasses import asdict, replace

from procman.engines.records import Deployed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.engines.compose.compose_project import Project
    from procman.engines.compose.compose_records import Container


def come_up(project: Project) -> Project:
    """Return the project as one of which all has come up."""
    return replace(project, has_been_up=True, before={})


def begun(project: Project, before: Deployed | None) -> Project:
    """Return the project as one that is about to replace what ran before."""
    if before is None or not before.has_run:
        return project
    return replace(project, before=asdict(come_up(before.restorable)))  # type: ignore[arg-type]


def deployed(project: Project) -> Deployed:
    """Return the version that a failed deployment would restore, and what is to run now."""
    latest = Deployed(project.version, project.counts, project.stopped, project, project.has_been_up)
    if project.has_been_up or not project.before:
        return latest
    old = replace(project, **project.before)  # type: ignore[arg-type]
    counts = {name: project.counts.get(name, count) for name, count in old.counts.items()}
    stopped = {name: count for name, count in project.stopped.items() if name in counts}
    return latest.back_to(old.version, old.with_counts(counts, stopped), counts)


def not_noted(found: Sequence[Container]) -> Deployed | None:
    """Return the version of containers that no deployment has noted, and which cannot be restored; None without any."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.state.type] = counts.get(one.state.type, 0) + 1
    return Deployed(found[0].state.version, counts, has_run=False) if found else None
