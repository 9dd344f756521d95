"""Plain English in documents, comments, docstrings and messages: a short list of forms that do not belong there."""

from __future__ import annotations

import ast
import re
import tokenize
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "procman"
TESTS = ROOT / "tests"

# The form, and what to write instead. Programs, processes and clients are "it"; users may be "who".
BANNED = {
    re.compile(pattern, re.IGNORECASE): instead
    for pattern, instead in {
        r"(?<!there )\b(is|are|was|were) no (?!longer|more|less|reason)": "is not a, unknown, invalid",
        r"\b(nobody|somebody|everybody|anybody|whoever|whom)\b": "nothing, anything, whichever process, what",
        r"\b(?-i:[Hh](?:e|im|is))\b": "it, its",
        r"\bwho (has|is|does|waits|asks|says|reads|writes|ends|dies)\b": "a process that",
        r"\b(anew|afresh)\b": "again, re-",
        r"\bshall\b": "must, will, or the present tense",
        r"\bto be had\b": "available",
        r"\bstands? in\b": "is in",
        r"\bas in:": "as in",
        r"\bkin\b": "and the like",
        r"\blest\b": "so that … not",
        r"\bwhatsoever\b": "at all",
        r"\ba text\b": "a string",
        r"\basked to (stop|end)\b": "sent the stop signal, stopping",
        r"\b(goes|went) on\b(?! (the|a) )": "continues",
        r"\b(is|are|was|were|be|been) asked\b(?! for)": "gets the signal, gets the request",
        r"\b(ends?|exits?|dies|stops?|kill(s|ed)?|starts?|obeys?|written|shown|reaped) at once\b": "immediately",
        r"\b(has|have|had) (its|their) turn\b": "is next, is handled",
        r"\bin the place of\b": "instead of",
        r"\banother \w+ than\b": "a … other than",
        r"\bspeaks? of\b": "mentions",
        r"\blooks? whether\b": "checks whether",
        r"(?<!when )(?<!if )\bin doubt\b": "when in doubt",
        r"\b(dependants?\b|for ever\b|process' )": "dependent, forever, process's",
        r"\bWindows line ends\b": "Windows line endings",
        r"\bby custom\b": "by default, usually",
    }.items()
}

EXCEPTIONS: dict[str, dict[str, str]] = {  # the file, the phrase, the reason
    "examples/wicked/half-lines.sh": {"nobody answered": "a question to a person"},
}

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "docs/*.md",
        "docs/decisions/*.md",
        "docs/pictures/*.py",
        "examples/**/*",
        "benchmarks/*",
        "man/*",
        "Makefile",
        "Procfile.example",
    )
    for path in ROOT.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts
)
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (SOURCE, TESTS)
    for path in folder.rglob("*.py")
    if path != Path(__file__)
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The comments and strings of a Python file, or a whole document, each with the number of its first line.

    Tests quote messages and names of all kinds, so of their strings only the docstrings count.
    """
    if path.suffix != ".py":
        yield 1, path.read_text(encoding="utf-8")
        return
    with tokenize.open(path) as file:
        yield from (
            (token.start[0], token.string)
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT
        )
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from docstrings(tree) if path.is_relative_to(TESTS) else strings(tree)


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def slips(name: str) -> Iterator[str]:
    """Each banned form in the file, with its place and what to write instead."""
    excused = EXCEPTIONS.get(name, {})
    everything = re.sub(r"\s", " ", (ROOT / name).read_text(encoding="utf-8"))
    suspects = {pattern: instead for pattern, instead in BANNED.items() if pattern.search(everything)}
    if not suspects:
        return  # most files need no parsing
    for first, words in texts(ROOT / name):
        plain = re.sub(r"\s", " ", words)  # line ends may be within a phrase
        for phrase in excused:
            plain = plain.replace(phrase, " " * len(phrase))
        for pattern, instead in suspects.items():
            for found in pattern.finditer(plain):
                line = first + words.count("\n", 0, found.start())
                yield f"{name}:{line}: {found.group()!r}; write: {instead}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_plain_english(name: str) -> None:
    assert list(slips(name)) == []


def test_the_code_is_plain_english() -> None:
    assert [slip for name in MODULES for slip in slips(name)] == []


def test_every_exception_is_needed() -> None:
    for name, phrases in EXCEPTIONS.items():
        whole = " ".join(re.sub(r"\s", " ", words) for _, words in texts(ROOT / name))
        for phrase in phrases:
            assert phrase in whole, f"{name} does not contain {phrase!r}"
            assert any(pattern.search(phrase) for pattern in BANNED), f"{phrase!r} is not banned"
