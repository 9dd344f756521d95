"""Whether the process that answers at a port belongs to the instance, and when that is found out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.runtime.health import owners
from procman.runtime.health.owners import Owners
from runtime.fakes import a_plan

CONNECTION: Any = SimpleNamespace(getpeername=lambda: ("127.0.0.1", 5000))


class World:
    """Sockets that answer, and those who hold them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.children = {"web.1": SimpleNamespace(pid=7), "db.1": SimpleNamespace(pid=8)}
        self.inodes: frozenset[int] = frozenset({1})
        self.holders: list[int] = []
        self.local = True
        self.looks = self.named = 0
        monkeypatch.setattr(owners, "is_local", lambda _connection: self.local)
        monkeypatch.setattr(owners, "listening_inodes", self._look)
        monkeypatch.setattr(owners, "all_inodes", lambda port: self._look("127.0.0.1", port))
        monkeypatch.setattr(owners, "holders", lambda pids, _inodes: [pid for pid in pids if pid in self.holders])
        monkeypatch.setattr(owners, "owner_of", self._name)
        children: Any = SimpleNamespace(of=self.children.get, tree=lambda child: [child.pid])
        self.owners = Owners(children)

    def _look(self, address: str, port: int) -> frozenset[int]:
        assert (address, port) == ("127.0.0.1", 5000)
        self.looks += 1
        return self.inodes

    def _name(self, inodes: frozenset[int]) -> str:
        self.named += 1
        return f"pid {max(inodes)}"

    def stranger(self, name: str = "web.1", command: str = "serve") -> str:
        return self.owners.stranger(a_plan(name, command), CONNECTION)

    def stranger_at_port(self, name: str = "web.1", command: str = "serve") -> str:
        plan = a_plan(name, command)
        plan.port = 5000
        return self.owners.stranger_at_port(plan)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_its_own_answer_is_looked_at_once_in_a_life(world: World) -> None:
    world.holders = [7]
    assert [world.stranger(), world.stranger()] == ["", ""]
    assert world.looks == 1
    world.children["web.1"] = SimpleNamespace(pid=9)
    assert world.stranger() == "pid 1"
    assert world.looks == 2


def test_after_a_failure_it_is_looked_at_again_and_that_of_others_is_not(world: World) -> None:
    world.holders = [7, 8]
    world.stranger("web.1")
    world.stranger("db.1")
    world.owners.forget("web.1")
    world.stranger("db.1")
    assert world.looks == 2
    world.stranger("web.1")
    assert world.looks == 3


def test_a_stranger_is_looked_at_each_time_and_named_once(world: World) -> None:
    assert [world.stranger(), world.stranger()] == ["pid 1", "pid 1"]
    assert (world.looks, world.named) == (2, 1)
    world.inodes = frozenset({2})
    assert world.stranger() == "pid 2"


def test_what_cannot_be_seen_is_trusted(world: World) -> None:
    world.inodes = frozenset()
    assert world.stranger() == ""
    world.local = False
    world.inodes = frozenset({1})
    assert world.stranger("db.1") == ""
    assert world.looks == 1
    assert world.stranger("none.1") == ""


@pytest.mark.parametrize(
    ("command", "client"),
    [
        ("docker run -p 5000 x", True),
        ("exec /usr/bin/podman run x", True),
        ("A=1 nerdctl run x", True),
        ("serve docker", False),
        ("", False),
        ("exec", False),
    ],
)
def test_a_client_of_a_container_engine_does_not_answer_by_itself(world: World, command: str, client: bool) -> None:
    assert (world.stranger(command=command) == "") is client


def test_what_listens_on_its_port_is_looked_at_like_what_answers(world: World) -> None:
    assert world.stranger_at_port() == "pid 1"
    assert world.stranger_at_port(command="docker run db") == ""
    world.inodes = frozenset()
    assert world.stranger_at_port("db.1") == ""
    world.inodes = frozenset({1})
    world.owners.forget("web.1")
    world.holders = [7]
    looks = world.looks
    assert [world.stranger_at_port(), world.stranger()] == ["", ""]
    assert world.looks == looks + 1  # the port is that of the instance for both kinds


def test_without_a_port_there_is_no_stranger(world: World) -> None:
    assert world.owners.stranger_at_port(a_plan("web.1", "serve")) == ""
    assert world.looks == 0
