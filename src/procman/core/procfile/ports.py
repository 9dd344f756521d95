"""Ports of instances: base + step × index of the type + number of the instance."""

from __future__ import annotations

from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from procman.core.model.plan import Environment, InstancePlan

DEFAULT_PORT = 5000
DEFAULT_STEP = 100
HIGHEST_PORT = 65535


def port_variable(name: str) -> str:
    """Return the name of the variable for the port of a type's first instance: ``PROCMAN_WEB_PORT``."""
    return f"PROCMAN_{name.upper().replace('-', '_')}_PORT"


def in_range(port: int) -> bool:
    """Whether a program can listen on `port` by number; 0 means "any" to the system."""
    return 1 <= port <= HIGHEST_PORT


def port_of(base: int, step: int, index: int, number: int) -> int:
    """Return the port of the instance `number` (from 1) of the type with that `index` (from 0) in the Procfile."""
    return base + step * index + number - 1


def base_port(port: int | None, environment: Environment) -> int:
    """Return the base: `port` unless it is None, else PORT of the environment, else 5000; raises UsageError."""
    if port is not None:
        return port
    text = environment.values.get("PORT", "").strip()
    if not text:
        return DEFAULT_PORT
    base = whole_number(text)
    if base is not None and in_range(base):
        return base
    shown = "not" if "PORT" in environment.given else f'"{text}", which is not'  # no text of an env file
    message = f"{environment.origin['PORT']}: PORT is {shown} a port"
    raise UsageError(message, "a port is a number from 1 to 65535; use -p for another base, --no-port for none")


def moved_ports(
    instances: Iterable[InstancePlan], step: int, busy: Collection[int], is_free: Callable[[int], bool]
) -> dict[str, int]:
    """Return another port for each instance whose port is in `busy`: the next free one among the `step` of its type.

    Raises UsageError if none of them is free.
    """
    ports = {instance.port: instance for instance in instances if instance.port is not None}
    moved: dict[str, int] = {}
    for port in sorted(busy):
        instance = ports[port]
        end = min(port - instance.number + 1 + max(step, 2), HIGHEST_PORT + 1)
        found = next((other for other in range(port + 1, end) if other not in ports and is_free(other)), None)
        if found is None:
            message = f"port {port} of {instance.name} is taken, and so are the ports up to {end - 1}"
            raise UsageError(message, "choose another base with -p")
        moved[instance.name] = found
        ports[found] = instance
    return moved


def whole_number(text: str) -> int | None:
    """Parse plain digits; return None for anything else. int() alone accepts "1_0", " 1", "+1" and Arabic digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def check_ports(ports: Iterable[tuple[str, int]]) -> None:
    """Raise UsageError unless the ports of the named instances are valid and differ."""
    owners: dict[int, str] = {}
    for name, port in ports:
        if not in_range(port):
            raise UsageError(f"{name} would get port {port}, outside 1-65535", "choose a lower base with -p")
        owner = owners.setdefault(port, name)
        if owner != name:
            hint = "choose a larger --port-step, or fewer instances"
            raise UsageError(f"{owner} and {name} would both get port {port}", hint)
