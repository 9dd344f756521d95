"""The site: built strictly from the pages, with every page in its navigation."""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LIMIT = 120.0  # seconds


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make site` does."""
    program = Path(sys.executable).with_name("zensical")
    if not program.exists():
        pytest.skip("zensical is not installed (PyPI)")
    words = [str(program), "build", "--strict"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the site is built in."""
    folder = tmp_path_factory.mktemp("site") / "website"
    subprocess.run([sys.executable, DOCS / "site/stage.py", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def site(staged: Path) -> Path:
    """Return the folder of the finished site."""
    done = build(staged)
    assert done.returncode == 0, done.stdout + done.stderr
    return staged / "site"


class Page(html.parser.HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where the tag leads, and its name."""
        values = dict(attrs)
        self.links += [link for key in ("href", "src") if (link := values.get(key))]
        self.anchors |= {value for key in ("id", "name") if (value := values.get(key))}


def test_every_page_is_in_the_navigation_once() -> None:
    nav = tomllib.loads((DOCS / "site/zensical.toml").read_text())["project"]["nav"]
    pages = re.findall(r"[\w-]+\.md", str(nav))
    assert sorted(pages) == sorted({path.name for path in DOCS.glob("*.md")} - {"README.md"} | {"index.md"})


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 80
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:|//", link):
                continue
            target, _, anchor = link.partition("#")
            file = (path.parent / unquote(target)).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or (anchor and file in pages and unquote(anchor) not in pages[file].anchors):
                wrong.append((path.relative_to(site).as_posix(), link))
    assert wrong == []


def test_the_site_needs_no_other_server(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="(?:https?:)?//[^"]*"', text) == []


def test_a_broken_link_ends_the_build(staged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(staged, folder, ignore=shutil.ignore_patterns("site", ".cache"))
    with (folder / "pages/run.md").open("a") as page:
        page.write("\n[nothing](nothing.md)\n")
    assert build(folder).returncode != 0
