"""A stop signals the program first: what it started may finish the job at hand, and still nothing is left."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from faults import kit
from procman.runtime.processes.recipients import handles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from harness import Place, Session

# The worker process has left TERM to its default action; the program waits for the job that it has given out.
POOL = """\
import multiprocessing, os, signal, time

def job(number):
    print("begun", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    return number

def ask(*_):
    global asked
    asked = True

if __name__ == "__main__":
    pool = multiprocessing.Pool(1)
    asked = False
    signal.signal(signal.SIGTERM, ask)
    result = pool.apply_async(job, (7,))
    while not asked:
        time.sleep(0.01)
    print("asked", flush=True)
    print("result", result.get(), flush=True)
"""
PYTHON = f"{sys.executable} -u"
SERVER = """\
import os, signal, sys, time
def drain(*_):
    print("server asked", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
print("up", flush=True)
while True:
    time.sleep(0.01)
"""
# Programs that start another and handle TERM: one ends immediately, one ignores it.
LAUNCHER = """\
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: {then})
server = subprocess.Popen([sys.executable, "-u", "server.py"], start_new_session={apart})
while True:
    time.sleep(0.01)
"""


def _terminate(session: Session, _place: Place) -> Callable[[], object]:
    session.signal(signal.SIGTERM)
    return session.wait


def _command(*words: str) -> Callable[[Session, Place], Callable[[], object]]:
    def ask(_session: Session, place: Place) -> Callable[[], object]:
        asking = place.session(*words)
        return lambda: asking.wait() == 0

    return ask


WAYS = {
    "TERM": _terminate,
    "stop": _command("stop", "web"),
    "restart": _command("restart", "web"),
    "scale": _command("scale", "web=0"),
}


@pytest.mark.parametrize("kind", ["--pty", "--no-pty"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_pool_finishes_the_job_at_hand(
    place: Place, way: Callable[[Session, Place], Callable[[], object]], kind: str
) -> None:
    kit.need_linux()
    place.write("pool.py", POOL)
    place.procfile(f"web: {PYTHON} pool.py\nother: sleep 1000\n")
    session = place.start(kind, "-t", "1000")
    session.wait_for(r"\| begun")
    done = way(session, place)
    session.wait_for(r"\| asked")
    place.write("go", "")
    session.wait_for(r"\| result 7")
    assert done() in (0, True)


# Programs without a handler, which wait for TERM. Their worker has left TERM to its default action.
WAITER = """\
import ctypes, os, signal, subprocess, sys, threading, time
worker = subprocess.Popen([sys.executable, "-c", "import os, time\\nwhile not os.path.exists('go'): time.sleep(0.01)"])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
def wait():
    print("begun", flush=True)
    {wait}
    print("asked", flush=True)
    print("result", worker.wait(), flush=True)
{begin}
"""
SIGNALFD = "libc = ctypes.CDLL(None); mask = (ctypes.c_uint64 * 16)(1 << 14); os.read(libc.signalfd(-1, mask, 0), 128)"
WAITS = {
    "sigwait": ("signal.sigwait([signal.SIGTERM])", "wait()"),
    "sigtimedwait": ("while not signal.sigtimedwait([signal.SIGTERM], 5): pass", "wait()"),
    "sigwait in a thread": ("signal.sigwait([signal.SIGTERM])", "threading.Thread(target=wait).start()"),
    "signalfd": (SIGNALFD, "wait()"),
}


@pytest.mark.parametrize("kind", ["--pty", "--no-pty"])
@pytest.mark.parametrize("way", WAITS)
def test_a_program_that_waits_for_the_signal_handles_it(place: Place, way: str, kind: str) -> None:
    kit.need_linux()
    wait, begin = WAITS[way]
    place.write("waiter.py", WAITER.format(wait=wait, begin=begin))
    place.procfile(f"web: {PYTHON} waiter.py\n")
    session = place.start(kind, "-t", "1000")
    kit.stop_when_up(place, session, "begun")
    session.wait_for(r"\| result 0")
    assert session.wait() == 0


def test_a_signal_counts_as_handled_before_and_while_the_program_waits_for_it() -> None:
    kit.need_linux()
    line = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); print(flush=True); signal.sigwait([15])"
    with subprocess.Popen([sys.executable, "-c", line], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        try:
            kit.wait_until(
                lambda: psutil.Process(program.pid).status() == psutil.STATUS_SLEEPING, "the call of sigwait"
            )
            assert handles(program.pid, signal.SIGTERM)
            assert not handles(program.pid, signal.SIGHUP)
        finally:
            program.kill()


def test_an_interrupt_at_the_terminal_lets_the_job_finish(place: Place) -> None:
    kit.need_linux()
    place.write("pool.py", POOL)
    place.procfile(f"web: {PYTHON} pool.py\n")
    session = place.start("-t", "1000", pty=True)
    session.wait_for(r"\S begun")
    session.type(b"\x03")
    session.wait_for(r"\S asked")
    place.write("go", "")
    session.wait_for(r"\S result 7")
    assert session.wait() == 130


@pytest.mark.parametrize("line", ["true && {pool}", "{pool}; true"])
def test_the_program_behind_a_shell_is_asked_first_where_the_overlay_says_so(place: Place, line: str) -> None:
    kit.need_linux()
    place.write("pool.py", POOL)
    place.write("procman.toml", '[process.web]\nstop_to = "program"\n')
    place.procfile(f"web: {line.format(pool=f'{PYTHON} pool.py')}\n")
    session = place.start("--no-pty", "-t", "1000")
    kit.stop_when_up(place, session, "begun")
    session.wait_for(r"\| result 7")
    assert session.wait() == 0


def test_the_group_is_asked_at_once_where_the_overlay_says_so(place: Place) -> None:
    _launch(place, "None")
    place.write("procman.toml", '[process.web]\nstop_to = "group"\n')
    session = place.start("--no-pty", "-t", "1000")
    session.wait_for(r"\| up")
    session.signal(signal.SIGTERM)
    session.wait_for(r"\| server asked")


def _launch(place: Place, then: str, apart: bool = False) -> None:
    kit.need_linux()
    place.write("server.py", SERVER)
    place.write("launcher.py", LAUNCHER.format(then=then, apart=apart))
    place.procfile(f"web: {PYTHON} launcher.py\n")


@pytest.mark.parametrize("apart", [False, True], ids=["in the group", "in a session of its own"])
def test_a_launcher_that_ends_alone_leaves_its_program_the_grace(place: Place, apart: bool) -> None:
    _launch(place, "os._exit(0)", apart)
    session = place.start("--no-pty", "-t", "1000")
    kit.stop_when_up(place, session)
    session.wait_for(r"\| drained")
    assert session.wait() == 0


@pytest.mark.parametrize("kind", ["--pty", "--no-pty"])
def test_the_rest_is_asked_at_half_of_the_grace(place: Place, kind: str) -> None:
    """The launcher gets the signal once: a second one means "now!" to some programs."""
    _launch(place, 'print("launcher asked", flush=True)')
    session = place.start(kind, "-t", "3")
    kit.stop_when_up(place, session)
    session.wait_for(r"\| drained")
    assert session.wait() == 143
    assert session.text.count("launcher asked") == 1


def test_a_program_that_ignores_the_signal_leaves_it_to_its_group_at_once(place: Place) -> None:
    kit.need_linux()
    place.write("server.py", SERVER)
    ignore = "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    place.write("ignore.py", f'{ignore}subprocess.run([sys.executable, "-u", "server.py"])\n')
    place.procfile(f"web: {PYTHON} ignore.py\n")
    session = place.start("--no-pty", "-t", "1000")
    kit.stop_when_up(place, session)
    session.wait_for(r"\| drained")
    assert session.wait() == 0


SCRIPT = """\
#!/bin/sh
trap 'echo "script asked"; exit 0' TERM
echo up
while :; do sh helper.sh; done
"""


@pytest.mark.parametrize("kind", ["--pty", "--no-pty"])
@pytest.mark.parametrize("line", ["sh run.sh", "./run.sh", "bash run.sh"])
def test_a_script_with_a_trap_is_asked_and_what_it_runs_is_not(place: Place, line: str, kind: str) -> None:
    kit.need_linux()
    if line.startswith("bash") and shutil.which("bash") is None:
        pytest.skip("not installed: bash")
    place.write("run.sh", SCRIPT, mode=0o700)
    place.write("helper.sh", "trap 'echo \"helper asked\"; exit 0' TERM\necho helping\nsleep 0.3\necho helped\n")
    place.procfile(f"web: {line}\n")
    session = place.start(kind, "-t", "1000")
    session.wait_for(r"\| helping")
    session.signal(signal.SIGTERM)
    session.wait_for(r"\| script asked")
    session.wait()
    assert "helper asked" not in session.text


@pytest.mark.parametrize("number", ["INT", "TERM"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_script_without_a_trap_is_asked_with_its_group(place: Place, shell: str, number: str) -> None:
    """Shells handle INT by themselves, and wait for what they run."""
    kit.need_linux()
    if shutil.which(shell) is None:
        pytest.skip(f"not installed: {shell}")
    place.write("server.py", SERVER.replace("signal.SIGTERM", f"signal.SIG{number}"))
    place.write("run.sh", f"{PYTHON} server.py\ntrue\n")
    place.procfile(f"web: {shell} run.sh\n")
    session = place.start("--no-pty", "-t", "1000", "-i", f"web={number}")
    kit.stop_when_up(place, session)
    session.wait_for(r"\| drained")
    session.wait()


@pytest.mark.parametrize("kind", ["--pty", "--no-pty"])
def test_npm_start_leaves_its_program_the_grace(place: Place, kind: str) -> None:
    kit.need_linux()
    if shutil.which("npm") is None:
        pytest.skip("not installed: npm")
    place.write("server.py", SERVER)
    start = f"true && {PYTHON} server.py; true"
    place.write("package.json", f'{{"name": "a", "version": "1.0.0", "scripts": {{"start": "{start}"}}}}')
    place.procfile("web: npm start\n")
    session = place.start(kind, "-t", "1000")
    kit.stop_when_up(place, session, limit=120)
    session.wait_for(r"\| drained")
    session.wait()
