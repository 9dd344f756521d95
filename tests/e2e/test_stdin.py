"""The standard input of processes without a terminal: open and silent as long as procman lives, and at its end when
procman has ended.
"""

from __future__ import annotations

import signal

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

# Says whether its input is silent, then reads it to its end, as watchers do, and notes that in a file.
WATCHER = """
import os, select, sys
poll = select.poll()
poll.register(0, select.POLLIN)
print("input:", "silent" if not poll.poll(0) else "ended", flush=True)
rest = sys.stdin.read()
open(sys.argv[1], "w").write(f"ended after {len(rest)}")
"""


def _watcher(place: Place) -> str:
    return f"{kit.script(place, 'watcher.py', WATCHER)} {place.folder / 'noted'}"


@pytest.mark.parametrize("words", [(), ("--no-pty",), ("--format", "json")], ids=["pipe", "no-pty", "json"])
def test_a_watcher_lives_as_long_as_the_session(place: Place, words: tuple[str, ...]) -> None:
    place.procfile(f"css: {_watcher(place)}\n")
    session = place.start(*words)
    session.wait_for("input: silent")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert not (place.folder / "noted").exists()  # it got its signal before its input ended


def test_on_a_terminal_too_if_it_has_none_of_its_own(place: Place) -> None:
    place.procfile(f"css: {_watcher(place)}\n")
    session = place.session("start", "--no-pty", pty=True)
    session.wait_for("input: silent")
    session.type(b"keys are not for it\n\x03")
    assert session.wait() == 130


def test_its_input_ends_when_procman_is_killed(place: Place) -> None:
    place.procfile(f"css: {_watcher(place)}\n")
    session = place.start("--no-guardian")
    session.wait_for("input: silent")
    session.signal(signal.SIGKILL)
    kit.wait_until((place.folder / "noted").exists, "the end of its input")
    session.wait_until_gone()


def test_it_lives_while_tests_run(place: Place) -> None:
    place.procfile(f"css: {_watcher(place)}\nweb: {kit.PYTHON} -c 'print(input())'\n")
    place.write("procman.toml", "[process.css]\nready = { log = 'input: silent' }\n")
    done = place.call("test", "--", "sh", "-c", "test ! -e noted && echo it watches")
    assert (done.code, done.out) == (0, "it watches\n")


def test_the_input_of_run_is_the_users(place: Place) -> None:
    place.procfile("cat: cat\n")
    assert place.call("run", "cat", stdin=b"from the user").out == "from the user"


def test_a_check_reads_nothing(place: Place) -> None:
    place.procfile(f"web: sleep {kit.sleep_time()}\n")
    place.write("procman.toml", "[process.web]\nready = { exec = 'cat; echo it has ended >noted' }\n")
    place.start().wait_for("ready")
    assert (place.folder / "noted").read_text() == "it has ended\n"
