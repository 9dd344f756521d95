"""``procman prune``: stop what killed sessions have left running."""

from __future__ import annotations

from procman.cli.options.precedence import settle
from procman.errors import EXIT_OK
from procman.runtime.guardian.leftovers import end_leftovers, find_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation

EXIT_ALIVE = 1


def perform(invocation: Invocation) -> int:
    """Stop every leftover of the user, or those with the given names. Returns 1 if one of them cannot be stopped."""
    settings = settle(invocation)
    found = [one for one in find_leftovers() if one.is_called(settings.names)]
    alive = {one.pid for one in end_leftovers(found, settings.timeout)}
    for one in found:
        print(f"{'cannot be ended' if one.pid in alive else 'ended'}: {one}")
    if not found:
        print("nothing is left over")
    return EXIT_ALIVE if alive else EXIT_OK
