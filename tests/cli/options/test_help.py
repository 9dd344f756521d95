"""Help: every page fits a screen and names every option, and ``procman`` alone shows it, too."""

from __future__ import annotations

import pytest

from procman.cli.options.help import overview, page
from procman.cli.options.session_table import COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness


@pytest.mark.parametrize("text", [overview(), *map(page, COMMANDS.values())], ids=["procman", *COMMANDS])
def test_a_page_fits_a_screen(text: str) -> None:
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_names_every_option_and_shows_examples(name: str) -> None:
    command = COMMANDS[name]
    text = page(command)
    assert [flag for option in command.options for flag in option.long_flags[:1] if flag not in text] == []
    assert all(line in text for line, _ in command.examples)


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name].options])
def test_help_all_explains_every_option(place: harness.Place, name: str) -> None:
    done = place.call(name, "--help-all")
    assert done.code == 0
    assert all(option.help.split()[0] in done.out for option in COMMANDS[name].options if option.help)
    assert "More, explained" not in done.out


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)], ids=str)
def test_procman_alone_helps_and_is_no_error(place: harness.Place, words: tuple[str, ...]) -> None:
    done = place.call(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: procman COMMAND")


@pytest.mark.parametrize(
    "words", [("start", "--help"), ("start", "-h"), ("help", "start"), ("start", "web", "-h")], ids=str
)
def test_a_command_helps_in_every_usual_way(place: harness.Place, words: tuple[str, ...]) -> None:
    done = place.call(*words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: procman start")


def test_help_of_the_child_of_run_is_its_own(place: harness.Place) -> None:
    assert place.call("run", "echo", "--help", "-h").out != place.call("run", "--help").out
