"""Which ports a session gets if its usual ones are taken or reserved, or if it is isolated."""

from __future__ import annotations

import os
from typing import Any

import pytest

from procman.cli.commands import port_conflicts
from procman.cli.commands.port_conflicts import ISOLATED_BASES, isolated, require_no_base, with_free_ports
from procman.config.plan_source import read_plan
from procman.core.model.settings import Settings
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from procman.core.model.plan import Plan

PROCFILE = "web: serve $PORT\nworker: work\ndb: postgres -p $PORT\n"


class Ports:
    """The ports of this machine: those that processes listen on, and those that other sessions have reserved."""

    def __init__(self) -> None:
        self.busy: set[int] = set()
        self.reserved: set[int] = set()
        self.own: set[int] = set()

    def busy_ports(self, ports: Iterable[int]) -> set[int]:
        return self.busy & {*ports}

    def reserve(self, port: int) -> bool:
        if port in self.reserved:
            return False
        self.own.add(port)
        return True

    def release(self, port: int) -> None:
        self.own.discard(port)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ports:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Procfile").write_text(PROCFILE)
    ports = Ports()
    for name in ("busy_ports", "reserve", "release"):
        monkeypatch.setattr(port_conflicts, name, getattr(ports, name))
    monkeypatch.setattr(port_conflicts, "owners", lambda ports: {port: f"pid {port}" for port in ports})
    return ports


def ports_of(plan: Plan) -> dict[str, int | None]:
    return {instance.name: instance.port for instance in plan.instances}


def bumped(**given: Any) -> tuple[Plan, list[str]]:
    settings = Settings(**{"port_conflict": "bump", **given})
    said: list[str] = []
    return with_free_ports(read_plan(settings, {}), settings, {}, said.append), said


def test_a_reserved_port_counts_as_taken(machine: Ports) -> None:
    machine.reserved = {5000, 5001}
    machine.busy = {5200}
    plan, said = bumped()
    assert ports_of(plan) == {"web.1": 5002, "worker.1": 5100, "db.1": 5201}
    assert said == [
        "port 5200 of db.1 is taken by pid 5200; db.1 gets port 5201",
        "port 5000 of web.1 is reserved by another session; web.1 gets port 5002",
    ]
    assert {5002, 5100, 5201} <= machine.own


def test_a_process_that_does_not_use_its_port_moves_in_silence(machine: Ports) -> None:
    machine.reserved = {5100}
    plan, said = bumped()
    assert (ports_of(plan)["worker.1"], said) == (5101, [])


def test_it_keeps_its_port_if_there_is_no_other_one(machine: Ports) -> None:
    machine.reserved = {*range(5100, 5200)}
    plan, said = bumped()
    assert (ports_of(plan)["worker.1"], said) == (5100, [])


def test_a_port_that_another_session_has_reserved_is_refused_if_it_is_used(machine: Ports) -> None:
    settings = Settings(port_conflict="fail")
    plan = read_plan(settings, {})
    machine.reserved = {5100}
    assert with_free_ports(plan, settings, {}) is plan
    machine.reserved = {5000}
    with pytest.raises(UsageError, match=r"^port 5000 of web.1 is reserved by another session$"):
        with_free_ports(plan, settings, {})


# Isolated sessions


def isolated_plan(**given: Any) -> Plan:
    settings = Settings(isolated=True, **given)
    settings = isolated(read_plan(settings, {}), settings)
    assert settings.port_conflict == "bump"
    return read_plan(settings, {})


@pytest.mark.parametrize("given", [{}, {"port": 3000}, {"port_offset": 250}, {"formation": "all=9"}, {"port_step": 3}])
def test_an_isolated_session_gets_a_free_base_and_reserves_its_ports(machine: Ports, given: dict[str, Any]) -> None:
    plan = isolated_plan(**given)
    ports = {port for port in ports_of(plan).values() if port is not None}
    base = min(ports)
    assert base in ISOLATED_BASES[0]
    assert ports_of(plan)["worker.1"] == base + given.get("port_step", 100)
    assert machine.own == ports


def test_port_of_an_env_file_does_not_matter(machine: Ports) -> None:
    with open(".env", "w") as file:
        file.write("PORT=7000\n")
    assert min(port or 0 for port in ports_of(isolated_plan()).values()) >= 61000


def test_ports_of_the_overlay_stay_unless_they_are_taken(machine: Ports) -> None:
    with open("procman.toml", "w") as file:
        file.write("[process.db]\nport = 5432\n")
    settings = Settings({"process": "procman.toml:1"}, isolated=True, process=("db",))
    settings = isolated(read_plan(settings, {}), settings)
    assert ports_of(read_plan(settings, {}))["db.1"] == 5432
    machine.reserved.add(5432)
    assert ports_of(with_free_ports(read_plan(settings, {}), settings, {}))["db.1"] == 5433


def test_sessions_beside_each_other_never_share_a_port(machine: Ports) -> None:
    for _ in range(60):
        plan = isolated_plan(formation="all=10")
        ports = {port for port in ports_of(plan).values() if port is not None}
        assert not ports & machine.reserved
        machine.reserved |= ports


def test_nothing_stays_reserved_of_a_base_that_did_not_fit(machine: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda _: b"\0\0\0\0")
    machine.reserved = {61100}
    machine.busy = {61210}
    plan = isolated_plan()
    assert ports_of(plan) == {"web.1": 61020, "worker.1": 61120, "db.1": 61220}
    assert machine.own == {61020, 61120, 61220}


def test_below_the_ports_of_clients_there_are_more(machine: Ports) -> None:
    machine.reserved = {*range(61000, 65536)}
    assert min(port or 0 for port in ports_of(isolated_plan()).values()) in ISOLATED_BASES[1]
    machine.busy = {*range(1, 65536)}
    with pytest.raises(UsageError, match=r"^there are no free ports for an isolated session$"):
        isolated_plan()


def test_without_ports_there_is_nothing_to_choose(machine: Ports) -> None:
    assert {*ports_of(isolated_plan(port=0)).values()} == {None}


@pytest.mark.parametrize("name", ["port", "port_offset"])
def test_a_base_on_the_command_line_contradicts_it(name: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    given: dict[str, Any] = {name: 3000}
    with pytest.raises(UsageError, match=f"^--isolated and {flag} contradict each other$"):
        require_no_base(Settings({name: flag}, **given))
    require_no_base(Settings({name: "procman.toml:1"}, **given))
    require_no_base(Settings({"port": "--no-port"}, port=0))
