"""The output is not read: children wait, memory stays flat, and procman still stops."""

from __future__ import annotations

import os
import re
import signal
import time

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


def test_a_stuck_reader_costs_no_memory_and_term_still_ends_all(place: Place) -> None:
    place.procfile(f"flood: {kit.script(place, 'flood.py', FLOOD)}\nquiet: exec sleep {(quiet := kit.sleep_time())}\n")
    reader, writer = kit.full_pipe()
    session = place.session("start", "-m", "flood=3,quiet=1", stdout=writer)
    os.close(writer)
    kit.wait_running(1, quiet)
    kit.wait_until(lambda: len(kit.all_pids(session)) >= 5, "the floods")
    before = kit.resident([session.pid, *kit.roles(session).values()])
    spent = kit.cpu_seconds(own := list(kit.roles(session).values()))
    end = time.monotonic() + 1.5
    kit.wait_until(lambda: time.monotonic() > end, "a while of flooding")
    assert kit.resident([session.pid, *kit.roles(session).values()]) - before < 2 * MEGABYTE
    assert kit.cpu_seconds(own) - spent < 0.5
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
