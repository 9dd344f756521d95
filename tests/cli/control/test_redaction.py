"""Secrets are kept out of what is shown."""

from __future__ import annotations

import pytest

from procman.cli.control.log_filter import LineFilter
from procman.cli.control.redaction import CUT, Redaction

REDACTION = Redaction(
    [("API_TOKEN", "t0ken-t0ken"), ("URL", "redis://ada:l0velace@db"), ("PORT", "5000-5999"), ("PIN", "1234")],
    {"SHELL_SECRET": "from-the-shell", "SSH_AUTH_SOCK": "/run/agent.socket", "HOME": "/home/ada"},
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a t0ken-t0ken b", "a ******** b"),
        ("redis://ada:l0velace@db", "redis://ada:********@db"),
        ("from-the-shell", "********"),
        ("5000-5999 1234 /run/agent.socket /home/ada", "5000-5999 1234 /run/agent.socket /home/ada"),
        (f"cut t0ken{CUT}", f"cut ********{CUT}"),
        ("t0ken", "t0ken"),
    ],
)
def test_values_of_secrets_are_masked_and_no_others(text: str, shown: str) -> None:
    assert REDACTION.text(text) == shown


def test_colors_do_not_hide_a_secret_in_lines() -> None:
    assert REDACTION.lines(b"a \x1b[31mt0ken\x1b[0m-t0ken\n\xff\n") == b"a ********\n\xff\n"


@pytest.mark.parametrize("pattern", ["t0k", "^a t", "n b$", "^a .{11} b$"])
def test_a_pattern_is_searched_for_in_what_is_shown(pattern: str) -> None:
    line_filter = LineFilter(pattern, redaction=REDACTION)
    assert list(line_filter.matches("stdout", b"a t0ken-t0ken b\na \x1b[1mt0k\x1b[0men-t0ken b\n")) == []
    assert list(LineFilter(pattern).matches("stdout", b"a t0ken-t0ken b\n")) == [0]
