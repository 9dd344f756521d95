"""Chunks in, whole lines out: where lines are cut, folded and kept."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from procman.core.text.lines import CAP, MARK, STAYS, LineBuffer

STREAMS = st.lists(
    st.sampled_from(
        [
            b"\n",
            b"\r",
            b"\r\n",
            b"ab",
            b"word ",
            b"\xc3\xa9",
            b"\xe2\x9c\x93",
            b"\xff",
            b"\x00",
            b"x" * 20,
            b"\x1b",
            b"\x1b[31m",
            b"\x1b[2A",
            b"\x1b]8;;x\x1b\\",
        ]
    )
).map(b"".join)


def in_chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(stream)) for cut in cuts})
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


def through(chunks: list[bytes], cap: int = CAP, fold: bool = True) -> bytes:
    buffer = LineBuffer(cap, fold=fold)
    lines = b"".join([buffer.feed(chunk) for chunk in chunks])
    rest = buffer.flush()
    return lines + rest + b"\n" if rest else lines


@given(STREAMS, st.lists(st.integers(0, 400)), st.integers(4, 40), st.booleans())
def test_any_chunking_gives_the_same_lines(stream: bytes, cuts: list[int], cap: int, fold: bool) -> None:
    assert through(in_chunks(stream, cuts), cap, fold) == through([stream], cap, fold)


@given(STREAMS, st.lists(st.integers(0, 400)), st.integers(4, 40))
def test_lines_taken_without_copying_are_those_fed(stream: bytes, cuts: list[int], cap: int) -> None:
    taking, feeding = LineBuffer(cap), LineBuffer(cap)
    for chunk in in_chunks(stream, cuts):
        taken = taking.take(chunk)
        lines = taken[0] + chunk[: taken[1]] if taken is not None else taking.feed(chunk)
        assert lines == feeding.feed(chunk)
        assert taking.tail == feeding.tail
        assert taking.unfinished == bool(taking.tail)


@given(STREAMS, st.lists(st.integers(0, 400)))
def test_no_byte_is_lost_or_changed(stream: bytes, cuts: list[int]) -> None:
    whole = stream if not stream or stream.endswith(b"\n") else stream + b"\n"
    assert through(in_chunks(stream, cuts)) == whole


@given(STREAMS, st.lists(st.integers(0, 400)), st.integers(4, 40))
def test_pieces_of_a_long_line_add_up_to_it(stream: bytes, cuts: list[int], cap: int) -> None:
    whole = stream if not stream or stream.endswith(b"\n") else stream + b"\n"
    assert through(in_chunks(stream, cuts), cap, fold=False).replace(MARK + b"\n", b"") == whole


@given(STREAMS, st.lists(st.integers(0, 400)), st.integers(4, 40))
@example(stream=b"abcd\r", cuts=[], cap=4)  # the return may be half of the line's end
def test_the_tail_never_passes_the_cap(stream: bytes, cuts: list[int], cap: int) -> None:
    buffer = LineBuffer(cap)
    for chunk in in_chunks(stream, cuts):
        lines = buffer.feed(chunk)
        assert lines == b"" or lines.endswith(b"\n")
        assert len(buffer.tail.removesuffix(b"\r")) <= cap
        assert b"\n" not in buffer.tail


def test_whole_lines_leave_as_they_came() -> None:
    chunk = b"one\ntwo\n"
    assert LineBuffer().feed(chunk) is chunk


def test_an_unfinished_line_is_kept_and_completed() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"one\ntw") == b"one\n"
    assert buffer.tail == b"tw"
    assert buffer.feed(b"o") == b""
    assert buffer.feed(b"!\nthree") == b"two!\n"
    assert buffer.tail == b"three"


def test_the_last_line_gets_its_newline_once() -> None:
    buffer = LineBuffer()
    buffer.feed(b"last words")
    assert buffer.flush() == b"last words"
    assert buffer.flush() == b""
    assert buffer.tail == b""


def test_a_line_of_exactly_the_cap_stays_whole() -> None:
    assert through([b"x" * 10, b"\n"], cap=10) == b"x" * 10 + b"\n"
    assert through([b"x" * 11, b"\n"], cap=10) == b"x" * 10 + MARK + b"\nx\n"


def test_pieces_do_not_split_characters() -> None:
    assert through(["éééééé".encode()], cap=5, fold=False) == "éé…\néé…\néé\n".encode()


@pytest.mark.parametrize("again", [b"\r", b"\x1b[G", b"\x1b[1G", b"\x1b[2K\x1b[1G", b"\x1b[1G\x1b[0K"])
def test_a_progress_bar_without_an_end_does_not_come_out_in_pieces(again: bytes) -> None:
    bar = b"".join(b"%3d%%" % percent + again for percent in range(100)) + b"done\n"
    lines = through([bar], cap=50)
    assert lines.count(b"\n") == 1
    assert lines.endswith(again + b"done\n")


def test_rows_that_are_painted_without_an_end_are_left_behind_as_lines_that_stay_in_their_row() -> None:
    paint = b"\x1b[2A\rrow %3d\r\x1b[2B"
    painted = b"".join(paint % percent for percent in range(100)) + b"done\n"
    lines = through([painted], cap=50)
    assert lines.count(STAYS) + 1 == lines.count(b"\n")
    assert lines.replace(STAYS, b"") == painted


def test_rows_are_left_behind_when_asked_for() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"one\n\x1b[Arow\r\x1b[B$ ") == b"one\n"
    assert buffer.leave_rows() == b"\x1b[Arow" + STAYS
    assert buffer.tail == b"\r\x1b[B$ "
    assert buffer.leave_rows() == b""
    assert buffer.feed(b"ls\n") == b"\r\x1b[B$ ls\n"
    assert not buffer.unfinished


@pytest.mark.parametrize("tail", [b"\x1b[A", b"10%\r20%\r", b"\r\x1b[A", b"\x1b[32mx\r"])
def test_where_no_row_is_left_there_is_nothing_to_leave_behind(tail: bytes) -> None:
    buffer = LineBuffer()
    buffer.feed(tail)
    assert buffer.leave_rows() == b""
    assert buffer.tail == tail


def test_bytes_that_pass_as_they_are_are_not_left_behind() -> None:
    buffer = LineBuffer(fold=False)
    buffer.feed(b"\x1b[Arow\r\x1b[B")
    assert buffer.leave_rows() == b""


def test_single_bytes_are_no_list_of_objects() -> None:
    buffer = LineBuffer()
    for _ in range(5000):
        buffer.feed(b"x")
    assert buffer.tail == b"x" * 5000


def test_a_chunk_larger_than_the_cap_is_cut_line_by_line() -> None:
    assert through([b"ab\n" + b"c" * 12 + b"\nd"], cap=10) == b"ab\n" + b"c" * 10 + MARK + b"\ncc\nd\n"


def test_a_chunk_larger_than_the_cap_is_taken_whole_if_its_lines_are_not() -> None:
    assert LineBuffer(10).take(b"abcdefghij\n" * 3 + b"tail") == (b"", 33)
    assert LineBuffer(10).take(b"abcdefghij\n" + b"k" * 11 + b"\n") is None
    assert LineBuffer(10).take(b"abcdefghij\n" + b"k" * 11) is None
    assert LineBuffer(10).take(b"abcdefghij\n" + b"k" * 10) == (b"", 11)


@pytest.mark.parametrize(
    "sequence", [b"\x1b[38;2;1;22;3m", b"\x1b]8;;http://here/\x1b\\", b"\x1b]8;;here\x07", b"\x1b[K"]
)
def test_pieces_do_not_split_escape_sequences(sequence: bytes) -> None:
    for before in range(30 - len(sequence) + 1, 30):
        text = b"a" * before
        assert through([text + sequence + b"b" * 9 + b"\n"], 30) == text + MARK + b"\n" + sequence + b"b" * 9 + b"\n"


def test_escapes_that_never_end_are_cut_all_the_same() -> None:
    stream = b"\x1b[" + b"1" * 100 + b"\n\x1b]0;" + b"x" * 100 + b"\n\x1b" + b"\x1b" * 100 + b"\n"
    assert through([stream], 30).replace(MARK + b"\n", b"") == stream


def test_a_line_of_exactly_the_cap_stays_whole_with_a_return_too() -> None:
    line = b"x" * CAP + b"\r\n"
    assert through([line]) == through([line[:-1], line[-1:]]) == line
    assert through([line[:-1], b"y\n"]) == b"x" * CAP + MARK + b"\n\ry\n"


@pytest.mark.parametrize(
    ("tail", "left", "stays"),
    [
        (b"\x1b[Aa\rb\rc", b"\rc", b"\x1b[Aa\rb"),
        (b"\x1b[A\r", b"\r", b"\x1b[A"),
        (b"a\r\x1b[Ab", b"a\r\x1b[Ab", None),  # it has not come back from there
        (b"\x1b[Aa", b"\x1b[Aa", None),
        (b"a\rb", b"a\rb", None),
        (b"", b"", None),
    ],
)
def test_what_is_painted_over_other_rows_is_taken_out_up_to_the_last_return(
    tail: bytes, left: bytes, stays: bytes | None
) -> None:
    buffer = LineBuffer()
    assert buffer.feed(tail) == b""
    assert buffer.leave_rows() == (b"" if stays is None else stays + STAYS)
    assert buffer.tail == left
    assert buffer.unfinished is bool(left)
    unfolded = LineBuffer(fold=False)
    unfolded.feed(tail)
    assert unfolded.leave_rows() == b""


def test_what_was_taken_out_does_not_count_in_the_length_of_the_line() -> None:
    buffer = LineBuffer(cap=10)
    buffer.feed(b"\x1b[A" + b"x" * 6 + b"\r")
    buffer.leave_rows()
    assert buffer.feed(b"y" * 9) == b""
    assert buffer.flush() == b"\r" + b"y" * 9
    assert not buffer.unfinished
    assert buffer.feed(b"z" * 10) == b""


def test_a_chunk_of_whole_lines_is_not_copied() -> None:
    buffer = LineBuffer(cap=4)
    for chunk in (b"abc\n", b"a\nb\n"):
        assert buffer.feed(chunk) is chunk
    buffer.feed(b"a")
    assert buffer.feed(b"b\nc") == b"ab\n"
    assert buffer.take(b"d\n") == (b"c", 2)
    assert buffer.take(b"e") is None
    assert buffer.take(b"fghij\n") is None  # longer than the cap
    assert not buffer.unfinished


def test_a_line_of_just_the_cap_is_whole() -> None:
    for chunk in (b"abcd\n", b"abcd\r\n"):
        assert LineBuffer(cap=4, fold=False).feed(chunk) == chunk
    buffer = LineBuffer(cap=4)
    assert buffer.feed(b"abcd") + buffer.feed(b"\n") == b"abcd\n"
    assert LineBuffer(cap=4).feed(b"abcde\n") == b"abcd" + MARK + b"\ne\n"


@pytest.mark.parametrize(
    ("cap", "line", "pieces"),
    [
        (4, b"abcd", [b"abcd"]),
        (4, b"abcdefghij", [b"abcd", b"efgh", b"ij"]),
        (4, "abcédef".encode(), [b"abc", "éde".encode(), b"f"]),
        (6, "abcd😀x".encode(), [b"abcd", "😀x".encode()]),
        (6, b"abc" + b"\x80" * 6, [b"abc\x80\x80\x80", b"\x80\x80\x80"]),
        (4, b"\x80" * 6, [b"\x80" * 4, b"\x80\x80"]),
        (6, b"abcd\x1b[31mef", [b"abcd", b"\x1b[31me", b"f"]),
        (8, b"ab\x1b[31mcdef", [b"ab\x1b[31mc", b"def"]),
        (4, b"ab\x1bMcd", [b"ab\x1bM", b"cd"]),
        (3, b"ab\x1bMcd", [b"ab", b"\x1bMc", b"d"]),
        (4, b"a\x1b[31mb", [b"a", b"\x1b[31", b"mb"]),
        (4, b"\x1b[31;42mX", [b"\x1b[31", b";42m", b"X"]),  # longer than the cap itself
        (8, b"a\x1b[1mb\x1b[31mc", [b"a\x1b[1mb", b"\x1b[31mc"]),
        (8, b"ab\x1b]0;title\x07cd", [b"ab", b"\x1b]0;titl", b"e\x07cd"]),
        (10, b"a\x1b]0;t\x07bcdef", [b"a\x1b]0;t\x07bcd", b"ef"]),
        (10, b"a\x1b]0;t\x1b\\bcdef", [b"a\x1b]0;t\x1b\\bc", b"def"]),
        (12, b"x\x1b]0;t\x07ab\x1b]0;uuu\x07z", [b"x\x1b]0;t\x07ab", b"\x1b]0;uuu\x07z"]),
        (6000, b"a" * 1000 + b"\x1b]8;;" + b"u" * 6000, [b"a" * 1000 + b"\x1b]8;;" + b"u" * 4995, b"u" * 1005]),
        (6000, b"a" * 3000 + b"\x1b]8;;" + b"u" * 4000, [b"a" * 3000, b"\x1b]8;;" + b"u" * 4000]),
    ],
)
def test_a_line_is_cut_where_no_character_and_no_sequence_is(cap: int, line: bytes, pieces: list[bytes]) -> None:
    assert LineBuffer(cap, fold=False).feed(line + b"\n") == (MARK + b"\n").join(pieces) + b"\n"


def test_a_last_piece_of_just_the_cap_keeps_its_carriage_return() -> None:
    assert LineBuffer(4, fold=False).feed(b"abcdefgh\r\n") == b"abcd" + MARK + b"\nefgh\r\n"


def test_what_is_left_of_a_folded_line_is_cut_if_it_is_too_long() -> None:
    assert LineBuffer(4).feed(b"abc\rdefghij\n") == b"\rdef" + MARK + b"\nghij\n"


def test_a_large_chunk_of_short_lines_is_not_copied() -> None:
    for chunk in (b"ab\n" * 10, b"abcd\n\nabcd\n", b"\nabcd\nabcd\n"):
        assert LineBuffer(4).feed(chunk) is chunk
    assert LineBuffer(4).feed(b"ab\nabcdef\nab\n") == b"ab\nabcd" + MARK + b"\nef\nab\n"
