"""Formations: how many instances of each process type run. ``web=2,all=1``, names, exclusions."""

from __future__ import annotations

from procman.core.procfile.ports import whole_number
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.model.procfile import ProcessType, Procfile

MOST_INSTANCES = 10_000
EXAMPLE = "write a formation as web=2,worker=4 or all=1"


class Formation:
    """How many of each type. `all` is the count of types that are not named; None means 0."""

    __slots__ = ("all", "counts")

    def __init__(self, counts: dict[str, int], all: int | None = None) -> None:  # noqa: A002 (the user's word)
        self.counts = counts
        self.all = all

    def __repr__(self) -> str:
        return f"Formation({self.counts!r}, all={self.all})"

    def count(self, name: str) -> int:
        """Return the number of instances of the type `name`; its own count wins over `all`."""
        return self.counts.get(name, self.all or 0)


def parse_formation(text: str) -> Formation:
    """Parse ``web=2,all=1``, in any order, with or without blanks; raises UsageError."""
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
        raise UsageError(f'missing count for "{name}" in the formation', EXAMPLE)
    count = whole_number(text)
    if count is None:
        raise UsageError(f'invalid count "{text}" for "{name}": it must be 0, 1, 2 …', EXAMPLE)
    return name, count


def select(
    procfile: Procfile,
    formation: Formation | None = None,
    names: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> list[tuple[ProcessType, int]]:
    """Return the types that run with their counts (at least 1), in the file's order.

    `names` are words of the command line, ``web`` or ``web=2``; without any, the formation (``all=1``) decides. Raises
    UsageError for a name that is not in the Procfile, and if nothing, or far too much, would run.
    """
    named, counted = _parse_names(names)
    excluded = flatten(exclude)
    wanted = formation or Formation({}, 1)
    require_known(procfile, (*wanted.counts, *named, *excluded))
    chosen = []
    for type_ in procfile.process_types:
        count = counted.get(type_.name, _count(wanted, type_.name, named))
        if count and type_.name not in excluded:
            chosen.append((type_, count))
    _require_sane(chosen, wanted, named)
    return chosen


def flatten(words: Iterable[str]) -> list[str]:
    """Split each word at commas: ``("web,css", "clock")`` has three names."""
    return [part for word in words for part in _parts(word)]


def require_known(procfile: Procfile, names: Iterable[str]) -> None:
    """Raise UsageError for the first of `names` that is not in the Procfile."""
    for name in names:
        if procfile.get(name) is None:
            from procman.core.text.suggest import did_you_mean

            raise UsageError(f'{procfile.name} has no process type "{name}"', did_you_mean(name, procfile.names))


def _parse_names(words: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Return the names among the words of the command line, and the counts that some of them give."""
    named: list[str] = []
    counted: dict[str, int] = {}
    for word in flatten(words):
        name, count = _parse_part(word) if "=" in word else (word, None)
        if count is not None and counted.setdefault(name, count) != count:
            raise UsageError(f'"{name}" is counted twice: {counted[name]} and {count}')
        named.append(name)
    return named, counted


def _count(wanted: Formation, name: str, named: list[str]) -> int:
    if not named:
        return wanted.count(name)
    if name not in named:
        return 0
    # A type named on the command line runs, even if a formation (from a config file, for example) does not mention it.
    return wanted.counts.get(name, 1 if wanted.all is None else wanted.all)


def _require_sane(chosen: list[tuple[ProcessType, int]], wanted: Formation, named: list[str]) -> None:
    total = sum(count for _, count in chosen)
    if total > MOST_INSTANCES:
        raise UsageError(f"{total} instances are too many: procman starts {MOST_INSTANCES} at most")
    if chosen:
        return
    if named and not any(map(wanted.count, named)):
        raise UsageError("nothing to start", f"its count in the formation is 0: write {named[0]}=1")
    raise UsageError("nothing to start: every process type is excluded or has the count 0", EXAMPLE)
