"""`procman run` and `test` that get a signal: the program behind a shell gets it, too, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import sys

import psutil
import pytest

from faults import kit
from procman.runtime.guardian.run_watcher import RunWatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

# Ends on TERM and the like, and says which it was.
SERVER = """
import signal
wanted = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("serving", flush=True)
print("asked:", signal.Signals(signal.sigwait(wanted)).name, flush=True)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stubborn", flush=True)
while True: time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_program_behind_a_compound_line_gets_it(place: Place, number: signal.Signals) -> None:
    kit.need_linux()
    place.procfile(f"web: echo migrated && {kit.script(place, 'server.py', SERVER)} && echo\n")
    session = place.session("run", "web")
    session.wait_for("^serving$")
    session.signal(number)
    assert session.wait() in (-number, 128 + number, 0)
    assert session.text.count(f"asked: {number.name}\n") == 1
    session.wait_until_gone()


def test_jobs_in_the_background_end_too(place: Place) -> None:
    kit.need_linux()
    naps = [kit.sleep_time() for _ in range(4)]
    line = "sleep {} | sleep {} & sleep {} | sleep {}".format(*naps)
    session = place.session("run", "sh", "-c", line)
    kit.wait_running(4, *naps)
    session.signal(signal.SIGINT)  # which background jobs of a shell ignore
    assert session.wait() == 130
    assert not any(map(kit.running, naps))


def test_what_does_not_obey_is_killed_after_the_grace(place: Place) -> None:
    kit.need_linux()
    place.procfile(f"web: {kit.script(place, 'stubborn.py', STUBBORN)} & sleep {(nap := kit.sleep_time())}; :\n")
    session = place.session("run", "web", env={"PROCMAN_TIMEOUT": "0.2"})
    session.wait_for("stubborn")
    kit.wait_running(1, nap)
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    session.wait_until_gone()


def test_a_program_that_handles_it_is_asked_alone(place: Place) -> None:
    kit.need_linux()
    place.write("server.py", SERVER)
    pool = "import signal, subprocess, sys, time\n"
    pool += "def asked(*_):\n    print('boss asked', flush=True); sys.exit(7)\n"
    pool += "signal.signal(signal.SIGTERM, asked)\n"  # before the child can say that it serves
    pool += "child = subprocess.Popen([sys.executable, '-u', 'server.py'])\nwhile True: time.sleep(0.1)\n"
    session = place.session("run", "--", sys.executable, place.write("pool.py", pool).name)
    session.wait_for("serving")
    session.signal(signal.SIGTERM)
    assert session.wait() == 7
    assert session.text.index("boss asked") < session.text.index("asked: SIGTERM")
    session.wait_until_gone()


def test_a_trap_that_waits_for_its_command_gets_its_turn(place: Place) -> None:
    kit.need_linux()
    place.write("job.sh", f"trap 'echo cleaned; exit 3' TERM\necho up\nsleep {kit.sleep_time()}\n")
    session = place.session("run", "sh", "job.sh", env={"PROCMAN_TIMEOUT": "0.2"})
    session.wait_for("^up$")
    session.signal(signal.SIGTERM)
    assert session.wait() == 3
    assert "cleaned" in session.text


def test_a_command_that_a_trap_starts_is_signalled_too(place: Place) -> None:
    """The shell has no child yet when the signal arrives, and then waits for one in the foreground."""
    kit.need_linux()
    script = f"trap 'echo cleaning; sleep {kit.sleep_time()}; exit 3' TERM\necho up\nwhile :; do :; done\n"
    place.write("job.sh", script)
    session = place.session("run", "sh", "job.sh", env={"PROCMAN_TIMEOUT": "0.2"})
    session.wait_for("^up$")
    session.signal(signal.SIGTERM)
    assert session.wait() == 3
    assert "cleaning" in session.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_of_tests_that_are_stopped(place: Place, number: signal.Signals) -> None:
    kit.need_linux()
    naps = [kit.sleep_time() for _ in range(4)]
    place.procfile(f"web: echo up && sleep {(web := kit.sleep_time())}\n")
    line = "sleep {} | sleep {} & sleep {} | sleep {}".format(*naps)
    session = place.session("test", "--", "sh", "-c", line)
    kit.wait_running(4, *naps)
    session.signal(number)
    session.wait()
    assert not any(map(kit.running, [*naps, web]))
    session.wait_until_gone()


def test_a_daemon_that_was_started_on_purpose_lives_on(place: Place) -> None:
    kit.need_linux()
    nap = kit.sleep_time()
    session = place.session("run", "sh", "-c", f"setsid sleep {nap} </dev/null >/dev/null 2>&1 &")
    assert session.wait() == 0
    kit.wait_running(1, nap)


def test_as_pid_1_the_program_gets_its_grace(place: Place) -> None:
    place.procfile(f"web: echo migrated && {kit.script(place, 'server.py', SERVER)} && echo\n")
    session = place.session("run", "web", program=kit.in_pid_namespace(place))
    session.wait_for("^serving$")
    (pid_1,) = psutil.Process(session.pid).children()
    os.kill(pid_1.pid, signal.SIGTERM)
    session.wait()
    assert "asked: SIGTERM" in session.text


@pytest.mark.parametrize("name", ["ABRT", "SEGV", "BUS", "FPE", "ILL", "TRAP", "SYS", "USR1"])
def test_signals_that_are_usually_faults_are_passed_on_too(place: Place, name: str) -> None:
    place.write("catch.sh", f"trap 'echo got; exit 5' {name}\necho up\nwhile :; do sleep 0.01; done\n")
    session = place.session("run", "sh", "catch.sh")
    session.wait_for("^up$")
    session.signal(getattr(signal, f"SIG{name}"))
    assert session.wait() == 5


def test_a_word_after_dashes_is_a_command_even_if_a_process_has_that_name(place: Place) -> None:
    place.procfile("echo: printf 'the line %s'\n")
    assert place.call("run", "--", "echo", "1").out == "1\n"
    assert place.call("run", "-f", "Procfile", "--", "echo", "--", "1").out == "-- 1\n"
    assert place.call("run", "echo", "1").out == "the line 1"
    assert place.call("test", "--", "echo", "1").out == "1\n"


def test_a_command_finds_the_ports_of_start(place: Place) -> None:
    place.procfile("css: true\nweb: true\nbig-job: true\n")
    place.write("procman.toml", "[process.big-job]\nport = 7777\n")
    show = "echo $PROCMAN_CSS_PORT $PROCMAN_WEB_PORT $PROCMAN_BIG_JOB_PORT, ${PORT-none}"
    assert place.call("run", "--", "sh", "-c", show).out == "5000 5100 7777, none\n"
    assert place.call("run", "--", "sh", "-c", show, env={"PORT": "nonsense"}).out == ", nonsense\n"
    inside = {"PROCMAN_SESSION": "x", "PROCMAN_WEB_PORT": "5105"}
    assert place.call("run", "--", "sh", "-c", show, env=inside).out == "5000 5105 7777, none\n"


@pytest.mark.parametrize("missing", ["pidfd_open", "pipe", "fork"])
def test_a_command_runs_on_without_its_watcher(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, missing, refuse)
    with RunWatcher(os.getpid()) as watcher:
        assert bool(watcher.watcher) == (missing == "pidfd_open")
    monkeypatch.undo()


def test_a_command_runs_with_hardly_any_descriptors(place: Place) -> None:
    few = kit.wrapper(place, 'ulimit -n 5; exec "$PROCMAN" "$@"')
    session = place.session("run", "--", "sh", "-c", "echo it ended; exit 9", program=few)
    assert session.wait() == 9, session
    assert session.text == "it ended\n"
