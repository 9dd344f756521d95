"""Packs the code of a folder, to be unpacked on the hosts."""

from __future__ import annotations

from procman.engines.calls import Call, Report, run, run_together
from procman.engines.hosts import shipped_files
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from procman.engines.calls import Outcome, Steps

_SHOWN = 5  # names of files that stay here
_HINT = "leave it out, and make it with setup on each host"


def pack(folder: str, env_files: Collection[str], hosts: Sequence[str]) -> Steps[bytes]:
    """Return an archive of the folder's code, without env files. Raises EngineError for what is not for a host."""
    found, tracked, how = yield from _listed(folder)
    left_out = set(shipped_files.secrets(found, env_files, tracked))
    repositories = [name for name in found if name.endswith(b"/")]
    for name in repositories:
        yield Report(f"warning: {_shown([name])} is a repository of its own, and is not shipped")
    found = [name for name in found if name not in left_out and name not in repositories]
    without = f", without {_shown(sorted(left_out))}" if left_out else ""
    yield Report(f"ship: {len(found)} files, {how}{without}, to {', '.join(hosts)}")
    archive = yield from _packed(folder, found)
    if objection := shipped_files.objection(archive, folder):
        raise EngineError(f"{objection}, which is not shipped", _HINT)
    return archive


def _packed(folder: str, found: Sequence[bytes]) -> Steps[bytes]:
    call = Call(
        shipped_files.TAR,
        stdin=shipped_files.tar_input(found),
        timeout=None,
        env={"COPYFILE_DISABLE": "1"},  # macOS would add files of its own
        cwd=folder,
        shown="tar",
    )
    outcome: Outcome = yield from run(call)
    if outcome.code > 1 or (outcome.code and b"changed as we read it" not in outcome.err):
        raise EngineError(f"tar failed: {outcome.complaint}")
    return outcome.out


def _listed(folder: str) -> Steps[tuple[list[bytes], set[bytes], str]]:
    """Return the files to ship, those of them that git tracks, and how they were found."""
    calls = (shipped_files.GIT_TRACKED, shipped_files.GIT_OTHERS, shipped_files.GIT_DELETED)
    try:
        outcomes = yield from run_together([Call(call, cwd=folder) for call in calls])
    except EngineError:  # there is no git
        outcomes = []
    tracked, others, deleted = [shipped_files.names(one.out if one.ok else b"") for one in outcomes] or [[], [], []]
    if outcomes and outcomes[0].ok and (tracked or others):
        gone = set(deleted)
        return [name for name in (*tracked, *others) if name not in gone], set(tracked), "as git lists them"
    found = yield from run(Call(shipped_files.FIND, cwd=folder))
    if not found.ok:
        raise EngineError(f"the files of {folder} cannot be listed: {found.complaint}")
    patterns = yield from run(Call(("cat", ".dockerignore"), cwd=folder))
    ignored = shipped_files.Ignored(patterns.text if patterns.ok else "")
    how = "all but those in .dockerignore" if patterns.ok else "the whole folder"
    return [name for name in shipped_files.names(found.out) if name not in ignored], set(), how


def _shown(names: Sequence[bytes]) -> str:
    shown = ", ".join(name.decode("utf-8", "replace") for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
