"""Ctrl-C, Ctrl-Z, `fg`, `bg`, `&`, a terminal that is closed, and the terminal as we leave it."""

from __future__ import annotations

import os
import signal
import termios
from functools import partial

import psutil
import pytest

import harness
from e2e.screen import on_terminal
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal
    from harness import Place

STAY = "exec sleep 100000"
PROMPT = "at your service:"
ODD = "stty -ixon -echok erase ^H susp ^T"  # settings that no terminal has by chance
LIVES = f"web: echo life of web; {STAY}\n"


def _bash(place: Place) -> Terminal:
    """An interactive shell with job control, waiting at its prompt."""
    env = {"PS1": f"{PROMPT} ", "PROMPT_COMMAND": None, "HISTFILE": None, "procman": harness.PROCMAN}
    terminal = on_terminal(place, "--norc", "--noprofile", "-i", program=kit.need_tool("bash"), env=env)
    terminal.see_status(f"^{PROMPT}$")
    return terminal


def _obeys(terminal: Terminal, word: str) -> None:
    """The shell takes a line, echoes it, obeys and prompts for the next; nothing of ours is in its way."""
    terminal.type(f"echo {word}=$((6 * 7))\n".encode())
    terminal.see(lambda: f"{word}=42" in terminal.rows, f"the shell's answer to {word}")
    terminal.see_status(f"^{PROMPT}$")
    assert any(f"{PROMPT} echo {word}=$((6 * 7))" in row for row in terminal.rows)
    assert not any("●" in row or "○" in row for row in terminal.rows)


def _has_row(terminal: Terminal, row: str) -> bool:
    return row in terminal.rows


def _start(terminal: Terminal) -> None:
    terminal.type(b"$procman start\n")
    terminal.see_status("^web ● 1/1")
    terminal.see_line("web.1", "life of web")


# A shell with job control ---------------------------------------------------------------------------------------------


def test_ctrl_z_leaves_the_terminal_to_the_shell_and_fg_takes_it_again(place: Place) -> None:
    place.procfile(LIVES)
    terminal = _bash(place)
    _start(terminal)
    for round_ in ("first", "second"):
        terminal.type(b"\x1a")
        terminal.see(lambda: any("Stopped" in row for row in terminal.rows), "the shell's word for it")
        terminal.see_status(f"^{PROMPT}$")
        _obeys(terminal, round_)
        terminal.type(b"clear; fg\n")
        terminal.see_status("^web ● 1/1")
    terminal.type(b"r\r")
    terminal.see_line("web.1", "life of web")
    terminal.type(b"q")
    terminal.see_status(f"^{PROMPT}$")
    terminal.type(b"echo code=$?\n")
    terminal.see(lambda: "code=130" in terminal.rows, "the exit status")


def test_a_resize_while_we_are_stopped_is_made_good(place: Place) -> None:
    size = 'while :; do new=$(stty size <&2); test "$new" = "$old" || echo "size $new"; old=$new; sleep 0.05; done'
    place.procfile(f"web: {size}\n")
    terminal = _bash(place)
    terminal.type(b"$procman start\n")
    terminal.see_line("web.1", "size 24 62")
    terminal.type(b"\x1a")
    terminal.see_status(f"^{PROMPT}$")
    terminal.resize(30, 100)
    terminal.type(b"fg\n")
    terminal.see_line("web.1", "size 30 82")
    terminal.see_status("^web ● 1/1")


def test_bg_goes_on_without_touching_the_terminal_and_fg_brings_all_back(place: Place) -> None:
    place.procfile(LIVES + "clock: while :; do sleep 0.05; echo tick; done\n")
    terminal = _bash(place)
    terminal.type(b"$procman start --quiet clock\n")
    terminal.see_line("web.1", "life of web")
    terminal.see_status("^web ● 1/1")
    terminal.type(b"\x1a")
    terminal.see_status(f"^{PROMPT}$")
    terminal.type(b"clear; bg\n")
    for number in range(10):
        _obeys(terminal, f"word{number}")
    terminal.type(b"jobs\n")
    terminal.see(lambda: any("Running" in row for row in terminal.rows), "a job that runs")
    terminal.type(b"fg\n")
    terminal.see_status("^web ● 1/1  clock ● 1/1")
    terminal.type(b"q")
    terminal.see(lambda: any("exit status 130" in row for row in terminal.rows), "the end")


def test_a_job_started_in_the_background_leaves_keys_and_screen_to_the_shell(place: Place) -> None:
    place.procfile(LIVES)
    terminal = _bash(place)
    terminal.type(b"$procman start &\n")
    terminal.see(lambda: any(row.endswith("| life of web") for row in terminal.rows), "its output")
    terminal.type(b"\n")
    terminal.see_status(f"^{PROMPT}$")
    for number in range(10):
        _obeys(terminal, f"word{number}")
    terminal.type(b"clear; jobs\n")
    terminal.see(lambda: any("Running" in row for row in terminal.rows), "a job that runs")
    terminal.type(b"fg\n")
    terminal.see_status("^web ● 1/1")
    terminal.type(b"\x03")
    terminal.see(lambda: any("exit status 130" in row for row in terminal.rows), "the end")
    terminal.see_status(f"^{PROMPT}$")
    _obeys(terminal, "after")


def test_stopped_by_force_and_sent_to_the_background_it_reads_nothing(place: Place) -> None:
    place.procfile(LIVES)
    terminal = _bash(place)
    _start(terminal)
    shell = terminal.pid
    os.killpg(os.tcgetpgrp(terminal.terminal), signal.SIGSTOP)
    terminal.see_status(f"^{PROMPT}$")
    assert os.tcgetpgrp(terminal.terminal) == os.getpgid(shell)
    terminal.type(b"clear; bg\n")
    terminal.see(lambda: any("start &" in row for row in terminal.rows), "the shell's answer")
    for number in range(5):
        terminal.type(f"echo word{number}=$((6 * 7))\n".encode())
        terminal.see(partial(_has_row, terminal, f"word{number}=42"), "the shell's answer")
    terminal.type(b"jobs\n")
    terminal.see(lambda: any("Running" in row for row in terminal.rows), "a job that runs")


# A script's terminal: whatever happens, it is as it was -------------------------------------------------------------


def _script(place: Place, options: str = "") -> Terminal:
    """A script on a terminal with odd settings, which shows them before and after `procman start`.

    It continues after a Ctrl-C that is meant for procman, and after all others are gone: the watchdog may be the last.
    """
    script = f"trap : INT; {ODD}; stty -g; {harness.PROCMAN} start {options}; echo code=$?; "
    script += "until test -e gone; do sleep 0.02; done; stty -g; echo over"
    return on_terminal(place, "-c", script, program="/bin/sh")


def _check_restored(place: Place, terminal: Terminal, code: str) -> None:
    terminal.see(lambda: f"code={code}" in terminal.rows, "the end of procman")
    kit.wait_until(lambda: not kit.left_of(terminal), "the end of all of ours")
    place.write("gone", "")
    terminal.see(lambda: "over" in terminal.rows, "the end of the script")
    shown = [row for row in terminal.log if row.count(":") > 10 and " " not in row]
    assert len(shown) == 2
    assert shown[0] == shown[1]
    assert not any("●" in row or "○" in row for row in terminal.log)
    assert (terminal.emulator.pastes[0], terminal.emulator.pastes[-1]) == ("set", "reset")
    terminal.wait_until_gone()


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_after_a_key_the_terminal_is_as_it_was(place: Place, key: bytes) -> None:
    place.procfile(LIVES)
    terminal = _script(place)
    terminal.see_status("^web ● 1/1")
    terminal.type(key)
    _check_restored(place, terminal, "130")


def test_after_a_failure_the_terminal_is_as_it_was(place: Place) -> None:
    place.procfile("web: until test -e go; do sleep 0.05; done; exit 7\n")
    terminal = _script(place, "--restart never")
    terminal.see_status("^web ● 1/1")
    place.write("go", "")
    _check_restored(place, terminal, "7")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, "0"), (signal.SIGINT, "130"), (signal.SIGQUIT, "131")])
def test_after_a_signal_the_terminal_is_as_it_was(place: Place, number: int, code: str) -> None:
    place.procfile(LIVES)
    terminal = _script(place)
    terminal.see_status("^web ● 1/1")
    os.kill(_roles(terminal)["guardian"], number)
    _check_restored(place, terminal, code)


@pytest.mark.alone
@pytest.mark.parametrize(
    "victims", [["manager"], ["guardian"], ["manager", "guardian"], ["guardian", "watchdog"]], ids="+".join
)
def test_after_sigkill_the_terminal_is_as_it_was(place: Place, victims: list[str]) -> None:
    place.procfile(LIVES)
    terminal = _script(place)
    terminal.see_line("web.1", "life of web")
    terminal.see_status("^web ● 1/1")
    roles = _roles(terminal)
    kit.kill(*(roles[victim] for victim in victims))
    _check_restored(place, terminal, "137")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGXCPU, signal.SIGTRAP])
def test_after_any_other_sudden_death_the_terminal_is_as_it_was(place: Place, number: int) -> None:
    place.procfile(LIVES)
    terminal = _script(place)
    terminal.see_line("web.1", "life of web")
    terminal.see_status("^web ● 1/1")
    os.kill(_roles(terminal)["manager"], number)
    _check_restored(place, terminal, str(128 + number))
    assert terminal.emulator.pastes[-1] == "reset"


def test_a_shell_that_sets_nothing_gets_the_terminal_as_it_was_from_the_last_of_us(place: Place) -> None:
    """dash takes the terminal for its own job when the guardian is gone, and leaves it as it finds it."""
    place.procfile(LIVES)
    env = {"PS1": f"{PROMPT} ", "procman": harness.PROCMAN}
    terminal = on_terminal(place, "-i", program=kit.need_tool("dash"), env=env)
    terminal.see_status(f"^{PROMPT}$")
    before = termios.tcgetattr(terminal.terminal)
    _start(terminal)
    roles = _roles(terminal)
    kit.kill(roles["guardian"], roles["watchdog"])
    kit.wait_until(lambda: roles["manager"] not in terminal.survivors(), "the end of the manager")
    assert termios.tcgetattr(terminal.terminal) == before
    terminal.type(b"echo word=$((6 * 7))\n")
    terminal.see(lambda: "word=42" in terminal.rows, "the shell's answer")
    assert (terminal.emulator.pastes[0], terminal.emulator.pastes[-1]) == ("set", "reset")


def _roles(terminal: Terminal) -> dict[str, int]:
    family = psutil.Process(terminal.pid).children(recursive=True)
    return {kit.ROLES[name]: one.pid for one in family if (name := kit.name_of(one.pid)) in kit.ROLES}


# Impatience, and the end of the terminal ------------------------------------------------------------------------------


def test_ctrl_c_once_lets_processes_end_in_their_own_time(place: Place) -> None:
    place.procfile("web: trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done\n")
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "ready")
    terminal.see_status("^web ● 1/1")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert terminal.said("web.1")[-1] == "bye"
    assert any("all stopped" in line for line in terminal.said("system"))
    assert not any("^C" in row for row in terminal.log)


def test_ctrl_c_twice_kills_at_once(place: Place) -> None:
    place.procfile("web: trap '' TERM INT; echo ready; while :; do sleep 0.05; done\n")
    terminal = on_terminal(place, "start", "--timeout", "10000")
    terminal.see_line("web.1", "ready")
    terminal.type(b"\x03")
    terminal.see(lambda: any("still waiting for web.1" in line for line in terminal.said("system")), "patience")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert any("killing all processes" in line for line in terminal.said("system"))
    assert terminal.survivors() == []


def test_when_the_terminal_is_closed_all_ends_with_129(place: Place) -> None:
    place.procfile("web: trap '' HUP; echo ready; while :; do sleep 0.05; done\n")
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "ready")
    terminal.see_status("^web ● 1/1")
    os.close(terminal.terminal)
    terminal.terminal = os.open(os.devnull, os.O_RDWR)
    assert terminal.wait() == 129
    terminal.wait_until_gone()
