"""The topics of ``procman help TOPIC``: the pages of the documentation, which are in the package."""

from __future__ import annotations

from pathlib import Path

from procman.core.text.markdown import table_rows

_PACKAGE = Path(__file__).parents[2]
# The build puts docs/ into the package. In a source tree, which is used in place, they are beside src/.
FOLDERS = (_PACKAGE / "docs", _PACKAGE.parents[1] / "docs")
INDEX = "README"  # the page that lists the others, each with a line


def text_of(name: str) -> str:
    """Return a page in Markdown. Raises OSError if there is none."""
    return (_folder() / f"{name}.md").read_text(encoding="utf-8")


def topics() -> dict[str, str]:
    """Return the name of each page and what it is about, in the order of the index."""
    found: dict[str, str] = {}
    for link, *about in table_rows(text_of(INDEX)):
        name, is_page, _ = link.rpartition("](")[2].partition(".md)")
        if is_page:
            found[name] = " ".join(about)
    return found


def _folder() -> Path:
    return next((folder for folder in FOLDERS if (folder / f"{INDEX}.md").is_file()), FOLDERS[0])
