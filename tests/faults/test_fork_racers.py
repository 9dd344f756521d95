"""Processes that fork as fast as they can, leave their sessions and ignore TERM: they are caught all the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import psutil
import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

# Each forks a successor in a session of its own and ends: a chain that no pid list is ever up to date with. It ends by
# itself after so many links, so that a failed test leaves nothing.
RACER_C = """
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    signal(SIGTERM, SIG_IGN); signal(SIGHUP, SIG_IGN);
    for (long n = atol(argv[1]); n > 0; n--) {
        pid_t pid = fork();
        if (pid > 0) _exit(0);
        if (pid == 0) setsid();
    }
    return 0;
}
"""
RACER_PYTHON = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(int(sys.argv[1])):
    try:
        if os.fork() > 0:
            os._exit(0)
    except OSError:
        continue
    os.setsid()
"""
LINKS = 2_000_000


def _racer(place: Place, language: str) -> str:
    if language == "Python":
        return kit.script(place, "racer.py", RACER_PYTHON)
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler; the racer in Python runs")
    source = place.write("racer.c", RACER_C)
    subprocess.run([compiler, "-O1", "-o", place.folder / "racer", source], check=True)
    return str(place.folder / "racer")


def _racers(command: str) -> list[int]:
    word = command.rsplit(maxsplit=1)[-1]
    found = []
    for process in psutil.process_iter():
        try:
            if word in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("language", ["C", "Python"])
def test_racers_end_with_the_run(place: Place, language: str) -> None:
    kit.need_linux()
    racer = _racer(place, language)
    place.procfile(f"race: {racer} {LINKS} & {racer} {LINKS} & echo off; exec sleep 100000\n")
    session = place.start("--timeout", "0.5")
    session.wait_for(r"\| off")
    session.signal(signal.SIGTERM)
    session.wait()
    assert _racers(racer) == []


@pytest.mark.alone
def test_racers_do_not_outlive_the_visible_process(place: Place) -> None:
    kit.need_linux()
    racer = _racer(place, "Python")
    place.procfile(f"race: {racer} {LINKS} & {racer} {LINKS} & echo off; exec sleep 100000\n")
    session = place.start()
    session.wait_for(r"\| off")
    os.killpg(os.getpgid(session.pid), signal.SIGKILL)
    kit.wait_until(lambda: not _racers(racer), "the end of the race")
    session.wait_until_gone()


def test_other_processes_are_still_served_beside_a_racer(place: Place) -> None:
    kit.need_linux()
    racer = _racer(place, "Python")
    place.procfile(f"race: {racer} {LINKS} & exec sleep 100000\nweb: while :; do echo tick; sleep 0.05; done\n")
    session = place.start("--timeout", "0.5")
    for _ in range(5):
        session.wait_for(r"web\.1 +\| tick")
    session.signal(signal.SIGTERM)
    session.wait()
    assert _racers(racer) == []
