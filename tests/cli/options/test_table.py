"""The table of options contradicts itself nowhere."""

from __future__ import annotations

from importlib import import_module

import pytest

from procman.cli.options.table import COMMANDS


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
