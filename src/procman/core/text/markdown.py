"""The pages of the documentation as plain lines for a terminal: the Markdown that they use, and no other."""

from __future__ import annotations

import re
import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Paint = Callable[[str], str]

GAP = 2  # columns between two columns of a table
_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s]*)\)")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_ITEM = re.compile(r"(?:[-*]|\d+\.) +")
_RULE = re.compile(r"\|[ :|-]+\|")
_CELL_END = re.compile(r"(?<!\\)\|")


def linked_pages(text: str) -> list[str]:
    """Return the names of the pages beside this one that it links to, without repetitions."""
    targets = (target.partition("#")[0] for _, target in _LINK.findall(text))
    return list(dict.fromkeys(target[:-3] for target in targets if target.endswith(".md") and "/" not in target))


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of tables, without the lines between head and body."""
    lines = (line for line in text.splitlines() if line.startswith("|"))
    return [_cells(line) for line in lines if not _RULE.fullmatch(line)]


def rendered(text: str, width: int, heading: Paint = str, code: Paint | None = None) -> list[str]:
    """Return the lines of a page, at most ``width`` columns wide except for code.

    ``heading`` and ``code`` add colors. Without ``code``, the backticks stay, since they show where a command ends.
    Pictures are left out.
    """
    lines: list[str] = []
    for kind, block in _blocks(text):
        if kind == "code":
            lines += [f"    {line}".rstrip() for line in block]
        elif kind == "heading":
            lines.append(heading(_plain(block[0])))
        elif kind == "table":
            lines += _painted(_table(block, width), code)
        else:
            lines += _painted(_paragraph(block, width), code)
        if kind != "item":
            lines.append("")
    return _without_double_gaps(lines)


def _paragraph(block: Iterable[str], width: int) -> list[str]:
    """Return a paragraph or an item of a list, whose later lines are indented."""
    plain = _plain(" ".join(line.strip() for line in block)).strip()
    mark = _ITEM.match(plain)
    return _wrapped(plain, width, "", " " * len(mark[0]) if mark else "")


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the blocks of a page: code, headings, tables, paragraphs, items of lists, and an empty gap after a list."""
    kind, block = "", list[str]()
    for line in text.splitlines():
        if (kind == "code" and line != "```") or (kind == "item" and line.startswith("  ")):
            block.append(line)
            continue
        if line.startswith("<!-- "):  # a note for the tests of the pages
            continue
        found = "" if kind == "code" else _kind(line)
        if found != kind or found in ("item", "heading"):
            if block:
                yield kind, block
            if kind == "item" and found != "item":
                yield "gap", []
            block = []
        kind = found
        if found not in ("", "code"):
            block.append(line)
    if block:
        yield kind, block


def _kind(line: str) -> str:
    """Return the kind of block that a line begins or continues."""
    if not line.strip():
        return ""
    if line.startswith("```"):
        return "code"
    if line.startswith("#"):
        return "heading"
    if line.startswith("|"):
        return "table"
    return "item" if _ITEM.match(line) else "paragraph"


def _table(lines: Iterable[str], width: int) -> list[str]:
    """Return a table in columns, or, if it is too wide, each row as a term with its explanations below it."""
    rows = [[_plain(cell) for cell in row] for row in table_rows("\n".join(lines))]
    head, *body = rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    if sum(widths) + GAP * len(widths) <= width:
        shown = rows if any(head[1:]) else body
        return [_in_columns(row, widths) for row in shown]
    found: list[str] = []
    for row in body:
        found += _wrapped(row[0] or "·", width, "  ", "  ")
        for title, cell in zip(head[1:], row[1:], strict=False):
            text = f"{title}: {cell}" if title and len(row) > 2 else cell
            found += _wrapped(text, width, "      ", "      ") if cell else []
    return found


def _in_columns(row: list[str], widths: list[int]) -> str:
    cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=False))
    return ("  " + (" " * GAP).join(cells)).rstrip()


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line.strip())[1:-1]]


def _plain(text: str) -> str:
    """Return the text without pictures, the targets of links, and the marks of bold text."""
    without = _LINK.sub(lambda found: "" if found[0].startswith("!") else found[1], text)
    return _BOLD.sub(r"\1", without)


def _wrapped(text: str, width: int, first: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(lines: Iterable[str], code: Paint | None) -> list[str]:
    """Return the lines with what is between backticks in color, also across the end of a line."""
    if code is None:
        return list(lines)
    found, inside = [], False
    for line in lines:
        parts = []
        for at, part in enumerate(line.split("`")):
            inside = not inside if at else inside
            blank = len(part) - len(part.lstrip(" "))
            parts.append(part[:blank] + code(part[blank:]) if inside and part.strip() else part)
        found.append("".join(parts))
    return found


def _without_double_gaps(lines: Iterable[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line or (found and found[-1]):
            found.append(line)
    return found[:-1] if found and not found[-1] else found
