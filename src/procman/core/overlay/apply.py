"""Decides what an overlay changes in a plan: who runs, how many, on which port, and how."""

from __future__ import annotations

from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.procfile.formation import Formation, flatten, select
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.core.model.checks import Check
    from procman.core.model.plan import InstancePlan
    from procman.core.model.procfile import ProcessType, Procfile
    from procman.core.overlay.tables import Overlay, ProcessOverlay

    Chosen = list[tuple[ProcessType, int]]


def select_with(
    overlay: Overlay, procfile: Procfile, formation: Formation | None, names: tuple[str, ...], exclude: tuple[str, ...]
) -> tuple[Chosen, tuple[str, ...]]:
    """Return who runs, how many of each, and warnings; raises UsageError as `select` does.

    An overlay's counts hold where no formation is given. Who is named brings along what it depends on, unless that is
    left out; a formation says itself all that runs.
    """
    names, exclude = overlay.expanded(names), overlay.expanded(exclude)
    wanted = formation or Formation(_counts(overlay), 1)
    chosen = select(procfile, wanted, names, exclude)
    if names and formation is None:
        _bring_along(chosen, overlay, procfile, wanted, set(flatten(exclude)))
    running = {type_.name for type_, _ in chosen}
    lacking = [
        f'{process.place("depends_on")}: "{process.name}" depends on "{dependency.type}", which is left out: '
        "it does not wait for it"
        for process in overlay.processes.values()
        for dependency in process.depends_on
        if process.name in running and dependency.type not in running
    ]
    return chosen, tuple(lacking)


def _counts(overlay: Overlay) -> dict[str, int]:
    counts = ((process.name, process.values.get("formation")) for process in overlay.processes.values())
    return {name: count for name, count in counts if isinstance(count, int)}


def _bring_along(chosen: Chosen, overlay: Overlay, procfile: Procfile, wanted: Formation, left_out: set[str]) -> None:
    running = {type_.name for type_, _ in chosen}
    asked = list(running)
    while asked:
        process = overlay.get(asked.pop())
        for dependency in process.depends_on if process else ():
            type_ = procfile.get(dependency.type)
            if type_ is not None and type_.name not in running | left_out and wanted.count(type_.name):
                running.add(type_.name)
                asked.append(type_.name)
                chosen.append((type_, wanted.count(type_.name)))
    chosen.sort(key=lambda pair: pair[0].index)


def first_ports(overlay: Overlay, usual: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the port of each type's first instance, None for none; ``usual`` is what it would be without overlay."""
    said = {process.name: process.values["port"] for process in overlay.processes.values() if "port" in process.values}
    return {name: (said[name] or None) if name in said else port for name, port in usual.items()}  # type: ignore[misc]


def adjust_all(instances: Iterable[InstancePlan], overlay: Overlay, names: tuple[str, ...]) -> None:
    """Make the plans what the overlay says; ``names`` are the words of the command line. Raises ConfigError."""
    plans = list(instances)
    running = {plan.type for plan in plans}
    asked = {name.partition("=")[0].strip() for name in flatten(overlay.expanded(names))}
    for plan in plans:
        process = overlay.get(plan.type)
        if process is not None:
            adjust(plan, process, running, plan.type in asked)


def adjust(plan: InstancePlan, process: ProcessOverlay, running: set[str], named: bool) -> None:
    """Make ``plan`` what the overlay says. ``running`` are the types that run; ``named``: the user asked for this one.

    Raises ConfigError for a check that needs a port where there is none.
    """
    values = process.values
    plan.restart = _restart(plan.restart, values)
    plan.stop = _stop(plan.stop, values)
    plan.depends_on = tuple(one for one in process.depends_on if one.type in running)
    plan.groups = process.groups
    plan.ready = _check(plan, process, "ready")
    plan.health = _check(plan, process, "health")
    plan.autostart = named or bool(values.get("autostart", True))
    plan.can_die = bool(values.get("can_die", False))
    plan.primary = plan.number == values.get("primary")  # true is 1
    plan.pty = values.get("pty")  # type: ignore[assignment]  # the converters of the keys made them all
    plan.color = values.get("color")  # type: ignore[assignment]
    plan.watch = values.get("watch", ())  # type: ignore[assignment]
    plan.log_file = str(values.get("log_file", ""))
    variables = process.variables
    if "cwd" in values:
        plan.cwd = str(values["cwd"])
        variables = {**variables, "PWD": plan.cwd} if "PWD" in plan.env else variables
    plan.lay_under(variables)


def _restart(usual: RestartPolicy, values: Mapping[str, object]) -> RestartPolicy:
    backoff, longest = values.get("backoff", (usual.backoff, None))  # type: ignore[misc]
    return RestartPolicy(
        values.get("restart", usual.mode),  # type: ignore[arg-type]  # the converters of the keys made them all
        values.get("max_restarts", usual.max_restarts),  # type: ignore[arg-type]
        values.get("min_uptime", usual.min_uptime),  # type: ignore[arg-type]
        backoff,  # type: ignore[has-type]
        max(usual.backoff_max, backoff) if longest is None else longest,  # type: ignore[has-type]
        values.get("success_exit_codes", usual.success_codes),  # type: ignore[arg-type]
    )


def _stop(usual: StopPolicy, values: Mapping[str, object]) -> StopPolicy:
    return StopPolicy(
        values.get("stop_signal", usual.signal_number),  # type: ignore[arg-type]
        values.get("stop_timeout", usual.grace),  # type: ignore[arg-type]
        values.get("stop_command", usual.command),  # type: ignore[arg-type]
    )


def _check(plan: InstancePlan, process: ProcessOverlay, key: str) -> Check | None:
    check: Check | None = process.values.get(key)  # type: ignore[assignment]
    if check is None:
        return None
    if plan.port is None and check.needs_port:
        message = f'{process.place(key)}: the check of "{plan.type}" asks its port, but it has none'
        raise ConfigError(message, "give it one with the key port, or write the check's port out")
    return check.on_port(plan.port)
