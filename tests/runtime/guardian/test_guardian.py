"""If any of guardian, watchdog and manager is killed, the others end everything."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

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
