"""The table of options contradicts itself nowhere."""

from __future__ import annotations

import pytest

from procman.cli.options import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_no_flag_of_a_command_has_two_meanings(name: str) -> None:
    flags = [flag for option in COMMANDS[name].options for flag in option.flags]
    assert len(flags) == len(set(flags))
