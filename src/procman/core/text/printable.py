"""Decides what of a stranger's text may stand in a sentence of ours: nothing that a terminal would act upon."""

from __future__ import annotations

_READ = frozenset("\u00a0\u200c\u200d\u202f\u3000")  # joiners and blanks: many languages and emoji need them
_DIRECTING = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """The text on one line, with ``?`` for whatever is not to be seen."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def visible(text: str) -> str:
    """The text on one line, with the escape (``\\x1b``, ``\\n``) of whatever is not to be seen."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in _READ else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def is_directing(char: str) -> bool:
    """Whether a terminal acts on this character: a control, but for a tab, or one that turns or ends the line."""
    return (char < " " and char != "\t") or "\x7f" <= char <= "\x9f" or char in _DIRECTING
