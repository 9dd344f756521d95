"""How the commands for a running session are found."""

from __future__ import annotations

from importlib import import_module

import pytest

from procman.cli.control.connection import FUNCTIONS
from procman.cli.options.table import ASKING


def test_every_command_for_a_session_has_a_function() -> None:
    assert set(FUNCTIONS) == set(ASKING)


@pytest.mark.parametrize("command", FUNCTIONS)
def test_the_function_of_a_command_exists(command: str) -> None:
    module, _, name = FUNCTIONS[command].partition(":")
    assert callable(getattr(import_module(module), name))
