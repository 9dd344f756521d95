"""The script that supervisord runs stops the program as `start` does, in each shell that may be /bin/sh."""

from __future__ import annotations

import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from export.plans import Export, plan_of
from export.rig import LIMIT, POOL, need, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = {"dash": ("dash",), "bash": ("bash", "--posix")}  # busybox has no setpriv --pdeathsig: it signals the group
SERVER = "trap 'sleep 0.2; echo bye >seen/bye; exit 3' TERM; echo $$ >seen/pid; while :; do sleep 0.1 & wait $!; done"


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    need("setsid", "setpriv", "env")
    words: tuple[str, ...] = SHELLS[request.param]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return words


class Script:
    """The script of web.1, in a folder of its own."""

    def __init__(self, folder: Path, command: str, overlay: dict[str, object] | None = None) -> None:
        self.seen = folder / "seen"
        self.seen.mkdir()
        export = Export(
            "supervisord", plan_of(f"web: {command}\n", {"web": overlay or {}}), target_dir=str(folder), owner=""
        )
        for path, content in export.files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(content)
        self.path = folder / "app" / "web.1.sh"
        for name, script in (("server", SERVER), ("launcher", "./server &\nwait"), ("pool", POOL)):
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    def start(self, shell: tuple[str, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*shell, self.path], stdin=subprocess.DEVNULL, start_new_session=True)

    def wait_for(self, name: str) -> None:
        wait_for((self.seen / name).exists, name)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait(LIMIT)


@pytest.mark.parametrize(("command", "code"), [("./server", 3), ("./launcher", 143), ("true && ./launcher", 143)])
def test_it_lasts_as_long_as_the_program(
    tmp_path: Path, shell: tuple[str, ...], started: list[subprocess.Popen[bytes]], command: str, code: int
) -> None:
    script = Script(tmp_path, command)
    started.append(script.start(shell))
    script.wait_for("pid")
    started[0].terminate()
    assert started[0].wait(LIMIT) == code
    assert (script.seen / "bye").exists()


def test_a_pool_finishes_its_job(
    tmp_path: Path, shell: tuple[str, ...], started: list[subprocess.Popen[bytes]]
) -> None:
    script = Script(tmp_path, "./pool")
    started.append(script.start(shell))
    script.wait_for("pool.1.pid")
    started[0].terminate()
    assert started[0].wait(LIMIT) == 0
    assert (script.seen / "pool.job").exists()


def test_another_signal_is_passed_on_and_ends_nothing(
    tmp_path: Path, shell: tuple[str, ...], started: list[subprocess.Popen[bytes]]
) -> None:
    script = Script(tmp_path, "./reload")
    reload = (
        "trap 'echo >>seen/reloaded' HUP; trap 'exit 0' TERM; echo $$ >seen/pid; while :; do sleep 0.1 & wait $!; done"
    )
    (tmp_path / "reload").write_text(f"#!/bin/sh\n{reload}\n")
    (tmp_path / "reload").chmod(0o755)
    started.append(script.start(shell))
    script.wait_for("pid")
    for count in (1, 2):
        started[0].send_signal(signal.SIGHUP)
        wait_for(partial(_has_lines, script.seen / "reloaded", count), "the signal has arrived")
    started[0].terminate()
    assert started[0].wait(LIMIT) == 0


def _has_lines(path: Path, count: int) -> bool:
    return path.exists() and len(path.read_text().splitlines()) == count


def test_a_death_is_passed_on_and_leaves_nothing(
    tmp_path: Path, shell: tuple[str, ...], started: list[subprocess.Popen[bytes]]
) -> None:
    script = Script(tmp_path, "./crash")
    (tmp_path / "crash").write_text("#!/bin/sh\nsleep 1000 &\necho $! >seen/child\nexit 7\n")
    (tmp_path / "crash").chmod(0o755)
    started.append(script.start(shell))
    assert started[0].wait(LIMIT) == 7
    child = Path(f"/proc/{(script.seen / 'child').read_text().strip()}/cmdline")
    assert not child.exists() or not child.read_bytes()
