"""What ``--port-conflict`` says about ports on which other processes listen."""

from __future__ import annotations

from procman.config.plan_source import read_plan
from procman.core.procfile.formation import moved_ports
from procman.errors import UsageError
from procman.runtime.system.port_owner import busy_ports, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

HINT = "choose another base with -p, or use --port-conflict bump"


def with_free_ports(
    plan: Plan, settings: Settings, environ: Mapping[str, str], on_moved: Callable[[str], None] | None = None
) -> Plan:
    """Return the plan with other ports for the instances whose ports are taken.

    ``on_moved`` gets a sentence about each of them; by default the sentences are warnings of the plan. Raises
    UsageError if the settings refuse that, or if no port is free.
    """
    names = {instance.own_port: instance.name for instance in plan.instances if instance.own_port is not None}
    busy = busy_ports(names)
    if not busy:
        return plan
    taken = {names[port]: f"port {port} of {names[port]} is taken by {owner(port)}" for port in sorted(busy)}
    if settings.port_conflict == "fail":
        raise UsageError("; ".join(taken.values()), HINT)
    moved = moved_ports(plan.instances, settings.port_step, busy, lambda port: not busy_ports([port]))
    plan = read_plan(settings, environ, plan.session, moved)
    sentences = [f"{text}; {name} gets port {moved[name]}" for name, text in taken.items()]
    if on_moved is None:
        plan.warnings += tuple(sentences)
    else:
        for text in sentences:
            on_moved(text)
    return plan
