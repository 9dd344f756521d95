"""Feeds the steps of an engine with recorded answers, and notes what it does."""

from __future__ import annotations

from dataclasses import dataclass, field

from procman.engines.calls import (
    Call,
    Card,
    Follow,
    Interactive,
    Now,
    Outcome,
    Pause,
    PrivateFolder,
    Report,
    Stop,
    Together,
)
from procman.engines.records import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from procman.engines.calls import Followed, Step, Steps

    T = TypeVar("T")

    Answer = Callable[[Call], Outcome | BaseException]


@dataclass
class Driver:
    """Performs steps without any I/O. ``answer`` returns the outcome of a call, or an exception to raise there.

    Time passes only in pauses.
    """

    answer: Answer
    time: float = 1_000_000.0
    calls: list[Call] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    stopped: list[Call] = field(default_factory=list)  # of what is followed
    rounds: int = 0  # calls one after the other; those together count as one

    def perform(self, steps: Steps[T]) -> T:
        """Perform the steps and return their result."""
        answer: object = None
        raised: BaseException | None = None
        while True:
            try:
                step = steps.send(answer) if raised is None else steps.throw(raised)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, raised = self._answer(step)

    def _answer(self, step: Step) -> tuple[object, BaseException | None]:
        found: object = None
        self.rounds += isinstance(step, (Call, Together))
        match step:
            case Call() | Interactive():
                found = self._call(step if isinstance(step, Call) else step.call)
                if isinstance(step, Interactive) and isinstance(found, Outcome):
                    found = found.code
            case Together():
                found = [self._call(call) for call in step.calls]
                found = next((one for one in found if isinstance(one, BaseException)), found)
            case Pause():
                self.time += step.seconds
            case Now():
                found = self.time
            case PrivateFolder():
                found = "/run/user/1000/procman"
            case Follow():
                self.stopped.clear()
                self._read_to_the_end(list(step.calls), step)
            case Report() | LogLine() | Card():
                self._note(step)
        return (None, found) if isinstance(found, BaseException) else (found, None)

    def _note(self, step: Report | LogLine | Card) -> None:
        if isinstance(step, Card):
            self.cards.append(step)
        elif isinstance(step, LogLine):
            self.lines.append(step)
        else:
            self.said.append(f"{step.instance.name} {step.instance.state}" if step.instance else step.text)

    def _call(self, call: Call) -> Outcome | BaseException:
        self.calls.append(call)
        return self.answer(call)

    def _read_to_the_end(self, ahead: list[Call], step: Follow) -> None:
        """Read each call, then what its lines have started, then its end, unless it was stopped meanwhile."""
        while ahead:
            call = ahead.pop(0)
            started: list[Call] = []
            outcome = self._call(call)
            assert isinstance(outcome, Outcome)
            for stream, data in (("stdout", outcome.out), ("stderr", outcome.err)):
                for line in data.splitlines():
                    self._obey(step.read(call, stream, line), started)
            self._read_to_the_end(started, step)
            if call not in self.stopped:
                self._obey(step.ended(call), ahead)

    def _obey(self, items: Iterable[Followed], ahead: list[Call]) -> None:
        for item in items:
            if isinstance(item, Call):
                ahead.append(item)
            elif isinstance(item, Stop):
                self.stopped.append(item.call)
            else:
                self._note(item)

    @property
    def commands(self) -> list[str]:
        """The command lines that were run."""
        return [" ".join(call.argv) for call in self.calls]


def said(text: str = "", code: int = 0, err: str = "") -> Outcome:
    """Return the outcome of a command that wrote this."""
    return Outcome(code, text.encode(), err.encode())
