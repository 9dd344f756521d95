"""``procman help TOPIC``: every page of the documentation, on a pipe, on a terminal, and from the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import harness
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.topics import text_of, topics

ROOT = Path(__file__).parents[3]
PAGES = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"README"}


def test_every_page_is_a_topic_with_a_line() -> None:
    assert set(topics()) == PAGES
    assert [name for name, about in topics().items() if not about] == []


def test_help_lists_the_topics_and_names_every_command(place: harness.Place) -> None:
    done = place.call("help")
    assert (done.code, done.err) == (0, "")
    terms = {line.split()[0] for line in done.out.splitlines() if line.startswith("  ")}
    assert terms >= PAGES
    assert [name for name in COMMANDS if name not in done.out] == []


@pytest.mark.parametrize("topic", sorted(PAGES))
def test_a_page_is_plain_on_a_pipe(place: harness.Place, topic: str) -> None:
    done = place.call("help", topic)
    assert (done.code, done.err) == (0, "")
    assert text_of(topic).splitlines()[0] in done.out
    assert "\x1b" not in done.out
    assert "](" not in done.out
    prose = [line for line in done.out.splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= 80


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("words", [[], ["start"], ["wait"]])
def test_a_full_disk_is_not_a_missing_page(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([harness.PROCMAN, "help", *words], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (
        70,
        b"procman: cannot write to standard output: No space left on device\n",
    )


def test_a_command_and_the_overlay_have_their_reference_before_their_page(place: harness.Place) -> None:
    for topic, first, page in (
        ("start", "Usage: procman start", "# start: "),
        ("overlay", "A [process.NAME] table", "# The overlay"),
    ):
        out = place.call("help", topic).out
        assert out.startswith(first)
        assert page in out
    assert place.call("help", "scale").out == place.call("scale", "--help").out
    assert place.call("help", "status").out == place.call("ps", "--help").out


def test_a_page_names_the_topics_that_it_links_to(place: harness.Place) -> None:
    assert "\nSee also:\n" in place.call("help", "start").out
    assert "  procman help overlay\n" in place.call("help", "start").out


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("overlai",), 'unknown topic "overlai"', 'did you mean "overlay"?'),
        (("qqqqqqq",), 'unknown topic "qqqqqqq"', "procman help lists all of them"),
        (("start", "web"), "help takes one topic", "procman help lists all of them"),
    ],
)
def test_an_unknown_topic_is_one_sentence(
    place: harness.Place, words: tuple[str, ...], message: str, hint: str
) -> None:
    done = place.call("help", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"procman: {message}\nhint: {hint}\n"


@pytest.mark.parametrize(
    ("word", "page"),
    [("CELERY", "django"), ("depends_on", "overlay"), ("install", "getting-started"), ("scaffold(", ""), ("zz", "")],
)
def test_a_word_of_the_pages_leads_to_them(place: harness.Place, word: str, page: str) -> None:
    hint = place.call("help", word).err.splitlines()[1]
    assert f"{hint}\n,".startswith(
        f"hint: see procman help {page}" if page else "hint: procman help lists all of them\n"
    )


def test_a_long_page_goes_through_the_pager_of_a_terminal(place: harness.Place) -> None:
    code = "import sys\nprint('PAGED', len(sys.stdin.read()) > 1000)\n"
    pager = place.write("pager", f"#!{sys.executable}\n{code}", 0o700)
    session = place.session("help", "overlay", pty=True, env={"PAGER": str(pager)})
    session.wait_for("PAGED True")
    assert session.wait() == 0


def test_a_page_that_fits_does_not(place: harness.Place) -> None:
    session = place.session("help", "resume", pty=True, env={"PAGER": "false"})
    session.wait_for("Resume paused processes")
    assert session.wait() == 0


def test_on_a_terminal_code_has_a_color_and_no_backticks(place: harness.Place) -> None:
    session = place.session("help", "run", pty=True, env={"PAGER": "cat"})
    session.wait_for(r"\x1b\[1m# run")
    assert session.wait() == 0
    assert "`" not in session.text


def test_without_the_pages_help_says_so(place: harness.Place, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from procman.cli.options import topics;"
        f" topics.FOLDERS = (Path({str(tmp_path / 'none')!r}),);"
        " from procman.cli.main import main; sys.exit(main(['help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=harness.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("procman: this installation lacks the pages of the documentation")


def test_the_wheel_has_every_page_and_no_decision(tmp_path: Path) -> None:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed (PyPI)")
    (made,) = builder.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(made) as wheel:
        names = set(wheel.namelist())
    pages = {Path(name).stem for name in names if name.startswith("procman/docs/")}
    assert pages == PAGES | {"README"}
    assert "procman/cli/main.py" in names
    assert not {name for name in names if name.startswith("docs/") or "decisions" in name}
