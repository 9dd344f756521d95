"""Where instances run."""

from __future__ import annotations

import random

from procman.engines.hosts.placement import Placement

HOSTS = ("a", "b", "c")
TYPES = ("web", "worker", "clock", "release")


def test_the_instances_of_a_type_go_to_the_hosts_by_turns() -> None:
    placed = Placement(HOSTS, TYPES).instances({"web": 4, "worker": 1, "clock": 1})
    assert placed == {"web.1": "a", "web.2": "b", "web.3": "c", "web.4": "a", "worker.1": "b", "clock.1": "c"}


def test_the_user_places_them_and_the_surplus_goes_where_the_type_is() -> None:
    placement = Placement(HOSTS, TYPES, {"a": {"web": 2}, "b": {"web": 1, "worker": 1}})
    placed = placement.instances({"web": 5, "worker": 2, "clock": 1})
    assert [placed[f"web.{number}"] for number in range(1, 6)] == ["a", "a", "b", "a", "b"]
    assert placed["worker.2"] == "b"
    assert placed["clock.1"] == "c"


def test_the_release_runs_on_the_first_host() -> None:
    assert Placement(HOSTS, ("release", "web")).host("release", 1) == "a"


def test_scaling_moves_nothing() -> None:
    source = random.Random(7)
    for _ in range(200):
        given = {host: {type_: source.randrange(3) for type_ in TYPES} for host in HOSTS if source.random() < 0.5}
        placement = Placement(HOSTS, TYPES, given)
        small = {type_: source.randrange(5) for type_ in TYPES}
        large = {type_: count + source.randrange(5) for type_, count in small.items()}
        assert placement.instances(small).items() <= placement.instances(large).items()
