"""``procman help TOPIC``: the reference of a command or of the overlay, then its page of the documentation."""

from __future__ import annotations

import os
import sys

from procman.cli.colors import colored_page, palette_for, write
from procman.cli.options.help import columns, page
from procman.cli.options.overlay_reference import page as overlay_page
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import ALIASES
from procman.cli.options.topics import text_of, topics
from procman.core.text.markdown import linked_pages, rendered
from procman.core.text.suggest import did_you_mean
from procman.errors import EXIT_OK, ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.options.option import Invocation
    from procman.output.palette import Palette

OVERLAY = "overlay"
SCHEMA = "schema"  # not a page: the line for the top of procman.toml, alone, so that a shell can write it
WIDTH = 80  # columns, of a pipe; on a wider terminal lines are no longer than WIDEST, so that they can be read
WIDEST = 100
_MIN_WORD_LENGTH = 3  # letters of a word that is searched for
_MAX_HINT_PAGES = 3
_ROWS = 24  # of a terminal that does not say how many it has


def perform(invocation: Invocation) -> int:
    """Print the topic, or the list of topics; on a terminal through a pager, if it does not fit."""
    if len(invocation.words) > 1:
        raise UsageError("help takes one topic", "procman help lists all of them")
    topic = ALIASES.get(invocation.words[0], invocation.words[0]) if invocation.words else ""
    if topic == SCHEMA:
        from procman.cli.options.schema import line

        sys.stdout.write(f"{line()}\n")
        return EXIT_OK
    palette = palette_for(sys.stdout)
    try:
        text = _topic(topic, palette) if topic else colored_page(_list(), palette)
    except OSError as error:
        hint = "procman COMMAND --help explains the options of a command"
        raise ConfigError(f"this installation lacks the pages of the documentation: {error.strerror}", hint) from None
    _show(text)
    return EXIT_OK


def _list() -> str:
    pages = topics()
    commands = ", ".join(name for name in COMMANDS if name not in pages)
    return "\n".join(
        (
            "Usage: procman help TOPIC",
            "",
            *columns(pages.items()),
            "",
            "Commands without a page, whose options it explains:",
            *columns((("", commands),)),
        )
    )


def _topic(topic: str, palette: Palette) -> str:
    """Return what is known by this name."""
    parts = []
    if topic in COMMANDS:
        parts.append(colored_page(page(COMMANDS[topic]), palette))
    elif topic == OVERLAY:
        parts.append(colored_page(overlay_page(), palette))
    known = topics()
    if topic in known:
        parts.append(_page(topic, palette, known))
    if not parts:
        hint = did_you_mean(topic, (*known, *COMMANDS, SCHEMA))
        hint = hint if hint.startswith("did") else _pages_about(topic, known) or "procman help lists all of them"
        raise UsageError(f'unknown topic "{topic}"', hint)
    return "\n\n".join(parts)


def _pages_about(word: str, known: dict[str, str]) -> str:
    """Return a hint that names the pages with this word: first those where a title has it, then by how often."""
    if len(word) < _MIN_WORD_LENGTH:
        return ""
    import re

    anywhere = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    title = re.compile(rf"^#.*{anywhere.pattern}", re.IGNORECASE | re.MULTILINE)
    texts = {name: text_of(name) for name in known}
    weights = {name: (len(title.findall(text)), len(anywhere.findall(text))) for name, text in texts.items()}
    found = sorted((name for name in known if any(weights[name])), key=lambda name: weights[name], reverse=True)
    return f"see {', '.join(f'procman help {name}' for name in found[:_MAX_HINT_PAGES])}" if found else ""


def _page(topic: str, palette: Palette, known: dict[str, str]) -> str:
    text = text_of(topic)
    lines = rendered(
        text,
        _width(),
        lambda title: f"{palette.bold}{title}{palette.reset}",
        (lambda code: f"{palette.of(0)}{code}{palette.reset}") if palette.colored else None,
    )
    others = [f"procman help {name}" for name in linked_pages(text) if name in known and name != topic]
    return "\n".join((*lines, *(["", "See also:", *(f"  {line}" for line in others)] if others else [])))


def _width() -> int:
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return WIDTH
    return min(columns or WIDTH, WIDEST)


def _show(text: str) -> None:
    """Write the text, through the user's pager if it is longer than the terminal."""
    try:
        rows = os.get_terminal_size(sys.stdout.fileno()).lines or _ROWS
    except OSError:
        rows = 0
    if not rows or text.count("\n") + 2 < rows or not sys.stdin.isatty():
        write(sys.stdout, f"{text}\n")
        return
    import click

    os.environ.setdefault("LESS", "FRX")  # as git does: quit if it fits, show colors, leave the text on the screen
    click.echo_via_pager(f"{text}\n", color="\x1b" in text)
