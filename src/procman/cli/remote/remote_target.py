"""The destination that a command line means, its engine, and a runner that shows what the engine does."""

from __future__ import annotations

import os
import sys

from procman.cli.control.connection import own_options, print_json
from procman.cli.options.option import Invocation
from procman.cli.options.precedence import CONFIG_KEYS, settle
from procman.cli.remote.display import Display
from procman.config.destinations import EXAMPLE, read_destinations, require_sound_destinations
from procman.config.files import read_procfile, root_of
from procman.core.model.status import signal_name
from procman.core.text.suggest import did_you_mean
from procman.engines.ending_signals import EndedError
from procman.engines.engine_registry import find
from procman.engines.interface import EngineError, Target
from procman.engines.runner import Runner
from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_OK, UsageError
from procman.export.application import app_name, check_app

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from procman.core.model.destination import Destination, Destinations
    from procman.core.model.settings import Settings
    from procman.engines.calls import Steps
    from procman.engines.interface import Engine

    T = TypeVar("T")

COMING_UP = 120.0  # seconds that instances may take, unless the destination or a flag says otherwise


class Remote:
    """What a remote command works with."""

    def __init__(self, invocation: Invocation) -> None:
        """Read the settings, the destination and the names of the process types. Raises UsageError and ConfigError."""
        self.given = own_options(invocation)
        self.settings = _settings(invocation)
        self.destinations = read_destinations(self.settings)
        require_sound_destinations(self.destinations)
        self.destination = _chosen(self.destinations, self.given.get("on"), invocation.command)
        self.folder = os.path.abspath(root_of(self.settings))
        self.app = self.destination.app or app_name(os.path.basename(self.folder))
        check_app(self.app)
        self.types = tuple(read_procfile(self.settings.procfile, self.settings.place("procfile")).names)
        self.target = Target(self.destination, self.app, self.types, self.folder)
        self.engine: Engine = find(self.destination.engine)(self.target)
        self.display = Display(self.types, self.settings.color, as_json=bool(self.given.get("as_json")))
        self._verb = invocation.command

    def require(self, key: str, what: str = "") -> None:
        """Raise EngineError with the reason if the engine refuses this."""
        if reason := self.engine.refuses.get(key):
            message = f"{what or self._verb} is not possible on {self.destination.engine}: {reason}"
            raise EngineError(message, exit_code=EXIT_CANNOT_EXECUTE)

    def perform(self, steps: Steps[T]) -> T:
        """Perform the steps of the engine, show their progress, and return their result."""
        try:
            return Runner(self.display.show).perform(steps)
        except EndedError as error:
            raise EngineError(f"ended by {signal_name(error.number)}", exit_code=128 + error.number) from None

    def answer(self, sentence: str, **more: object) -> int:
        """Print the result of a command that has succeeded: one object with ``--json``, else a sentence."""
        if self.given.get("as_json"):
            print_json({"ok": True, "destination": self.destination.name, "said": self.display.said, **more})
        else:
            sys.stdout.write(f"{sentence}\n")
        return EXIT_OK

    @property
    def owner(self) -> str:
        """The name under which this command takes the lock of deployments. No other command has the same one."""
        import pwd
        import socket

        try:
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            user = str(os.getuid())
        return f"{user}@{socket.gethostname()}, process {os.getpid()}"

    @property
    def timeout(self) -> float:
        """The seconds that instances may take to come up."""
        given = self.given.get("timeout")
        if isinstance(given, (int, float)):
            return float(given)
        return COMING_UP if self.destination.timeout is None else self.destination.timeout


def _settings(invocation: Invocation) -> Settings:
    """Return the settings of the command line that are keys of config files, too; the others are the command's own."""
    own = ("on", "as_json", "timeout", "version", "unlock")
    given = {
        option: texts
        for option, texts in invocation.given.items()
        if option.setting not in own and option.setting in (*CONFIG_KEYS, "procfile", "root", "image", "dry_run")
    }
    return settle(Invocation(invocation.command, given, ()))


def _chosen(destinations: Destinations, name: object, command: str) -> Destination:
    known = destinations.found
    if name or command != "deploy":
        wanted = str(name or "")
        if wanted not in known:
            hint = did_you_mean(wanted, tuple(known)) if known else EXAMPLE
            raise UsageError(f'unknown destination "{wanted}"', hint)
        return known[wanted]
    return _default(destinations)


def _default(destinations: Destinations) -> Destination:
    """Return the destination of a `deploy` without a name. No other command has a default."""
    default = destinations.default
    if default is not None:
        return default
    if not destinations.found:
        raise UsageError("procman.toml has no destination", EXAMPLE)
    names = ", ".join(destinations.found)
    raise UsageError("missing destination", f"choose one of {names} with --on, or write default = true in its table")


def note(text: str) -> None:
    """Write a remark to stderr."""
    sys.stderr.write(f"procman: {text}\n")
    sys.stderr.flush()
