"""A process that the user debugs, pauses or stops is not restarted by a check, and its prompt is easy to reach."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from e2e.screen import on_terminal
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal
    from harness import Place

HEALTH = "health = { exec = 'test -e well', interval = 0.1, failure_threshold = 1 }\n"
DEBUGGED = """\
import pdb, time
print("begin", flush=True)
pdb.set_trace()
print("end", flush=True)
time.sleep(1000)
"""


def _log(terminal: Terminal) -> str:
    return "\n".join(terminal.log)


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_a_process_at_the_prompt_of_its_debugger_is_left_alone(place: Place) -> None:
    place.write("app.py", DEBUGGED)
    place.procfile(f"web: {sys.executable} app.py\n")
    place.write("procman.toml", f"[process.web]\n{HEALTH}")
    place.write("well", "")
    session = place.start("--pty")
    session.wait_for(r"\(Pdb\) ")
    (place.folder / "well").unlink()
    session.wait_for(r"web\.1 fails its health check: .*; procman leaves it alone, because it is waiting at \(Pdb\)")
    assert place.call("attach", "web", stdin=b"c\n").code == 0
    session.wait_for(r"web\.1 +\| end")
    session.wait_for(r"web\.1 is unhealthy: .*; stopping it")


def test_a_process_that_is_debugged_before_it_is_ready_gets_more_time(place: Place) -> None:
    place.write("app.py", DEBUGGED)
    place.procfile(f"web: {sys.executable} app.py\n")
    place.write("procman.toml", "[process.web]\nready = { log = '^end', timeout = 1 }\n")
    session = place.start("--pty")
    session.wait_for(r"web\.1 is not ready after 1 s; procman leaves it alone, because it is waiting at \(Pdb\)")
    assert place.call("attach", "web", stdin=b"c\n").code == 0
    session.wait_for("web.1 is ready")


def test_a_process_that_a_client_is_attached_to_is_left_alone(place: Place) -> None:
    place.procfile("web: echo up; exec sleep 1000\n")
    place.write("procman.toml", f"[process.web]\n{HEALTH}")
    place.write("well", "")
    session = place.start("--pty")
    session.wait_for(r"web\.1 +\| up")
    client = place.session("attach", "web", pty=True)
    client.wait_for("attached to web")
    (place.folder / "well").unlink()
    session.wait_for("procman leaves it alone, because a client is attached")
    client.type(b"\x1d")
    client.wait()
    session.wait_for(r"web\.1 is unhealthy")


@linux
@pytest.mark.parametrize("way", ["pause", "stop from outside"])
def test_a_process_that_does_not_run_is_left_alone(place: Place, way: str) -> None:
    place.procfile("web: echo up; exec sleep 1000\n")
    place.write("procman.toml", f"[process.web]\n{HEALTH}")
    place.write("well", "")
    session = place.start()
    pid = int(session.wait_for(r"web\.1 started with pid (\d+)")[1])
    session.wait_for(r"web\.1 +\| up")
    if way == "pause":  # then it is not checked at all
        assert place.call("pause", "web").code == 0
        (place.folder / "well").unlink()
        assert place.call("resume", "web").code == 0
        session.wait_for("web.1 resumed")
    else:
        kit.stop(pid)
        (place.folder / "well").unlink()
        session.wait_for(r"procman leaves it alone, because it is stopped by a signal")
        os.kill(pid, signal.SIGCONT)
    session.wait_for(r"web\.1 is unhealthy")
    assert not re.search("unhealthy.*leaves it alone", session.text)


def test_a_waiting_prompt_is_marked_and_a_key_attaches_to_it(place: Place) -> None:
    place.write("app.py", DEBUGGED.replace("end", "end of it"))
    place.procfile(f"web: {sys.executable} app.py\nworker: while :; do echo tick; sleep 0.3; done\n")
    terminal = on_terminal(place, "start")
    terminal.see_status(r"^web ⌨ \(Pdb\)  worker ● 1/1.*a attach  \? keys$")
    terminal.type(b"a")
    terminal.see(lambda: "attached to web.1; Ctrl-] gives the keyboard back" in _log(terminal), "the introduction")
    terminal.see(lambda: terminal.status == "(Pdb)", "the prompt alone at the bottom")
    terminal.type(b"p 40 + 2\n")
    terminal.see(lambda: "\n42\n" in _log(terminal), "the answer")
    before = len(terminal.said("worker.1"))
    terminal.see(lambda: len(terminal.said("worker.1")) > before, "the others above")
    terminal.type(b"\x1d")
    terminal.see_status(r"^web ⌨ \(Pdb\)")
    terminal.type(b"a")
    terminal.see(lambda: terminal.status == "(Pdb)", "the prompt again")
    terminal.type(b"c\n")
    terminal.see(lambda: "\nend of it" in _log(terminal), "that it goes on")
    terminal.type(b"\x1d")
    terminal.see_status(r"^web ● 1/1")
    terminal.type(b"q")
    assert terminal.wait() == 130


@pytest.mark.parametrize("words", [("-q", "web"), ("--only", "worker")])
def test_the_prompt_of_a_hidden_process_is_marked_too(place: Place, words: tuple[str, ...]) -> None:
    place.write("app.py", DEBUGGED.replace("end", "end of it"))
    place.procfile(f"web: {sys.executable} app.py\nworker: while :; do echo tick; sleep 0.3; done\n")
    terminal = on_terminal(place, "start", *words)
    terminal.see_status(r"^web ⌨ \(Pdb\)  worker ● 1/1.*a attach  \? keys$")
    assert "| (Pdb)" not in _log(terminal)
    terminal.type(b"a")
    terminal.see(lambda: terminal.status == "(Pdb)", "the prompt alone at the bottom")
    terminal.type(b"c\n\x1d")
    terminal.see_status(r"^web (muted|● 1/1)")
    terminal.type(b"q")
    assert terminal.wait() == 130


def test_a_prompt_that_is_muted_stays_marked(place: Place) -> None:
    place.write("app.py", DEBUGGED)
    place.procfile(f"web: {sys.executable} app.py\nworker: while :; do echo tick; sleep 0.3; done\n")
    terminal = on_terminal(place, "start")
    terminal.see_status(r"^web ⌨ \(Pdb\)  worker ● 1/1")
    terminal.type(b"mweb\n")
    terminal.see(lambda: terminal.said("web.1")[-1:] != ["(Pdb)"], "the prompt gone from the rows")
    terminal.see_status(r"^web ⌨ \(Pdb\)  worker ● 1/1")
    terminal.type(b"q")
    assert terminal.wait() == 130


def test_the_end_of_the_process_gives_the_keyboard_back(place: Place) -> None:
    place.write("app.py", "import sys\nprint('say: ', end='', flush=True)\nsys.stdin.readline()\n")
    place.procfile(f"web: {sys.executable} app.py\nstay: sleep 100000\n")
    place.write("procman.toml", "[process.web]\nrestart = 'never'\n")
    terminal = on_terminal(place, "start")
    terminal.see(lambda: "say:" in _log(terminal), "the question")
    terminal.type(b"aweb\n")
    terminal.see(lambda: "attached to web.1" in _log(terminal), "the introduction")
    terminal.type(b"yes\n")
    terminal.see_status(r"^web ○ done  stay ● 1/1")
    terminal.type(b"q")
    assert terminal.wait() == 130
