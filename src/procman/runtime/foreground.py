"""Does: leaves the terminal when the shell takes it, and comes back when it is ours again."""

from __future__ import annotations

from procman.runtime.guest import QuietGuest
from procman.runtime.terminal import in_foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procman.runtime.poller import Poller

    class Pausable(Protocol):
        """Who has something on the terminal."""

        def pause(self) -> None: ...
        def resume(self) -> None: ...


class Foreground(QuietGuest):
    """Whether our job has the terminal behind `fd`. Those who have something on it are told when that changes."""

    def __init__(self, fd: int, *pausables: Pausable) -> None:
        self._fd = fd
        self._pausables = list(pausables)
        self._away = False

    def add(self, one: Pausable) -> None:
        """Tell `one` too."""
        self._pausables.append(one)

    def open(self, poller: Poller) -> None:
        """Begin in the background where the shell says so: `procman start &`."""
        if not in_foreground(self._fd):
            self.leave()

    def leave(self) -> None:
        """Take everything of ours off the terminal."""
        self._away = True
        for one in self._pausables:
            one.pause()

    def come_back(self) -> None:
        """Put it there again, if the terminal is ours."""
        if self._away and in_foreground(self._fd):
            self._away = False
            for one in self._pausables:
                one.resume()

    def tick(self, now: float) -> None:
        """No signal tells that a job which runs in the background was brought to the front: look while we are away."""
        if self._away:
            self.come_back()
