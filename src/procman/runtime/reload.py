"""Reloads the Procfile, the env files and the overlay for new lives, and reports what changed in them."""

from __future__ import annotations

from procman.core.procfile.formation import moved_ports
from procman.core.text.printable import holds_secret, masked
from procman.errors import UsageError
from procman.runtime.system.port_owner import busy_ports, owners, reserve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from procman.config.plan_source import PlanSource
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import InstancePlan

    Reload = Callable[[list[Instance]], list[str]]  # gives these instances their new plans; returns what changed

_SHOWN = ("command", "cwd", "port", "pty", "can_die", "groups", "watch", "log_file")
_RULES = ("restart", "stop", "ready", "health", "depends_on", "listen", "schedule")
_RESERVED = "reserved by another session"
_PER_INSTANCE = ("PORT", "PS", "PROCMAN_INSTANCE", "PROCMAN_PROCESS", "PROCMAN_SESSION")


def changes(old: InstancePlan, new: InstancePlan) -> list[str]:
    """Return a sentence for each difference between two plans of one instance; secret values are masked."""
    variables = _variables(old.env, new.env)
    keys = [f"{new.type}: {_value_change(key, getattr(new, key))}" for key in _SHOWN if _differs(old, new, key)]
    rules = [f"{new.type}: {key} changed" for key in _RULES if _fields(old, key) != _fields(new, key)]
    return [*variables, *keys, *rules]


def _variables(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    sentences = []
    for name in (*new, *(name for name in old if name not in new)):
        if name in _PER_INSTANCE or old.get(name) == new.get(name):
            continue
        if name not in old:
            sentences.append(f"{name} is new: {masked(name, new[name])}")
        elif name not in new:
            sentences.append(f"{name} is gone")
        else:
            sentences.append(f"{name} changed: {masked(name, old[name])} → {masked(name, new[name])}")
    return sentences


def _value_change(key: str, value: object) -> str:
    text = _in_words(value)
    return f"{key} changed" if holds_secret(text) else f"{key} is now {text}"


def _differs(old: InstancePlan, new: InstancePlan, key: str) -> bool:
    return bool(getattr(old, key) != getattr(new, key))


def _in_words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _fields(plan: InstancePlan, key: str) -> object:
    """Return the record behind a key as plain values that can be compared."""
    record = getattr(plan, key)
    records = record if isinstance(record, tuple) else (record,)
    return [[getattr(one, name) for name in one.__slots__] for one in records if one is not None]


def reload_plans(
    supervisor: Supervisor, plan_source: PlanSource, chosen: Iterable[Instance], *, one_by_one: bool = False
) -> list[str]:
    """Read the files again for the next lives of ``chosen``; return a sentence for each thing that changed.

    Raises UsageError or ConfigError, and changes nothing, if the files do not make a plan.
    """
    chosen = list(chosen)
    if not chosen:
        return []
    counts: dict[str, int] = {}
    for instance in supervisor.instances.values():
        counts[instance.plan.type] = max(counts.get(instance.plan.type, 0), instance.plan.number)
    wanted = {instance.plan.type for instance in chosen}
    names = {instance.name for instance in chosen}
    ending = [] if one_by_one else chosen
    found, sentences = plans_on_free_ports(supervisor, plan_source, counts, wanted, names, ending)
    plans = {plan.name: plan for plan in found}
    for instance in chosen:
        plan = plans.get(instance.name)
        if plan is not None:
            sentences += changes(instance.plan, plan)
            supervisor.replan(instance, plan)
    return list(dict.fromkeys(sentences))


def plans_on_free_ports(
    supervisor: Supervisor,
    plan_source: PlanSource,
    counts: Mapping[str, int],
    wanted: Collection[str],
    names: Collection[str],
    ending: Iterable[Instance] = (),
) -> tuple[list[InstancePlan], list[str]]:
    """Read the plans of the formation `counts`, and follow the rule for ports that other processes have.

    `names` are the instances that get a new life, `ending` those that run and end first. Returns the plans of these
    names, and a warning for each port that is taken. Raises UsageError if that is refused, or the files are invalid.
    """
    plans = [plan for plan in plan_source.instances(counts, wanted) if plan.name in names]
    _require_own_ports(supervisor, plans, ending)
    taken = _taken(supervisor, plans)
    if not taken:
        return plans, []
    rule = plan_source.settings.port_conflict
    if rule == "warn":  # what is only reserved may never be used
        taken = [(plan, how) for plan, how in taken if how != _RESERVED]
    sentences = {plan.name: f"port {plan.port} of {plan.name} is {how}" for plan, how in taken}
    if rule == "fail":
        raise UsageError("; ".join(sentences.values()), "--port-conflict fail refuses that; bump takes the next port")
    if rule == "bump":
        used = [instance.plan for instance in supervisor.instances.values() if instance.name not in names]
        step = plan_source.settings.port_step
        busy = [plan.own_port for plan, _ in taken if plan.own_port is not None]
        moved = moved_ports([*used, *plans], step, busy, lambda port: not busy_ports([port]) and reserve(port))
        plan_source.move(moved)
        plans = [plan for plan in plan_source.instances(counts, wanted) if plan.name in names]
        sentences = {name: f"{text}; {name} gets port {moved[name]}" for name, text in sentences.items()}
    return plans, [f"warning: {text}" for text in sentences.values()]


def _taken(supervisor: Supervisor, plans: Iterable[InstancePlan]) -> list[tuple[InstancePlan, str]]:
    """Return the plans whose ports are those of processes outside of the session, and how; reserve the other ports.

    A port that is only reserved by another session counts if the plan seems to use it.
    """
    instances = supervisor.instances.values()
    held = {one.plan.port for one in instances if one.pid is not None or one.plan.listen is not None}
    needed = {plan.own_port: plan for plan in plans if plan.own_port is not None and plan.own_port not in held}
    busy = busy_ports(needed)
    named = owners(busy)
    reserved = {port for port in needed if port not in busy and not reserve(port)}
    return [
        (plan, f"taken by {named[port]}" if port in busy else _RESERVED)
        for port, plan in needed.items()
        if port in busy or (port in reserved and plan.shown_port is not None)
    ]


def _require_own_ports(supervisor: Supervisor, plans: Iterable[InstancePlan], ending: Iterable[Instance]) -> None:
    """Raise UsageError if a new plan has the port of another instance that runs; those `ending` now do not count.

    After a line was added to the Procfile, the types below it have other ports than their running instances.
    """
    free = {instance.name for instance in ending}
    taken = {
        instance.plan.own_port: instance.name
        for instance in supervisor.instances.values()
        if instance.plan.own_port is not None
        and instance.name not in free
        and (instance.wanted or instance.pid is not None)
    }
    for plan in plans:
        owner = taken.get(plan.own_port, plan.name) if plan.own_port is not None else plan.name
        if owner != plan.name:
            message = f"the Procfile now gives {plan.name} port {plan.port}, which {owner} is using"
            raise UsageError(message, "procman restart without names restarts all, with their new ports")
