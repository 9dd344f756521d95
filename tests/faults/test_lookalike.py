"""A Linux made to look like macOS: no epoll, pidfd, prctl, waitid, prlimit, sigwaitinfo, and an empty /proc.

It shows what happens where these are missing, not what kqueue and the kernel of macOS do. Root only: it mounts.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess

import pytest

import harness
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

# Takes away what CPython lacks on macOS, from procman's own processes alone.
SITE = """
import sys
if sys.argv[:1] and "procman" in " ".join(sys.orig_argv):
    import _signal, ctypes, os, resource, select, selectors, signal, socket
    for module, names in {
        select: ["epoll"],  # selectors keeps its own, which stands for kqueue
        os: ["pidfd_open", "pipe2", "waitid"],
        resource: ["prlimit"],
        signal: ["sigwaitinfo", "sigtimedwait", "pidfd_send_signal"],
        _signal: ["sigwaitinfo", "sigtimedwait", "pidfd_send_signal"],
        socket: ["SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED"],
    }.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    import _ctypes
    find = _ctypes.dlsym
    def dlsym(library, name):
        if name == "prctl":
            raise OSError("no such symbol")
        return find(library, name)
    _ctypes.dlsym = dlsym
    import time
    kill = os.kill
    def late(pid, number):
        if number == signal.SIGSTOP and pid == os.getpid():
            time.sleep(0.2)  # a busy machine: a shell may say fg before the manager has stopped
        kill(pid, number)
    os.kill = late
"""
# Says goodbye a moment after the stop signal, and needs its port for itself.
SERVER = """
import select, signal, socket, sys
wake, waker = socket.socketpair()
waker.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: waker.send(b"x"))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False)
print("serving", flush=True)
wake.recv(1)
select.select([], [], [], 0.3)
print("closed cleanly", flush=True)
"""


@pytest.fixture
def lookalike(place: Place) -> str:
    """A program that runs procman in such a place."""
    kit.need_root()
    unshare, mount = kit.need_tool("unshare"), kit.need_tool("mount")
    done = subprocess.run([unshare, "-m", mount, "-t", "tmpfs", "none", "/proc"], capture_output=True, check=False)
    if done.returncode:
        kit.miss("nothing can be mounted here")
    place.write("site/sitecustomize.py", SITE)
    inner = place.write("inner", f'#!/bin/sh\n{mount} -t tmpfs none /proc\nexec "$@"\n', mode=0o755)
    site = place.folder / "site"
    return kit.wrapper(place, f'PYTHONPATH={site} exec {unshare} -m {inner} "$PROCMAN" "$@"')


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _start(place: Place, lookalike: str, *words: str, pty: bool = False) -> Session:
    return place.session("start", "--no-control", *words, program=lookalike, pty=pty)


def test_ends_are_noticed_and_restarted(place: Place, lookalike: str) -> None:
    place.procfile("crash: exit 3\nones: echo done; true\n")
    session = _start(place, lookalike, "--restart", "never")
    assert session.wait() == 3
    assert "crash.1 FAILED" in session.text
    assert "ones.1 exited with code 0" in session.text


def test_what_lives_below_a_shell_is_waited_for(place: Place, lookalike: str) -> None:
    place.procfile(f"web: cd . && {kit.script(place, 'server.py', SERVER)} {_free_port()}; true\n")
    session = _start(place, lookalike)
    session.wait_for("serving")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert "closed cleanly" in session.text
    session.wait_until_gone()


def test_a_restart_never_begins_beside_the_life_before(place: Place, lookalike: str) -> None:
    server = f"{kit.script(place, 'server.py', SERVER)} {_free_port()}"
    place.procfile(f"web: {server} & read line <fifo; exit 1\n")
    subprocess.run(["mkfifo", place.folder / "fifo"], check=True)
    session = _start(place, lookalike)
    for _ in range(2):
        session.wait_for("serving")
        (place.folder / "fifo").write_text("crash\n")
        session.wait_for("exited with code 1")
    session.wait_for("serving")
    assert "Address already in use" not in session.text
    session.signal(signal.SIGTERM)
    session.wait()
    session.wait_until_gone()


def test_what_does_not_obey_is_killed_at_the_end_of_its_grace(place: Place, lookalike: str) -> None:
    nap = kit.sleep_time()
    place.procfile(f"web: (trap '' TERM; echo stubborn; sleep {nap}); true\n")
    session = _start(place, lookalike, "-t", "0.3")
    session.wait_for("stubborn")
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    session.wait_until_gone()


def test_ctrl_z_and_fg_go_on(place: Place, lookalike: str) -> None:
    """The guardian cannot tell a key from a kill there, and passes Ctrl-Z on although the manager has it.

    The shell says fg as soon as it sees the guardian stop, five times.
    """
    place.procfile("web: while :; do echo tick; sleep 0.05; done\n")
    place.write(
        "shell.sh",
        f"set -m\n'{lookalike}' start --no-control --no-pty\nfor n in 1 2 3 4 5; do echo stopped $n; fg %1; done\n"
        "echo over\n",
    )
    session = place.session("-i", "shell.sh", program=shutil.which("bash") or kit.need_tool("bash"), pty=True)
    for number in range(1, 6):
        session.wait_for("tick")
        session.wait_for("tick")
        session.type(b"\x1a")
        session.wait_for(f"stopped {number}")
    session.wait_for("tick")
    session.wait_for("tick")
    session.type(b"\x03")
    session.wait_for("^over")
    session.wait()


def test_it_ends_with_the_reader_although_nothing_is_written(place: Place, lookalike: str) -> None:
    place.procfile(f"web: echo here; exec sleep {kit.sleep_time()}\n")
    done = subprocess.run(
        f"'{lookalike}' start --no-control | head -n 1",
        shell=True,
        cwd=place.folder,
        capture_output=True,
        check=False,
        timeout=kit.LIMIT,
        env=harness.environment(),
    )
    assert done.stdout.count(b"\n") == 1


def test_run_and_test_work(place: Place, lookalike: str) -> None:
    place.procfile(f"web: echo up; exec sleep {kit.sleep_time()}\n")
    run = place.session("run", "--", "sh", "-c", "exit 7", program=lookalike)
    assert run.wait() == 7
    test = place.session("test", "--", "sh", "-c", "exit 9", program=lookalike)
    assert test.wait() == 9, test
    test.wait_until_gone()
