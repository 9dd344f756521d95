"""Windows, as far as it can be seen from here: with a Python that lacks what a Python of Windows lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness

HERE = Path(__file__).parent
PROGRAM = "from procman.cli.program import program; program()"


@pytest.fixture
def shop(place: harness.Place) -> harness.Place:
    place.procfile("web: python3 -m http.server $PORT\nshow: printenv GREETING\n")
    place.write(".env", "GREETING=hello\n")
    place.write("procman.toml", "[process.web]\nready = { http = '/' }\n[process.show]\nenv = { A = '1' }\n")
    return place


def call(place: harness.Place, *words: str, **variables: str) -> harness.Finished:
    """Run procman as on Windows."""
    env = harness.environment({"PYTHONPATH": str(HERE), "PROCMAN_DEBUG": "1", **variables})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=place.folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=harness.LIMIT,
        check=False,
    )
    return harness.Finished(done.returncode, done.stdout, done.stderr)


def test_the_simulation_lacks_what_windows_lacks(shop: harness.Place) -> None:
    code = "import os, signal, sys; assert not hasattr(os, 'fork') and not hasattr(signal, 'SIGKILL'); import fcntl"
    env = harness.environment({"PYTHONPATH": str(HERE)})
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert "No module named 'fcntl'" in done.stderr


def test_the_version_and_all_help_is_shown(shop: harness.Place) -> None:
    assert call(shop, "--version").out.startswith("procman ")
    for words in (("--help",), ("start", "--help"), ("start", "--help-all"), ("help",), ("help", "overlay")):
        done = call(shop, *words)
        assert (done.code, done.err) == (0, ""), words


def test_check_finds_mistakes(shop: harness.Place) -> None:
    assert call(shop, "check").out == "Procfile: ok — 2 process types (web, show)\n"
    assert '"name": "web.1"' in call(shop, "check", "--json").out
    shop.procfile("web: true\nweb: true\n")
    assert call(shop, "check").code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shop: harness.Place, shell: str) -> None:
    done = call(shop, "completion", shell)
    assert (done.code, "_PROCMAN_COMPLETE" in done.out) == (0, True)


def test_a_shell_completes_commands(shop: harness.Place) -> None:
    done = call(shop, _PROCMAN_COMPLETE="bash_complete", COMP_WORDS="procman comp", COMP_CWORD="1")
    assert done.out == "plain,completion\n"


@pytest.mark.parametrize("target", ["systemd", "compose", "kubernetes", "s6"])
def test_export_prints_what_it_prints_elsewhere(shop: harness.Place, target: str) -> None:
    words = ("export", target, "-o", "-", "-i", "shop:1", "-a", "shop", "-u", "shop", "--target-dir", "/srv/shop")
    here, elsewhere = call(shop, *words), shop.call(*words)
    assert (here.code, here.out, here.err) == (elsewhere.code, elsewhere.out, elsewhere.err)


def test_export_writes_updates_and_removes_files(shop: harness.Place) -> None:
    words = ("export", "systemd", "-o", "out", "-a", "shop", "-u", "shop")
    assert "write " in call(shop, *words, "-m", "web=2").out
    for path in (shop.folder / "out").rglob("*"):
        assert path.is_symlink() or path.is_dir() or "Made by procman" in path.read_text() or path.name.endswith(".env")
    assert "unchanged" in call(shop, *words, "-m", "web=2").out
    assert "remove " in call(shop, *words, "-m", "web=1").out
    shop.write("out/shop.target", "mine\n")
    done = call(shop, *words, "-m", "web=1")
    assert (done.code, "exists and was not written by this export" in done.err) == (2, True), done


def test_run_runs_a_line_and_a_command_and_returns_its_status(shop: harness.Place) -> None:
    assert call(shop, "run", "show").out == "hello\n"
    assert call(shop, "run", "--", "sh", "-c", "echo $PROCMAN_WEB_PORT; exit 7").code == 7
    assert call(shop, "run", "nothing").code == 127


def test_run_needs_a_shell_only_for_a_line_that_does(shop: harness.Place) -> None:
    shop.procfile("web: true\nshow: true\nboth: echo $GREETING && exit 3\n")
    done = call(shop, "run", "both")
    assert (done.code, done.out) == (3, "hello\n")
    done = call(shop, "run", "both", PATH=str(shop.folder))
    assert (done.code, done.out) == (127, "")
    assert done.err == (
        'procman: "sh": command not found\nhint: this line needs a shell; Git for Windows has one, and so has WSL\n'
    )


@pytest.mark.parametrize("name", ["start", "up", "test", "ps", "logs", "deploy", "prune", "env", "mcp"])
def test_what_needs_a_session_says_so_in_one_sentence(shop: harness.Place, name: str) -> None:
    done = call(shop, name, *(("true",) if name == "test" else ()))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"procman: procman {name} needs Linux or macOS; on Windows, use procman inside WSL\n")
    assert done.err.count("\n") == 2


def test_init_writes_a_procfile(place: harness.Place) -> None:
    place.write("manage.py", "")
    assert call(place, "init").code == 0
    assert "web: python manage.py runserver $PORT" in (place.folder / "Procfile").read_text()
