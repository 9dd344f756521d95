"""Shell completion: files, choices, commands, signals, and the names of the Procfile and of the running session."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from procman.cli.options.precedence import settle
from procman.cli.options.session_table import COMMANDS, SESSION_COMMANDS
from procman.cli.options.table import Invocation, Option
from procman.config.files import read_procfile
from procman.core.model.status import SIGNALS
from procman.errors import EXIT_OK, ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from socket import socket

    from procman.core.model.settings import Settings

TIME_LIMIT = 2.0  # seconds; then there are no completions: a file may be a FIFO, a session may be stuck
ANSWER_TIMEOUT = 0.3  # seconds
_FOLDERS = ("root", "log_dir", "out", "log")  # settings whose path is a folder
_WHICH_PROJECT = ("procfile", "root", "socket")  # settings that matter for names
_OF_SESSIONS = tuple(SESSION_COMMANDS)


def complete(main: Callable[[], object]) -> int:
    """Call click's completion and return the exit code. Only completions are printed, whatever goes wrong.

    The user is in the middle of a line, so no message of ours may reach the terminal.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if sys.platform != "win32":  # it has no alarm
        signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(EXIT_OK))
        signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
    with contextlib.suppress(BaseException):  # SystemExit, too: click's way to end a completion
        main()
    return EXIT_OK


class _WithValues(ShellComplete):
    """Completion that returns ``--exit=any`` for ``--exit=a``, where click returns the value only."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return what the word at the cursor could become."""
        flag, equals, text = incomplete.partition("=")
        if not equals or flag[:1] != "-":
            return super().get_completions(args, incomplete)
        choices = _switch_choices().get(flag, ())
        found = _matching(choices, text) if choices else super().get_completions(args, incomplete)
        if self.name != "bash":  # zsh and fish would complete the whole word as a path
            found = [one for item in found for one in (_paths(text, item.type) if item.type != "plain" else [item])]
        return [CompletionItem(flag + equals + item.value, type=item.type) for item in found]


@add_completion_class
class _BashComplete(_WithValues, BashComplete):
    """Completion for bash, which splits words at each ``=`` (COMP_WORDBREAKS), and replaces the last part only."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete $1 2>/dev/null)
    for completion in $response; do
        IFS=',' read type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=($value)
            [[ $value == *= ]] && compopt -o nospace
        fi
    done
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor and the word at it, with ``--exit=any`` and ``web=2`` in one piece."""
        words, last = super().get_completion_args()
        joined: list[str] = []
        for word in (*words, last):
            if joined and (word == "=" or joined[-1].endswith("=")):
                joined[-1] += word
            else:
                joined.append(word)
        self.cut = joined[-1].rfind("=") + 1 if last == "=" or "=" not in last else 0
        return joined[:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """Return the completion without the part that bash keeps."""
        return f"{item.type},{item.value[self.cut :]}"


@add_completion_class
class _ZshComplete(_WithValues, ZshComplete):
    """Completion for zsh, silent even where procman cannot be found."""

    source_template = ZshComplete.source_template.replace(
        "zsh_complete %(prog_name)s", "zsh_complete %(prog_name)s 2>/dev/null"
    )


@add_completion_class
class _FishComplete(_WithValues, FishComplete):
    """Completion for fish, silent even where procman cannot be found."""

    source_template = FishComplete.source_template.replace(
        "(commandline -t) %(prog_name)s", "(commandline -t) %(prog_name)s 2>/dev/null"
    )


class CompletingType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """A string that click passes through unchanged and knows how to complete.

    ``kind`` is the kind of ``option``, or without one the ``words`` of a command.
    """

    def __init__(self, kind: str, option: Option | None = None) -> None:
        self.name = kind
        self.option = option

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the string unchanged: it is converted together with the environment and the config files."""
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return what the string could become."""
        option = self.option
        if option is None:
            return _WORDS.get(self.name, _names)(ctx, incomplete)
        if option.choices:
            return _matching(option.choices, incomplete)
        if option.setting == "on":
            return _matching(destination_names(ctx), incomplete)
        if option.setting == "formation":
            return [*_in_list([f"{name}=" for name in (*process_names(ctx), "all")], incomplete)]
        if option.names:
            takes_groups = option.kind == "list"  # --primary takes process types only
            own = ("system",) if option.setting == "quiet" else ()
            return _in_list((*names_and_groups(ctx), *own) if takes_groups else process_names(ctx), incomplete)
        is_path = option.kind == "path" or option.setting == "env"
        return _file(incomplete, "dir" if option.setting in _FOLDERS else "file") if is_path else []


def _names(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Complete NAMES: process types and groups, and for a running session its instances and ``system``."""
    own = ("system",) if ctx.info_name == "logs" else ()
    is_here = not _given(ctx, ("on",)) and not os.environ.get("PROCMAN_ON")
    live = live_names(ctx) if ctx.info_name in _OF_SESSIONS and is_here else ()
    return _in_list(dict.fromkeys((*names_and_groups(ctx), *live, *own)), incomplete)


def _changes(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    return _in_list([f"{name}=" for name in process_names(ctx)], incomplete)


def _signal_and_names(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    if ctx.params.get("words"):
        return _names(ctx, incomplete)
    prefix = "SIG" if incomplete.upper().startswith("SIG") else ""
    names = sorted(prefix + name.removeprefix("SIG") for name in SIGNALS.values())
    return _matching(names, incomplete.upper())


def _format_and_folder(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    from procman.export.registry import BUILT_IN

    return _file(incomplete, "dir") if ctx.params.get("words") else _matching(BUILT_IN, incomplete)


def _topic(_ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    from procman.cli.options.topics import topics

    return _matching(dict.fromkeys((*topics(), *COMMANDS, "schema")), incomplete)


def _command(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Complete a command: its first word is a program, or for ``run`` without ``--`` one process type."""
    if ctx.params.get("words") or "/" in incomplete:
        return _file(incomplete)
    is_after_dashes = ctx.meta.get(AFTER_DASHES, False)
    types = process_names(ctx) if ctx.info_name == "run" and not is_after_dashes else ()
    programs = programs_on_path(incomplete) if incomplete or is_after_dashes else ()
    return _matching(dict.fromkeys((*types, *programs)), incomplete)


AFTER_DASHES = "procman.after_dashes"  # key of click's `meta`: whether a ``--`` stands before the cursor


def _nothing(_ctx: click.Context, _incomplete: str) -> list[CompletionItem]:
    return []


_WORDS = {
    "CHANGES": _changes,
    "SIGNAL": _signal_and_names,
    "FORMAT": _format_and_folder,
    "COMMAND": _command,
    "TOPIC": _topic,
    "NOTHING": _nothing,
}


def programs_on_path(beginning: str) -> list[str]:
    """Return the names of the programs on PATH that begin like this."""
    found: set[str] = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        try:
            found.update(
                entry.name
                for entry in os.scandir(folder or ".")
                if entry.name.startswith(beginning) and os.access(entry.path, os.X_OK) and not entry.is_dir()
            )
        except OSError:
            continue
    return sorted(found)


def process_names(ctx: click.Context) -> tuple[str, ...]:
    """Return the names in the Procfile that this command line would read, or none if it cannot be read."""
    try:
        return tuple(process.name for process in read_procfile(_settings(ctx).procfile).process_types)
    except (OSError, ValueError, ProcmanError):
        return ()


def names_and_groups(ctx: click.Context) -> tuple[str, ...]:
    """Return the names in the Procfile and the groups of the overlay."""
    from procman.config.overlays import groups_now

    try:
        return (*process_names(ctx), *groups_now(_settings(ctx)))
    except ProcmanError:
        return process_names(ctx)


def destination_names(ctx: click.Context) -> tuple[str, ...]:
    """Return the names of the destinations in the config files, or none if these cannot be read."""
    from procman.config.destinations import read_destinations

    try:
        return tuple(read_destinations(_settings(ctx)).found)
    except (OSError, ValueError, ProcmanError):
        return ()


def live_names(ctx: click.Context) -> tuple[str, ...]:
    """Return the types and instances of the running session; none if there is no session, or it does not answer."""
    from procman.runtime.control.endpoint import find, socket_paths

    try:
        settings = _settings(ctx)
        connection = find(
            socket_paths(settings.procfile, settings.root, settings.socket, os.environ), settings.socket is not None
        )
        rows = _rows(connection) if connection else []
    except (OSError, ProcmanError):
        return ()
    return tuple(dict.fromkeys(str(row[key]) for key in ("type", "name") for row in rows))


def _rows(connection: socket) -> list[dict[str, object]]:
    """Return the rows of ``ps``. Raises TimeoutError if the session does not answer soon."""
    from procman.runtime.control.wire import decode, encode

    connection.settimeout(ANSWER_TIMEOUT)
    connection.sendall(encode({"verb": "ps"}))
    line = bytearray()
    while not line.endswith(b"\n") and (chunk := connection.recv(65536)):
        line += chunk
    answer = decode(line)
    rows = answer.get("instances") if isinstance(answer, dict) else None
    return (
        [row for row in rows if isinstance(row, dict) and {"type", "name"} <= set(row)]
        if isinstance(rows, list)
        else []
    )


def _settings(ctx: click.Context) -> Settings:
    return settle(Invocation(str(ctx.info_name), _given(ctx, _WHICH_PROJECT), ()))


def _given(ctx: click.Context, settings: Iterable[str]) -> dict[Option, list[str]]:
    """Return the options of these settings that the command line has, with their values."""
    rows: dict[str, Option] = getattr(ctx.command, "rows", {})
    values = {option: ctx.params.get(name) for name, option in rows.items() if option.setting in settings}
    return {option: list(found) for option, found in values.items() if found}


def _paths(beginning: str, kind: str) -> list[CompletionItem]:
    """Return the paths that begin like this; only folders for the kind "dir". Hidden ones need a dot."""
    folder, slash, name = beginning.rpartition("/")
    try:
        entries = sorted(os.scandir(folder + slash or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    return [
        CompletionItem(folder + slash + entry.name + ("/" if entry.is_dir() else ""))
        for entry in entries
        if entry.name.startswith(name) and (name or entry.name[0] != ".") and (kind == "file" or entry.is_dir())
    ]


def _switch_choices() -> dict[str, tuple[str, ...]]:
    """Return what may follow the ``=`` of a switch: ``--color=never``."""
    rows = {option for command in COMMANDS.values() for option in command.options if option.kind == "switch"}
    return {flag: option.choices for option in rows for flag in option.flags}


def _matching(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _in_list(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Complete the last entry of ``web,cl``; a name that is already in the list is not offered again."""
    before, comma, last = incomplete.rpartition(",")
    used = [name.partition("=")[0] for name in before.split(",")]
    fresh = [name for name in names if name.startswith(last) and name.rstrip("=") not in used]
    return [CompletionItem(f"{before}{comma}{name}") for name in fresh]


def _file(incomplete: str, kind: str = "file") -> list[CompletionItem]:
    return [CompletionItem(incomplete, type=kind)]
