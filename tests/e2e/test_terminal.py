"""What children write, as it is seen on a real terminal, and what they see of it."""

from __future__ import annotations

import re

import pytest

from e2e.screen import COLUMNS, PYTHON, ROWS, on_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.screen import Terminal
    from harness import Place

STAY = "exec sleep 100000"


def _shell(place: Place, text: str, name: str = "web") -> str:
    """A line of a Procfile that runs this shell script."""
    place.write(f"{name}.sh", text)
    return f"{name}: sh {name}.sh\n"


def _python(place: Place, text: str, name: str = "web") -> str:
    """A line of a Procfile that runs this Python program, unbuffered."""
    place.write(f"{name}.py", f"import os, signal, sys, time\n{text}")
    return f"{name}: {PYTHON} -u {name}.py\n"


def _say(place: Place, words: bytes, name: str = "web") -> str:
    """A line of a Procfile that writes these bytes at once, and then stays."""
    place.write(f"{name}.bytes", words)
    return f"{name}: cat {name}.bytes; {STAY}\n"


def _prefix_width(terminal: Terminal) -> int:
    return next(row.index("| ") + 2 for row in terminal.log if " | " in row)


# Each child has a terminal -------------------------------------------------------------------------------------------


def test_a_child_sees_a_terminal_of_the_windows_size_less_the_prefix(place: Place) -> None:
    place.procfile(_shell(place, f'test -t 0 || echo "no keyboard"; test -t 1 && test -t 2 && stty size <&1\n{STAY}\n'))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", r"\d+ \d+")
    assert f"{ROWS} {COLUMNS - _prefix_width(terminal)}" in terminal.said("web.1")
    assert _prefix_width(terminal) == len("00:00:00 system | ")


def test_a_line_that_fills_what_a_child_sees_fills_the_row(place: Place) -> None:
    place.procfile(_shell(place, f'set -- $(stty size <&2); printf "%${{2}}s\\n" end; echo next; {STAY}\n'))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "next")
    row = next(row for row in terminal.rows if row.endswith(" end"))
    assert len(row) == COLUMNS
    assert terminal.said("web.1")[-1] == "next"


def test_a_resize_is_passed_on(place: Place) -> None:
    text = "def tell(*_): print(*os.get_terminal_size(1))\nsignal.signal(signal.SIGWINCH, tell)\nprint('ready')\n"
    place.procfile(_python(place, text + "while True: time.sleep(0.1)\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "ready")
    terminal.resize(40, 120)
    terminal.see_line("web.1", f"{120 - _prefix_width(terminal)} 40")
    terminal.resize(10, 61)
    terminal.see_line("web.1", f"{61 - _prefix_width(terminal)} 10")


def test_a_child_that_starts_after_a_resize_has_the_new_size(place: Place) -> None:
    place.procfile(_shell(place, f"stty size <&1\n{STAY}\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", r"24 \d+")
    terminal.resize(30, 100)
    terminal.type(b"r\r")
    terminal.see_line("web.1", f"30 {100 - _prefix_width(terminal)}")


def test_stdout_and_stderr_come_in_their_true_order(place: Place) -> None:
    place.procfile(_python(place, "for n in range(300): os.write(1 + n % 2, b'%d\\n' % n)\ntime.sleep(1e5)\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "299")
    assert terminal.said("web.1") == [str(number) for number in range(300)]


def test_without_a_terminal_of_its_own_a_child_has_a_pipe(place: Place) -> None:
    place.procfile(_shell(place, f"test -t 1 && echo terminal || echo pipe\n{STAY}\n"))
    terminal = on_terminal(place, "start", "--no-pty")
    terminal.see_line("web.1", "pipe")
    terminal.see_status("web ● 1/1")


# Colors --------------------------------------------------------------------------------------------------------------


def test_colors_of_children_stay(place: Place) -> None:
    place.procfile(_say(place, b"\x1b[31mred\x1b[0m \x1b[38;5;208morange\x1b[m \x1b[38;2;1;2;3mnight\x1b[m plain\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "red orange night plain")
    color = terminal.emulator.color
    assert [color(word) for word in ("red", "orange", "night", "plain")] == ["red", "ff8700", "010203", "default"]


def test_a_color_that_is_left_on_goes_on_behind_the_prefix_and_harms_nobody(place: Place) -> None:
    place.procfile(_say(place, b"\x1b[31mone\ntwo\n") + _shell(place, f"echo other; {STAY}", "worker"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "two")
    terminal.see_line("worker.1", "other")
    assert [terminal.emulator.color(word) for word in ("one", "two", "other")] == ["red", "red", "default"]
    assert {terminal.emulator.buffer[n][0].fg for n in range(ROWS)} <= {"cyan", "brown", "default"}


@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        (["--no-pty"], {}, "1 1"),
        ([], {}, "unset unset"),
        (["--no-pty"], {"NO_COLOR": "1"}, "unset unset"),
        (["--no-pty", "--no-color"], {}, "unset unset"),
        (["--no-pty"], {"FORCE_COLOR": "3"}, "3 1"),
        (["--no-pty", "--color"], {"FORCE_COLOR": "0"}, "0 unset"),
    ],
)
def test_children_on_pipes_are_told_that_colors_are_shown(
    place: Place, options: list[str], env: dict[str, str], expected: str
) -> None:
    place.procfile(_shell(place, f"echo ${{FORCE_COLOR-unset}} ${{CLICOLOR_FORCE-unset}}\n{STAY}\n"))
    terminal = on_terminal(place, "start", *options, env=env)
    terminal.see_line("web.1", r"\w+ \w+")
    assert terminal.said("web.1") == [expected]


def test_the_status_line_is_shown_on_a_narrow_terminal_to_who_asks_for_it(place: Place) -> None:
    place.procfile(_say(place, b"plain\n"))
    terminal = on_terminal(place, "start", "--status")
    terminal.resize(ROWS, 30)
    terminal.see_status("web ● 1/1")


def test_no_color_takes_all_colors_out(place: Place) -> None:
    place.procfile(_say(place, b"\x1b[31mred\x1b[0m and \x1b[1mbold\x1b[0m\n"))
    terminal = on_terminal(place, "start", env={"NO_COLOR": "1"})
    terminal.see_line("web.1", "red and bold")
    terminal.see_status("web ● 1/1")
    cells = [terminal.emulator.buffer[row][column] for row in range(ROWS) for column in range(COLUMNS)]
    assert {(cell.fg, cell.bg, cell.bold) for cell in cells} == {("default", "default", False)}


def test_a_dumb_terminal_gets_plain_lines(place: Place) -> None:
    place.procfile(_say(place, b"plain\n"))
    terminal = on_terminal(place, "start", env={"TERM": "dumb"})
    terminal.see_line("web.1", "plain")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert b"\x1b" not in terminal.out


# The line discipline -------------------------------------------------------------------------------------------------

DAMAGE = {
    "clear the screen": b"\x1b[2J",
    "clear the scrollback": b"\x1b[3J",
    "go home": b"\x1b[H",
    "go to a place": b"\x1b[3;7H",
    "go up": b"\x1b[5A",
    "erase the line": b"\x1b[2K",
    "alternate screen": b"\x1b[?1049h",
    "old alternate screen": b"\x1b[?47h",
    "hide the cursor": b"\x1b[?25l",
    "mouse": b"\x1b[?1000h\x1b[?1006h",
    "bracketed paste": b"\x1b[?2004h",
    "no bracketed paste": b"\x1b[?2004l",
    "no wrapping": b"\x1b[?7l",
    "insert mode": b"\x1b[4h",
    "scroll region": b"\x1b[2;5r",
    "insert lines": b"\x1b[3L",
    "delete lines": b"\x1b[3M",
    "reverse index": b"\x1bM\x1bM",
    "index": b"\x1bD",
    "full reset": b"\x1bc",
    "soft reset": b"\x1b[!p",
    "title": b"\x1b]0;owned\x07",
    "title, ended by ST": b"\x1b]2;owned\x1b\\",
    "clipboard": b"\x1b]52;c;b3duZWQ=\x07",
    "save and restore the cursor": b"\x1b7\x1b[H\x1b8",
    "shift out": b"\x0e",
    "line drawing": b"\x1b(0",
    "what are you": b"\x1b[c\x1b[6n\x05",
    "device control string": b'\x1bP$q"p\x1b\\',
    "form feed": b"\x0c",
    "eight-bit controls": b"\xc2\x9b2J",
    "screen alignment": b"\x1b#8",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_child_cannot_damage_the_screen(place: Place, what: str) -> None:
    place.procfile(_say(place, b"before\n" + DAMAGE[what] + b"\nafter\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "after")
    terminal.see_status("^web ● 1/1")
    said = terminal.said("web.1")
    rows = 2 if what == "go up" else 3  # a cursor that only passes leaves no blank row behind
    assert (said[0], said[-1], len(said)) == ("before", "after", rows)
    assert any("web.1 started" in row for row in terminal.log)
    assert terminal.emulator.damage == []
    assert terminal.emulator.pastes == ["set"]
    assert terminal.emulator.title == ""
    assert terminal.emulator.charset == 0


def test_raw_lets_everything_through(place: Place) -> None:
    place.procfile(_say(place, b"\x1b]0;mine\x07\x1b[31mred\n"))
    terminal = on_terminal(place, "start", "--raw")
    terminal.see(lambda: terminal.rows and terminal.emulator.title == "mine", "a title")


def test_a_progress_bar_is_one_row_and_only_its_last_state_stays(place: Place) -> None:
    text = "for n in range(0, 100, 10): print(f'{n}%', end='\\r')\n"
    text += "while not os.path.exists('go'): time.sleep(0.01)\nprint('100%')\nprint('over')\ntime.sleep(1e5)\n"
    place.procfile(_python(place, text))
    terminal = on_terminal(place, "start")
    terminal.see(lambda: any(row.endswith("| 90%…") for row in terminal.rows), "90 % under way")
    assert terminal.said("web.1") == ["90%…"]
    place.write("go", "")
    terminal.see_line("web.1", "over")
    assert terminal.said("web.1") == ["100%", "over"]


def test_a_bar_that_never_pauses_is_seen_while_it_grows(place: Place) -> None:
    text = "n = 0\nwhile True: print(f'\\r{n} done', end=''); n += 1; time.sleep(0.01)\n"
    place.procfile(_python(place, text))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "[0-9]+ done…")
    first = terminal.said("web.1")
    terminal.see(lambda: terminal.said("web.1") not in ([], first), "the next state")
    terminal.see_line("web.1", "[0-9]+ done…")
    assert len(terminal.said("web.1")) == 1


def test_of_bars_that_are_painted_over_the_last_state_comes_without_a_line_behind_it(place: Place) -> None:
    text = (
        "for n in range(100): print('\\x1b[2A' * (n > 0) + f'\\x1b[2Kone {n}%\\n\\x1b[2Ktwo {n}%'); time.sleep(0.005)\n"
    )
    place.procfile(_python(place, text + "time.sleep(1e5)\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "two 99%")
    said = terminal.said("web.1")  # the first state too, if it was there alone when we looked
    assert said[-2:] == ["one 99%", "two 99%"]
    assert len(said) in (2, 4)


ASKS = """
import re, select, sys, termios, tty
before = termios.tcgetattr(0)
if {raw}:
    tty.setcbreak(0)
for query, end in (("6n", "R"), ("5n", "n"), ("c", "c")):
    print("ab\\x1b[" + query, end="", flush=True)
    answer = ""
    while not answer.endswith(end) and select.select([0], [], [], {patience})[0]:
        answer += os.read(0, 1).decode()
    print("\\ranswer:", re.sub(r"[0-9]+;3R", "ROW;3R", repr(answer)), flush=True)
print("asked")
"""


def test_a_program_that_asks_its_terminal_does_not_wait_for_ever(place: Place) -> None:
    place.procfile(_python(place, ASKS.format(raw=True, patience=30)))
    text = place.call("start", "--pty").out
    answers = [line.partition("answer: ")[2] for line in text.splitlines() if "answer: " in line]
    assert answers == [r"'\x1b[ROW;3R'", r"'\x1b[0n'", r"'\x1b[?1;2c'"]


def test_nothing_is_typed_into_a_program_that_reads_whole_lines(place: Place) -> None:
    """It only shows a file with such bytes, say."""
    place.procfile(_python(place, ASKS.format(raw=False, patience=0.1)))
    text = place.call("start", "--pty").out
    assert text.count("answer: ''") == 3


def test_a_prompt_is_shown_and_its_line_comes_once(place: Place) -> None:
    text = (
        "print('name? ', end='')\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('nobody')\ntime.sleep(1e5)\n"
    )
    place.procfile(
        _python(place, text) + _shell(place, f"until test -e go; do sleep 0.05; echo tick; done; {STAY}", "b")
    )
    terminal = on_terminal(place, "start")
    terminal.see(lambda: any(row.endswith("| name? …") for row in terminal.rows), "the prompt")
    ticks = len(terminal.said("b.1"))
    terminal.see(lambda: len(terminal.said("b.1")) >= ticks + 3, "the others going on")
    terminal.see(lambda: terminal.said("web.1") == ["name? …"], "the prompt, once")
    place.write("go", "")
    terminal.see_line("web.1", "name[?] nobody")
    assert terminal.said("web.1") == ["name? nobody"]


def test_the_last_words_without_a_newline_are_a_line(place: Place) -> None:
    place.procfile("web: printf 'last words'\n")
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "last words")
    assert terminal.wait() == 0
    assert terminal.said("web.1") == ["last words"]


def test_a_line_of_ten_thousand_columns_is_whole(place: Place) -> None:
    place.procfile(_python(place, "print('x' * 10000)\nprint('after')\ntime.sleep(1e5)\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "after")
    terminal.see_status("^web ● 1/1")
    assert "".join(terminal.log).count("x") == 10000


def test_a_prompt_of_ten_thousand_columns_is_one_row_until_it_ends(place: Place) -> None:
    text = (
        "print('x' * 10000, end='')\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('END')\ntime.sleep(1e5)\n"
    )
    place.procfile(_python(place, text))
    terminal = on_terminal(place, "start")
    terminal.see(lambda: sum(row.count("x") > 10 for row in terminal.rows) == 1, "one row of it")
    place.write("go", "")
    terminal.see(lambda: any(row.endswith("xEND") for row in terminal.rows), "its end")
    terminal.see_status("^web ● 1/1")
    assert "".join(terminal.log).count("x") == 10000


def test_emoji_and_combining_characters_survive(place: Place) -> None:
    text = "🙂 👩\u200d👩\u200d👧 ❤\ufe0f e\u0301a\u0308 日本語 ±"
    place.procfile(_say(place, f"{text}\nnext\n".encode()))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "next")
    assert text.encode() in terminal.out
    shown = next(line for line in terminal.said("web.1") if "日" in line)
    assert shown.startswith("🙂 👩👩👧")
    terminal.see_status("^web ● 1/1")


def test_bytes_that_are_no_text_harm_nobody(place: Place) -> None:
    place.procfile(_say(place, b"\xff\xfe\x80\x9b2J nul \x00 end\nafter\n"))
    terminal = on_terminal(place, "start")
    terminal.see_line("web.1", "after")
    assert terminal.emulator.damage == []
    assert len(terminal.said("web.1")) == 2


def test_a_log_file_keeps_the_bytes_that_the_terminal_is_spared(place: Place) -> None:
    text = b"\x93quoted\x94 " + "消す".encode("shift_jis")
    place.procfile(_say(place, text + b"\nafter\n"))
    terminal = on_terminal(place, "start", "--log-dir", "log")
    terminal.see_line("web.1", "after")
    assert "\\x93quoted\\x94" in terminal.said("web.1")[0]
    assert (place.folder / "log" / "web.1.log").read_bytes().splitlines()[0] == text


# Not on the terminal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("redirection", ["| cat", "> all.log", "2>&1 | tee all.log"])
def test_what_is_piped_or_redirected_is_plain_lines(place: Place, redirection: str, procman: str) -> None:
    place.procfile(_shell(place, "test -t 1 && echo terminal || echo pipe\n"))
    terminal = on_terminal(place, "-c", f"{procman} start {redirection}; echo over", program="/bin/sh")
    terminal.see(lambda: "over" in terminal.rows, "the end")
    terminal.wait()
    shown = terminal.out + (place.folder / "all.log").read_bytes() if "all.log" in redirection else terminal.out
    lines = [re.sub(r"^\S+ ", "", line) for line in shown.decode().splitlines() if "web.1  | " in line]
    assert set(lines) == {"web.1  | pipe"}
    assert b"\x1b" not in shown
    assert "●" not in shown.decode()
