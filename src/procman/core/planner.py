"""Works out everything that `start` will do before the first process exists: one record for each instance."""

from __future__ import annotations

from procman.core.model.plan import SYSTEM, InstancePlan, Plan
from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.procfile.environment import own_environment, shared_environment
from procman.core.procfile.formation import flatten, parse_formation, require_known, select
from procman.core.procfile.ports import base_port, check_ports, in_range, port_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.model.plan import Environment
    from procman.core.model.process_overlay import Overlay
    from procman.core.model.procfile import ProcessType, Procfile
    from procman.core.model.settings import Settings


def make_plan(
    procfile: Procfile,
    environment: Environment,
    settings: Settings,
    overlay: Overlay | None = None,
    *,
    session: str = "",
    warnings: tuple[str, ...] = (),
    moved: Mapping[str, int] | None = None,
) -> Plan:
    """Work out every instance. `procfile` and `root` of the settings are absolute paths, `session` is its id.
    `moved` gives ports to instances whose own ones are taken.

    Raises UsageError for names, counts and ports that are invalid, ConfigError for an overlay's check without a port.
    """
    formation = None if settings.formation is None else parse_formation(settings.formation)
    names, exclude, quiet, only = settings.names, settings.exclude, settings.quiet, settings.only
    firsts = first_ports(procfile, settings, environment)
    if overlay is None:
        chosen = select(procfile, formation, names, exclude)
    else:
        from procman.core.overlay import apply

        chosen, lacking = apply.select_with(overlay, procfile, formation, names, exclude)
        firsts = apply.first_ports(overlay, firsts)
        quiet, only = overlay.expanded(quiet), overlay.expanded(only)
        warnings += lacking
    quiet, only = tuple(flatten(quiet)), tuple(flatten(only))
    require_known(procfile, [_type_of(name) for name in (*quiet, *only) if name != SYSTEM])
    moved = moved or {}
    known = {name: moved.get(f"{name}.1", port) for name, port in firsts.items()}
    shared = shared_environment(environment, session, _known_ports(known))
    rules = RestartPolicy(settings.restart, settings.max_restarts), StopPolicy(grace=settings.timeout)
    instances = tuple(
        _instance(type_, number, _port(type_.name, number, firsts, moved), settings.root, rules, shared)
        for type_, count in chosen
        for number in range(1, count + 1)
    )
    if overlay is not None:
        apply.adjust_all(instances, overlay, names)
    check_ports((instance.name, instance.port) for instance in instances if instance.port is not None)
    return Plan(
        procfile, settings.procfile, settings.root, session, instances, environment, warnings, quiet, only, moved
    )


def _instance(
    type_: ProcessType,
    number: int,
    port: int | None,
    root: str,
    rules: tuple[RestartPolicy, StopPolicy],
    shared: Mapping[str, str],
) -> InstancePlan:
    name = f"{type_.name}.{number}"
    own = own_environment(type_.name, name, port)
    return InstancePlan(name, type_.name, number, port, type_.command, root, own, *rules, type_.index, shared)


def _port(name: str, number: int, firsts: Mapping[str, int | None], moved: Mapping[str, int]) -> int | None:
    first = firsts[name]
    return moved.get(f"{name}.{number}", None if first is None else first + number - 1)


def _type_of(name: str) -> str:
    """Return the process type that a type's or an instance's name means, `web` for ``web`` or ``web.2``."""
    kind, _, number = name.partition(".")
    return kind if number.isdecimal() else name


def first_ports(procfile: Procfile, settings: Settings, environment: Environment) -> dict[str, int | None]:
    """Return the port of each type's first instance, even of types that do not run here: they may run elsewhere."""
    types = procfile.process_types
    if settings.no_port:
        return {type_.name: None for type_ in types}
    base = base_port(settings.port, environment)
    return {type_.name: port_of(base, settings.port_step, type_.index, 1) for type_ in types}


def _known_ports(firsts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: port for name, port in firsts.items() if port is not None and in_range(port)}
