"""The table of commands and options is consistent."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from procman.cli.options.precedence import settle
from procman.cli.options.reader import read
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import OPTIONS
from procman.config.plan_source import read_plan
from procman.core.overlay.keys import KEYS


@pytest.mark.parametrize("name", COMMANDS)
def test_no_flag_of_a_command_has_two_meanings(name: str) -> None:
    flags = [flag for option in COMMANDS[name].options for flag in option.flags]
    assert len(flags) == len(set(flags))


def test_no_variable_has_two_meanings() -> None:
    meanings: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for option in command.options:
            for variable in option.variables:
                meanings.setdefault(variable, set()).add(option.setting)
    assert {variable: settings for variable, settings in meanings.items() if len(settings) > 1} == {}
    assert meanings["PROCMAN_TIMEOUT"] == {"timeout"}
    assert meanings["PROCMAN_WAIT_TIMEOUT"] == {"ready_timeout"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_function_of_a_command_exists(name: str) -> None:
    module, _, function = COMMANDS[name].function.partition(":")
    assert callable(getattr(import_module(module), function))


# Flags that share their name with a key of the overlay, and do not override it for all process types.
NOT_OVERRIDING = {
    "port": "the base of all ports; a key gives one process type a port of its own",
    "formation": "replaces the counts of all keys: see select_with",
    "env": "names files; the variables of a key win over them",
    "pty": "the default for process types without the key",
    "color": "colors at all; the key is a color",
    "can_die": "names process types",
    "primary": "names a process type",
}


def test_a_flag_with_a_key_of_the_overlay_says_whether_it_overrides_it() -> None:
    silent = {option.setting for option in OPTIONS if option.setting in KEYS and not option.overrides}
    assert silent == set(NOT_OVERRIDING)


def test_what_a_flag_overrides_is_a_key_of_the_overlay() -> None:
    assert {option.overrides for option in OPTIONS if option.overrides} <= set(KEYS)


@pytest.mark.parametrize(
    ("flag", "key", "in_file"),
    [(option.long_flags[0], option.overrides, option.kind) for option in OPTIONS if option.overrides],
)
def test_a_flag_wins_over_the_key_that_it_overrides(
    flag: str, key: str, in_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"seconds": ("31", "32"), "whole": ("31", "32"), "choice": ('"always"', "never")}
    low, high = values[in_file]
    monkeypatch.chdir(tmp_path)
    Path("Procfile").write_text("web: x\n")
    Path("procman.toml").write_text(f"[process.web]\n{key} = {low}\n")

    def rules(*argv: str) -> list[str]:
        invocation = read(("start", *argv))
        assert invocation is not None
        (web,) = read_plan(settle(invocation, {}), {}).instances
        return [str(value) for value in (web.restart.mode, web.restart.max_restarts, web.stop.grace)]

    assert any(low.strip('"') in value for value in rules())
    assert any(high in value for value in rules(flag, high))
    assert not any(low.strip('"') in value for value in rules(flag, high))
