"""Control groups of version 2 (cgroups(7)): a folder that is delegated to us, and a group in it for one life."""

from __future__ import annotations

import errno
import os

from procman.runtime.system.oom_kills import counted
from procman.runtime.system.procfs import content, parent_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MEMORY, CPU, PIDS = "memory", "cpu", "pids"  # controllers
CONTROLLERS = (MEMORY, CPU, PIDS)
CPU_PERIOD = 100_000  # microseconds, the kernel's default
MOST_ROUNDS = 20  # of moving what has been forked meanwhile
OWN_GROUP = "procman"  # where our own processes go: a group with controllers for its groups must not have any itself
SYSTEMD = "/run/systemd/system"  # exists if systemd manages the groups
_DELEGATED = ("user.delegate", "trusted.delegate")  # attributes that systemd sets


class NoGroupError(Exception):
    """There is no group for limits; the message says why, as a clause."""


def own_folder(mounts: str = "/proc/self/mountinfo", groups: str = "/proc/self/cgroup") -> str:
    """Return the folder of our own group. Raises NoGroupError."""
    try:
        lines = content(groups).decode("utf-8", "surrogateescape").splitlines()
        mounted = content(mounts).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        raise NoGroupError("this system has no cgroups") from None
    path = next((line[3:] for line in lines if line.startswith("0::")), "")
    for line in mounted:
        fields = line.split()
        if "cgroup2" in fields[fields.index("-") :] and path and not path.startswith("/.."):
            root = fields[3].rstrip("/")
            return f"{fields[4]}{path.removeprefix(root)}".rstrip("/")
    raise NoGroupError("this system has no cgroup v2")


def claim(folder: str, ours: int) -> frozenset[str]:
    """Prepare the folder for groups of our own, and return the controllers that they have. Raises NoGroupError.

    ``ours`` is the outermost of our processes. All processes of the folder must be ours, since they have to move.
    """
    try:
        known = frozenset(_words(f"{folder}/cgroup.controllers")) & {*CONTROLLERS}
        if not known:
            raise NoGroupError("cgroup v2 has no controllers here")
        _require_delegated(folder)
        if not known <= frozenset(_words(f"{folder}/cgroup.subtree_control")):
            _enable(folder, known, ours)
    except OSError as error:
        raise NoGroupError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
    return known


def _require_delegated(folder: str) -> None:
    """Raise NoGroupError if the folder is not ours to change: systemd marks what it has delegated."""
    if not os.access(folder, os.W_OK) or not os.access(f"{folder}/cgroup.procs", os.W_OK):
        raise NoGroupError(f"{folder} is not delegated to this user")
    if os.path.isdir(SYSTEMD) and not any(_attribute(folder, name) == b"1" for name in _DELEGATED):
        raise NoGroupError(f"{folder} is managed by systemd")


def _attribute(folder: str, name: str) -> bytes:
    try:
        return os.getxattr(folder, name) if hasattr(os, "getxattr") else b""
    except OSError:
        return b""


def _enable(folder: str, controllers: Iterable[str], ours: int) -> None:
    """Give the folder's groups these controllers. Raises NoGroupError and OSError.

    The kernel refuses that with EBUSY while the folder itself has processes, and they fork while they are being moved.
    """
    text = " ".join(f"+{name}" for name in sorted(controllers))
    for _ in range(MOST_ROUNDS):
        _make_room(folder, ours)
        try:
            write(f"{folder}/cgroup.subtree_control", text)
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
    raise NoGroupError(f"{folder} gets new processes faster than they can be moved")


def _make_room(folder: str, ours: int) -> None:
    """Move our processes into a group of their own. Raises NoGroupError if the folder has others."""
    present = [int(word) for word in _words(f"{folder}/cgroup.procs")]
    if any(_is_foreign(pid, ours) for pid in present):
        raise NoGroupError(f"{folder} has processes of others")
    if present:
        os.makedirs(f"{folder}/{OWN_GROUP}", exist_ok=True)
        admit(f"{folder}/{OWN_GROUP}", present)


def _is_foreign(pid: int, ours: int) -> bool:
    """Return whether a process is alive, and neither ``ours`` nor below it. One that ends while we look is not."""
    ancestor: int | None = pid
    while ancestor not in (ours, None):
        if ancestor == 0:
            return True
        ancestor = parent_of(ancestor)
    return False


def _words(path: str) -> list[str]:
    return content(path).decode().split()


def write(path: str, text: str) -> None:
    """Write to a file of a group with one call, as the kernel demands."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def admit(group: str, pids: Iterable[int]) -> None:
    """Move processes into a group. One that has just ended does not matter."""
    for pid in pids:
        try:
            write(f"{group}/cgroup.procs", str(pid))
        except ProcessLookupError:
            pass


class ControlGroup:
    """The group of one life."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def create(self, memory: int | None, cpus: float | None, pids: int | None) -> None:
        """Create it with its limits; None means no limit. Raises OSError."""
        os.mkdir(self.folder)
        if memory is not None:
            write(f"{self.folder}/memory.max", str(memory))
            self.kill_together()
        if cpus is not None:
            write(f"{self.folder}/cpu.max", f"{round(cpus * CPU_PERIOD)} {CPU_PERIOD}")
        if pids is not None:
            write(f"{self.folder}/pids.max", str(pids))

    def kill_together(self) -> None:
        """If memory runs out, let the kernel kill all of the group: half of an application is of no use."""
        try:
            write(f"{self.folder}/memory.oom.group", "1")
        except OSError:
            pass  # before Linux 4.19

    @property
    def is_there(self) -> bool:
        """Whether it still exists: systemd removes a scope soon after its last process has ended."""
        return os.path.isdir(self.folder)

    @property
    def kills_around(self) -> int | None:
        """How many processes the kernel has killed in the group that this one is in, and in all groups below that."""
        return counted(f"{os.path.dirname(self.folder)}/memory.events")

    @property
    def has_lost_some(self) -> bool:
        """Whether the kernel has killed a process of it for a lack of memory, of its own or of the machine."""
        return bool(counted(f"{self.folder}/memory.events"))

    @property
    def reached_its_limit(self) -> bool:
        """Whether its own limit was why (cgroup-v2.rst, memory.events: ``oom``)."""
        return bool(counted(f"{self.folder}/memory.events", b"oom"))

    def holds(self, memory: int | None, cpus: float | None, pids: int | None) -> bool:
        """Return whether it has files for these limits: in a group without the controller, a limit has no effect."""
        limits = {"memory.max": memory, "cpu.max": cpus, "pids.max": pids}
        return all(os.path.exists(f"{self.folder}/{name}") for name, limit in limits.items() if limit is not None)

    @property
    def most_memory(self) -> int | None:
        """The most memory that it has ever used, in bytes; None before Linux 5.19."""
        try:
            return int(content(f"{self.folder}/memory.peak"))
        except (OSError, ValueError):
            return None

    def remove(self) -> bool:
        """Remove it; return False if it still has processes."""
        try:
            os.rmdir(self.folder)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        return True
