"""Suggestions for mistyped words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MAX_LENGTH = 64  # characters: longer words are not typed
MAX_NAMES = 300  # known words that are compared
MAX_CLOSE = 50  # of these, words with about the same letters: the exact comparison takes a hundred times as long
MAX_LISTED = 30  # known words that a hint lists


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` most resembles, or an empty string if none is near.

    The time is bounded whatever the words are, since they may come from a stranger's file.
    """
    wanted, names = word.lower(), list(known)[:MAX_NAMES]
    enough = max(1, len(word) // 3)
    if len(word) > MAX_LENGTH:
        return _beginning_with(wanted, names)
    letters = set(wanted)
    close = [
        name
        for name in names
        if abs(len(name) - len(word)) <= enough and len(letters.symmetric_difference(name.lower())) <= 2 * enough
    ]
    near = [(_distance(wanted, name.lower()), name) for name in close[:MAX_CLOSE]]
    distance, best = min(near, default=(enough + 1, ""), key=lambda pair: pair[0])
    return best if distance <= enough else _beginning_with(wanted, names)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return a hint for the unknown `word`: the nearest known word, or else all of them."""
    near = nearest(word, known)
    if near:
        return f'did you mean "{near}"?'
    more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"there are: {', '.join(known[:MAX_LISTED])}{more}" if known else ""


def _beginning_with(word: str, known: Iterable[str]) -> str:
    return next((name for name in known if word and name.lower().startswith(word)), "")


def _distance(a: str, b: str) -> int:
    """Return the number of edits between two words; swapped neighbors count as one (optimal string alignment)."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and other == a[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
