"""Proposals become a Procfile and an overlay that procman reads without a problem, whatever they contain."""

from __future__ import annotations

import tomllib

import pytest

from procman.core.detection.proposal import MOST, Draft, Proposal, valid_name
from procman.core.model.dependency import find_cycle
from procman.core.procfile.parser import parse_procfile


def started(*proposals: Proposal) -> dict[str, str]:
    """What the Procfile defines; it has no errors."""
    procfile = parse_procfile(Draft(proposals).procfile().encode(errors="replace"))
    assert [error for error in procfile.errors if procfile.process_types] == []
    return {type_.name: type_.command for type_ in procfile.process_types}


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("web", "web"),
        ("watch:css", "watch-css"),
        ("a b\n\x1b[31m", "a-b-31m"),
        ("日本", "process"),
        ("", "process"),
        ("all", "all-1"),
        ("x" * 1000, "x" * 40),
    ],
)
def test_a_name_becomes_one_that_a_process_type_can_have(name: str, valid: str) -> None:
    assert valid_name(name) == valid
    assert started(Proposal(name, "run", "file")) == {valid: "run"}


def test_names_of_one_file_that_collide_get_numbers() -> None:
    names = ("a b", "a-b", "a_b", "A-B")
    assert list(started(*(Proposal(name, f"run {name}", "file: x") for name in names))) == [
        "a-b",
        "a-b-2",
        "a_b-3",
        "A-B-4",
    ]


def test_a_name_of_another_file_is_kept_as_a_comment() -> None:
    proposals = (Proposal("web", "first", "one: x"), Proposal("web", "second", "two: y"))
    assert started(*proposals) == {"web": "first"}
    text = Draft(proposals).procfile()
    assert '# from two: y\n# web is not started because "web" is above, from one\n#     second\n' in text


def test_a_generic_name_has_a_second_one() -> None:
    proposals = (Proposal("web", "first", "one: x"), Proposal("web", "second", "two: y", other="dev"))
    assert started(*proposals) == {"web": "first", "dev": "second"}
    assert started(proposals[1]) == {"web": "second"}


@pytest.mark.parametrize("command", ["", "  ", "# x", "a\nb", "a\rb", "a\x1b[2Jb", "a\0b", "a\u2028b", "a\ud800b"])
def test_a_command_that_no_line_can_hold_is_a_comment(command: str) -> None:
    assert started(Proposal("web", "run", "f: a"), Proposal("bad", command, "f: b")) == {"web": "run"}
    text = Draft([Proposal("bad", command, "f: b")]).procfile()
    assert "# bad is not started because it" in text
    assert all(line.startswith("#") or not line for line in text.splitlines())


def test_a_continued_line_is_one_line() -> None:
    assert started(Proposal("web", "  run \\\n    --fast\n", "f")) == {"web": "run --fast"}


def test_a_source_cannot_add_a_line() -> None:
    assert started(Proposal("web", "run", "f: a\nevil: rm")) == {"web": "run"}


def test_the_overlay_is_toml() -> None:
    overlay = {"cwd": 'a"\\\n\x7f', "env": {"A B": "x", "C": "é"}, "watch": ["*.py"], "pty": True, "stop_timeout": 3}
    table = tomllib.loads(Draft([Proposal("web", "run", "f", overlay)]).overlay())
    assert table == {"process": {"web": overlay}}


def test_what_the_overlay_refuses_is_left_out_and_named() -> None:
    draft = Draft([Proposal("web", "run", "f: web", {"formation": "many", "stop_signal": "SIGWAT", "cwd": "x"})])
    assert tomllib.loads(draft.overlay()) == {"process": {"web": {"cwd": "x"}}}
    formation, signal = draft.notes
    assert formation.startswith("f: web: formation must be")
    assert signal.startswith("f: web: stop_signal must be")
    assert all(note.endswith(", and is left out") for note in draft.notes)


def test_dependencies_follow_the_names() -> None:
    wanted = {"my.db": "ready", "gone": "started"}
    draft = Draft([Proposal("web", "run", "f: web", {"depends_on": wanted}), Proposal("my.db", "db", "f: my.db")])
    assert tomllib.loads(draft.overlay()) == {"process": {"web": {"depends_on": {"my-db": "ready"}}}}
    assert draft.notes == ["f: web: it depends on gone, which is not in the Procfile"]


def test_a_cycle_is_broken() -> None:
    edges = {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a", "d"]}
    draft = Draft(
        Proposal(name, "run", f"f: {name}", {"depends_on": dict.fromkeys(others, "started")})
        for name, others in edges.items()
    )
    tables = tomllib.loads(draft.overlay())["process"]
    assert not find_cycle({name: table["depends_on"] for name, table in tables.items()})
    assert "f: c: depends_on is left out, since these wait for one another: a → b → c → a" in draft.notes


def test_a_value_that_is_not_utf_8_is_left_out() -> None:
    draft = Draft([Proposal("web", "run", "f", {"ready": {"log": "a\ud800"}, "cwd": "x"})])
    assert tomllib.loads(draft.overlay()) == {"process": {"web": {"cwd": "x"}}}


def test_there_is_a_limit() -> None:
    draft = Draft(Proposal(f"p{number}", "run", "f") for number in range(MOST + 1))
    assert (len(draft.proposals), len(draft.notes)) == (MOST, 1)
