"""A Procfile as it was read: its process types by name, and its problems in order."""

from __future__ import annotations

from procman.core.model.procfile import ProcessType, Procfile
from procman.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.errors import Severity

WEB, DB = ProcessType("web", "serve", 3, 0), ProcessType("db", "keep", 5, 1, 7)


def problem(line: int, severity: Severity, column: int = 1) -> Problem:
    return Problem(severity, line, column, f"{severity} in line {line}")


def test_process_types_are_found_by_name_in_order() -> None:
    procfile = Procfile("Procfile", (WEB, DB))
    assert procfile.names == ("web", "db")
    assert (procfile.get("db"), procfile.get("nobody")) == (DB, None)
    assert (WEB.column, DB.column) == (1, 7)


def test_problems_are_sorted_and_told_apart_by_their_severity() -> None:
    error, warning, hint = problem(3, "error"), problem(2, "warning"), problem(1, "hint")
    procfile = Procfile("Procfile", (WEB,), (error, warning, hint), lambda _types: ())
    assert procfile.problems == (hint, warning, error)
    assert procfile.errors == (error,)
    assert procfile.warnings == (warning,)


def test_problems_of_one_line_are_sorted_by_column() -> None:
    late, early = problem(1, "error", 9), problem(1, "error", 2)
    assert Procfile("Procfile", (), (late, early), lambda _types: ()).problems == (early, late)


def test_advice_is_looked_for_once_and_only_if_someone_looks() -> None:
    asked: list[tuple[ProcessType, ...]] = []

    def advise(types: Iterable[ProcessType]) -> Iterable[Problem]:
        asked.append(tuple(types))
        return [problem(1, "warning")]

    procfile = Procfile("Procfile", (WEB, DB), (problem(2, "error"),), advise)
    assert len(procfile.errors) == 1
    assert asked == []
    for _ in range(2):
        assert [one.line for one in procfile.problems] == [1, 2]
    assert asked == [(WEB, DB)]


def test_more_problems_make_another_procfile() -> None:
    procfile = Procfile("Procfile", (WEB,), (problem(1, "error"),))
    more = procfile.with_problems([problem(2, "warning")])
    assert (more.name, more.process_types) == ("Procfile", (WEB,))
    assert [one.line for one in more.problems] == [1, 2]
    assert [one.line for one in procfile.problems] == [1]
