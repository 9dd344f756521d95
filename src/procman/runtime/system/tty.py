"""The user's terminal: its size, whether it is ours, and its settings."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INPUT_FLAGS = 0  # index in the list of tcgetattr
OUTPUT_FLAGS = 1
LOCAL_FLAGS = 3
CHARACTERS = 6


def window_size(fd: int) -> tuple[int, int] | None:
    """Return rows and columns of the terminal behind `fd`, or None if there is none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return None
    return (rows, columns) if columns else None


def is_terminal(fd: int) -> bool:
    """Return whether `fd` is a terminal; False if it is closed."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def in_foreground(fd: int) -> bool:
    """Return whether our job may use the terminal behind `fd`; True as well if that is not our terminal."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


def key_by_key(attributes: list[Any]) -> list[Any]:
    """Return these settings without echo and line editing; Ctrl-C and Ctrl-Z stay signals."""
    import termios

    changed = [*attributes[:CHARACTERS], list(attributes[CHARACTERS])]
    changed[LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
    changed[CHARACTERS][termios.VMIN], changed[CHARACTERS][termios.VTIME] = 1, 0
    return changed


def raw(attributes: list[Any], signals: bool = False) -> list[Any]:
    """Return these settings with keys and output unchanged; with ``signals``, Ctrl-C and Ctrl-Z stay signals."""
    import termios

    changed = key_by_key(attributes)
    changed[INPUT_FLAGS] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    changed[OUTPUT_FLAGS] &= ~termios.OPOST
    changed[LOCAL_FLAGS] &= ~(termios.IEXTEN | (0 if signals else termios.ISIG))
    return changed
