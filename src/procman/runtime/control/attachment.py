"""Attaching: a client is the keyboard and the screen of one instance's terminal, through all of its lives."""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import DOWN, Action
from procman.errors import UsageError
from procman.output.messages.sentences import sentence
from procman.runtime.control.session import NotRunningError
from procman.runtime.control.tasks import Task
from procman.runtime.processes.pty import KEY_RETRY_INTERVAL, KeyQueue, Returns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.output.hub import Hub
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.pty import Pty

LAST_LINES = 20  # of history, shown first
IDLE_TIMEOUT = 1.0  # seconds without output after which a piped-in client has its answer
MAX_LEAVE_TIME = 5.0  # seconds, since some programs are never quiet


class Attachment(Task):
    """One client at one terminal. What the user types waits until the program reads it."""

    def __init__(self, client: Client, hub: Hub, children: Children, instance: Instance, size: tuple[int, int]) -> None:
        super().__init__(client)
        self._hub = hub
        self._children = children
        self.instance = instance
        self._size = size
        self._keys = KeyQueue()
        self._returns = Returns()
        self._active = False  # something was typed or shown since the last check
        self._leave_by = float("inf")  # the latest end, once nothing more will be typed
        self._idle_at = 0.0
        self._send_history()
        hub.taps[instance.name] = self._on_output
        self._apply_size()

    def _send_history(self) -> None:
        """Send the last lines and the unfinished line, which is most likely the prompt that the user wants to answer.

        The record is sent even if there is no output: the client is attached when it receives its first screen.
        """
        name = self.instance.name
        lines = self._hub.history.last(name, LAST_LINES)
        shown = b"".join(line + b"\r\n" for line in lines) + self._hub.history.unfinished(name)
        self.client.send({"screen": name}, self._with_returns(shown))

    def _on_output(self, chunk: bytes) -> None:
        self._active = True
        if self.client.full:
            self.client.skipped += 1
        elif chunk:
            self.client.send({"screen": self.instance.name}, self._with_returns(chunk))

    def _with_returns(self, chunk: bytes) -> bytes:
        return self._returns.add(self._pty, chunk)

    @property
    def _pty(self) -> Pty | None:
        child = self._children.of(self.instance.name)
        return child.pty if child else None

    def _apply_size(self) -> None:
        if self._pty is not None:
            self._pty.show_to(self._size)

    def resize(self, size: tuple[int, int]) -> None:
        """Set the size of the client's window, in rows and columns."""
        self._size = size
        self._apply_size()

    def type(self, keys: bytes) -> None:
        """Write typed keys to the program."""
        self._keys.add(keys)
        self._pass_on(0.0)

    def leave(self, now: float, patient: bool) -> None:
        """Finish, since nothing more will be typed: immediately, or, if ``patient``, once the program has answered."""
        self._leave_by = now + MAX_LEAVE_TIME if patient else now
        self._active = True
        self._is_answered(now)

    def _is_answered(self, now: float) -> bool:
        if self._active:
            self._active = False
            self._idle_at = now + IDLE_TIMEOUT
        due = min(self._idle_at, self._leave_by)
        self.deadline = min(due, now + KEY_RETRY_INTERVAL) if self._keys else due
        return now >= due

    def _pass_on(self, now: float) -> None:
        self._active |= self._keys.write_to(self._pty)
        self.deadline = now + KEY_RETRY_INTERVAL if self._keys else None
        self.client.set_reading(not self._keys.is_full)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Set the window size for a new life, and send a sentence for its start and its end."""
        if instance is not self.instance:
            return
        if action == Action.ANNOUNCE_STARTED:
            self._apply_size()
        if action in (Action.ANNOUNCE_STARTED, Action.ANNOUNCE_EXITED, Action.ANNOUNCE_STOPPED, Action.ANNOUNCE_FAILED):
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})

    def check(self, now: float) -> bool:
        """See Task.check. It is finished when the instance is down, or when a client that is leaving has its answer."""
        if self._keys:
            self._pass_on(now)
        is_left = self._leave_by < float("inf") and self._is_answered(now)
        if self.instance.state not in DOWN and not is_left:
            return False
        self.client.finish({"left": True, "unread": len(self._keys)} if is_left else None)
        return True

    def drop(self) -> None:
        """Release the terminal."""
        if self._hub.taps.get(self.instance.name) == self._on_output:
            del self._hub.taps[self.instance.name]
            if self._pty is not None:
                self._pty.show_to(None)


def attach(session: Session, client: Client, request: Request) -> None:
    """Attach the client to one instance. A client that was attached before gets a message and is detached."""
    chosen = session.chosen(session.resolver().expand((request.text,), absent=False))
    if len(chosen) > 1:
        raise UsageError(f"{request.text} matches {len(chosen)} instances", f"attach to one of them: {chosen[0].name}")
    instance = chosen[0]
    child = session.children.of(instance.name)
    if child is None:
        raise NotRunningError(f"{instance.name} is not running", f"procman start {instance.name}")
    if child.pty is None:
        raise NotRunningError(
            f"{instance.name} has pipes, not a terminal", "to attach, start the session in a terminal or with --pty"
        )
    if session.hub.passthrough is not None and session.hub.passthrough.on_output == session.hub.taps.get(instance.name):
        raise UsageError(f"{instance.name} has the terminal of procman start (primary)", "type there")
    for other, task in list(session.tasks.items()):
        if isinstance(task, Attachment) and task.instance is instance:
            other.finish({"over": "another client has attached"})
            session.forget(other)
    session.begin(Attachment(client, session.hub, session.children, instance, _size(request)))


def keys(session: Session, client: Client, request: Request) -> None:
    """Write typed keys to the program: bytes, each sent as the character with its number."""
    try:
        _attachment(session, client).type(request.text.encode("latin-1"))
    except UnicodeEncodeError:
        raise UsageError("keys must be bytes, each as one character up to U+00FF") from None


def resize(session: Session, client: Client, request: Request) -> None:
    """Set the size of the window."""
    _attachment(session, client).resize(_size(request))


def leave(session: Session, client: Client, request: Request) -> None:
    """Detach, since nothing more will be typed."""
    _attachment(session, client).leave(time.monotonic(), request.wait)


def _attachment(session: Session, client: Client) -> Attachment:
    task = session.tasks.get(client)
    if not isinstance(task, Attachment):
        raise UsageError("this connection is not attached to a process")
    return task


def _size(request: Request) -> tuple[int, int]:
    return max(1, min(request.rows, 65535)), max(1, min(request.columns, 65535))
