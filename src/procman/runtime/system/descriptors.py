"""Does: makes room for descriptors, and keeps what it raised from the children."""

from __future__ import annotations

import errno
import os

from procman.runtime.system.procfs import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PER_INSTANCE = 3  # descriptors: two streams, or a terminal and its other side while spawning
OWN = 256  # descriptors of ours, whatever the formation; most of them for clients of the control socket


class DescriptorLimit:
    """RLIMIT_NOFILE: raised for us where it is too low, the old value for each child, from its first moment on.

    A child that gets a higher soft limit than usual may break: select(2) handles 1024, and some programs close every
    possible descriptor at start. So it is spawned under the old limit, which bounds new descriptors only, and those
    that posix_spawn is told of (glibc): a child's streams go through ``null`` and two low numbers that are kept for it.
    """

    def __init__(self, instances: int, null: int) -> None:
        self._old: int | None = None  # the soft limit that we were given, once it is raised
        self._null = null
        self._low: tuple[int, ...] = ()
        self.make_room(instances)

    def make_room(self, instances: int) -> None:
        """Raise the limit, as far as we may, if it is too low for so many."""
        import resource

        needed = OWN + PER_INSTANCE * instances
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft >= needed:
            return
        room = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if room > soft:
            if self._old is None:
                self._low = self._low or self._keep_low()
            if _set_soft(room) and self._old is None:
                self._old = soft

    def has_room(self, descriptors: int) -> bool:
        """Whether so many more can be had, found by trying: the system has a limit, too, and we may have inherited some
        that nobody counts."""
        tried: list[int] = []
        try:
            while len(tried) < descriptors:
                tried.append(os.dup(self._null))
        except OSError:
            return False
        finally:
            for fd in tried:
                os.close(fd)
        return True

    def _keep_low(self) -> tuple[int, ...]:
        """Two numbers below the limit, while it is as it was; none when there are none."""
        try:
            first = os.dup(self._null)
        except OSError:
            return ()
        try:
            return first, os.dup(self._null)
        except OSError:
            os.close(first)
            return ()

    def lower_numbers(self, ends: Sequence[int]) -> tuple[int, ...]:
        """The same descriptors, under numbers that a child may be told of; they are ours until `release`."""
        if not self._low:
            return tuple(ends)
        for end, low in zip(dict.fromkeys(ends), self._low, strict=False):
            os.dup2(end, low, inheritable=False)
        return self._low[: len(ends)]

    def release(self) -> None:
        """The child has its streams: hold them no longer."""
        for low in self._low:
            os.dup2(self._null, low, inheritable=False)

    def spawn(self, start: Callable[[], int]) -> int:
        """Start a child under the limit that we were given; returns what ``start`` does, its pid.

        An administrator may have lowered ours since (prlimit(1)): then it is the child's as well, and stays so.
        """
        if self._old is None:
            return start()
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        old = min(self._old, soft)
        if not self._low:
            pid = start()
            _restore_in(pid, (old, hard))
            return pid
        _set_soft(old)
        try:
            return start()
        finally:
            _set_soft(soft)


def _set_soft(soft: int) -> bool:
    """Change our soft limit, as far as the hard one lets us now, and leave that as it is; False if we may not."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):  # ValueError: lowered in this very moment, or above what the system has (macOS)
        return False
    return True


def _restore_in(pid: int, limit: tuple[int, int]) -> None:
    """A moment late (prlimit(2)); on macOS the child keeps ours."""
    import resource

    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    except (AttributeError, OSError, ValueError):
        pass  # no such call on macOS, or the child has ended already


def close_inherited_on_exec() -> None:
    """Mark every inherited descriptor above 2 close-on-exec: a child gets 0, 1 and 2, whatever we were given."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for name in listing(folder):
        if name.isdigit() and int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError as error:
                if error.errno != errno.EBADF:  # the descriptor of the listing itself
                    raise


def let_go_of_streams() -> None:
    """Hold neither the reader's pipe nor the terminal: who waits for their end waits for the manager alone."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError:  # no descriptor to be had: then these are given back
        os.closerange(0, 3)
        return
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def open_standard_descriptors() -> None:
    """Open /dev/null for each of 0, 1 and 2 that is closed, so that no pipe of ours lands there."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this very one
