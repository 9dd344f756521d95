"""Does: survives the manager, so that nothing else survives it.

Three processes stand between the user and the children:

    guardian   the visible pid; in the user's session and job; passes signals on and the exit code back
    └ watchdog   a session of its own, so that no signal to the user's group or terminal reaches it
      └ manager    in the user's session and job again; the engine; parent of every child

All three are subreapers (prctl(2), PR_SET_CHILD_SUBREAPER), so whatever descends from the manager, daemonised or not,
becomes a child of the nearest one that lives. Whichever one or two of them are killed, `kill -9 -PGID` included, the
third has all that is left as its own children, and kills until the kernel says ECHILD. Nothing is searched, so a
process that hides its environment or leaves its session is found as well.

Signals for the manager travel through the guardian pipe as bytes: no pid that might be recycled is involved, and
its end of file tells the manager that the guardian is gone.
"""

from __future__ import annotations

import os
import select
import sys
import time

from procman.errors import EXIT_INTERRUPTED, EXIT_SOFTWARE
from procman.runtime.guardian.saved_terminal import SavedTerminal, saved_terminal
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
from procman.runtime.system.descriptors import let_go_of_streams, open_standard_descriptors
from procman.runtime.system.procfs import children_of, comm_of, is_awake, is_zombie, own_children, set_title
from procman.runtime.system.signals import STOPPING, next_signal, pass_on, pass_on_early

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from types import FrameType
else:
    import _signal as signal  # without the enums: see signals.py

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
HEARD = (*FORWARDED, signal.SIGCHLD, signal.SIGTSTP, signal.SIGCONT, signal.SIGTTOU)
SUSPEND = signal.SIGTTOU if hasattr(signal, "sigwaitinfo") else signal.SIGSTOP  # what the manager stops us with
EXIT_LOST = 137  # 128 + SIGKILL: the manager was killed
MANAGERS_TURN = 0.5  # seconds for the manager to do its part: end all when one of us two is gone, stop when it said so
MANAGER_NAME, WATCHDOG_NAME = "procman-manager", "procman-watch"

guardian_pipe: int | None = None
"""In the manager: the descriptor on which signals forwarded by the guardian arrive, or None without a guardian."""

guardian_pid: int | None = None
"""In the manager: the guardian's pid, for as long as the guardian pipe is open, or None without a guardian."""

visible_pid = 0
"""The pid that the user sees and signals: the guardian's, or our own without one."""


def suspend() -> None:
    """Stop the guardian, so that the shell takes the terminal; do nothing without one."""
    if guardian_pid is not None:
        os.kill(guardian_pid, SUSPEND)


def is_needed() -> bool:
    """Whether a guardian has something to add: not as PID 1, whose end ends the namespace, nor under systemd,
    whose cgroup is the guardian, and which wants to hear from the process that it has started."""
    return os.getpid() != 1 and not _is_service()


def _is_service() -> bool:
    """Whether systemd started this very process: SYSTEMD_EXEC_PID says so (systemd.exec(5)), since version 248."""
    if "SYSTEMD_EXEC_PID" in os.environ:
        return os.environ["SYSTEMD_EXEC_PID"] == str(os.getpid())
    return "NOTIFY_SOCKET" in os.environ and comm_of(os.getppid()) == b"systemd\n"


def guarded(run: Callable[[], int], enabled: bool = True) -> int:
    """Run `run` in a manager that is watched from two sides, and return its exit code.

    In the manager this function does not return. Without a guardian (`enabled` false, PID 1, systemd, no process
    to be had) `run` is simply called.
    """
    global visible_pid  # noqa: PLW0603 (set once, before anything can read it)
    visible_pid = os.getpid()
    if not enabled or not is_needed():
        return run()
    open_standard_descriptors()
    _flush()
    terminal = saved_terminal()
    become_subreaper()  # not inherited, but what it has to import is: the other two find that in memory
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # inherited as ignored, it would let no end be seen
    spared = prior_children()
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)  # before the fork: no signal falls between
    ends: tuple[int, ...] = ()
    try:
        reader, writer = ends = os.pipe()
        watchdog = os.fork()
    except OSError:
        for fd in ends:
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
        return run()
    if watchdog == 0:
        _leave(_watch, run, reader, writer, terminal)
    os.close(reader)
    pass_on_early(writer)
    end = _guard(watchdog, writer, spared)
    if _is_untidy(end):
        terminal.restore()
    return in_shell(end)


def _leave(work: Callable[..., int], *arguments: object) -> None:
    """Do `work` in a forked process and end it, whatever happens, without running the parent's clean-up twice."""
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
            pass  # a reader that is gone: there is nobody to tell


# The watchdog: between the two, in a session of its own -------------------------------------------------------------


def _watch(run: Callable[[], int], reader: int, writer: int, terminal: SavedTerminal) -> int:
    """Fork the manager, then wait for its end or the guardian's; then end all that is left."""
    guardian = os.getppid()
    become_subreaper()
    try:
        signals, wake = os.pipe()
        manager = os.fork()
    except OSError:
        os.close(writer)
        return _manage(run, reader, guardian, terminal)  # no process to be had: the guardian alone must do
    if manager == 0:
        for fd in (writer, signals, wake):
            os.close(fd)
        _leave(_manage, run, reader, guardian, terminal)
    os.setsid()  # only now: the manager stays in the user's session, with its terminal
    pass_on_early(writer)
    os.close(writer)
    set_title(WATCHDOG_NAME, "procman: watchdog")
    let_go_of_streams()
    _wake_by_child(wake)
    end = _wait_for_either(manager, reader, signals)
    left = kill_until_empty()
    if _is_untidy(end):
        terminal.restore()
    return in_shell(end) if not left else (in_shell(end) or EXIT_LOST)


def _wait_for_either(manager: int, guardian: int, signals: int) -> int:
    """How the manager ended, or 137 as soon as the guardian's end of the guardian pipe is closed."""
    while True:
        if (end := end_of(manager)) is not None:
            return end
        # The pipe carries bytes for the manager: look only for its hang-up (POLLHUP needs no asking).
        if _hung_up(guardian, signals, manager):
            _let_manager_end()
            return EXIT_LOST


def _hung_up(guardian: int, signals: int, manager: int) -> bool:
    """Wait for a signal or the guardian's end. CONT is for the manager: somebody has stopped it, and it shall obey."""
    poll = select.poll()
    poll.register(guardian, 0)
    poll.register(signals, select.POLLIN)
    ready = dict(poll.poll())
    if signals in ready and signal.SIGCONT in os.read(signals, 4096):
        os.kill(manager, signal.SIGCONT)  # not reaped yet: its number is its own
    return guardian in ready


def _is_untidy(end: int) -> bool:
    """Whether the terminal may not be as it was. Who exits with 128 + n has tidied up, but for what says he did not."""
    return end < 0 or end in (EXIT_LOST, EXIT_SOFTWARE)


def _let_manager_end() -> None:
    """Give the manager, which sees the guardian pipe end, the time to kill its children before we kill it.

    Were it the first to die, whoever kills us as well in this moment would leave the children without all three.
    """
    end = time.monotonic() + MANAGERS_TURN
    while managers := [pid for pid in own_children() if _is_manager(pid)]:
        for pid in managers:
            send(pid, signal.SIGCONT)  # a stopped one could not do it
        if time.monotonic() > end:
            return
        time.sleep(PAUSE)


def _is_manager(pid: int) -> bool:
    return comm_of(pid) == f"{MANAGER_NAME}\n".encode() and not is_zombie(pid)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Exist, so that SIGCHLD and SIGCONT wake us."""


def _wake_by_child(wake: int) -> None:
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (*FORWARDED, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # nobody means the watchdog; the guardian is who is asked to end
    signal.signal(signal.SIGCHLD, _nothing)
    signal.signal(signal.SIGCONT, _nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


# The manager --------------------------------------------------------------------------------------------------------


def _manage(run: Callable[[], int], reader: int, guardian: int, terminal: SavedTerminal) -> int:
    global guardian_pipe, guardian_pid
    guardian_pipe, guardian_pid = reader, guardian
    become_subreaper()
    set_title(MANAGER_NAME, "procman: manager")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
    watchdog = os.getppid()
    code = run()
    if os.getppid() != watchdog:  # killed; a guardian that lives would not have let us come this far
        terminal.restore(alone=True)
    return code


# The guardian: the visible pid --------------------------------------------------------------------------------------


def _guard(watchdog: int, writer: int, spared: tuple[int, ...]) -> int:
    """Pass signals on until the watchdog ends; returns how: its exit code is the manager's."""
    set_title("procman")
    os.set_blocking(writer, False)
    while True:
        number, by_kernel, sender = next_signal(HEARD)
        if number == signal.SIGCHLD:
            if (end := end_of(watchdog)) is not None:
                os.close(writer)
                if reap_some():  # only when the watchdog was killed is anything left
                    _let_manager_end()
                    kill_until_empty(spared)
                return end
        elif number == signal.SIGTTOU:
            _stop_after(manager=sender)
        else:
            pass_on(number, bool(by_kernel), writer)  # unknown on macOS: the manager forgives a signal that comes twice
            if number in (*STOPPING, signal.SIGCONT) and _may_sleep(watchdog):
                os.kill(watchdog, signal.SIGCONT)  # for the manager


def _may_sleep(watchdog: int) -> bool:
    """Whether the manager is stopped, or the watchdog, who is to wake it; true where that cannot be seen.

    A CONT too many goes on to every child, and one that comes late would undo a Ctrl-Z that was pressed right after
    `fg`, which has woken the manager with us. Nor is it to be woken that has just stopped for one, and told us.
    """
    if signal.SIGTTOU in signal.sigpending():
        return False
    return not all(map(is_awake, (watchdog, *(children_of(watchdog) or (0,)))))


def _stop_after(manager: int) -> None:
    """Stop when the manager has stopped: the shell that sees us stop may say `fg` at once, and must find it so."""
    end = time.monotonic() + MANAGERS_TURN
    while is_awake(manager) and time.monotonic() < end:
        time.sleep(PAUSE)
    os.kill(os.getpid(), signal.SIGSTOP)
