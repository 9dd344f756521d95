"""Waits for descriptors and returns the callbacks to call: epoll on Linux, `selectors` elsewhere.

`selectors` is a thin layer over epoll, but its import costs as much as that of ten of our modules.
"""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = 1
WRITE = 4  # the values of EPOLLIN and EPOLLOUT
MAX_WAIT = 86400.0  # seconds, less than 2**31 milliseconds, the limit of the kernel; a longer wait is several
HANG_UP_INTERVAL = 0.5  # seconds


class EpollPoller:
    """Descriptors and their callbacks on epoll(7). Errors and hang-ups are always reported."""

    def __init__(self) -> None:
        assert hasattr(select, "epoll")
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}

    def fileno(self) -> int:
        """Return the descriptor of epoll itself, which is readable when one of its descriptors is ready."""
        return int(self._epoll.fileno())

    def add(self, fd: int, callback: Callable[[], None], events: int = READ) -> None:
        """Return `callback` from `ready` whenever `fd` is ready for `events`.

        Raises OSError; for a regular file, PermissionError.
        """
        self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def change(self, fd: int, events: int) -> None:
        """Wait for other events of `fd`, if it was added; with 0, only for errors and hang-ups."""
        if fd in self._callbacks:
            self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Forget `fd`, before it is closed."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def ready(self, timeout: float | None) -> list[Callable[[], None]]:
        """Return the callbacks of what is ready within `timeout` seconds; None waits without limit."""
        events = self._epoll.poll(-1 if timeout is None else min(timeout, MAX_WAIT))
        callbacks = self._callbacks
        return [callbacks[fd] for fd, _ in events if fd in callbacks]

    def close(self) -> None:
        """Close the descriptor."""
        self._epoll.close()


class SelectorPoller:
    """The same on `selectors`, for systems without epoll.

    kqueue has no event for a hang-up alone. So descriptors without events are looked at every HANG_UP_INTERVAL.
    """

    def __init__(self) -> None:
        import selectors

        self._selector = selectors.DefaultSelector()
        self._events = {READ: selectors.EVENT_READ, WRITE: selectors.EVENT_WRITE}
        self._idle: dict[int, Callable[[], None]] = {}

    def fileno(self) -> int:
        """Return the descriptor of kqueue itself, which is pollable."""
        return int(self._selector.fileno())

    def add(self, fd: int, callback: Callable[[], None], events: int = READ) -> None:
        """See EpollPoller.add."""
        mask = sum(value for bit, value in self._events.items() if events & bit)
        if mask:
            self._selector.register(fd, mask, callback)
        else:
            self._idle[fd] = callback

    def change(self, fd: int, events: int) -> None:
        """See EpollPoller.change."""
        callback = self._idle.pop(fd, None)
        if callback is None and fd in self._selector.get_map():
            callback = self._selector.unregister(fd).data
        if callback is not None:
            self.add(fd, callback, events)

    def remove(self, fd: int) -> None:
        """See EpollPoller.remove."""
        if self._idle.pop(fd, None) is None and fd in self._selector.get_map():
            self._selector.unregister(fd)

    def ready(self, timeout: float | None) -> list[Callable[[], None]]:
        """See EpollPoller.ready."""
        if self._idle:
            timeout = HANG_UP_INTERVAL if timeout is None else min(timeout, HANG_UP_INTERVAL)
        callbacks = [key.data for key, _ in self._selector.select(None if timeout is None else min(timeout, MAX_WAIT))]
        return callbacks + [callback for fd, callback in self._idle.items() if has_hung_up(fd)]

    def close(self) -> None:
        """See EpollPoller.close."""
        self._selector.close()


def has_hung_up(fd: int) -> bool:
    """Return whether the other side of `fd` is gone, which poll(2) always reports."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))


if TYPE_CHECKING:
    Poller = EpollPoller
else:
    Poller = EpollPoller if hasattr(select, "epoll") else SelectorPoller
