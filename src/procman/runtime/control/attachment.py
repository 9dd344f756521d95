"""Does: lets a client be the keyboard and the screen of one instance's terminal, through all of its lives."""

from __future__ import annotations

import os
import time

from procman.core.lifecycle.transitions import DOWN, Action
from procman.errors import UsageError
from procman.output.messages.sentences import sentence
from procman.runtime.control.session import NotRunningError
from procman.runtime.control.tasks import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.output.hub import Hub
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session
    from procman.runtime.processes.children import Children
    from procman.runtime.processes.pty import Pty

MOST_KEYS = 64 << 10  # bytes that may wait for a program that does not read
AGAIN = 0.02  # seconds until a full terminal is tried again
LAST_LINES = 20
QUIET = 1.0  # seconds without a word of the program: who types no more has had his answer
LEAVE_WITHIN = 5.0  # seconds, since some programs are never quiet
_FULL_SCREEN = (b"\x1b[H", b"\x1b[2J", b"\x1b[?1049h", b";1H")  # what no line-by-line program says


class Attachment(Task):
    """One client at one terminal. What it types may have to wait until the program reads."""

    def __init__(self, client: Client, hub: Hub, children: Children, instance: Instance, size: tuple[int, int]) -> None:
        super().__init__(client)
        self._hub = hub
        self._children = children
        self.instance = instance
        self._size = size
        self._keys = bytearray()
        self._places_cursor = False
        self._stirred = False  # something was typed or shown since it was last looked at
        self._end = float("inf")  # when it is over at the latest, for who types no more
        self._quiet_at = 0.0
        self._greet()
        hub.taps[instance.name] = self._show
        self._fit()

    def _greet(self) -> None:
        """What it said last, and the line that it has not ended: most likely the prompt that somebody came for. Though
        it may have said nothing: the client is in when it hears of a screen."""
        name = self.instance.name
        lines = self._hub.history.last(name, LAST_LINES)
        said = b"".join(line + b"\r\n" for line in lines) + self._hub.history.unfinished(name)
        self.client.send({"screen": name}, self._with_returns(said))

    def _show(self, chunk: bytes) -> None:
        self._stirred = True
        if self.client.full:
            self.client.skipped += 1
        elif chunk:
            self.client.send({"screen": self.instance.name}, self._with_returns(chunk))

    def _with_returns(self, chunk: bytes) -> bytes:
        """Put a return before each newline, as a terminal would, where the child's own does not.

        We have asked it to, but readline puts back at every prompt what it found at the first. Programs that place
        the cursor themselves mean a bare newline, until they give the program whole lines again.
        """
        pty = self._pty
        adds_returns, whole_lines = pty.modes() if pty is not None else (True, True)
        if whole_lines:
            self._places_cursor = False
        if not adds_returns and any(mark in chunk for mark in _FULL_SCREEN):
            self._places_cursor = True
        if adds_returns or self._places_cursor or b"\n" not in chunk:
            return chunk
        return chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    @property
    def _pty(self) -> Pty | None:
        child = self._children.of(self.instance.name)
        return child.pty if child else None

    def _fit(self) -> None:
        if self._pty is not None:
            self._pty.show_to(self._size)

    def resize(self, size: tuple[int, int]) -> None:
        """The client's window has another size, in rows and columns."""
        self._size = size
        self._fit()

    def type(self, keys: bytes) -> None:
        """Pass on what was typed."""
        self._keys += keys
        self._pass_on(0.0)

    def leave(self, now: float, patient: bool) -> None:
        """Nothing more will be typed: be over when the program has answered what was, or at once."""
        self._end = now + LEAVE_WITHIN if patient else now
        self._stirred = True
        self._is_answered(now)

    def _is_answered(self, now: float) -> bool:
        if self._stirred:
            self._stirred = False
            self._quiet_at = now + QUIET
        due = min(self._quiet_at, self._end)
        self.deadline = min(due, now + AGAIN) if self._keys else due
        return now >= due

    def _pass_on(self, now: float) -> None:
        pty = self._pty
        try:
            while self._keys and pty is not None:
                del self._keys[: os.write(pty.master, bytes(self._keys[:1024]))]
                self._stirred = True
        except BlockingIOError:
            pass  # the program does not read: later
        except OSError:
            self._keys.clear()  # nobody will ever read them
        self.deadline = now + AGAIN if self._keys else None
        self.client.listen(len(self._keys) < MOST_KEYS)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """A new life gets the same screen; the end of one is told."""
        if instance is not self.instance:
            return
        if action == Action.TELL_STARTED:
            self._fit()
        if action in (Action.TELL_STARTED, Action.TELL_EXITED, Action.TELL_STOPPED, Action.TELL_FAILED):
            self.client.send({"say": sentence(action, instance, now, self.hindrances)})

    def check(self, now: float) -> bool:
        """See Task.check: over, when the instance is at rest, or who types no more has his answer."""
        if self._keys:
            self._pass_on(now)
        is_left = self._end < float("inf") and self._is_answered(now)
        if self.instance.state not in DOWN and not is_left:
            return False
        self.client.finish({"left": True, "unread": len(self._keys)} if is_left else None)
        return True

    def drop(self) -> None:
        """Give the terminal back."""
        if self._hub.taps.get(self.instance.name) == self._show:
            del self._hub.taps[self.instance.name]
            if self._pty is not None:
                self._pty.show_to(None)


def attach(session: Session, client: Client, request: Request) -> None:
    """Be keyboard and screen of one instance; who was that before is told."""
    chosen = session.chosen(session.resolver().expand((request.text,), absent=False))
    if len(chosen) > 1:
        raise UsageError(f"{request.text} means {len(chosen)} instances", f"attach to one of them: {chosen[0].name}")
    instance = chosen[0]
    child = session.children.of(instance.name)
    if child is None:
        raise NotRunningError(f"{instance.name} is not running", f"procman start {instance.name}")
    if child.pty is None:
        raise NotRunningError(
            f"{instance.name} has pipes, no terminal to attach to", "start the session in a terminal, or with --pty"
        )
    if session.hub.passthrough is not None and session.hub.passthrough.on_output == session.hub.taps.get(instance.name):
        raise UsageError(f"{instance.name} has the terminal of procman start (primary)", "type there")
    for other, task in list(session.tasks.items()):
        if isinstance(task, Attachment) and task.instance is instance:
            other.finish({"over": "somebody else has attached"})
            session.forget(other)
    session.begin(Attachment(client, session.hub, session.children, instance, _size(request)))


def keys(session: Session, client: Client, request: Request) -> None:
    """What was typed: bytes, each as the character of its number."""
    try:
        _attachment(session, client).type(request.text.encode("latin-1"))
    except UnicodeEncodeError:
        raise UsageError("keys are bytes, each as one character up to U+00FF") from None


def resize(session: Session, client: Client, request: Request) -> None:
    """The window has another size."""
    _attachment(session, client).resize(_size(request))


def leave(session: Session, client: Client, request: Request) -> None:
    """Nothing more will be typed."""
    _attachment(session, client).leave(time.monotonic(), request.wait)


def _attachment(session: Session, client: Client) -> Attachment:
    task = session.tasks.get(client)
    if not isinstance(task, Attachment):
        raise UsageError("that is for who is attached")
    return task


def _size(request: Request) -> tuple[int, int]:
    return max(1, min(request.rows, 65535)), max(1, min(request.columns, 65535))
