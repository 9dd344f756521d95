"""What a page of the browser sends, and what goes wrong with a page: sentences, not tracebacks."""

from __future__ import annotations

import json
import logging
import sys

from procman.core.text.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Envelope = tuple[str, Any]


UNKNOWN = ("", None)


def read(text: str) -> Envelope:
    """Return the kind of a message and what it says; ``UNKNOWN`` if procman's own page does not send it."""
    try:
        kind, *parts = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return UNKNOWN
    said = parts[0] if parts else None
    if kind in ("blur", "focus", "ping") or (kind == "stdin" and isinstance(said, str)):
        return kind, said
    if kind == "resize" and isinstance(said, dict) and all(type(said.get(key)) is int for key in ("width", "height")):
        return kind, (said["width"], said["height"])
    return UNKNOWN


def complain(text: str) -> None:
    """Print a sentence for the user who serves the pages."""
    sys.stderr.write(f"procman: {visible(text)}\n")
    sys.stderr.flush()


class FailureLog(logging.Handler):
    """Prints one sentence for what a library has logged."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print what has failed, and with which exception."""
        error = record.exc_info[1] if record.exc_info else None
        reason = record.getMessage() if error is None else f"{type(error).__name__}: {error}"
        complain(f"a page has failed: {reason}")


class LastWords:
    """Replaces the standard output. textual-serve writes to it what a process of a page wrote to its stderr."""

    def write(self, text: str) -> int:
        """Print the sentence in it: our own, or else the last line, as of a traceback."""
        lines = [line for line in text.splitlines() if line.strip()]
        own = [line.removeprefix("procman: ") for line in lines if line.startswith("procman: ")]
        if lines:
            complain(f"a page has ended: {(own or lines[-1:])[0]}")
        return len(text)

    def flush(self) -> None:
        """Do nothing: each sentence is written as it comes."""
