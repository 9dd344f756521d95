"""What is said when an application is removed while its output is followed."""

from __future__ import annotations

from procman.engines.calls import Report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.interface import Target


def removed(target: Target) -> Report:
    """Return the sentence with which `logs --follow` ends then."""
    return Report(f"{target.app} has been removed from {target.destination.name}")
