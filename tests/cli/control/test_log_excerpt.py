"""Which lines `procman logs` shows without a filter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from procman.cli.control.log_excerpt import Excerpt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record

CHUNKS = st.lists(st.integers(1, 5))


class Shown:
    """An excerpt of chunks of so many lines, and the positions and lines that it has shown."""

    def __init__(self, count: int | None, first: bool = False) -> None:
        self.lines: list[tuple[int, bytes]] = []
        self.excerpt = Excerpt(self._show, count, first)
        self._at = 0

    def _show(self, record: Record, lines: bytes) -> None:
        at = record["at"]
        assert isinstance(at, int)
        for line in lines.splitlines(keepends=True):
            self.lines.append((at, line))
            at += len(line)

    def add(self, size: int) -> None:
        lines = b"".join(b"%d\n" % number for number in range(size))
        self.excerpt.add({"log": "web.1", "at": self._at}, lines)
        self._at += len(lines)


def every_line(chunks: list[int]) -> list[tuple[int, bytes]]:
    return [(2 * at, b"%d\n" % number) for at, number in enumerate(n for size in chunks for n in range(size))]


@given(CHUNKS, CHUNKS, st.one_of(st.none(), st.integers(0, 12)))
def test_the_last_lines_of_the_memory_are_shown_and_all_later_ones(
    memory: list[int], live: list[int], count: int | None
) -> None:
    out = Shown(count)
    for size in memory:
        out.add(size)
    assert count is None or out.lines == []
    out.excerpt.end_memory()
    for size in live:
        out.add(size)
    held = sum(memory)
    assert out.lines == every_line(memory + live)[0 if count is None else max(0, held - count) :]
    assert not out.excerpt.complete


@given(CHUNKS, st.integers(0, 12))
def test_the_first_lines_are_complete_when_there_is_one_more(chunks: list[int], count: int) -> None:
    out = Shown(count, first=True)
    for size in chunks:
        if not out.excerpt.complete:
            out.add(size)
    out.excerpt.end_memory()
    assert out.lines == every_line(chunks)[:count]
    assert out.excerpt.complete is (sum(chunks) > count or not count)
