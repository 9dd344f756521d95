"""``procman tui``: the full-screen view of a session, which it joins and leaves like any other client."""

from __future__ import annotations

import os

from procman.cli.commands.detached_start import command_prefix
from procman.cli.commands.up import begin
from procman.cli.control.connection import WHICH_SESSION, Connection, NoSessionError, own_options, session_settings
from procman.cli.options.option import Invocation
from procman.core.text.printable import masked
from procman.errors import EXIT_OK, EXIT_SOFTWARE, ConfigError, UsageError
from procman.output.palette import refuses_color
from procman.runtime.control.endpoint import find, socket_paths
from procman.runtime.system.tty import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.options.option import Option

WEB_DRIVER = "TEXTUAL_DRIVER"  # a variable of the process that draws for a browser; Textual reads it when it is loaded
PAGE_DRIVER = "procman.cli.tui.web_driver:PageDriver"
PACKAGES = ("'textual>=8'", "'textual-serve>=1.1'")


def perform(invocation: Invocation) -> int:
    """Show the session until the user leaves."""
    given = own_options(invocation)
    if invocation.words:
        raise UsageError("tui takes no names", "it shows all processes; select one there")
    if WEB_DRIVER in os.environ:
        os.environ[WEB_DRIVER] = PAGE_DRIVER
    _require("textual.app", PACKAGES[:1])
    serves = bool(given.get("web"))
    if serves:
        _require("textual_serve.server", PACKAGES)
    elif WEB_DRIVER not in os.environ:
        _require_terminal()
    if given.get("start"):
        begin(Invocation("up", _given(invocation), ()))
    finder = _finder(invocation)
    finder().close()
    _set_color(given.get("color", session_settings(invocation).color))
    if serves:
        return _serve(invocation)
    from procman.cli.tui.process_keys import Surroundings
    from procman.cli.tui.tui_app import Tui

    attach = [*command_prefix(), "attach", *_flags(invocation)]
    tui = Tui(Surroundings(finder, lambda name: _environment(invocation, name), attach))
    tui.run(mouse=bool(given.get("mouse")))
    return EXIT_SOFTWARE if tui.return_code else EXIT_OK


def _given(invocation: Invocation) -> dict[Option, list[str]]:
    """Return the options that name the session."""
    return {option: texts for option, texts in invocation.given.items() if option.setting in WHICH_SESSION}


def _flags(invocation: Invocation) -> list[str]:
    """Return these options as each of our commands takes them."""
    return [f"{option.long_flags[0]}={text}" for option, texts in _given(invocation).items() for text in texts]


def _environment(invocation: Invocation, name: str) -> list[str]:
    """Return the variables that a process gets from procman, without secrets. Raises ProcmanError."""
    from procman.cli.commands.env import added, variables_for

    variables = added(variables_for(session_settings(invocation), name))
    return [f"{key}={masked(key, value)}" for key, value in sorted(variables.items())]


def _finder(invocation: Invocation) -> Callable[[], Connection]:
    """Return what connects to the session, each time that it is called."""
    settings = session_settings(invocation)
    paths = socket_paths(settings.procfile, settings.root, settings.socket, os.environ)

    def connect() -> Connection:
        found = find(paths, settings.socket is not None)
        if found is None:
            where = settings.socket or os.path.abspath(settings.procfile)
            raise NoSessionError(f"no session of {where} is running", "procman tui --start begins one")
        return Connection(found)

    return connect


def _set_color(wish: object) -> None:
    """Let Textual know whether colors are refused: to it, NO_COLOR counts even if it is empty."""
    refused = refuses_color(wish if isinstance(wish, bool) else None, os.environ)
    os.environ.pop("NO_COLOR", None)
    if refused:
        os.environ["NO_COLOR"] = "1"


def _serve(invocation: Invocation) -> int:
    """Serve the screen to a browser until Ctrl-C."""
    import asyncio

    from procman.cli.tui.web_server import WebServer

    port = own_options(invocation).get("web_port", 0)
    assert isinstance(port, int)
    command = [*command_prefix(), "tui", *_flags(invocation)]
    try:
        server = WebServer(command, port)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()  # Python has added the address as it writes it
        raise ConfigError(f"cannot listen on port {port}: {reason}", "leave out --web-port for a free one") from None
    asyncio.run(server.run())
    return EXIT_OK


def _require(module: str, packages: tuple[str, ...]) -> None:
    """Raise UsageError with the command that installs what is needed, unless it is here."""
    try:
        __import__(module)
    except ImportError:
        from procman.config.extras import installation

        command, name = installation(*packages), "textual-serve" if packages[1:] else "Textual"
        raise UsageError(f"procman tui needs {name}, which is not installed; `{command}` installs it") from None


def _require_terminal() -> None:
    if not all(is_terminal(fd) for fd in (0, 1, 2)):
        raise UsageError("tui needs a terminal", "procman ps and procman logs show the same elsewhere")
    if os.environ.get("TERM", "dumb") in ("dumb", ""):
        raise UsageError("tui needs a terminal that can move its cursor, and TERM says that this one cannot")
