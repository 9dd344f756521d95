"""Replaces ``${NAME}`` in the values of env files (--env-interpolate) by the value that the processes get for NAME."""

from __future__ import annotations

from procman.config.configfiles import project_folder, read_config_files
from procman.core.planner import first_ports
from procman.core.procfile.formation import in_range, port_variables
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from procman.config.envfile import EnvFile
    from procman.core.model.plan import Environment
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings

    Definition = tuple[str, str, str]  # location, name, and the value as it is written

MAX_DEPTH = 100  # values that lead from one to the next
_DECIDED = ("_PORT", "_URL", "_CHECKOUT")  # how the names of `session_variables` end
MAX_LENGTH = 1 << 20  # characters of a value; the kernel takes no more than 128 KiB, and doubling grows fast


def session_variables(
    settings: Settings,
    procfile: Procfile | None,
    environment: Environment,
    moved: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """Return PROCMAN_CHECKOUT, and PROCMAN_<TYPE>_PORT and _URL of every process type, as the processes get them.

    `moved` are the ports of instances that got others than usual, see `make_plan`.
    """
    checkout = {"PROCMAN_CHECKOUT": settings.checkout} if settings.checkout else {}
    if procfile is None:
        return checkout
    ports = first_ports(procfile, settings, environment)
    for file in reversed(read_config_files(project_folder(settings))):
        tables = file.values.get("process")
        for name, table in tables.items() if isinstance(tables, dict) else ():
            port = table.get("port") if isinstance(table, dict) else None
            if name in ports and isinstance(port, int):
                ports[name] = port or None
    ports |= {name: (moved or {}).get(f"{name}.1", port) for name, port in ports.items()}
    return {**checkout, **port_variables({name: port for name, port in ports.items() if port and in_range(port)})}


def expand(
    files: Sequence[tuple[str, EnvFile]],
    under: Mapping[str, str],
    over: Mapping[str, str],
    decided: Callable[[], Mapping[str, str]],
) -> list[dict[str, str]]:
    """Return the expanded values of each file, in order. Every file has a name, and later files win over earlier ones.

    `under` are variables that the files win over, `over` those that win over the files; both are literal. `decided`
    returns the `session_variables`, which win over everything. It is called only if a value mentions one.
    Raises ConfigError for values that are too long, or nested too deep.
    """
    expansion = _Expansion(files, under, over, decided)
    expanded: list[dict[str, str]] = []
    at = 0
    for _, file in files:
        values: dict[str, str] = {}
        for name, _ in file.bindings:
            values[name] = expansion.value(at)
            at += 1
        expanded.append(values)
    return expanded


class _Expansion:
    """All definitions of all files by number, and those of each name, the last of which wins."""

    def __init__(
        self,
        files: Sequence[tuple[str, EnvFile]],
        under: Mapping[str, str],
        over: Mapping[str, str],
        decided: Callable[[], Mapping[str, str]],
    ) -> None:
        self._under = under
        self._over = over
        self._decide = decided
        self._decided: Mapping[str, str] | None = None
        self._definitions: list[Definition] = []
        self._before: list[int | None] = []  # the definition of the same name before this one
        self._winners: dict[str, int] = {}
        self._values: dict[int, str] = {}
        self._open: set[int] = set()  # whose values are being expanded
        for path, file in files:
            for name, value in file.bindings:
                self._before.append(self._winners.get(name))
                self._winners[name] = len(self._definitions)
                self._definitions.append((f"{path}:{file.lines[name]}", name, value))

    def value(self, number: int) -> str:
        """Return the expanded value of a definition."""
        if number not in self._values:
            self._values[number] = self._expand(number)
        return self._values[number]

    def _expand(self, number: int) -> str:
        location, name, value = self._definitions[number]
        if "${" not in value:
            return value
        if len(self._open) >= MAX_DEPTH:
            raise ConfigError(f"{location}: references in {name} are nested more than {MAX_DEPTH} deep")
        from dotenv.variables import parse_variables

        self._open.add(number)
        known = _Known(self, number)
        pieces: list[str] = []
        length = 0
        for atom in parse_variables(value):
            pieces.append(atom.resolve(known))  # type: ignore[arg-type]  # it only calls `get`
            length += len(pieces[-1])
            if length > MAX_LENGTH:
                raise ConfigError(f"{location}: the value of {name} is longer than {MAX_LENGTH >> 20} MiB")
        self._open.discard(number)
        return "".join(pieces)

    def lookup(self, name: str, number: int) -> str | None:
        """Return what ``${name}`` means in a definition; None if there is no such variable.

        In the value of the same name, it means the previous value.
        """
        if name.startswith("PROCMAN_") and name.endswith(_DECIDED) and (text := self._decided_value(name)):
            return text
        if name in self._over:
            return self._over[name]
        found = self._before[number] if name == self._definitions[number][1] else self._winners.get(name)
        while found is not None and found in self._open:
            found = self._before[found]
        return self.value(found) if found is not None else self._under.get(name)

    def _decided_value(self, name: str) -> str | None:
        if self._decided is None:
            self._decided = self._decide()
        return self._decided.get(name)


class _Known:
    """The variables as python-dotenv looks them up from one definition."""

    def __init__(self, expansion: _Expansion, number: int) -> None:
        self._expansion = expansion
        self._number = number

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of a variable, or the default."""
        found = self._expansion.lookup(name, self._number)
        return default if found is None else found
