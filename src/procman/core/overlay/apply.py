"""What an overlay changes in a plan: which process types run, how many of each, on which port, and how."""

from __future__ import annotations

from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.core.procfile.formation import Formation, flatten, select
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.core.model.checks import Check
    from procman.core.model.plan import InstancePlan
    from procman.core.model.process_overlay import Overlay, ProcessOverlay
    from procman.core.model.procfile import ProcessType, Procfile

    Chosen = list[tuple[ProcessType, int]]


def select_with(
    overlay: Overlay, procfile: Procfile, formation: Formation | None, names: tuple[str, ...], exclude: tuple[str, ...]
) -> tuple[Chosen, tuple[str, ...]]:
    """Return the process types that run with their counts, and warnings. Raises UsageError as `select` does.

    Without a formation the overlay's counts apply, and a named type brings along the types it depends on, unless they
    are excluded. A formation lists all that runs.
    """
    names, exclude = overlay.expanded(names), overlay.expanded(exclude)
    counts = {process.name: process.formation for process in overlay.processes.values()}
    wanted = formation or Formation({name: count for name, count in counts.items() if count is not None}, 1)
    chosen = select(procfile, wanted, names, exclude)
    if names and formation is None:
        _add_dependencies(chosen, overlay, procfile, wanted, set(flatten(exclude)))
    running = {type_.name for type_, _ in chosen}
    warnings = [
        f'{process.location("depends_on")}: "{process.name}" depends on "{dependency.type}", which is left out, '
        "so it does not wait for it"
        for process in overlay.processes.values()
        for dependency in process.depends_on
        if process.name in running and dependency.type not in running
    ]
    return chosen, tuple(warnings)


def _add_dependencies(
    chosen: Chosen, overlay: Overlay, procfile: Procfile, wanted: Formation, excluded: set[str]
) -> None:
    running = {type_.name for type_, _ in chosen}
    ahead = list(running)
    while ahead:
        process = overlay.get(ahead.pop())
        for dependency in process.depends_on if process else ():
            type_ = procfile.get(dependency.type)
            if type_ is not None and type_.name not in running | excluded and wanted.count(type_.name):
                running.add(type_.name)
                ahead.append(type_.name)
                chosen.append((type_, wanted.count(type_.name)))
    chosen.sort(key=lambda pair: pair[0].index)


def first_ports(overlay: Overlay, usual: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the port of each type's first instance, None for none. `usual` holds those without the overlay."""
    ports = {process.name: process.port for process in overlay.processes.values() if process.port is not None}
    return {name: (ports[name] or None) if name in ports else port for name, port in usual.items()}


def adjust_all(instances: Iterable[InstancePlan], overlay: Overlay, names: tuple[str, ...]) -> None:
    """Apply the overlay to the plans, in place. `names` are the words of the command line. Raises ConfigError."""
    plans = list(instances)
    running = {plan.type for plan in plans}
    named = {name.partition("=")[0].strip() for name in flatten(overlay.expanded(names))}
    listening = [process for process in overlay.processes.values() if process.listen]
    of_type = {process.name: [plan for plan in plans if plan.type == process.name] for process in listening}
    if listening:
        from procman.core.overlay.listening import listen_all, require_distinct, share_port

        for process in listening:
            share_port(of_type[process.name], process)
    for plan in plans:
        if (own := overlay.get(plan.type)) is not None:
            adjust(plan, own, running, plan.type in named)
    for process in listening:
        listen_all(of_type[process.name], process)
    if listening:
        require_distinct(plans)


def adjust(plan: InstancePlan, process: ProcessOverlay, running: set[str], named: bool) -> None:
    """Apply `process` to `plan`, in place. `running` are the types that run; `named` types start even if they do not
    autostart.

    Raises ConfigError for a check that needs a port if the instance has none.
    """
    plan.restart = _restart(plan.restart, process)
    plan.stop = _stop(plan.stop, process)
    plan.depends_on = tuple(one for one in process.depends_on if one.type in running)
    plan.groups = process.groups
    plan.ready = _on_port(plan, process, "ready", process.ready)
    plan.health = _on_port(plan, process, "health", process.health)
    plan.names_port = bool(process.port)
    plan.schedule = process.schedule
    plan.autostart = process.schedule is None and (named or process.autostart)
    plan.autoscale = process.autoscale
    plan.can_die = process.can_die or process.schedule is not None  # a run that failed does not end the session
    plan.primary = plan.number == process.primary
    plan.pty = process.pty
    plan.color = process.color
    plan.memory_max = process.memory_max
    plan.cpu_max = process.cpu_max
    plan.pids_max = process.pids_max
    plan.watch = process.watch
    plan.log_file = process.log_file
    variables = process.variables
    if process.cwd:
        plan.cwd = process.cwd
        variables = {**variables, "PWD": plan.cwd} if "PWD" in plan.env else variables
    plan.lay_under(variables)


def _restart(usual: RestartPolicy, process: ProcessOverlay) -> RestartPolicy:
    backoff, longest = process.backoff or (usual.backoff, None)
    return RestartPolicy(
        process.restart or (usual.mode if process.schedule is None else "never"),
        usual.max_restarts if process.max_restarts is None else process.max_restarts,
        usual.min_uptime if process.min_uptime is None else process.min_uptime,
        backoff,
        max(usual.backoff_max, backoff) if longest is None else longest,
        process.success_exit_codes or usual.success_codes,
    )


def _stop(usual: StopPolicy, process: ProcessOverlay) -> StopPolicy:
    return StopPolicy(
        process.stop_signal or usual.signal_number,
        usual.grace if process.stop_timeout is None else process.stop_timeout,
        process.stop_command or usual.command,
        process.stop_to or usual.to,
    )


def _on_port(plan: InstancePlan, process: ProcessOverlay, key: str, check: Check | None) -> Check | None:
    if check is None:
        return None
    if plan.port is None and check.needs_port:
        message = f'{process.location(key)}: the check of "{plan.type}" needs its port, but it has none'
        raise ConfigError(message, "give it one with the key port, or name the port in the check")
    return check.on_port(plan.port)
