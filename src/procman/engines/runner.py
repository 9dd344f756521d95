"""Performs the steps of an engine: the only file of this ring that starts programs and reads the clock."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from procman.engines.calls import (
    Call,
    Card,
    Follow,
    Interactive,
    Now,
    Outcome,
    Pause,
    PrivateFolder,
    Report,
    Stop,
    Together,
)
from procman.engines.ending_signals import EndedError, EndingSignals, held_signals
from procman.engines.interface import EXIT_TIMEOUT, EngineError
from procman.engines.private_folder import private_folder
from procman.engines.records import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import IO, TypeVar

    from procman.engines.calls import Followed, Step, Steps

    T = TypeVar("T")

_CHUNK = 1 << 16  # bytes
_TOGETHER = 8  # calls at the same time: sshd refuses some of more than 10 that begin to log in
_GRACE = 2.0  # seconds between TERM and KILL for a command that is interrupted


class Runner:
    """Performs steps. ``show`` gets what is to be shown: reports, cards and log lines."""

    def __init__(self, show: Callable[[Report | Card | LogLine], None]) -> None:
        self._show = show
        # A clock that is set back must not make a time limit longer.
        self._epoch = time.time() - time.monotonic()

    def perform(self, steps: Steps[T]) -> T:
        """Perform the steps and return their result.

        What goes wrong in a step, Ctrl-C included, is raised where the step is yielded, so that the work can clean up.
        So does EndedError, for TERM and for a hang-up. A second signal within some seconds does nothing.
        """
        with EndingSignals():
            return self._work(steps)

    def _work(self, steps: Steps[T]) -> T:
        answer: object = None
        raised: BaseException | None = None
        while True:
            try:
                step = steps.send(answer) if raised is None else steps.throw(raised)
                answer, raised = None, None
                answer = self._perform(step)
            except StopIteration as end:
                result: T = end.value
                return result
            except (Exception, KeyboardInterrupt) as error:
                if getattr(steps, "gi_frame", None) is None:  # the work itself has ended with it
                    raise
                raised = error

    def _perform(self, step: Step) -> object:
        match step:
            case Call():
                return self._run([step])[0]
            case Together():
                groups = [step.calls[at : at + _TOGETHER] for at in range(0, len(step.calls), _TOGETHER)]
                return [outcome for group in groups for outcome in self._run(group)]
            case Pause():
                time.sleep(step.seconds)
            case Now():
                return self._epoch + time.monotonic()
            case PrivateFolder():
                return private_folder(os.environ)
            case Report() | LogLine() | Card():
                self._show(step)
            case Follow():
                _Follower(step, self._show).run()
            case Interactive():
                return _interact(step.call)
        return None

    @staticmethod
    def _run(calls: Sequence[Call]) -> list[Outcome]:
        children: list[_Child] = []
        try:
            for call in calls:
                with held_signals():
                    children.append(_Child(call))
            _exchange(children)
        finally:
            _end(children)
        return [child.outcome() for child in children]


# Children -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Stream:
    """One end of a pipe to a child, and what is read from it or still has to be written to it."""

    pipe: IO[bytes]
    data: bytearray = field(default_factory=bytearray)


class _Child:
    """A running call."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.end = None if call.timeout is None else time.monotonic() + call.timeout
        self.timed_out = False
        self.process = _spawn(call)
        self.stdin = _Stream(self.process.stdin, bytearray(call.stdin)) if self.process.stdin else None
        self.out = _Stream(self.process.stdout) if self.process.stdout else None
        self.err = _Stream(self.process.stderr) if self.process.stderr else None

    @property
    def is_silent(self) -> bool:
        """Whether it has closed its output."""
        return all(stream.pipe.closed for stream in (self.out, self.err) if stream)

    def signal(self, number: int) -> None:
        """Send a signal to the child and its group, if it has one of its own."""
        try:
            if self.call.passes_output:
                self.process.send_signal(number)
            else:
                os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass  # it has ended, and so has its group

    def outcome(self) -> Outcome:
        """Return how it ended. It must have ended."""
        code = self.process.returncode
        out, err = (bytes(stream.data) if stream else b"" for stream in (self.out, self.err))
        if self.timed_out:
            limit = f"{self.call.title} did not answer within {self.call.timeout:g} s"
            return Outcome(EXIT_TIMEOUT, out, err + f"\n{limit}\n".encode())
        return Outcome(code if code >= 0 else 128 - code, out, err)


def _spawn(call: Call) -> subprocess.Popen[bytes]:
    """Start a call. Unless it passes its output, it has no terminal: what would ask there for a password fails."""
    piped = subprocess.PIPE
    inherits = call.passes_output
    try:
        return subprocess.Popen(
            call.argv,
            stdin=piped if call.stdin else subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if inherits else piped,
            stderr=None if inherits else piped,
            cwd=call.cwd or None,
            env={**os.environ, **call.env},
            start_new_session=not inherits,
        )
    except OSError as error:
        raise _cannot_start(call, error) from None


def _cannot_start(call: Call, error: OSError) -> EngineError:
    import shutil  # loads three compressors

    name = call.argv[0]
    if call.cwd and not os.path.isdir(call.cwd):
        return EngineError(f"{call.cwd}: no such folder")
    # A folder of PATH that may not be searched makes it EACCES, although the command is nowhere.
    if error.errno == errno.ENOENT or (error.errno == errno.EACCES and shutil.which(name) is None):
        return EngineError(f'"{name}" is not installed, or not on PATH', f"this engine works through {name}", 127)
    return EngineError(f"{name}: {os.strerror(error.errno or 0).lower()}", "", 126)


def _exchange(children: Sequence[_Child]) -> None:
    """Write and read until all pipes are closed, and wait until all have ended. What takes too long is killed."""
    with selectors.DefaultSelector() as selector:
        _register(selector, children)
        while selector.get_map():
            for key, events in selector.select(_left(children)):
                if not _transfer(key.data, events):
                    selector.unregister(key.fileobj)
                    key.data.pipe.close()
            for late in _end_late(children):  # what it has started may keep the pipes open
                for stream in filter(None, (late.stdin, late.out, late.err)):
                    if not stream.pipe.closed:
                        selector.unregister(stream.pipe)
                        stream.pipe.close()
    for child in children:
        _wait(child)


def _register(selector: selectors.BaseSelector, children: Iterable[_Child]) -> None:
    for child in children:
        if child.stdin:
            os.set_blocking(child.stdin.pipe.fileno(), False)
            selector.register(child.stdin.pipe, selectors.EVENT_WRITE, child.stdin)
        for stream in filter(None, (child.out, child.err)):
            selector.register(stream.pipe, selectors.EVENT_READ, stream)


def _left(children: Iterable[_Child]) -> float | None:
    ends = [child.end for child in children if child.end is not None and not child.timed_out]
    return max(0.0, min(ends) - time.monotonic()) if ends else None


def _end_late(children: Iterable[_Child]) -> Iterator[_Child]:
    for child in children:
        if child.end is not None and not child.timed_out and time.monotonic() >= child.end:
            child.timed_out = True
            child.signal(signal.SIGKILL)
            yield child


def _wait(child: _Child) -> None:
    """Wait for a child that has closed its output."""
    left = None if child.end is None else max(0.0, child.end - time.monotonic())
    try:
        child.process.wait(left)
    except subprocess.TimeoutExpired:
        child.timed_out = True
        child.signal(signal.SIGKILL)
        child.process.wait()


def _transfer(stream: _Stream, events: int) -> bool:
    """Read or write once. Return whether more may come."""
    number = stream.pipe.fileno()
    if events == selectors.EVENT_READ:
        chunk = os.read(number, _CHUNK)
        stream.data += chunk
        return bool(chunk)
    try:
        del stream.data[: os.write(number, stream.data[:_CHUNK])]
    except BrokenPipeError:
        return False  # it does not want more; its exit code says whether that is an error
    return bool(stream.data)


def _end(children: Iterable[_Child]) -> None:
    """End those that still run, after Ctrl-C or because another one could not be started."""
    children = list(children)
    running = [child for child in children if child.process.poll() is None]
    for child in running:
        child.signal(signal.SIGTERM)
    end = time.monotonic() + _GRACE
    for child in running:
        try:
            child.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.signal(signal.SIGKILL)
            child.process.wait()
    for stream in (stream for child in children for stream in (child.stdin, child.out, child.err) if stream):
        stream.pipe.close()


# Output that is followed, and the terminal ----------------------------------------------------------------------------


class _Follower:
    """Shows the output of calls line by line as it comes, until all have ended."""

    def __init__(self, step: Follow, show: Callable[[Report | LogLine], None]) -> None:
        self._read = step.read
        self._ended = step.ended
        self._first = step.calls
        self._show = show
        self._children: list[_Child] = []
        self._stopped: list[_Child] = []
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        try:
            for call in self._first:
                self._start(call)
            while self._selector.get_map():
                for key, _ in self._selector.select():
                    self._take(*key.data)
        finally:
            self._selector.close()
            _end(self._children)

    def _start(self, call: Call) -> None:
        with held_signals():
            child = _Child(call)
            self._children.append(child)
        for name, stream in (("stdout", child.out), ("stderr", child.err)):
            if stream:
                self._selector.register(stream.pipe, selectors.EVENT_READ, (child, name, stream))

    def _take(self, child: _Child, name: str, stream: _Stream) -> None:
        begin = len(stream.data)
        more = _transfer(stream, selectors.EVENT_READ)
        if not more:
            self._selector.unregister(stream.pipe)
            stream.pipe.close()
        for line in _lines(stream.data, begin, is_all=not more):
            self._obey(self._read(child.call, name, line))
        if child.is_silent and child not in self._stopped:
            self._obey(self._ended(child.call))

    def _obey(self, items: Iterable[Followed]) -> None:
        for item in items:
            if isinstance(item, Call):
                self._start(item)
            elif isinstance(item, Stop):
                self._stop(item.call)
            else:
                self._show(item)

    def _stop(self, call: Call) -> None:
        for child in self._children:
            if child.call == call and not child.is_silent:
                self._stopped.append(child)
                child.signal(signal.SIGTERM)


def _lines(data: bytearray, begin: int, *, is_all: bool) -> list[bytes]:
    """Remove the whole lines from data, the last one too if that is all. There is no end of a line before ``begin``.

    What is searched once is not searched again: a line may have 100 MB.
    """
    if not is_all and data.find(b"\n", begin) < 0:
        return []
    end = len(data) if is_all else data.rfind(b"\n") + 1
    lines = bytes(data[:end]).split(b"\n")
    del data[:end]
    return lines if lines[-1] else lines[:-1]


def _interact(call: Call) -> int:
    """Run a call with our standard streams, and return its exit code. Ctrl-C is for the call alone.

    A signal that ends our work ends the call, too.
    """
    process: subprocess.Popen[bytes] | None = None
    before = signal.getsignal(signal.SIGINT)
    try:
        with held_signals():
            process = subprocess.Popen(call.argv, cwd=call.cwd or None, env={**os.environ, **call.env})
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = process.wait()
    except OSError as error:
        raise _cannot_start(call, error) from None
    except KeyboardInterrupt as error:
        if process:
            process.send_signal(error.number if isinstance(error, EndedError) else signal.SIGTERM)
            _await_end(process, _GRACE)
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _await_end(process: subprocess.Popen[bytes], grace: float) -> None:
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
