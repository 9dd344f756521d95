"""Copy what the site is made of to a folder: ``python docs/site/stage.py FOLDER`` (see `make site`).

What is in the repository but not on the site is named by its path, since links to it would lead nowhere.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1]
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


def staged(text: str, page: Path) -> str:
    """Return the text of a page, with the links of the site."""
    parts = _FENCE.split(text)
    parts[::2] = [_LINK.sub(lambda found: _link(found[0], found[1], found[2], page), part) for part in parts[::2]]
    return "".join(parts)


def _link(whole: str, text: str, target: str, page: Path) -> str:
    path, _, anchor = target.partition("#")
    if not path or "://" in path:
        return whole
    file = (page.parent / path).resolve()
    if not file.is_relative_to(DOCS):
        name = file.relative_to(DOCS.parent).as_posix()
        return f"{text} (`{name}`)" if f"`{name}`" != text else text
    if file.name == "README.md" or file.is_dir():
        path = path.removesuffix("README.md").rstrip("/")
        return f"[{text}]({f'{path}/' if path else ''}index.md{'#' * bool(anchor)}{anchor})"
    return whole


def main(folder: Path) -> None:
    """Write the configuration of the site, all pages, the pictures, and a list of the decisions."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("zensical.toml"), folder)
    folder /= "pages"
    for page in sorted((*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md"))):
        to = folder / page.relative_to(DOCS).with_name("index.md" if page.name == "README.md" else page.name)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(staged(page.read_text(encoding="utf-8"), page), encoding="utf-8")
    shutil.copytree(DOCS / "pictures", folder / "pictures", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    titles = [
        f"- [{page.read_text(encoding='utf-8').partition(chr(10))[0].lstrip('# ')}]({page.name})\n"
        for page in sorted(DOCS.glob("decisions/*.md"))
    ]
    (folder / "decisions/index.md").write_text(f"# Decisions\n\n{''.join(titles)}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
