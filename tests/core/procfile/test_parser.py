"""The grammar of the Procfile: a corpus of files, and a comparison with the pattern of similar tools."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.core.procfile.parser import parse_procfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parents[1] / "cases" / "procfiles.toml").read_text())[
    "case"
]

# foreman, honcho, forego and nf; ours trims the command's end too.
PEERS = re.compile(r"^([A-Za-z0-9_-]+):[ \t\f\v\r]*(.+)$", re.DOTALL)
LINES = st.text(st.sampled_from("ab-_1:# \t\f\v\r\u2028é&\\$\"'=."), max_size=12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["claim"])
def test_case_of_the_corpus(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode()
    procfile = parse_procfile(data)
    assert [[type_.name, type_.command, type_.line] for type_ in procfile.process_types] == case["types"]
    assert [problem.at("Procfile") for problem in procfile.problems] == ["Procfile:" + at for at in case["problems"]]


def test_the_corpus_is_large_and_its_claims_differ() -> None:
    assert len({case["claim"] for case in CASES}) == len(CASES) > 100


@given(st.lists(LINES, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_a_procfile_without_errors_means_what_it_means_to_the_peers(lines: list[str], end: str) -> None:
    procfile = parse_procfile(end.join(lines).encode())
    matches = [PEERS.match(line.rstrip(" \t\r\f\v")) for line in lines]
    if not procfile.errors:
        assert [(t.name, t.command) for t in procfile.process_types] == [m.groups() for m in matches if m]


@given(st.lists(LINES, max_size=6))
def test_a_line_is_a_process_or_a_comment_or_blank_or_an_error(lines: list[str]) -> None:
    procfile = parse_procfile("\n".join(lines).encode())
    spoken_for = {type_.line for type_ in procfile.process_types} | {problem.line for problem in procfile.errors}
    silent = [line for number, line in enumerate(lines, 1) if number not in spoken_for]
    assert all(line.strip(" \t\r\f\v")[:1] in {"", "#"} for line in silent)


@given(st.binary(max_size=60))
def test_no_bytes_at_all_make_it_raise(data: bytes) -> None:
    procfile = parse_procfile(data)
    assert procfile.process_types or procfile.errors


def test_the_index_counts_process_types_and_not_lines() -> None:
    procfile = parse_procfile(b"# hello\n\nweb: a\n\nworker: b\n")
    assert [type_.index for type_ in procfile.process_types] == [0, 1]


def test_get_finds_a_type_by_its_exact_name() -> None:
    procfile = parse_procfile(b"web: a\nWorker: b\n")
    found = procfile.get("Worker")
    assert found is not None
    assert found.command == "b"
    assert procfile.get("worker") is None


def test_errors_and_warnings_are_told_apart_and_hints_are_neither() -> None:
    procfile = parse_procfile(b"web: flask run\nworker: b &\nclock\n")
    assert [problem.line for problem in procfile.errors] == [3]
    assert [problem.line for problem in procfile.warnings] == [2]
    assert [problem.severity for problem in procfile.problems] == ["hint", "warning", "error"]
