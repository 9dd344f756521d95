"""The line at the bottom of a terminal: correct, quiet, and never in the way."""

from __future__ import annotations

import re
from functools import partial

import pytest

import harness
from e2e.screen import PYTHON, on_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal
    from harness import Place

STAY = "exec sleep 100000"
PAINT = b"\x1b[?7l"  # how every painting of the bottom rows begins
NAMES = re.compile(r"^(web|worker|job)\b.*[●◐✗○]")


def _bottom_rows(terminal: Terminal) -> list[str]:
    """All rows, of the scrollback too, that look like a status line."""
    return [row for row in terminal.log if NAMES.search(row)]


def _has_line(terminal: Terminal, wanted: bool) -> bool:
    return bool(_bottom_rows(terminal)) == wanted


def test_it_says_how_every_type_is(place: Place) -> None:
    place.procfile(f"web: {STAY}\nworker: {STAY}\njob: true\nbad: no-such-program\n")
    terminal = on_terminal(place, "start", "-m", "all=1,worker=2")
    terminal.see_status(r"^web ● 1/1  worker ● 2/2  job ○ done  bad ✗ failed \(1\)  \? keys$")
    assert len(_bottom_rows(terminal)) == 1


def test_it_is_below_the_log_and_the_log_is_whole(place: Place) -> None:
    place.procfile(f"web: seq 1 500; {STAY}\nworker: for n in $(seq 1 100); do echo $n; sleep 0.005; done; {STAY}\n")
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "500")
    terminal.see_line("worker.1", "100")
    terminal.see_status("^web ● 1/1")
    assert terminal.said("web.1") == [str(n) for n in range(1, 501)]
    assert terminal.said("worker.1") == [str(n) for n in range(1, 101)]
    assert len(_bottom_rows(terminal)) == 1


def test_it_is_gone_at_the_end_and_the_prompt_comes_on_a_row_of_its_own(place: Place, procman: str) -> None:
    place.procfile("web: echo hello; until test -e go; do sleep 0.05; done\n")
    terminal = on_terminal(place, "-c", f"{procman} start; echo over", program="/bin/sh")
    terminal.see_status("^web ● 1/1")
    place.write("go", "")
    terminal.see(lambda: "over" in terminal.rows, "the end")
    assert terminal.wait() == 0
    assert _bottom_rows(terminal) == []
    assert terminal.status == "over"
    assert "all stopped" in terminal.rows[terminal.rows.index("over") - 1]
    assert terminal.emulator.damage == []


def test_a_narrow_terminal_has_none_and_a_wide_one_has_it_again(place: Place) -> None:
    place.procfile(f"web: echo hello; {STAY}\n")
    terminal = on_terminal(place, "start")
    terminal.see_status("^web ● 1/1")
    terminal.resize(24, 59)
    terminal.see(lambda: not _bottom_rows(terminal), "no status line")
    terminal.resize(24, 60)
    terminal.see_status("^web ● 1/1")
    for rows, columns in ((10, 70), (40, 59), (5, 120), (24, 80)):
        terminal.resize(rows, columns)
        terminal.see(partial(_has_line, terminal, columns >= 60), f"the line, or none, at {columns} columns")
    terminal.see_status("^web ● 1/1")
    assert len(_bottom_rows(terminal)) == 1
    assert terminal.said("web.1") == ["hello"]


def test_it_is_cut_where_the_terminal_ends(place: Place) -> None:
    names = [f"process-number-{n}" for n in range(9)]
    place.procfile("".join(f"{name}: {STAY}\n" for name in names) + "bad: no-such-program\n")
    terminal = on_terminal(place, "start")
    line = terminal.see_status(r"bad ✗ failed \(1\)  \+\d more$")
    assert len(line) < 80
    terminal.resize(24, 400)
    terminal.see_status("process-number-8 ● 1/1")
    assert "more" not in terminal.status


def test_nothing_is_written_while_nothing_changes(place: Place) -> None:
    place.procfile("web: sleep 1.5; echo done; exec sleep 100000\n")
    terminal = on_terminal(place, "start")
    terminal.see_status("^web ● 1/1")
    before = len(terminal.out)
    terminal.see_line("web.1", "done")
    terminal.see_status("^web ● 1/1")
    fresh = terminal.out[before:]
    assert fresh.count(PAINT) == 1
    assert fresh.count(b"\n") == 1


def test_a_busy_log_repaints_it_ten_times_a_second_at_most(place: Place) -> None:
    text = "import time\nbegan = time.monotonic()\n"
    text += "for n in range(400): print('line', n, flush=True); time.sleep(0.004)\n"
    text += "print('took', round(time.monotonic() - began, 1), flush=True)\ntime.sleep(1e5)\n"
    place.write("busy.py", text)
    place.procfile(f"web: {PYTHON} busy.py\n")
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "took .*")
    terminal.see_status("^web ● 1/1")
    log = terminal.out[terminal.out.index(b"line 0") :]
    took = re.search(rb"took ([0-9.]+)", log)
    assert took is not None
    assert 1 < log.count(PAINT) <= 10 * float(took[1]) + 3
    assert terminal.said("web.1")[:400] == [f"line {n}" for n in range(400)]


def test_a_flood_brings_it_back_ten_times_a_second_at_most(place: Place) -> None:
    text = "import sys, time\nline = b'x' * 61 + b'\\n'\nbegan = time.monotonic()\n"
    text += "while time.monotonic() < began + 1: sys.stdout.buffer.write(line * 1000)\n"
    text += "print('took', round(time.monotonic() - began, 1), flush=True)\ntime.sleep(1e5)\n"
    place.write("flood.py", text)
    place.procfile(f"web: {PYTHON} flood.py\n")
    terminal = on_terminal(place, "start")
    terminal.see(
        lambda: b"took" in terminal.out[-300:] and terminal.out.endswith(b"\x1b[?7h\r\x1b[?2026l"),
        "the end of the flood",
    )
    flood = terminal.out[terminal.out.index(b"xxx") :]
    took = re.search(rb"took ([0-9.]+)", flood)
    assert took is not None
    assert 1 <= flood.count(PAINT) <= 11 * float(took[1]) + 3
    assert flood.count(b"\n") > 1000


def test_when_room_is_short_what_is_over_goes_first_and_what_fails_last(place: Place) -> None:
    over = "".join(f"over{n}: true\n" for n in range(12))
    place.procfile(f"{over}web: {STAY}\nbad: no-such-program\n")
    terminal = on_terminal(place, "start")
    terminal.see_status(r"over0 ○ done .*web ● 1/1  bad ✗ failed \(1\)  \+\d+ more$")


def test_no_status_leaves_it_and_the_keys_out(place: Place) -> None:
    place.procfile(f"web: echo hello; {STAY}\n")
    terminal = on_terminal(place, "start", "--no-status")
    before = terminal.settings
    terminal.see_line("web.1", "hello")
    assert terminal.settings == before
    terminal.type(b"q\n")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert PAINT not in terminal.out


@pytest.mark.parametrize("option", ["--format=json", "--raw"])
def test_forms_for_programs_have_none(place: Place, option: str) -> None:
    place.procfile(f"web: echo hello; {STAY}\n")
    terminal = on_terminal(place, "start", option)
    terminal.see(lambda: "hello" in "".join(terminal.log), "the line")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert PAINT not in terminal.out


def test_it_is_never_in_a_log_file(place: Place) -> None:
    place.procfile(f"web: echo hello; {STAY}\n")
    terminal = on_terminal(place, "start", "--log-dir", "log")
    terminal.see_status("^web ● 1/1")
    terminal.see_line("web.1", "hello")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    for file in (place.folder / "log").iterdir():
        assert b"\x1b" not in file.read_bytes()
        assert "●" not in file.read_text()


def test_without_unicode_it_is_ascii(place: Place) -> None:
    place.procfile(f"web: printf 'name? '; {STAY}\n")
    terminal = on_terminal(place, "start", env={"LC_ALL": "C"})
    terminal.see_status(r"^web \* 1/1  \? keys$")
    terminal.see(lambda: any(row.endswith("| name? ...") for row in terminal.rows), "the unfinished line")
    terminal.type(b"?")
    terminal.see_line("system", " *r restart... .*")
    assert terminal.text.isascii()


def test_where_no_locale_is_set_it_is_unicode(place: Place) -> None:
    place.procfile(f"web: printf 'name? '; {STAY}\n")
    terminal = on_terminal(place, "start", env={"LC_ALL": None, "LC_CTYPE": None, "LANG": None})
    terminal.see_status(r"^web ● 1/1")
    terminal.see(lambda: any(row.endswith("| name? …") for row in terminal.rows), "the unfinished line")


def test_the_summary_fits_eighty_columns(place: Place) -> None:
    place.procfile(f"web: {STAY}\nworker: exit 3\n")
    terminal = on_terminal(place, "start", "--restart", "never")
    terminal.see_status(r"^web ● 1/1  worker ✗ failed \(1\)  \? keys$")
    terminal.type(b"q")
    assert terminal.wait(harness.LIMIT) == 130
    summary = terminal.said("system")[-3:]
    assert summary[0].split() == ["instance", "exit", "restarts", "uptime", "lines"]
    assert summary[1].split()[0] == "worker.1", "web.1 only stopped, as it was told"
    assert all(len(row) <= 80 for row in terminal.log)
