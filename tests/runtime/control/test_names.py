"""The meaning of the names in one request. However many there are, the files are read once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.text.protocol import Request
from procman.errors import UsageError
from procman.runtime.control.names import MAX_PATTERNS, NameResolver
from procman.runtime.control.verbs import handle


class Files:
    """A fake PlanSource that records each read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def groups(self) -> dict[str, tuple[str, ...]]:
        self.read.append("groups")
        return {"back": ("web", "css"), "empty": ("css",)}

    def types(self) -> tuple[str, ...]:
        self.read.append("types")
        return ("web", "css")

    def absence(self, name: str) -> str:
        return f"{name} was left out"


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def resolver(files: Files) -> NameResolver:
    """A resolver for web.1 and web.2, both in the group ``back``, and worker.1."""
    plans = [
        InstancePlan(name, name[:-2], int(name[-1]), 5000, "x", "/", {}, RestartPolicy(), StopPolicy())
        for name in ("web.1", "web.2", "worker.1")
    ]
    for plan in plans[:2]:
        plan.groups = ("back",)
    plan_source: Any = files
    return NameResolver(Supervisor(plans).instances, plan_source)


def test_thousands_of_unknown_names_have_the_files_read_once(resolver: NameResolver, files: Files) -> None:
    unknown = [f"nobody{number}" for number in range(5000)]
    assert resolver.expand(unknown, absent=True) == unknown
    assert {resolver.absence(name) for name in unknown} == {""}
    assert files.read == ["groups", "types"]


def test_who_is_here_needs_no_file(resolver: NameResolver, files: Files) -> None:
    assert resolver.expand(["web", "worker.1", "w*", "web", "web=3"], absent=True) == ["web", "worker.1", "w*", "web=3"]
    assert resolver.expand(["back"], absent=False) == ["web"]
    assert [resolver.is_here(word) for word in ("web", "web.2", "*.1", "web.3", "back", "x*")] == [True] * 3 + [
        False
    ] * 3
    assert files.read == []


def test_a_type_is_counted_by_its_highest_number(resolver: NameResolver) -> None:
    assert resolver.counts == {"web": 2, "worker": 1}


def test_a_group_has_those_who_were_left_out_where_they_are_wanted_or_alone(resolver: NameResolver) -> None:
    assert resolver.members("back", absent=True) == ["web", "css"]
    assert resolver.members("empty", absent=False) == ["css"]
    assert resolver.absence("css") == "css was left out"


def test_so_many_patterns_are_refused(resolver: NameResolver) -> None:
    patterns = [f"*{number}" for number in range(MAX_PATTERNS)]
    assert resolver.expand([*patterns, *patterns], absent=False) == patterns
    with pytest.raises(UsageError, match="more than 100 patterns at once"):
        resolver.expand([*patterns, "*.1"], absent=False)


def test_for_a_request_without_names_nobody_is_counted() -> None:
    said: list[object] = []
    client: Any = SimpleNamespace(task=None, finish=said.append)
    session: Any = SimpleNamespace(about=lambda: "this session")  # and no resolver
    handle(session, client, Request("hello"))
    assert said == ["this session"]
