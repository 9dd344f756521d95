"""Decides what of a stranger's text may stand in a sentence of ours: nothing that a terminal would act upon."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line, with ``?`` for whatever is not to be seen."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
