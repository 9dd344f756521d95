"""The overlay as records: where its keys are, what is wrong in it, and what its groups mean."""

from __future__ import annotations

import pytest

from procman.core.model.process_overlay import Overlay, OverlayProblem, ProcessOverlay, Table

LINES = {("web",): 2, ("web", "ready"): 3, ("web", "ready", "failure_threshold"): 5}


@pytest.mark.parametrize(
    ("path", "location"),
    [
        (("web",), "procman.toml:2"),
        (("web", "ready"), "procman.toml:3"),
        (("web", "ready", "interval"), "procman.toml:3"),
        (("web", "ready", "failure-threshold"), "procman.toml:5"),
        (("web", "ready", "failure_threshold", "x"), "procman.toml:5"),
        (("web", "port"), "procman.toml:2"),
        (("db", "ready"), "procman.toml"),
        ((), "procman.toml"),
    ],
)
def test_a_key_is_where_it_is_written_or_in_the_innermost_table_around_it(path: tuple[str, ...], location: str) -> None:
    assert Table("procman.toml", "/app", {}, LINES).location(path) == location


def test_a_name_keeps_its_dash_where_a_key_does_not() -> None:
    lines = {("a-b", "stop_signal"): 4, ("a_b",): 9}
    assert Table("procman.toml", "/app", {}, lines).location(("a-b", "stop-signal")) == "procman.toml:4"


def test_a_problem_reads_as_a_line_and_as_a_record() -> None:
    problem = OverlayProblem("conf/procman.toml:12", "restart is wrong", "write never")
    assert str(problem) == "conf/procman.toml:12: error: restart is wrong (write never)"
    assert problem.as_record() == {
        "severity": "error",
        "line": 12,
        "column": 1,
        "message": "restart is wrong (write never)",
        "file": "conf/procman.toml",
    }
    assert str(OverlayProblem("procman.toml", "odd", severity="warning")) == "procman.toml: warning: odd"
    assert OverlayProblem("procman.toml:1", "odd").as_record()["message"] == "odd"


@pytest.mark.parametrize(
    ("location", "position"),
    [
        ("procman.toml:12", ("procman.toml", 12, 1)),
        ("procman.toml:12:7", ("procman.toml", 12, 7)),
        ("a:b.toml:3", ("a:b.toml", 3, 1)),
        ("a:b.toml:3:4", ("a:b.toml", 3, 4)),
        ("3:b.toml:4", ("3:b.toml", 4, 1)),
        ("procman.toml", ("procman.toml", 1, 1)),
        ("a:b.toml", ("a:b.toml", 1, 1)),
    ],
)
def test_a_problem_is_sorted_by_file_line_and_column(location: str, position: tuple[str, int, int]) -> None:
    assert OverlayProblem(location, "odd").position() == position


def test_only_errors_make_an_overlay_unusable() -> None:
    overlay = Overlay()
    assert overlay.errors == []
    wrong, odd = OverlayProblem("procman.toml:1", "wrong"), OverlayProblem("procman.toml:2", "odd", severity="warning")
    overlay.problems += [odd, wrong]
    assert overlay.errors == [wrong]


def test_a_process_type_without_a_word_has_nothing_given() -> None:
    process = ProcessOverlay("web")
    given = {name: value for name, value in vars(process).items() if value not in (None, "", (), 0)}
    assert given == {"name": "web", "sources": {}, "variables": {}, "env": {}, "autostart": True}
    assert process.can_die is False
    assert process.location("restart") == "the command line"


def test_a_key_knows_the_file_that_gives_it() -> None:
    process = ProcessOverlay("web")
    process.sources["ready"] = Table("conf/procman.toml", "/app/conf", {}, LINES)
    assert (process.location("ready"), process.folder("ready")) == ("conf/procman.toml:3", "/app/conf")


def grouped() -> Overlay:
    overlay = Overlay()
    overlay.process("db").groups = ("back",)
    overlay.process("web").groups = ("front", "back")
    overlay.process("clock")
    return overlay


def test_what_is_said_about_a_process_type_is_one_record() -> None:
    overlay = grouped()
    assert overlay.get("web") is overlay.process("web") is overlay.processes["web"]
    assert overlay.get("nobody") is None
    assert list(overlay.processes) == ["db", "web", "clock"]


def test_a_group_holds_its_process_types_in_order() -> None:
    assert grouped().groups() == {"back": ("db", "web"), "front": ("web",)}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ()),
        (("back",), ("db", "web")),
        (("clock", "front"), ("clock", "web")),
        (("clock,back",), ("clock", "db", "web")),
        (("clock, back ",), ("clock", "db", "web")),
        (("web=2", "back=2"), ("web=2", "back=2")),
    ],
)
def test_a_group_on_the_command_line_means_its_process_types(words: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert grouped().expanded(words) == names
