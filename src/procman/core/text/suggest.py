"""Suggestions for mistyped words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like `word`, else the first one that starts with it, else an empty string."""
    wanted, names = word.lower(), list(known)
    enough = max(1, len(word) // 3)
    near = [(_distance(wanted, name.lower()), name) for name in names if abs(len(name) - len(word)) <= enough]
    distance, best = min(near, default=(enough + 1, ""), key=lambda pair: pair[0])
    return best if distance <= enough else _beginning_with(wanted, names)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return a hint for the unknown `word`: the nearest known word, or else all of them."""
    near = nearest(word, known)
    if near:
        return f'did you mean "{near}"?'
    return f"there are: {', '.join(known)}" if known else ""


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
