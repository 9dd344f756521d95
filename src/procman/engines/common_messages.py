"""What all engines say in the same words: about a lock, and about what is deployed there, or is not."""

from __future__ import annotations

from procman.engines.calls import Report
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.interface import Target


def locked(target: Target, holder: str, left: float) -> EngineError:
    """Return the error for a lock that a holder may keep for so many seconds more."""
    name = target.destination.name
    hint = f"wait for its end; if it was killed, procman deploy --unlock --on {name} removes the lock"
    return EngineError(f"{holder} is changing {target.app}; the lock expires in {max(0.0, left):.0f} s", hint)


def taken_over(holder: str) -> Report:
    """Return the sentence about a lock that has expired."""
    return Report(f"the lock of {holder} has expired, and is taken over")


def not_deployed(target: Target) -> EngineError:
    """Return the error for an application that is not there."""
    name = target.destination.name
    return EngineError(f"{target.app} is not deployed to {name}", f"procman deploy --on {name} brings it there")


def name_taken(target: Target, what: str) -> EngineError:
    """Return the error for a destination where something else has the names of the application: ``what`` says that."""
    hint = "choose another name with app in the destination's table"
    return EngineError(f"{what}, and {target.app} would have the same names", hint)


def removed(target: Target) -> Report:
    """Return the sentence with which `logs --follow` ends when the application is removed."""
    return Report(f"{target.app} has been removed from {target.destination.name}")
