"""Suggestions for mistyped words: the nearest known word, else one that starts alike."""

from __future__ import annotations

import time

import pytest

from procman.core.text.suggest import MAX_CLOSE, MAX_LENGTH, MAX_LISTED, MAX_NAMES, _distance, did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("wbe", ("web", "worker"), "web"),
        ("we", ("web", "worker"), "web"),
        ("WORKER", ("web", "worker"), "worker"),
        ("wroker", ("web", "worker"), "worker"),
        ("workers", ("web", "worker"), "worker"),
        ("postgres", ("web", "worker"), ""),
        ("x", (), ""),
        ("", ("web",), ""),
    ],
)
def test_the_nearest_word_is_suggested(word: str, known: tuple[str, ...], near: str) -> None:
    assert nearest(word, known) == near


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("work", ("web", "worker"), "worker"),
        ("wor", ("web", "background-worker", "worker", "worker-two"), "worker"),
        ("WORK", ("web", "worker"), "worker"),
        ("work", ("web", "Worker"), "Worker"),
        ("ker", ("web", "worker"), ""),
        ("worker-of-the-night", ("web", "worker"), ""),
    ],
)
def test_a_word_cut_short_suggests_the_first_that_starts_with_it(word: str, known: tuple[str, ...], near: str) -> None:
    assert nearest(word, known) == near


def test_the_nearest_word_wins_over_one_that_starts_alike() -> None:
    assert nearest("stat", ("status-line", "start")) == "start"


def test_a_word_of_another_length_is_not_even_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.core.text.suggest._distance", lambda *_words: pytest.fail("that may take for ever"))
    assert nearest("x" * 60_000, ("web", "worker")) == ""


def test_the_hint_asks_for_the_nearest_word() -> None:
    assert did_you_mean("wbe", ("web", "worker")) == 'did you mean "web"?'
    assert did_you_mean("work", ("web", "worker")) == 'did you mean "worker"?'


def test_without_anything_near_the_hint_names_all() -> None:
    assert did_you_mean("postgres", ("web", "worker")) == "there are: web, worker"
    assert did_you_mean("postgres", ()) == ""


def test_the_time_is_bounded_for_long_words_and_many_names() -> None:
    long = "a" * 200_000
    assert nearest(long, ["b" * 200_000]) == ""
    names = [f"{'ab' * 30}{number}" for number in range(20_000)]
    begin = time.process_time()
    nearest("ba" * 30, names)
    assert time.process_time() - begin < 5  # seconds; without a bound it takes minutes


def test_a_list_of_known_words_ends_somewhere() -> None:
    assert did_you_mean("zzz", [f"name-{number}" for number in range(100)]).endswith("name-29 and 70 more")


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("abc", "abc", 0),
        ("abc", "abd", 1),
        ("abc", "ab", 1),
        ("abc", "abcd", 1),
        ("abc", "xabc", 1),
        ("abc", "acb", 1),
        ("abc", "bac", 1),
        ("abcd", "badc", 2),
        ("abc", "ca", 3),
        ("kitten", "sitting", 3),
        ("aab", "aba", 1),
        ("xaby", "xbay", 1),
        ("ab", "xy", 2),
    ],
)
def test_edits_are_counted_and_swapped_neighbors_are_one(one: str, other: str, edits: int) -> None:
    assert _distance(one, other) == _distance(other, one) == edits


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("ab", ("xb", "ac"), "xb"),  # the first of equals
        ("ab", ("xy",), ""),
        ("abcdef", ("abxyef",), "abxyef"),
        ("abcde", ("abxye",), ""),
        ("abcdefgh", ("abxyefgh",), "abxyefgh"),
        ("abcdefghi", ("abcxyzghi",), "abcxyzghi"),
        ("abcdefghi", ("abwxyzghi",), ""),
        ("abc", ("ABD", "abcd"), "ABD"),
        ("abcdef", ("abcdefgh",), "abcdefgh"),
        ("abcdef", ("abcd",), "abcd"),
        ("abcdef", ("xyabcdefgh",), ""),
    ],
)
def test_a_third_of_the_letters_may_be_wrong_and_always_one(word: str, known: tuple[str, ...], near: str) -> None:
    assert nearest(word, known) == near


def test_the_limits_are_those_that_are_named() -> None:
    others = [f"#{number}" for number in range(MAX_NAMES - 1)]
    assert nearest("worker", [*others, "workre"]) == "workre"
    assert nearest("worker", [*others, "#", "workre"]) == ""
    close = ["xorkxx"] * (MAX_CLOSE - 1)
    assert nearest("worker", [*close, "workre"]) == "workre"
    assert nearest("worker", [*close, "xorkxx", "workre"]) == ""
    word = "w" * MAX_LENGTH
    assert nearest(word, ["v" + word[1:]]) == "v" + word[1:]
    assert nearest(word + "w", ["v" + word]) == ""
    names = [f"name-{number}" for number in range(MAX_LISTED)]
    assert did_you_mean("zzz", names) == f"there are: {', '.join(names)}"
