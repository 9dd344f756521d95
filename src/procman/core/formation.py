"""Decides how many instances of each process type run: ``web=2,all=1``, names, exclusions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.procfile import ProcessType, Procfile


class Formation:
    """How many of each type; ``all`` counts the types that are not named, None starts none of them."""

    __slots__ = ("all", "counts")

    def __init__(self, counts: dict[str, int], all: int | None = None) -> None:  # noqa: A002 (the user's word)
        self.counts = counts
        self.all = all


def parse_formation(text: str) -> Formation:
    """Parse ``web=2,all=1``; raises UsageError."""
    raise NotImplementedError


def select(
    procfile: Procfile,
    formation: Formation | None = None,
    names: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> list[tuple[ProcessType, int]]:
    """Return the types that run with their counts (>= 1), in the file's order; raises UsageError."""
    raise NotImplementedError
