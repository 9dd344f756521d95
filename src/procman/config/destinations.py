"""Reads the destinations: the tables [on.NAME] of the config files."""

from __future__ import annotations

import os

from procman.config.configfiles import lines_below, project_folder, read_config_files
from procman.core.model.destination import Destination, Destinations
from procman.core.model.process_overlay import OverlayProblem, Table
from procman.core.overlay.converters import WrongValueError, env_files, seconds, text, texts, truth, unknown_key, wrong
from procman.core.procfile.formation import parse_formation
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from procman.config.configfiles import ConfigFile
    from procman.core.model.settings import Settings

KEY = "on"  # its strings are commands for events, its tables destinations
EXAMPLE = 'for example [on.production] with engine = "swarm"'


def _formation(value: object) -> dict[str, str]:
    """Return formations by host; the key is empty for one that is not of a host."""
    if isinstance(value, str):
        return {"": _checked(value)}
    if not isinstance(value, dict):
        raise wrong("a formation", value, 'for example "web=2,worker=4"')
    counts = {name: count for name, count in value.items() if isinstance(count, int) and not isinstance(count, bool)}
    if len(counts) == len(value):
        return {"": _checked(",".join(f"{name}={count}" for name, count in counts.items()))}
    for host, one in value.items():
        if not isinstance(one, str):
            error = wrong("a formation", one, 'for example "deploy@a" = "web=2"')
            raise WrongValueError(error.message, error.hint, (host,))
    return {host: _checked(one, host) for host, one in value.items()}


def _checked(formation: str, *path: str) -> str:
    try:
        parse_formation(formation)
    except UsageError as error:
        raise WrongValueError(f"is not valid: {error.message}", error.hint, path) from None
    return formation


KEYS: dict[str, Callable[[object], object]] = {
    "engine": text,
    "app": text,
    "default": truth,
    "context": text,
    "namespace": text,
    "numbered": truth,
    "hosts": texts,
    "folder": text,
    "user": text,
    "user_units": truth,
    "ssh_config": text,
    "setup": text,
    "image": text,
    "version": text,
    "build": text,
    "push": text,
    "env_file": env_files,
    "formation": _formation,
    "timeout": seconds,
}
KEYS_EXPLAINED = {
    "engine": "what runs it: swarm, compose, kubernetes or systemd",
    "app": "the application's name there [the folder's]",
    "default": "deploy goes here if no destination is named",
    "context": "the context of docker or kubectl",
    "namespace": "the namespace of Kubernetes",
    "numbered": "on Kubernetes, StatefulSets: pods with the numbers of instances",
    "hosts": "the machines, as ssh knows them",
    "folder": "the application's folder on the hosts",
    "user": "the account that the processes run as",
    "user_units": "units of the user who logs in, without root",
    "ssh_config": "a configuration file for ssh, instead of yours",
    "setup": "a command to run on each host in the new code",
    "image": "the container image; {version} is replaced",
    "version": "the version, or git for what git describe says [git]",
    "build": "a command to build {image}, run here",
    "push": "a command to push {image}, run here",
    "env_file": "env files to read instead of .env",
    "formation": "how many of each; without it, what runs there is kept",
    "timeout": "how long a version may take to come up [120]",
}


def read_destinations(settings: Settings) -> Destinations:
    """Read what the config files say about destinations. Problems are kept. Raises ConfigError for invalid TOML."""
    known = list(settings.mistakes) or None  # reported already, so they are no reason to stop here
    files = [file for file in read_config_files(project_folder(settings), known) if KEY in file.values]
    return parse_destinations([table_of(file) for file in files if not file.is_text])


def parse_destinations(tables: Sequence[Table]) -> Destinations:
    """Convert and check the tables, the one that wins first."""
    destinations = Destinations()
    for table in reversed(tables):
        if not isinstance(table.processes, dict):
            destinations.problems.append(OverlayProblem(table.location(()), f"{KEY} is not a table", EXAMPLE))
            continue
        for name, keys in table.processes.items():
            if isinstance(keys, dict):
                _read(destinations, name, keys, table)
    for destination in destinations.found.values():
        destinations.problems += _missing(destination)
    destinations.problems += _two_defaults(destinations)
    return destinations


def require_sound_destinations(destinations: Destinations) -> None:
    """Raise ConfigError if a table has a mistake."""
    if destinations.problems:
        first, *more = destinations.problems
        others = f"; and {len(more)} more" if more else ""
        hint = "`procman check` lists all of them" if more else first.hint
        raise ConfigError(f"{first.location}: {first.message}{others}", hint)


def table_of(file: ConfigFile) -> Table:
    """Return the table [on] of a file, with its lines."""
    prefix = ("tool", "procman") if os.path.basename(file.path) == "pyproject.toml" else ()
    return Table(file.path, file.folder, file.values[KEY], lines_below(file.text, (*prefix, KEY)))


def _read(destinations: Destinations, name: str, keys: Mapping[str, object], table: Table) -> None:
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        message = f'"{name}" cannot name a destination'
        destinations.problems.append(OverlayProblem(table.location((name,)), message, "use letters, digits, - and _"))
        return
    destination = destinations.found.setdefault(name, Destination(name, table.location((name,))))
    for key, value in keys.items():
        try:
            _set(destination, key.replace("-", "_"), value, table.folder)
        except WrongValueError as error:
            location = table.location((name, key, *error.path))
            message = f"{'.'.join((key, *error.path))} {error.message}"
            destinations.problems.append(OverlayProblem(location, message, error.hint))
        except KeyError:
            message = f'unknown key "{key}" in [{KEY}.{name}]'
            hint = unknown_key(key.replace("-", "_"), KEYS)
            destinations.problems.append(OverlayProblem(table.location((name, key)), message, hint))


def _set(destination: Destination, key: str, value: object, folder: str) -> None:
    converted = KEYS[key](value)
    if key == "formation":
        assert isinstance(converted, dict)
        destination.formation = converted.pop("", "")
        destination.host_formations = converted
    elif key == "env_file":
        assert isinstance(converted, tuple)
        paths = ((os.path.join(folder, os.path.expanduser(path)), required) for path, required in converted)
        destination.env_file = tuple(paths)
    elif key == "ssh_config":
        destination.ssh_config = os.path.join(folder, os.path.expanduser(str(converted)))
    else:
        setattr(destination, key, converted)


def _missing(destination: Destination) -> list[OverlayProblem]:
    if destination.engine:
        return []
    message = f"[{KEY}.{destination.name}] names no engine"
    return [OverlayProblem(destination.location, message, 'for example engine = "swarm"')]


def _two_defaults(destinations: Destinations) -> list[OverlayProblem]:
    defaults = [one for one in destinations.found.values() if one.default]
    return [
        OverlayProblem(one.location, f'"{one.name}" cannot be the default: "{defaults[0].name}" is', "keep one of them")
        for one in defaults[1:]
    ]
