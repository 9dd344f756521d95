"""What instances tell us by sd_notify(3): that they are ready, what they do meanwhile, and that they are alive."""

from __future__ import annotations

import os
from functools import partial

from procman.core.text.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.runtime.processes.children import Children
    from procman.runtime.system.poller import Poller

    OnAnswer = Callable[[str], None]

MAX_SHOWN = 200  # characters of a STATUS


class Notifications:
    """The messages of all instances. The instance's own processes may send them, and those of our user and of root."""

    def __init__(self, poller: Poller, children: Children) -> None:
        self._poller = poller
        self._children = children
        self._listening: set[str] = set()
        self._awaited: dict[str, OnAnswer] = {}
        self._ready: set[str] = set()  # instances that were ready before anything waited for it
        self._alive: set[str] = set()  # instances that have sent WATCHDOG=1 since they were last asked

    def begin(self, name: str) -> None:
        """Listen to the new life of an instance, as long as the session lasts: a full socket would block the sender."""
        self._ready.discard(name)
        self._alive.discard(name)
        if name not in self._listening:
            self._listening.add(name)
            self._poller.add(self._children.sockets.notify.fileno(name), partial(self._on_messages, name))

    def await_ready(self, name: str, on_answer: OnAnswer) -> None:
        """Call ``on_answer("")`` once the instance is ready, and with each STATUS before that."""
        self._awaited[name] = on_answer
        if name in self._ready:
            self._answer_ready(name)

    def forget(self, name: str) -> None:
        """Wait no longer until the instance is ready."""
        self._awaited.pop(name, None)

    def was_alive(self, name: str) -> bool:
        """Return whether the instance has sent WATCHDOG=1 since the last call."""
        found = name in self._alive
        self._alive.discard(name)
        return found

    def _on_messages(self, name: str) -> None:
        for pid, uid, text in self._children.sockets.notify.messages(name):
            if self._may_send(name, pid, uid):
                for line in text.split("\n"):
                    self._on_line(name, line)

    def _may_send(self, name: str, pid: int, uid: int) -> bool:
        if uid in (0, os.geteuid()):
            return True
        child = self._children.of(name)
        return child is not None and pid in self._children.tree(child)

    def _on_line(self, name: str, line: str) -> None:
        key, _, value = line.partition("=")
        if line == "READY=1":
            self._ready.add(name)
            self._answer_ready(name)
        elif line == "WATCHDOG=1":
            self._alive.add(name)
        elif key == "STATUS" and value and name in self._awaited:
            self._awaited[name](printable(value[:MAX_SHOWN]))

    def _answer_ready(self, name: str) -> None:
        on_answer = self._awaited.pop(name, None)
        if on_answer is not None:
            on_answer("")
