"""Runs one process in the foreground, as if procman were not there, and ends the way it does (``procman run``).

The child shares our session and process group, so it has the terminal and job control. We block every signal and take
them one by one (signal.sigwaitinfo). A signal from the terminal goes to the whole group, so the child already has it; a
signal that was sent to us alone is passed on; `run_stop` handles those that end a command.
"""

from __future__ import annotations

import errno
import os

from procman.core.procfile.command import SHELL
from procman.runtime.guardian.run_watcher import RunWatcher
from procman.runtime.processes.spawn import spawn_process
from procman.runtime.system.procfs import own_children
from procman.runtime.system.signals import STOPPING, next_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping

    from procman.runtime.guardian.run_stop import RunStop
else:
    import _signal as signal  # without the enums: `import signal` takes 5 ms

# KILL and STOP cannot be blocked, and PIPE comes from our own writes. A fault of ours (SEGV, ABRT …) ends us although
# it is blocked: the kernel, or abort(3), sees to that.
WATCHED = frozenset(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}
TO_ALL = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)  # passed on even if the kernel made them
JOB_CONTROL = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
MAX_REAPED = 256  # per round: as PID 1, a process that forks faster than we reap must not delay signals


def run_in_foreground(program: str, argv: list[str], env: Mapping[str, str], cwd: str, grace: float = 5.0) -> int:
    """Run ``program`` in ``cwd`` to its end; return its exit code, or 128 + n if signal n ended it.

    If a signal that we passed on ends the command, what it leaves has ``grace`` seconds. Raises OSError if it cannot be
    started. Signals stay blocked in this process, which has nothing left to do.
    """
    os.chdir(cwd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were ignored, the kernel would reap the child: no status
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    spared = own_children()  # of `test`: the session
    child = _spawn(program, argv, env)
    with RunWatcher(child) as watcher:
        run = _ForegroundRun(child, (*spared, watcher.watcher), grace)
        code = os.waitstatus_to_exitcode(run.wait())
    Ending.by_key = run.interrupted and code == -signal.SIGINT
    return code if code >= 0 else 128 - code


def _spawn(program: str, argv: list[str], env: Mapping[str, str]) -> int:
    """Start the child with default signals and an empty mask. It inherits the descriptors that we were given."""
    defaults = set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        defaults.discard(signal.SIGHUP)  # the user used nohup
    try:
        return spawn_process(program, argv, env, defaults)
    except OSError as error:
        if error.errno != errno.ENOEXEC:  # a script without `#!`, which every shell would run
            raise
    return spawn_process(SHELL, [SHELL, program, *argv[1:]], env, defaults)


class Ending:
    """How the latest run ended: ``by_key`` if Ctrl-C at the terminal ended the command."""

    by_key = False


class _ForegroundRun:
    """A child under way. ``spared`` are children of ours that do not belong to it."""

    def __init__(self, child: int, spared: tuple[int, ...], grace: float) -> None:
        self._child = child
        self._spared = spared
        self._grace = grace
        self.interrupted = False  # by Ctrl-C at the terminal
        self._stop: RunStop | None = None  # once a stop signal was passed on

    def wait(self) -> int:
        """Pass signals on until the child ends; return its wait status."""
        while True:
            due = self._stop.rest_due if self._stop else None
            number, by_kernel, _ = next_signal(WATCHED, due)
            if number == signal.SIGCHLD:
                status = _reap(self._child)
                if status is not None:
                    break
            elif not number:
                assert self._stop is not None
                self._stop.send_to_rest()
            elif number == signal.SIGINT and (_is_key(number) if by_kernel is None else by_kernel):
                self.interrupted = True  # the terminal has sent it to the child, too
            elif number in TO_ALL or not (_is_key(number) if by_kernel is None else by_kernel):
                self._pass_on(number, bool(by_kernel))
        if self._stop is not None:
            self._stop.end_rest()
        return status

    def _pass_on(self, number: int, by_kernel: bool) -> None:
        if number not in STOPPING:
            os.kill(self._child, number)  # not reaped yet, so the pid is still its own
            return
        if self._stop is None:
            from procman.runtime.guardian.run_stop import RunStop

            self._stop = RunStop(self._child, self._spared, self._grace)
        self._stop.send(number, everyone=not by_kernel)  # the kernel has sent it to the group, a hang-up


def _is_key(number: int) -> bool:
    """Return whether the terminal may have made this signal, if the kernel does not say."""
    return number in (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH, *JOB_CONTROL) and _has_terminal()


def _reap(child: int) -> int | None:
    """Reap what has ended; return the child's status if it was among them. As PID 1 we inherit other processes too."""
    for _ in range(MAX_REAPED):
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if pid == child and os.WIFSTOPPED(status):
            _stop_with(child, os.WSTOPSIG(status))
        elif pid == child:
            return status
    os.kill(os.getpid(), signal.SIGCHLD)  # continue after the signals that have arrived meanwhile
    return None


def _stop_with(child: int, number: int) -> None:
    """Stop with the stopped child, or the shell would wait for a job that does nothing. Both continue together.

    If there is no terminal to give back, the SIGSTOP was meant for the child alone, and so is the SIGCONT that follows.
    """
    if number in JOB_CONTROL or _has_terminal():
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)


def _has_terminal() -> bool:
    """Return whether our group is in the foreground of the terminal."""
    for fd in (0, 1, 2):
        try:
            return os.tcgetpgrp(fd) == os.getpgrp()
        except OSError:
            continue
    return False
