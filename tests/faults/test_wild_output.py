"""Output of any size and kind: long lines, NULs, no UTF-8, thousands of quick deaths."""

from __future__ import annotations

import os
import signal

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

MEGABYTE = 1 << 20

LONG = """
import os, sys, time
block = b"@" * 65536
for _ in range(800):
    rest = block
    while rest:
        rest = rest[os.write(1, rest):]
os.write(1, b"\\n")
os.write(1, b"long line over\\n")
time.sleep(1000)
"""


def test_a_line_of_fifty_megabytes_costs_no_memory_and_loses_no_byte(place: Place) -> None:
    place.procfile(f"long: {kit.script(place, 'long.py', LONG)}\n")
    log = os.open(place.folder / "log", os.O_RDWR | os.O_CREAT)
    session = place.session("start", "--no-prefix", stdout=log)
    kit.wait_until(lambda: len(kit.roles(session)) == 3, "all of procman")
    manager = kit.roles(session)["manager"]
    peak = 0
    while b"long line over" not in os.pread(log, 200, max(0, os.fstat(log).st_size - 200)):
        peak = max(peak, kit.resident([manager]))
    after = kit.resident([manager])
    session.signal(signal.SIGTERM)
    session.wait()
    data = (place.folder / "log").read_bytes()
    os.close(log)
    assert data.count(b"@") == 800 * 65536
    assert peak - after < 6 * MEGABYTE


def test_bytes_that_are_no_text_pass(place: Place) -> None:
    place.procfile(r"odd: printf 'nul:\000:end\n'; printf 'latin:\344\366:end\n'; printf 'cut:\342\202\n'" + "\n")
    session = place.start()
    assert session.wait() == 0
    assert b"latin:\xe4\xf6:end\n" in session.out
    assert b"cut:\xe2" in session.out
    assert b"nul:" in session.out
    assert session.err == b""


def test_a_last_line_without_its_newline_is_shown(place: Place) -> None:
    place.procfile("web: printf 'no newline'\n")
    session = place.start()
    assert session.wait() == 0
    assert "no newline\n" in session.text


def test_a_prompt_is_shown_before_its_line_ends(place: Place) -> None:
    place.procfile("web: printf 'name? '; exec sleep 1000\n")
    session = place.start()
    session.wait_for(r"name\?")


def test_whole_lines_of_many_writers_never_mix(place: Place) -> None:
    text = "import os\nfor _ in range(300):\n    os.write(1, b'<' + os.environb[b'PS'] * 300 + b'>\\n')\n"
    place.procfile(f"w: {kit.script(place, 'writer.py', text)}\n")
    session = place.start("-m", "w=10", "--no-prefix")
    assert session.wait() == 0
    lines = [line for line in session.text.splitlines() if "<" in line or ">" in line]
    assert len(lines) == 3000
    wanted = {f"<{f'w.{n}' * 300}>" for n in range(1, 11)}
    assert set(lines) == wanted


def test_two_hundred_children_that_end_at_once_are_all_heard(place: Place) -> None:
    place.procfile("quick: echo said by $PS; echo last words of $PS >&2\n")
    session = place.start("-m", "quick=200")
    assert session.wait() == 0
    for number in range(1, 201):
        assert f"said by quick.{number}\n" in session.text
        assert f"last words of quick.{number}\n" in session.text


def test_a_flood_before_the_end_is_shown_to_its_last_line(place: Place) -> None:
    place.procfile("flood: seq 100000\n")
    session = place.start("-m", "flood=4", "--no-prefix")
    assert session.wait() == 0
    assert sum(line.isdigit() for line in session.text.splitlines()) == 400000
