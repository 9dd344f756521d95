"""The steps of an engine's work: commands to run, pauses, reports. An engine yields them; the runner performs them.

An engine's verb is a generator without any I/O of its own. So a test can feed it recorded answers.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from procman.engines.records import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from procman.engines.records import InstanceState

T = TypeVar("T")

Steps = Generator["Step", Any, T]  # T is what the work returns

TIMEOUT = 60.0  # seconds that a command of an engine may take


@dataclass(frozen=True, slots=True)
class Call:
    """A command to run here. Its answer is an ``Outcome``.

    ``stdin`` is all of its input: secrets go there, never into ``argv``. ``env`` is added to the environment, and
    ``cwd`` is the folder to run in. ``shown`` names the command in messages. ``passes_output`` lets its output through
    to stderr, for a build of the user's. ``timeout`` is in seconds; None means without a limit.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout: float | None = TIMEOUT
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    shown: str = ""
    passes_output: bool = False

    @property
    def title(self) -> str:
        """What messages call the command."""
        return self.shown or " ".join(self.argv[:3])


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: its exit code (128 + the number of a signal) and its output.

    If it took too long, it was killed, and ``code`` is 124.
    """

    code: int
    out: bytes = b""
    err: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.code == 0

    @property
    def text(self) -> str:
        """The standard output as text."""
        return self.out.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """The last line that the command wrote to stderr, else to stdout, for a message."""
        lines = (self.err or self.out).decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else f"exit code {self.code}"


@dataclass(frozen=True, slots=True)
class Together:
    """Calls that run at the same time. Their answer is a list of an ``Outcome`` for each, in the same order."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Now:
    """The answer is the time, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class PrivateFolder:
    """The answer is the path of a folder that no other user may enter, for sockets; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Report:
    """Progress to show: a sentence, or the new state of an instance (then ``text`` may add something to it)."""

    text: str = ""
    instance: InstanceState | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """The failure card of an instance that did not come up: its state, and the last lines that it wrote."""

    instance: InstanceState
    lines: tuple[str, ...] = ()


def _nothing(_call: Call) -> Iterable[Followed]:
    return ()


@dataclass(frozen=True, slots=True)
class Stop:
    """End a call of a Follow that would not end by itself. What it has written already is still read."""

    call: Call


@dataclass(frozen=True, slots=True)
class Follow:
    """Run several calls at the same time and read their output line by line, until all have ended.

    ``read`` gets the call, the stream ("stdout" or "stderr") and a line without its end. It returns what to show, calls
    to follow as well, such as those of an instance that is new, and calls to stop. ``ended`` gets a call that has
    closed its output, unless it was stopped, and returns the same: a connection may be cut after an hour, and followed
    again. The answer is None.
    """

    calls: tuple[Call, ...]
    read: Callable[[Call, str, bytes], Iterable[Followed]]
    ended: Callable[[Call], Iterable[Followed]] = _nothing


Followed = LogLine | Report | Call | Stop  # what a line or the end of a call may mean


@dataclass(frozen=True, slots=True)
class Interactive:
    """Run a call that has the terminal, or our own standard streams. Its answer is the exit code.

    ``stdin`` and ``timeout`` of the call do not apply.
    """

    call: Call


Step = Call | Together | Pause | Now | PrivateFolder | Report | LogLine | Card | Follow | Interactive


# So that the type of an answer is known: outcome = yield from run(Call(…))


def run(call: Call) -> Steps[Outcome]:
    """Run a command."""
    outcome: Outcome = yield call
    return outcome


def run_together(calls: Iterable[Call]) -> Steps[list[Outcome]]:
    """Run commands at the same time."""
    outcomes: list[Outcome] = yield Together(tuple(calls))
    return outcomes


def now() -> Steps[float]:
    """Return the time, in seconds since the epoch."""
    moment: float = yield Now()
    return moment


def private_folder() -> Steps[str]:
    """Return a folder for sockets, empty if none is safe."""
    folder: str = yield PrivateFolder()
    return folder


def interact(call: Call) -> Steps[int]:
    """Run a command that has the terminal, and return its exit code."""
    code: int = yield Interactive(call)
    return code
