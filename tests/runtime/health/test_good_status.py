"""Which answers of a page are good, at the limits."""

from __future__ import annotations

import pytest

from procman.runtime.health.attempts import GOOD_STATUS


@pytest.mark.parametrize(("code", "good"), [(199, False), (200, True), (399, True), (400, False)])
def test_a_page_is_good_from_200_to_399(code: int, good: bool) -> None:
    assert (code in GOOD_STATUS) is good
