"""A Procfile as it was read: its process types and its problems."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procman.errors import Problem


class ProcessType:
    """A named line of the Procfile: its command, the line and column of that (from 1), and its index (from 0)."""

    __slots__ = ("column", "command", "index", "line", "name")

    def __init__(self, name: str, command: str, line: int, index: int, column: int = 1) -> None:
        self.column = column
        self.name = name
        self.command = command
        self.line = line
        self.index = index

    def __repr__(self) -> str:
        return f"ProcessType({self.name!r}, {self.command!r}, {self.line}, {self.index})"


class Procfile:
    """A parsed Procfile: its name as shown to the user, and its process types and problems in order.

    ``advise`` finds the problems that are never errors. It is called when the problems are first needed, which in a
    start is after its first child is up.
    """

    __slots__ = ("_advise", "_problems", "name", "process_types")

    def __init__(
        self,
        name: str,
        process_types: tuple[ProcessType, ...],
        problems: tuple[Problem, ...] = (),
        advise: Callable[[Iterable[ProcessType]], Iterable[Problem]] | None = None,
    ) -> None:
        self.name = name
        self.process_types = process_types
        self._problems = problems
        self._advise = advise

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems, by line and column."""
        if self._advise is not None:
            found = (*self._problems, *self._advise(self.process_types))
            self._problems = tuple(sorted(found, key=lambda problem: (problem.line, problem.column)))
            self._advise = None
        return self._problems

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that make it unusable."""
        return tuple(problem for problem in self._problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that `start` shows too; hints are left to `check`."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the process types, in the file's order."""
        return tuple(type_.name for type_ in self.process_types)

    def with_problems(self, problems: Iterable[Problem]) -> Procfile:
        """Return the same Procfile with more problems."""
        return Procfile(self.name, self.process_types, (*self.problems, *problems))

    def get(self, name: str) -> ProcessType | None:
        """Return the process type called ``name``, or None."""
        return next((type_ for type_ in self.process_types if type_.name == name), None)
