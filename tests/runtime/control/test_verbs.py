"""The table of verbs: each has fields in the protocol, and a function."""

from __future__ import annotations

import pytest

from procman.core.text import protocol
from procman.runtime.control.verbs import VERBS


def test_every_verb_of_the_protocol_has_a_row() -> None:
    assert set(VERBS) == set(protocol.VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_the_function_of_a_verb_exists(verb: str) -> None:
    assert callable(VERBS[verb].load())
