"""What should run, fully worked out: a plan, its instances with the rules of their lives, and their environment."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.core.model.autoscale import Autoscale
    from procman.core.model.checks import Check
    from procman.core.model.dependency import Dependency
    from procman.core.model.listen import Listen
    from procman.core.model.procfile import Procfile
    from procman.core.model.schedule import Schedule

REAL = "environment"  # the source of the variables that procman inherited
SYSTEM = "system"  # the name of procman's own lines
_NOTHING: dict[str, str] = {}


def speaks_of_port(text: str, port: int | None, type_name: str) -> bool:
    """Whether a command or the target of a check refers to the port of its process: as PORT, or by its number."""
    if port is None:
        return False
    prefix = f"PROCMAN_{type_name.upper().replace('-', '_')}"
    own = (str(port), "PORT", f"{prefix}_PORT", f"{prefix}_URL")
    words = "".join(char if char.isalnum() or char == "_" else " " for char in text).split()
    return not {*own}.isdisjoint(words)


class RestartPolicy:
    """When an instance is restarted. All times are in seconds.

    `mode` is "on-failure", "always" or "never". `max_restarts` is the budget: that many quick deaths in a row make the
    instance FAILED. A death is quick if the child ran for less than `min_uptime`; a longer life resets the count. The
    exit codes `success_codes` (128 + n for signal n) are not failures.
    """

    __slots__ = ("backoff", "backoff_max", "max_restarts", "min_uptime", "mode", "success_codes")

    def __init__(
        self,
        mode: str = "on-failure",
        max_restarts: int = 5,
        min_uptime: float = 10.0,
        backoff: float = 1.0,
        backoff_max: float = 30.0,
        success_codes: tuple[int, ...] = (0,),
    ) -> None:
        self.mode = mode
        self.max_restarts = max_restarts
        self.min_uptime = min_uptime
        self.backoff = backoff
        self.backoff_max = backoff_max
        self.success_codes = success_codes

    def is_success(self, code: int) -> bool:
        """Whether the exit code (0-255, 128 + n for signal n) counts as success."""
        return code in self.success_codes

    def delay(self, quick_deaths: int) -> float:
        """Return the seconds to wait after that many quick deaths in a row: 0, 1, 2, 4 … 30."""
        if quick_deaths < 1:
            return 0.0
        doublings = min(quick_deaths - 1, 64)  # 2.0 ** 1024 overflows; the ceiling is reached long before
        return min(self.backoff * 2.0**doublings, self.backoff_max)


class StopPolicy:
    """How an instance is stopped: the number of the stop signal, and the seconds of `grace` before KILL.

    If there is a `command`, it runs instead of the signal; if it fails, the signal follows. `to` says what gets the
    signal first: "program" or "group". If it is empty, the program does if it handles the signal, else its group.
    """

    __slots__ = ("command", "grace", "signal_number", "to")

    def __init__(self, signal_number: int = 15, grace: float = 5.0, command: str = "", to: str = "") -> None:
        self.signal_number = signal_number
        self.grace = grace
        self.command = command
        self.to = to

    @property
    def has_two_steps(self) -> bool:
        """Whether the signal may be for the program alone, so that the rest gets it at half of the grace."""
        return not self.command and self.to != "group"


class InstancePlan:
    """One instance, fully worked out: what to run, where, in which environment, and the rules for its life.

    `number` counts from 1 within its type; `index` is the type's index in the Procfile, for its color. `port` is None
    if it has none. The constructor's `env` is laid over `shared_env`, which all instances of a plan share: a thousand
    copies of one environment would take megabytes.

    The other attributes have their defaults here, and the overlay sets them, see core/overlay: `can_die` (its end never
    ends the run), `pty` (None: like the others), `color` (an index that wins over `index`, or None), `log_file` (an
    absolute path, or empty), `memory_max` (bytes), `cpu_max` (CPUs), `pids_max` (None: no limit), `watch` (globs below
    `cwd` whose changes restart it), `listen` (the sockets that are kept open for it, or None), `autoscale` (how the
    number of instances of its type follows a measurement, or None), `schedule` (when it runs by the clock, or None).
    """

    __slots__ = (
        "_own",
        "_shared",
        "autoscale",
        "autostart",
        "can_die",
        "color",
        "command",
        "cpu_max",
        "cwd",
        "depends_on",
        "groups",
        "health",
        "index",
        "listen",
        "log_file",
        "memory_max",
        "name",
        "names_port",
        "number",
        "pids_max",
        "port",
        "primary",
        "pty",
        "ready",
        "restart",
        "schedule",
        "stop",
        "type",
        "watch",
    )

    def __init__(
        self,
        name: str,
        type: str,  # noqa: A002 (the glossary's word)
        number: int,
        port: int | None,
        command: str,
        cwd: str,
        env: Mapping[str, str],
        restart: RestartPolicy,
        stop: StopPolicy,
        index: int = 0,
        shared_env: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.name = name
        self.type = type
        self.number = number
        self.port = port
        self.command = command
        self.cwd = cwd
        self.restart = restart
        self.stop = stop
        self.index = index
        self._own = env
        self._shared = shared_env
        self._set_defaults()

    def _set_defaults(self) -> None:
        """Set what only the overlay changes."""
        self.autoscale: Autoscale | None = None
        self.autostart = True
        self.cpu_max: float | None = None
        self.can_die = False
        self.color: int | None = None
        self.depends_on: tuple[Dependency, ...] = ()
        self.groups: tuple[str, ...] = ()
        self.health: Check | None = None
        self.listen: Listen | None = None
        self.log_file = ""
        self.memory_max: int | None = None
        self.names_port = False  # whether the overlay gives it its port
        self.pids_max: int | None = None
        self.primary = False
        self.pty: bool | None = None
        self.ready: Check | None = None
        self.schedule: Schedule | None = None
        self.watch: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        """The complete environment of the child; each access returns a new dict."""
        return {**self._shared, **self._own}

    def lay_under(self, variables: Mapping[str, str]) -> None:
        """Add variables for the child; those that identify the instance win over them."""
        self._own = {**variables, **self._own}

    @property
    def begins(self) -> bool:
        """Whether it starts without being named: with the session, or at its first connection."""
        return self.autostart or (self.listen is not None and self.listen.on_connection)

    def borrow_port(self, port: int | None) -> None:
        """Take the port of another instance, whose socket this one shares."""
        self.port = port
        self._own = self._own if port is None else {**self._own, "PORT": str(port)}

    @property
    def own_port(self) -> int | None:
        """The port that no other instance has; None if it has none or borrows that of the first instance."""
        return None if self.listen is not None and self.listen.is_borrower else self.port

    @property
    def notifies(self) -> bool:
        """Whether one of its checks waits for what it sends by sd_notify(3)."""
        return "notify" in (self.ready and self.ready.kind, self.health and self.health.kind)

    @property
    def watchdog(self) -> float | None:
        """The seconds within which it has to send a sign of life, or None."""
        return self.health.interval if self.health is not None and self.health.kind == "notify" else None

    @property
    def shown_port(self) -> int | None:
        """The port to show: None unless the command, a check or the overlay mentions it."""
        checks = [check for check in (self.ready, self.health) if check is not None]
        known = self.names_port or speaks_of_port(self.command, self.port, self.type)
        known = known or any(speaks_of_port(str(check.target), self.port, self.type) for check in checks)
        return self.port if known else None

    @property
    def url(self) -> str | None:
        """The address for a browser: the server of its HTTP check, or its port unless a check says it is another."""
        checks = [check for check in (self.ready, self.health) if check is not None]
        for check in checks:
            if check.kind == "http":
                return "/".join(check.target.split("/")[:3])  # without the path
        port_alone = any(check.kind == "tcp" for check in checks) and self.type != "web"
        return None if self.shown_port is None or port_alone else f"http://localhost:{self.shown_port}"

    @property
    def is_limited(self) -> bool:
        """Whether it may use only so much memory, CPU time or processes."""
        return not (self.memory_max is None and self.cpu_max is None and self.pids_max is None)

    @property
    def fails_unhealthy(self) -> bool:
        """Whether an instance that fails its health check is not restarted."""
        return self.health is not None and self.health.on_fail == "fail"

    def __repr__(self) -> str:
        return f"InstancePlan({self.name!r}, port={self.port}, command={self.command!r})"


class Plan:
    """What should run: the instances in the Procfile's order, and what they were worked out from.

    `root` is the folder that commands run in, `warnings` are messages for the user. `quiet` are the types and instances
    that run without being shown; `only`, if not empty, are the only ones that are shown. `moved` are the ports of the
    instances whose own ones were taken at the start.
    """

    __slots__ = (
        "environment",
        "instances",
        "moved",
        "only",
        "procfile",
        "procfile_path",
        "quiet",
        "root",
        "session",
        "warnings",
    )

    def __init__(
        self,
        procfile: Procfile,
        procfile_path: str,
        root: str,
        session: str,
        instances: tuple[InstancePlan, ...],
        environment: Environment,
        warnings: tuple[str, ...] = (),
        quiet: Iterable[str] = (),
        only: Iterable[str] = (),
        moved: Mapping[str, int] | None = None,
    ) -> None:
        self.procfile = procfile
        self.procfile_path = procfile_path
        self.root = root
        self.session = session
        self.instances = instances
        self.environment = environment
        self.warnings = warnings
        self.quiet = frozenset(quiet)
        self.only = frozenset(only)
        self.moved = moved or {}

    def hides(self, name: str) -> bool:
        """Whether the output of the instance `name` is not shown."""
        if name == SYSTEM:
            return name in self.quiet
        names = {name, name.partition(".")[0]}
        return bool(names & self.quiet or (self.only and not names & self.only))


class Environment:
    """Merged layers of variables: each variable's value, and its origin (``.env:3``, ``environment``).

    `given` are the names that files define, in order, even where the real environment wins.
    """

    __slots__ = ("given", "origin", "values")

    def __init__(self, values: dict[str, str], origin: dict[str, str], given: tuple[str, ...] = ()) -> None:
        self.values = values
        self.origin = origin
        self.given = given


class Layer:
    """Variables from one `source` (``environment``, ``.env`` …). `lines` maps names to lines, as far as known."""

    __slots__ = ("lines", "source", "values")

    def __init__(self, source: str, values: Mapping[str, str], lines: Mapping[str, int] | None = None) -> None:
        self.source = source
        self.values = values
        self.lines = lines or {}

    def location(self, name: str) -> str:
        """Return where the variable `name` is defined: ``.env:3``."""
        return f"{self.source}:{self.lines[name]}" if name in self.lines else self.source


def merge(layers: Iterable[Layer]) -> Environment:
    """Merge `layers`; a later one wins."""
    values: dict[str, str] = {}
    origin: dict[str, str] = {}
    given: dict[str, None] = {}
    for layer in layers:
        values.update(layer.values)
        origin.update({name: layer.location(name) for name in layer.values})
        if layer.source != REAL:
            given.update(dict.fromkeys(layer.values))
    return Environment(values, origin, tuple(given))
