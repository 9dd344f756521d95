"""The output is not read: children wait, memory stays flat, and procman still stops."""

from __future__ import annotations

import os
import re
import signal
import time

import psutil

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

FLOOD = """
import os
line = b"y" * 99 + b"\\n"
while True:
    os.write(1, line * 600)
"""
MEGABYTE = 1 << 20


def _floods(own: list[int]) -> list[psutil.Process]:
    below = {child for pid in own for child in psutil.Process(pid).children(recursive=True)}
    return sorted((child for child in below if "flood.py" in " ".join(child.cmdline())), key=lambda child: child.pid)


def _wait_blocked(floods: list[psutil.Process]) -> None:
    """Wait until each of them sleeps in its write, and has written no more since the last look."""
    written: list[int] = []

    def are_blocked() -> bool:
        now = [flood.io_counters().write_chars for flood in floods]
        still = now == written and all(flood.status() == psutil.STATUS_SLEEPING for flood in floods)
        written[:] = now
        return still

    kit.wait_until(are_blocked, "full pipes")


def test_a_stuck_reader_costs_no_memory_and_no_processor_and_term_still_ends_all(place: Place) -> None:
    kit.need_linux()
    place.procfile(f"flood: {kit.script(place, 'flood.py', FLOOD)}\nquiet: exec sleep {(quiet := kit.sleep_time())}\n")
    reader, writer = kit.full_pipe()
    session = place.session("start", "-m", "flood=3,quiet=1", stdout=writer)
    os.close(writer)
    kit.wait_running(1, quiet)
    own = list(kit.roles(session).values())
    kit.wait_until(lambda: len(_floods(own)) == 3, "the floods")
    _wait_blocked(floods := _floods(own))
    before, spent = kit.resident(own), kit.cpu_seconds(own)
    end = time.monotonic() + 1.5
    kit.wait_until(lambda: time.monotonic() > end, "a while in which a loop that does not sleep would use a core")
    assert kit.resident(own) - before < 2 * MEGABYTE
    assert kit.cpu_seconds(own) - spent < 0.1
    assert _floods(own) == floods
    session.signal(signal.SIGTERM)
    asked = time.monotonic()
    assert session.wait() == 0
    assert time.monotonic() - asked < 20
    assert kit.running(quiet) == []
    os.close(reader)
    assert re.search(r"\d+ bytes of output", session.err.decode())


def test_streams_that_are_stuck_both_do_not_hold_us(place: Place) -> None:
    place.procfile(f"flood: {kit.script(place, 'flood.py', FLOOD)}\n")
    reader, writer = kit.full_pipe()
    session = place.session("start", program=kit.wrapper(place, 'exec "$PROCMAN" "$@" 2>&1'), stdout=writer)
    os.close(writer)
    kit.wait_until(lambda: len(kit.roles(session)) == 3, "all of procman")
    session.signal(signal.SIGUSR1)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    os.close(reader)


def test_second_term_with_a_stuck_reader_kills_at_once(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"deaf: trap '' TERM; while :; do sleep {argument}; done\n")
    reader, writer = kit.full_pipe()
    session = place.session("start", "--timeout", "1000", stdout=writer)
    os.close(writer)
    kit.wait_running(1, argument)
    session.signal(signal.SIGTERM)
    end = time.monotonic() + 0.6
    kit.wait_until(lambda: time.monotonic() > end, "the time of double delivery to pass")
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    os.close(reader)
    assert kit.running(argument) == []


def test_output_goes_on_where_it_stopped_when_the_reader_comes_back(place: Place) -> None:
    place.procfile("count: seq 200000\n")
    reader, writer = kit.full_pipe()
    size = kit.pipe_fill(reader)
    session = place.session("start", "--no-prefix", stdout=writer)
    os.close(writer)
    kit.wait_until(lambda: len(kit.roles(session)) == 3, "all of procman")
    data = kit.read_all(reader)[size:]
    os.close(reader)
    assert session.wait() == 0
    numbers = [int(line) for line in data.splitlines() if line.isdigit()]
    assert numbers == list(range(1, 200001))
