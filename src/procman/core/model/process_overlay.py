"""The overlay as records: what the tables [process.NAME] say about each process type, and what is wrong in them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.core.model.autoscale import Autoscale
    from procman.core.model.checks import Check
    from procman.core.model.dependency import Dependency
    from procman.core.model.listen import ListeningSocket
    from procman.core.model.schedule import Schedule

Path = tuple[str, ...]  # ("web", "ready", "interval"): the name of a table, its key, and the keys below it
COMMAND_LINE = "the command line"


def normalized(path: Path) -> Path:
    """Return the path in the spelling that paths are compared in: a dash in a key equals an underscore."""
    return (*path[:1], *(key.replace("-", "_") for key in path[1:]))


class Table:
    """The [process] table of one file, as parsed from TOML. `lines` maps the path of each key to its line (from 1)."""

    __slots__ = ("folder", "lines", "path", "processes")

    def __init__(self, path: str, folder: str, processes: object, lines: Mapping[Path, int]) -> None:
        self.path = path
        self.folder = folder
        self.processes = processes
        self.lines = lines

    def location(self, path: Path) -> str:
        """Return the location of the key `path`, or of the innermost table around it: ``procman.toml:3``."""
        path = normalized(path)
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.path}:{self.lines[path]}" if path else self.path


class OverlayProblem:
    """A mistake in a config file. `location` is FILE:LINE, for bad TOML FILE:LINE:COLUMN; `hint` may be empty.

    `severity` is "error" or "warning".
    """

    __slots__ = ("hint", "location", "message", "severity")

    def __init__(self, location: str, message: str, hint: str = "", severity: str = "error") -> None:
        self.location = location
        self.message = message
        self.hint = hint
        self.severity = severity

    def as_record(self) -> dict[str, object]:
        """Return the problem as ``check --json`` prints it; only problems of config files have a `file`."""
        file, line, column = self.position()
        message = f"{self.message} ({self.hint})" if self.hint else self.message
        return {"severity": self.severity, "line": line, "column": column, "message": message, "file": file}

    def position(self) -> tuple[str, int, int]:
        """Return file, line and column, to sort by."""
        file, *numbers = self.location.rsplit(":", 2)
        if len(numbers) == 2 and all(map(str.isdigit, numbers)):
            return file, int(numbers[0]), int(numbers[1])
        file, _, line = self.location.rpartition(":")
        return (file, int(line), 1) if line.isdigit() else (self.location, 1, 1)

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}: {self.message}{f' ({self.hint})' if self.hint else ''}"

    def __repr__(self) -> str:
        return f"OverlayProblem({str(self)!r})"


class ProcessOverlay:
    """What the overlay says about one process type: an attribute for each key, and the table each key is from.

    None, an empty string and an empty tuple mean that a key is not given. Times are in seconds.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._set_no_sockets()
        self._set_no_limits()
        self.sources: dict[str, Table] = {}
        self.variables: dict[str, str] = {}  # of its env files and its env, once the files are read
        # when it runs
        self.restart: str | None = None
        self.max_restarts: int | None = None
        self.backoff: tuple[float, float | None] | None = None  # the first delay, and the longest if it is given
        self.min_uptime: float | None = None
        self.success_exit_codes: tuple[int, ...] | None = None
        self.can_die = False
        self.autostart = True
        self.formation: int | None = None
        self.autoscale: Autoscale | None = None
        self.depends_on: tuple[Dependency, ...] = ()
        self.watch: tuple[str, ...] = ()
        self.schedule: Schedule | None = None
        self.groups: tuple[str, ...] = ()
        # how it is checked and stopped
        self.ready: Check | None = None
        self.health: Check | None = None
        self.stop_signal: int | None = None
        self.stop_timeout: float | None = None
        self.stop_command: str | None = None
        self.stop_to: str | None = None
        # with what it runs
        self.env: dict[str, str] = {}
        self.env_file: tuple[tuple[str, bool], ...] = ()  # each path with whether the file must exist
        self.cwd = ""
        self.port: int | None = None  # 0: no port
        # how it is shown
        self.pty: bool | None = None
        self.primary = 0  # the number of the instance that gets the terminal of `start`; 0: none
        self.color: int | None = None
        self.log_file = ""

    def _set_no_sockets(self) -> None:
        self.listen: tuple[ListeningSocket, ...] = ()  # which ones procman keeps open for it
        self.share = False
        self.start_on: str | None = None
        self.hold: float | None = None

    def _set_no_limits(self) -> None:
        self.memory_max: int | None = None  # bytes
        self.cpu_max: float | None = None  # CPUs
        self.pids_max: int | None = None

    def location(self, key: str) -> str:
        """Return the location of a key: ``procman.toml:3``."""
        return self.sources[key].location((self.name, key)) if key in self.sources else COMMAND_LINE

    def folder(self, key: str) -> str:
        """Return the folder that relative paths in the value of `key` start from."""
        return self.sources[key].folder


class Overlay:
    """All [process.NAME] tables by name, in the Procfile's order, and their problems in the order of finding."""

    __slots__ = ("problems", "processes")

    def __init__(self) -> None:
        self.processes: dict[str, ProcessOverlay] = {}
        self.problems: list[OverlayProblem] = []

    def get(self, name: str) -> ProcessOverlay | None:
        """Return what is said about the process type `name`, or None."""
        return self.processes.get(name)

    def process(self, name: str) -> ProcessOverlay:
        """Return what is said about the process type `name`; a new, empty record if nothing is said yet."""
        return self.processes.setdefault(name, ProcessOverlay(name))

    @property
    def errors(self) -> list[OverlayProblem]:
        """The problems that make the overlay unusable."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return the process types of each group."""
        found: dict[str, list[str]] = {}
        for process in self.processes.values():
            for group in process.groups:
                found.setdefault(group, []).append(process.name)
        return {group: tuple(names) for group, names in found.items()}

    def expanded(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return words of the command line, with each group's name replaced by its process types."""
        groups = self.groups()
        return tuple(name for word in words for part in word.split(",") for name in groups.get(part.strip(), (part,)))
