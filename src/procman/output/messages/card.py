"""Shows the failure card: what became of an instance that gave up, and its last words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.output.palette import Palette

LAST_LINES = 20
INDENT = "    "


def headline(name: str, words: str, palette: Palette) -> str:
    """The line that is looked for in a long log; ``words`` say how it ended."""
    return f"{palette.bold}{palette.failure}{name} FAILED: {words}{palette.reset}"


def failure_card(name: str, words: str, ran_for: str, last_lines: Sequence[bytes], palette: Palette) -> list[str]:
    """The lines of the card. ``words`` say how it ended, ``ran_for`` how long it ran; both are texts."""
    shown = [line for line in last_lines if line.strip()][-LAST_LINES:]
    card = [headline(name, words, palette)]
    if not shown:
        return [*card, f"it ran for {ran_for} and printed nothing"]
    card.append(f"it ran for {ran_for}; its last line{'s' if len(shown) > 1 else ''}:")
    card += [INDENT + line.decode("utf-8", "surrogateescape") for line in shown]
    return card
