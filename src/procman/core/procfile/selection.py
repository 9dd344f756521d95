"""Selects the instances a user means: by type, by instance, or by a pattern such as ``web*`` or ``*.2``."""

from __future__ import annotations

from procman.core.procfile.formation import MOST_INSTANCES, whole_number
from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def matches(pattern: str, name: str) -> bool:
    """Whether `pattern` means the instance `name`: it is its name, its type, or a glob (``*``, ``?``) for either."""
    kind = name.partition(".")[0]
    if not is_pattern(pattern):
        return pattern in (name, kind)
    return fits(pattern, name) or fits(pattern, kind)


def is_pattern(word: str) -> bool:
    """Whether the word is a pattern and not just a name."""
    return "*" in word or "?" in word


def fits(pattern: str, text: str) -> bool:
    """Match a glob of ``*`` and ``?``. It only backtracks to the latest star, so it needs no exponential time."""
    at = begin = resume = 0
    star = -1
    while begin < len(text) or at < len(pattern):
        if at < len(pattern) and pattern[at] == "*":
            star, at, resume = at, at + 1, begin
        elif begin < len(text) and at < len(pattern) and pattern[at] in ("?", text[begin]):
            at, begin = at + 1, begin + 1
        elif star >= 0 and resume < len(text):
            resume += 1
            at, begin = star + 1, resume
        else:
            return False
    return True


def choose(patterns: Iterable[str], names: Sequence[str], groups: Sequence[str] = ()) -> list[str]:
    """Return the instances among `names` that the patterns mean, each once, in the order of `names`.

    Raises UsageError for a pattern without a match; `groups` are further names to suggest.
    """
    labels: dict[str, list[str]] = {}  # there may be thousands of patterns, mostly names
    for name in names:
        for label in {name, name.partition(".")[0]}:
            labels.setdefault(label, []).append(name)
    found = {name for pattern in patterns for name in labels.get(pattern) or _meant(pattern, names, groups)}
    return [name for name in names if name in found]


def _meant(pattern: str, names: Sequence[str], groups: Sequence[str]) -> list[str]:
    meant = [name for name in names if matches(pattern, name)]
    if not meant:
        known = (*dict.fromkeys(name.partition(".")[0] for name in names), *groups, *names)
        raise UsageError(f'there is no process "{pattern}" in this session', did_you_mean(pattern, known[:40]))
    return meant


def parse_change(word: str) -> tuple[str, str, int]:
    """Return name, sign and number of ``web=3``, ``worker+1`` or ``worker-2``; raises UsageError."""
    for sign in "=+":
        name, found, number = word.rpartition(sign)
        if found:
            break
    else:
        sign = "-"
        name, _, number = word.rpartition("-")
    count = whole_number(number)
    if not name or count is None:
        raise UsageError(f'"{word}" is not a count', "write web=3, worker+1 or worker-1")
    if count > MOST_INSTANCES and sign != "-":
        raise UsageError(f"{count} instances are too many; procman starts at most {MOST_INSTANCES}")
    return name, sign, count


def changed_count(sign: str, number: int, present: int) -> int:
    """Return the new number of instances, at least 0; `present` is the current one."""
    return number if sign == "=" else max(0, present + (number if sign == "+" else -number))
