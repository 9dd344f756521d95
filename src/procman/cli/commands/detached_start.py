"""The caller's side of a detached start: it spawns ``start`` in a session of its own and reads its reports."""

from __future__ import annotations

import os
import select
import sys
import time

from procman.cli.commands.detached import LISTENING, REFUSED, RUNNING
from procman.cli.control.connection import RefusedError
from procman.config.files import inherited
from procman.errors import EXIT_FAILURE
from procman.runtime.control.tasks import EXIT_TIMED_OUT
from procman.runtime.processes.spawn import spawn_process
from procman.runtime.system.descriptors import open_null
from procman.runtime.system.signals import DEFAULT_IN_CHILDREN

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    from procman.cli.options.option import Invocation
    from procman.core.model.settings import Settings
    from procman.errors import ProcmanError
else:
    import _signal as signal  # without the enums: see signals.py

__all__ = ["LISTENING", "RUNNING", "DetachedStart"]

ENDED, TIMED_OUT = b"", b"timeout"  # further results of `wait`
_NOT_PASSED_ON = ("wait",)  # settings of the caller alone


class DetachedStart:
    """A ``start`` in a session of its own. It is our child, so its pid cannot be another process until it is reaped."""

    def __init__(self, invocation: Invocation, settings: Settings) -> None:
        """Spawn it. No Ctrl-C can come between the spawn and the note of its pid."""
        self._refusal = b""
        self._code: int | None = None
        self._pipe, writer = os.pipe()
        null = open_null()
        words = [*command_prefix(), *_command_line(invocation, settings)]
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
        env = {**inherited(os.environ), "_PROCMAN_DETACHED": "1"}  # it is not the service of systemd that we may be
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
        try:
            self.pid = spawn_process(sys.executable, words, env, DEFAULT_IN_CHILDREN, actions, True)
        finally:
            os.close(writer)
            os.close(null)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def wait(self, until: float) -> bytes:
        """Show what it writes; return how it went: LISTENING, RUNNING, REFUSED, ENDED, or TIMED_OUT."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while True:
            if not poll.poll(None if until == float("inf") else max(0.0, until - time.monotonic()) * 1000):
                return TIMED_OUT
            chunk = os.read(self._pipe, 65536)
            text, kind, rest = _split(chunk)
            sys.stderr.write(text.decode("utf-8", "replace"))
            sys.stderr.flush()
            if kind == REFUSED:
                self._refusal = rest + self._read_rest()
            if kind or not chunk:
                return kind

    def _read_rest(self) -> bytes:
        rest = b""
        while chunk := os.read(self._pipe, 65536):
            rest += chunk
        return rest

    def failure(self, how: bytes, timeout: float) -> ProcmanError:
        """Return why it has not begun, for `how` it went. What has not begun in time is ended: nothing can reach it."""
        if how == TIMED_OUT:
            self.stop(signal.SIGTERM)
            return RefusedError(
                f"the session has not started after {timeout:g} s",
                "reading one of its files may be blocked",
                EXIT_TIMED_OUT,
            )
        code = self.join()
        if how == REFUSED:
            import json

            record = json.loads(self._refusal)
            return RefusedError(record["error"], record["hint"], record["code"])
        how_it_ended = "was killed" if code > 128 else "has ended"
        return RefusedError(f"the session {how_it_ended} already (exit status {code})", "", code or EXIT_FAILURE)

    def end(self) -> ProcmanError:
        """Return why it has ended already, although it was listening."""
        how = self.wait(float("inf"))
        return self.failure(how, 0.0) if how == REFUSED else self.failure(ENDED, 0.0)

    def join(self) -> int:
        """Wait for its end, and return its exit code."""
        if self._code is None:
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._code = code if code >= 0 else 128 - code
        return self._code

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stop it by this signal, and wait for its end. Each further Ctrl-C is passed on: the second one kills."""
        if self._code is None:
            os.kill(self.pid, number)
        while self._code is None:
            try:
                self.join()
            except KeyboardInterrupt:
                os.kill(self.pid, signal.SIGINT)


def _split(chunk: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the text before the first report, the report, and what follows it."""
    for at in range(len(chunk)):
        if chunk[at : at + 1] in (LISTENING, RUNNING, REFUSED):
            return chunk[:at], chunk[at : at + 1], chunk[at + 1 :]
    return chunk, b"", b""


def command_prefix() -> list[str]:
    """Return how this procman was started, without its own words: `python -m procman`, or a script."""
    own = len(sys.orig_argv) - (len(sys.argv) - 1)
    return sys.orig_argv[:own]


def _command_line(invocation: Invocation, settings: Settings) -> list[str]:
    """Return the words of the ``start``: those of the caller, and what a session without a terminal needs.

    It stays although nothing in it runs any more: its output can still be read then.
    """
    words = ["start"]
    for option, texts in invocation.given.items():
        flag = option.long_flags[-1]  # of those with several, the one that `up` has, too
        if option.setting not in _NOT_PASSED_ON:
            words += [flag if option.kind == "switch" and not text else f"{flag}={text}" for text in texts]
    defaults = {"pty": "--pty", "exit": "--exit=never"}
    words += [flag for setting, flag in defaults.items() if setting not in settings.origin]
    if settings.origin.get("procfile") == "a folder above":
        words.append(f"--procfile={settings.procfile}")  # already announced
    return [*words, *invocation.words]
