"""Does: makes room for descriptors, and keeps what it raised from the children."""

from __future__ import annotations

PER_INSTANCE = 3  # descriptors: two streams, or a terminal and its other side while spawning
OWN = 256  # descriptors of ours, whatever the formation; most of them for clients of the control socket


class DescriptorLimit:
    """RLIMIT_NOFILE: raised for us where it is too low, the old value for each child.

    A child that gets a higher soft limit than usual may break: select(2) handles 1024, and some programs close every
    possible descriptor at start.
    """

    def __init__(self, instances: int) -> None:
        self._old: tuple[int, int] | None = None
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
            resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
            self._old = self._old or (soft, hard)

    def restore_in(self, pid: int) -> None:
        """Give the child `pid` the limit that we were given (prlimit(2); elsewhere it keeps ours)."""
        if self._old is None:
            return
        import resource

        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, self._old)
        except (AttributeError, OSError):
            pass  # no such call on macOS, or the child has ended already
