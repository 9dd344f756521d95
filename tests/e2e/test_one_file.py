"""procman as one file, which starts, detaches and stops like the installed command; and the hook of pre-commit."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import harness
from e2e.screen import on_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

ROOT = Path(__file__).parents[2]
LIMIT = 300.0  # seconds; the build installs packages


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pyz") / "procman.pyz"
    shiv = Path(sys.executable).with_name("shiv")
    if not shiv.exists():
        pytest.skip("shiv is not installed (PyPI)")
    words = [str(shiv), "-c", "procman", "-o", str(made), "--disable-pip-version-check", f"{ROOT}[schedule,init,tui]"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    return made


def test_the_file_does_what_the_installed_command_does(place: Place, one_file: Path, tmp_path: Path) -> None:
    place.procfile("web: echo up; exec sleep 1000\n")
    env = {"SHIV_ROOT": str(tmp_path / "shiv")}

    def call(*words: str) -> str:
        command = (sys.executable, str(one_file))
        done = harness.call(*words, cwd=place.folder, env=env, limit=LIMIT, program=command)
        assert done.code == 0, done
        return done.out

    assert "ok" in call("check")
    assert "systemd" in call("export", "--list")
    assert "# The overlay" in call("help", "overlay")
    assert "web.1" in call("up", "--no-port")
    try:
        assert "running" in call("ps")
        assert "up" in call("logs", "web")
    finally:
        call("down")


def test_the_file_reads_yaml(place: Place, one_file: Path, tmp_path: Path) -> None:
    place.write("process-compose.yaml", "processes: {web: {command: echo up}}\n")
    command = (sys.executable, "-I", str(one_file))  # without the packages of this user
    env = {"SHIV_ROOT": str(tmp_path / "shiv")}
    done = harness.call("init", "--dry-run", cwd=place.folder, env=env, limit=LIMIT, program=command)
    assert (done.code, "web: echo up" in done.out) == (0, True), done


def test_the_file_has_the_screen(place: Place, one_file: Path, tmp_path: Path) -> None:
    place.procfile("web: echo up; exec sleep 1000\n")
    # Isolated from the packages of this machine.
    program = place.write("procman", f'#!/bin/sh\nexec {sys.executable} -I {one_file} "$@"\n', 0o755)
    terminal = on_terminal(place, "tui", "--start", program=str(program), env={"SHIV_ROOT": str(tmp_path / "shiv")})
    terminal.see(lambda: any("● web.1" in row for row in terminal.rows), "the process")
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert place.call("down").code == 0


def test_the_hook_of_pre_commit_finds_a_mistake(place: Place) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *words = shlex.split(hook["entry"])
    assert program == "procman"
    place.procfile("web: sleep 1\nweb: sleep 2\n")
    assert place.call(*words).code == 1
    place.procfile("web: sleep 1\n")
    assert place.call(*words).code == 0
