"""The man page, made from the table of options: ``python -m procman.cli.options.manual > man/procman.1``."""

from __future__ import annotations

from procman import __version__
from procman.cli.options import overlay_reference
from procman.cli.options.help import rows, usage
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import OPTIONS, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DESCRIPTION = """\
procman runs the processes of a Procfile, as many instances of each as the formation says, and shows their output in
one place. A line of a Procfile is a name, a colon and a command. Every process gets PORT, its own name and the
variables of .env. procman restarts a process that fails, and when it exits, it leaves nothing behind that it has
started."""

_PRECEDENCE = """\
A setting comes from the first of these places that has it: the command line; the environment (PROCMAN_ and the long
option in upper case, with underscores); procman.local.toml; procman.toml or, without one, the table tool.procman of
pyproject.toml; .foreman; the default. procman looks for these files in the root if that is given, else beside the
Procfile if that is given, else in the current folder. Relative paths in a file start from its own folder."""

_FILES = (
    ("Procfile", "The process types and their commands."),
    (".env", "Variables for the processes, one KEY=value per line; --env names other files."),
    ("procman.toml, procman.local.toml, pyproject.toml", "Settings, by the names above. An unknown name is an error."),
    (".foreman", "Foreman's settings. procman reads procfile, env, formation, port, timeout and root."),
)

_EXIT_STATUS = (
    ("0", "Success, help was shown, or SIGTERM stopped all processes within their grace period."),
    ("1", "check found problems. start exits with the code of the first process that failed, if it is below 126."),
    ("2", "Invalid usage, or a missing or invalid file."),
    ("70", "A bug in procman."),
    ("126, 127", "The command of run cannot be executed, or was not found."),
    ("128+n", "The first process that failed, or the command of run, was killed by signal n."),
    ("129, 130, 143", "Ended by a hang-up, by Ctrl-C, or by SIGTERM with processes running past their grace period."),
    ("141", "The reader of standard output has closed it."),
)

_VARIABLES = (
    ("PORT", "The first port, unless an option sets it. Each process gets its own PORT."),
    ("NO_COLOR, FORCE_COLOR", "Never use colors, or use them even if standard output is not a terminal."),
    ("PROCMAN_WAIT_TIMEOUT", "How long wait and test wait until processes are ready, unless --timeout is given."),
    (
        "AGENT, AI_AGENT, CLAUDECODE, CODEX_*, CURSOR_AGENT, GEMINI_CLI",
        "Set by coding agents: start prints a hint about up, unless standard output is a terminal or CI is set.",
    ),
    ("PROCMAN_DEBUG", "If 1, an unexpected error in procman shows its traceback."),
)


def manual() -> str:
    """Return the man page, in the language of man(7)."""
    return "\n".join((*_head(), *_commands(), *_tail())) + "\n"


def _head() -> Iterator[str]:
    yield f'.TH PROCMAN 1 "" "procman {__version__}" "User Commands"'
    yield from (".SH NAME", "procman \\- run the processes of a Procfile", ".SH SYNOPSIS")
    for command in COMMANDS.values():
        yield f".B {_plain(usage(command).removeprefix('Usage: '))}"
        yield ".br"
    yield from (".B procman \\-\\-help", ".br", ".B procman \\-\\-version")
    yield from (".SH DESCRIPTION", _plain(_DESCRIPTION), ".SH COMMANDS", "Defaults are in brackets.")


def _commands() -> Iterator[str]:
    for command in COMMANDS.values():
        yield f'.SS "procman {command.name}"'
        yield _plain(command.summary)
        yield from _options(command)
        yield from (".PP", "Examples:")
        yield from _terms((line, text) for line, text in command.examples)


def _options(command: Command) -> Iterator[str]:
    if command.name == "start" or len(command.options) < len(OPTIONS) // 4:
        yield from _terms(rows(command.options, all_flags=True))
    elif command.options:
        own = [option for option in command.options if option not in COMMANDS["start"].options]
        shared = [option.long_flags[0] for option in command.options if option not in own]
        yield from (".PP", _plain(f"As in start: {', '.join(shared)}."))
        yield from _terms(rows(own, all_flags=True))


def _tail() -> Iterator[str]:
    yield from (
        ".SH SETTINGS",
        _plain(_PRECEDENCE),
        ".PP",
        "Each option, with its environment variable and its key in a file:",
    )
    yield from (f".TP\n.B {_plain(option.long_flags[0])}\n{_plain(_places(option.setting))}" for option in _settings())
    yield from _overlay()
    yield ".SH ENVIRONMENT"
    yield from _terms(_VARIABLES)
    yield ".SH FILES"
    yield from _terms(_FILES)
    yield ".SH EXIT STATUS"
    yield from _terms(_EXIT_STATUS)
    yield from (".SH SEE ALSO", ".BR sh (1),", ".BR environ (7),", ".BR systemd.service (5)")


def _overlay() -> Iterator[str]:
    yield from (".SH OVERLAY", _plain(overlay_reference.INTRODUCTION), ".PP", ".nf", ".RS 4")
    yield from (_plain(overlay_reference.EXAMPLE.rstrip()), ".RE", ".fi")
    for name, (form, text) in overlay_reference.KEYS_EXPLAINED.items():
        yield f'.TP\n.BR {_plain(name)} " = {_plain(form)}"\n{_sentence(_plain(text))}.'
    yield from (".PP", "A CHECK is a table with one of:")
    yield from (f".TP\n.B {_plain(form)}\n{_plain(text)}" for form, text in overlay_reference.CHECKS_EXPLAINED.items())


def _settings() -> Iterator[Option]:
    seen = set()
    for option in OPTIONS:
        if option.setting not in seen:
            seen.add(option.setting)
            yield option


def _places(setting: str) -> str:
    variables = [name for option in OPTIONS if option.setting == setting for name in option.variables]
    in_files = any(option.config for option in OPTIONS if option.setting == setting)
    return ", ".join(variables) + (f"; {setting}" if in_files else "")


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in pairs:
        yield f".TP\n.B {_plain(term)}\n{_sentence(_plain(text))}"


def _sentence(text: str) -> str:
    return text if text.startswith("off, ") else text[:1].upper() + text[1:]  # "off" is a value to type


def _plain(text: str) -> str:
    """Escape text for roff: hyphens that can be copied, backslashes, quotes and leading dots."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").split("\n")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


if __name__ == "__main__":
    print(manual(), end="")
