"""Remembers which linked worktree has which slot, so that its ports stay the same and are those of no other one.

They are lines of ``$XDG_STATE_HOME/procman/worktrees``: the slot, a space, and the path of the worktree, with
``%`` and newlines as ``%25`` and ``%0A``.
"""

from __future__ import annotations

import errno
import os
import time

from procman.config.reading import open_flags
from procman.config.state_folder import state_folder
from procman.core.procfile.formation import DEFAULT_PORT, base_in_worktree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SLOTS = range(1, 27)  # 5000 + 26 * 1000: from 32768 on, the system gives ports to clients
LOCK_TIMEOUT = 2.0  # seconds
LOCK_RETRY_INTERVAL = 0.01  # seconds
MAX_SIZE = 1 << 20  # bytes that are read
# Browsers refuse these (fetch.spec.whatwg.org, "port blocking"), of those that a base may become.
REFUSED_BY_BROWSERS = {
    *(1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
    *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
}


def slot_of(worktree: str, port: int | None, environ: Mapping[str, str]) -> tuple[int, str]:
    """Return the slot of a worktree, and a warning or an empty string. `port` is the base, None for the usual one.

    It is remembered. If that is impossible, it is the one that the path suggests.
    """
    base = DEFAULT_PORT if port is None else port
    known: dict[str, int] = {}
    try:
        folder = state_folder(environ)
        known = _read(f"{folder}/worktrees")
        slot = known.get(worktree, 0)
        if not _suits(slot, base) or any(_others(known, worktree, slot)):
            slot = _settle(folder, worktree, base)
            known = _read(f"{folder}/worktrees")
    except OSError as error:
        slot = _choose(worktree, base, {*known.values()})
        reason = (error.strerror or str(error)).lower()
        return slot, f"the ports of this worktree are not remembered, so another one may get them: {reason}"
    other = next(_others(known, worktree, slot), "")
    shared = f"all ranges of ports for worktrees are taken, so this one has the ports of {other}"
    return slot, shared if other else ""


def _settle(folder: str, worktree: str, base: int) -> int:
    """Choose a slot and remember it; forget the worktrees that are gone. Raises OSError."""
    os.makedirs(folder, 0o700, exist_ok=True)
    with _Lock(folder):
        path = f"{folder}/worktrees"
        known = {other: slot for other, slot in _read(path).items() if _is_there(other)}
        mine = known.pop(worktree, 0)
        taken = {*known.values()}
        slot = mine if _suits(mine, base) and mine not in taken else _choose(worktree, base, taken)
        _write(path, {**known, worktree: slot})
        return slot


def _choose(worktree: str, base: int, taken: set[int]) -> int:
    """Return the slot that the path suggests, or the next one that is not taken. If all are, it shares one."""
    from zlib import crc32

    first = crc32(os.fsencode(worktree)) % len(SLOTS)
    order: list[int] = [slot for slot in (*SLOTS[first:], *SLOTS[:first]) if _suits(slot, base)]
    return next((slot for slot in order if slot not in taken), order[0])


def _suits(slot: int, base: int) -> bool:
    return slot in SLOTS and base_in_worktree(base, slot) not in REFUSED_BY_BROWSERS


def _others(known: Mapping[str, int], worktree: str, slot: int) -> Iterator[str]:
    """Yield the other worktrees that have this slot, too."""
    return (path for path, taken in known.items() if taken == slot and path != worktree and _is_there(path))


def _is_there(worktree: str) -> bool:
    return os.path.isfile(f"{worktree}/.git")


def _read(path: str) -> dict[str, int]:
    """Return the slot of each path; nothing of a line that is damaged. Raises OSError."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            lines = file.read(MAX_SIZE).split(b"\n")
    except FileNotFoundError:
        return {}
    known: dict[str, int] = {}
    for line in lines:
        slot, _, name = line.partition(b" ")
        if slot.isdigit() and len(slot) < 3 and int(slot) in SLOTS and name.startswith(b"/"):
            known[os.fsdecode(name).replace("%0A", "\n").replace("%25", "%")] = int(slot)
    return known


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, or a pipe without a writer."""
    return os.open(path, flags | open_flags("O_NONBLOCK", "O_NOCTTY"))


def _write(path: str, known: Mapping[str, int]) -> None:
    escaped = ((slot, name.replace("%", "%25").replace("\n", "%0A")) for name, slot in known.items())
    draft = f"{path}.new"  # we hold the lock, so one that is there is of a process that was killed
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(b"".join(b"%d %s\n" % (slot, os.fsencode(name)) for slot, name in escaped))
        os.replace(draft, path)
    except OSError:  # the disk is full, for example
        os.unlink(draft)
        raise


class _Lock:
    """The lock of the folder. One that is held for seconds belongs to a process that is suspended."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        import fcntl

        self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        until = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno != errno.EWOULDBLOCK or time.monotonic() >= until:
                    os.close(self._fd)
                    raise
            time.sleep(LOCK_RETRY_INTERVAL)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
