"""What process trees use: CPU and memory, from one snapshot of all processes (psutil), and their ports."""

from __future__ import annotations

import time

from procman.core.procfile.formation import url_of
from procman.runtime.system.descendants import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import psutil

    from procman.cli.control.connection import Record


class Usage:
    """The usage of one tree: ``seconds`` of CPU so far, ``percent`` of one CPU, resident ``memory`` in bytes.

    ``seconds`` is that of the living processes; ``all_seconds`` adds that of those which they have waited for.
    """

    __slots__ = ("all_seconds", "at", "memory", "percent", "processes", "seconds")

    def __init__(self) -> None:
        self.at = time.monotonic()
        self.seconds = 0.0
        self.all_seconds = 0.0
        self.percent = 0.0
        self.memory = 0
        self.processes = 0


def measure(uptimes: Mapping[int, float], before: Mapping[int, Usage]) -> dict[int, Usage]:
    """Return the usage of the trees below these pids.

    The percentage is that since ``before``, or over their whole lives. ``uptimes``: pid → seconds.
    """
    if not uptimes:
        return {}
    usages = {pid: Usage() for pid in uptimes}
    for root, process in _members(uptimes):
        _add(usages[root], process)
    for pid, usage in usages.items():
        earlier = before.get(pid)
        spent = usage.seconds - (earlier.seconds if earlier else 0.0)
        during = usage.at - earlier.at if earlier else uptimes[pid]
        usage.percent = max(0.0, 100 * spent / during) if during > 0 else 0.0
    return usages


def note_ports(rows: Iterable[Record]) -> None:
    """Note in rows of ``ps`` that an instance uses its port if it listens on it, although its command does not name it.

    A port that no check mentions either is taken for that of a web server, as if the command named it.
    """
    open_rows = [row for row in rows if not row.get("has_port")]
    ports: dict[int, int] = {}
    for row in open_rows:
        pid, port = row.get("pid"), row.get("port")
        if isinstance(pid, int) and isinstance(port, int):
            ports[pid] = port
    listening: Collection[object] = _listening(ports) if ports else ()
    for row in open_rows:
        if row.get("pid") in listening:
            row["has_port"] = True
            row["url"] = url_of(row["port"])


def _listening(ports: Mapping[int, int]) -> set[int]:
    """Return the pids in whose trees a process listens on the TCP port of the tree, as far as the system tells.

    One look at the system is for all of them.
    """
    from procman.runtime.system.listeners import holds, inodes_of, sees_listeners
    from procman.runtime.system.port_owner import busy_ports

    busy = busy_ports({*ports.values()})
    roots = [pid for pid, port in ports.items() if port in busy]
    if not roots:
        return set()
    if sees_listeners():
        inodes = inodes_of(busy)
        return {root for root, process in _members(roots) if holds(process.pid, inodes.get(ports[root], frozenset()))}
    pids = _pids_by_port()
    return {root for root, process in _members(roots) if process.pid in pids.get(ports[root], ())}


def _pids_by_port() -> dict[int, set[int | None]]:
    """Return which processes use a TCP port; nothing where only root may know."""
    import psutil

    found: dict[int, set[int | None]] = {}
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr:
                found.setdefault(connection.laddr.port, set()).add(connection.pid)
    except (psutil.Error, OSError):
        return {}
    return found


def _members(roots: Iterable[int]) -> list[tuple[int, psutil.Process]]:
    """Return every process that descends from one of the roots or is in its session.

    The session also finds processes whose parent has died.
    """
    import psutil

    wanted = set(roots)
    table = {process.pid: process for process in psutil.process_iter(["ppid"])}
    parents = {pid: process.info["ppid"] for pid, process in table.items()}
    found = []
    for pid, process in table.items():
        root = _root_of(pid, parents, wanted)
        if root is not None:
            found.append((root, process))
    return found


def _root_of(pid: int, parents: Mapping[int, int | None], wanted: set[int]) -> int | None:
    session = session_of(pid)
    if session in wanted:
        return session
    at: int | None = pid
    for _ in range(len(parents)):
        if at is None or at in wanted or at <= 1:
            break
        at = parents.get(at)
    return at if at in wanted else None


def _add(usage: Usage, process: psutil.Process) -> None:
    import psutil

    try:
        times = process.cpu_times()
        usage.memory += process.memory_info().rss
    except psutil.Error:
        return  # it has just exited
    usage.seconds += times.user + times.system
    usage.all_seconds += times.user + times.system
    usage.all_seconds += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)  # POSIX only
    usage.processes += 1
