"""Three processes between the user and the children, so that no child outlives procman however it ends.

    guardian   the visible pid; in the user's session and job; passes signals on, and the exit code back
    └ watchdog   a session of its own, so that no signal to the user's group or terminal reaches it
      └ manager    in the user's session and job again; the engine; parent of every child

All three are subreapers (prctl(2), PR_SET_CHILD_SUBREAPER), so every descendant of the manager, daemon or not, becomes
a child of the nearest one that lives. If one or two of them are killed, even by `kill -9 -PGID`, the third gets all
that is left as its own children, and kills until the kernel says ECHILD. It does not search, so a process that hides
its environment or leaves its session is found too.

Signals for the manager travel through the guardian pipe as bytes, so no recycled pid can be hit. Its end of file tells
the manager that the guardian is gone.
"""

from __future__ import annotations

import os
import select
import sys
import time

from procman.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOFTWARE
from procman.runtime.system.descendants import (
    PAUSE,
    become_subreaper,
    end_of,
    in_shell,
    kill_until_empty,
    prior_children,
    reap_some,
    send,
)
from procman.runtime.system.descriptors import close_streams, open_standard_descriptors
from procman.runtime.system.procfs import children_of, comm_of, is_awake, is_zombie, own_children, set_title
from procman.runtime.system.signals import STOPPING, next_signal, pass_on, pass_on_early
from procman.runtime.system.tty import SavedTerminal, saved_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType

else:
    import _signal as signal  # without the enums: see signals.py

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
WATCHED = (*FORWARDED, signal.SIGCHLD, signal.SIGTSTP, signal.SIGCONT, signal.SIGTTOU, signal.SIGTTIN)
SUSPEND = signal.SIGTTOU  # with it the manager says that it is about to stop, and the guardian has to stop after it
RELEASE = signal.SIGTTIN  # with it the manager lets the guardian end with 0: the session runs on without its terminal
RELEASED = 255  # the byte in the watchdog's pipe that says so before; not the number of a signal
KNOWS_SENDER = hasattr(signal, "sigwaitinfo")  # then the guardian sees in /proc whether the manager has stopped
EXIT_LOST = 137  # 128 + SIGKILL: the manager was killed
MANAGER_LIMIT = 0.5  # seconds for the manager: to kill its children when guardian or watchdog is gone, or to stop
EARLY_LOOK_INTERVAL = 0.1  # seconds between two looks at the guardian pipe until the engine takes over
EARLY_EXIT_CODES: dict[int, int] = {signal.SIGTERM: 0, signal.SIGINT: 130, signal.SIGQUIT: 131, signal.SIGHUP: 129}
EXIT_GUARDIAN_LOST = 143
MANAGER_NAME, WATCHDOG_NAME = "procman-manager", "procman-watch"

guardian_pipe: int | None = None
"""In the manager: the descriptor on which signals forwarded by the guardian arrive, or None without a guardian."""

guardian_pid: int | None = None
"""In the manager: the guardian's pid, valid while the guardian pipe is open, or None without a guardian."""

watchdog_pid = 0
"""In the manager: the watchdog's pid; the guardian's if there is no watchdog."""

watchdog_pipe: int | None = None
"""In the manager: the writing end of the pipe that wakes the watchdog, or None without one."""

terminal = SavedTerminal()
"""In the manager: the settings of the user's terminal at our start."""

visible_pid = 0
"""The pid that the user sees and signals: the guardian's, or our own without one."""


def suspend() -> None:
    """Have the guardian stop once we have, so that the shell takes the terminal; do nothing without one.

    Where the guardian cannot see whether we have stopped, the watchdog can: we are its child.
    """
    if guardian_pid is None:
        return
    watched = watchdog_pid != guardian_pid and os.getppid() == watchdog_pid
    if KNOWS_SENDER:
        os.kill(guardian_pid, SUSPEND)
    elif watched:
        os.kill(watchdog_pid, SUSPEND)
    else:
        os.kill(guardian_pid, signal.SIGSTOP)


def is_needed() -> bool:
    """Return whether a guardian is useful.

    It is not as PID 1, whose end ends the namespace, nor under systemd, which has the cgroup for that and expects
    notifications from the process that it started.
    """
    return os.getpid() != 1 and not _is_service()


def _is_service() -> bool:
    """Return whether systemd started this process: since version 248 SYSTEMD_EXEC_PID says so (systemd.exec(5))."""
    if "SYSTEMD_EXEC_PID" in os.environ:
        return os.environ["SYSTEMD_EXEC_PID"] == str(os.getpid())
    return "NOTIFY_SOCKET" in os.environ and comm_of(os.getppid()) == b"systemd\n"


def guarded(run: Callable[[], int], enabled: bool = True) -> int:
    """Run `run` in a manager that is watched from two sides, and return its exit code.

    In the manager this function does not return. Without a guardian (`enabled` false, PID 1, systemd, or no more
    processes) `run` is simply called.
    """
    global visible_pid  # noqa: PLW0603 (set once, before anything can read it)
    visible_pid = os.getpid()
    if not enabled or not is_needed():
        return run()
    open_standard_descriptors()
    _flush()
    tty = saved_terminal()
    become_subreaper()  # before the fork, since its import is then in the memory of all three
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were ignored, no end would be reported
    spared = prior_children()
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # before the fork, so that no signal is lost
    ends: tuple[int, ...] = ()
    try:
        reader, writer = ends = os.pipe()
        watchdog = os.fork()
    except OSError:
        for fd in ends:
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        return run()
    if watchdog == 0:
        _run_fork(_watch, run, reader, writer, tty)
    os.close(reader)
    pass_on_early(writer)
    end = _guard(watchdog, writer, spared)
    if _is_untidy(end):
        tty.restore()
    return in_shell(end)


def _run_fork(work: Callable[..., int], *arguments: object) -> None:
    """Do `work` in a forked process and exit, whatever happens, without running the parent's clean-up twice."""
    code = EXIT_LOST
    try:
        code = work(*arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:  # in the few lines around the work
        code = EXIT_INTERRUPTED
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = EXIT_SOFTWARE
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # the reader is gone


# The watchdog, in a session of its own ------------------------------------------------------------------------------


def _watch(run: Callable[[], int], reader: int, writer: int, tty: SavedTerminal) -> int:
    """Fork the manager, wait for its end or the guardian's, then kill all that is left."""
    global watchdog_pipe  # noqa: PLW0603 (for the manager, which is forked here)
    guardian = os.getppid()
    become_subreaper()
    try:
        signals, wake = os.pipe()
        manager = os.fork()
    except OSError:
        os.close(writer)
        return _manage(run, reader, guardian, tty)  # no more processes: the guardian alone must do
    if manager == 0:
        for fd in (writer, signals):
            os.close(fd)
        watchdog_pipe = wake
        _run_fork(_manage, run, reader, guardian, tty)
    os.setsid()  # only now: the manager stays in the user's session, with its terminal
    pass_on_early(writer)
    os.close(writer)
    set_title(WATCHDOG_NAME, "procman: watchdog")
    close_streams()
    _write_signals_to(wake)
    end = _wait_for_either(manager, reader, signals, guardian, tty)
    left = kill_until_empty()
    if _is_untidy(end):
        tty.restore()
    return in_shell(end) if not left else (in_shell(end) or EXIT_LOST)


def _wait_for_either(manager: int, pipe: int | None, signals: int, guardian: int, tty: SavedTerminal) -> int:
    """Return how the manager ended, or 137 once the guardian has closed its pipe. Pass CONT on to the manager.

    Once the manager has released the guardian, its end is as it should be, and its pid may be another process's.
    """
    while True:
        if (end := end_of(manager)) is not None:
            return end
        numbers, is_gone = _next_event(pipe, signals)
        if RELEASED in numbers and pipe is not None:
            os.close(pipe)
            pipe, is_gone = None, False
            tty.forget()
        elif SUSPEND in numbers and pipe is not None:
            if (end := _stop_both(manager, guardian)) is not None:
                return end
        elif signal.SIGCONT in numbers:
            os.kill(manager, signal.SIGCONT)  # not reaped yet: its number is its own
        if is_gone:
            _let_manager_end()
            return EXIT_LOST


def _next_event(pipe: int | None, signals: int) -> tuple[bytes, bool]:
    """Wait for signals or the guardian's end. Return the signals, and whether the guardian has ended."""
    poll = select.poll()
    if pipe is not None:
        poll.register(
            pipe, 0
        )  # it carries bytes for the manager, so look only for its hang-up, which is always reported
    poll.register(signals, select.POLLIN)
    try:
        ready = dict(poll.poll())
    except OSError:  # no memory for a moment
        time.sleep(PAUSE)
        return b"", False
    return os.read(signals, 4096) if signals in ready else b"", pipe in ready


def _stop_both(manager: int, guardian: int) -> int | None:
    """Stop the guardian once the manager has stopped, as `_stop_after` does. Return how the manager ended, if so."""
    until = time.monotonic() + MANAGER_LIMIT
    while time.monotonic() < until:
        pid, status = os.waitpid(manager, os.WNOHANG | os.WUNTRACED)
        if pid and not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        if pid:
            break
        time.sleep(PAUSE)
    os.kill(guardian, signal.SIGSTOP)
    return None


def _is_untidy(end: int) -> bool:
    """Return whether the terminal may need restoring. An exit with 128 + n has restored it, except these two."""
    return end < 0 or end in (EXIT_LOST, EXIT_SOFTWARE)


def _let_manager_end() -> None:
    """Give the manager, which sees the end of the guardian pipe, time to kill its children before we kill it.

    If it died first, and we were killed in that moment too, the children would have none of the three.
    """
    end = time.monotonic() + MANAGER_LIMIT
    while managers := [pid for pid in own_children() if _is_manager(pid)]:
        for pid in managers:
            send(pid, signal.SIGCONT)  # in case it is stopped
        if time.monotonic() > end:
            return
        time.sleep(PAUSE)


def _is_manager(pid: int) -> bool:
    return comm_of(pid) == f"{MANAGER_NAME}\n".encode() and not is_zombie(pid)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: with a handler, SIGCHLD and SIGCONT wake us, and a late SIGALRM does no harm."""


def _write_signals_to(wake: int) -> None:
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (*FORWARDED, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # signals are meant for the guardian
    signal.signal(signal.SIGCHLD, _nothing)
    signal.signal(signal.SIGCONT, _nothing)
    signal.signal(SUSPEND, _nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


# The manager --------------------------------------------------------------------------------------------------------


def _manage(run: Callable[[], int], reader: int, guardian: int, tty: SavedTerminal) -> int:
    global guardian_pipe, guardian_pid, watchdog_pid, terminal
    guardian_pipe, guardian_pid, watchdog_pid, terminal = reader, guardian, os.getppid(), tty
    become_subreaper()
    set_title(MANAGER_NAME, "procman: manager")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    code = run()
    if os.getppid() != watchdog_pid or _is_hung_up(reader):
        terminal.restore(alone=True)
    return code


def _is_hung_up(pipe: int) -> bool:
    """Return whether the guardian has ended. The watchdog may have been killed with it, and be about to end."""
    poll = select.poll()
    poll.register(pipe, 0)
    return bool(poll.poll(0))


def obey_early_signals(pipe: int) -> None:
    """Exit as soon as a stop signal, or the guardian's end, shows in the pipe; until `leave_to_engine` is called.

    Reading a file can block forever: an `.env` that is a named pipe without a writer, a dead network disk. Meanwhile,
    signals sent to the guardian wait in its pipe, as bytes that nothing reads. So a timer looks at the pipe ten times a
    second until the engine takes over; most starts are done before the first look. No child has been started by then,
    so obeying means exiting.

    A signal per byte (fcntl(2), O_ASYNC) would be quicker. But the interpreter only notes a signal that arrives just
    before a system call blocks, and acts on it after that call returns. A timer fires again.
    """

    def look(_number: int, _frame: FrameType | None) -> None:
        try:
            numbers = os.read(pipe, 4096)
        except BlockingIOError:
            return
        codes = [EARLY_EXIT_CODES[number] for number in numbers if number in EARLY_EXIT_CODES]
        if codes or not numbers:
            os._exit(codes[0] if codes else EXIT_GUARDIAN_LOST)

    os.set_blocking(pipe, False)
    signal.signal(signal.SIGALRM, look)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
    signal.setitimer(signal.ITIMER_REAL, EARLY_LOOK_INTERVAL, EARLY_LOOK_INTERVAL)


def leave_to_engine() -> None:
    """Leave all further signals to the engine, even if it is not loaded yet.

    Children are about to start, and are owed their grace.
    """
    signal.signal(signal.SIGALRM, _nothing)  # the default action would end us if an alarm is on its way
    signal.setitimer(signal.ITIMER_REAL, 0)


# The guardian, the visible pid --------------------------------------------------------------------------------------


def _guard(watchdog: int, writer: int, spared: tuple[int, ...]) -> int:
    """Pass signals on until the watchdog ends; return how it ended: its exit code is the manager's."""
    set_title("procman")
    os.set_blocking(writer, False)
    while True:
        number, by_kernel, sender = next_signal(WATCHED)
        if number == signal.SIGCHLD:
            if (end := end_of(watchdog)) is not None:
                os.close(writer)
                if reap_some():  # something is left only if the watchdog was killed
                    _let_manager_end()
                    kill_until_empty(spared)
                return end
        elif number == signal.SIGTTOU:
            _stop_after(manager=sender)
        elif number == RELEASE:
            if not KNOWS_SENDER or sender in (children_of(watchdog) or ()):
                return EXIT_OK
        else:
            pass_on(number, bool(by_kernel), writer)  # None on macOS; the manager tolerates a repeated signal
            if number in (*STOPPING, signal.SIGCONT) and _may_sleep(watchdog):
                os.kill(watchdog, signal.SIGCONT)  # for the manager


def _may_sleep(watchdog: int) -> bool:
    """Return whether the manager, or the watchdog that wakes it, is stopped; True if that cannot be seen.

    An unneeded CONT would reach every child, and a late one would undo a Ctrl-Z that was pressed right after `fg`,
    which has woken the manager with us. A manager that has just stopped for a Ctrl-Z, and reported it, must stay so.
    """
    if signal.SIGTTOU in signal.sigpending():
        return False
    return not all(map(is_awake, (watchdog, *(children_of(watchdog) or (0,)))))


def _stop_after(manager: int) -> None:
    """Stop once the manager has stopped: a shell that sees us stop may continue us immediately, and the manager too."""
    end = time.monotonic() + MANAGER_LIMIT
    while is_awake(manager) and time.monotonic() < end:
        time.sleep(PAUSE)
    if signal.SIGCONT not in signal.sigpending():  # the stop would discard it, and nothing would continue us again
        os.kill(os.getpid(), signal.SIGSTOP)
