"""The pseudo-terminal of a child: its size, its modes, and what is written to it."""

from __future__ import annotations

import os
import termios
from types import SimpleNamespace
from typing import Any

import pytest

from procman.output.sinks.label import NAME_WIDTH
from procman.runtime.processes import pty as module
from procman.runtime.processes.pty import (
    KEYS_PER_WRITE,
    MAX_WAITING_KEYS,
    SIZE_WITHOUT_TERMINAL,
    KeyQueue,
    Pty,
    Returns,
    Window,
    open_pty,
)
from procman.runtime.system.tty import LOCAL_FLAGS, OUTPUT_FLAGS
from runtime.fakes import a_plan, open_descriptors, read_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = 30  # columns


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows and columns of our own terminal, descriptor 9; it can be changed, and be without a size."""
    size = [30, 100]
    monkeypatch.setattr(module, "window_size", lambda fd: tuple(size) if size and fd == 9 else None)
    return size


@pytest.fixture
def terminal(screen: list[int]) -> Iterator[Pty]:
    made = open_pty(Window(9, PREFIX))
    yield made
    for fd in (made.master, made.slave):
        try:
            os.close(fd)
        except OSError:
            pass  # the test has closed it


def size_of(terminal: Pty) -> tuple[int, int]:
    return termios.tcgetwinsize(terminal.master)


def set_flags(terminal: Pty, index: int, off: int) -> None:
    attributes = termios.tcgetattr(terminal.master)
    attributes[index] &= ~off
    termios.tcsetattr(terminal.master, termios.TCSANOW, attributes)


# The window --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "left"), [(100, 70), (51, 21), (50, 20), (49, 20), (20, 20), (19, 19), (1, 1)])
def test_the_prefix_takes_its_columns_but_leaves_twenty(screen: list[int], columns: int, left: int) -> None:
    screen[1] = columns
    assert Window(9, PREFIX).size() == (30, left)


def test_without_a_size_a_usual_one_is_taken(screen: list[int]) -> None:
    screen.clear()
    assert Window(9, PREFIX).size() == SIZE_WITHOUT_TERMINAL


@pytest.mark.parametrize(
    ("name", "prefix", "columns"),
    [
        ("web.1", PREFIX, 70),
        ("x" * (NAME_WIDTH - 2) + ".1", PREFIX, 70),
        ("x" * (NAME_WIDTH - 1) + ".1", PREFIX, 69),
        ("x" * NAME_WIDTH + ".1", PREFIX, 68),
        ("x" * NAME_WIDTH + ".1", NAME_WIDTH, 100 - NAME_WIDTH),  # a prefix without names
        ("x" * NAME_WIDTH + ".1", 0, 100),
    ],
)
def test_a_long_name_takes_more(screen: list[int], name: str, prefix: int, columns: int) -> None:
    window = Window(9, prefix).of(a_plan(name))
    assert window is not None
    assert window.size() == (30, columns)
    assert not window.ends_lines


def test_who_has_the_whole_terminal_has_all_of_it(screen: list[int]) -> None:
    window = Window(9, PREFIX, usual=False, lent_to="web.1")
    whole = window.of(a_plan("web.1"))
    assert whole is not None
    assert (whole.size(), whole.ends_lines) == ((30, 100), True)
    assert window.of(a_plan("db.1")) is None


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("wish", [True, False, None])
def test_the_plan_says_whether_it_gets_a_terminal(usual: bool, wish: bool | None) -> None:
    window = Window(9, PREFIX, usual).of(a_plan("web.1", pty=wish))
    assert (window is not None) is (usual if wish is None else wish)


# Sizes -------------------------------------------------------------------------------------------------------------


def test_a_terminal_begins_with_the_size_of_the_window_and_follows_it(terminal: Pty, screen: list[int]) -> None:
    assert size_of(terminal) == (30, 70)
    screen[:] = [40, 120]
    terminal.fit()
    assert size_of(terminal) == (40, 90)


@pytest.mark.parametrize(("rows", "lower"), [(30, 29), (2, 1), (1, 1)])
def test_it_is_one_row_lower_for_a_while(terminal: Pty, screen: list[int], rows: int, lower: int) -> None:
    screen[0] = rows
    terminal.shrink()
    assert size_of(terminal) == (lower, 70)


def test_a_client_has_its_own_size_and_returns_as_long_as_it_is_attached(terminal: Pty) -> None:
    assert terminal.modes() == (False, True)
    terminal.show_to((10, 50))
    assert (size_of(terminal), terminal.modes()) == ((10, 50), (True, True))
    terminal.fit()
    assert size_of(terminal) == (10, 50)
    terminal.show_to(None)
    assert (size_of(terminal), terminal.modes()) == ((30, 70), (False, True))


def test_one_that_is_shown_whole_keeps_its_returns(screen: list[int]) -> None:
    made = open_pty(Window(9, 0, ends_lines=True))
    for viewer in ((10, 50), None):
        made.show_to(viewer)
        assert made.modes() == (True, True)
    os.close(made.master)
    os.close(made.slave)


# Modes -------------------------------------------------------------------------------------------------------------


def test_its_modes_are_those_that_the_program_has_set(terminal: Pty) -> None:
    terminal.show_to((10, 50))
    set_flags(terminal, LOCAL_FLAGS, termios.ICANON)
    assert terminal.modes() == (True, False)
    set_flags(terminal, OUTPUT_FLAGS, termios.OPOST)
    assert terminal.modes() == (False, False)
    assert terminal.makes_signals()
    set_flags(terminal, LOCAL_FLAGS, termios.ISIG)
    assert not terminal.makes_signals()


def test_a_terminal_whose_other_side_is_gone_is_no_error(terminal: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise termios.error(5, "Input/output error")

    for name in ("tcgetattr", "tcsetattr", "tcsetwinsize"):
        monkeypatch.setattr(termios, name, fail)
    assert terminal.modes() == (True, True)
    assert not terminal.makes_signals()
    terminal.interrupt()
    terminal.show_to((10, 50))
    terminal.shrink()


def test_the_interrupt_character_is_that_of_the_terminal(terminal: Pty) -> None:
    set_flags(terminal, LOCAL_FLAGS, termios.ISIG | termios.ICANON | termios.ECHO)
    terminal.interrupt()
    assert read_whole(terminal.slave, 1) == b"\x03"


def test_our_copy_of_the_other_side_is_closed(terminal: Pty) -> None:
    slave = terminal.slave
    terminal.close_slave()
    assert terminal.slave < 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(slave)


@pytest.mark.parametrize("whole_lines", [True, False])
@pytest.mark.parametrize(("chunk", "answer"), [(b">\x1b[6n", b"\x1b[30;8R"), (b"plain", b""), (b"\x1b[?6n", b"")])
def test_only_a_program_that_reads_single_keys_is_answered(
    terminal: Pty, whole_lines: bool, chunk: bytes, answer: bytes
) -> None:
    set_flags(terminal, LOCAL_FLAGS, termios.ECHO | (0 if whole_lines else termios.ICANON))
    terminal.on_output(b"python", chunk)
    os.set_blocking(terminal.slave, False)
    expected = b"" if whole_lines else answer
    if expected:
        assert read_whole(terminal.slave, len(expected)) == expected
    else:
        with pytest.raises(BlockingIOError):
            os.read(terminal.slave, 10)


def test_an_answer_that_finds_no_room_is_given_up(terminal: Pty) -> None:
    set_flags(terminal, LOCAL_FLAGS, termios.ECHO | termios.ICANON)
    for _ in range(10_000):
        terminal.on_output(b"", b"\x1b[5n")
    assert len(os.read(terminal.slave, 1 << 20)) < 1 << 20


@pytest.mark.parametrize("error", [termios.error(5, "Input/output error"), OSError(5, "Input/output error")])
def test_a_terminal_that_cannot_be_set_up_leaves_nothing_open(
    screen: list[int], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "_add_returns", fail)
    before = open_descriptors()
    with pytest.raises(OSError, match="Input/output error") as caught:
        open_pty(Window(9, 0))
    assert caught.value.errno == 5
    assert open_descriptors() == before


def test_reading_a_silent_terminal_never_waits(terminal: Pty) -> None:
    with pytest.raises(BlockingIOError):
        os.read(terminal.master, 1)


# Returns -----------------------------------------------------------------------------------------------------------


class Modes:
    """A terminal that has these modes."""

    def __init__(self, adds_returns: bool, whole_lines: bool) -> None:
        self.now = adds_returns, whole_lines

    def modes(self) -> tuple[bool, bool]:
        return self.now


@pytest.mark.parametrize(
    ("adds_returns", "whole_lines", "chunk", "shown"),
    [
        (True, True, b"a\n", b"a\n"),
        (True, False, b"a\n", b"a\n"),
        (False, True, b"a\nb\r\n", b"a\r\nb\r\n"),
        (False, False, b"a\nb\r\n", b"a\r\nb\r\n"),
        (False, False, b"abc", b"abc"),
    ],
)
def test_newlines_get_the_return_that_the_terminal_does_not_add(
    adds_returns: bool, whole_lines: bool, chunk: bytes, shown: bytes
) -> None:
    terminal: Any = Modes(adds_returns, whole_lines)
    assert Returns().add(terminal, chunk) == shown


def test_without_a_terminal_nothing_is_added() -> None:
    assert Returns().add(None, b"a\n") == b"a\n"


def test_a_program_that_places_its_cursor_means_a_bare_newline_until_it_reads_whole_lines() -> None:
    modes, returns = Modes(False, False), Returns()
    terminal: Any = modes
    assert returns.add(terminal, b"a\n") == b"a\r\n"
    assert returns.add(terminal, b"\x1b[2Ja\n") == b"\x1b[2Ja\n"
    assert returns.add(None, b"") == b""  # between two lives
    modes.now = False, False
    returns.add(terminal, b"\x1b[2J")
    assert returns.add(terminal, b"b\n") == b"b\n"
    modes.now = False, True
    assert returns.add(terminal, b"c\n") == b"c\r\n"
    modes.now = False, False
    assert returns.add(terminal, b"d\n") == b"d\r\n"


# Keys --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys() -> Iterator[tuple[KeyQueue, Any, int]]:
    """A queue, a pipe in place of a terminal, and its other side."""
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    yield KeyQueue(), SimpleNamespace(master=writer), reader
    os.close(reader)
    os.close(writer)


def test_keys_are_written_in_order_and_in_parts(
    keys: tuple[KeyQueue, Any, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, terminal, reader = keys
    sizes: list[int] = []
    write = os.write

    def noted(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", noted)
    queue.add(b"a" * KEYS_PER_WRITE)
    queue.add(b"b")
    assert queue.write_to(terminal)
    assert os.read(reader, 1 << 16) == b"a" * KEYS_PER_WRITE + b"b"
    assert (len(queue), sizes) == (0, [KEYS_PER_WRITE, 1])
    assert not queue.write_to(terminal)


def test_keys_wait_for_a_terminal_and_for_room_in_it(keys: tuple[KeyQueue, Any, int]) -> None:
    queue, terminal, reader = keys
    queue.add(b"x" * (1 << 17))
    assert not queue.write_to(None)
    assert queue.write_to(terminal)
    left = len(queue)
    assert 0 < left < 1 << 17
    assert not queue.write_to(terminal)
    os.read(reader, 1 << 16)
    assert queue.write_to(terminal)
    assert len(queue) < left
    queue.clear()
    assert len(queue) == 0


def test_keys_for_a_terminal_that_is_gone_are_forgotten(keys: tuple[KeyQueue, Any, int]) -> None:
    queue, _, reader = keys
    queue.add(b"keys")
    gone: Any = SimpleNamespace(master=reader)  # cannot be written to
    assert not queue.write_to(gone)
    assert len(queue) == 0


@pytest.mark.parametrize(("number", "full"), [(MAX_WAITING_KEYS - 1, False), (MAX_WAITING_KEYS, True)])
def test_so_many_keys_are_enough(number: int, full: bool) -> None:
    queue = KeyQueue()
    queue.add(b"x" * number)
    assert queue.is_full is full
