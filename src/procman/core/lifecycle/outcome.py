"""Why a run ends, and its exit code."""

from __future__ import annotations

from procman.errors import (
    EXIT_CANNOT_EXECUTE,
    EXIT_FAILURE,
    EXIT_HANGUP,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_OUTPUT_CLOSED,
    EXIT_TERMINATED,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.instance import Instance

EXIT_RULES = ("all", "any", "failure", "never")


class Reason:
    """Why everything stops: a clause for the user (`words`), and the exit code that follows from it, or None.

    `cause` is the event that led to it, an action and the name of an instance, if there was one.
    """

    __slots__ = ("cause", "code", "words")

    def __init__(self, words: str, code: int | None = None, cause: tuple[str, str] | None = None) -> None:
        self.words = words
        self.code = code
        self.cause = cause

    def __repr__(self) -> str:
        return f"Reason({self.words!r}, {self.code})"


INTERRUPTED = Reason("interrupted", EXIT_INTERRUPTED)
QUIT = Reason("quit", 131)  # 128 + SIGQUIT
TERMINATED = Reason("terminated", EXIT_TERMINATED)
HUNG_UP = Reason("terminal hung up", EXIT_HANGUP)
OUTPUT_CLOSED = Reason("the reader of the output went away", EXIT_OUTPUT_CLOSED)
GUARDIAN_DIED = Reason("the guardian was killed", EXIT_TERMINATED)
WATCHDOG_DIED = Reason("the watchdog was killed", EXIT_TERMINATED)
ASKED = Reason("stop requested", EXIT_TERMINATED)
TIME_OVER = Reason("its time is up (--for)", EXIT_TERMINATED)


class Outcome:
    """The result of the run so far: the first failure's exit code, and whether everything stopped without KILL."""

    __slots__ = ("failure", "stopped_in_time")

    def __init__(self) -> None:
        self.failure = EXIT_OK
        self.stopped_in_time = True

    def note_failure(self, code: int) -> None:
        """Note the exit code of a failure. The first one counts."""
        self.failure = self.failure or code

    def exit_code(self, reason: Reason | None) -> int:
        """Return the exit code of the run: the reason's if it has one, else the first failure's."""
        if reason is None or reason.code is None:
            return self.failure
        return EXIT_OK if reason in (TERMINATED, ASKED, TIME_OVER) and self.stopped_in_time else reason.code


def failure_code(instance: Instance) -> int:
    """Return the exit code for an instance that gave up; never 0."""
    if instance.status is None:  # its dependencies failed, or it could not be spawned
        return EXIT_FAILURE if instance.started is None else EXIT_CANNOT_EXECUTE
    return EXIT_FAILURE if instance.condemned else instance.status.shell_code or EXIT_FAILURE
