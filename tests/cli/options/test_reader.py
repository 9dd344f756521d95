"""The reader and click: every command line that the reader accepts means the same to both."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procman.cli.options.click_app import parse
from procman.cli.options.reader import read
from procman.cli.options.session_table import COMMANDS
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from procman.cli.options.table import Invocation

PLAIN = [name for name, command in COMMANDS.items() if isinstance(command.words, str)]


def told(invocation: Invocation | None) -> object:
    """Return an invocation in a form that can be compared."""
    if invocation is None:
        return None
    given_texts = {option.flags: texts for option, texts in invocation.given.items()}
    dashes = invocation.after_dashes and COMMANDS[invocation.command].words == "COMMAND"
    return invocation.command, given_texts, invocation.words, dashes


def by_click(argv: list[str]) -> object:
    try:
        return told(parse(argv))
    except UsageError as error:
        return error.message


def forms() -> list[list[str]]:
    """Return command lines with every flag of every command, in each usual form."""
    found = []
    for name in PLAIN:
        words = [] if COMMANDS[name].words == "NAMES" else ["web"]
        for option in COMMANDS[name].options:
            for flag in option.flags if option.kind != "optional" else ():
                if option.kind == "switch":
                    found.append([name, flag, *words])
                else:
                    joined = f"{flag}=value" if flag.startswith("--") else f"{flag}value"
                    found += [[name, flag, "value", *words], [name, joined, *words]]
    return found


@pytest.mark.parametrize("argv", forms(), ids=" ".join)
def test_the_reader_takes_every_usual_form_as_click_does(argv: list[str]) -> None:
    found = read(argv)
    assert found is not None
    assert told(found) == by_click(argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["start"],
        ["start", "web", "worker=2"],
        ["start", "web", "-p", "5000", "worker", "--no-color", "--", "-odd", "--"],
        ["start", "-m", "web=2", "-m", "web=3"],
        ["start", "-"],
        ["start", ""],
        ["start", "-p", ""],
        ["start", "-x", "a,b", "--exclude=c", "--exclude", "d=e=f"],
        ["start", "--raw", "--raw"],
        ["run", "web", "--port", "1", "-h", "--", "x"],
        ["run", "--", "python", "-c", "pass", "--help"],
        ["run", "--", "--odd"],
        ["run", "-e", ".env.test", "-"],
        ["check", "--json", "web"],
    ],
    ids=" ".join,
)
def test_the_reader_takes_words_and_options_in_any_order(argv: list[str]) -> None:
    found = read(argv)
    assert found is not None
    assert told(found) == by_click(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--help"],
        ["strat"],
        ["completion", "bash"],
        ["start", "--help"],
        ["start", "-h"],
        ["start", "-p"],
        ["start", "-p", "-1"],
        ["start", "-p=1"],
        ["start", "--port="],
        ["start", "--prot", "1"],
        ["start", "--color=yes"],
        ["start", "--formatio", "web=1"],
        ["run"],
        ["run", "--"],
        ["run", "-p", "1", "web"],
    ],
    ids=" ".join,
)
def test_the_reader_leaves_the_rest_to_click(argv: list[str]) -> None:
    assert read(argv) is None


@st.composite
def lines(draw: DrawFn) -> list[str]:
    name = draw(st.sampled_from(PLAIN))
    flags = [flag for option in COMMANDS[name].options for flag in option.flags] or ["--none"]
    odd: SearchStrategy[str] = st.sampled_from(
        ["--", "-", "", "-h", "--help", "-1", "--no", "-z", "--=x", "-=", "a=b", "é"]
    )
    pieces = st.one_of(
        st.sampled_from(flags),
        st.builds("{}={}".format, st.sampled_from(flags), st.sampled_from(["", "1", "a=b", "-x", "="])),
        st.builds("{}{}".format, st.sampled_from(flags), st.sampled_from(["1", "=1", "-1", "web,css", "h"])),
        st.sampled_from(["web", "worker=2", "1", "any", "-m"]),
        odd,
        st.text("-=pmh ", max_size=4),
    )
    return [name, *draw(st.lists(pieces, max_size=6))]


@settings(max_examples=1500, deadline=None)
@given(lines())
def test_the_reader_never_disagrees_with_click(argv: list[str]) -> None:
    found = read(argv)
    if found is not None:
        assert told(found) == by_click(argv)
