"""Parsing .env files: a corpus, and a comparison with python-dotenv itself."""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from dotenv.parser import parse_stream
from hypothesis import given
from hypothesis import strategies as st

from procman.config.envfile import parse_env
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CORPUS = Path(__file__).parent.parent / "core" / "cases" / "envfiles.toml"
CASES: list[dict[str, Any]] = tomllib.loads(CORPUS.read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["claim"])
def test_case_of_the_corpus(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["text"].encode()
    if "error" in case:
        with pytest.raises(ConfigError) as caught:
            parse_env(data, ".env")
        assert caught.value.message == case["error"]
        return
    parsed = parse_env(data, ".env")
    assert parsed.values == case["values"]
    assert parsed.warnings == [".env:" + warning for warning in case["warnings"]]


def test_the_corpus_is_large_and_its_claims_differ() -> None:
    assert len({case["claim"] for case in CASES}) == len(CASES) > 100


ENV_LINES = st.one_of(
    st.text(st.sampled_from("Aa_1= \t'\"#$\\\r\u2028\u00a0é{}"), max_size=10),
    st.from_regex(r"\A[A-C]=['\"]?[a #$]{0,4}['\"]? ?(#c)?\Z"),
)


@given(st.lists(ENV_LINES, max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_lines_read_without_python_dotenv_are_read_as_python_dotenv_reads_them(lines: list[str], end: str) -> None:
    text = end.join(lines)
    if any("'" in line and "\\" in line for line in lines):
        return  # the one difference that is meant
    bindings = parse_stream(io.StringIO(text, newline=""))
    expected = {str(each.key): each.value for each in bindings if each.value is not None}
    assert parse_env(text.encode(), ".env").values == expected


@given(st.binary(max_size=40))
def test_no_bytes_at_all_make_it_raise_anything_else(data: bytes) -> None:
    with suppress(ConfigError):
        parse_env(data, ".env")


def test_the_line_of_each_variable_is_known() -> None:
    parsed = parse_env(b'# one\nA=1\nB="2\n3"\n\nexport C=4\nA=5\n', ".env")
    assert parsed.lines == {"A": 7, "B": 3, "C": 6}


PEM = "KEY=-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc/+d=\nqwerty==\n-----END RSA PRIVATE KEY-----\nB=1\n"


def test_lines_of_one_kind_are_one_warning_without_their_text() -> None:
    parsed = parse_env(PEM.encode(), ".env")
    assert list(parsed.values) == ["KEY", "B"]
    assert parsed.warnings == [
        '.env:2: lines 2 to 5 have no "=" and are ignored; a value of several lines needs quotes'
    ]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((3, 9), "lines 3 and 9"),
        ((3, 4), "lines 3 and 4"),
        ((3, 5, 9), "lines 3, 5 and 9"),
        ((1, 3, 5, 7, 9, 11, 13), "lines 1, 3, 5, 7, 9 and 2 more"),
    ],
)
def test_lines_are_named_by_number(numbers: tuple[int, ...], words: str) -> None:
    text = "\n".join("hush" if line in numbers else "A=1" for line in range(1, 14))
    (warning,) = parse_env(text.encode(), ".env").warnings
    assert warning.startswith(f".env:{numbers[0]}: {words} have no ")
    assert "hush" not in warning


def test_json_is_one_warning() -> None:
    parsed = parse_env(b'{\n  "A": "1",\n  "B": "x=y"\n}\n', ".env")
    assert parsed.warnings == [".env:1: this is JSON and is ignored; an env file has lines such as KEY=value"]
    assert not parsed.values


@pytest.mark.parametrize(
    ("text", "imported"),
    [
        ("", False),
        ("A=1\n# x\nB='2 3'\nC=\"4 5\"\n\n", False),
        ("export A=1\n", True),
        ("A=1 # x\n", True),
    ],
)
def test_python_dotenv_is_imported_only_for_lines_that_need_it(text: str, imported: bool) -> None:
    script = f"import sys; from procman.config.envfile import parse_env; parse_env({text.encode()!r}, '');"
    script += "print('dotenv' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{imported}\n"
