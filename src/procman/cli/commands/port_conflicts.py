"""The ports of a session whose usual ones are taken (``--port-conflict``), or must not matter (``--isolated``)."""

from __future__ import annotations

import os

from procman.config.plan_source import read_plan
from procman.core.planner import offset_of
from procman.core.procfile.formation import HIGHEST_PORT, base_port, moved_ports, port_of
from procman.errors import UsageError
from procman.runtime.system.port_owner import busy_ports, owners, release, reserve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.core.model.plan import InstancePlan, Plan
    from procman.core.model.settings import Settings

HINT = "choose another base with -p, or use --port-conflict bump"
# Above those that Linux gives to clients, and above those of worktrees; then below the former.
ISOLATED_BASES = (range(61000, HIGHEST_PORT + 1, 10), range(11000, 32768, 10))


def require_no_base(settings: Settings) -> None:
    """Raise UsageError if the command line gives the ports of an isolated session."""
    for name in ("port", "port_offset"):
        place = settings.origin.get(name, "")
        if place.startswith("--") and not (name == "port" and settings.no_port):
            raise UsageError(f"--isolated and {place} contradict each other", "--isolated chooses free ports")


def isolated(plan: Plan, settings: Settings) -> Settings:
    """Return the settings with a base whose ports are all free, and reserve them. Raises UsageError if there is none.

    Ports of the overlay stay, unless they are taken.
    """
    settings = settings.but(port_conflict="bump")
    if settings.no_port:
        return settings
    usual = base_port(settings.port, plan.environment) + offset_of(settings, plan.environment)
    distances = [
        one.port - usual
        for one in plan.instances
        if one.port is not None and one.port == port_of(usual, settings.port_step, one.index, one.number)
    ]
    return settings.but(port=_free_base(distances), port_offset=0)


def _free_base(distances: list[int]) -> int:
    for bases in ISOLATED_BASES:
        first = int.from_bytes(os.urandom(4)) % len(bases)
        order: list[int] = [*bases[first:], *bases[:first]]
        for base in order:
            ports = [base + distance for distance in distances]
            if max(ports, default=base) < bases.stop and not busy_ports(ports) and _reserve_all(ports):
                return base
    raise UsageError("there are no free ports for an isolated session", "stop other sessions: procman ps --all")


def _reserve_all(ports: list[int]) -> bool:
    """Reserve these ports, or none of them."""
    mine: list[int] = []
    for port in ports:
        if not reserve(port):
            for other in mine:
                release(other)
            return False
        mine.append(port)
    return True


def with_free_ports(
    plan: Plan, settings: Settings, environ: Mapping[str, str], on_moved: Callable[[str], None] | None = None
) -> Plan:
    """Return the plan with other ports for the instances whose ports are taken.

    ``on_moved`` gets a sentence about each of them; by default the sentences are warnings of the plan. Raises
    UsageError if the settings refuse that, or if no port is free.
    """
    instances = {instance.own_port: instance for instance in plan.instances if instance.own_port is not None}
    taken = _taken(instances)
    if taken and settings.port_conflict == "fail":
        raise UsageError("; ".join(taken.values()), HINT)
    if settings.port_conflict == "fail":
        return plan
    moved = moved_ports(plan.instances, settings.port_step, taken, _is_free)
    moved |= _moved_quietly(plan, settings, {port for port in instances if not reserve(port)} - {*taken})
    if not moved:
        return plan
    plan = read_plan(settings, environ, plan.session, moved)
    sentences = [
        f"{text}; {name} gets port {moved[name]}" for port, text in taken.items() if (name := instances[port].name)
    ]
    if on_moved is None:
        plan.warnings += tuple(sentences)
    else:
        for text in sentences:
            on_moved(text)
    return plan


def _taken(instances: Mapping[int, InstancePlan]) -> dict[int, str]:
    """Return the ports that cannot be used, each with a sentence: another process listens there, or soon will."""
    busy = busy_ports(instances)
    named = owners(busy)
    taken = {port: f"port {port} of {instances[port].name} is taken by {named[port]}" for port in sorted(busy)}
    for port, instance in sorted(instances.items()):
        if port not in busy and not reserve(port) and instance.shown_port is not None:
            taken[port] = f"port {port} of {instance.name} is reserved by another session"
    return taken


def _moved_quietly(plan: Plan, settings: Settings, reserved: set[int]) -> dict[str, int]:
    """Return other ports for instances that do not seem to use theirs, as far as there are any."""
    moved: dict[str, int] = {}
    for port in sorted(reserved):
        try:
            moved |= moved_ports(plan.instances, settings.port_step, {port}, _is_free)
        except UsageError:
            continue
    return moved


def _is_free(port: int) -> bool:
    return not busy_ports([port]) and reserve(port)
