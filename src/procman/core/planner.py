"""Decides everything that `start` will do before the first process exists: one record per instance."""

from __future__ import annotations

from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.procfile.environment import own_environment, shared_environment
from procman.core.procfile.formation import flatten, require_known, select
from procman.core.procfile.ports import DEFAULT_STEP, base_port, check_ports, in_range, port_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.core.lifecycle.order import Dependency
    from procman.core.model.checks import Check
    from procman.core.overlay.tables import Overlay
    from procman.core.procfile.environment import Environment
    from procman.core.procfile.formation import Formation
    from procman.core.procfile.parser import ProcessType, Procfile

_NOTHING: dict[str, str] = {}


class InstancePlan:
    """One supervised slot, fully worked out: what to run, where, with what, and the rules for its life.

    ``number`` counts from 1 within its type; ``index`` is the type's index in the Procfile, for its color.
    ``port`` is None when none is given. ``env`` of the constructor is laid over ``shared_env``, which all
    instances of a plan have in common: a thousand copies of one environment would be megabytes.

    The rest has its default here and is set by an overlay, see core/overlay: ``can_die`` (its end never concerns
    the run), ``pty`` (None: as the others), ``color`` (an index that wins over ``index``, or None), ``log_file`` (an
    absolute path, or empty), ``watch`` (globs below ``cwd`` whose changes restart it).
    """

    __slots__ = (
        "_own",
        "_shared",
        "autostart",
        "can_die",
        "color",
        "command",
        "cwd",
        "depends_on",
        "groups",
        "health",
        "index",
        "log_file",
        "name",
        "number",
        "port",
        "primary",
        "pty",
        "ready",
        "restart",
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
        self.autostart = True
        self.can_die = False
        self.color: int | None = None
        self.depends_on: tuple[Dependency, ...] = ()
        self.groups: tuple[str, ...] = ()
        self.health: Check | None = None
        self.log_file = ""
        self.primary = False
        self.pty: bool | None = None
        self.ready: Check | None = None
        self.watch: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        """The complete environment of the child; a new dict at each call, the caller's own."""
        return {**self._shared, **self._own}

    def lay_under(self, variables: Mapping[str, str]) -> None:
        """Give the child these variables, too; those that make the instance itself win over them."""
        self._own = {**variables, **self._own}

    @property
    def fails_unhealthy(self) -> bool:
        """Whether an instance that its health check condemns is not started again."""
        return self.health is not None and self.health.on_fail == "fail"

    def __repr__(self) -> str:
        return f"InstancePlan({self.name!r}, port={self.port}, command={self.command!r})"


class Plan:
    """What should run: the instances in the Procfile's order, and what they were worked out from.

    ``root`` is the folder the commands run in; ``warnings`` are sentences for the user; ``quiet`` and ``only`` the
    types and instances that run without being shown, or are the only ones to be shown.
    """

    __slots__ = (
        "environment",
        "instances",
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

    def hides(self, name: str) -> bool:
        """Whether the instance ``name`` runs, or would run, without being shown."""
        either = {name, name.partition(".")[0]}
        return bool(either & self.quiet or (self.only and not either & self.only))


def make_plan(
    procfile: Procfile,
    environment: Environment,
    *,
    procfile_path: str = "Procfile",
    root: str = ".",
    session: str = "",
    formation: Formation | None = None,
    names: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    quiet: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    port: int | None = None,
    port_step: int = DEFAULT_STEP,
    no_port: bool = False,
    restart: RestartPolicy | None = None,
    stop: StopPolicy | None = None,
    warnings: tuple[str, ...] = (),
    overlay: Overlay | None = None,
) -> Plan:
    """Work out every instance. Raises UsageError for names, counts and ports that cannot be.

    ``port`` is the base, 0 and ``no_port`` mean none; without it PORT of the environment is the base, else 5000.
    """
    base = None if no_port or port == 0 else base_port(port, environment)
    firsts = _first_ports(procfile, base, port_step)
    if overlay is None:
        chosen = select(procfile, formation, names, exclude)
    else:
        from procman.core.overlay import apply

        chosen, lacking = apply.select_with(overlay, procfile, formation, names, exclude)
        firsts = apply.first_ports(overlay, firsts)
        quiet, only = overlay.expanded(quiet), overlay.expanded(only)
        warnings += lacking
    quiet, only = tuple(flatten(quiet)), tuple(flatten(only))
    require_known(procfile, map(_type_of, (*quiet, *only)))
    shared = shared_environment(environment, session, _known_ports(firsts))
    rules = restart or RestartPolicy(), stop or StopPolicy()
    instances = tuple(
        _instance(type_, number, firsts[type_.name], root, rules, shared)
        for type_, count in chosen
        for number in range(1, count + 1)
    )
    if overlay is not None:
        apply.adjust_all(instances, overlay, names)
    check_ports((instance.name, instance.port) for instance in instances if instance.port is not None)
    return Plan(procfile, procfile_path, root, session, instances, environment, warnings, quiet, only)


def _instance(
    type_: ProcessType,
    number: int,
    first_port: int | None,
    root: str,
    rules: tuple[RestartPolicy, StopPolicy],
    shared: Mapping[str, str],
) -> InstancePlan:
    name = f"{type_.name}.{number}"
    port = None if first_port is None else first_port + number - 1
    own = own_environment(type_.name, name, port)
    return InstancePlan(name, type_.name, number, port, type_.command, root, own, *rules, type_.index, shared)


def _type_of(name: str) -> str:
    """The type that is meant by it or by one of its instances, ``web`` or ``web.2``."""
    kind, _, number = name.partition(".")
    return kind if number.isdecimal() else name


def _first_ports(procfile: Procfile, base: int | None, step: int) -> dict[str, int | None]:
    """Return the port of each type's first instance, also of those that do not run here: they may run elsewhere."""
    types = procfile.process_types
    return {type_.name: None if base is None else port_of(base, step, type_.index, 1) for type_ in types}


def _known_ports(firsts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: port for name, port in firsts.items() if port is not None and in_range(port)}
