"""Reads the overlay: the [process.NAME] tables of the config files, and the files that they name."""

from __future__ import annotations

import os

from procman.config.configfiles import lines_below, project_folder, read_config_files
from procman.config.extras import can_watch, installation, watch_installation
from procman.config.files import read_extra_env, read_procfile
from procman.core.model.plan import REAL
from procman.core.model.process_overlay import Overlay, OverlayProblem, Table
from procman.core.overlay.converters import WrongValueError
from procman.core.overlay.keys import signal
from procman.core.overlay.tables import parse_overlay
from procman.core.procfile.formation import flatten, require_known, whole_number
from procman.core.text.suggest import did_you_mean
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.config.configfiles import ConfigFile
    from procman.core.model.plan import Environment
    from procman.core.model.process_overlay import ProcessOverlay
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings

    Ports = Callable[[], Mapping[str, str]]  # returns PROCMAN_<TYPE>_PORT of each type


def read_overlay(
    settings: Settings, procfile: Procfile, environment: Environment, moved: Mapping[str, int] | None = None
) -> Overlay:
    """Read what config files and flags say about single process types. Problems are kept in the overlay.

    `moved` are the ports of instances whose own ones are taken, see `make_plan`.
    Raises UsageError for flags with unknown names, ConfigError for files that are not TOML.
    """

    def ports() -> Mapping[str, str]:
        from procman.config.interpolation import session_variables

        return session_variables(settings, procfile, environment, moved)

    overlay = parse_overlay([_table(file) for file in _files(settings)], procfile)
    for process in overlay.processes.values():
        _resolve(process, settings, environment, ports, overlay.problems)
    overlay.problems.sort(key=OverlayProblem.position)
    _apply_flags(overlay, settings, procfile)
    return overlay


def surroundings(
    settings: Settings,
    procfile: Procfile,
    environment: Environment,
    name: str,
    usual: str,
    moved: Mapping[str, int] | None = None,
) -> tuple[str, dict[str, str]]:
    """Return the folder of one process type, and its own variables, for `run`. Raises ConfigError.

    `moved`: see `read_overlay`.
    """
    overlay = read_overlay(settings, procfile, environment, moved)
    require_sound_overlay(overlay)
    process = overlay.process(name)
    cwd = process.cwd or usual
    folder = {"PWD": cwd} if cwd != usual and "PWD" in environment.values else {}
    return cwd, {**folder, **process.variables}


def tables_now(settings: Settings) -> tuple[str, ...]:
    """Return the process types that now have tables in the config files. Raises ConfigError for invalid TOML."""
    tables = [file.values["process"] for file in _files(settings)]
    return tuple(dict.fromkeys(name for table in tables if isinstance(table, dict) for name in table))


def groups_now(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the process types of each group, from the files as they are now. Raises ConfigError."""
    files = _files(settings)
    return parse_overlay([_table(file) for file in files], read_procfile(settings.procfile)).groups() if files else {}


def env_files_now(settings: Settings) -> tuple[str, ...]:
    """Return the env files of all process types, from the files as they are now. Raises ConfigError."""
    overlay = parse_overlay([_table(file) for file in _files(settings)], read_procfile(settings.procfile))
    return tuple(
        os.path.join(process.folder("env_file"), os.path.expanduser(path))
        for process in overlay.processes.values()
        for path, _ in process.env_file
    )


def _files(settings: Settings) -> list[ConfigFile]:
    known = list(settings.mistakes) or None  # reported already, so they are no reason to stop here
    return [file for file in read_config_files(project_folder(settings), known) if "process" in file.values]


def require_sound_overlay(overlay: Overlay) -> tuple[str, ...]:
    """Return the overlay's warnings; raises ConfigError if it has errors."""
    errors = overlay.errors
    if errors:
        more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
        hint = errors[0].hint if len(errors) == 1 else "`procman check` lists all of them"
        raise ConfigError(f"{errors[0].location}: {errors[0].message}{more}", hint)
    return tuple(f"{problem.location}: {problem.message}" for problem in overlay.problems)


def _table(file: ConfigFile) -> Table:
    prefix = ("tool", "procman") if os.path.basename(file.path) == "pyproject.toml" else ()
    return Table(file.path, file.folder, file.values["process"], lines_below(file.text, (*prefix, "process")))


# Files that the overlay names -----------------------------------------------------------------------------------------


def _resolve(
    process: ProcessOverlay,
    settings: Settings,
    environment: Environment,
    ports: Ports,
    problems: list[OverlayProblem],
) -> None:
    process.cwd = _absolute(process, "cwd", process.cwd)
    process.log_file = _absolute(process, "log_file", process.log_file)
    for socket in process.listen:
        socket.address = _absolute(process, "listen", socket.address) if socket.is_path else socket.address
    if process.cwd and not os.path.isdir(process.cwd):
        problems.append(OverlayProblem(process.location("cwd"), f"cwd: {process.cwd}: no such folder"))
    if process.schedule is not None:
        from procman.config.schedules import schedule_problems

        problems += schedule_problems(process, installation("cronsim"))
    _read_env_files(process, settings, environment, ports, problems)
    process.variables.update(process.env)
    if process.watch and not can_watch():
        message = f'"{process.name}" is not restarted when files change: watchfiles is not installed'
        problems.append(OverlayProblem(process.location("watch"), message, watch_installation(), "warning"))


def _absolute(process: ProcessOverlay, key: str, path: str) -> str:
    return os.path.abspath(os.path.join(process.folder(key), os.path.expanduser(path))) if path else ""


def _read_env_files(
    process: ProcessOverlay,
    settings: Settings,
    environment: Environment,
    ports: Ports,
    problems: list[OverlayProblem],
) -> None:
    fixed = {}
    if settings.os_env_wins:
        fixed = {name: value for name, value in environment.values.items() if environment.origin.get(name) == REAL}
    for path, required in process.env_file:
        location = process.location("env_file")
        try:
            full = os.path.join(process.folder("env_file"), os.path.expanduser(path))
            if not required and not os.path.lexists(full):
                continue
            over = {**fixed, **process.env}
            under = {**environment.values, **process.variables}
            values, warnings = read_extra_env(full, settings, under, over, ports)
        except ConfigError as error:
            problems.append(OverlayProblem(location, f"env_file: {error.message}", error.hint))
            continue
        problems += [OverlayProblem(location, warning, severity="warning") for warning in warnings]
        process.variables.update({name: value for name, value in values.items() if name not in fixed})


# Flags ----------------------------------------------------------------------------------------------------------------


def _apply_flags(overlay: Overlay, settings: Settings, procfile: Procfile) -> None:
    for process in overlay.processes.values():
        for key in settings.overridden:
            setattr(process, key, None)
    for name in _names(overlay, settings.auto_restart, procfile):
        overlay.process(name).restart = "always"
    for name in _names(overlay, settings.can_die, procfile):
        overlay.process(name).can_die = True
    for word in flatten(settings.stop_signals):
        names, equals, number = word.partition("=")
        if not equals:
            raise UsageError(f'"{word}" does not name a process', "for example: -i web=INT")
        for name in _names(overlay, (names.strip(),), procfile):
            overlay.process(name).stop_signal = _signal(number.strip(), word)
    if settings.primary is not None:
        _choose_primary(overlay, settings.primary, settings.origin.get("primary", "--primary"), procfile)


def _choose_primary(overlay: Overlay, word: str, origin: str, procfile: Procfile) -> None:
    """Give the terminal to ``web.2``, or to the first instance of ``web``, whatever the tables say."""
    name, _, last = word.strip().rpartition(".")
    number = whole_number(last) if name else None
    if not number:
        name, number = word.strip(), 1
    if procfile.get(name) is None:
        message = f'{origin}: {procfile.name} has no process type "{name}"'
        raise UsageError(message, did_you_mean(name, procfile.names))
    for process in overlay.processes.values():
        process.primary = 0
    overlay.process(name).primary = number


def _signal(text: str, word: str) -> int:
    try:
        return signal(int(text) if text.isdigit() and len(text) < 4 else text)
    except WrongValueError as error:
        raise UsageError(f'"{word}" {error.message}', error.hint) from None


def _names(overlay: Overlay, words: tuple[str, ...], procfile: Procfile) -> list[str]:
    """Return the process types that the words of a flag mean: names, groups, or all."""
    names = flatten(overlay.expanded(words))
    if "all" in names and procfile.get("all") is None:
        return list(procfile.names)
    require_known(procfile, names)
    return names
