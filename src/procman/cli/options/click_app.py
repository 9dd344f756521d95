"""The click application: every form of a command line, its errors, help and completion."""

from __future__ import annotations

import shlex
import sys

import click
from click.shell_completion import CompletionItem

from procman import __version__
from procman.cli.colors import colored_page, palette_for, write
from procman.cli.options import help  # noqa: A004 (as click calls it)
from procman.cli.options.completion import AFTER_DASHES, CompletingType
from procman.cli.options.reader import leading_flags, with_command_first
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import ALIASES, Invocation
from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from procman.cli.options.table import Command, Option

COMPLETE_VARIABLE = "_PROCMAN_COMPLETE"
_ELSEWHERE = {  # what other tools call a command
    "kill": "stop",
    "quit": "stop",
    "exec": "run",
    "log": "logs",
    "tail": "logs",
    "echo": "logs",
    "ls": "ps",
    "list": "ps",
    "validate": "check",
    "reload": "restart",
}
_CHOSEN = "procman.chosen"  # key of click's `meta`: the values of switches
_ARGS = "procman.args"  # the same: the words of the command line
_HELP_FLAGS = ("-h", "--help")
_SETTINGS = {"help_option_names": list(_HELP_FLAGS)}


def parse(argv: Sequence[str]) -> Invocation | None:
    """Parse a command line. Return None if help or the version was requested, and printed. Raises UsageError."""
    words = list(argv)
    try:
        outcome = application().main(words or ["--help"], prog_name="procman", standalone_mode=False)
    except click.UsageError as error:
        raise _translated(error, words) from None
    except SystemExit:
        raise BrokenPipeError from None  # the only other reason why click exits outside its standalone mode
    return outcome if isinstance(outcome, Invocation) else None


def print_completions() -> int:
    """Print what the current command line could become, for the scripts that ``print_completion`` prints."""
    from procman.cli.options.completion import complete

    group = application()
    group.offer_options()
    return complete(lambda: group.main([], "procman", COMPLETE_VARIABLE, standalone_mode=False))


def print_completion(invocation: Invocation) -> int:
    """Print the script that lets a shell complete procman's command lines: ``procman completion SHELL``."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(invocation.words[0])
    assert kind is not None, "click supports the three shells that the table of commands allows"
    script = kind(application(), {}, "procman", COMPLETE_VARIABLE)
    # Not `script.source()`: for bash it would start another bash, only to check its version.
    sys.stdout.write(ShellComplete.source(script))
    return 0


def application() -> _Group:
    """Return the click group of all commands."""
    group = _Group("procman", context_settings=_SETTINGS, no_args_is_help=False)
    group.params = [_printing("--version", page=lambda: f"procman {__version__}")]
    for command in COMMANDS.values():
        group.add_command(_Command(command))
    return group


class _Group(click.Group):
    rows: Mapping[str, Option] = {}

    def offer_options(self) -> None:
        """Take the options of all commands, which may stand before the command; only completion needs them here."""
        flags: dict[Option, list[str]] = {}
        for flag, option in leading_flags().items():
            flags.setdefault(option, []).append(flag)
        self.rows = {f"option_{number}": option for number, option in enumerate(flags)}
        self.params += [_option(name, option, flags[option]) for name, option in self.rows.items()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_command_first(args))

    def get_help_option(self, ctx: click.Context) -> click.Option:
        return _printing(*_HELP_FLAGS, page=help.overview)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        args = [ALIASES.get(args[0], args[0]), *args[1:]]
        if not ctx.resilient_parsing and args[0] not in COMMANDS:
            known = _ELSEWHERE.get(args[0])
            hint = f'did you mean "{known}"?' if known else did_you_mean(args[0], tuple(COMMANDS))
            raise UsageError(f'unknown command "{args[0]}"', hint)
        return super().resolve_command(ctx, args)


class _Command(click.Command):
    def __init__(self, command: Command) -> None:
        self.table = command
        self.rows = dict(zip(map("option_{}".format, range(len(command.options))), command.options, strict=True))
        takes_all = command.words == "COMMAND"
        params: list[click.Parameter] = [_option(name, row) for name, row in self.rows.items()]
        if command.options:
            params.append(_printing("--help-all", page=lambda: help.page(command, everything=True)))
        super().__init__(
            command.name,
            params=[*params, _argument(command)],
            callback=self.invocation,
            help=command.summary,
            context_settings={**_SETTINGS, "allow_interspersed_args": not takes_all},
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[AFTER_DASHES] = "--" in args
        ctx.meta[_ARGS] = list(args)  # click removes what it has parsed
        return super().parse_args(ctx, self._without_choices(ctx, args))

    def _without_choices(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the words with ``--color=never`` as ``--color``, because click has no switches with an optional value.

        What was chosen is kept for ``invocation``.
        """
        switches = {
            flag: row for row in self.rows.values() if row.kind == "switch" and row.choices for flag in row.flags
        }
        chosen: dict[Option, list[str]] = {}
        own = args.index("--") if "--" in args else len(args)
        for at, word in enumerate(args[:own]):
            flag, equals, text = word.partition("=")
            if equals and flag in switches:
                chosen.setdefault(switches[flag], []).append(text)
                args[at] = flag
        ctx.meta[_CHOSEN] = chosen
        return args

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the options that begin like this; what follows a command's first word belongs to the command."""
        if self.table.words == "COMMAND" and ctx.params.get("words"):
            return [CompletionItem(incomplete, type="file")]
        return super().shell_complete(ctx, incomplete)

    def get_help_option(self, ctx: click.Context) -> click.Option:
        return _printing(*_HELP_FLAGS, page=lambda: help.page(self.table))

    def invocation(self, words: tuple[str, ...] | str, **texts: tuple[str, ...] | int) -> Invocation:
        """Return the invocation that click has parsed."""
        given: dict[Option, list[str]] = {}
        for name, found in texts.items():
            if found:
                given[self.rows[name]] = [""] * found if isinstance(found, int) else list(found)
        given |= click.get_current_context().meta[_CHOSEN]
        words = (words,) if isinstance(words, str) else tuple(words)
        args = click.get_current_context().meta[_ARGS]
        before = args[: len(args) - len(words)] if args[len(args) - len(words) :] == list(words) else []
        return Invocation(self.table.name, given, words, before[-1:] == ["--"])


def _option(name: str, option: Option, flags: Sequence[str] = ()) -> click.Option:
    """Return the option for click. It accepts repeated values, so that we can report them, and converts nothing.

    ``flags`` are those that mean the option here, if not all of its flags do.
    """
    names = [name, *(flags or option.flags)]
    if option.kind == "switch":
        return click.Option(names, count=True)
    kind = CompletingType(option.kind, option)
    if option.kind == "optional":
        return click.Option(names, multiple=True, type=kind, is_flag=False, flag_value="")
    return click.Option(names, multiple=True, type=kind)


def _argument(command: Command) -> click.Argument:
    if isinstance(command.words, tuple):
        return click.Argument(["words"], type=click.Choice(command.words), metavar="|".join(command.words))
    is_command = command.words == "COMMAND"
    return click.Argument(
        ["words"], nargs=-1, required=is_command, type=CompletingType(command.words), metavar=command.words
    )


def _printing(*flags: str, page: Callable[[], str]) -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            write(sys.stdout, colored_page(page(), palette_for(sys.stdout)) + "\n")
            ctx.exit()

    return click.Option(flags, is_flag=True, is_eager=True, expose_value=False, callback=show)


def _is_option(flag: str) -> bool:
    return any(flag in option.flags for command in COMMANDS.values() for option in command.options)


def _translated(error: click.UsageError, words: list[str]) -> UsageError:
    command = COMMANDS.get(words[0])
    name = f"procman {command.name}" if command else "procman"
    if isinstance(error, click.NoSuchOption) and command is None and _is_option(error.option_name):
        last = leading_flags().get(words[-1])
        if last is not None and last.kind != "switch":
            return UsageError(f"option '{words[-1]}' requires an argument", "see procman start --help")
        return UsageError("missing command", f"for example: {shlex.join(['procman', *words, 'start'])}")
    if isinstance(error, click.NoSuchOption) and error.option_name == "--on":
        possible = [other for other, row in COMMANDS.items() if any(option.setting == "on" for option in row.options)]
        return UsageError(f"{name} is not possible at a destination", f"possible are {', '.join(possible)}")
    if isinstance(error, click.NoSuchOption):
        known = [flag for option in command.options for flag in option.long_flags] if command else ["--version"]
        hint = did_you_mean(error.option_name, (*known, "--help"))
        near = hint if hint.startswith("did") else f"{name} --help lists all options"
        return UsageError(f"{name} has no option {error.option_name}", near)
    if isinstance(error, click.BadParameter) and command and isinstance(command.words, tuple):
        choices = f"{', '.join(command.words[:-1])} or {command.words[-1]}"
        other = "" if isinstance(error, click.MissingParameter) else f', not "{words[-1]}"'
        return UsageError(f"{name} takes {choices}{other}", f"for example: {command.examples[0][0]}")
    message = error.format_message().rstrip(".")
    return UsageError(f"{message[:1].lower()}{message[1:]}", f"see {name} --help")
