"""A restart never begins beside leftovers of the life before: its group and its escaped helpers are gone first."""

from __future__ import annotations

import signal
import socket

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

# The leader leaves a helper that listens on the port, and dies; its next life wants the port itself.
PORT_HOLDER = """
import os, signal, socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    listener.bind(("127.0.0.1", int(sys.argv[1])))
except OSError as error:
    print("port is taken:", error, flush=True)
    os._exit(1)
listener.listen()
print("got the port", flush=True)
if os.fork() == 0:
    if "session" in sys.argv:
        os.setsid()
    if "group" in sys.argv:
        os.setpgid(0, 0)
    if "deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "double" in sys.argv and os.fork():
        os._exit(0)
    if "bare" in sys.argv:
        listener.set_inheritable(True)
        os.execve(sys.executable, ["python", "-Sc", "import time; time.sleep(100000)"], {})
    time.sleep(100000)
time.sleep(0.05)
os._exit(3)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "ways",
    ["", "deaf", "group", "group deaf", "session", "session deaf", "session double deaf", "session double deaf bare"],
)
def test_a_helper_that_holds_the_port_is_gone_before_the_next_life(place: Place, ways: str) -> None:
    kit.need_linux()
    command = kit.script(place, "holder.py", PORT_HOLDER)
    place.procfile(f"web: {command} {_free_port()} {ways}\n")
    session = place.start("--no-port")
    for _ in range(2):
        session.wait_for("got the port")
        session.wait_for("restarting")
    session.signal(signal.SIGTERM)
    session.wait()
    assert "port is taken" not in session.text


def test_helpers_of_others_are_left_alone(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"good: setsid sleep {argument} & exec sleep {kit.sleep_time()}\nbad: sleep 0.1; exit 1\n")
    session = place.start()
    kit.wait_running(1, argument)
    session.wait_for("attempt 2 of")
    assert len(kit.running(argument)) == 1
    session.signal(signal.SIGTERM)
    session.wait()
    assert kit.running(argument) == []


def test_bare_helpers_of_others_are_left_alone(place: Place) -> None:
    """Each has cleared its environment and left its session; an orphan without a known origin would be killed, or kept,
    with the wrong instance."""
    kit.need_linux()
    good, bad = kit.sleep_time(), kit.sleep_time()
    helper = "setsid -f env -i $(command -v sleep)"
    place.procfile(
        f"good: {helper} {good}; exec sleep {kit.sleep_time()}\nbad: {helper} {bad}; echo there; sleep 0.1; exit 1\n"
    )
    session = place.start()
    kit.wait_running(1, good)
    session.wait_for("attempt 3 of")
    assert len(kit.running(good)) == 1
    assert len(kit.running(bad)) <= 1
    session.signal(signal.SIGTERM)
    session.wait()
    assert kit.running(good) == kit.running(bad) == []
