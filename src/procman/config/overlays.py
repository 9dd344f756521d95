"""Does the reading of overlays: the [process.NAME] tables of the config files, and the files that they name."""

from __future__ import annotations

import os

from procman.config.configfiles import read_config_files
from procman.config.files import read_extra_env, read_procfile
from procman.core.overlay.converters import WrongValueError
from procman.core.overlay.keys import signal
from procman.core.overlay.tables import Overlay, OverlayProblem, Table, normal, parse_overlay
from procman.core.procfile.formation import flatten, require_known
from procman.core.procfile.ports import whole_number
from procman.core.text.suggest import did_you_mean
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.config.configfiles import ConfigFile
    from procman.core.model.plan import Environment
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings
    from procman.core.overlay.tables import Path, ProcessOverlay

_WINS = {"restart": "restart", "max_restarts": "max_restarts", "timeout": "stop_timeout"}  # setting → key


def read_overlay(settings: Settings, procfile: Procfile, environment: Environment) -> Overlay:
    """Read what is said of single process types; problems are kept in it.

    Raises UsageError for flags with unknown names, ConfigError for files that are no TOML.
    """
    overlay = parse_overlay([_table(file) for file in _files(settings)], procfile)
    for process in overlay.processes.values():
        _resolve(process, settings, environment, overlay.problems)
    overlay.problems.sort(key=OverlayProblem.position)
    _lay_flags_over(overlay, settings, procfile)
    return overlay


def surroundings(
    settings: Settings, procfile: Procfile, environment: Environment, name: str, usual: str
) -> tuple[str, dict[str, str]]:
    """The folder of one process type, and its own variables, for `run`. Raises ConfigError."""
    overlay = read_overlay(settings, procfile, environment)
    require_sound_overlay(overlay)
    process = overlay.process(name)
    cwd = str(process.values.get("cwd", usual))
    moved = {"PWD": cwd} if cwd != usual and "PWD" in environment.values else {}
    return cwd, {**moved, **process.variables}


def tables_now(settings: Settings) -> tuple[str, ...]:
    """The process types that have tables in the config files as they are now. Raises ConfigError for bad TOML."""
    tables = [file.values["process"] for file in _files(settings)]
    return tuple(dict.fromkeys(name for table in tables if isinstance(table, dict) for name in table))


def groups_now(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The process types of each group, as the files are now. Raises ConfigError for those that cannot be read."""
    files = _files(settings)
    return parse_overlay([_table(file) for file in files], read_procfile(settings.procfile)).groups() if files else {}


def _files(settings: Settings) -> list[ConfigFile]:
    return [file for file in read_config_files(project_folder(settings)) if "process" in file.values]


def require_sound_overlay(overlay: Overlay) -> tuple[str, ...]:
    """Return the warnings; raises ConfigError if there are errors."""
    errors = overlay.errors
    if errors:
        more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
        hint = errors[0].hint if len(errors) == 1 else "`procman check` lists all of them"
        raise ConfigError(f"{errors[0].place}: {errors[0].message}{more}", hint)
    return tuple(f"{problem.place}: {problem.message}" for problem in overlay.problems)


def project_folder(settings: Settings) -> str:
    """The folder of the config files: the root, or else the Procfile's, where flags or environment name them."""
    if _is_near(settings, "root"):
        return settings.root
    return os.path.dirname(settings.procfile) if _is_near(settings, "procfile") else ""


def _is_near(settings: Settings, name: str) -> bool:
    """Whether a setting is given by a flag or a variable, which win over all config files."""
    return settings.origin.get(name, "").startswith(("-", "PROCMAN_"))


# Lines ----------------------------------------------------------------------------------------------------------------


def _table(file: ConfigFile) -> Table:
    prefix = ("tool", "procman") if os.path.basename(file.path) == "pyproject.toml" else ()
    return Table(file.path, file.folder, file.values["process"], lines_below(file.text, (*prefix, "process")))


def lines_below(text: str, prefix: Path) -> dict[Path, int]:
    """The line of each key below ``prefix`` in a text of TOML, as far as a plain look can tell."""
    lines: dict[Path, int] = {}
    here: Path = ()
    inside = ""  # the quotes of a text over several lines
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not inside and stripped.startswith("["):
            here = _keys(stripped.strip("[]# \t").partition("]")[0])
            _note(lines, here, prefix, number)
        elif not inside and "=" in stripped and not stripped.startswith("#"):
            _note(lines, (*here, *_keys(stripped)), prefix, number)
        for quotes in ('"' * 3, "'" * 3):
            if stripped.count(quotes) % 2 and inside in ("", quotes):
                inside = "" if inside else quotes
    return lines


def _note(lines: dict[Path, int], path: Path, prefix: Path, number: int) -> None:
    if path[: len(prefix)] == prefix:
        inner = normal(path[len(prefix) :])
        for length in range(1, len(inner) + 1):
            lines.setdefault(inner[:length], number)


def _keys(text: str) -> Path:
    """The parts of a dotted key at the beginning of a line; quotes hold a part together."""
    keys, word, quote = [], "", ""
    for char in text:
        if quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "\"'":
            quote = char
        elif char == "=":
            break
        elif char == ".":
            keys.append(word.strip())
            word = ""
        else:
            word += char
    return (*keys, word.strip())


# Files that it names --------------------------------------------------------------------------------------------------


def _resolve(
    process: ProcessOverlay, settings: Settings, environment: Environment, problems: list[OverlayProblem]
) -> None:
    values = process.values
    for key in ("cwd", "log_file"):
        if key in values:
            values[key] = os.path.abspath(os.path.join(process.folder(key), os.path.expanduser(str(values[key]))))
    if "cwd" in values and not os.path.isdir(str(values["cwd"])):
        problems.append(OverlayProblem(process.place("cwd"), f"cwd: {values['cwd']}: no such folder"))
    if "env_file" in values:
        _read_env_files(process, settings, environment, problems)
    env = values.get("env", {})
    assert isinstance(env, dict)
    process.variables.update(env)
    if "watch" in values and not can_watch():
        message = f'"{process.name}" is not restarted when files change: watchfiles is not installed'
        hint = "pip install 'procman-cli[watch]'"
        problems.append(OverlayProblem(process.place("watch"), f"{message}: {hint}", hint, "warning"))


def can_watch() -> bool:
    """Whether the extra ``watch`` is installed."""
    from importlib.util import find_spec

    return find_spec("watchfiles") is not None and find_spec("pathspec") is not None


def _read_env_files(
    process: ProcessOverlay, settings: Settings, environment: Environment, problems: list[OverlayProblem]
) -> None:
    paths = process.values["env_file"]
    assert isinstance(paths, tuple)
    place = process.place("env_file")
    for path in paths:
        try:
            full = os.path.join(process.folder("env_file"), os.path.expanduser(path))
            values, warnings = read_extra_env(full, settings, {**environment.values, **process.variables})
        except ConfigError as error:
            problems.append(OverlayProblem(place, f"env_file: {error.message}", error.hint))
            continue
        problems += [OverlayProblem(place, warning, severity="warning") for warning in warnings]
        if settings.os_env_wins:
            values = {name: value for name, value in values.items() if environment.origin.get(name) != "environment"}
        process.variables.update(values)


# Flags ----------------------------------------------------------------------------------------------------------------


def _lay_flags_over(overlay: Overlay, settings: Settings, procfile: Procfile) -> None:
    for process in overlay.processes.values():
        for setting, key in _WINS.items():
            if _is_near(settings, setting):
                process.values.pop(key, None)
    for name in _names(overlay, settings.auto_restart, procfile):
        overlay.process(name).values["restart"] = "always"
    for name in _names(overlay, settings.can_die, procfile):
        overlay.process(name).values["can_die"] = True
    for word in flatten(settings.stop_signals):
        names, equals, name = word.partition("=")
        if not equals:
            raise UsageError(f'the stop signal of whom? "{word}" gives no name', "as in -i web=INT")
        for name in _names(overlay, (names.strip(),), procfile):
            overlay.process(name).values["stop_signal"] = _signal(name.strip(), word)
    if settings.primary is not None:
        _choose_primary(overlay, settings.primary, settings.origin.get("primary", "--primary"), procfile)


def _choose_primary(overlay: Overlay, word: str, origin: str, procfile: Procfile) -> None:
    """Give the terminal to ``web`` or ``web.2``, whatever the tables say; without a number to the first instance."""
    name, _, last = word.strip().rpartition(".")
    number = whole_number(last) if name else None
    if not number:
        name, number = word.strip(), 1
    if procfile.get(name) is None:
        message = f'{origin}: {procfile.name} has no process type "{name}"'
        raise UsageError(message, did_you_mean(name, procfile.names))
    for process in overlay.processes.values():
        process.values.pop("primary", None)
    overlay.process(name).values["primary"] = number


def _signal(text: str, word: str) -> int:
    try:
        return signal(int(text) if text.isdigit() and len(text) < 4 else text)
    except WrongValueError as error:
        raise UsageError(f'"{word}" {error.message}', error.hint) from None


def _names(overlay: Overlay, words: tuple[str, ...], procfile: Procfile) -> list[str]:
    """The process types that words of a flag mean: names, groups, or all."""
    names = flatten(overlay.expanded(words))
    if "all" in names and procfile.get("all") is None:
        return list(procfile.names)
    require_known(procfile, names)
    return names
