"""``procman run``: a line of the Procfile, or any command, in the environment of the processes."""

from __future__ import annotations

import errno
import os
import sys

from procman.cli.options.precedence import settle
from procman.config.files import at_checkout, read_environment, read_procfile, require_sound, root_of, uses_overlay
from procman.core.procfile.command import is_shell_word, needs_shell, with_arguments
from procman.core.procfile.formation import port_variable
from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, CommandError, UsageError
from procman.runtime.processes.spawn import find_program, launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.cli.options.option import Invocation
    from procman.core.model.plan import Environment
    from procman.core.model.procfile import ProcessType, Procfile
    from procman.core.model.settings import Settings
    from procman.runtime.processes.diagnosis import Search


def perform(invocation: Invocation) -> int:
    """Perform ``procman run``."""
    return run(settle(invocation), invocation)


def run(settings: Settings, invocation: Invocation, more: Mapping[str, str] | None = None) -> int:
    """Run the words of `invocation`, with ``more`` in their environment, and return exactly their exit code.

    Raises CommandError (126, 127) if they cannot be run, ConfigError if a file cannot be read.
    """
    words = invocation.words
    settings = at_checkout(settings, os.environ)
    decided = os.environ if "PROCMAN_SESSION" in os.environ else _decided_by_session(settings)
    settings.checkout = decided.get("PROCMAN_CHECKOUT") or settings.checkout
    procfile = _procfile(settings)
    process = procfile.get(words[0]) if procfile and not invocation.after_dashes else None
    moved = _moved(procfile, {**decided, **(more or {})})
    environment, _warnings = read_environment(settings, os.environ, procfile, moved)  # `check` shows the warnings
    own = _of_session(settings, procfile, environment)
    own = {name: decided.get(name, text) for name, text in own.items()}
    env = {"PYTHONUNBUFFERED": "1", **environment.values, **own, **(more or {})}
    if process is not None and procfile is not None:
        _warn(procfile, process)
        cwd = os.path.abspath(root_of(settings))
        if uses_overlay(settings):
            from procman.config.overlays import surroundings

            cwd, own = surroundings(settings, procfile, environment, process.name, cwd, moved)
            env |= own
        env["PROCMAN_PROCESS"] = process.name
        program, argv = _line(process.command, env.get("PATH"), cwd, words[1:])
    else:
        cwd = _folder(settings, env)
        program, argv = find_program(words[0], env.get("PATH"), cwd), list(words)
    try:
        if program is None:
            raise _not_found(argv[0], _search(environment, env, cwd), procfile)
        return _run(program, argv, env, cwd, settings.timeout)
    except OSError as error:
        raise _cannot_run(argv, _search(environment, env, cwd), env, error) from None


def _run(program: str, argv: list[str], env: dict[str, str], cwd: str, grace: float) -> int:
    if sys.platform == "win32":
        from procman.runtime.processes.windows_run import run_on_windows

        return run_on_windows(program, argv, env, cwd)
    from procman.runtime.guardian.foreground_run import run_in_foreground

    return run_in_foreground(program, argv, env, cwd, grace)


def _of_session(settings: Settings, procfile: Procfile | None, environment: Environment) -> dict[str, str]:
    """Return PROCMAN_CHECKOUT, and PROCMAN_<TYPE>_PORT and _URL of each type, as `start` sets them."""
    from procman.config.interpolation import session_variables

    try:
        return session_variables(settings, None if settings.no_port else procfile, environment)
    except UsageError:  # PORT is not a port, which only `start` needs
        return session_variables(settings, None, environment)


def _moved(procfile: Procfile | None, decided: Mapping[str, str]) -> dict[str, int]:
    """Return the port of the first instance of each type, as a session has decided it: env files may contain it."""
    known = {name: decided.get(port_variable(name), "") for name in (procfile.names if procfile else ())}
    return {f"{name}.1": int(port) for name, port in known.items() if port.isdecimal()}


def _decided_by_session(settings: Settings) -> Mapping[str, str]:
    """Return the variables that the running session has decided, such as ports that moved; nothing if none answers."""
    if sys.platform == "win32":
        return {}
    from procman.runtime.control.endpoint import socket_paths

    paths = socket_paths(settings.procfile, settings.root, settings.socket, os.environ)
    if not any(map(os.path.lexists, paths)):
        return {}
    from procman.cli.control.connection import variables_of

    return variables_of(paths, given=settings.socket is not None)


def _procfile(settings: Settings) -> Procfile | None:
    """Return the Procfile, or None: a command does not need one, unless the user has named it."""
    if "procfile" not in settings.origin and not os.path.lexists(settings.procfile):
        return None
    procfile = read_procfile(settings.procfile, settings.place("procfile"))
    require_sound(procfile)
    return procfile


def _warn(procfile: Procfile, process: ProcessType) -> None:
    for problem in procfile.warnings:
        if problem.line == process.line:
            sys.stderr.write(f"{problem.at(procfile.name)}\n")


def _folder(settings: Settings, env: dict[str, str]) -> str:
    """Return the folder of a command that is not in the Procfile: the current one, unless the user has named a root."""
    if "root" in settings.origin:
        return os.path.abspath(root_of(settings))
    if "PWD" in os.environ and env.get("PWD") == os.path.abspath(root_of(settings)):
        env["PWD"] = os.environ["PWD"]
    return os.getcwd()


def _line(command: str, path_value: str | None, cwd: str, more: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """Return what runs a line of the Procfile; no program if a shell would only report that it does not exist."""
    if sys.platform == "win32" and needs_shell(command):
        return find_program("sh", path_value, cwd), ["sh", "-c", with_arguments(command, more)]
    name = command.split(maxsplit=1)[0]
    if not needs_shell(command) and not find_program(name, path_value, cwd):
        return None, [name]
    return launch(command, path_value, cwd, more)


def _search(environment: Environment, env: Mapping[str, str], cwd: str) -> Search:
    from procman.runtime.processes.diagnosis import search_in

    return search_in(env.get("PATH"), cwd, environment, os.environ)


def _not_found(name: str, search: Search, procfile: Procfile | None) -> CommandError:
    trouble = search.trouble_of(name)
    if trouble is None:  # it has just been written
        return CommandError(f'"{name}": command not found', EXIT_NOT_FOUND)
    hint = trouble.hint if trouble.code == EXIT_CANNOT_EXECUTE else _hint(name, trouble.hint, procfile)
    return CommandError(trouble.message, trouble.code, hint)


def _hint(name: str, whereabouts: str, procfile: Procfile | None) -> str:
    if sys.platform == "win32" and name == "sh":
        return "this line needs a shell; Git for Windows has one, and so has WSL"
    if is_shell_word(name):
        return f"it is part of the shell; use procman run -- sh -c '{name} …'"
    if any(char.isspace() for char in name):
        return "this is one word; leave out its quotes, or use procman run -- sh -c '…' for what only a shell can do"
    type_, _, number = name.rpartition(".")
    if procfile and number.isdecimal() and procfile.get(type_):
        return f'did you mean "{type_}"? run takes a process type, not one of its instances'
    from procman.core.text.suggest import nearest

    near = nearest(name, procfile.names) if procfile else ""
    if near and not whereabouts:
        return f'did you mean "{near}"?'
    if "/" in name:
        return whereabouts or "no such file"
    return whereabouts or f"not a program on PATH{f', nor a process in {procfile.name}' if procfile else ''}"


def _cannot_run(argv: Sequence[str], search: Search, env: Mapping[str, str], error: OSError) -> CommandError:
    name = argv[0]
    if error.errno == errno.E2BIG:
        from procman.runtime.processes.diagnosis import what_is_too_large

        words = what_is_too_large(max(argv, key=len), env)
        return CommandError(f"{name} cannot be started: {words}", EXIT_CANNOT_EXECUTE)
    trouble = search.trouble_of(name) if error.errno == errno.ENOENT else None
    if trouble is not None:
        return CommandError(trouble.message, trouble.code, trouble.hint)
    return CommandError(f"{name}: {os.strerror(error.errno or 0).lower()}", EXIT_CANNOT_EXECUTE)
