"""Names and patterns select the instances a user expects; a pattern without a match is refused."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.core.procfile.selection import changed_count, choose, fits, matches, parse_change
from procman.errors import UsageError

NAMES = ("web.1", "web.2", "worker.1", "web-admin.1")


@pytest.mark.parametrize(
    ("patterns", "meant"),
    [
        (("web",), ["web.1", "web.2"]),
        (("web.2",), ["web.2"]),
        (("w*",), ["web.1", "web.2", "worker.1", "web-admin.1"]),
        (("*.1",), ["web.1", "worker.1", "web-admin.1"]),
        (("web?1",), ["web.1"]),
        (("worker", "web.1", "web"), ["web.1", "web.2", "worker.1"]),
    ],
)
def test_types_instances_and_globs_are_chosen_in_the_order_of_the_session(
    patterns: tuple[str, ...], meant: list[str]
) -> None:
    assert choose(patterns, NAMES) == meant


def test_a_name_that_means_nothing_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        choose(("wrker",), NAMES)
    assert caught.value.hint == 'did you mean "worker"?'


def test_the_name_of_a_group_may_be_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        choose(("bckend",), NAMES, ("backend",))
    assert caught.value.hint == 'did you mean "backend"?'


@given(st.text("ab*?.", max_size=8), st.text("ab.", max_size=8))
def test_globs_are_those_of_fnmatch(pattern: str, text: str) -> None:
    assert fits(pattern, text) == fnmatch.fnmatchcase(text, pattern)


def test_a_glob_of_many_stars_is_decided_at_once() -> None:
    assert not matches("*a" * 200 + "b", "a" * 5000)


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("web=3", ("web", "=", 3)),
        ("worker+1", ("worker", "+", 1)),
        ("web-admin-2", ("web-admin", "-", 2)),
        ("web=0", ("web", "=", 0)),
        ("web-99999999", ("web", "-", 99999999)),
    ],
)
def test_changes_of_scale_are_read(word: str, change: tuple[str, str, int]) -> None:
    assert parse_change(word) == change


@pytest.mark.parametrize("word", ["web", "web=", "web=x", "=3", "web=-1", "web=1e3", "web+٣", "web=9" + 30 * "9"])
def test_what_is_no_change_of_scale_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        parse_change(word)


@pytest.mark.parametrize("word", ["web=10001", "web+9999999"])
def test_a_count_of_scale_that_is_too_large_is_called_so(word: str) -> None:
    with pytest.raises(UsageError, match="instances are too many; procman starts at most 10000"):
        parse_change(word)


def test_counts_never_fall_below_none() -> None:
    assert [changed_count("=", 3, 1), changed_count("+", 2, 1), changed_count("-", 5, 1)] == [3, 3, 0]


@pytest.mark.parametrize(("pattern", "meant"), [("w?b", True), ("w*b", True), ("web.?", True), ("w?", False)])
def test_a_pattern_may_mean_a_type_or_an_instance(pattern: str, meant: bool) -> None:
    assert matches(pattern, "web.1") is meant
