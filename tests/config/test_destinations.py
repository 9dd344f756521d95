"""The tables [on.NAME]: every key, and every mistake with its line."""

from __future__ import annotations

import tomllib

import pytest

from procman.config.configfiles import lines_below
from procman.config.destinations import KEYS, KEYS_EXPLAINED, parse_destinations, require_sound_destinations
from procman.core.model.destination import Destination
from procman.core.model.process_overlay import Table
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.destination import Destinations


def parsed(*texts: str) -> Destinations:
    """Parse files; the first one wins."""
    tables = []
    for number, text in enumerate(texts):
        on = tomllib.loads(text)["on"]
        tables.append(Table(f"procman{number or ''}.toml", f"folder{number or ''}", on, lines_below(text, ("on",))))
    return parse_destinations(tables)


def test_every_key_arrives() -> None:
    found = parsed(
        """
[on.production]
engine = "swarm"
context = "prod"
image = "registry.example/shop:{version}"
version = "git"
build = "docker build -t {image} ."
env-file = [".env.production", { path = ".env.more", required = false }]
formation = "web=3,worker=5"
timeout = "2m"
default = true
"""
    )
    one = found.found["production"]
    assert found.problems == []
    assert (one.engine, one.context, one.version, one.default) == ("swarm", "prod", "git", True)
    assert one.env_file == (("folder/.env.production", True), ("folder/.env.more", False))
    assert (one.formation, one.timeout, one.location) == ("web=3,worker=5", 120.0, "procman.toml:2")


def test_each_key_is_explained_and_is_an_attribute() -> None:
    assert list(KEYS) == list(KEYS_EXPLAINED)
    assert set(KEYS) <= set(vars(Destination("x")))


@pytest.mark.parametrize(
    ("value", "formation", "hosts"),
    [
        ('"web=2"', "web=2", {}),
        ("{ web = 2, worker = 1 }", "web=2,worker=1", {}),
        ('{ "a@b" = "web=2", "c" = "web=1" }', "", {"a@b": "web=2", "c": "web=1"}),
    ],
)
def test_a_formation_is_a_string_a_table_or_one_for_each_host(
    value: str, formation: str, hosts: dict[str, str]
) -> None:
    found = parsed(f'[on.lan]\nengine = "systemd"\nformation = {value}\n')
    assert found.problems == []
    assert (found.found["lan"].formation, found.found["lan"].host_formations) == (formation, hosts)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('imgae = "x"', 'procman.toml:3: error: unknown key "imgae" in [on.x] (did you mean "image"?)'),
        ("replicas = 2", 'procman.toml:3: error: unknown key "replicas" in [on.x] (the key is "formation")'),
        ("default = 1", "procman.toml:3: error: default must be true or false, not the number 1"),
        ('formation = "web=two"', "procman.toml:3: error: formation is not valid: invalid count"),
        ('formation = { a = "web=x" }', "procman.toml:3: error: formation.a is not valid: invalid count"),
        ('formation = { web = 1, a = "web=2" }', "procman.toml:3: error: formation.web must be a formation"),
        ('timeout = "soon"', "procman.toml:3: error: timeout must be a duration"),
    ],
)
def test_a_mistake_has_its_line_and_a_hint(line: str, problem: str) -> None:
    found = parsed(f'[on.x]\nengine = "swarm"\n{line}\n')
    assert str(found.problems[0]).startswith(problem)
    with pytest.raises(ConfigError, match=r"procman\.toml:3"):
        require_sound_destinations(found)


def test_an_engine_is_needed_and_a_plain_name() -> None:
    found = parsed('[on.x]\nimage = "y"\n[on."a b"]\nengine = "swarm"\n')
    assert [str(problem) for problem in found.problems] == [
        'procman.toml:3: error: "a b" cannot name a destination (use letters, digits, - and _)',
        'procman.toml:1: error: [on.x] names no engine (for example engine = "swarm")',
    ]


def test_the_local_file_wins_key_by_key() -> None:
    found = parsed('[on.x]\ncontext = "mine"\n', '[on.x]\nengine = "swarm"\ncontext = "prod"\n')
    assert found.problems == []
    assert (found.found["x"].engine, found.found["x"].context) == ("swarm", "mine")


def test_the_default_is_the_marked_or_the_only_one() -> None:
    both = '[on.x]\nengine = "swarm"\n[on.y]\nengine = "swarm"\n'
    assert parsed(both).default is None
    default = parsed(f"{both}default = true\n").default
    assert default is not None
    assert default.name == "y"
    only = parsed('[on.x]\nengine = "swarm"\n').default
    assert only is not None
    twice = parsed('[on.x]\nengine = "swarm"\ndefault = true\n[on.y]\nengine = "swarm"\ndefault = true\n')
    assert str(twice.problems[0]).startswith('procman.toml:4: error: "y" cannot be the default: "x" is')


def test_a_string_is_a_command_for_an_event_and_not_a_destination() -> None:
    found = parsed('[on]\nfailed = "notify"\n[on.x]\nengine = "swarm"\n')
    assert (list(found.found), found.problems) == (["x"], [])
