"""The reference of the overlay's keys has them all, and fits a terminal."""

from __future__ import annotations

from procman.cli.options.overlay_reference import CHECKS_EXPLAINED, KEYS_EXPLAINED, page
from procman.core.model.checks import KINDS
from procman.core.overlay.keys import KEYS


def test_every_key_and_every_check_is_explained() -> None:
    assert list(KEYS_EXPLAINED) == list(KEYS)
    assert [form.split()[0] for form in CHECKS_EXPLAINED] == list(KINDS)


def test_the_page_has_every_key_and_fits_a_terminal() -> None:
    assert all(name in page() for name in KEYS)
    assert max(map(len, page().splitlines())) <= 80
