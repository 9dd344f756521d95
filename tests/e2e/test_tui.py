"""`procman tui` on a terminal: it joins a session, changes it, leaves it, and breaks nothing."""

from __future__ import annotations

import os
import signal
import sys

import pytest

import harness
from e2e.screen import on_terminal

pytest.importorskip("textual", reason="the extra tui is not installed")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal

PROCFILE = """web: echo "[bold]as it is[/bold]"; printf '\\033[2J\\033[31mred\\033[0m\\n'; exec sleep 1000
worker: echo at work; read line; echo "got $line"; exec sleep 1000
"""


def shows(terminal: Terminal, *parts: str) -> None:
    """Wait until all of this is on the screen."""
    terminal.see(lambda: all(any(part in row for row in terminal.rows) for part in parts), f"{parts}")


@pytest.fixture
def running(place: harness.Place) -> harness.Place:
    """A place with a session."""
    place.procfile(PROCFILE)
    place.start("--pty").wait_for("got|at work")
    return place


def test_a_walk_through_a_session(running: harness.Place) -> None:
    terminal = on_terminal(running, "tui")
    shows(terminal, "● web.1", "● worker.1", "[bold]as it is[/bold]", "red", "at work")
    assert terminal.emulator.color("red") == "red"
    terminal.type(b"j")
    shows(terminal, "[bold]as it is[/bold]")
    terminal.see(lambda: not any("at work" in row for row in terminal.rows), "the log of web.1 alone")
    terminal.type(b"s")
    shows(terminal, "○ web.1")
    terminal.type(b"S")
    shows(terminal, "● web.1")
    terminal.type(b"w")
    shows(terminal, "why web.1", "web.1: up for")
    terminal.type(b"q")
    shows(terminal, "● worker.1")
    terminal.type(b"j")
    shows(terminal, "at work")
    terminal.type(b"a")
    terminal.wait_for("attached to worker.1")
    terminal.type(b"hello\n")
    terminal.wait_for("got hello")
    terminal.type(b"\x1d")
    terminal.wait_for(r"\x1b\[\?1049h")  # keys before that are dropped
    shows(terminal, "● worker.1", "got hello")
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert running.call("ps").out.count("running") == 2


def test_it_has_no_colors_without_colors_and_leaves_the_terminal_as_it_was(running: harness.Place) -> None:
    terminal = on_terminal(running, "tui", env={"NO_COLOR": "1"})
    before = terminal.settings
    shows(terminal, "● web.1", "● worker.1", "red")
    assert terminal.emulator.color("red") == terminal.emulator.color("● web.1") == "default"
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0
    assert terminal.settings == before
    assert terminal.out.rindex(b"\x1b[?1049l") > terminal.out.rindex(b"\x1b[?1049h")


def test_ctrl_z_suspends_it(running: harness.Place) -> None:
    terminal = on_terminal(running, "-c", f"set -m; {harness.PROCMAN} tui; echo held; fg", program="/bin/sh")
    shows(terminal, "● worker.1", "at work")
    terminal.type(b"\x1a")
    shows(terminal, "held")
    shows(terminal, "● worker.1", "at work")
    terminal.type(b"q")
    assert terminal.wait() == 0


def test_it_ends_with_its_terminal_even_if_hangups_are_ignored(running: harness.Place) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        " from procman.cli.main import main; sys.exit(main(['tui']))"
    )
    terminal = on_terminal(running, "-c", code, program=sys.executable)
    shows(terminal, "● worker.1")
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), terminal.terminal)  # the terminal is closed
    assert terminal.process.wait(harness.LIMIT) == 129


def test_a_session_begins_with_it_and_is_replaced_under_it(place: harness.Place) -> None:
    place.procfile("web: echo first; exec sleep 1000\n")
    terminal = on_terminal(place, "tui", "--start")
    shows(terminal, "● web.1", "first")
    place.procfile("db: echo second; exec sleep 1000\n")
    assert place.call("up", "--replace").code == 0
    shows(terminal, "another session has started", "● db.1", "second")
    terminal.resize(5, 20)
    shows(terminal, "● db.1")
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert place.call("down").code == 0


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("xterm", "no session of .* is running"),
        ("dumb", "tui needs a terminal that can move its cursor, and TERM says that this one cannot"),
    ],
)
def test_a_screen_that_cannot_be_is_one_sentence(place: harness.Place, term: str, words: str) -> None:
    place.procfile(PROCFILE)
    terminal = on_terminal(place, "tui", env={"TERM": term, "NO_COLOR": "1"})
    terminal.wait_for(words)
    assert terminal.wait() == (1 if term == "xterm" else 2)
    assert b"\x1b" not in terminal.out


def test_it_needs_a_terminal(place: harness.Place) -> None:
    place.procfile(PROCFILE)
    done = place.call("tui")
    assert (done.code, done.out) == (2, "")
    assert done.err == "procman: tui needs a terminal\nhint: procman ps and procman logs show the same elsewhere\n"


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/ada/.local/share/pipx/venvs/procman-cli", "pipx inject procman-cli 'textual>=8'"),
        ("/home/ada/shop/.venv", "pip install 'textual>=8'"),
    ],
)
def test_without_textual_one_sentence_says_how_to_install_it(place: harness.Place, prefix: str, command: str) -> None:
    code = (
        f"import sys; sys.modules['textual'] = None; sys.prefix = {prefix!r};"
        " from procman.cli.main import main; sys.exit(main(['tui']))"
    )
    session = place.session("-c", code, program=sys.executable)
    assert session.wait() == 2
    expected = f"procman: procman tui needs Textual, which is not installed; `{command}` installs it\n"
    assert (session.text, session.err.decode()) == ("", expected)
