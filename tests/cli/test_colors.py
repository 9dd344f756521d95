"""Colors of check, ps, why and help."""

from __future__ import annotations

import pytest

from procman.cli.colors import colored_page, with_severity
from procman.output.palette import Palette

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness


@pytest.mark.parametrize(
    ("line", "colored"),
    [
        ("Procfile:3:1: error: no: hint: x", "Procfile:3:1: \x1b[31merror\x1b[0m: no: hint: x"),
        ("warning: a: error: b", "\x1b[33mwarning\x1b[0m: a: error: b"),
        ("Procfile: ok — 1 process type (web)", "Procfile: \x1b[32mok — 1 process type (web)\x1b[0m"),
        ("A=1 error", "A=1 error"),
    ],
)
def test_the_severity_of_a_line_has_a_color(line: str, colored: str) -> None:
    assert with_severity(line, Palette(True)) == colored
    assert with_severity(line, Palette(False)) == line


def test_help_has_bold_headings_and_colored_names() -> None:
    page = colored_page("Usage: x\n\nMore:\n  -f FILE  a file\n", Palette(True))
    assert page == "\x1b[1mUsage:\x1b[0m x\n\n\x1b[1mMore:\x1b[0m\n  \x1b[36m-f FILE\x1b[0m  a file\n"


def test_check_ps_and_why_have_colors_where_the_user_wants_them(place: harness.Place) -> None:
    place.procfile("good: sleep 600\nbad: exit 3\n")
    assert "\x1b[32mok — 2" in place.call("check", "--color=always").out
    place.start("--restart", "never").wait_for("bad.1 FAILED")
    table = place.call("ps", "--color=always").out
    assert "  \x1b[32mrunning\x1b[0m" in table
    assert "\x1b[31mbad.1" in table
    assert "\x1b[31mbad.1\x1b[0m: gave up" in place.call("why", "bad", "--color=always").out
    for words in ("check", "ps", "why", "--help"):
        assert "\x1b" not in place.call(words).out


def test_quiet_system_silences_our_own_lines(place: harness.Place) -> None:
    place.procfile("web: echo only this\n")
    assert place.call("start", "--no-prefix", "--quiet", "system").out == "only this\n"
    assert (
        '"system"' not in place.call("start", "--format", "json", "-q", "system", "--no-port").out.split('"event"')[0]
    )
