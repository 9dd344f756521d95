"""Which way holds the limits of an instance, and what each of them says about a kill."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.transitions import Action, Instance, State
from procman.core.model.status import ExitStatus
from procman.runtime.health import limits_enforcer
from procman.runtime.health.limits_enforcer import LimitsEnforcer
from procman.runtime.system import cgroups, scopes
from procman.runtime.system.cgroups import NoGroupError
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


class World:
    """Instances with numbers for processes, and what is done to them."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.trees: dict[str, list[int]] = {}
        self.memory: dict[int, int] = {}
        self.killed: list[str] = []
        self.said: list[str] = []
        self.requests: list[tuple[str, Any]] = []
        self.kill_causes = SimpleNamespace(of_limit=None)
        self.side_commands = SimpleNamespace(run=lambda _plan, line, finished: self.requests.append((line, finished)))
        self._lives: dict[str, Any] = {}

    def of(self, name: str) -> Any:
        return self._lives.get(name)

    def tree(self, child: Any) -> list[int]:
        return self.trees[child.name]

    def kill(self, child: Any, pids: list[int]) -> None:
        assert pids == self.trees[child.name]
        self.killed.append(child.cause)

    def enforcer(self) -> LimitsEnforcer:
        hub: Any = SimpleNamespace(announce=self.said.append)
        here: Any = self
        return LimitsEnforcer(here, hub, here, "5e55", 1)

    def start(self, enforcer: LimitsEnforcer, name: str, pids: list[int], **limits: float) -> Instance:
        instance = self.instances[name] = Instance(a_plan(name))
        for key, value in limits.items():
            setattr(instance.plan, key, value)
        instance.state = State.RUNNING
        self._lives[name] = SimpleNamespace(name=name, pid=pids[0], cause="")
        self.trees[name] = pids
        enforcer.on_event(Action.ANNOUNCE_STARTED, instance, 100.0)
        return instance


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine without groups and without systemd."""
    made = World()

    def none() -> str:
        raise NoGroupError("this system has no cgroup v2")

    monkeypatch.setattr(limits_enforcer, "own_folder", none)
    monkeypatch.setattr(limits_enforcer, "memory_of", lambda pid: made.memory.get(pid, 0))
    monkeypatch.setattr(scopes, "manager", lambda _environ, _user: "")
    return made


@pytest.fixture
def groups(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is delegated, with all controllers."""

    def written(path: str, text: str) -> None:
        with open(path, "a") as file:
            file.write(f"{text}\n")

    monkeypatch.setattr(cgroups, "write", written)
    monkeypatch.setattr(limits_enforcer, "own_folder", lambda **_: str(tmp_path))
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset(("memory", "cpu", "pids")))
    return tmp_path


def test_without_a_limit_nothing_is_looked_at(world: World) -> None:
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7])
    assert enforcer.next_deadline() is None
    assert world.said == []


def test_a_look_every_two_seconds_sums_up_all_processes(world: World) -> None:
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7, 8], memory_max=64 * MIB, cpu_max=1.5)
    world.start(enforcer, "web.2", [9], memory_max=64 * MIB)
    warning = "warning: memory_max of web is only checked every 2 s, and cpu_max of web has no effect"
    assert world.said == [f"{warning}: this system has no cgroup v2"]
    world.memory = {7: 32 * MIB, 8: 32 * MIB, 9: 1 * MIB}
    assert enforcer.next_deadline() == 102.0
    enforcer.tick(102.0)
    assert world.killed == []
    world.memory[8] += 1 * MIB
    enforcer.tick(103.9)
    assert world.killed == []
    enforcer.tick(104.0)
    assert world.killed == ["killed by procman: 65.0 MiB of 64 MiB (memory_max)"]


def test_the_looks_end_with_the_last_instance_that_has_a_limit(world: World) -> None:
    enforcer = world.enforcer()
    instance = world.start(enforcer, "web.1", [7, 8, 9], pids_max=2)
    instance.state = State.STOPPING
    enforcer.tick(102.0)
    assert world.killed == []
    instance.state = State.EXITED
    enforcer.on_event(Action.ANNOUNCE_STOPPED, instance, 103.0)
    enforcer.tick(104.0)
    assert enforcer.next_deadline() is None


def test_in_a_delegated_folder_each_life_has_a_group(world: World, groups: Path) -> None:
    enforcer = world.enforcer()
    instance = world.start(enforcer, "web.1", [7, 8], memory_max=64 * MIB)
    group = groups / "web.1-7"
    assert (group / "memory.max").read_text() == f"{64 * MIB}\n"
    assert (group / "cgroup.procs").read_text() == "7\n8\n"
    assert (enforcer.next_deadline(), world.said) == (None, [])
    for file in group.iterdir():
        file.unlink()  # as the kernel does
    instance.state = State.BACKOFF
    enforcer.on_event(Action.ANNOUNCE_RESTARTING, instance, 103.0)
    assert not group.exists()


@pytest.mark.parametrize(
    ("events", "cause"),
    [
        ("oom 0\noom_kill 0\n", ""),
        ("oom 1\noom_kill 2\n", "killed by the kernel: 64.0 MiB of 64 MiB"),
        ("oom 0\noom_kill 1\n", "killed by the kernel: out of memory"),
    ],
)
def test_the_group_says_what_killed_it(world: World, groups: Path, events: str, cause: str) -> None:
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7], memory_max=64 * MIB)
    (groups / "web.1-7" / "memory.events").write_text(events)
    of_limit: Any = world.kill_causes.of_limit
    assert (of_limit("web.1"), of_limit("db.1")) == (cause, "")


def test_a_controller_that_is_missing_leads_to_the_next_way(world: World, groups: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset(("pids",)))
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7], memory_max=64 * MIB)
    world.start(enforcer, "db.1", [8], pids_max=5)
    assert enforcer.next_deadline() == 102.0
    assert [path.name for path in groups.iterdir()] == ["db.1-8"]


def test_a_scope_of_systemd_is_requested_and_believed_if_it_holds_the_limit(
    world: World, groups: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset())
    monkeypatch.setattr(scopes, "manager", lambda _environ, _user: "--user")
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7, 8], memory_max=64 * MIB)
    (line, finished) = world.requests[0]
    assert "procman-5e55-web.1-7.scope" in line
    assert "PIDs au 1 7 " in line  # systemd refuses all of them if one has ended meanwhile
    scope = groups / "procman-5e55-web.1-7.scope"
    scope.mkdir()
    moved = scope / "cgroup.procs"

    def folder_of(groups: str) -> str:
        return str(scope) if groups == "/proc/7/cgroup" or moved.exists() else "/sys/fs/cgroup/other"

    monkeypatch.setattr(limits_enforcer, "own_folder", folder_of)
    (scope / "memory.max").touch()
    finished(ExitStatus(code=0), "")
    assert moved.read_text() == "8\n"
    assert (enforcer.next_deadline(), world.said) == (None, [])
    (scope / "memory.events").write_text("oom 1\noom_kill 1\n")
    of_limit: Any = world.kill_causes.of_limit
    assert of_limit("web.1") == "killed by the kernel: 64.0 MiB of 64 MiB"


def test_the_folder_of_a_scope_is_left_to_systemd(world: World, groups: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset())
    monkeypatch.setattr(scopes, "manager", lambda _environ, _user: "--user")
    enforcer = world.enforcer()
    instances = [world.start(enforcer, name, [pid], pids_max=5) for name, pid in (("web.1", 7), ("web.2", 8))]
    for pid, (_, finished) in zip((7, 8), world.requests, strict=True):
        scope = groups / f"procman-5e55-web.{pid - 6}-{pid}.scope"
        scope.mkdir()
        monkeypatch.setattr(limits_enforcer, "own_folder", lambda *, groups, now=scope: str(now))
        (scope / "pids.max").touch()
        finished(ExitStatus(code=0), "")
        for file in scope.iterdir():
            file.unlink()  # as the kernel does
    instances[0].state = State.BACKOFF
    enforcer.on_event(Action.ANNOUNCE_RESTARTING, instances[0], 103.0)
    enforcer.close(104.0, 0)
    assert sorted(path.name for path in groups.iterdir()) == [
        "procman-5e55-web.1-7.scope",
        "procman-5e55-web.2-8.scope",
    ]


def test_a_group_that_is_not_the_scope_is_not_believed(world: World, groups: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset())
    monkeypatch.setattr(scopes, "manager", lambda _environ, _user: "--system")
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7], memory_max=64 * MIB)
    (groups / "memory.max").touch()  # of the service that all of us are in
    world.requests[0][1](ExitStatus(code=0), "")
    assert not (groups / "memory.oom.group").exists()
    assert enforcer.next_deadline() == 102.0


@pytest.mark.parametrize(
    ("status", "line", "why"),
    [(ExitStatus(code=1), "Access denied", "Access denied"), (ExitStatus(code=0), "", "systemd cannot hold them here")],
)
def test_a_scope_that_does_not_help_is_replaced_by_looks(
    world: World, groups: Path, monkeypatch: Any, status: ExitStatus, line: str, why: str
) -> None:
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset())
    monkeypatch.setattr(scopes, "manager", lambda _environ, _user: "--user")
    enforcer = world.enforcer()
    world.start(enforcer, "web.1", [7], memory_max=64 * MIB)
    world.requests[0][1](status, line)
    assert enforcer.next_deadline() == 102.0
    assert why in world.said[0]


@pytest.mark.parametrize(
    ("named", "kills", "cause"),
    [
        (True, (0, 1), "killed by the kernel: 64.0 MiB of 64 MiB"),
        (False, (0, 0), ""),
        (False, (3, 4), "killed by SIGKILL (perhaps above 64 MiB, its memory_max)"),
        (False, (None, None), "killed by SIGKILL (perhaps above 64 MiB, its memory_max)"),
    ],
    ids=["named by the log", "nothing killed", "something killed", "unknown"],
)
def test_a_scope_that_is_gone_already_is_explained_by_what_is_left(
    world: World, groups: Path, monkeypatch: Any, named: bool, kills: tuple[int | None, int | None], cause: str
) -> None:
    monkeypatch.setattr(limits_enforcer, "claim", lambda _folder, _ours: frozenset())
    monkeypatch.setattr(scopes, "manager", lambda _environ, _user: "--user")
    monkeypatch.setattr(limits_enforcer, "reached_by_log", lambda unit: named and unit == "procman-5e55-web.1-7.scope")
    scope = groups / "procman-5e55-web.1-7.scope"
    scope.mkdir()
    enforcer = world.enforcer()
    monkeypatch.setattr(limits_enforcer, "own_folder", lambda **_: str(scope))
    world.start(enforcer, "web.1", [7], memory_max=64 * MIB)
    (scope / "memory.max").touch()
    around = groups / "memory.events"
    if kills[0] is not None:
        around.write_text(f"oom 0\noom_kill {kills[0]}\n")
    of_limit: Any = world.kill_causes.of_limit
    assert of_limit("web.1") == ("killed by the kernel: 64.0 MiB of 64 MiB" if named else "")  # not answered yet
    world.requests[0][1](ExitStatus(code=0), "")
    (scope / "memory.max").unlink()
    (scope / "memory.oom.group").unlink()
    scope.rmdir()
    if kills[1] is not None:
        around.write_text(f"oom 0\noom_kill {kills[1]}\n")
    assert of_limit("web.1") == cause
