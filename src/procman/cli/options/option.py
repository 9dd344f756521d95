"""The records of a command line: an option, a command, and one invocation."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


WHEN = {"auto": None, "always": True, "never": False}  # what a switch with choices takes: --color=never


class Option:
    """One option.

    ``kind`` is "text", "path", "regex", "stamp", "template", "whole", "port", "offset", "seconds", "list", "choice",
    "switch" or "optional" (a string that may be left out). A switch stores ``value``; one with ``choices`` may also
    take one of WHEN after a "=". A row without help belongs to the row before it ("--color / --no-color"). ``everyday``
    options are explained by ``--help``, the others by ``--help-all`` and the man page. ``names``: the values are names
    of process types, which completion offers. ``config``: the option is a key in config files, too. ``variable``
    replaces the usual environment variable (PROCMAN_ and the long flag), if another option has that; an empty string
    means none.
    """

    __slots__ = (
        "choices",
        "config",
        "everyday",
        "flags",
        "help",
        "kind",
        "metavar",
        "names",
        "overrides",
        "setting",
        "value",
        "variable",
    )

    def __init__(
        self,
        setting: str,
        flags: str,
        help: str = "",  # noqa: A002 (click's word)
        kind: str = "switch",
        metavar: str = "",
        choices: tuple[str, ...] = (),
        value: object = True,
        config: bool = True,
        everyday: bool = False,
        names: bool = False,
        variable: str | None = None,
        overrides: str = "",
    ) -> None:
        self.setting = setting
        self.flags = tuple(flags.split())
        self.help = help
        self.kind = kind
        self.metavar = metavar
        self.choices = choices
        self.value = value
        self.config = config
        self.everyday = everyday
        self.names = names
        self.variable = variable
        self.overrides = overrides  # the key of the overlay that it overrides for all process types

    def without(self, flags: list[str]) -> Option:
        """Return the option without these flags."""
        if not flags:
            return self
        kept = " ".join(flag for flag in self.flags if flag not in flags)
        return Option(self.setting, kept, self.help, self.kind, self.metavar, names=self.names)

    @property
    def long_flags(self) -> tuple[str, ...]:
        """The flags that begin with two dashes, the most common one first."""
        return tuple(flag for flag in self.flags if flag.startswith("--"))

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that set this option."""
        if self.variable is not None:
            return (self.variable,) if self.variable else ()
        return tuple("PROCMAN_" + flag[2:].replace("-", "_").upper() for flag in self.long_flags)


def everyday(
    setting: str,
    flags: str,
    text: str,
    kind: str = "switch",
    metavar: str = "",
    choices: tuple[str, ...] = (),
    variable: str | None = None,
) -> Option:
    """Return an option that ``--help`` explains, and that is not a key of config files."""
    return Option(setting, flags, text, kind, metavar, choices, config=False, everyday=True, variable=variable)


def one_of(setting: str, flags: str, text: str, *choices: str, everyday: bool = False) -> Option:
    """Return an option that takes one of the ``choices``."""
    return Option(setting, flags, text, "choice", choices=choices, everyday=everyday)


def long_where_taken(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """Return the options without short flags that a later option has, too: -l and -i are export's own."""
    last = {flag: option for option in options for flag in option.flags}
    return tuple(option.without([flag for flag in option.flags if last[flag] is not option]) for option in options)


class Command:
    """One command: what performs it, what it takes, its summary and its examples.

    ``function`` is "module:function"; the module is imported when the command is performed, and its function takes an
    ``Invocation`` and returns the exit code. ``words`` names the arguments besides the options: "NAMES", "CHANGES",
    "SIGNAL", "FORMAT", "TOPIC", "NOTHING", "COMMAND" (then everything after the first word belongs to it) or a tuple of
    choices. ``examples`` are pairs of a command line and its effect. ``rare`` lists settings that this command's
    ``--help`` only names, although other commands explain them there.
    """

    __slots__ = ("examples", "function", "name", "options", "rare", "summary", "words")

    def __init__(
        self,
        name: str,
        function: str,
        summary: str,
        words: str | tuple[str, ...],
        options: tuple[Option, ...],
        examples: tuple[tuple[str, str], ...],
        rare: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.function = function
        self.summary = summary
        self.words = words
        self.options = options
        self.examples = examples
        self.rare = rare

    def perform(self, invocation: Invocation) -> int:
        """Import the function, call it and return its exit code."""
        module, _, name = self.function.partition(":")
        function: Callable[[Invocation], int] = getattr(__import__(module, fromlist=[name]), name)
        return function(invocation)


def project_command(
    name: str,
    summary: str,
    words: str,
    options: tuple[Option, ...],
    *examples: tuple[str, str],
    rare: tuple[str, ...] = (),
) -> Command:
    """Return one of the commands that work on a project; the module that performs it has its name."""
    return Command(name, f"procman.cli.commands.{name}:perform", summary, words, options, examples, rare)


def session_command(
    name: str, summary: str, words: str, options: tuple[Option, ...], *examples: tuple[str, str]
) -> Command:
    """Return one of the short commands for a running session."""
    return Command(name, f"procman.cli.control.session_commands:{name}", summary, words, options, examples)


class Invocation:
    """One command line: the command, the strings given for each option, and the words besides the options.

    A switch has an empty string for each time it is given. ``after_dashes`` is whether ``--`` comes before the words.
    """

    __slots__ = ("after_dashes", "command", "given", "words")

    def __init__(
        self, command: str, given: dict[Option, list[str]], words: tuple[str, ...], after_dashes: bool = False
    ) -> None:
        self.command = command
        self.given = given
        self.words = words
        self.after_dashes = after_dashes
