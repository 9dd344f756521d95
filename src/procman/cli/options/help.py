"""The pages of ``--help``. Each fits a screen of 80 columns and 24 rows."""

from __future__ import annotations

import textwrap

from procman.cli.options.session_table import COMMANDS, SESSION_COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.cli.options.table import Command, Option

WIDTH = 80  # columns
_TOGETHER = {  # one row for two: a screen has 24
    "pause": ("pause, resume", "Suspend processes without ending them, or resume them."),
    "up": ("up, agents", "Start in the background; help coding agents, also by mcp."),
    "check": ("check, init", "Check the Procfile, or write a first one from what is here."),
    "run": ("run, env", "Run a command with a process's variables, or print them."),
    "test": ("test, prune", "Run a command while all are up; stop what killed sessions left."),
    "stop": ("stop, down", "Stop processes, or end the whole session."),
    "ps": ("ps, sessions", "Show the status of the processes; list recorded sessions."),
    "attach": ("attach, tui", "Attach to the terminal of one process; show all full-screen."),
    "wait": ("wait, metrics", "Wait until all are ready; print metrics, for Prometheus."),
    "why": ("why, events", "Explain the state of a process; follow state changes."),
}
_IN_ANOTHER_ROW = (
    "sessions",
    "resume",
    "events",
    "env",
    "init",
    "agents",
    "mcp",
    "prune",
    "down",
    "metrics",
    "help",
    "tui",
)


def overview() -> str:
    """Return the page of ``procman --help``."""
    shown = [command for command in COMMANDS.values() if command.name not in _IN_ANOTHER_ROW]
    rows = {command: _TOGETHER.get(command.name, (command.name, _short(command))) for command in shown}
    control = [row for command, row in rows.items() if command.name in SESSION_COMMANDS]
    general = [row for command, row in rows.items() if command.name not in SESSION_COMMANDS]
    lines = columns([*general, *control])
    return "\n".join(
        (
            "Usage: procman COMMAND [OPTIONS] [ARGS]...",
            "",
            *lines[: len(general)],
            "",
            "For a running session:",
            *lines[len(general) :],
            "",
            "See also: procman COMMAND --help, procman help, procman --version",
        )
    )


def _short(command: Command) -> str:
    return command.summary.replace(" of a running session", "")


def page(command: Command, everything: bool = False) -> str:
    """Return the page of ``procman COMMAND --help``, or of ``--help-all`` with ``everything``."""
    shown = [option for option in command.options if everything or _is_everyday(command, option)]
    names = [option.long_flags[0] for option in command.options if option not in shown]
    options = rows(shown) + ([("-h, --help", "show this page")] if everything or not shown else [])
    others = ["", *_others(names)] if names else []
    return "\n".join((usage(command), command.summary, "", *columns(options), *others, "", *columns(command.examples)))


def usage(command: Command) -> str:
    """Return the usage line of a command."""
    words = f"{{{'|'.join(command.words)}}}" if isinstance(command.words, tuple) else _WORDS[command.words]
    return f"Usage: procman {command.name} {'[OPTIONS] ' if command.options else ''}{words}".rstrip()


_WORDS = {
    "NAMES": "[NAMES]...",
    "COMMAND": "COMMAND [ARGS]...",
    "CHANGES": "TYPE=N...",
    "SIGNAL": "SIGNAL NAMES...",
    "FORMAT": "FORMAT [DIR]",
    "TOPIC": "[TOPIC]",
    "NOTHING": "",
}


def _is_everyday(command: Command, option: Option) -> bool:
    """Return whether ``--help`` explains the option. A command with few options explains them all."""
    if option.setting in command.rare:
        return False
    return len(command.options) < 10 or any(row.everyday for row in command.options if row.setting == option.setting)


def _others(names: list[str]) -> list[str]:
    text = f"More options, explained by --help-all: {' '.join(names)}"
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def rows(options: Iterable[Option], all_flags: bool = False) -> list[tuple[str, str]]:
    """Return pairs of flags and help. "--no-color" joins the row of "--color"."""
    found: list[tuple[str, str]] = []
    for option in options:
        flags = ", ".join(option.flags if all_flags else option.flags[:2])
        value = option.metavar or "|".join(option.choices)
        text = f"{flags}[=WHEN]" if option.kind == "switch" and value else f"{flags} {value}".rstrip()
        if option.help:
            found.append((text, option.help))
        else:
            before, help_text = found.pop()
            found.append((f"{before} / {text}", help_text))
    return found


def columns(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return terms and their texts as two columns."""
    pairs = list(pairs)
    left = max(len(pair[0]) for pair in pairs) + 4
    lines: list[str] = []
    for term, text in pairs:
        wrapped = textwrap.wrap(text, WIDTH - left)
        lines.append(f"  {term}".ljust(left) + wrapped[0])
        lines.extend(" " * left + line for line in wrapped[1:])
    return lines
