"""Does: leaves the terminal when the shell takes it, and comes back when it is ours again."""

from __future__ import annotations

from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.tty import in_foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procman.runtime.system.poller import Poller

    class Pausable(Protocol):
        """Who has something on the terminal."""

        def pause(self) -> None: ...
        def resume(self) -> None: ...


LOOK_AGAIN = 1.0  # seconds


class Foreground(QuietComponent):
    """Whether our job has the terminal behind `fd`. Those who have something on it are told when that changes."""

    def __init__(self, fd: int, *pausables: Pausable) -> None:
        self._fd = fd
        self._pausables = list(pausables)
        self._away = False
        self._look_at = 0.0

    def add(self, one: Pausable) -> None:
        """Tell `one` too."""
        self._pausables.append(one)

    def open(self, poller: Poller) -> None:
        """Begin in the background where the shell says so: `procman start &`."""
        self.look()

    def look(self) -> None:
        """Leave or come back, as the shell has decided."""
        ours = in_foreground(self._fd)
        if self._away and ours:
            self._come_back()
        elif not self._away and not ours:
            self.leave()

    def leave(self) -> None:
        """Take everything of ours off the terminal."""
        self._away = True
        for one in self._pausables:
            one.pause()

    def _come_back(self) -> None:
        self._away = False
        for one in self._pausables:
            one.resume()

    def next_deadline(self) -> float | None:
        """No signal tells that a job which runs in the background was brought to the front: look now and then."""
        return self._look_at if self._away else None

    def tick(self, now: float) -> None:
        """While we are away: is the terminal ours again?"""
        if self._away:
            self.look()
            self._look_at = now + LOOK_AGAIN
