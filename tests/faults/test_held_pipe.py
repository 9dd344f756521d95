"""A pipe that outlives its child: procman does not wait for its end, and loses no output."""

from __future__ import annotations

import signal

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

TALKER = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    time.sleep(0.05)
    print("said after the end of the leader", flush=True)
    time.sleep(1000)
print("leader leaves", flush=True)
"""

CLOSED = """
import os, signal, sys
for fd in (0, 1, 2):
    os.close(fd)
open(sys.argv[1], "w").write("up")
signal.pause()
"""


def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_run(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: setsid sleep {argument} & echo leader leaves\n")
    session = place.start()
    assert session.wait() == 0
    assert "leader leaves" in session.text
    assert kit.running(argument) == []


def test_a_grandchild_that_forgot_its_environment_does_not_hold_the_run(place: Place) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: setsid env -i sleep {argument} & echo leader leaves\n")
    session = place.start("--timeout", "1")
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_a_helper_that_speaks_after_its_leader_is_heard(place: Place) -> None:
    text = TALKER.replace("time.sleep(1000)", "")
    place.procfile(f"web: {kit.script(place, 'talker.py', text)}; sleep 0.5\n")
    session = place.start()
    assert session.wait() == 0
    assert "said after the end of the leader" in session.text


def test_a_child_that_closes_its_streams_lives_on(place: Place) -> None:
    place.procfile(f"web: {kit.script(place, 'closed.py', CLOSED)} {place.folder}/up\n")
    session = place.start()
    kit.wait_until((place.folder / "up").exists, "the child")
    manager = kit.roles(session)["manager"]
    spent = kit.cpu_seconds([manager])
    session.signal(signal.SIGUSR1)
    session.wait_for(r"web\.1 running", stream="err")
    assert kit.cpu_seconds([manager]) - spent < 1
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert "web.1 exited" not in session.text
