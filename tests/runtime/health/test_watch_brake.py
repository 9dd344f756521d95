"""When restarts follow each other so quickly that they are slowed down."""

from __future__ import annotations

import pytest

from procman.runtime.health.watch_brake import FREE_RESTARTS, LONGEST_PAUSE, LOOP_TIME, Brake


def restarts(brake: Brake, number: int, *paths: str, now: float = 100.0, ago: float | None = 1.0) -> list[float | None]:
    """The pauses before so many restarts, each of which begins immediately."""
    pauses = []
    for _ in range(number):
        pauses.append(brake.pause("web.1", None if ago is None else now - ago, paths or ("a",), now))
        brake.release(now + 1000)
    return pauses


def test_the_first_restarts_are_free_and_each_further_pause_is_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = restarts(Brake(), FREE_RESTARTS + 8)
    assert pauses == [None] * FREE_RESTARTS + [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_pause_never_grows_beyond_its_limit() -> None:
    assert restarts(Brake(), 5000)[-1] == LONGEST_PAUSE


@pytest.mark.parametrize(("ago", "is_loop"), [(LOOP_TIME - 0.01, True), (LOOP_TIME, False), (None, False)])
def test_only_a_change_soon_after_the_start_may_be_its_own(ago: float | None, is_loop: bool) -> None:
    pauses = restarts(Brake(), FREE_RESTARTS + 1, ago=ago)
    assert pauses[-1] == (1.0 if is_loop else None)


def test_a_later_change_begins_the_count_again() -> None:
    brake = Brake()
    restarts(brake, FREE_RESTARTS)
    restarts(brake, 1, ago=LOOP_TIME)
    assert restarts(brake, FREE_RESTARTS) == [None] * (FREE_RESTARTS - 1) + [1.0]


def test_a_change_of_another_file_begins_the_count_again() -> None:
    brake = Brake()
    restarts(brake, FREE_RESTARTS, "a")
    assert restarts(brake, FREE_RESTARTS, "b") == [None] * FREE_RESTARTS
    assert restarts(brake, 1, "b", "c") == [1.0]


def test_all_files_of_a_row_are_suspects() -> None:
    brake = Brake()
    for path in ("a", "b", "a", "b"):
        restarts(brake, 1, path, "a")
    assert restarts(brake, 1, "b") == [1.0]


def test_a_pause_is_announced_once_and_lasts_its_time() -> None:
    brake = Brake()
    restarts(brake, FREE_RESTARTS)
    assert brake.pause("web.1", 99.0, ["a"], 100.0) == 1.0
    assert brake.pause("web.1", 99.0, ["a"], 100.5) == 0.0
    assert brake.next_deadline() == 101.0
    assert brake.release(100.9) == []
    assert brake.release(101.0) == ["web.1"]
    assert (brake.next_deadline(), brake.release(200.0)) == (None, [])


def test_a_change_of_another_file_ends_the_pause() -> None:
    brake = Brake()
    restarts(brake, FREE_RESTARTS)
    brake.pause("web.1", 99.0, ["a"], 100.0)
    assert brake.pause("web.1", 99.0, ["b"], 100.5) is None
    assert brake.next_deadline() is None


def test_instances_are_counted_by_themselves() -> None:
    brake = Brake()
    restarts(brake, FREE_RESTARTS)
    assert brake.pause("web.2", 99.0, ["a"], 100.0) is None
    assert brake.pause("web.1", 99.0, ["a"], 100.0) == 1.0
