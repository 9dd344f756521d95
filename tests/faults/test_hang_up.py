"""The end of a session's leader hangs up its terminal, which must not cut off a process that is ending in order."""

from __future__ import annotations

import signal
import sys

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

SERVER = """\
import os, signal, sys, time
def drain(*_):
    print("asked", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
signal.signal(signal.SIGHUP, lambda *_: print("hung up", flush=True))
print("up", flush=True)
while True:
    time.sleep(0.01)  # not pause(): a signal just before it would be handled after it
"""
DEFAULTS = SERVER.replace("signal.signal(signal.SIGHUP", "#")  # and so it would die of HUP
BLOCKING_SHELL = """\
#!{python}
import os, signal, subprocess, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
unblock = lambda: signal.pthread_sigmask(signal.SIG_SETMASK, ())
server = subprocess.Popen([sys.executable, "-u", "server.py"], preexec_fn=unblock)
while not os.path.exists("go"):
    pass
unblock()
server.wait()
"""
WRAPPER = "import subprocess, sys; subprocess.run(sys.argv[1:])"  # TERM ends it immediately, as it does `go run`

LINES = {
    "variable": "{server} $PORT",
    "list": "true && {server}",
    "assignment": "X=1; {server}; true",
    "shell in a shell": "sh -c '{server}; true'; true",
    "wrapper": "{python} wrapper.py {server}",
    "background": "{server} & wait",
    "trap": "trap 'wait; exit 0' TERM; {server} & wait",
}


def _write(place: Place, line: str, server: str) -> None:
    place.write("server.py", server)
    place.write("wrapper.py", WRAPPER)
    place.procfile(f"web: {line.format(server=f'{sys.executable} -u server.py', python=sys.executable)}\n")


@pytest.mark.parametrize("server", [SERVER, DEFAULTS], ids=["handles HUP", "does not"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_server_ends_in_its_own_time_below_a_shell_on_a_terminal(place: Place, line: str, server: str) -> None:
    kit.need_linux()
    _write(place, line, server)
    # A shell with a trap gets TERM first, and this one waits for its server, which gets it at half of the grace.
    session = place.start("--pty", "-t", "6" if line.startswith("trap") else "1000")
    kit.stop_when_up(place, session)
    session.wait()
    assert "| drained" in session.text
    assert "| hung up" not in session.text


def test_the_next_command_of_a_list_is_not_begun(place: Place) -> None:
    kit.need_linux()
    _write(place, "{server}; echo next", SERVER)
    session = place.start("--pty", "-t", "1000")
    kit.stop_when_up(place, session)
    session.wait()
    assert "| next" not in session.text


def test_the_grace_holds_for_who_does_not_end(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: true && sh -c 'trap \"\" TERM; echo up; sleep {argument}; sleep {argument}'\n")
    session = place.start("--pty", "-t", "0.3")
    session.wait_for(r"\| up")
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    assert kit.running(argument) == []


def test_a_shell_that_blocks_signals_for_a_moment_does_not_handle_them(place: Place) -> None:
    """Before a shell waits for its child it blocks everything; a signal sent then to it alone would end it at once."""
    kit.need_linux()
    place.write("server.py", SERVER)
    place.write("sh", BLOCKING_SHELL.format(python=sys.executable)).chmod(0o755)
    place.procfile("web: exec ./sh\n")
    session = place.start("--pty", "-t", "1000")
    kit.stop_when_up(place, session)
    session.wait()
    assert "| drained" in session.text
    assert "| hung up" not in session.text


def test_a_restart_waits_for_the_server_too(place: Place) -> None:
    kit.need_linux()
    _write(place, LINES["list"], DEFAULTS)
    session = place.start("--pty", "-t", "1000")
    session.wait_for(r"\| up")
    asking = place.session("restart", "web")
    session.wait_for(r"\| asked")
    place.write("go", "")
    assert asking.wait() == 0
    session.wait_for(r"\| drained(.|\n)*\| up")
    session.signal(signal.SIGTERM)
    session.wait()
