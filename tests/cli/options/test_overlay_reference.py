"""The reference of the overlay's keys has them all, and fits a terminal."""

from __future__ import annotations

from procman.cli.options.click_app import parse
from procman.cli.options.overlay_reference import CHECKS_EXPLAINED, KEYS_EXPLAINED, page
from procman.core.model.checks import KINDS
from procman.core.overlay.keys import KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest


def test_every_key_and_every_check_is_explained() -> None:
    assert list(KEYS_EXPLAINED) == list(KEYS)
    assert [form.split()[0] for form in CHECKS_EXPLAINED] == list(KINDS)


def test_help_overlay_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["help", "overlay"]) is None
    shown = capsys.readouterr().out
    assert shown == page() + "\n"
    assert all(name in shown for name in KEYS)
    assert max(map(len, shown.splitlines())) <= 80
