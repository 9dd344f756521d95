"""The click application: every form of a command line, its errors, help and completion."""

from __future__ import annotations

import os
import sys

import click

from procman import __version__
from procman.cli.options import help  # noqa: A004 (as click calls it)
from procman.cli.options.completion import CompletingType
from procman.cli.options.table import COMMANDS, Invocation
from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procman.cli.options.table import Command, Option

COMPLETE_VARIABLE = "_PROCMAN_COMPLETE"
_SETTINGS = {"help_option_names": ["-h", "--help"]}


def parse(argv: Sequence[str]) -> Invocation | None:
    """Parse a command line. Return None if help or the version was requested, and printed. Raises UsageError."""
    words = list(argv)
    if words[:1] == ["help"]:  # as in Foreman and honcho
        words = [*words[1:2], "--help"]
    try:
        outcome = application().main(
            words or ["--help"], prog_name="procman", complete_var=COMPLETE_VARIABLE, standalone_mode=False
        )
    except click.UsageError as error:
        raise _translated(error, words) from None
    except SystemExit:
        if COMPLETE_VARIABLE in os.environ:
            raise
        raise BrokenPipeError from None  # the only other reason why click exits outside its standalone mode
    return outcome if isinstance(outcome, Invocation) else None


def print_completion(invocation: Invocation) -> int:
    """Print the script that lets a shell complete procman's command lines: ``procman completion SHELL``."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(invocation.words[0])
    assert kind is not None, "click supports the three shells that the table of commands allows"
    script = kind(application(), {}, "procman", COMPLETE_VARIABLE)
    # Not `script.source()`: for bash it would start another bash, only to check its version.
    sys.stdout.write(ShellComplete.source(script))
    return 0


def application() -> click.Group:
    """Return the click group of all commands."""
    group = _Group("procman", context_settings=_SETTINGS, no_args_is_help=False)
    group.params = [_printing("--version", lambda: f"procman {__version__}")]
    for command in COMMANDS.values():
        group.add_command(_Command(command))
    return group


class _Group(click.Group):
    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(help.overview())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and args[0] not in COMMANDS:
            raise UsageError(f'unknown command "{args[0]}"', did_you_mean(args[0], tuple(COMMANDS)))
        return super().resolve_command(ctx, args)


class _Command(click.Command):
    def __init__(self, command: Command) -> None:
        self.table = command
        self.rows = dict(zip(map("option_{}".format, range(len(command.options))), command.options, strict=True))
        takes_all = command.words == "COMMAND"
        params: list[click.Parameter] = [_option(name, row) for name, row in self.rows.items()]
        if command.options:
            params.append(_printing("--help-all", lambda: help.page(command, everything=True)))
        super().__init__(
            command.name,
            params=[*params, _argument(command)],
            callback=self.invocation,
            help=command.summary,
            context_settings={**_SETTINGS, "allow_interspersed_args": not takes_all},
        )

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(help.page(self.table))

    def invocation(self, words: tuple[str, ...] | str, **texts: tuple[str, ...] | int) -> Invocation:
        """Return the invocation that click has parsed."""
        given: dict[Option, list[str]] = {}
        for name, found in texts.items():
            if found:
                given[self.rows[name]] = [""] * found if isinstance(found, int) else list(found)
        return Invocation(self.table.name, given, (words,) if isinstance(words, str) else tuple(words))


def _option(name: str, option: Option) -> click.Option:
    """Return the option for click. It accepts repeated values, so that we can report them, and converts nothing."""
    if option.kind == "switch":
        return click.Option([name, *option.flags], count=True)
    kind = CompletingType(option.kind, option)
    if option.kind == "optional":
        return click.Option([name, *option.flags], multiple=True, type=kind, is_flag=False, flag_value="")
    return click.Option([name, *option.flags], multiple=True, type=kind)


def _argument(command: Command) -> click.Argument:
    if isinstance(command.words, tuple):
        return click.Argument(["words"], type=click.Choice(command.words), metavar="|".join(command.words))
    is_command = command.words == "COMMAND"
    return click.Argument(
        ["words"], nargs=-1, required=is_command, type=CompletingType(command.words), metavar=command.words
    )


def _printing(flag: str, text: object) -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(text() if callable(text) else text)
            ctx.exit()

    return click.Option([flag], is_flag=True, is_eager=True, expose_value=False, callback=show)


def _translated(error: click.UsageError, words: list[str]) -> UsageError:
    command = COMMANDS.get(words[0])
    name = f"procman {command.name}" if command else "procman"
    if isinstance(error, click.NoSuchOption):
        known = [flag for option in command.options for flag in option.long_flags] if command else ["--version"]
        hint = did_you_mean(error.option_name, (*known, "--help"))
        near = hint if hint.startswith("did") else f"{name} --help lists all options"
        return UsageError(f"{name} has no option {error.option_name}", near)
    message = error.format_message().rstrip(".")
    return UsageError(f"{message[:1].lower()}{message[1:]}", f"see {name} --help")
