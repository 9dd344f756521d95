"""Descriptors: the limit, which is raised for us but not for children, and the three standard ones."""

from __future__ import annotations

import errno
import os
import sys

from procman.runtime.system.procfs import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PER_INSTANCE = 3  # descriptors: two streams, or both sides of a terminal while spawning
OWN = 256  # descriptors of our own, whatever the formation; most are for clients of the control socket


class Spare:
    """Keeps one descriptor free for imports, which happen late and must not fail when clients hold all the others.

    It is a finder in ``sys.meta_path``, which is called when a module is imported for the first time. It finds nothing,
    but closes the descriptor that it keeps, so that the finders behind it can read the file.
    """

    def __init__(self, null: int) -> None:
        self._null = null
        self._fd = -1
        self._process = 0  # in which imports are guarded, not in a fork of it

    def guard_imports(self) -> None:
        """From now on, keep a descriptor for imports."""
        self._process = os.getpid()
        self.take_back()
        sys.meta_path.insert(0, self)

    def find_spec(self, _name: str, _path: object = None, _target: object = None) -> None:
        """Make room for the file of a module."""
        fd, self._fd = self._fd, -1
        if fd >= 0 and self._process == os.getpid():
            os.close(fd)

    def take_back(self) -> None:
        """Keep a descriptor again, if it was closed and there is one."""
        if self._fd >= 0 or not self._process:
            return
        try:
            self._fd = os.dup(self._null)
        except OSError:  # tried again in the next turn
            return


class DescriptorLimit:
    """RLIMIT_NOFILE, raised for us if it is too low; each child gets the old value from its start.

    A child with a higher soft limit than usual may break: select(2) handles 1024, and some programs close every
    possible descriptor at their start. So children are spawned under the old limit. That only bounds new descriptors
    and those that posix_spawn is given (glibc), so a child's streams go through two low numbers that are reserved for
    this. Meanwhile these are copies of ``null``.
    """

    def __init__(self, instances: int, null: int) -> None:
        self._old: int | None = None  # the soft limit that we were given, if it was raised
        self._null = null
        self.spare = Spare(null)
        self._low: tuple[int, ...] = ()
        self._copies: list[int] = []
        self.make_room(instances)

    def make_room(self, instances: int) -> None:
        """Raise the limit as far as allowed, if it is too low for so many instances."""
        import resource

        needed = OWN + PER_INSTANCE * instances
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft >= needed:
            return
        room = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        if room > soft:
            if self._old is None:
                self._low = self._low or self._reserve_low()
            if _set_soft(room) and self._old is None:
                self._old = soft

    def has_room(self, descriptors: int) -> bool:
        """Return whether so many more descriptors are available.

        This tries, since the system has a limit too, and some descriptors may have been inherited.
        """
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

    def _reserve_low(self) -> tuple[int, ...]:
        """Reserve two numbers below the old limit; return none if they are not available."""
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
        """Return the same descriptors under numbers that posix_spawn accepts; they stay open until `release`."""
        if not self._low:
            return tuple(ends)
        for end, low in zip(dict.fromkeys(ends), self._low, strict=False):
            os.dup2(end, low, inheritable=False)
        return self._low[: len(ends)]

    def lower_copies(self, fds: Sequence[int], above: int) -> Sequence[int]:
        """Do the same for further descriptors, with numbers from `above` on, which are reserved at the first call."""
        if not self._low:
            return fds
        import fcntl

        while len(self._copies) < len(fds):
            self._copies.append(fcntl.fcntl(self._null, fcntl.F_DUPFD_CLOEXEC, above))
        for fd, low in zip(fds, self._copies, strict=False):
            os.dup2(fd, low, inheritable=False)
        return self._copies[: len(fds)]

    def release(self) -> None:
        """Close our copies of the child's descriptors."""
        for low in (*self._low, *self._copies):
            os.dup2(self._null, low, inheritable=False)

    def spawn(self, start: Callable[[], int]) -> int:
        """Start a child under the limit that we were given; return the result of ``start``, its pid.

        An administrator may have lowered our limit since (prlimit(1)): then the child gets that one, and we keep it.
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
    """Set our soft limit, at most to the hard one, which is left alone; return False if that is not allowed."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):  # ValueError: just lowered, or above what the system has (macOS)
        return False
    return True


def _restore_in(pid: int, limit: tuple[int, int]) -> None:
    """Set the child's limit, a moment late (prlimit(2)); on macOS the child keeps ours."""
    import resource

    try:
        if hasattr(resource, "prlimit"):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    except (OSError, ValueError):
        pass  # the child has ended already


def close_inherited_on_exec() -> None:
    """Mark every inherited descriptor above 2 close-on-exec, so that children only get 0, 1 and 2."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for name in listing(folder):
        if name.isdigit() and int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError as error:
                if error.errno != errno.EBADF:  # the descriptor of the listing itself
                    raise


def open_null() -> int:
    """Open /dev/null, or where there is none (a bare chroot) the reading end of a pipe without a writer."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise
    reader, writer = os.pipe()
    os.close(writer)
    return reader


def replace_by_null(fd: int) -> None:
    """Let a descriptor be /dev/null from now on."""
    null = open_null()
    os.dup2(null, fd, inheritable=False)
    os.close(null)


def close_streams() -> None:
    """Replace 0, 1 and 2 by /dev/null, so that readers of their pipes or terminal wait for the manager alone."""
    try:
        null = open_null()
    except OSError:  # no more descriptors: then close these
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
            _take_lowest(fd)


def _take_lowest(number: int) -> None:
    """Open /dev/null as `number`, the lowest one that is free."""
    null = open_null()
    if null != number:
        os.dup2(null, number)
        os.close(null)
