"""Decides everything that `start` will do before the first process exists: one record per instance."""

from __future__ import annotations

from procman.core.model.plan import InstancePlan, Plan
from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.procfile.environment import own_environment, shared_environment
from procman.core.procfile.formation import flatten, require_known, select
from procman.core.procfile.ports import DEFAULT_STEP, base_port, check_ports, in_range, port_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.model.plan import Environment
    from procman.core.model.procfile import ProcessType, Procfile
    from procman.core.overlay.tables import Overlay
    from procman.core.procfile.formation import Formation


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
