"""The documents agree with the code: links lead somewhere, flags exist, Procfiles parse, the map is complete."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from procman.cli.commands.agents import text as text_for_agents
from procman.cli.commands.start import AGENT_VARIABLES
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import ALIASES
from procman.core.procfile.parser import parse_procfile

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for folder in (".", "docs", "docs/decisions", "examples/*", "benchmarks")
    for path in ROOT.glob(f"{folder}/*.md")
)
GENERAL = {"--help", "--help-all", "--version", "-h"}
FLAGS = {
    name: {flag for option in command.options for flag in option.flags} | GENERAL for name, command in COMMANDS.items()
}
FLAGS.update({alias: FLAGS[name] for alias, name in ALIASES.items()})
ANY_FLAG = set().union(*FLAGS.values())
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def anchors_of(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(FENCE.sub("", text(document))):
        if link.startswith(("http:", "https:")):
            continue
        page, _, anchor = link.partition("#")
        target = (ROOT / document.parent / page).resolve() if page else (ROOT / document).resolve()
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target.relative_to(ROOT)), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_procfiles_in_documents_are_sound(document: Path) -> None:
    for language, body in FENCE.findall(text(document)):
        if language == "Procfile":
            assert parse_procfile(body.encode()).errors == (), body


def test_the_page_of_options_has_each_of_them_and_no_other() -> None:
    page = text(Path("docs/options.md"))
    told = set(re.findall(r"`(--?[a-zA-Z][a-z-]*)", page))
    assert told == (ANY_FLAG - GENERAL) | {"--version"}  # also an option of deploy


def test_counterparts_for_those_who_come_from_elsewhere_exist() -> None:
    page = text(Path("docs/coming-from.md"))
    cells = [line.split(" | ")[1] for line in page.splitlines() if line.startswith("| `") and line.count(" | ") > 1]
    assert len(cells) > 100
    assert {flag for cell in cells for flag in FLAG.findall(cell)} <= ANY_FLAG


def test_command_lines_in_documents_use_flags_that_their_command_has() -> None:
    for document in DOCUMENTS:
        for command, words in re.findall(rf"procman ({'|'.join(FLAGS)})\b([^`\n#|;&]*)", text(document)):
            own = words.partition(" -- ")[0]
            assert set(FLAG.findall(own)) - {"--verbose"} <= FLAGS[command], f"{document}: procman {command}{words}"


def test_the_section_for_coding_agents_is_what_the_command_prints() -> None:
    page = text(Path("docs/agents.md"))
    assert f"```markdown\n{text_for_agents(('web', 'worker'))}```\n" in page
    assert [name for name in AGENT_VARIABLES if f"`{name}`" not in page] == []


def test_the_tests_named_by_the_page_of_reliability_exist() -> None:
    named = set(re.findall(r"`(test_[a-z_]+)`", text(Path("docs/reliability.md"))))
    assert named <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}


def rooms() -> set[str]:
    """The folders of the source, such as `core/text`."""
    source = ROOT / "src" / "procman"
    folders = (folder for folder in source.glob("**/") if (folder / "__init__.py").exists())
    return {folder.relative_to(source).as_posix() for folder in folders} - {"."}


def test_the_map_of_the_architecture_names_each_room_once() -> None:
    page = text(Path("ARCHITECTURE.md"))
    assert len(page.splitlines()) <= 150
    named = re.findall(r"^\| `([a-z/]+)/` \|", page, re.MULTILINE)
    assert sorted(named) == sorted(rooms())


def test_paths_in_the_architecture_exist() -> None:
    page = text(Path("ARCHITECTURE.md"))
    for path in re.findall(r"`((?:src|tests|docs|examples|benchmarks)/[^`\s]*)`", page):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:core|config|output|runtime|export|cli)/[^`\s]*)`", page):
        assert (ROOT / "src" / "procman" / path).exists(), path


def test_names_in_the_architecture_exist() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    for name in re.findall(r"`([A-Z][a-z]\w+(?:\.\w+)?)`", text(Path("ARCHITECTURE.md"))):
        kind, _, method = name.partition(".")
        assert kind == "Procfile" or f"class {kind}" in source, name
        assert f"def {method}" in source, name


def test_the_picture_of_the_architecture_shows_each_room() -> None:
    specification = importlib.util.spec_from_file_location("rooms", ROOT / "docs" / "pictures" / "rooms.py")
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    drawn = {f"{ring}/{room}" for ring, (_, inner) in script.RINGS.items() for room in inner}
    assert drawn | set(script.RINGS) == rooms() | {"errors"}
    assert script.drawing() == text(Path("docs/pictures/rooms.svg")), "run: make pictures"


def test_decisions_are_numbered_without_gaps_and_titled_by_their_number() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert record.read_text(encoding="utf-8").startswith(f"# {record.name[:4]}: "), record.name
