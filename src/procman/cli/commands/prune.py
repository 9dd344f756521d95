"""Asks: ``procman prune``: ends what sessions that were killed have left running."""

from __future__ import annotations

from procman.errors import EXIT_OK
from procman.runtime.guardian.leftovers import end_leftovers, find_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.settings import Settings

EXIT_ALIVE = 1


def prune(settings: Settings) -> int:
    """End every leftover of our own user, or those with these names; 1 when one of them cannot be ended."""
    found = [one for one in find_leftovers() if one.is_called(settings.names)]
    alive = {one.pid for one in end_leftovers(found, settings.timeout)}
    for one in found:
        print(f"{'cannot be ended' if one.pid in alive else 'ended'}: {one}")
    if not found:
        print("nothing is left over")
    return EXIT_ALIVE if alive else EXIT_OK
