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

# The form, and what to write instead. Programs, processes and clients are "it"; users may be "who".
BANNED = {
    re.compile(pattern, re.IGNORECASE): instead
    for pattern, instead in {
        r"(?<!there )\b(is|are|was|were) no (?!longer|more|less)": "is not a, unknown, invalid",
        r"\b(nobody|somebody|everybody|anybody|whoever|whom)\b": "nothing, anything, whichever process, what",
        r"\b(he|him|his)\b": "it, its",
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
    }.items()
}

EXCEPTIONS: dict[str, dict[str, str]] = {  # the file, the phrase, the reason
    "examples/wicked/half-lines.sh": {"nobody answered": "a question to a person"},
}

# Parts of the source that are still to be rewritten.
TO_DO: tuple[str, ...] = (
    "cli/commands",
    "config/envfile.py",
    "core/lifecycle",
    "core/model",
    "core/procfile",
    "core/text",
    "output/sanitize",
    "output/screen",
    "output/sinks",
    "runtime/guardian",
    "runtime/health",
    "runtime/loop",
    "runtime/processes",
    "runtime/reload.py",
    "runtime/system",
    "runtime/terminal",
)

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
    )
    for path in ROOT.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts
)
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in SOURCE.rglob("*.py")
    if not path.relative_to(SOURCE).as_posix().startswith(TO_DO)
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The strings and comments of a Python file, or a whole document, each with the number of its first line."""
    if path.suffix != ".py":
        yield 1, path.read_text(encoding="utf-8")
        return
    with tokenize.open(path) as file:
        yield from (
            (token.start[0], token.string)
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT
        )
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def slips(name: str) -> Iterator[str]:
    """Each banned form in the file, with its place and what to write instead."""
    excused = EXCEPTIONS.get(name, {})
    for first, words in texts(ROOT / name):
        plain = re.sub(r"\s", " ", words)  # line ends may be within a phrase
        for phrase in excused:
            plain = plain.replace(phrase, " " * len(phrase))
        for pattern, instead in BANNED.items():
            for found in pattern.finditer(plain):
                line = first + words.count("\n", 0, found.start())
                yield f"{name}:{line}: {found.group()!r}; write: {instead}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_plain_english(name: str) -> None:
    assert list(slips(name)) == []


def test_the_source_is_plain_english() -> None:
    assert [slip for name in MODULES for slip in slips(name)] == []


def test_every_exception_is_needed() -> None:
    for name, phrases in EXCEPTIONS.items():
        whole = " ".join(re.sub(r"\s", " ", words) for _, words in texts(ROOT / name))
        for phrase in phrases:
            assert phrase in whole, f"{name} does not contain {phrase!r}"
            assert any(pattern.search(phrase) for pattern in BANNED), f"{phrase!r} is not banned"
