"""PID 1 of a container: reaps strangers, is not confused by them, obeys, and ends with the failure's code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

# Fifty orphans that end immediately, and a count of those that still exist, because they run or were not reaped.
ORPHANS = """
import os, time
for _ in range(50):
    if os.fork() == 0:
        os.setsid()
        os._exit(0) if os.fork() else None
        os._exit(7)
    os.wait()
def left():
    return len({name for name in os.listdir("/proc") if name.isdigit()} - {"1", str(os.getpid())})
end = time.monotonic() + 30
while (number := left()) and time.monotonic() < end:
    time.sleep(0.02)
print("left:", number, flush=True)
time.sleep(1000)
"""


def _inside(session: Session) -> int:
    """The pid, outside, of what is PID 1 inside."""
    kit.wait_until(lambda: _find(session.pid), "PID 1")
    return _find(session.pid)


def _find(pid: int) -> int:
    for child in psutil.Process(pid).children(recursive=True):
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            continue
        numbers = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid")), [])
        if len(numbers) > 1 and numbers[-1] == "1" and "procman" in " ".join(child.cmdline()):
            return child.pid
    return 0


def test_orphans_are_reaped_and_confuse_nobody(place: Place) -> None:
    place.procfile(f"web: {kit.script(place, 'orphans.py', ORPHANS)}\n")
    session = place.session("start", program=kit.in_pid_namespace(place))
    session.wait_for("left: 0")
    kit.kill(_inside(session), number=signal.SIGTERM)
    assert session.wait() == 0
    assert "web.1 exited" not in session.text
    assert "web.1 stopped" in session.text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_signals_are_obeyed(place: Place, number: int, code: int) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: sleep {argument} & setsid env -i sleep {argument} & wait\n")
    session = place.session("start", program=kit.in_pid_namespace(place))
    kit.wait_running(2, argument)
    kit.kill(_inside(session), number=number)
    assert session.wait() == code
    assert kit.running(argument) == []


def test_a_failure_ends_it_with_its_code(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"bad: exit 42\ngood: exec sleep {argument}\n")
    session = place.session("start", "--restart", "never", program=kit.in_pid_namespace(place))
    assert session.wait() == 42
    assert kit.running(argument) == []


def test_there_is_no_second_process_of_ours(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.session("start", program=kit.in_pid_namespace(place))
    kit.wait_running(1, argument)
    assert len(psutil.Process(_inside(session)).children(recursive=True)) == 1


def test_a_proc_of_another_namespace_misleads_nobody(place: Place) -> None:
    """`unshare --pid` without --mount-proc: /proc shows the pids of the outside, which mean others in here."""
    kit.in_pid_namespace(place)  # or skip
    kit.need_root()
    argument = kit.sleep_time()
    place.procfile(f"web: setsid env -i sleep {argument} & exec sleep {argument}\n")
    program = kit.wrapper(place, f'exec {kit.need_tool("unshare")} --pid --fork --kill-child "$PROCMAN" "$@"')
    session = place.session("start", "--timeout", "2", program=program)
    kit.wait_running(2, argument)
    kit.kill(_inside(session), number=signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def _suspend(guardian: int, manager: int) -> None:
    kit.kill(guardian, number=signal.SIGTSTP)
    kit.wait_until(lambda: kit.is_stopped(guardian) and kit.is_stopped(manager), "both to stop")


def test_a_suspended_session_wakes_and_ends_whatever_proc_says(place: Place) -> None:
    """Not as PID 1, so with a guardian: the manager's number is a stranger's in a /proc of another namespace."""
    kit.in_pid_namespace(place)  # or skip
    kit.need_root()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    inside = f'exec {kit.need_tool("unshare")} --pid --fork --kill-child sh -c \'"$0" "$@"; exit $?\' "$PROCMAN" "$@"'
    session = place.session("start", program=kit.wrapper(place, inside))
    kit.wait_running(1, argument)
    roles = kit.roles(session)
    guardian, manager = roles["guardian"], roles["manager"]
    _suspend(guardian, manager)
    kit.kill(guardian, number=signal.SIGCONT)
    kit.wait_until(lambda: not kit.is_stopped(manager), "the manager to go on")
    _suspend(guardian, manager)
    kit.kill(guardian, number=signal.SIGTERM)
    kit.kill(guardian, number=signal.SIGCONT)  # as a shell's `kill %1` does
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_awake_is_not_said_of_a_stranger_with_the_same_number(place: Place) -> None:
    kit.in_pid_namespace(place)  # or skip
    kit.need_root()
    words = [kit.need_tool("unshare"), "--pid", "--fork", "--kill-child", sys.executable, "-c"]
    code = "import sys; from procman.runtime.system.procfs import is_awake; print(is_awake(int(sys.argv[1])))"
    done = subprocess.run([*words, code, str(os.getpid())], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_run_reaps_strangers_too_and_passes_the_code_on(place: Place) -> None:
    text = ORPHANS.replace("time.sleep(1000)", "raise SystemExit(33)")
    place.procfile(f"web: {kit.script(place, 'orphans.py', text)}\n")
    session = place.session("run", "web", program=kit.in_pid_namespace(place))
    assert session.wait() == 33
    assert "left: 0" in session.text
