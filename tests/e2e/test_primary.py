"""The process that has the terminal: keys in, screen out, all others above."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

import harness
from e2e.screen import COLUMNS, PYTHON, ROWS, on_terminal
from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal
    from harness import Place

STAY = "exec sleep 100000"
TICK = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.02; done"
STAY_HERE = "import time\ntime.sleep(1e5)\n"
FRESH = 10  # lines of others that must go by for what stays to mean something
ODD = "stty -ixon -echok erase ^H susp ^T"  # settings that no terminal has by chance
REPL = """\
import os, select, signal, sys
wake, woken = os.pipe()
os.set_blocking(woken, False)
signal.set_wakeup_fd(woken)
signal.signal(signal.SIGINT, lambda *_: None)
while True:
    os.write(1, b"> ")
    if wake in select.select([0, wake], [], [])[0]:
        os.read(wake, 100)
        os.write(1, b"KeyboardInterrupt\\n")
        continue
    line = os.read(0, 4096)
    os.write(1, b"got " + line)
    if line in (b"", b"crash\\n"):
        sys.exit(3)
"""


def _python(place: Place, text: str, name: str = "web") -> str:
    place.write(f"{name}.py", text)
    return f"{name}: {PYTHON} -u {name}.py\n"


def _repl(place: Place, *options: str, others: str = "", program: str = harness.PROCMAN) -> Terminal:
    """A run whose primary asks for lines."""
    place.procfile(_python(place, REPL) + others)
    terminal = on_terminal(place, "start", "--primary", "web", *options, program=program)
    terminal.see(lambda: terminal.status == ">", "the prompt")
    return terminal


def _hear(terminal: Terminal, name: str) -> None:
    """Wait until this one has said something more."""
    wanted = len(terminal.said(name)) + FRESH
    terminal.see(lambda: len(terminal.said(name)) >= wanted, f"more from {name}")


def _cursor_is_behind(terminal: Terminal, text: str) -> bool:
    cursor = terminal.emulator.cursor
    return terminal.rows[cursor.y] == text and cursor.x == len(text)


def _has_said(terminal: Terminal, word: str, times: int) -> bool:
    return sum(word in row for row in terminal.log) == times


def _answer(terminal: Terminal, line: str, answer: str) -> None:
    terminal.type(line.encode() + b"\r")
    terminal.see(lambda: answer in terminal.log, f"{answer!r}")


# Keys and screen ------------------------------------------------------------------------------------------------------


def test_what_is_typed_is_the_primarys_and_its_lines_have_no_prefix(place: Place) -> None:
    terminal = _repl(place)
    _answer(terminal, "r q s", "got r q s")
    assert "> r q s" in terminal.rows
    assert not terminal.said("web.1")


def test_a_half_typed_line_survives_what_others_say(place: Place) -> None:
    terminal = _repl(place, others=f"clock: {TICK}\n")
    terminal.type(b"half a li")
    _hear(terminal, "clock.1")
    terminal.see(lambda: _cursor_is_behind(terminal, "> half a li"), "the line that is being typed")
    terminal.type(b"\x7fine\r")
    terminal.see(lambda: "got half a line" in terminal.log, "the answer")
    ticks = terminal.said("clock.1")
    assert ticks == [f"tick {number}" for number in range(1, len(ticks) + 1)]
    assert sum(row.startswith("> half") for row in terminal.log) == 1


def test_a_line_that_wraps_is_taken_away_and_comes_back_whole(place: Place) -> None:
    terminal = _repl(place, others=f"clock: {TICK}\n")
    long = "".join(f"word{number:03} " for number in range(30)) + "end"
    terminal.type(long.encode())
    shown = f"> {long}"
    rows = [shown[at : at + COLUMNS].rstrip() for at in range(0, len(shown), COLUMNS)]
    _hear(terminal, "clock.1")
    terminal.see(lambda: [row for row in terminal.rows if row][-len(rows) :] == rows, "all of the line")
    assert sum(row == rows[1] for row in terminal.log) == 1
    answer = f"got {long}"
    _answer(terminal, "", answer[len(answer) // COLUMNS * COLUMNS :])


def test_a_debugger_is_used_while_others_chatter(place: Place) -> None:
    text = "answer = 41\nbreakpoint()\nprint('the answer is', answer, flush=True)\n"
    place.write("web.py", text)
    place.procfile(f"web: python3 -u web.py\nclock: {TICK}\n")
    terminal = on_terminal(place, "start", "--primary=web")
    terminal.see(lambda: terminal.status == "(Pdb)", "the debugger's prompt")
    terminal.insist(b"\x03", lambda: any("nterrupt" in row for row in terminal.log), "what it says to Ctrl-C")
    _hear(terminal, "clock.1")
    assert terminal.process.poll() is None
    if terminal.status != "(Pdb)":  # in pdb, Ctrl-C at the prompt continues the program
        terminal.see(lambda: terminal.status == "(Pdb)", "the prompt again")
    terminal.type(b"answer = 42\r")
    _hear(terminal, "clock.1")
    terminal.type(b"c\r")
    terminal.see(lambda: "the answer is 42" in terminal.log, "the end of the program")
    terminal.see_status("clock ● 1/1")


def test_it_has_the_whole_window_and_hears_when_that_changes(place: Place) -> None:
    text = "import os, signal, time\ndef tell(*_): os.write(1, b'%d %d\\n' % os.get_terminal_size())\n"
    text += "signal.signal(signal.SIGWINCH, tell)\ntell()\nwhile True: time.sleep(0.1)\n"
    place.procfile(_python(place, text))
    terminal = on_terminal(place, "start", "--primary", "web")
    terminal.see(lambda: f"{COLUMNS} {ROWS}" in terminal.rows, "the whole window")
    terminal.resize(30, 100)
    terminal.see(lambda: "100 30" in terminal.rows, "its new size")


def test_lines_are_remembered_logged_and_counted_as_ever(place: Place) -> None:
    terminal = _repl(place, "--log-dir", "log")
    _answer(terminal, "something", "got something")
    logged = place.call("logs", "web")
    assert "web.1  | got something" in logged.out, logged
    kit.wait_until(lambda: "got something\n" in (place.folder / "log/web.1.log").read_text(), "the log file")
    assert "\r" not in (place.folder / "log/web.1.log").read_text()


def test_another_screen_keeps_the_others_back_until_it_is_left(place: Place) -> None:
    text = "import sys\nsys.stdout.write('\\x1b[?1049hfull'); sys.stdout.flush(); sys.stdin.readline()\n"
    text += "sys.stdout.write('\\x1b[?1049ldone\\n'); sys.stdout.flush(); sys.stdin.readline()\n"
    clock = "clock: until test -e go; do sleep 0.02; done; echo now; touch said; sleep 1000\n"
    place.procfile(_python(place, text) + clock)
    terminal = on_terminal(place, "start", "--primary", "web")
    terminal.see(lambda: b"\x1b[?1049hfull" in terminal.out, "its screen")
    place.write("go", "")
    kit.wait_until((place.folder / "said").exists, "the word of another")
    kit.wait_until(lambda: "now" in place.call("logs", "clock").out, "its word in the memory")
    assert terminal.rows
    assert b"now" not in terminal.out
    terminal.type(b"\r")
    terminal.see(lambda: b"now" in terminal.out, "the word of another on the screen")
    assert terminal.out.index(b"\x1b[?1049l") < terminal.out.index(b"now")


# Ctrl-], Ctrl-C, Ctrl-Z -----------------------------------------------------------------------------------------------


def test_ctrl_bracket_gives_the_keys_to_procman_and_back(place: Place) -> None:
    terminal = _repl(place, others=f"clock: echo clock lives; {STAY}\n")
    terminal.see_line("clock.1", "clock lives")
    terminal.type(b"half\x1d")
    terminal.see_status(r"^Ctrl-\] web.1  web ● 1/1  clock ● 1/1  \? keys$")
    assert "> half" in terminal.rows
    terminal.type(b"rclock\r")
    terminal.see(lambda: terminal.said("clock.1") == ["clock lives"] * 2, "the second life of clock")
    terminal.type(b"\x1d")
    terminal.see(lambda: _cursor_is_behind(terminal, "> half"), "the line that was being typed")
    _answer(terminal, " and half", "got half and half")
    terminal.type(b"\x1d")
    terminal.see_status("^Ctrl-]")
    terminal.type(b"\x1b")
    terminal.see(lambda: terminal.status == ">", "the prompt, after Esc")
    terminal.type(b"\x1dq")
    assert terminal.wait() == 130
    assert terminal.survivors() == []


def test_ctrl_c_that_ends_the_primary_ends_the_session(place: Place) -> None:
    place.procfile(_python(place, "print('serving', flush=True)\nimport time; time.sleep(1e5)\n") + f"db: {STAY}\n")
    terminal = on_terminal(place, "start", "--primary", "web")
    terminal.see(lambda: "serving" in terminal.rows, "its first word")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert "interrupted: stopping 1 process" in terminal.said("system")
    assert not any("restarting" in line for line in terminal.said("system"))
    assert terminal.survivors() == []


def test_ctrl_c_that_the_primary_survives_ends_nothing(place: Place) -> None:
    terminal = _repl(place, others=f"db: {STAY}\n")
    count = 0
    while not any("Ctrl-] and then q" in line for line in terminal.said("system")):  # for who presses it in haste
        count += 1
        terminal.type(b"\x03")
        terminal.see(partial(_has_said, terminal, "KeyboardInterrupt", count), "its answer")
        assert count < 30
    _answer(terminal, "on", "got on")
    terminal.type(b"crash\r")  # not the end that a Ctrl-C has asked for
    terminal.see(lambda: any("restarting" in line for line in terminal.said("system")), "its restart")
    terminal.see(lambda: terminal.status == ">", "the prompt of the next life")
    _answer(terminal, "again", "got again")


def test_while_all_stops_a_ctrl_c_kills(place: Place) -> None:
    stubborn = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('stubborn', flush=True)\n"
    place.procfile(
        _python(place, stubborn + STAY_HERE, "db") + _python(place, "print('here', flush=True)\n" + STAY_HERE)
    )
    terminal = on_terminal(place, "start", "--primary", "web", "-t", "600")
    terminal.see_line("db.1", "stubborn")
    terminal.see(lambda: "here" in terminal.rows, "that an interpreter is there that hears a Ctrl-C")
    terminal.type(b"\x03")
    terminal.see(lambda: any("still waiting" in line for line in terminal.said("system")), "a reminder")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert terminal.survivors() == []


def test_a_signal_from_elsewhere_works_as_ever(place: Place) -> None:
    terminal = _repl(place)
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0
    assert terminal.survivors() == []


def test_ctrl_d_ends_the_primary_and_the_others_go_on(place: Place) -> None:
    text = "import sys\nprint('read', len(sys.stdin.read()), flush=True)\n"
    place.procfile(_python(place, text) + f"db: {STAY}\n")
    terminal = on_terminal(place, "start", "--primary", "web")
    terminal.see(lambda: any("web.1 has the terminal" in line for line in terminal.said("system")), "its start")
    terminal.type(b"\x04")
    terminal.see_status("^web ○ done  db ● 1/1")
    terminal.type(b"q")
    assert terminal.wait() == 130


def test_restart_lends_the_terminal_to_the_next_life(place: Place) -> None:
    terminal = _repl(place)
    terminal.type(b"half")
    terminal.see(lambda: _cursor_is_behind(terminal, "> half"), "its echo")
    restarted = place.call("restart", "web")
    assert restarted.code == 0, restarted
    terminal.see(lambda: terminal.status == ">", "the prompt of the next life")
    _answer(terminal, "anew", "got anew")


def test_attach_to_the_primary_is_refused_in_words(place: Place) -> None:
    _repl(place)
    refused = place.call("attach", "web")
    assert refused.code == 2
    assert "web.1 has the terminal of procman start (primary)\nhint: type there" in refused.err


# A shell with job control, and the terminal as we leave it ------------------------------------------------------------


def _shell(place: Place) -> Terminal:
    env = {"PS1": "$ ", "PROMPT_COMMAND": None, "HISTFILE": None, "procman": harness.PROCMAN}
    terminal = on_terminal(place, "--norc", "--noprofile", "-i", program=kit.need_tool("bash"), env=env)
    terminal.see_status(r"^\$$")
    return terminal


def test_ctrl_z_at_a_primary_that_it_cannot_stop_stops_all_and_fg_brings_all_back(place: Place) -> None:
    place.procfile(_python(place, REPL))
    terminal = _shell(place)
    terminal.type(b"$procman start --primary web\n")
    terminal.see(lambda: terminal.status == ">", "the prompt")
    terminal.type(b"half\x1a")
    terminal.see(lambda: any("Stopped" in row for row in terminal.rows), "the shell's word for it")
    terminal.see_status(r"^\$$")
    terminal.type(b"echo answer=$((6 * 7))\n")
    terminal.see(lambda: "answer=42" in terminal.rows, "the shell's answer")
    terminal.type(b"clear; fg\n")
    terminal.see(lambda: _cursor_is_behind(terminal, "> half"), "the line that was being typed")
    _answer(terminal, " done", "got half done")


def test_in_the_background_it_is_a_process_like_others(place: Place) -> None:
    place.procfile(_python(place, "print('hello', flush=True)\n" + REPL))
    terminal = _shell(place)
    terminal.type(b"$procman start --primary web &\n")
    terminal.see_line("web.1", "hello")
    terminal.type(b"\n")
    terminal.see_status(r"^\$$")
    for number in range(5):
        terminal.type(f"echo word{number}=$((6 * 7))\n".encode())
        terminal.see(partial(lambda word: word in terminal.rows, f"word{number}=42"), "the shell's answer")
    terminal.type(b"clear; fg\n")
    terminal.see(lambda: terminal.status == ">", "its prompt")
    _answer(terminal, "there", "got there")


def _script(place: Place, primary: str) -> Terminal:
    """A script on a terminal with odd settings, which shows them before and after `procman start`."""
    place.procfile(primary)
    script = f"trap : INT; {ODD}; stty -g; {harness.PROCMAN} start --primary web; echo code=$?; "
    script += "until test -e gone; do sleep 0.02; done; stty -g; echo over"
    return on_terminal(place, "-c", script, program="/bin/sh")


def _check_restored(place: Place, terminal: Terminal, code: str) -> None:
    terminal.see(lambda: any(f"code={code}" in row for row in terminal.rows), "the end of procman")
    kit.wait_until(lambda: not kit.left_of(terminal), "the end of all of ours")
    place.write("gone", "")
    terminal.see(lambda: "over" in terminal.rows, "the end of the script")
    shown = [row for row in terminal.log if row.count(":") > 10 and " " not in row]
    assert len(shown) == 2
    assert shown[0] == shown[1]


@pytest.mark.parametrize("state", ["lent", "aside"])
@pytest.mark.parametrize("victim", ["manager", "guardian"])
def test_after_sigkill_the_terminal_is_as_it_was(place: Place, victim: str, state: str) -> None:
    terminal = _script(place, _python(place, "print('\\x1b[?1049h\\x1b[?2004h', end='')\n" + REPL))
    terminal.see(lambda: terminal.status == ">", "the prompt")
    if state == "aside":
        terminal.type(b"\x1d")
        terminal.see_status("^Ctrl-]")
    kit.kill(kit.roles(terminal)[victim])
    _check_restored(place, terminal, "137")
    assert terminal.out.rindex(b"\x1b[?2004h") < terminal.out.rindex(b"\x1b[?2004l")


def test_after_the_end_the_terminal_and_its_modes_are_as_they_were(place: Place) -> None:
    modes = "print('\\x1b[?25l\\x1b[?1000h\\x1b[31mhere', flush=True)\n"
    terminal = _script(place, _python(place, modes + STAY_HERE))
    terminal.see(lambda: "here" in terminal.rows, "its word")
    terminal.type(b"\x03")
    _check_restored(place, terminal, "130")
    for on, off in ((b"\x1b[?25l", b"\x1b[?25h"), (b"\x1b[?1000h", b"\x1b[?1000l")):
        assert terminal.out.index(on) < terminal.out.rindex(off)
    assert terminal.emulator.color("over") == "default"


def test_a_primary_that_ends_by_itself_leaves_no_rare_modes_either(place: Place) -> None:
    modes = "print('\\x1b[4h\\x1b[3;10r\\x1b[5 q\\x1b]11;#123\\x07\\x1b]0;mine\\x07here', flush=True); input()\n"
    place.procfile(_python(place, modes) + f"db: {STAY}\n")
    place.write("procman.toml", "[process.web]\nrestart = 'never'\n")
    terminal = on_terminal(place, "start", "--primary", "web")
    terminal.see(lambda: "here" in "\n".join(terminal.rows), "its word")
    terminal.type(b"\n")
    terminal.see(lambda: "web.1 exited" in "\n".join(terminal.log), "its end")
    after = terminal.out[terminal.out.index(b"here") :]
    for off in (b"\x1b[4l", b"\x1b[r", b"\x1b[0 q", b"\x1b]111\x1b\\", b"\x1b[23;0t"):
        assert off in after
    assert terminal.out.index(b"\x1b[22;0t") < terminal.out.index(b"\x1b]0;mine")
    terminal.type(b"q")
    assert terminal.wait() == 130


# Who it is ------------------------------------------------------------------------------------------------------------


def test_the_key_of_the_overlay_makes_one_primary(place: Place) -> None:
    place.procfile(_python(place, REPL) + f"db: {STAY}\n")
    place.write("procman.toml", "[process.web]\nprimary = true\n")
    terminal = on_terminal(place, "start")
    terminal.see(lambda: terminal.status == ">", "the prompt")
    _answer(terminal, "hello", "got hello")


def test_the_flag_wins_over_the_key(place: Place) -> None:
    place.procfile(_python(place, REPL) + f"db: {STAY}\n")
    place.write("procman.toml", "[process.db]\nprimary = true\n")
    terminal = on_terminal(place, "start", "--primary", "web")
    terminal.see(lambda: terminal.status == ">", "the prompt")
    _answer(terminal, "hello", "got hello")


def test_when_the_terminal_is_closed_all_ends_with_129(place: Place) -> None:
    terminal = _repl(place)
    os.close(terminal.terminal)
    terminal.terminal = os.open(os.devnull, os.O_RDWR)
    assert terminal.wait() == 129
    terminal.wait_until_gone()


def test_the_first_of_several_instances_is_it_or_the_one_that_is_named(place: Place) -> None:
    place.procfile("web: printf '%s> ' $PS; read line; echo \"$PS got $line\"; exec sleep 1000\n")
    first = on_terminal(place, "start", "-m", "web=2", env={"PROCMAN_PRIMARY": "web"})
    first.see(lambda: first.status == "web.1>", "the prompt of the first")
    first.type(b"\x03")
    assert first.wait() == 130
    second = on_terminal(place, "start", "-m", "web=2", "--primary", "web.2")
    second.see(lambda: second.status == "web.2>", "the prompt of the second")
    _answer(second, "hello", "web.2 got hello")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("wbe", 'did you mean "web"?'), ("web.²", "there are: web"), (f"web.{'9' * 5000}", "there are: web")],
)
def test_a_name_that_the_procfile_does_not_have_is_refused(place: Place, name: str, hint: str) -> None:
    place.procfile("web: true\n")
    refused = place.call("start", "--primary", name)
    assert refused.code == 2
    assert f'--primary: Procfile has no process type "{name}"' in refused.err
    assert hint in refused.err


def test_without_a_terminal_it_is_a_process_like_others_with_one_warning(place: Place) -> None:
    place.procfile("web: echo hello\n")
    session = place.start("--primary", "web")
    session.wait_for(r"warning: web.1 cannot have the terminal: stdin and stdout are not both a terminal")
    session.wait_for(r"web.1 +\| hello")
    assert session.wait() == 0


def test_a_crash_leaves_the_keyboard_as_it_was(place: Place) -> None:
    place.procfile("web: printf '\\033[>1u\\033[>4;2mtype: '; read line; exit 3\n")
    session = place.start("--primary", "web", "--restart", "never", pty=True)
    session.wait_for(r"\x1b\[>1u\x1b\[>4;2mtype: ")
    assert b"\x1b[<" not in session.out
    session.type(b"\r")
    session.wait_for(r"\x1b\[<1u\x1b\[>4m")
    session.wait_for("web.1 FAILED")


def test_after_sigkill_the_keyboards_of_both_screens_are_as_they_were(place: Place) -> None:
    place.procfile("web: printf '\\033[>1u\\033[>4;2m\\033[?1049h\\033[>5u\\033[?1004htype: '; exec sleep 1000\n")
    session = place.start("--primary", "web", pty=True)
    session.wait_for("type: ")
    kit.kill(kit.roles(session)["manager"])
    usual = r"\x1b\[<\d+u\x1b\[=0u\x1b\[>4m"
    session.wait_for(rf"{usual}\x1b\[\?1047l{usual}.*\x1b\[\?1004l")
    assert session.wait() == 137


def test_without_a_pseudo_terminal_it_is_a_process_like_others_and_the_keys_are_ours(place: Place) -> None:
    kit.need_root()
    place.procfile("web: echo hello; exec sleep 1000\n")
    without = kit.wrapper(place, f'mount --bind /dev/null /dev/ptmx && exec {harness.PROCMAN} "$@"')
    terminal = on_terminal(place, "-m", without, "start", "--primary", "web", program=kit.need_tool("unshare"))
    terminal.see_line("system", "web.1 cannot have the terminal: no pseudo-terminal is.*")
    terminal.see_line("web.1", "hello")
    terminal.see_status("^web ● 1/1")
    terminal.type(b"r\r")
    terminal.see(lambda: terminal.said("web.1") == ["hello"] * 2, "a second life")
    terminal.type(b"\x03")
    assert terminal.wait() == 130


def test_who_is_left_out_cannot_have_it(place: Place) -> None:
    place.procfile("web: true\ndb: true\n")
    session = place.start("--primary", "web", "-x", "web")
    session.wait_for("warning: web is not running, so no process has the terminal")
    assert session.wait() == 0
