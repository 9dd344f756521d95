"""Tags every process that comes from an instance. A tag survives a cleared environment and a new session.

A process inherits its resource limits through fork and exec, and any process may read them. RLIMIT_LOCKS has limited
nothing since Linux 2.4.25 (getrlimit(2)), so its soft value is free to carry the number of an instance. If it cannot
be set or read, the environment is used instead.
"""

from __future__ import annotations

import os

from procman.runtime.system.procfs import environ_of

RLIMIT_LOCKS = 10  # asm-generic/resource.h; the module `resource` has no name for it
NUMBERS_PER_SESSION = 1 << 14  # one for each instance


class Tags:
    """The tags of the instances of one session; ``session`` is its PROCMAN_SESSION."""

    def __init__(self, session: str) -> None:
        self._session = f"PROCMAN_SESSION={session}".encode()
        self._first = int.from_bytes(os.urandom(5), "big") * NUMBERS_PER_SESSION  # so sessions differ
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._owners: dict[int, str | None] = {}  # by pid, so that each is looked up once

    def apply(self, name: str) -> None:
        """Make everything that is spawned from now on carry the tag of the instance ``name``."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = self._first + len(self._numbers)
            self._names[number] = name
        _limit_locks(number)

    def owner_of(self, pid: int) -> str | None:
        """Return the instance that ``pid``, an adopted process, comes from; None if unknown."""
        if pid not in self._owners:
            self._owners[pid] = self._names.get(_locks_of(pid)) or self._owner_by_environment(pid)
        return self._owners[pid]

    def forget(self, pid: int) -> None:
        """Forget a reaped ``pid``: another process may get its number."""
        self._owners.pop(pid, None)

    def _owner_by_environment(self, pid: int) -> str | None:
        variables = environ_of(pid).split(b"\0")
        names = [variable[17:].decode() for variable in variables if variable.startswith(b"PROCMAN_INSTANCE=")]
        return names[0] if names and self._session in variables else None


def _limit_locks(number: int) -> None:
    import resource

    try:
        resource.setrlimit(RLIMIT_LOCKS, (number, resource.getrlimit(RLIMIT_LOCKS)[1]))
    except (OSError, ValueError):
        pass  # the hard limit was lowered, or the system has no such limit


def _locks_of(pid: int) -> int:
    import resource

    try:
        return int(resource.prlimit(pid, RLIMIT_LOCKS)[0]) if hasattr(resource, "prlimit") else -1
    except (OSError, ValueError):
        return -1  # it is gone or another user's
