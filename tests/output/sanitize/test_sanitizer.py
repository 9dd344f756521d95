from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from procman.core.text.lines import MANY_BLANKS, STAYS, LineBuffer, goes_up
from procman.output.sanitize.escapes import without_color
from procman.output.sanitize.sanitizer import CR, Sanitizer, guarded
from procman.output.sanitize.sgr import advance

SGR = re.compile(rb"\x1b\[[0-9:;]*m")
FORBIDDEN = re.compile(rb"[\x05\x07\x08\x0b-\x0f\x1b]")

HARMLESS = ["plain ", "é", "✓", "👩‍👩‍👧", "\t", "\0", "\u00a0", "«»", "日本"]
COLORS = ["\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[1;4:3m", "\x1b[38;5;208m", "\x1b[38;2;1;2;3m", "\x1b[39m", "\x1b[22m"]
DROPPED = [
    "\x1b[2J",
    "\x1b[H",
    "\x1b[3;4H",
    "\x1b[A",
    "\x1b[K",
    "\x1b[?1049h",
    "\x1b[?25l",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[>4;2m",
    "\x1bc",
    "\x1b7",
    "\x1b(B",
    "\x1b#8",
    "\x1b=",
    "\x1b]0;title\x07",
    "\x1b]8;;http://example.org\x1b\\",
    "\x1bPq#0;1\x1b\\",
    "\x1b_gone\x1b\\",
    "\x07",
    "\x0e",
    "\x0f",
]
UNRULY = [
    "\x1b",
    "\x1b[",
    "\x1b[31",
    "\x1b]0;",
    "\x1b\0[2J",
    "\x9b2J",
    "\x85",
    "\b",
    "\r",
    "\r\n",
    "\x05",
    "\x0b",
    "\x0c",
]

TEXTS = st.lists(st.sampled_from([*HARMLESS, *COLORS, *DROPPED, *UNRULY, "\n"])).map(lambda p: "".join(p).encode())
ANYTHING = st.lists(
    st.sampled_from([bytes([byte]) for byte in range(256)] + [b"\x1b[", b"\x1b]", b"\xc2", b"0m", b"\n"])
).map(b"".join)
STREAMS = st.one_of(TEXTS, ANYTHING).map(lambda stream: stream + b"\n")


def clean(lines: bytes) -> bytes:
    """Return everything that a terminal shows of a stream of these lines."""
    sanitizer = Sanitizer()
    return guarded(sanitizer.clean(lines) + sanitizer.rest())


@pytest.mark.parametrize(
    "text", [b"\x93quoted\x94 \x80 5", "消す".encode("shift_jis"), b"\xc2\x85", "é—".encode("cp1252")]
)
def test_only_a_terminal_is_guarded_from_letters_of_other_encodings(text: bytes) -> None:
    line = b"\x1b[31mred\x1b[0m " + text + b"\n"
    assert Sanitizer().clean(line) == line
    assert not raw_c1(clean(line))


def raw_c1(lines: bytes) -> list[str]:
    return re.findall("[\x80-\x9f\udc80-\udc9f]", lines.decode("utf-8", "surrogateescape"))


@given(STREAMS)
def test_no_control_reaches_the_terminal_but_colors(lines: bytes) -> None:
    shown = clean(lines)
    assert not FORBIDDEN.search(SGR.sub(b"", shown))
    assert not raw_c1(shown)


@given(STREAMS)
def test_every_line_ends_with_its_colors_off(lines: bytes) -> None:
    for line in clean(lines).split(b"\n"):
        assert advance(b"", SGR.findall(line)) == b""


@given(st.lists(STREAMS, max_size=len(MANY_BLANKS) - 1))
def test_lines_are_the_same_however_they_are_grouped(groups: list[bytes]) -> None:
    assume(b"".join(groups).count(b"\n") < len(MANY_BLANKS))  # only blank lines that arrive together can clear a screen
    assume(not any(map(goes_up, groups[1:])))  # or be overwritten before they are shown
    one, many = Sanitizer(), Sanitizer()
    shown = b"".join(many.clean(lines) for lines in groups or [b"\n"])
    assert one.clean(b"".join(groups) or b"\n") == shown
    assert one.rest() == many.rest()


@given(STREAMS)
def test_clean_lines_stay_as_they_are(lines: bytes) -> None:
    once = clean(lines)
    assert clean(once) == once


@given(STREAMS.filter(lambda stream: not re.search(rb"\x1b\[[0-9]*[AF]|(\s*\n){8}", stream)))
def test_as_many_lines_come_out_as_went_in(lines: bytes) -> None:
    assert clean(lines).count(b"\n") == lines.count(b"\n")


@given(st.lists(st.sampled_from([*HARMLESS, *COLORS, *DROPPED])))
def test_no_text_is_lost(parts: list[str]) -> None:
    text = "".join(part for part in parts if part in HARMLESS)
    shown = SGR.sub(b"", clean("".join(parts).encode() + b"\n")).decode()
    if "\x1b[A" in parts:  # what is drawn there gets a row of its own
        assert sorted("".join(shown.split())) == sorted("".join(text.split()))
    else:
        assert shown == text + "\n"


@given(STREAMS, STREAMS)
def test_a_preview_changes_nothing(before: bytes, tail: bytes) -> None:
    looked, blind = Sanitizer(), Sanitizer()
    looked.clean(before)
    blind.clean(before)
    looked.preview(tail.replace(b"\n", b""))
    assert looked.clean(tail) == blind.clean(tail)


@given(STREAMS)
def test_a_preview_is_as_harmless_as_a_line(tail: bytes) -> None:
    shown = Sanitizer().preview(tail.replace(b"\n", b""))
    assert not FORBIDDEN.search(SGR.sub(b"", shown))
    assert b"\n" not in shown


VITE = b"\n" * 40 + b"\x1b[1;1H\x1b[0J\n  VITE ready\n"


@pytest.mark.parametrize("cut", [0, 12, 39, 40, 46])
def test_a_screen_that_is_pushed_away_by_blank_lines_is_a_cleared_one(cut: int) -> None:
    sanitizer = Sanitizer()
    shown = sanitizer.clean(b"before\n" + VITE[:cut]) if cut < 41 else sanitizer.clean(b"before\n")
    shown += sanitizer.clean(VITE[cut:] if cut < 41 else VITE)
    assert shown == b"before\n\n  VITE ready\n"
    assert sanitizer.rest() == b""


def test_blank_lines_that_nothing_clears_are_shown_with_the_next_line() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"a\n" + b"\n" * 20) == b"a\n"
    assert not sanitizer.is_plain(b"", b"plain\n")
    assert sanitizer.clean(b"b\n") == b"\n" * 20 + b"b\n"
    assert sanitizer.clean(b"\n" * 7) == b"\n" * 7
    assert sanitizer.clean(b"\n" * 8) == b""
    assert sanitizer.rest() == b"\n" * 8
    assert sanitizer.rest() == b""


def test_a_chunk_that_ends_with_many_blank_lines_is_not_plain() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.is_plain(b"", b"a\n" * 10 + b"\n" * 3)
    assert not sanitizer.is_plain(b"", b"a\n" * 10 + b"\n" * 20)


@pytest.mark.parametrize("before", [b"\x1b[31mred\n", b"a\n\x1b[1Ab\n"])
def test_blank_lines_alone_are_held_back_where_colors_are_on_or_rows_are_painted_over(before: bytes) -> None:
    sanitizer = Sanitizer()
    assert sanitizer.clean(before) + sanitizer.rest()
    assert sanitizer.clean(b"\n" * 20) == b""
    assert sanitizer.clean(b"c\n").count(b"\n") == 21


def test_blank_lines_are_rows_too_that_may_be_painted_over() -> None:
    sanitizer = Sanitizer()
    sanitizer.clean(b"a\n\x1b[1Ab\nc\n" + b"\n" * 9)
    assert sanitizer.rest() == b"b\nc\n" + b"\n" * 9
    painted = b"".join(b"%d\n" % row for row in range(7)) + b"b\nc\n"  # the last two do not overwrite equal rows
    assert sanitizer.clean(b"\x1b[9A" + painted) + sanitizer.rest() == painted


def test_a_flood_of_blank_lines_is_not_held_back() -> None:
    sanitizer = Sanitizer()
    assert b"".join(sanitizer.clean(b"\n" * 100) for _ in range(100)) + sanitizer.rest() == b"\n" * 10000
    assert sanitizer.clean(b"\n" * 1000) == b"\n" * 1000


def test_a_chunk_without_controls_is_not_copied() -> None:
    lines = b"GET /\t200\0\n" * 10
    assert clean(lines) is lines
    accented = "é ✓ «»\n".encode()
    assert clean(accented) is accented


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"a\rb\rc\n", b"c\n"),
        (b"text\r\n", b"text\n"),
        (b"text\r\r\n", b"text\n"),
        (b"50%\r100%\r\n", b"100%\n"),
        (b"bar\r\x1b[K\n", b"\n"),
        (b"bar\x1b[2K\x1b[1G\n", b"\n"),
        (b"bar\x1b[1000D\x1b[0J\n", b"\n"),
        (b"bar\r\x1b[K\rmore\r\n", b"more\n"),
        (b"50%\x1b[K\r100%\x1b[K\r\n", b"100%\n"),
        ("⠙\x1b[1G\x1b[0K⠹\x1b[1G\x1b[0K\n".encode(), b"\n"),
        ("⠙\r\x1b[K-\r\x1b[2Kadded\n".encode(), b"added\n"),
        ("fetching ⠙\r\x1b[K⠹\r\x1b[K\n".encode(), b"\n"),
        (b"-----\r\r\n", b"-----\n"),
        (b"\x1b[1G\x1b[0K-\x1b[1G\x1b[0K/\x1b[1G\x1b[0Kdone\n", b"done\n"),
        (b"\r\n", b"\n"),
        (b"\x1b[32ma\rb\x1b[0m\n", b"\x1b[32mb\x1b[0m\n"),
        (b"looking...\x1b[999D\x1b[Kfound\n", b"found\n"),
        (b"10%\x1b[1000D20%\n", b"20%\n"),
        (b"ab\x1b[1Dc\x1b[D\n", b"abc\n"),
    ],
)
def test_of_an_overwritten_line_the_last_state_is_shown(written: bytes, shown: bytes) -> None:
    assert clean(written) == shown


@pytest.mark.parametrize("again", [b"\r", b"\r\x1b[2K", b"\r\x1b[K"])
def test_colors_of_an_overwritten_line_do_not_pile_up(again: bytes) -> None:
    stream = Sanitizer()
    bar = b"".join(again + b"\x1b[31m==\x1b[0m %d\x1b[1m%%" % n for n in range(100))
    assert stream.clean(bar + b"\n") == b"\x1b[1;31m==\x1b[0m 99\x1b[1m%\x1b[0m\n"
    assert stream.clean(b"\x1b[0m-" + again + b"plain\n") == b"\x1b[1m\x1b[0mplain\n"
    assert stream.clean(b"\x1b[32mgreen\n") == b"\x1b[32mgreen\x1b[0m\n"
    assert stream.clean(b"\x1b[0m1" + again + b"\x1b[34m2" + again + b"3\n") == b"\x1b[32m\x1b[0m\x1b[34m3\x1b[0m\n"


@pytest.mark.parametrize("written", ["\x1b[?25h", "\x1b[0m", "\r", "⠋ Loading\r\x1b[K", "⠋\x1b[2K\x1b[1G\x1b[?25h"])
def test_an_end_that_shows_nothing_is_no_line(written: str) -> None:
    assert Sanitizer().last(written.encode()) == b""


@pytest.mark.parametrize("end", [b"", b"\r", b"\x1b[?25h"])
def test_an_end_that_shows_something_is_a_line(end: bytes) -> None:
    assert Sanitizer().last(b"\x1b[2Ktext" + end) == b"text\n"


def test_of_an_end_that_shows_nothing_the_rows_it_painted_are_shown() -> None:
    assert Sanitizer().last(b"\x1b[Aa\r\x1b[B\x1b[?25h") == b"a\n"


@pytest.mark.parametrize("written", [b"  ", b"text", b"\xff"])
def test_an_end_of_plain_bytes_is_a_line(written: bytes) -> None:
    assert Sanitizer().last(written) == written + b"\n"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b7\x1b[24;0f\x1b[42mProgress: [ 20%]\x1b[49m [##...] \x1b8Unpacking a\n", b"Unpacking a\n"),
        (b"\x1b7\x1b[0;23r\x1b8\x1b7\x1b[24;1H 5%\x1b8one\x1b[s\x1b[1;70Hclock\x1b[utwo\n", b"onetwo\n"),
        (b"\x1b7here\x1b8\n", b"here\n"),
        (b"at \x1b7 10%\x1b8\x1b7 50%\x1b8\x1b[32m\x1b7100%\x1b8\x1b[39m\n", b"at \x1b[32m100%\x1b[39m\n"),
        (b"at \x1b[s 10%\x1b[u\x1b[K 50%\x1b[u\x1b[K100%\n", b"at 100%\n"),
        (b"from before\x1b8 10%\x1b8 20%\n", b"from before 10% 20%\n"),
        (b"\x1b7\x1b[24;0fnever restored\n", b"never restored\n"),
        (b"a\x1b[24;0fb\x1b7c\x1b8\n", b"abc\n"),
    ],
)
def test_what_is_written_elsewhere_on_the_screen_is_no_part_of_the_line(written: bytes, shown: bytes) -> None:
    assert clean(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"|\b/\b-\b\\\n", b"\\\n"),
        (b"abc\b\n", b"abc\n"),
        (b"ab\b\b\b\bX\n", b"Xb\n"),
        (b"N\bNA\bAM\bME\bE\n", b"NAME\n"),
        ("é\bx\n".encode(), b"x\n"),
        (b"a\x1b[31m\bb\n", b"\x1b[31mb\x1b[0m\n"),
    ],
)
def test_backspaces_print_over(written: bytes, shown: bytes) -> None:
    assert clean(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b[31mone\ntwo\n\x1b[0mthree\n", b"\x1b[31mone\x1b[0m\n\x1b[31mtwo\x1b[0m\n\x1b[31m\x1b[0mthree\n"),
        (b"\x1b[1m\x1b[31mx\x1b[39mx\x1b[22mx\n", b"\x1b[1m\x1b[31mx\x1b[39mx\x1b[22mx\n"),
        (b"\x1b[1;31mx\ny\n", b"\x1b[1;31mx\x1b[0m\n\x1b[1;31my\x1b[0m\n"),
        (b"\x1b[38;5;1;1mx\ny\n", b"\x1b[38;5;1;1mx\x1b[0m\n\x1b[38;5;1;1my\x1b[0m\n"),
        (b"\x1b[31;42mx\x1b[39my\nz\n", b"\x1b[31;42mx\x1b[39my\x1b[0m\n\x1b[42mz\x1b[0m\n"),
        (b"\x1b[4:3mx\x1b[4:0my\nz\n", b"\x1b[4:3mx\x1b[4:0my\nz\n"),
    ],
)
def test_colors_are_kept_line_by_line(written: bytes, shown: bytes) -> None:
    assert clean(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b]52;c;cm0gLXJm\x07x\n", b"^[]52;c;cm0gLXJmx\n"),
        (b"\x1b]0;never ended\n", b"^[]0;never ended\n"),
        (b"\x1b[12\n", b"^[[12\n"),
        (b"\xc2\x9b2Jx\n", b"\\x9b2Jx\n"),
        (b"\x9b2Jx\n", b"\\x9b2Jx\n"),
        (b"who\x05\n", b"who^E\n"),
        (b"page\x0c\n", b"page^L\n"),
        (b"\x1b\0[2J\n", b"^[\0[2J\n"),
    ],
)
def test_what_has_no_business_here_is_made_visible(written: bytes, shown: bytes) -> None:
    assert clean(written) == shown


def test_bytes_that_are_no_utf8_survive() -> None:
    lines = b"caf\xe9 \xff\xfe \xc3\n"
    assert clean(lines) == lines


def test_a_hyperlink_keeps_its_text() -> None:
    assert clean(b"see \x1b]8;;https://example.org\x07the page\x1b]8;;\x07!\n") == b"see the page!\n"


def test_the_cursor_moved_forward_leaves_blanks() -> None:
    assert clean(b"a\x1b[3Cb\x1b[60G[ ok ]\n") == b"a   b [ ok ]\n"
    assert len(clean(b"\x1b[999999999C\n")) < 1000


def test_a_preview_leaves_out_what_has_not_come_whole() -> None:
    assert Sanitizer().preview(b"go on? \x1b[3") == b"go on? "
    assert Sanitizer().preview("go on? ✓".encode()[:-1]) == b"go on? "
    assert Sanitizer().preview(b"40%\r50%\r") == b"50%"
    assert Sanitizer().preview("✓".encode()) == "✓".encode()


def test_rows_that_are_painted_over_come_once_unless_they_change() -> None:
    block = b"\x1b[3Aone 1\ntwo\nthree 1\n"
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"one 0\ntwo\nthree 0\n") == b"one 0\ntwo\nthree 0\n"
    assert sanitizer.clean(block) == b""  # the rows it replaces are unknown
    assert sanitizer.rest() == b"one 1\ntwo\nthree 1\n"
    assert sanitizer.clean(block) + sanitizer.rest() == b""
    assert sanitizer.clean(block.replace(b"three 1", b"three 2")) + sanitizer.rest() == b"three 2\n"
    assert sanitizer.clean(b"done\ndone\n") == b"done\ndone\n"


def frames(*states: int, begin: str) -> bytes:
    """Two rows, each with a progress bar that is redrawn again and again."""
    return "".join(f"{begin}\r\x1b[2Kone {n}%\n\x1b[2Ktwo {n // 2}%\n" for n in states).encode()


BEGINNINGS = ["\x1b[2A", "\x1b[2F", "\x1b[A\x1b[A", "\x1b[2A\x1b[J", "\x1b[2K\x1b[1A\x1b[2K\x1b[1A"]


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_of_rows_that_are_painted_over_the_last_state_is_shown_before_the_next_line(begin: str) -> None:
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"one 0%\ntwo 0%\n") == b"one 0%\ntwo 0%\n"
    assert sanitizer.clean(frames(*range(1, 100), begin=begin)) == b""
    assert sanitizer.holds
    assert sanitizer.clean(frames(100, begin=begin) + b"done\n") == b""  # which may be a new row of the block
    assert sanitizer.rest() == b"one 100%\ntwo 50%\ndone\n"
    assert not sanitizer.holds
    assert sanitizer.clean(b"more\n") == b"more\n"
    assert sanitizer.rest() == b""


def test_a_row_that_goes_up_behind_others_pushes_them_down() -> None:
    """Ink and vitest write a line that stays over the block, and draw the block again below it."""
    sanitizer = Sanitizer()
    sanitizer.clean(b"testing 0\n")
    assert sanitizer.clean(b"\x1b[1Atesting 1\n") == b""
    assert sanitizer.clean(b"\x1b[1Aa passed\ntesting 2\n") == b""
    assert sanitizer.clean(b"\x1b[1Atesting 3\n") == b"a passed\n"  # above the block: it stays
    assert sanitizer.clean(b"\x1b[1Ab passed\nc passed\ntesting 4\n") == b""
    assert sanitizer.clean(b"\x1b[1Atesting 5\n") == b"b passed\nc passed\n"
    assert sanitizer.rest() == b"testing 5\n"


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_what_only_shows_the_cursor_again_at_the_end_is_no_row_of_a_block(begin: str) -> None:
    sanitizer = Sanitizer()
    sanitizer.clean(b"one 0%\ntwo 0%\n" + frames(1, begin=begin))
    assert sanitizer.last(b"\x1b[?25h\x1b[0m") == b""
    assert sanitizer.rest() == b"one 1%\ntwo 0%\n"


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_a_row_that_reads_the_same_for_long_is_shown_while_others_go_on(begin: str) -> None:
    """BuildKit redraws each step of a build for minutes, including the finished ones."""
    sanitizer = Sanitizer()
    sanitizer.clean(b"one\ntwo\n")
    shown = [sanitizer.clean(f"{begin}\x1b[2Kone done\n\x1b[2Ktwo {n}%\n".encode()) for n in range(100)]
    assert b"".join(shown[:10]) == b""
    assert b"".join(shown) == b"one done\n"
    assert sanitizer.rest() == b"two 99%\n"


def test_a_row_that_the_cursor_leaves_upwards_is_one_of_the_block() -> None:
    """With two bars of tqdm, the lower one does not end its line until all work is done."""
    bars = b"".join(b"\router %d%%\n\rinner %d%%\x1b[A" % (n, n * 7 % 10) for n in range(101))
    assert clean(bars + b"\n\ntrained\n") == b"outer 100%\ninner 0%\ntrained\n"


@pytest.mark.parametrize("wipe", [b"\x1b[2K", b"\x1b[2K\r", b"\r\x1b[K", b"\x1b[1G\x1b[0K"])
def test_a_row_that_is_wiped_out_before_the_cursor_leaves_it_upwards_is_gone(wipe: bytes) -> None:
    """log-update draws a block whose last row has no newline."""
    sanitizer = Sanitizer()
    frame = wipe + b"\x1b[1A\x1b[2Ktitle %d\nrow %d"
    assert sanitizer.clean(b"title 0\n") == b"title 0\n"
    for n in range(1, 4):
        assert sanitizer.clean(b"row %d" % (n - 1) + (frame % (n, n)).partition(b"\n")[0] + b"\n") == b""
        assert sanitizer.rest() == b"title %d\n" % n
    assert sanitizer.clean(b"row 3\n") == b"row 3\n"


def test_colors_that_are_switched_on_in_what_is_wiped_out_stay_on() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"a\n") == b"a\n"
    assert sanitizer.clean(b"\x1b[32mb\x1b[2K\x1b[1Ac\n") + sanitizer.rest() == b"\x1b[32mc\x1b[0m\n"


def test_what_is_wiped_out_while_it_waits_is_not_shown_and_shown_when_it_comes_again() -> None:
    wiped = b"a\n\x1b[1Ab\n\x1b[1A\x1b[2K\x1b[1A"
    assert clean(wiped + b"\n\nc\n").split() == [b"c"]
    assert clean(wiped + b"\nb\nc\n").split() == [b"b", b"c"]


def test_rows_that_never_end_their_lines_are_not_kept_for_ever() -> None:
    sanitizer = Sanitizer()
    shown = b"".join(sanitizer.clean(b"%d\x1b[A\x1b[9B%d\x1b[A\n" % (n, n)) for n in range(1000))
    assert shown.count(b"\n") > 800


def test_what_comes_again_behind_an_erasure_is_shown_again() -> None:
    sanitizer = Sanitizer()
    result = b"\x1b[1A\x1b[J3 passed\n"
    assert [sanitizer.clean(result) + sanitizer.rest() for _ in range(2)] == [b"3 passed\n"] * 2


def test_colors_of_painted_rows_are_kept_by_the_row() -> None:
    assert clean(b"\x1b[2A\x1b[31mone\ntwo\x1b[0m\n") == b"\x1b[31mone\x1b[0m\n\x1b[31mtwo\x1b[0m\n"


@pytest.mark.parametrize(
    ("second", "shown"),
    [
        (b"\x1b[1A\x1b[0m\x1b[1Bworld\n", b"\x1b[32m\x1b[0mworld\n"),
        (b"\x1b[1A\x1b[0mred\x1b[1B\rworld\n", b"\x1b[0mred\x1b[0m\n\x1b[32m\x1b[0mworld\n"),
        (b"\x1b[1A\x1b[31m\x1b[1B\rworld\x1b[0m\n", b"\x1b[32m\x1b[0m\x1b[31mworld\x1b[0m\n"),
        (b"\x1b[1A\x1b[0mred\x1b[1B\x1b[0J\n", b"\x1b[0mred\x1b[0m\n"),
    ],
)
def test_colors_that_are_switched_in_passing_hold_for_what_comes_behind(second: bytes, shown: bytes) -> None:
    stream = Sanitizer()
    assert stream.clean(b"\x1b[32mhello\n") == b"\x1b[32mhello\x1b[0m\n"
    assert stream.clean(second) + stream.rest() == shown
    assert stream.clean(b"more\n") == b"more\n"


def test_colors_of_many_rows_painted_in_passing_do_not_pile_up() -> None:
    stream = Sanitizer()
    stream.clean(b"a\n")
    painted = b"".join(b"\x1b[1A\x1b[2K\r\x1b[32m%d\x1b[0m\r\x1b[1B" % n for n in range(100))
    assert stream.clean(painted + b"done\n") == b"\x1b[32m99\x1b[0m\x1b[0m\ndone\n"


def test_a_row_that_comes_back_to_what_the_log_says_is_not_shown_again() -> None:
    stream = Sanitizer()
    assert stream.clean(b"x 0%\n") + stream.clean(b"\x1b[1Ax 1%\n") + stream.rest() == b"x 0%\nx 1%\n"
    assert stream.clean(b"\x1b[1Ax 2%\n") == b""
    assert stream.holds
    assert stream.clean(b"\x1b[1Ax 1%\n") == b""
    assert not stream.holds
    assert stream.clean(b"\x1b[1Ax 0%\n") + stream.rest() == b"x 0%\n"


@pytest.mark.parametrize(
    ("painted", "shown"),
    [
        (b"\x1b[2Aa 1\nb 1\n\x1b[2Aa\nb 2\n", b"b 2\n"),
        (b"\x1b[2Aa 1\nb 1\n\x1b[3Atop\na\nb 2\n", b"top\nb 2\n"),  # an earlier row appears above
        (b"\x1b[1Ac\n\x1b[1Ab\x1b[1A\n\nd\n", b"d\n"),  # a bare newline keeps it
        (b"\x1b[1Ac\n\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[Ga\nb\n", b""),  # erased while it was held back
        (b"\x1b[1Ac\n\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[Ga\nc\n", b"c\n"),
        (b"\x1b[1Ac\n\x1b[1A\x1b[J\x1b[Gb\n", b""),
    ],
)
def test_what_rows_come_back_to_is_what_the_log_says_in_their_place(painted: bytes, shown: bytes) -> None:
    stream = Sanitizer()
    assert stream.clean(b"\x1b[2Aa\nb\n") + stream.rest() == b"a\nb\n"
    assert stream.clean(painted) + stream.rest() == shown


@pytest.mark.parametrize("up", [b"", b"\x1b[100A"])
def test_long_rows_are_not_kept_as_they_are(up: bytes) -> None:
    stream = Sanitizer()
    stream.clean(b"\x1b[100A" + b"\n" * 100)
    stream.rest()
    rows = [b"%d" % row * 30_000 + b"\n" for row in range(10, 110)]
    shown = 0
    tracemalloc.start()
    for row in rows:
        shown += len(stream.clean(up + row))
        up = b""
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
    assert shown + len(stream.rest()) == len(b"".join(rows))
    assert stream.clean(b"\x1b[100A" + b"".join(rows)) + stream.rest() == b""
    rows[7] = b"x" + rows[7][1:]
    assert stream.clean(b"\x1b[100A" + b"".join(rows)) + stream.rest() == rows[7]


def test_of_one_sequence_only_as_many_parameters_count_as_a_terminal_takes() -> None:
    """Thousands of them would cost time without any effect."""
    assert advance(b"", [b"\x1b[" + b"1;" * 30 + b"31m"]) == b"\x1b[1;31m"
    assert advance(b"", [b"\x1b[" + b"1;" * 40 + b"31m"]) == b"\x1b[1m"


def test_all_that_can_be_on_at_once_stays_on() -> None:
    switches = b"1;2;3;4:3;5;7;8;9;12;51;53;73;38;2;1;2;3;48;2;4;5;6;58;2;7;8;9"
    sgr = advance(b"", [b"\x1b[%bm" % switches])
    assert sgr == b"\x1b[%bm" % switches
    assert advance(sgr, [b"\x1b[9m"]) == sgr


def test_thousands_of_colors_in_a_line_are_not_kept() -> None:
    tracemalloc.start()
    for number in range(20):
        color = b"\x1b[38;5;%dm" % number
        assert advance(b"", [color] * 5000) == color
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000


def test_rows_are_forgotten_when_the_screen_is_cleared() -> None:
    sanitizer = Sanitizer()
    for shown in (b"", b"a\nb\n"):
        assert sanitizer.clean(b"\x1b[2J\x1b[1Aa\nb\n") == shown
    assert sanitizer.clean(b"\x1b[2Ac\n\x1b[2J\x1b[1Aa\nb\n") == b"c\nb\n"
    assert sanitizer.rest() == b"a\nb\n"


def pull(*updates: tuple[int, str]) -> bytes:
    """`docker pull` writes for each layer: rows up, erase, text, return, rows down; and no newline."""
    return b"".join(f"\x1b[{up}A\x1b[2K\r{text}\r\x1b[{up}B".encode() for up, text in updates)


def test_of_rows_that_are_painted_over_in_passing_the_last_state_stays() -> None:
    stream = Sanitizer()
    assert stream.clean(b"a: Pulling\nb: Pulling\n") == b"a: Pulling\nb: Pulling\n"
    progress = pull(
        (2, "a: 1 MB"), (1, "b: 1 MB"), (2, "a: 2 MB"), (1, "b: 2 MB"), (2, "a: \x1b[32mdone\x1b[39m"), (1, "b: done")
    )
    assert stream.clean(progress + b"Status: new\n") == b"a: \x1b[32mdone\x1b[39m\x1b[0m\nb: done\nStatus: new\n"
    assert stream.clean(pull((3, "a: \x1b[32mdone\x1b[39m")) + b"over\n") == b"over\n"
    assert stream.clean(pull((4, "higher"), (1, "lower")) + b"over\n") == b"higher\nlower\nover\n"


def test_a_pull_that_is_longer_than_a_line_may_be_is_shown_as_a_short_one_is() -> None:
    """It is cut where a row starts again."""
    progress = [(layer, f"{layer}: {percent}%") for percent in range(101) for layer in (3, 2, 1)]
    buffer, stream = LineBuffer(cap=200), Sanitizer()
    shown = stream.clean(b"a\nb\nc\n")
    for update in progress:
        lines = buffer.feed(pull(update))
        shown += stream.clean(lines) if lines else b""
    assert shown == b"a\nb\nc\n"
    assert stream.clean(buffer.feed(b"Status: new\n")) == b"3: 100%\n2: 100%\n1: 100%\nStatus: new\n"


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["a", "b", "\x1b[31mc", ""])), max_size=12), st.data())
def test_a_line_that_stays_in_its_row_is_none(updates: list[tuple[int, str]], data: st.DataObject) -> None:
    """Wherever the output is cut, the same rows are shown."""
    painted = pull(*updates) + b"end\n"
    returns = [at for at, byte in enumerate(painted) if byte == CR]
    cuts = sorted(data.draw(st.sets(st.sampled_from(returns)))) if returns else []
    pieces = [painted[a:b] for a, b in zip([0, *cuts], [*cuts, len(painted)], strict=True)]
    whole, cut = Sanitizer(), Sanitizer()
    for stream in (whole, cut):
        stream.clean(b"1\n2\n\x1b[2A1\n2\n")
    shown = b"".join(cut.clean(piece + STAYS) for piece in pieces[:-1] if piece) + cut.clean(pieces[-1])
    assert without_color(shown) == without_color(whole.clean(painted))


def test_a_new_row_below_painted_ones_is_no_blank_line() -> None:
    """`docker pull` ends a line per layer, moves up, and fills the rows."""
    buffer, stream = LineBuffer(), Sanitizer()
    shown = b""
    for layer in ("a", "b", "c"):
        shown += stream.clean(buffer.feed(b"\n" + pull((1, f"{layer}: 1 MB"))) + buffer.leave_rows())
    assert shown + stream.rest() == b"a: 1 MB\nb: 1 MB\nc: 1 MB\n"


def test_a_cursor_that_only_passes_leaves_the_row_as_it_is() -> None:
    stream = Sanitizer()
    assert stream.clean(b"a\nb\n") == b"a\nb\n"
    assert stream.clean(b"\x1b[2A\n\x1b[B\x1b[A\n") == b""
    assert stream.rest() == b""
    assert stream.clean(b"c\n") == b"c\n"


def test_an_unfinished_line_shows_what_was_painted_last() -> None:
    stream = Sanitizer()
    assert stream.preview(pull((2, "a: 1 MB"), (1, "b: 1 MB"))) == b"b: 1 MB"


@pytest.mark.parametrize("erase", [b"\x1b[2J", b"\x1b[H", b"\x1b[1B\x1b[J"])
def test_what_was_painted_in_passing_survives_a_cleared_screen(erase: bytes) -> None:
    lines = b"\x1b[2Aone\r\x1b[1Btwo\r\x1b[1B" + erase + b"three\n"
    assert Sanitizer().clean(lines) == b"one\ntwo\nthree\n"


def test_a_row_that_goes_up_at_its_end_leaves_no_blank_line() -> None:
    assert clean(b"\x1b[Aplain\x1b[A\n") == b"plain\n"


@pytest.mark.parametrize(
    ("parameters", "blanks"),
    [
        (b"", 1),
        (b"0", 1),
        (b"7", 7),
        (b"0007", 7),
        (b"201", 200),
        (b"9" * 5000, 200),
        (b"0" * 5000 + b"3", 3),
        (b";", 1),
    ],
)
def test_the_cursor_goes_no_farther_than_a_line_may_be_wide(parameters: bytes, blanks: int) -> None:
    assert Sanitizer().clean(b"a\x1b[" + parameters + b"Cb\n") == b"a" + b" " * blanks + b"b\n"


@pytest.mark.parametrize("final", [bytes([code]) for code in range(0x40, 0x7F)])
def test_no_number_is_too_long(final: bytes) -> None:
    for parameters in (b"9" * 5000, b"1;" * 3000 + b"1", b":" * 5000, b"38;5;" + b"9" * 5000):
        assert Sanitizer().clean(b"\x1b[" + parameters + final + b"end\n").rstrip(b"\n\x1b[0m").endswith(b"end")


def test_a_log_behind_a_block_that_shrank_waits_only_once() -> None:
    """Its lines overwrite rows of the block, but the redrawing is over."""
    sanitizer = Sanitizer()
    assert sanitizer.clean(b"a\nb\nc\n") == b"a\nb\nc\n"
    assert sanitizer.clean(b"\x1b[3Aready\n") == b""
    assert sanitizer.rest() == b"ready\n"
    assert sanitizer.clean(b"one\n") == b"one\n"
    assert not sanitizer.holds
    assert sanitizer.clean(b"\x1b[1Apainted\n") == b""
    assert sanitizer.holds


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\rspin 19\n\x1b[1A\x1b[2Kend\n", b"end\n"),
        (b"before\nspin 19\n\x1b[1A\x1b[2Kend\nmore\n", b"before\nend\nmore\n"),
        (b"a 0%\nb 0%\n\x1b[2Aa 1%\nb 1%\n", b"a 1%\nb 1%\n"),
        (b"title\n\n\x1b[1A\x1b[2K\rlayer: waiting\r\x1b[1B", b"title\nlayer: waiting\n"),
    ],
)
def test_a_row_that_the_cursor_goes_back_to_at_once_was_never_the_last_state(written: bytes, shown: bytes) -> None:
    at_once = Sanitizer()
    if not written.endswith(b"\n"):
        lines, _, tail = written.rpartition(b"\n")
        at_once.look_ahead(tail)
        out = at_once.clean(lines + b"\n") + at_once.last(tail)
    else:
        out = at_once.clean(written)
    assert out + at_once.rest() == shown


def test_what_is_foreseen_concerns_the_next_lines_alone() -> None:
    sanitizer = Sanitizer()
    sanitizer.look_ahead(b"\x1b[1A")
    assert sanitizer.clean(b"a\nb\n") == b"a\n"
    assert sanitizer.rest() == b"b\n"
    assert sanitizer.clean(b"c\n") == b"c\n"


def test_while_a_color_is_on_no_chunk_is_plain() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.is_plain(b"", b"plain\n")
    sanitizer.clean(b"\x1b[31mred\n")
    assert not sanitizer.is_plain(b"", b"plain\n")
    assert sanitizer.preview(b"half") == b"\x1b[31mhalf\x1b[0m"


@pytest.mark.parametrize("before", [b"50%\r", b"\x1b[1m", b"\xe2\x82"])
def test_a_chunk_is_not_plain_if_its_line_began_otherwise(before: bytes) -> None:
    assert not Sanitizer().is_plain(before, b"plain\n")
