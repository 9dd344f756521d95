"""Shell completion: files, choices and the process names of the Procfile."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from procman.cli.options.precedence import settle
from procman.cli.options.table import COMMANDS, Invocation, Option
from procman.core.procfile.parser import parse_procfile
from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.model.settings import Settings

_FOLDERS = ("root", "log_dir", "out", "log")  # settings whose path is a folder


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
        if self.name == "FORMAT":
            from procman.export.registry import BUILT_IN

            return _file(incomplete, "dir") if ctx.params.get("words") else _matching(BUILT_IN, incomplete)
        if self.option is None:
            given = ctx.params.get("words") or ()
            if self.name == "COMMAND":  # its first word is one process type, never several
                return _file(incomplete) if given else _matching(process_names(ctx), incomplete)
            return _matching(names_and_groups(ctx), incomplete)
        if self.option.choices:
            return _matching(self.option.choices, incomplete)
        if self.option.names:
            takes_groups = self.option.kind == "list"  # a formation and --primary take process types only
            return _in_list(names_and_groups(ctx) if takes_groups else process_names(ctx), incomplete)
        is_path = self.option.kind == "path" or self.option.setting == "env"
        return _file(incomplete, "dir" if self.option.setting in _FOLDERS else "file") if is_path else []


def process_names(ctx: click.Context) -> tuple[str, ...]:
    """Return the names in the Procfile that this command line would read, or none if it cannot be read."""
    try:
        path = _settings(ctx).procfile
        with open(path, "rb") as file:
            return tuple(process.name for process in parse_procfile(file.read(), path).process_types)
    except (OSError, ValueError, ProcmanError):
        return ()


def names_and_groups(ctx: click.Context) -> tuple[str, ...]:
    """Return the names in the Procfile and the groups of the overlay."""
    from procman.config.overlays import groups_now

    try:
        return (*process_names(ctx), *groups_now(_settings(ctx)))
    except ProcmanError:
        return process_names(ctx)


def _settings(ctx: click.Context) -> Settings:
    command = COMMANDS[str(ctx.info_name)]
    given: dict[Option, list[str]] = {}
    for number, option in enumerate(command.options):
        if found := ctx.params.get(f"option_{number}"):
            given[option] = [""] if isinstance(found, int) else list(found)
    return settle(Invocation(command.name, given, ()))


def _matching(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _in_list(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Complete the last entry of ``web,cl``; a name that is already in the list is not offered again."""
    before, comma, last = incomplete.rpartition(",")
    used = before.split(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(last) and name not in used]


def _file(incomplete: str, kind: str = "file") -> list[CompletionItem]:
    return [CompletionItem(incomplete, type=kind)]
