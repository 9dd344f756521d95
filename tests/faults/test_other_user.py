"""A child that becomes another user, as by `sudo`: an ordinary user cannot signal it, and procman ends all the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

SET_USER_ID = 0o4755


@pytest.fixture
def helper(place: Place) -> tuple[str, str]:
    """A setuid program of root that becomes root entirely and sleeps, and its argument."""
    kit.need_linux()
    kit.need_root()
    program = place.folder / "become-root"
    shutil.copy(kit.need_tool("setpriv"), program)
    program.chmod(SET_USER_ID)
    for folder in (place.folder, *place.folder.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return f"{program} --reuid=0 sleep", kit.sleep_time()


def _start(place: Place, helper: tuple[str, str], kind: str, line: str) -> Session:
    place.procfile(line.format(" ".join(helper)))
    (place.folder / "Procfile").chmod(0o644)
    session = place.session("start", kind, "-t", "0.2", "--no-control", program=kit.as_nobody(place))
    kit.wait_running(1, helper[1])
    pid = kit.running(helper[1])[0]
    if os.stat(f"/proc/{pid}").st_uid != 0 or _may_kill(pid):
        kit.miss("a program cannot become root here")
    place.write("up", "")  # a leader that ends earlier takes it along while it still may
    return session


def _may_kill(pid: int) -> bool:
    command = ["setpriv", f"--reuid={kit.NOBODY}", "--clear-groups", "--bounding-set=-all", "kill", "-0", str(pid)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("line", ["web: {}\n", "web: {}; true\n", "web: {} & until [ -e up ]; do sleep 0.01; done\n"])
def test_what_cannot_be_signalled_is_named_and_left(place: Place, helper: tuple[str, str], line: str) -> None:
    session = _start(place, helper, "--no-pty", line)
    pid = kit.running(helper[1])[0]
    session.signal(signal.SIGTERM)
    session.wait()
    assert f"only that user or root can end it: pid {pid}" in session.text
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("line", ["web: {}\n", "web: {}; true\n"])
def test_on_a_terminal_the_kernel_signals_it_for_us(place: Place, helper: tuple[str, str], line: str) -> None:
    session = _start(place, helper, "--pty", line)
    session.signal(signal.SIGTERM)
    session.wait()
    kit.wait_gone(helper[1])
