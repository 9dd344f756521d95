"""What is said when another command has the lock of a destination."""

from __future__ import annotations

from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.interface import Target


def locked(target: Target, holder: str, seconds: float) -> EngineError:
    """Return the error for a lock that a holder has had for so many seconds."""
    name = target.destination.name
    hint = f"wait for its end, or remove a lock that is left over with procman deploy --unlock --on {name}"
    return EngineError(f"{holder} has been changing {target.app} for {max(0.0, seconds):.0f} s", hint)
