"""PID 1 of a container stops the program and its group as `start` does, whichever shell the image has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from export.plans import plan_of
from export.rig import LIMIT, need
from procman.core.model.plan import StopPolicy
from procman.export.application import application
from procman.export.container.first_process import container_argv, signal_warnings
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from procman.export.application import Application

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}

# Each writes what happens to it, one line a word. It works at something that ends on its own when asked to.
PROGRAMS = {
    "plain": "trap 'sleep 0.3; echo plain done; exit 0' TERM; echo up; : >is-up; while :; do sleep 0.05; done",
    "job": "trap 'echo job killed; exit 1' TERM; echo up; sleep 0.6; echo job done",
    # A launcher that does not pass the signal on, as npm.
    "launcher": "trap 'exit 5' TERM; ./plain & wait",
    # A worker that finishes its jobs, whose processes die of the signal.
    "prefork": "trap 'asked=1' TERM; ./job & j=$!; while kill -0 $j 2>/dev/null; do wait $j; done; echo asked $asked",
    "stubborn": "trap 'echo no' TERM; ./plain & p=$!; while kill -0 $p 2>/dev/null; do wait $p; done; echo child gone",
    "twice": "trap 'echo asked' TERM; echo up; n=0; while [ $n -lt 30 ]; do sleep 0.05; n=$((n + 1)); done",
    "leaver": "./plain & while [ ! -e is-up ]; do sleep 0.05; done; exit 7",
    "by-command": "trap 'echo usr1; exit 0' USR1; trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.05; done",
    "ends": "echo up; exit 3",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, body in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def service_of(line: str, **stop: object) -> Application:
    overlay = {"web": {"stop": StopPolicy(**stop)}}  # type: ignore[arg-type]
    return application(plan_of(f"web: {line}\n", overlay), ExportOptions(app="app"))


class Container:
    """The command of a container, run by a shell as PID 1 of a namespace."""

    def __init__(self, folder: Path, shell: str, line: str, sent: int = 0, **stop: object) -> None:
        need("unshare", shell, root=True)
        argv = container_argv(service_of(line, **stop).services[0], sent)
        program = shutil.which(SHELLS[shell][0]) or ""
        inside = [program, *SHELLS[shell][1:], *argv[1:]]
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *inside],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout

    @property
    def first(self) -> int:
        """The PID 1, as this machine numbers it."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path) as children:
            return int(children.read().split()[0])

    def stop(self, number: int = signal.SIGTERM, up: int = 1) -> tuple[list[str], int]:
        """Signal PID 1 once ``up`` lines say that all is up. Return what follows, and the exit status."""
        for _ in range(up):
            assert self.lines.readline() == "up\n"
        os.kill(self.first, number)
        return self.ended()

    def ended(self) -> tuple[list[str], int]:
        output, _ = self.process.communicate(timeout=LIMIT)
        return sorted(output.splitlines()), self.process.returncode


@pytest.mark.parametrize("shell", SHELLS)
class TestPidOne:
    def test_a_program_ends_by_itself(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./ends").ended() == (["up"], 3)

    def test_a_program_gets_its_time(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./plain").stop() == (["plain done"], 0)

    def test_what_a_launcher_leaves_behind_gets_its_time(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./launcher").stop() == (["plain done"], 5)

    def test_all_of_a_compound_line_get_their_time(self, folder: Path, shell: str) -> None:
        lines, code = Container(folder, shell, "./plain & ./plain & wait").stop(up=2)
        assert (lines, code) == (["plain done", "plain done"], 143)

    def test_a_worker_finishes_its_job(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./prefork", grace=30.0).stop() == (["asked 1", "job done"], 0)

    def test_with_stop_to_group_all_are_asked_at_once(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./prefork", grace=30.0, to="group").stop() == (["asked 1", "job killed"], 0)

    def test_with_stop_to_program_the_one_behind_the_shell_is_asked(self, folder: Path, shell: str) -> None:
        command = "true && ./prefork && echo after"
        lines, _ = Container(folder, shell, command, grace=30.0, to="program").stop()
        assert lines == ["after", "asked 1", "job done"]

    def test_at_half_of_the_time_the_others_are_asked(self, folder: Path, shell: str) -> None:
        start = time.monotonic()
        lines, _ = Container(folder, shell, "./stubborn", grace=2.0).stop()
        assert lines == ["child gone", "no", "plain done"]
        assert time.monotonic() - start > 1.0

    def test_a_program_is_asked_once(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./twice", grace=0.6).stop() == (["asked"], 0)

    def test_what_a_program_leaves_behind_is_asked(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./leaver").ended() == (["plain done", "up"], 7)

    def test_its_own_stop_signal_follows_the_one_of_the_engine(self, folder: Path, shell: str) -> None:
        command = "trap 'echo usr1; exit 0' USR1; echo up; while :; do sleep 0.05; done"
        lines, code = Container(folder, shell, command, signal.SIGTERM, signal_number=signal.SIGUSR1).stop()
        assert (lines, code) == (["usr1"], 0)

    def test_a_stop_command_replaces_the_signal(self, folder: Path, shell: str) -> None:
        command = "echo 'stopping' \"$PROCMAN_PID\"; kill -USR1 $PROCMAN_PID"
        container = Container(folder, shell, "./by-command", command=command)
        assert container.stop() == (["stopping 2", "usr1"], 0)

    def test_the_signal_follows_a_stop_command_that_fails(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./by-command", command="exit 1").stop() == (["term"], 0)

    def test_orphans_are_reaped(self, folder: Path, shell: str) -> None:
        command = "(sleep 0.1 &); while grep -qs sleep /proc/[0-9]*/comm; do :; done; echo none"
        assert Container(folder, shell, command).ended() == (["none"], 0)

    def test_ctrl_c_of_docker_run_stops_it(self, folder: Path, shell: str) -> None:
        assert Container(folder, shell, "./plain").stop(signal.SIGINT) == (["plain done"], 0)

    def test_the_environment_is_not_touched(self, folder: Path, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ["n", "pid", "program", "target", "signal", "half", "whole", "stopping", "left", "code", "early"]
        for name in names:
            monkeypatch.setenv(name, f"own {name}")
        shown = " ".join(f'"${name}"' for name in names)
        command = f"printf '%s\\n' {shown}; echo up; ./plain"
        container = Container(folder, shell, command)
        assert [container.lines.readline() for _ in names] == [f"own {name}\n" for name in names]
        container.stop(up=2)


@pytest.mark.parametrize("shell", SHELLS)
def test_elsewhere_than_as_pid_one_it_leaves_others_alone(folder: Path, shell: str) -> None:
    need(shell)
    argv = container_argv(service_of("./prefork", grace=30.0, to="group").services[0])
    inside = [shutil.which(SHELLS[shell][0]) or "", *SHELLS[shell][1:], *argv[1:]]
    with subprocess.Popen(inside, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.stdout.read().splitlines() == ["job done", "asked 1"]
        assert process.wait(LIMIT) == 0


def test_the_folder_of_a_service_is_below_that_of_the_image(folder: Path) -> None:
    (folder / "services" / "my mail").mkdir(parents=True)
    plan = plan_of("web: pwd\n", {"web": {"cwd": "/srv/app/services/my mail"}})
    argv = container_argv(application(plan, ExportOptions(app="app")).services[0])
    done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=True)
    assert done.stdout == f"{folder}/services/my mail\n"


@pytest.mark.parametrize(
    ("command", "sent", "warned"),
    [("./a", 0, False), ("./a & ./b & wait", 0, True), ("./a", signal.SIGTERM, True)],
)
def test_a_signal_that_a_shell_lets_ignore_is_warned_of(command: str, sent: int, warned: bool) -> None:
    app = service_of(command, signal_number=signal.SIGQUIT)
    assert bool(list(signal_warnings(app, sent))) == warned
