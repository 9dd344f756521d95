"""Children that change their group, continue under another name, or leave helpers that get no signal."""

from __future__ import annotations

import signal
import sys

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

# It changes its group into one that a helper leads, so that its pid is not its group's number any more.
GROUP_CHANGER = """
import os, sys
helper = os.fork()
if helper == 0:
    os.setpgid(0, 0)
    os.execv("/bin/sleep", ["sleep", sys.argv[1]])
print("changed", flush=True)
os.execv("/bin/sleep", ["sleep", sys.argv[1]])
"""

RE_EXEC = """
import os, sys
count = int(sys.argv[1])
if count:
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-E", __file__, str(count - 1)])
print("at last", os.getpid(), flush=True)
os.execv("/bin/sleep", ["sleep", sys.argv[2] if len(sys.argv) > 2 else "100000"])
"""


def test_a_helper_in_a_group_of_its_own_is_ended_too(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: {kit.script(place, 'changer.py', GROUP_CHANGER)} {argument}\n")
    session = place.start()
    kit.wait_running(2, argument)
    session.signal(signal.SIGTERM)
    session.wait()
    assert kit.running(argument) == []


def test_a_process_that_executes_itself_anew_is_the_same_life(place: Place) -> None:
    place.procfile(f"web: {kit.script(place, 'again.py', RE_EXEC)} 5\n")
    session = place.start()
    pid = session.wait_for(r"web\.1 started with pid (\d+)").group(1)
    if sys.platform == "linux":
        session.wait_for(rf"at last {pid}$")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert "restarting" not in session.text


def test_a_grandchild_that_ignores_term_dies_after_the_grace(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: (trap '' TERM; exec sleep {argument}) & exec sleep {kit.sleep_time()}\n")
    session = place.start("--timeout", "0.5")
    kit.wait_running(1, argument)
    session.signal(signal.SIGTERM)
    session.wait()
    assert kit.running(argument) == []


def test_a_shell_that_does_not_pass_signals_on_is_no_shield(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: cd / && sleep {argument}; true\n")
    session = place.start()
    kit.wait_running(1, argument)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_a_pipeline_ends_as_a_whole(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: sleep {argument} | sleep {argument} | sleep {argument}\n")
    session = place.start()
    kit.wait_running(3, argument)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_a_child_that_reads_waits_until_it_is_stopped(place: Place) -> None:
    place.procfile("web: echo up; cat; echo end of file\n")
    session = place.start()
    session.wait_for(r"\| up")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert "end of file" not in session.text


def test_a_child_killed_from_outside_is_told_and_restarted(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    kit.kill(*kit.running(argument))
    session.wait_for("killed by SIGKILL")
    session.wait_for("restarting in")
    kit.wait_running(1, argument)
    session.signal(signal.SIGTERM)
    session.wait()


def test_who_outlives_the_shell_that_ran_it_is_asked_once(place: Place) -> None:
    """The shell obeys immediately, and leaves its child to us, which has got its group's signal."""
    place.write(
        "helper",
        "#!/bin/sh\ntrap 'echo heard; heard=1' TERM\necho up\n"
        'while [ -z "$heard" ]; do sleep 0.05; done\nsleep 0.2\n',
        mode=0o755,
    )
    place.procfile("helper: ./helper; exit 0\n")
    session = place.start("-m", "helper=40")
    for _ in range(40):
        session.wait_for(r"helper\.\d+ +\| up")
    session.signal(signal.SIGTERM)
    session.wait()
    assert session.text.count("| heard") == 40
    session.wait_until_gone()
