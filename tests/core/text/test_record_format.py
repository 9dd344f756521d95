"""A record can be cut or damaged anywhere: what is whole is read, and nothing else."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.core.text.record_format import MAX_SIZE, ChunkReader, header, tag_of

TAG = b"0123456789abcdef"
Shown = tuple[str, str, int, float, bytes]


def written(*chunks: tuple[str, str, bytes]) -> bytes:
    data, at = b"", 0
    for number, (kind, name, lines) in enumerate(chunks):
        data += header(TAG, kind, name, at, number * 1000, len(lines)) + lines
        at += len(lines)
    return data


def shown(*blocks: bytes, tag: bytes = TAG) -> list[Shown]:
    reader, found = ChunkReader(tag), []
    for number, block in enumerate(blocks):
        found += list(reader.feed(block, number == len(blocks) - 1))
    return [(chunk.kind, chunk.name, chunk.at, chunk.time, chunk.lines) for chunk in found]


THREE = (("stdout", "web.1", b"one\ntwo\n"), ("system", "system", b"web.1 exited\n"), ("stderr", "db.1", b"x\x1e\n"))
DATA = written(*THREE)
CHUNKS = shown(DATA)


def test_a_header_is_readable() -> None:
    assert header(TAG, "stdout", "web.1", 4096, 1700000000123, 6) == (
        b"\x1e0123456789abcdef stdout web.1 4096 1700000000123 6\n"
    )


def test_what_was_written_is_read() -> None:
    assert CHUNKS == [
        ("stdout", "web.1", 0, 0.0, b"one\ntwo\n"),
        ("system", "system", 8, 1.0, b"web.1 exited\n"),
        ("stderr", "db.1", 21, 2.0, b"x\x1e\n"),
    ]


@pytest.mark.parametrize("cut", range(len(DATA)))
def test_of_a_file_that_ends_anywhere_the_whole_chunks_count(cut: int) -> None:
    ends = [len(written(*THREE[:count])) for count in range(4)]
    whole = sum(end <= cut for end in ends[1:])
    assert shown(DATA[:cut]) == CHUNKS[:whole]
    assert shown(DATA[:cut], DATA[cut:]) == CHUNKS
    assert shown(DATA[:cut], b"") == CHUNKS[:whole]


@pytest.mark.parametrize("at", range(len(DATA)))
def test_a_file_that_is_read_from_anywhere_on_has_the_rest(at: int) -> None:
    starts = [len(written(*THREE[:count])) for count in range(3)]
    assert shown(DATA[at:]) == CHUNKS[sum(start < at for start in starts) :]


@pytest.mark.parametrize("at", range(len(DATA)))
@pytest.mark.parametrize("byte", [0, 10, 30, 32, 48, 57, 255])
def test_a_damaged_byte_costs_one_chunk_at_most(at: int, byte: int) -> None:
    damaged = DATA[:at] + bytes((byte,)) + DATA[at + 1 :]
    kept = [chunk for chunk in shown(damaged) if chunk in CHUNKS]
    assert len(kept) >= 2 - (byte == 30)  # a mark in place of the last newline makes the next chunk look complete


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
def test_any_bytes_are_read_without_an_error(data: bytes, cuts: list[int]) -> None:
    for text in (data, DATA + data, data + DATA, DATA[:30] + data + DATA[30:]):
        ends = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
        blocks = [text[start:end] for start, end in itertools.pairwise(ends)]
        assert shown(*blocks) == shown(text)
        assert all(lines.endswith(b"\n") for *_, lines in shown(text))


@pytest.mark.parametrize(
    "fields",
    [
        (b"stdout", b"web.1", b"0", b"0", str(MAX_SIZE + 1).encode()),
        (b"stdout", b"web.1", b"0", b"0", b"9" * 30),
        (b"stdout", b"web.1", b"0", b"0", b"-1"),
        (b"stdout", b"web.1", b"0", b"0", b"0"),
        (b"odd", b"web.1", b"0", b"0", b"2"),
        (b"stdout", b"web.1", b"0", b"2"),
        (b"stdout", b"web", b"1", b"0", b"0", b"2"),
    ],
)
def test_a_header_that_makes_no_sense_is_left_out(fields: tuple[bytes, ...]) -> None:
    bad = b"\x1e" + TAG + b" " + b" ".join(fields) + b"\nx\n"
    assert [chunk for chunk in shown(bad + DATA) if chunk not in CHUNKS] == []


def test_output_cannot_pretend_to_be_a_header() -> None:
    forged = header(b"f" * 16, "stdout", "db.1", 0, 0, 2) + b"x\n"
    assert [lines for *_, lines in shown(written(("stdout", "web.1", forged)))] == [forged]


@pytest.mark.parametrize(
    ("data", "tag"), [(DATA, TAG), (DATA[1:], b""), (b"", b""), (b"\x1ecafe x", b""), (b"\x1e" + b"/" * 16 + b" ", b"")]
)
def test_a_file_says_its_tag_first(data: bytes, tag: bytes) -> None:
    assert tag_of(data) == tag
