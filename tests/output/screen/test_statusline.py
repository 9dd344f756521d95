from __future__ import annotations

import re

import pytest

from procman.output.palette import Palette
from procman.output.screen.statusline import LOCALES, MIN_COLUMNS, Group, speaks_unicode, status_line

PLAIN = Palette(False)
GROUPS = [Group("web", 2, 2, 5000), Group("worker", 4, 4), Group("css", 0, 1, failed=1)]


def test_it_reads_at_a_glance() -> None:
    assert status_line(GROUPS, 80, PLAIN) == "web ● 2/2 :5000  worker ● 4/4  css ✗ failed (1)"


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (Group("a", 1, 2, words="restarting"), "a ◐ 1/2 restarting"),
        (Group("a", 0, 0), "a ○ stopped"),
        (Group("a", 0, 0, words="done"), "a ○ done"),
        (Group("a", 3, 4, failed=1), "a ✗ 3/4 failed (1)"),
    ],
)
def test_every_state_has_its_mark(group: Group, text: str) -> None:
    assert status_line([group], 80, PLAIN) == text


def test_it_can_do_without_unicode() -> None:
    assert status_line(GROUPS, 80, PLAIN, unicode=False) == "web * 2/2 :5000  worker * 4/4  css x failed (1)"


def test_color_changes_nothing_but_color() -> None:
    colored = status_line(GROUPS, 80, Palette(True))
    assert re.sub(r"\x1b\[\d+m", "", colored) == status_line(GROUPS, 80, PLAIN)
    assert colored.endswith("\x1b[0m")


def test_no_word_is_yellow_which_cannot_be_read_on_white() -> None:
    colored = Palette(True)
    line = status_line([Group("web", 0, 1, words="restarting")], 80, colored)
    assert f"{colored.warning}◐{colored.reset} 0/1 restarting" in line


def test_a_narrow_terminal_has_none() -> None:
    assert status_line(GROUPS, 59, PLAIN) == ""
    assert status_line(GROUPS, 60, PLAIN) != ""


@pytest.mark.parametrize("columns", range(MIN_COLUMNS, 200, 7))
def test_it_fits_and_keeps_what_fails(columns: int) -> None:
    groups = [Group(f"worker{number}", 1, 1) for number in range(20)] + [Group("css", 0, 1, failed=1)]
    line = status_line(groups, columns, PLAIN)
    assert len(line) < columns
    assert "css ✗ failed (1)" in line
    assert "more" in line


def test_a_hint_stands_at_the_end_where_it_takes_nobodys_place() -> None:
    plain = status_line(GROUPS, 80, PLAIN)
    assert status_line(GROUPS, 80, PLAIN, hint="? keys") == f"{plain}  ? keys"
    colored = Palette(True)
    assert status_line(GROUPS, 80, colored, hint="? keys").endswith(f"  {colored.dim}? keys{colored.reset}")
    for names in range(1, 12):
        groups = [Group(f"name{number}", 1, 1) for number in range(names)]
        for columns in range(MIN_COLUMNS, 180):
            line, hinted = status_line(groups, columns, PLAIN), status_line(groups, columns, PLAIN, hint="? keys")
            fits = "more" not in line and len(line) + len("  ? keys") < columns
            assert hinted == (f"{line}  ? keys" if fits else line)


def test_the_ports_leave_their_places_to_the_names() -> None:
    groups = [Group(f"name{number}", 1, 1, 5000 + 100 * number) for number in range(5)]
    assert ":5400" in status_line(groups, 100, PLAIN)
    assert status_line(groups, 80, PLAIN) == "  ".join(f"name{number} ● 1/1" for number in range(5))


def test_a_name_that_is_too_long_leaves_its_place_to_the_others() -> None:
    groups = [Group("x" * 90, 1, 1), *(Group(f"worker{number}", 1, 1) for number in range(3))]
    assert status_line(groups, 80, PLAIN) == "worker0 ● 1/1  worker1 ● 1/1  worker2 ● 1/1  +1 more"


@pytest.mark.parametrize(
    ("locales", "unicode"),
    [
        (["", "", "C.UTF-8"], True),
        (["", "de_DE.utf8", "C"], True),
        (["C", "de_DE.UTF-8", "de_DE.UTF-8"], False),
        (["", "", ""], True),
        (["", "", "C"], False),
        (["POSIX", "", ""], False),
        (["", "", "de_DE.ISO-8859-1"], False),
    ],
)
def test_the_first_locale_that_is_set_decides(locales: list[str], unicode: bool) -> None:
    assert speaks_unicode(dict(zip(LOCALES, locales, strict=True))) is unicode
    assert speaks_unicode({})


@pytest.mark.parametrize(
    ("group", "mark", "text"),
    [
        (Group("a", 2, 2), "●", "2/2"),
        (Group("a", 3, 2), "●", "3/2"),
        (Group("a", 1, 2), "◐", "1/2"),
        (Group("a", 0, 1), "◐", "0/1"),
        (Group("a", 0, 0), "○", "stopped"),
        (Group("a", 1, 0, words="stopping"), "●", "1/0 stopping"),
        (Group("a", 0, 0, words="stopping"), "◐", "stopping"),
        (Group("a", 0, 2, failed=2), "✗", "failed (2)"),
        (Group("a", 1, 2, failed=1), "✗", "1/2 failed (1)"),
        (Group("a", 1, 1, 5000, words="reloading"), "●", "1/1 :5000 reloading"),
        (Group("a", 1, 1, 0), "●", "1/1 :0"),
        (Group("a", 1, 1, 5000, 1, "x", "pdb"), "⌨", "pdb"),
    ],
)
def test_a_group_has_a_mark_and_a_text(group: Group, mark: str, text: str) -> None:
    assert (group.mark, group.text) == (mark, text)
    bare = group.without_port()
    assert (bare.port, bare.mark, bare.name, bare.up, bare.wanted) == (None, mark, group.name, group.up, group.wanted)
    assert (bare.failed, bare.words, bare.prompt) == (group.failed, group.words, group.prompt)


@pytest.mark.parametrize(
    ("group", "colored"),
    [
        (Group("a", 1, 1), "\x1b[32m● 1/1\x1b[0m"),
        (Group("a", 0, 1, failed=1), "\x1b[31m✗ failed (1)\x1b[0m"),
        (Group("a", 0, 0), "\x1b[2m○ stopped\x1b[0m"),
        (Group("a", 0, 1), "\x1b[33m◐\x1b[0m 0/1\x1b[0m"),
        (Group("a", 1, 1, prompt="pdb"), "\x1b[33m⌨\x1b[0m pdb\x1b[0m"),
    ],
)
def test_a_group_has_the_color_of_its_mark(group: Group, colored: str) -> None:
    assert status_line([group], 80, Palette(True)) == f"\x1b[1ma\x1b[0m {colored}"


def test_a_line_that_just_fits_is_shown_whole() -> None:
    groups = [Group("web", 1, 1, 5000), Group("db", 1, 1, 5100)]
    whole = "web ● 1/1 :5000  db ● 1/1 :5100"
    some = "web ● 1/1 :5000  db ● 1/1"
    bare = "web ● 1/1  db ● 1/1"
    for columns in range(len(bare) + 1, len(whole) + 9):
        fitting = next(line for line in (whole, some, bare) if len(line) < columns)
        assert status_line(groups, columns, PLAIN, narrowest=1) == fitting
    assert status_line(groups, len(bare), PLAIN, narrowest=1) == "web ● 1/1  +1 more"


def test_groups_that_are_down_are_left_out_first_and_failed_ones_last() -> None:
    groups = [
        Group("down", 0, 0),
        Group("up1", 1, 1),
        Group("busy", 0, 1),
        Group("up2", 1, 1),
        Group("bad", 0, 1, failed=1),
    ]
    cells = [status_line([group], 80, PLAIN) for group in groups]
    for kept in ([1, 2, 3, 4], [1, 2, 4], [2, 4]):
        line = "  ".join([*(cells[at] for at in kept), f"+{len(groups) - len(kept)} more"])
        assert status_line(groups, len(line) + 1, PLAIN, narrowest=1) == line


def test_a_terminal_must_be_as_wide_as_it_is_told() -> None:
    group = Group("web", 1, 1)
    assert status_line([group], 20, PLAIN, narrowest=21) == ""
    assert status_line([group], 20, PLAIN, narrowest=20) == "web ● 1/1"
    assert status_line([], 80, PLAIN) == ""
