"""Leaves the terminal when the shell takes it, and returns when it is ours again."""

from __future__ import annotations

from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.tty import in_foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procman.runtime.system.poller import Poller

    class Pausable(Protocol):
        """Something that uses the terminal."""

        def pause(self) -> None: ...
        def resume(self) -> None: ...


LOOK_INTERVAL = 1.0  # seconds


class JobControl(QuietComponent):
    """Whether our job has the terminal behind `fd`. What uses the terminal is paused and resumed accordingly."""

    def __init__(self, fd: int, *pausables: Pausable) -> None:
        self._fd = fd
        self._pausables = list(pausables)
        self._away = False
        self._look_at = 0.0

    def add(self, pausable: Pausable) -> None:
        """Pause and resume this one too."""
        self._pausables.append(pausable)

    def open(self, poller: Poller) -> None:
        """Begin in the background if the shell says so: `procman start &`."""
        self.look()

    def look(self) -> None:
        """Leave the terminal or return to it, whichever the shell has decided."""
        ours = in_foreground(self._fd)
        if self._away and ours:
            self._return()
        elif not self._away and not ours:
            self.leave()

    def leave(self) -> None:
        """Pause everything of ours on the terminal."""
        self._away = True
        for pausable in self._pausables:
            pausable.pause()

    def _return(self) -> None:
        self._away = False
        for pausable in self._pausables:
            pausable.resume()

    def next_deadline(self) -> float | None:
        """Return when to look again: no signal says that a running background job was brought to the front."""
        return self._look_at if self._away else None

    def tick(self, now: float) -> None:
        """While we are away, look whether the terminal is ours again."""
        if self._away:
            self.look()
            self._look_at = now + LOOK_INTERVAL
