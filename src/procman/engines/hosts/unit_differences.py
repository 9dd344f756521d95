"""What a deployment would change: the version, where instances run, and the units, without secrets."""

from __future__ import annotations

import difflib
import hashlib

from procman.engines.hosts import host_scripts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from procman.engines.calls import Steps
    from procman.engines.hosts.deployed_record import Record
    from procman.engines.hosts.host_files import HostFiles
    from procman.engines.hosts.machines import Machines
    from procman.export.file import ExportFile


def differences(machines: Machines, files: Mapping[str, HostFiles], old: Record | None, new: Record) -> Steps[str]:
    """Return the lines of a unified diff; empty if nothing would change. What is the same on all hosts appears once."""
    outcomes = yield from machines.each("the comparison", files, host_scripts.INSTALLED)
    hosts: dict[tuple[str, ...], list[str]] = {}
    for host, found in files.items():
        hashes = _hashes(outcomes[host].text)
        shown = [file for file in found.files if not _is_spare(file.path, new)]
        changed = [file for file in shown if hashes.get(file.path) != _hash(file.content)]
        known = [file.path for file in changed if file.path in hashes and not file.is_secret]
        contents = yield from _contents(machines, host, known)
        changes = [_change(file, contents.get(file.path), exists=file.path in hashes) for file in changed]
        gone = {path for path in hashes if not _is_spare(path, new)} - {file.path for file in found.files}
        changes += [(f"{{}}: {path} would be removed",) for path in sorted(gone)]
        for change in changes:
            hosts.setdefault(change, []).append(machines.node(host))
    lines = [*_unified("deployed", "new", _summary(old), _summary(new))]
    lines += [line for change, found_on in hosts.items() for line in _titled(change, ", ".join(found_on))]
    return "\n".join(lines)


def _is_spare(path: str, record: Record) -> bool:
    """Whether the file is that of an instance that does not run: it is there for `scale`."""
    folder, _, name = path.rpartition("/")
    instance = name.rpartition(".")[0]
    return bool(folder) and instance.rpartition(".")[2].isdecimal() and instance not in record.instances


def _titled(change: tuple[str, ...], hosts: str) -> Iterator[str]:
    """Yield the lines with the hosts in the names of the files, which are in the first two."""
    yield from (line.replace("{}", hosts, 1) for line in change[:2])
    yield from change[2:]


def _summary(record: Record | None) -> list[str]:
    if record is None:
        return []
    placed = [
        f"{name} on {host}{' (stopped)' if name in record.stopped else ''}" for name, host in record.instances.items()
    ]
    return [f"version {record.version or '-'}", *placed]


def _unified(old_name: str, new_name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    return difflib.unified_diff(old, new, old_name, new_name, lineterm="")


def _change(file: ExportFile, content: str | None, *, exists: bool) -> tuple[str, ...]:
    name = f"{{}}: {file.path}"
    if file.is_secret:
        return (f"{name} would {'change' if exists else 'be written'} (secret: not shown)",)
    old, new = (content or "").splitlines(), file.content.splitlines()
    return tuple(_unified(name if exists else "/dev/null", name, old, new))


def _contents(machines: Machines, host: str, paths: Sequence[str]) -> Steps[dict[str, str]]:
    if not paths:
        return {}
    outcomes = yield from machines.each("the comparison", [host], host_scripts.READ, paths)
    data, found = outcomes[host].out, {}
    for path in paths:
        length, _, data = data.partition(b"\n")
        found[path] = data[: int(length)].decode("utf-8", "replace")
        data = data[int(length) :]
    return found


def _hashes(text: str) -> dict[str, str]:
    """Return the hash of each file by path, from the output of sha256sum."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()
