"""Single keys, typed on a real terminal."""

from __future__ import annotations

import resource

import pytest

from e2e.screen import on_terminal
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal
    from harness import Place

STAY = "exec sleep 100000"
TICK = "while :; do echo tick; sleep 0.02; done"
FRESH = 10  # lines that must come for the silence of another to mean something


@pytest.fixture
def two(place: Place) -> Terminal:
    """A run of `web` and `worker`, both up."""
    place.procfile(f"web: echo web lives; {STAY}\nworker: echo worker lives; {STAY}\n")
    terminal = on_terminal(place, "start")
    terminal.see_status(r"^web ● 1/1  worker ● 1/1  \? keys$")
    terminal.see_line("web.1", "web lives")
    terminal.see_line("worker.1", "worker lives")
    terminal.see_status("^web ● 1/1")  # it is painted behind them
    return terminal


@pytest.fixture
def ticking(place: Place) -> Terminal:
    """A run of `web` and `worker`, both busy talking."""
    place.procfile(f"web: {TICK}\nworker: {TICK}\n")
    terminal = on_terminal(place, "start")
    _hear(terminal, "web.1", "worker.1")
    return terminal


def _hear(terminal: Terminal, *names: str) -> None:
    """Wait until each of these has said something more."""
    wanted = {name: len(terminal.said(name)) + FRESH for name in names}
    terminal.see(lambda: all(len(terminal.said(name)) >= count for name, count in wanted.items()), f"more from {names}")


def _answer(terminal: Terminal, key: bytes, prompt: str, line: bytes) -> None:
    """Press a key, answer its question when it is seen, and wait until it is gone."""
    terminal.type(key)
    terminal.see_status(f"^{prompt}:")
    terminal.type(line)
    terminal.see_status("^web ")


def test_keys_are_not_echoed(two: Terminal) -> None:
    before = two.rows
    two.type(b"xyz\x1b[A\x1b[B12 ")
    two.type(b"r")
    two.see_status(r"^restart: \(Enter alone: all of them\)$")
    two.type(b"\x1b")
    two.see_status("^web ●")
    assert two.rows == before


def test_r_restarts_one_and_tab_completes_its_name(two: Terminal) -> None:
    two.type(b"r")
    two.see_status(r"^restart: \(Enter alone: all of them\)$")
    two.type(b"w")
    two.see_status("^restart: w$")
    two.type(b"\t")
    two.see_status("^restart: w$")
    two.type(b"o\t")
    two.see_status("^restart: worker$")
    two.type(b"\r")
    two.see(lambda: two.said("worker.1") == ["worker lives"] * 2, "the second life of worker")
    two.see_status(r"^web ● 1/1  worker ● 1/1  \? keys$")
    assert two.said("web.1") == ["web lives"]


def test_r_and_enter_restart_all(two: Terminal) -> None:
    _answer(two, b"r", "restart", b"\r")
    two.see(lambda: len(two.said("web.1")) == len(two.said("worker.1")) == 2, "two second lives")


def test_s_stops_one_and_r_brings_it_back(two: Terminal) -> None:
    _answer(two, b"s", "stop", b"web\r")
    two.see_status(r"^web ○ stopped  worker ● 1/1  \? keys$")
    _answer(two, b"r", "restart", b"web\r")
    two.see_status(r"^web ● 1/1  worker ● 1/1  \? keys$")
    two.see(lambda: two.said("web.1") == ["web lives"] * 2, "the second life of web")
    assert two.said("worker.1") == ["worker lives"]


def test_s_and_enter_stop_all_and_the_run_goes_on(two: Terminal) -> None:
    _answer(two, b"s", "stop", b"\r")
    two.see_status(r"^web ○ stopped  worker ○ stopped  \? keys$")
    _answer(two, b"r", "restart", b"worker.1\r")
    two.see_status(r"^web ○ stopped  worker ● 1/1  \? keys$")


def test_files_that_cannot_be_read_for_want_of_descriptors_end_nothing(two: Terminal) -> None:
    [manager] = [pid for pid in two.survivors() if kit.name_of(pid) == "procman-manager"]
    before = resource.prlimit(manager, resource.RLIMIT_NOFILE)
    resource.prlimit(manager, resource.RLIMIT_NOFILE, (3, before[1]))
    _answer(two, b"r", "restart", b"\r")
    two.see(lambda: any("cannot read the files again: too ma" in row for row in two.rows), "the reason")
    resource.prlimit(manager, resource.RLIMIT_NOFILE, before)
    _answer(two, b"r", "restart", b"\r")
    two.see(lambda: len(two.said("web.1")) == len(two.said("worker.1")) == 2, "two second lives")


def test_escape_and_backspace_take_back(two: Terminal) -> None:
    two.type(b"sweb")
    two.see_status("^stop: web$")
    two.type(b"\x1b")
    two.see_status("^web ● 1/1")
    two.type(b"rworkerX")
    two.see_status("^restart: workerX$")
    two.type(b"\x7f\r")
    two.see(lambda: len(two.said("worker.1")) == 2, "the second life of worker")
    assert len(two.said("web.1")) == 1


def test_a_question_stays_while_the_log_goes_on(ticking: Terminal) -> None:
    ticking.type(b"rwe")
    ticking.see_status("^restart: we$")
    _hear(ticking, "web.1", "worker.1")
    ticking.see_status("^restart: we$")
    assert sum("restart: we" in row for row in ticking.log) == 1


def test_f_shows_only_one_and_then_all_again(ticking: Terminal) -> None:
    _answer(ticking, b"f", "focus", b"worker\r")
    silent = len(ticking.said("web.1"))
    _hear(ticking, "worker.1")
    assert len(ticking.said("web.1")) == silent
    _answer(ticking, b"f", "focus", b"\r")
    _hear(ticking, "web.1", "worker.1")


def test_m_mutes_one_and_shows_it_again(ticking: Terminal) -> None:
    _answer(ticking, b"m", "mute", b"worker.1\r")
    ticking.see_status(r"worker ● 1/1 muted  \? keys$")
    silent = len(ticking.said("worker.1"))
    _hear(ticking, "web.1")
    assert len(ticking.said("worker.1")) == silent
    _answer(ticking, b"m", "mute", b"worker.1\r")
    ticking.see_status(r"worker ● 1/1  \? keys$")
    _hear(ticking, "web.1", "worker.1")


def test_a_slash_marks_what_matches_from_now_on(ticking: Terminal) -> None:
    _answer(ticking, b"/", "highlight", b"i.k\r")
    _hear(ticking, "web.1")

    def marked() -> bool:
        row = next(n for n in reversed(range(24)) if ticking.emulator.row(n).endswith("| tick"))
        cells = ticking.emulator.buffer[row]
        start = ticking.emulator.row(row).index("tick")
        looks = [
            (cells[start + n].fg, cells[start + n].bg, cells[start + n].reverse, cells[start + n].bold)
            for n in range(4)
        ]
        return looks[0] != looks[1] == looks[2] == looks[3]

    ticking.see(lambda: ticking.rows and marked(), "a mark on what matches")
    _answer(ticking, b"/", "highlight", b"(\r")
    ticking.see(lambda: any("(" in line for line in ticking.said("system")[2:]), "a complaint about the pattern")


def test_capital_r_restarts_what_has_failed(place: Place) -> None:
    place.procfile(f"web: {STAY}\njob: ./job\n")
    terminal = on_terminal(place, "start")
    terminal.see_status(r"^web ● 1/1  job ✗ failed \(1\)  \? keys$")
    place.write("job", f"#!/bin/sh\necho at last\n{STAY}\n", mode=0o755)
    terminal.type(b"R")
    terminal.see_line("job.1", "at last")
    terminal.see_status(r"^web ● 1/1  job ● 1/1  \? keys$")
    terminal.type(b"R")
    terminal.see_line("system", "nothing has failed")


def test_a_question_mark_tells_the_keys(two: Terminal) -> None:
    two.type(b"?")
    two.see(lambda: "Tab completes" in " ".join(two.rows), "the help")
    assert all(f"{key} {word}" in "".join(two.rows) for key, word in (("r", "restart"), ("q", "quit"), ("f", "focus")))


def test_a_name_that_nobody_has_is_said(two: Terminal) -> None:
    _answer(two, b"r", "restart", b"wbe\r")
    two.see(lambda: any("wbe" in line for line in two.said("system")), "a complaint")


def test_q_quits_like_an_interrupt(two: Terminal) -> None:
    two.type(b"q")
    assert two.wait() == 130
    assert two.survivors() == []


def test_a_second_q_kills_like_a_second_interrupt(place: Place) -> None:
    place.procfile("web: trap '' TERM; echo up; while :; do sleep 0.05; done\n")
    terminal = on_terminal(place, "start", "--timeout", "1000")
    terminal.see_line("web.1", "up")
    terminal.type(b"q")
    terminal.see_status("^web .* stopping")

    def killing() -> bool:
        terminal.type(b"q")
        return any("killing all processes" in line for line in terminal.said("system"))

    terminal.see(killing, "the kill")
    assert terminal.wait() == 130
    assert terminal.survivors() == []


def test_what_is_pasted_by_mistake_is_no_key(two: Terminal) -> None:
    two.see(lambda: two.emulator.pastes == ["set"], "that pastes are asked for")
    two.type(b"\x1b[200~s\rq\r" + b"services:\r" * 500 + b"\x1b[201~")
    two.type(b"s\x1b[200~work\r\x1b[201~er")
    two.see_status("^stop: work er$")
    two.type(b"\x15worker\r")
    two.see_status("^web ● 1/1  worker ○ stopped")
    assert [line for line in two.said("system") if line.startswith("stopping ")] == ["stopping worker.1"]


def test_a_child_that_reads_does_not_get_the_keys(place: Place) -> None:
    place.procfile("web: printf 'name? '; read name; echo \"got [$name]\"\n")
    terminal = on_terminal(place, "start")
    terminal.see(lambda: any(row.endswith("| name? …") for row in terminal.rows), "the prompt")
    terminal.type(b"\rno one\rq")
    assert terminal.wait() == 130
    assert terminal.said("web.1") == ["name?"]
