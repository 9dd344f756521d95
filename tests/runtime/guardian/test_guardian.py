"""What the guardian does with each signal, on a fake kernel: signals are fed, and nothing is forked.

Then, with real processes: if any of guardian, watchdog and manager is killed, the others end everything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from procman.runtime.guardian import guardian
from runtime.fakes import Kernel, Process, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Signal = tuple[int, bool | None, int]


class Guard:
    """The guardian of a watchdog with a manager; `signals` arrive one after the other, each with what happens first."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel = kernel
        self.watchdog = Process(kernel, kernel.us, "procman-watch", {})
        self.manager = self.watchdog.fork("procman-manager")
        for one in (self.watchdog, self.manager):
            one.caught |= {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.signals: list[Callable[[], Signal]] = []
        monkeypatch.setattr(guardian, "next_signal", lambda numbers: self.signals.pop(0)())
        monkeypatch.setattr(guardian, "set_title", lambda *_: None)

    def arrives(
        self, number: int, by_kernel: bool | None = False, before: Callable[[], object] = lambda: None, sender: int = 0
    ) -> None:
        def signal_() -> Signal:
            before()
            return number, by_kernel, sender

        self.signals.append(signal_)

    def run(self, code: int = 0) -> int:
        self.arrives(signal.SIGCHLD, before=lambda: (self.manager.exit(code), self.watchdog.exit(code)))  # type: ignore[func-returns-value]
        return guardian._guard(self.watchdog.pid, self.writer, ())

    def passed(self) -> bytes:
        return os.read(self.reader, 100)


@pytest.fixture
def guard(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Guard:
    return Guard(kernel, monkeypatch)


def test_the_watchdogs_end_is_the_guardians(guard: Guard) -> None:
    assert guard.run(7) == 7
    assert guard.passed() == b""  # the pipe is closed


def test_the_end_of_another_child_is_not(guard: Guard) -> None:
    guard.arrives(signal.SIGCHLD)
    assert guard.run(3) == 3


def test_signals_go_through_the_pipe_but_keys_do_not(guard: Guard) -> None:
    guard.arrives(signal.SIGTERM)
    guard.arrives(signal.SIGINT, by_kernel=True)
    guard.arrives(signal.SIGUSR1)
    guard.run()
    assert guard.passed() == bytes((signal.SIGTERM, signal.SIGUSR1))


def test_a_sleeping_manager_is_woken_for_a_stop_signal(guard: Guard) -> None:
    guard.arrives(signal.SIGTERM, before=lambda: guard.manager.take(signal.SIGSTOP))
    guard.run()
    assert signal_names(guard.watchdog.got) == ["CONT"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGCONT])
def test_an_awake_manager_is_not_woken(guard: Guard, number: int) -> None:
    guard.arrives(number)
    guard.run()
    assert guard.watchdog.got == []


def test_a_signal_that_ends_nothing_wakes_nobody(guard: Guard) -> None:
    guard.arrives(signal.SIGUSR1, before=lambda: guard.manager.take(signal.SIGSTOP))
    guard.run()
    assert guard.watchdog.got == []


def test_a_manager_that_is_about_to_stop_us_is_not_woken(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_signal.sigpending", lambda: {signal.SIGTTOU})
    guard.arrives(signal.SIGCONT, before=lambda: guard.manager.take(signal.SIGSTOP))
    guard.run()
    assert guard.watchdog.got == []


def test_it_stops_when_the_manager_has_stopped(guard: Guard, kernel: Kernel) -> None:
    kernel.after(0.1, lambda: guard.manager.take(signal.SIGSTOP))
    guard.arrives(signal.SIGTTOU, sender=guard.manager.pid)
    guard.run()
    assert kernel.stopped_us == 1
    assert kernel.now == pytest.approx(1000.1, abs=0.002)


def test_it_stops_without_a_manager_that_does_not(guard: Guard, kernel: Kernel) -> None:
    guard.arrives(signal.SIGTTOU, sender=guard.manager.pid)
    guard.run()
    assert kernel.stopped_us == 1
    assert kernel.now == pytest.approx(1000.5, abs=0.002)


def test_when_the_watchdog_is_killed_the_manager_ends_its_children_first(guard: Guard, kernel: Kernel) -> None:
    child = guard.manager.fork("serve")
    guard.manager.state = "T"
    kernel.after(0.2, lambda: guard.manager.exit(0))
    guard.arrives(signal.SIGCHLD, before=lambda: guard.watchdog.take(signal.SIGKILL))
    assert guard.run() == -9
    assert "CONT" in signal_names(guard.manager.got)
    assert "KILL" not in signal_names(guard.manager.got)
    assert signal_names(child.got) == ["KILL"]
    assert kernel.now == pytest.approx(1000.2, abs=0.01)


def test_a_manager_that_does_not_end_is_killed_with_the_rest(guard: Guard, kernel: Kernel) -> None:
    guard.arrives(signal.SIGCHLD, before=lambda: guard.watchdog.take(signal.SIGKILL))
    assert guard.run() == -9
    assert signal_names(guard.manager.got)[-1] == "KILL"
    assert kernel.now == pytest.approx(1000.5, abs=0.02)
    assert kernel.living == []


# When there is a guardian --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "parent", "needed"),
    [
        ({}, b"sh\n", True),
        ({"SYSTEMD_EXEC_PID": "0"}, b"systemd\n", True),
        ({"SYSTEMD_EXEC_PID": str(os.getpid())}, b"sh\n", False),
        ({"NOTIFY_SOCKET": "/x"}, b"systemd\n", False),
        ({"NOTIFY_SOCKET": "/x"}, b"sh\n", True),
        ({}, b"systemd\n", True),
    ],
)
def test_under_systemd_no_guardian_is_needed(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], parent: bytes, needed: bool
) -> None:
    for name in ("SYSTEMD_EXEC_PID", "NOTIFY_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(guardian, "comm_of", lambda pid: parent if pid == os.getppid() else b"")
    assert guardian.is_needed() is needed


def test_as_pid_1_no_guardian_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(guardian, "visible_pid", 0)  # to be as it was afterwards
    assert not guardian.is_needed()
    assert guardian.guarded(lambda: 5) == 5
    assert guardian.visible_pid == 1


@pytest.mark.parametrize(("end", "untidy"), [(0, False), (1, False), (130, False), (137, True), (70, True), (-9, True)])
def test_the_terminal_is_put_back_after_an_end_that_did_not_do_so(end: int, untidy: bool) -> None:
    assert guardian._is_untidy(end) is untidy


@pytest.mark.parametrize("pid", [None, 77])
def test_suspending_needs_a_guardian(monkeypatch: pytest.MonkeyPatch, pid: int | None) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(guardian, "guardian_pid", pid)
    guardian.suspend()
    assert sent == ([] if pid is None else [(77, signal.SIGTTOU)])


# With real processes ------------------------------------------------------------------------------------------------

IMPORTS = "import sys; from procman.runtime.guardian.guardian import guarded"

# A manager without an engine: children in sessions of their own, one of them a daemon that has cleared its
# environment. It obeys the guardian pipe only by ending when the guardian does.
PROGRAM = """
import os, subprocess, sys
from procman.runtime.guardian import guardian
from procman.runtime.system.descendants import kill_until_empty

def manage():
    for _ in range(3):
        subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1001"], start_new_session=True)
    subprocess.run(["setsid", "-f", "env", "-i", "sleep", "1002"])
    print("up", flush=True)
    while numbers := os.read(guardian.guardian_pipe, 100):
        print("heard", *numbers, flush=True)
    kill_until_empty()
    return 3

sys.exit(guardian.guarded(manage, enabled=sys.argv[1] == "yes"))
"""
# A manager that suspends us as ours does, and counts what continues it.
SUSPENDS = """
import os, signal, sys
from procman.runtime.guardian import guardian

continued = []

def manage():
    signal.signal(signal.SIGCONT, lambda *_: continued.append(1))
    print("up", flush=True)
    while numbers := os.read(guardian.guardian_pipe, 100):
        if signal.SIGTSTP in numbers:
            guardian.suspend()
            os.kill(os.getpid(), signal.SIGSTOP)
        print("asked" if signal.SIGUSR1 in numbers else "other", len(continued), flush=True)
    return 0

sys.exit(guardian.guarded(manage))
"""
ROLES = {"procman": "guardian", "procman-watch": "watchdog", "procman-manager": "manager"}
LIMIT = 30.0  # seconds; only a hang reaches it


class Tree:
    """A guarded program and everything below it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "yes"], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        assert self.out.readline() == "up\n"
        self.all = [psutil.Process(self.process.pid), *self._settled()]
        self.by_role = {ROLES[p.name()]: p.pid for p in self.all if p.name() in ROLES}

    def _settled(self) -> list[psutil.Process]:
        """Return the descendants, once the daemon and the six sleepers exist, and all three roles have their names."""
        end = time.monotonic() + LIMIT
        guardian = psutil.Process(self.process.pid)
        while time.monotonic() < end:
            found = guardian.children(recursive=True)
            names = [_name(process) for process in (guardian, *found)]
            if names.count("sleep") == 7 and ROLES.keys() <= set(names):
                return found
            time.sleep(0.01)
        raise AssertionError("the tree did not come up")

    def kill(self, roles: tuple[str, ...]) -> None:
        for role in roles:
            with contextlib.suppress(ProcessLookupError):  # the first one's death may have been its end already
                os.kill(self.by_role[role], signal.SIGKILL)

    def survivors(self) -> list[str]:
        end = time.monotonic() + LIMIT
        while alive := [p for p in self.all if _alive(p)]:
            if time.monotonic() > end:
                break
            self.process.poll()
            time.sleep(0.01)
        return [_name(p) for p in alive]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def tree() -> Iterator[Tree]:
    tree = Tree()
    yield tree
    for process in tree.all:
        if _alive(process):
            process.kill()
    tree.out.close()
    tree.process.wait(LIMIT)


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")
@pytest.mark.parametrize(
    "roles",
    [
        ("guardian",),
        ("watchdog",),
        ("manager",),
        ("guardian", "watchdog"),
        ("guardian", "manager"),
        ("watchdog", "manager"),
    ],
    ids="+".join,
)
def test_whoever_is_killed_the_rest_leaves_nothing(tree: Tree, roles: tuple[str, ...]) -> None:
    tree.kill(roles)
    assert tree.survivors() == []


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")
def test_killing_the_whole_group_leaves_nothing(tree: Tree) -> None:
    os.killpg(tree.process.pid, signal.SIGKILL)
    assert tree.survivors() == []


def test_the_exit_code_of_a_killed_manager_is_137(tree: Tree) -> None:
    tree.kill(("manager",))
    assert tree.process.wait(LIMIT) == 137


def test_signals_for_the_guardian_reach_the_manager(tree: Tree) -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1):
        tree.process.send_signal(number)
        assert tree.out.readline() == f"heard {int(number)}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is unknown whether the manager sleeps")
@pytest.mark.parametrize("whom", ["group", "guardian"])
def test_the_manager_is_continued_once_since_a_late_one_would_undo_the_next_ctrl_z(whom: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUSPENDS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTSTP)
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGCONT)
        for _ in range(50):  # a late one would have come by then
            process.send_signal(signal.SIGUSR1)
            while not (line := process.stdout.readline()).startswith("asked"):
                assert line
        assert line == "asked 1\n"
    finally:
        process.kill()
        process.communicate()


def test_the_three_can_be_told_apart(tree: Tree) -> None:
    assert set(tree.by_role) == {"guardian", "watchdog", "manager"}
    assert psutil.Process(tree.by_role["watchdog"]).cmdline()[0].startswith("procman: watchdog")
    assert psutil.Process(tree.by_role["manager"]).cmdline()[0].startswith("procman: manager")


def test_without_a_guardian_the_function_is_simply_called() -> None:
    code = (
        "import sys; from procman.runtime.guardian.guardian import guarded; sys.exit(guarded(lambda: 5, enabled=False))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 5


def test_the_manager_exit_code_and_words_pass_through() -> None:
    code = f"{IMPORTS}; sys.exit(guarded(lambda: print('words') or 7))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "words\n")
