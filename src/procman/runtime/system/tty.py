"""Does: looks at the user's terminal, and says how its settings are to be."""

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
    """Rows and columns of the terminal behind `fd`, or None where there is none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return None
    return (rows, columns) if columns else None


def is_terminal(fd: int) -> bool:
    """Whether `fd` is a terminal; False for a closed one as well."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def in_foreground(fd: int) -> bool:
    """Whether our job may use the terminal behind `fd`; True as well when it is none of ours, or none at all."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True


def key_by_key(attributes: list[Any]) -> list[Any]:
    """These settings, but giving each key as it is typed, unseen; Ctrl-C and Ctrl-Z stay signals."""
    import termios

    changed = [*attributes[:CHARACTERS], list(attributes[CHARACTERS])]
    changed[LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
    changed[CHARACTERS][termios.VMIN], changed[CHARACTERS][termios.VTIME] = 1, 0
    return changed


def raw(attributes: list[Any], signals: bool = False) -> list[Any]:
    """These settings, but all keys and all output pass as they are; with ``signals`` Ctrl-C and Ctrl-Z stay signals."""
    import termios

    changed = key_by_key(attributes)
    changed[INPUT_FLAGS] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    changed[OUTPUT_FLAGS] &= ~termios.OPOST
    changed[LOCAL_FLAGS] &= ~(termios.IEXTEN | (0 if signals else termios.ISIG))
    return changed
