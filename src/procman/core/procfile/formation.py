"""Decides how many instances of each process type run: ``web=2,all=1``, names, exclusions."""

from __future__ import annotations

from procman.core.procfile.ports import whole_number
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.model.procfile import ProcessType, Procfile

MOST_INSTANCES = 10_000
EXAMPLE = "a formation is written web=2,worker=4 or all=1"


class Formation:
    """How many of each type; ``all`` counts the types that are not named, None starts none of them."""

    __slots__ = ("all", "counts")

    def __init__(self, counts: dict[str, int], all: int | None = None) -> None:  # noqa: A002 (the user's word)
        self.counts = counts
        self.all = all

    def __repr__(self) -> str:
        return f"Formation({self.counts!r}, all={self.all})"

    def count(self, name: str) -> int:
        """Return how many instances of the type ``name`` it asks for; a named type wins over ``all``."""
        return self.counts.get(name, self.all or 0)


def parse_formation(text: str) -> Formation:
    """Parse ``web=2,all=1``, blanks allowed, in any order; raises UsageError."""
    counts: dict[str, int] = {}
    for part in _parts(text):
        name, count = _parse_part(part)
        if counts.setdefault(name, count) != count:
            raise UsageError(f'the formation counts "{name}" twice: {counts[name]} and {count}', EXAMPLE)
    if not counts:
        raise UsageError("the formation is empty", EXAMPLE)
    return Formation(counts, counts.pop("all", None))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_part(part: str) -> tuple[str, int]:
    name, equals, text = (piece.strip() for piece in part.partition("="))
    if not name:
        raise UsageError(f'no name before "{part}" in the formation', EXAMPLE)
    if not equals:
        raise UsageError(f'how many of "{name}"? The formation gives no count', EXAMPLE)
    count = whole_number(text)
    if count is None:
        raise UsageError(f'"{text}" is no count of "{name}": it must be 0, 1, 2 …', EXAMPLE)
    return name, count


def select(
    procfile: Procfile,
    formation: Formation | None = None,
    names: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> list[tuple[ProcessType, int]]:
    """Return the types that run with their counts (>= 1), in the file's order.

    ``names`` are words of the command line, ``web`` or ``web=2``; without any, the formation (``all=1``) chooses.
    Raises UsageError for a name that the Procfile does not have, and when nothing, or far too much, would run.
    """
    asked, counted = _asked(names)
    left_out = flatten(exclude)
    wanted = formation or Formation({}, 1)
    require_known(procfile, (*wanted.counts, *asked, *left_out))
    chosen = []
    for type_ in procfile.process_types:
        count = counted.get(type_.name, _count(wanted, type_.name, asked))
        if count and type_.name not in left_out:
            chosen.append((type_, count))
    _require_sane(chosen, wanted, asked)
    return chosen


def flatten(words: Iterable[str]) -> list[str]:
    """Split each word at commas: ``("web,css", "clock")`` has three names."""
    return [part for word in words for part in _parts(word)]


def require_known(procfile: Procfile, names: Iterable[str]) -> None:
    """Raise UsageError for the first of ``names`` that the Procfile does not define."""
    for name in names:
        if procfile.get(name) is None:
            from procman.core.text.suggest import did_you_mean

            raise UsageError(f'{procfile.name} has no process type "{name}"', did_you_mean(name, procfile.names))


def _asked(words: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Return the names among the words of the command line, and the counts that some of them carry."""
    asked: list[str] = []
    counted: dict[str, int] = {}
    for word in flatten(words):
        name, count = _parse_part(word) if "=" in word else (word, None)
        if count is not None and counted.setdefault(name, count) != count:
            raise UsageError(f'"{name}" is counted twice: {counted[name]} and {count}')
        asked.append(name)
    return asked, counted


def _count(wanted: Formation, name: str, asked: list[str]) -> int:
    if not asked:
        return wanted.count(name)
    if name not in asked:
        return 0
    # Who names a type on the command line wants it, though a formation (of a settings file, say) is silent about it.
    return wanted.counts.get(name, 1 if wanted.all is None else wanted.all)


def _require_sane(chosen: list[tuple[ProcessType, int]], wanted: Formation, asked: list[str]) -> None:
    total = sum(count for _, count in chosen)
    if total > MOST_INSTANCES:
        raise UsageError(f"{total} instances are too many: procman starts {MOST_INSTANCES} at most")
    if chosen:
        return
    if asked and not any(map(wanted.count, asked)):
        raise UsageError("nothing to start", f"the formation counts 0 of it: name it as {asked[0]}=1")
    raise UsageError("nothing to start: every process type is left out or counted 0", EXAMPLE)
