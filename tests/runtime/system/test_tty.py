"""Windows and pseudo-terminals."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import Any

import pytest

from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.runtime.processes.pty import Window, open_pty
from procman.runtime.system import tty
from procman.runtime.system.tty import LOCAL_FLAGS, OUTPUT_FLAGS, in_foreground, is_terminal, window_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.runtime.processes.pty import Pty


@pytest.fixture
def screen() -> Iterator[int]:
    """The terminal that we are shown on, 40 rows of 100 columns."""
    master, slave = os.openpty()
    resize(slave, 40, 100)
    yield slave
    os.close(master)
    os.close(slave)


def resize(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture
def pty(screen: int) -> Iterator[Pty]:
    pty = open_pty(Window(screen, 20))
    yield pty
    os.close(pty.master)
    if pty.slave >= 0:
        os.close(pty.slave)


def test_a_child_has_the_window_less_the_prefix(screen: int) -> None:
    assert Window(screen, 20).size() == (40, 80)


@pytest.mark.parametrize(("name", "prefix", "expected"), [(24, 36, 64), (40, 36, 48), (65, 36, 23), (65, 0, 100)])
def test_a_child_whose_name_is_beyond_the_others_has_so_much_less(
    screen: int, name: int, prefix: int, expected: int
) -> None:
    plan = InstancePlan("x" * name, "x", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
    window = Window(screen, prefix).of(plan)
    assert window is not None
    assert window.size() == (40, expected)


@pytest.mark.parametrize(("columns", "expected"), [(35, 20), (20, 20), (12, 12), (1, 1)])
def test_a_narrow_window_is_not_made_narrower_than_programs_can_bear(screen: int, columns: int, expected: int) -> None:
    resize(screen, 40, columns)
    assert Window(screen, 20).size() == (40, expected)


def test_without_a_terminal_a_window_is_40_by_120_and_has_no_prefix() -> None:
    reader, writer = os.pipe()
    assert Window(writer, 20).size() == (40, 120)
    os.close(reader)
    os.close(writer)


def test_the_wish_of_one_child_wins_over_what_is_usual(screen: int) -> None:
    assert Window(screen, 20).is_for(None)
    assert not Window(screen, 20).is_for(False)
    assert not Window(screen, 20, usual=False).is_for(None)
    assert Window(screen, 20, usual=False).is_for(True)


def test_a_pty_has_the_windows_size_and_follows_it(screen: int, pty: Pty) -> None:
    assert window_size(pty.slave) == (40, 80)
    resize(screen, 30, 60)
    pty.fit()
    assert window_size(pty.slave) == (30, 40)


def test_who_is_attached_decides_the_size_until_he_leaves(screen: int, pty: Pty) -> None:
    pty.show_to((10, 33))
    assert window_size(pty.slave) == (10, 33)
    resize(screen, 30, 60)
    pty.fit()
    assert window_size(pty.slave) == (10, 33)
    pty.show_to(None)
    assert window_size(pty.slave) == (30, 40)


def test_what_a_child_writes_arrives_byte_for_byte(pty: Pty) -> None:
    os.write(pty.slave, b"one\ntwo\r\nthree")
    assert os.read(pty.master, 100) == b"one\ntwo\r\nthree"


def test_a_screen_that_is_attached_gets_its_returns(pty: Pty) -> None:
    pty.show_to((24, 80))
    assert pty.modes() == (True, True)
    os.write(pty.slave, b"one\n")
    assert os.read(pty.master, 100) == b"one\r\n"
    pty.show_to(None)
    assert pty.modes() == (False, True)


def test_a_child_meets_a_terminal_as_usual_but_for_its_line_ends(pty: Pty) -> None:
    master, slave = os.openpty()
    usual, ours = termios.tcgetattr(slave), termios.tcgetattr(pty.slave)
    usual[OUTPUT_FLAGS] &= ~termios.ONLCR
    assert ours == usual
    assert ours[LOCAL_FLAGS] & termios.ICANON
    os.close(master)
    os.close(slave)


def test_our_side_never_waits(pty: Pty) -> None:
    with pytest.raises(BlockingIOError):
        os.read(pty.master, 1)


def test_a_child_that_is_gone_is_no_error(pty: Pty) -> None:
    pty.close_slave()
    pty.fit()
    pty.show_to((10, 10))
    assert isinstance(pty.modes(), tuple)


def test_a_file_is_no_terminal_and_a_closed_descriptor_is_none() -> None:
    with open(os.devnull, "rb") as null:
        assert not is_terminal(null.fileno())
        assert window_size(null.fileno()) is None
    assert not is_terminal(9999)


def test_a_terminal_that_is_not_ours_leaves_us_in_the_foreground(screen: int) -> None:
    assert is_terminal(screen)
    assert in_foreground(screen)
    assert in_foreground(9999)


def test_a_closed_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> bool:
        raise OSError

    monkeypatch.setattr(os, "isatty", fail)
    assert not is_terminal(0)


@pytest.mark.parametrize("foreground", [False, True])
def test_the_terminal_is_ours_while_our_job_is_in_the_foreground(
    monkeypatch: pytest.MonkeyPatch, foreground: bool
) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp() if foreground else 1)
    assert in_foreground(0) is foreground


ALL = 0xFFFFFFFF  # every flag


@pytest.mark.parametrize(
    ("change", "input_flags", "output_flags", "local_flags"),
    [
        (tty.key_by_key, 0, 0, termios.ICANON | termios.ECHO),
        (
            tty.raw,
            termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON,
            termios.OPOST,
            termios.ICANON | termios.ECHO | termios.IEXTEN | termios.ISIG,
        ),
        (
            lambda attributes: tty.raw(attributes, signals=True),
            termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON,
            termios.OPOST,
            termios.ICANON | termios.ECHO | termios.IEXTEN,
        ),
    ],
)
def test_of_the_settings_only_what_is_meant_is_switched_off(
    change: Callable[[list[Any]], list[Any]], input_flags: int, output_flags: int, local_flags: int
) -> None:
    before = [ALL, ALL, ALL, ALL, 13, 13, [b"x"] * 32]
    after = change(before)
    assert [ALL & ~flags for flags in after[:4]] == [input_flags, output_flags, 0, local_flags]
    assert after[4:6] == [13, 13]
    characters = after[6]
    assert (characters[termios.VMIN], characters[termios.VTIME]) == (1, 0)
    assert characters.count(b"x") == 30
    assert before == [ALL, ALL, ALL, ALL, 13, 13, [b"x"] * 32]  # they are restored later
