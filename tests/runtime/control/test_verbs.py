"""How the verbs of the control socket are found."""

from __future__ import annotations

from importlib import import_module

import pytest

from procman.core.text.protocol import VERBS
from procman.runtime.control.verbs import FUNCTIONS


def test_every_verb_of_the_protocol_has_a_function() -> None:
    assert set(FUNCTIONS) == set(VERBS)


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_the_function_of_a_verb_exists(verb: str) -> None:
    module, _, name = FUNCTIONS[verb].partition(":")
    assert callable(getattr(import_module(module), name))
