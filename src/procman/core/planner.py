"""Works out everything that `start` will do before the first process exists: one record for each instance."""

from __future__ import annotations

from procman.core.model.plan import REAL, SYSTEM, InstancePlan, Plan, RestartPolicy, StopPolicy
from procman.core.procfile.formation import (
    base_in_worktree,
    base_port,
    check_ports,
    flatten,
    in_range,
    parse_formation,
    port_of,
    port_variables,
    require_known,
    select,
)
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.model.plan import Environment
    from procman.core.model.process_overlay import Overlay
    from procman.core.model.procfile import ProcessType, Procfile
    from procman.core.model.settings import Settings
    from procman.core.procfile.formation import Formation


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
    `moved` gives ports to instances whose own ones are taken. An instance whose port another one of its type has moved
    to gets the next port.

    Raises UsageError for names, counts and ports that are invalid, ConfigError for an overlay's check without a port.
    """
    formation, lost = formation_of(settings, procfile)
    chosen, firsts, lacking = _choose(procfile, settings, formation, overlay, environment)
    quiet, only = (_known_names(settings, procfile, overlay, name) for name in ("quiet", "only"))
    moved = moved or {}
    ports = {**moved, **_ports(chosen, firsts, moved)}
    known = {name: ports.get(f"{name}.1", port) for name, port in firsts.items()}
    shared = shared_environment(environment, session, _known_ports(known), settings.checkout)
    rules = RestartPolicy(settings.restart, settings.max_restarts), StopPolicy(grace=settings.timeout)
    instances = tuple(
        _instance(type_, number, ports[f"{type_.name}.{number}"], settings.root, rules, shared)
        for type_, count in chosen
        for number in range(1, count + 1)
    )
    if overlay is not None:
        from procman.core.overlay.apply import adjust_all

        adjust_all(instances, overlay, settings.names)
    check_ports((instance.name, instance.own_port) for instance in instances if instance.own_port is not None)
    warnings = (*settings.notes, *warnings, *lost, *lacking, *_pinned_by_file(settings, environment))
    return Plan(
        procfile, settings.procfile, settings.root, session, instances, environment, warnings, quiet, only, moved
    )


def _choose(
    procfile: Procfile,
    settings: Settings,
    formation: Formation | None,
    overlay: Overlay | None,
    environment: Environment,
) -> tuple[list[tuple[ProcessType, int]], dict[str, int | None], tuple[str, ...]]:
    """Return the process types that run with their counts, the port of each type's first instance, and warnings."""
    firsts = first_ports(procfile, settings, environment)
    _known_names(settings, procfile, overlay, "exclude")
    if overlay is None:
        return select(procfile, formation, settings.names, settings.exclude), firsts, ()
    from procman.core.overlay import apply

    chosen, lacking = apply.select_with(overlay, procfile, formation, settings.names, settings.exclude)
    return chosen, apply.first_ports(overlay, firsts), lacking


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


def _ports(
    chosen: list[tuple[ProcessType, int]], firsts: Mapping[str, int | None], moved: Mapping[str, int]
) -> dict[str, int | None]:
    """Return the port of each instance. One whose port another instance of its type has moved to gets the next port."""
    ports: dict[str, int | None] = {}
    for type_, count in chosen:
        first = firsts[type_.name]
        names = [f"{type_.name}.{number}" for number in range(1, count + 1)]
        taken = {port for name, port in moved.items() if name.startswith(f"{type_.name}.")}
        for distance, name in enumerate(names):
            port = moved.get(name, None if first is None else first + distance)
            if name not in moved and port is not None and port in taken:
                while port in taken:
                    port += 1
                taken.add(port)
            ports[name] = port
    return ports


def formation_of(settings: Settings, procfile: Procfile) -> tuple[Formation | None, tuple[str, ...]]:
    """Return the formation, and warnings. Foreman ignores names that its Procfile does not have, and so do we there.

    Raises UsageError, with the place of the formation, if it is invalid or has unknown names.
    """
    if settings.formation is None:
        return None, ()
    place = settings.place("formation")
    try:
        formation = parse_formation(settings.formation)
        if not _is_of_foreman(place):
            require_known(procfile, formation.counts)
    except UsageError as error:
        raise UsageError(place + error.message, error.hint) from None
    lost = [name for name in formation.counts if procfile.get(name) is None]
    for name in lost:
        del formation.counts[name]
    warnings = tuple(f'{place}{procfile.name} has no process type "{name}"' for name in lost)
    return formation if formation.counts or formation.all is not None else None, warnings


def _is_of_foreman(place: str) -> bool:
    return place.rpartition("/")[2].startswith(".foreman")


def _known_names(settings: Settings, procfile: Procfile, overlay: Overlay | None, name: str) -> tuple[str, ...]:
    """Return the names of a setting, without groups. Raises UsageError, with its place, for an unknown one."""
    words: tuple[str, ...] = getattr(settings, name)
    names = tuple(flatten(words if overlay is None else overlay.expanded(words)))
    try:
        known = names if name == "exclude" else (_type_of(word) for word in names if word != SYSTEM)
        require_known(procfile, known)
    except UsageError as error:
        raise UsageError(settings.place(name) + error.message, error.hint) from None
    return names


def _type_of(name: str) -> str:
    """Return the process type that a type's or an instance's name means, `web` for ``web`` or ``web.2``."""
    kind, _, number = name.partition(".")
    return kind if number.isdecimal() else name


def first_ports(procfile: Procfile, settings: Settings, environment: Environment) -> dict[str, int | None]:
    """Return the port of each type's first instance, even of types that do not run here: they may run elsewhere."""
    types = procfile.process_types
    if settings.no_port:
        return {type_.name: None for type_ in types}
    base = base_port(settings.port, environment) + offset_of(settings, environment)
    return {type_.name: port_of(base, settings.port_step, type_.index, 1) for type_ in types}


def offset_of(settings: Settings, environment: Environment) -> int:
    """Return what is added to the base: by the user's wish, or in a linked worktree. Raises UsageError, see
    `base_port`.
    """
    if settings.port_offset is not None:
        return settings.port_offset
    base = base_port(settings.port, environment)
    return 0 if pin_of(settings, environment) else base_in_worktree(base, settings.slot) - base


def pin_of(settings: Settings, environment: Environment) -> str:
    """Return what fixes the base, so that a worktree does not move it: a flag or the place of PORT; empty if nothing
    does.

    A port in a config file does not: all checkouts have the same file.
    """
    if "port_offset" in settings.origin:
        return ""
    if settings.port is not None:
        return settings.origin["port"] if settings.is_given_directly("port") else ""
    return environment.origin["PORT"] if environment.values.get("PORT", "").strip() else ""


def _pinned_by_file(settings: Settings, environment: Environment) -> list[str]:
    """Return a warning if an env file fixes the ports of a worktree."""
    pin = pin_of(settings, environment)
    if not settings.slot or not pin or settings.port is not None or pin == REAL:
        return []
    return [
        f"{pin}: PORT gives this worktree the ports of the other checkouts; "
        "--port-offset worktree moves it, --port-offset none keeps it without this warning"
    ]


def _known_ports(firsts: Mapping[str, int | None]) -> dict[str, int]:
    return {name: port for name, port in firsts.items() if port is not None and in_range(port)}


def shared_environment(
    environment: Environment, session: str, ports: dict[str, int], checkout: str = ""
) -> dict[str, str]:
    """Return what all children of a session share: the layers, its id, the port of each type's first instance.

    `checkout` is the name of the checkout, if it is known.
    """
    shared = {"PYTHONUNBUFFERED": "1", **environment.values}
    shared["PROCMAN_SESSION"] = session
    if checkout:
        shared["PROCMAN_CHECKOUT"] = checkout
    return {**shared, **port_variables(ports)}


def own_environment(process: str, instance: str, port: int | None) -> dict[str, str]:
    """Return the variables of one instance: its names, and PORT unless `port` is None."""
    own = {"PS": instance, "PROCMAN_INSTANCE": instance, "PROCMAN_PROCESS": process}
    if port is not None:
        own["PORT"] = str(port)
    return own
