"""A lent terminal: the rows of the process stay whole, whatever is printed above them."""

from __future__ import annotations

import os

import pyte
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from procman.output.outlet import LARGE_CHUNK, Outlet
from procman.output.screen.emulator import Emulator
from procman.output.screen.footer import REPAINT_INTERVAL, Footer
from procman.output.screen.grid import MAX_ROWS
from procman.output.screen.passthrough import (
    KEEP_TITLE,
    MAX_KEPT,
    POSITIONING_TIME,
    RESTORE_TITLE,
    TO_BOTTOM,
    Passthrough,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS, COLUMNS = 24, 20


class Screen:
    """A passthrough, and the terminal that it writes to."""

    def __init__(self, *, status: bool = False, lent: bool = True) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.now = 0.0
        self.out = b""
        self.outlet = Outlet(writer)
        self.passthrough = Passthrough(self.outlet, size=(COLUMNS, 24), clock=lambda: self.now)
        self.said: list[str] = []
        self.passthrough.announce = self.said.append
        self.terminal = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.terminal)
        if status:
            self.passthrough.show(lambda _columns: b"status")
        if lent:
            self.passthrough.lend()

    def turn(self, seconds: float = 0.0) -> list[str]:
        """End a turn of the loop and return what is visible then, without blanks."""
        self.now += seconds
        self.outlet.flush()
        try:
            fresh = os.read(self.reader, 1 << 20)
        except BlockingIOError:
            fresh = b""
        self.out += fresh
        self._stream.feed(fresh)
        rows = [row.rstrip() for row in self.terminal.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def cursor(self) -> tuple[int, int]:
        return self.terminal.cursor.y, self.terminal.cursor.x


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_others_are_shown_above_the_unfinished_line(screen: Screen) -> None:
    screen.passthrough.on_output(b"one\r\n> ha\x1b[1mlf")
    screen.passthrough.put(b"other\n")
    assert screen.turn() == ["one", "other", "> half"]
    assert screen.cursor == (2, 6)
    screen.passthrough.on_output(b"!")
    assert screen.turn() == ["one", "other", "> half!"]
    assert screen.terminal.buffer[2][6].bold


def test_the_cursor_in_the_middle_stays_there(screen: Screen) -> None:
    screen.passthrough.on_output(b"> half\b\b")
    screen.passthrough.put(b"other\n")
    screen.turn()
    screen.passthrough.on_output(b"X")
    assert screen.turn() == ["other", "> haXf"]


def test_a_line_that_fills_its_row_goes_on_in_the_next(screen: Screen) -> None:
    screen.passthrough.on_output(b"x" * COLUMNS)
    screen.passthrough.put(b"other\n")
    screen.turn()
    screen.passthrough.on_output(b"yz")
    assert screen.turn() == ["other", "x" * COLUMNS, "yz"]
    screen.passthrough.put(b"more\n")
    assert screen.turn() == ["other", "more", "x" * COLUMNS, "yz"]


def test_an_editor_that_goes_up_a_wrapped_line_is_followed(screen: Screen) -> None:
    screen.passthrough.on_output(b"a" * 30 + b"\x1b[A\r")
    screen.passthrough.put(b"other\n")
    screen.turn()
    assert screen.cursor == (1, 0)
    screen.passthrough.on_output(b"\x1b[1@b\r\n")
    screen.passthrough.put(b"more\n")
    assert screen.turn() == ["other", "more", "b" + "a" * 19, "a" * 10]


def test_rows_that_are_painted_again_and_again_stay_together(screen: Screen) -> None:
    block = b"%d of 9\x1b[K\r\n%d of 9\x1b[K\r\n"
    screen.passthrough.on_output(block % (1, 1))
    screen.passthrough.on_output(b"\x1b[2A" + block % (2, 1))
    screen.passthrough.put(b"other\n")
    screen.turn()
    screen.passthrough.on_output(b"\x1b[2A" + block % (3, 2))
    assert screen.turn() == ["other", "3 of 9", "2 of 9"]


def test_an_editor_of_several_lines_keeps_them_together(screen: Screen) -> None:
    screen.passthrough.on_output(b"done\r\n\x1b[?2004h> def f():\r\n. a")
    screen.passthrough.put(b"other\n")
    screen.passthrough.on_output(b"\r\n. b")
    screen.passthrough.put(b"more\n")
    assert screen.turn() == ["done", "other", "more", "> def f():", ". a", ". b"]
    screen.passthrough.on_output(b"\x1b[2A\rX\x1b[2B\r\n\x1b[?2004l")
    screen.passthrough.put(b"last\n")
    assert screen.turn() == ["done", "other", "more", "X def f():", ". a", ". b", "last"]


def test_who_edits_for_ever_does_not_take_the_whole_screen(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?2004h" + b"".join(b"%d\r\n" % number for number in range(90)))
    screen.passthrough.put(b"other\n")
    assert "other" in screen.turn()


def test_who_goes_up_and_down_again_takes_no_row_of_others(screen: Screen) -> None:
    """As the REPL of Python 3.13 does before its first prompt."""
    screen.passthrough.put(b"other\n")
    screen.passthrough.on_output(b"\x1b[A\n\r> ")
    screen.passthrough.put(b"more\n")
    assert screen.turn() == ["other", "more", ">"]


def test_wide_characters_keep_their_columns(screen: Screen) -> None:
    screen.passthrough.on_output("日本語 e\u0301".encode())
    screen.passthrough.put(b"other\n")
    screen.turn()
    assert screen.cursor == (1, 8)


def test_while_it_has_the_whole_screen_others_wait(screen: Screen) -> None:
    screen.passthrough.on_output(b"$ vi\r\n\x1b[?1049h\x1b[Hfull")
    screen.passthrough.put(b"other\n")
    screen.turn(10.0)
    assert b"other" not in screen.out
    screen.passthrough.on_output(b"\x1b[?1049l$ ")
    screen.turn()
    assert b"other\r\n" in screen.out


def test_what_finds_no_place_is_dropped_and_told(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?1049h")
    line = b"x" * 99 + b"\n"
    for _ in range(MAX_KEPT // len(line) + 7):
        screen.passthrough.put(line)
    screen.passthrough.on_output(b"\x1b[?1049l")
    screen.turn()
    assert screen.said == ["7 lines were not shown; see `procman logs`"]


def test_who_places_the_cursor_has_the_screen_for_a_while(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[H\x1b[2Jtop\x1b[5;1Hrows")
    screen.passthrough.put(b"other\n")
    screen.turn()
    assert b"other" not in screen.out
    assert screen.passthrough.next_repaint == POSITIONING_TIME
    screen.turn(POSITIONING_TIME)
    assert b"other" in screen.out


def test_a_cleared_screen_is_no_reason_to_wait(screen: Screen) -> None:
    screen.passthrough.on_output(b"line\r\n\x1b[H\x1b[2J> half")
    screen.passthrough.put(b"other\n")
    assert screen.turn() == ["other", "> half"]


def test_the_status_line_comes_below_and_goes() -> None:
    screen = Screen(status=True)
    screen.passthrough.on_output(b"> half")
    assert screen.turn() == ["> half"]
    screen.passthrough.show_own_rows(True)
    assert screen.turn(1.0) == ["> half", "status"]
    assert screen.cursor == (0, 6)
    screen.passthrough.on_output(b"\r\nout\r\n> ")
    assert screen.turn(1.0) == ["> half", "out", ">", "status"]
    screen.passthrough.show_own_rows(False)
    assert screen.turn() == ["> half", "out", ">"]
    assert screen.cursor == (2, 2)
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_the_terminal_comes_back_with_its_usual_modes(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?25l\x1b[?2004h\x1b[?1h\x1b[?7h\x1b=text")
    screen.passthrough.take_back()
    screen.turn()
    assert screen.out.endswith(b"\x1b[?25h\x1b[?2004l\x1b[?1l\x1b>\x1b[0m\r\n")
    screen.passthrough.put(b"ours\n")
    assert screen.turn()[:1] == ["text"]


@pytest.mark.parametrize(
    ("asked", "undone", "redone"),
    [
        (b"\x1b[>1u\x1b[>5u", b"\x1b[<2u", b"\x1b[>1u\x1b[>5u"),
        (b"\x1b[>1u\x1b[<u", b"", b""),
        (b"\x1b[>1u\x1b[<9u\x1b[?u", b"", b""),
        (b"\x1b[=1u\x1b[=4;2u\x1b[=1;3u", b"\x1b[=0u", b"\x1b[=4u"),
        (b"\x1b[>1u\x1b[=2u\x1b[>3u\x1b[<1u", b"\x1b[<1u", b"\x1b[>2u"),
        (b"\x1b[>4;2m", b"\x1b[>4m", b"\x1b[>4;2m"),
        (b"\x1b[>4;2m\x1b[>4m", b"", b""),
        (b"\x1b[>4;1m\x1b[>4n", b"", b""),
        (b"\x1b[>1u\x1b[>4;2m\x1bc", b"", b""),
        (b"\x1b[?1049h\x1b[>1u", b"\x1b[<1u\x1b[?1049l", b"\x1b[?1049h\x1b[>1u"),
        (b"\x1b[>8u\x1b[?1049h", b"\x1b[?1049l\x1b[<1u", b"\x1b[>8u\x1b[?1049h"),
        (b"\x1b[>1u\x1b[31m" + b"line\r\n" * 1000, b"\x1b[<1u", b"\x1b[>1u"),
        (b"\x1b[?1049h\x1b[>1u" + b"line\r\n" * 1000, b"\x1b[<1u\x1b[?1049l", b"\x1b[?1049h\x1b[>1u"),
    ],
)
def test_the_keyboard_is_the_usual_one_while_we_have_it(asked: bytes, undone: bytes, redone: bytes) -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(asked)
    assert (emulator.undo(), emulator.redo()) == (undone, redone)
    assert not any(map(any, emulator.rows))


def test_who_asks_for_keyboards_without_end_is_forgotten_in_time() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"".join(b"\x1b[>%du\x1b[>4;%dm" % (number, number) for number in range(10_000)))
    assert len(emulator.redo()) < 200


def test_a_flood_is_not_followed_letter_by_letter_and_its_end_is_known() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"\x1b[31mline\x1b[?2004h\r\n" * 10000 + b"> end")
    assert emulator.sgr == b"\x1b[31m"
    assert emulator.modes == {b"2004": True}
    assert (len(emulator.rows), emulator.column) == (1, 5)


@pytest.mark.parametrize("endless", [b"\x1b[99A", b"\x1bM", b"\n\x1b[9L", "\u0301".encode()])
def test_whatever_it_says_its_model_stays_small(endless: bytes) -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"a" + endless * 1000)
    assert len(emulator.rows) <= MAX_ROWS
    assert len(emulator.picture()) < 1000
    assert emulator.rows[emulator.row] is not None


def test_modes_that_no_terminal_has_are_not_remembered() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"".join(b"\x1b[?%d;2004h" % number for number in range(10_000, 20_000)))
    assert list(emulator.modes) == [b"2004"]


_TEXTS = (b"a", b"bc", b"\r", b"\b", b"\t", b"\r\n", b"x" * 17, b"y" * 20, "é".encode(), b"\x07", b"\x1b]0;title\x07")
_SEQUENCES = (
    b"K",
    b"1K",
    b"2K",
    b"J",
    b"A",
    b"B",
    b"2C",
    b"3D",
    b"5G",
    b"2P",
    b"2@",
    b"3X",
    b"1m",
    b"31m",
    b"m",
    b"?25l",
)
_PIECES = st.sampled_from([*_TEXTS, *(b"\x1b[" + rest for rest in _SEQUENCES)])


@given(st.lists(_PIECES, max_size=40))
@example([b"bc", b"x" * 17, b"\r", b"\x1b[2@", b"\x1b[2P"])
def test_its_picture_is_what_a_terminal_shows(pieces: list[bytes]) -> None:
    """If the process starts on the lowest rows of a screen, and never moves above its first row."""
    emulator = Emulator(COLUMNS)
    real, again = pyte.Screen(COLUMNS, 200), pyte.Screen(COLUMNS, 200)
    stream = pyte.ByteStream(real)
    for piece in pieces:
        moves = piece[:2] == b"\x1b[" and piece[-1:] not in b"mhl"
        if moves and (emulator.column >= COLUMNS or (piece == b"\x1b[A" and emulator.row == 0)):
            continue  # terminals differ there, or it is above the first row
        stream.feed(piece)
        for row in real.buffer.values():  # pyte keeps cells that an insertion pushes out, and deletions bring them back
            for column in [column for column in row if column >= COLUMNS]:
                del row[column]
        emulator.feed(piece)
    emulator.top = 0
    pyte.ByteStream(again).feed(emulator.picture())
    assert [row.rstrip() for row in again.display] == [row.rstrip() for row in real.display]
    assert (again.cursor.y, again.cursor.x) == (real.cursor.y, real.cursor.x)


@given(st.lists(_PIECES, max_size=20), st.data())
def test_where_chunks_are_cut_makes_no_difference(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"".join(pieces) + "日".encode()
    cut = data.draw(st.integers(0, len(text)))
    whole, parts = Emulator(COLUMNS), Emulator(COLUMNS)
    whole.feed(text)
    parts.feed(text[:cut])
    parts.feed(text[cut:])
    assert (whole.rows, whole.row, whole.column, whole.sgr) == (parts.rows, parts.row, parts.column, parts.sgr)


@pytest.mark.parametrize(("enter", "leave"), [(b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[3;1H", b"\x1b[999B")])
def test_who_has_the_whole_screen_waits_while_we_show_own_rows(enter: bytes, leave: bytes) -> None:
    screen = Screen(status=True)
    screen.passthrough.on_output(enter + b"full")
    screen.passthrough.put(b"other\n")
    screen.passthrough.show_own_rows(True)
    screen.passthrough.on_output(b"unseen")
    assert screen.turn(1.0)[-1] == "status"
    assert b"unseen" not in screen.out
    assert screen.out.index(leave) < screen.out.index(b"other")
    assert screen.passthrough.show_own_rows(False)
    screen.turn(1.0)
    screen.passthrough.on_output(b"seen")
    screen.turn()
    assert screen.out.endswith(b"seen")
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_a_wide_character_that_does_not_fit_begins_the_next_row() -> None:
    emulator = Emulator(COLUMNS)
    emulator.feed(b"y" * (COLUMNS - 1) + "日".encode())
    assert (len(emulator.rows[0]), emulator.row, emulator.column) == (COLUMNS - 1, 1, 2)


def test_kept_output_is_shown_before_what_the_process_writes_next(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?1049h")
    screen.passthrough.put(b"other\n")
    screen.passthrough.on_output(b"\x1b[?1049l")
    screen.passthrough.on_output(b"next")
    screen.turn()
    assert screen.out.index(b"other") < screen.out.index(b"next")


def test_kept_output_is_shown_with_our_own_rows() -> None:
    screen = Screen(status=True)
    screen.passthrough.on_output(b"\x1b[?1049h\x1b[Hfull")
    screen.passthrough.put(b"other\n")
    screen.turn(1.0)
    assert b"other" not in screen.out
    screen.passthrough.show_own_rows(True)
    screen.turn(1.0)
    assert screen.out.index(b"other") < screen.out.index(b"status")
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_a_terminal_that_is_not_lent_has_our_rows_at_the_bottom() -> None:
    screen = Screen(status=True)
    screen.passthrough.take_back()
    screen.passthrough.put(b"other\n")
    assert screen.passthrough.next_repaint is not None
    assert [row.strip() for row in screen.turn(1.0)] == ["other", "status"]
    screen.passthrough.flush()
    assert os.read(screen.reader, 1000).startswith(b"\r\x1b[J")  # gone, before the terminal's settings change
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_our_own_rows_are_erased_before_they_are_drawn_for_another_size() -> None:
    screen = Screen(status=True)
    screen.passthrough.on_output(b"> half")
    screen.passthrough.show_own_rows(True)
    screen.turn(1.0)
    written = len(screen.out)
    screen.passthrough.resized()
    screen.outlet.flush()
    screen.turn()
    assert screen.out[written:].startswith(b"\x1b[0m\r\x1b[J")
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_rows_that_made_way_for_a_flood_come_back_with_the_next_repaint(screen: Screen) -> None:
    screen.passthrough.on_output(b"> half")
    screen.passthrough.put(b"other\n")
    assert screen.turn() == ["other", "> half"]
    screen.passthrough.put(b"x\n" * 10_000)
    assert "> half" not in screen.turn()
    assert screen.passthrough.next_repaint == pytest.approx(REPAINT_INTERVAL)
    assert "> half" not in screen.turn(REPAINT_INTERVAL / 2)
    assert screen.turn(REPAINT_INTERVAL)[-1] == "> half"


def test_who_gets_the_terminal_again_has_to_claim_the_screen_again(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[H\x1b[2Jtop\x1b[5;1Hrows")
    screen.passthrough.take_back()
    screen.passthrough.lend()
    screen.passthrough.put(b"other\n")
    screen.turn()
    assert b"other\r\n" in screen.out


def test_lost_lines_are_reported_once(screen: Screen) -> None:
    lines = b"x" * MAX_KEPT + b"\n\n"
    for _ in range(2):
        screen.passthrough.on_output(b"\x1b[?1049h")
        screen.passthrough.put(lines)
        screen.passthrough.put(b"kept\n")
        screen.passthrough.on_output(b"\x1b[?1049l")
        screen.turn()
    assert screen.said == ["1 line was not shown; see `procman logs`"] * 2


@pytest.mark.parametrize("size", [MAX_KEPT + 1, 2 * MAX_KEPT + 7])
def test_of_a_chunk_that_is_too_large_the_last_lines_are_kept(screen: Screen, size: int) -> None:
    lines = b"".join(b"%09d\n" % number for number in range(size // 10 + 1))
    screen.passthrough.on_output(b"\x1b[?1049h")
    screen.passthrough.put(lines)
    screen.passthrough.on_output(b"\x1b[?1049l")
    screen.turn()
    lost = len(lines) // 10 - MAX_KEPT // 10
    assert screen.said == [f"{lost} line{'s were' if lost > 1 else ' was'} not shown; see `procman logs`"]
    assert b"%09d\r\n" % lost in screen.out
    assert b"%09d\r\n" % (lost - 1) not in screen.out


def test_that_a_line_was_not_shown_is_reported_when_the_screen_is_free(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?1049h")
    screen.passthrough.put(b"x" * (MAX_KEPT + 1) + b"\n")
    screen.passthrough.on_output(b"\x1b[?1049l")
    assert screen.said == ["1 line was not shown; see `procman logs`"]


def test_the_rows_of_the_process_wrap_at_the_new_width(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: (10, ROWS))
    screen.passthrough.resized()
    screen.passthrough.on_output(b"x" * 15)
    assert screen.passthrough._emulator.up == 1


@pytest.fixture
def own() -> Iterator[Screen]:
    """Return a screen with a status line that is not lent yet."""
    screen = Screen(status=True, lent=False)
    yield screen
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_who_has_the_terminal_is_known(own: Screen) -> None:
    passthrough = own.passthrough
    assert (passthrough.lent, passthrough.is_painted_by_it) == (False, False)
    passthrough.lend()
    assert (passthrough.lent, passthrough.is_painted_by_it) == (True, False)
    passthrough.on_output(b"\x1b[?1049h")
    assert passthrough.is_painted_by_it
    passthrough.show_own_rows(True)
    assert not passthrough.is_painted_by_it
    passthrough.take_back()
    assert not passthrough.lent


def test_what_is_not_lent_cannot_be_taken_back(own: Screen) -> None:
    own.passthrough.take_back()
    assert not own.passthrough.show_own_rows(True)
    own.passthrough.on_output(b"unseen")
    assert own.turn() == ["status"]
    assert own.passthrough.next_repaint is None
    assert own.out.count(b"status") == 1
    assert b"\r\n" not in own.out
    own.passthrough.begin()
    own.passthrough.lend()
    assert own.turn(1.0) == []


def test_the_process_gets_an_empty_bottom_and_the_line_it_has_begun(own: Screen) -> None:
    assert own.turn() == ["status"]
    own.passthrough.on_output(b"\x1b[?1hdone\r\n> half")
    own.passthrough.put(b"before\r\n")
    own.passthrough.lend()
    assert own.turn() == ["before", "> half"]
    assert own.cursor == (1, 6)
    assert own.out.endswith(b"\x1b[?1h")
    own.passthrough.put(b"other\n")
    assert own.turn() == ["before", "other", "> half"]


def test_a_new_child_has_begun_no_line(own: Screen) -> None:
    own.passthrough.on_output(b"> half")
    own.passthrough.begin()
    own.passthrough.lend()
    assert own.turn() == []


def test_what_was_printed_before_does_not_delay_its_rows(own: Screen) -> None:
    own.turn()
    own.passthrough.put(b"x" * 5000 + b"\r\n")
    own.passthrough.lend()
    own.passthrough.on_output(b"> half")
    own.passthrough.put(b"other\n")
    assert own.turn()[-2:] == ["other", "> half"]


def test_rows_that_made_way_are_drawn_once_more_before_the_terminal_is_taken_back(screen: Screen) -> None:
    screen.passthrough.on_output(b"> half")
    screen.passthrough.put(b"other\n")
    screen.passthrough.take_back()
    screen.passthrough.put(b"ours\r\n")
    assert screen.turn(1.0) == ["other", "> half", "ours"]


def test_our_own_text_comes_below_all_rows_of_the_process(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?2004ha\r\nb\r\nc\x1b[2A")
    screen.passthrough.take_back()
    screen.passthrough.put(b"ours\r\n")
    assert screen.turn(1.0) == ["a", "b", "c", "ours"]


def test_a_process_that_has_written_nothing_leaves_no_empty_row(screen: Screen) -> None:
    screen.passthrough.on_output(b"done\r\n")
    screen.passthrough.take_back()
    screen.passthrough.put(b"ours\r\n")
    assert screen.turn(1.0) == ["done", "ours"]


def test_our_own_text_comes_below_a_screen_with_positions(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[5;1Hrows")
    screen.passthrough.take_back()
    assert "rows" in screen.turn()
    assert b"\x1b[999B" in screen.out
    screen.passthrough.lend()
    screen.passthrough.put(b"other\n")
    assert "other" in screen.turn(1.0)  # the process does not own the screen any more


def test_what_was_kept_is_shown_when_the_terminal_is_taken_back(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?2004h> def f():\r\n. a\x1b[?1049hfull")
    screen.passthrough.put(b"other\n")
    assert b"other" not in screen.out
    screen.passthrough.take_back()
    screen.turn()
    after = screen.out[screen.out.index(b"\x1b[?1049l") :]
    assert after.endswith(b"\r\nother\r\n")
    assert b"\x1b[J" not in after
    assert not screen.passthrough.lent


def test_a_plain_footer_hands_over_its_rows_and_its_place() -> None:
    now = [0.0]
    outlet = Outlet(1)
    footer = Footer(outlet, (COLUMNS, ROWS), lambda: now[0])
    footer.hold(("ask.1", "stdout"), b"yes? ")
    footer.show(lambda _columns: b"status")
    passthrough = Passthrough.in_place_of(footer)
    assert outlet.footer is passthrough
    assert passthrough.held == (("ask.1", "stdout"),)
    assert passthrough.columns == COLUMNS
    assert passthrough._rows() == [b"yes? ", b"status"]
    assert not passthrough.lent


def test_without_a_status_line_of_its_own_ours_is_shown_only_while_the_terminal_is_lent() -> None:
    passthrough = Passthrough(Outlet(1), False, (COLUMNS, ROWS))
    passthrough.hold(("ask.1", "stdout"), b"yes? ")
    assert passthrough._rows() == [b"yes? "]
    passthrough.show(lambda _columns: b"status")
    assert passthrough._rows() == [b"yes? "]
    passthrough._lent = True
    assert passthrough._rows() == [b"yes? ", b"status"]


def test_a_process_that_writes_much_does_not_have_its_rows_drawn_for_every_line_of_others(screen: Screen) -> None:
    screen.passthrough.on_output(b"> half")
    screen.passthrough.put(b"other\n")
    assert screen.turn() == ["other", "> half"]
    screen.passthrough.on_output(b"\x1b[31m\x1b[0m" * 600)
    screen.passthrough.put(b"more\n")
    assert screen.turn() == ["other", "more"]
    assert screen.turn(REPAINT_INTERVAL) == ["other", "more", "> half"]
    assert screen.passthrough.next_repaint is None


def test_the_screen_is_owned_from_the_last_position_on_and_not_from_the_last_output(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[5;1Hrows")
    screen.turn(3.0)
    screen.passthrough.on_output(b"more")
    screen.passthrough.put(b"other\n")
    assert screen.passthrough.next_repaint == POSITIONING_TIME
    screen.passthrough.on_output(b"\x1b[6;1H")
    assert screen.passthrough.next_repaint == 3.0 + POSITIONING_TIME


def test_positions_that_were_not_shown_own_no_screen(own: Screen) -> None:
    own.passthrough.on_output(b"\x1b[5;1Hunseen")
    own.passthrough.begin()
    own.passthrough.on_output(b"\x1b[5;1Hunseen")
    own.passthrough.lend()
    own.passthrough.on_output(b"\r\n")
    own.passthrough.put(b"other\n")
    own.turn()
    assert b"other\r\n" in own.out


def test_a_process_that_takes_the_whole_screen_waits_while_our_own_rows_are_shown(own: Screen) -> None:
    own.passthrough.lend()
    own.passthrough.on_output(b"\x1b[?1h$ vi")
    assert not own.passthrough.show_own_rows(True)
    own.passthrough.on_output(b"\r\n\x1b[?1049h")
    own.passthrough.on_output(b"unseen")
    own.passthrough.put(b"other\n")
    assert own.turn(1.0) == ["$ vi", "other", "", "status"]
    assert b"unseen" not in own.out
    written = len(own.out)
    assert not own.passthrough.show_own_rows(True)  # they are shown already
    own.turn()
    assert len(own.out) == written
    assert own.passthrough.show_own_rows(False)  # it has to draw its screen again
    own.turn()
    assert own.out.endswith(b"\x1b[?1h\x1b[?1049h")
    assert not own.passthrough.show_own_rows(False)


def test_a_process_that_leaves_the_whole_screen_by_itself_is_shown_again(own: Screen) -> None:
    own.passthrough.lend()
    own.passthrough.on_output(b"$ vi\r\n\x1b[?1049hfull")
    own.passthrough.show_own_rows(True)
    own.turn(1.0)
    own.passthrough.on_output(b"\x1b[?1049l$ ")
    assert own.turn(1.0) == ["$ vi", "$", "status"]
    own.passthrough.on_output(b"ls")
    assert own.turn(1.0) == ["$ vi", "$ ls", "status"]
    assert not own.passthrough.show_own_rows(False)


def test_what_a_process_with_positions_draws_behind_our_own_rows_is_not_on_the_screen(own: Screen) -> None:
    own.passthrough.lend()
    own.passthrough.on_output(b"\x1b[5;1Hrows")
    own.passthrough.show_own_rows(True)
    own.passthrough.on_output(b"unseen")
    own.turn(1.0)
    own.passthrough.put(b"other\n")
    shown = own.turn(1.0)
    assert [row for row in shown if row] == ["rows", "other", "status"]
    assert own.passthrough.show_own_rows(False)
    own.passthrough.put(b"more\n")
    assert [row for row in own.turn() if row] == ["rows", "other", "more"]


def test_output_stays_in_order_when_our_own_rows_are_shown(own: Screen) -> None:
    own.passthrough.lend()
    own.passthrough.on_output(b"\x1b[?1049h")
    own.passthrough.put(b"first\n")
    own.passthrough.show_own_rows(True)
    own.passthrough.put(b"second\n")
    assert own.turn(1.0)[:2] == ["first", "second"]


def test_lost_lines_are_reported_when_the_screen_is_free_again(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[?1049h")
    screen.passthrough.put(b"lost\n")
    screen.passthrough.put(b"x" * MAX_KEPT)
    screen.passthrough.on_output(b"more")
    screen.turn(1.0)
    assert screen.said == []
    screen.passthrough.on_output(b"\x1b[?1049l")
    assert screen.said == ["1 line was not shown; see `procman logs`"]


def test_so_much_is_kept_each_time(screen: Screen) -> None:
    for _ in range(2):
        screen.passthrough.on_output(b"\x1b[?1049h")
        screen.passthrough.put(b"x" * (MAX_KEPT - 1) + b"\n")
        screen.passthrough.on_output(b"\x1b[?1049l")
    assert screen.said == []


def test_after_a_pause_its_rows_are_drawn_at_the_next_turn_however_much_others_write(screen: Screen) -> None:
    screen.passthrough.on_output(b"> half")
    screen.passthrough.put(b"other\n")
    screen.turn()
    for _ in range(3):
        screen.turn(5.0)
    screen.passthrough.put(b"x\n" * 3000)
    assert screen.turn(REPAINT_INTERVAL / 2)[-1] == "> half"


@pytest.mark.parametrize(("size", "shown"), [(LARGE_CHUNK - 1, True), (LARGE_CHUNK, False)])
def test_its_rows_wait_for_the_next_repaint_once_others_write_as_much_as_this(
    screen: Screen, size: int, shown: bool
) -> None:
    screen.passthrough.on_output(b"> half")
    screen.passthrough.put(b"other\n")
    screen.turn()
    screen.passthrough.put(b"x" * (size - 1) + b"\n")
    assert (screen.turn()[-1] == "> half") is shown


def test_what_others_write_is_counted_for_the_time_between_two_repaints(screen: Screen) -> None:
    screen.passthrough.on_output(b"> half")
    text = b"x" * 19 + b"\n"
    for seconds, shown in ((0.0, True), (0.01, True), (0.01, False), (REPAINT_INTERVAL, True), (0.01, True)):
        screen.passthrough.put(text * 120)  # 2,400 bytes
        assert (screen.turn(seconds)[-1] == "> half") is shown


def test_its_output_passes_as_it_is(screen: Screen) -> None:
    screen.passthrough.put(b"other\n")
    for piece in (b"a", b"b\n", b"\x1b[?25l"):
        screen.passthrough.on_output(piece)
        screen.turn()
    screen.passthrough.resized()
    screen.turn()
    assert screen.out == b"other\r\n" + b"\x1b[0m\x1b[0m\r" + b"ab\n\x1b[?25l"


def test_a_finished_row_is_not_drawn_again_below_the_output_of_others(screen: Screen) -> None:
    screen.passthrough.on_output(b"one\r\ntwo\r\n> ")
    screen.passthrough.put(b"other\n")
    assert screen.turn() == ["one", "two", "other", ">"]
    screen.passthrough.on_output(b"\x1b[A")
    screen.passthrough.put(b"more\n")
    assert screen.turn().count("two") == 1


def test_the_rows_of_a_process_that_came_back_by_itself_make_way_as_a_whole(own: Screen) -> None:
    own.passthrough.lend()
    own.passthrough.on_output(b"\x1b[?1049h")
    own.passthrough.show_own_rows(True)
    own.passthrough.on_output(b"\x1b[?1049l\x1b[?2004h$ a\r\n> b")
    assert own.turn(1.0) == ["$ a", "> b", "status"]
    own.passthrough.put(b"other\n")
    assert own.turn(1.0) == ["other", "$ a", "> b", "status"]


def test_our_own_rows_are_erased_once_for_a_new_size(own: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: (COLUMNS, ROWS))
    own.passthrough.lend()
    own.passthrough.show_own_rows(True)
    own.turn(1.0)
    before = len(own.out)
    own.passthrough.resized()
    assert own.turn(1.0) == ["", "status"]
    assert own.out[before:].count(b"\x1b[J") == 1


@pytest.mark.parametrize("leave", ["pause", "close"])
def test_the_terminal_is_taken_back_before_it_is_left(leave: str) -> None:
    screen = Screen(status=True)
    screen.passthrough.on_output(b"\x1b[?25l> half")
    getattr(screen.passthrough, leave)()
    screen.turn()
    assert screen.out.endswith(b"> half\x1b[?25h\x1b[0m\r\n")
    assert not screen.passthrough.lent
    assert screen.passthrough.next_repaint is None
    screen.outlet.close(0.0)
    os.close(screen.reader)


def test_the_end_of_origin_mode_leaves_the_cursor_at_the_bottom(screen: Screen) -> None:
    screen.passthrough.on_output(b"\x1b[3;9r\x1b[?6hrow")
    screen.passthrough.take_back(b"RESET")
    screen.turn()
    assert b"\x1b[?6l" + b"RESET" in screen.out
    assert screen.out.index(b"\x1b[?6l") < screen.out.index(TO_BOTTOM)


def test_the_title_is_kept_once_and_restored(screen: Screen) -> None:
    for title in (b"\x1b]0;a\x07", b"\x1b]2;b\x07"):
        screen.passthrough.on_output(title)
    screen.passthrough.take_back()
    screen.turn()
    assert (screen.out.count(KEEP_TITLE), screen.out.count(RESTORE_TITLE)) == (1, 1)
    assert screen.out.index(KEEP_TITLE) < screen.out.index(b"\x1b]0;a")
