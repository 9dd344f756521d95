"""Scopes of systemd: limits for processes that run already, by the system's manager or the user's own.

`systemd-run --scope` starts a command in a scope. Here the process is ours already, so its pid goes into the same
request (StartTransientUnit, org.freedesktop.systemd1(5)).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CALL = (
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
    "StartTransientUnit",
    "ssa(sv)a(sa(sv))",
)
MOVE_TIMEOUT = 5  # seconds
_PRIVATE = "systemd/private"  # the socket of a manager, below its runtime folder


def manager(environ: Mapping[str, str], user: int, run: str = "/run") -> str:
    """Return the option of busctl for a manager that we may use, ``--user`` or ``--system``; empty if there is none."""
    own = environ.get("XDG_RUNTIME_DIR", f"{run}/user/{user}")
    if user != 0:
        return "--user" if os.path.exists(f"{own}/{_PRIVATE}") else ""
    return "--system" if os.path.exists(f"{run}/{_PRIVATE}") else ""


def request(
    option: str, unit: str, pids: Sequence[int], memory: int | None, cpus: float | None, most: int | None
) -> str:
    """Return the command that moves processes into a new scope with these limits; None means no limit.

    The signature of a property is `(sv)`: its name, the type of its value, the value.
    """
    properties: list[tuple[str, ...]] = [
        ("PIDs", "au", str(len(pids)), *map(str, pids)),
        ("Description", "s", "procman"),
        ("CollectMode", "s", "inactive-or-failed"),
    ]
    if memory is not None:
        properties.append(("MemoryMax", "t", str(memory)))
    if cpus is not None:
        properties.append(("CPUQuotaPerSecUSec", "t", str(round(cpus * 1_000_000))))
    if most is not None:
        properties.append(("TasksMax", "t", str(most)))
    words = [unit, "fail", str(len(properties)), *(word for one in properties for word in one), "0"]
    return " ".join(("busctl", option, "--quiet", "call", *_CALL[:-1], f"'{_CALL[-1]}'", *words))


def until_moved(unit: str, pid: int) -> str:
    """Return the command that waits until a process is in a scope: systemd answers a request before it has moved it."""
    place, most = f"/proc/{pid}/cgroup", MOVE_TIMEOUT * 20
    is_over = f"grep -qsF /{unit} {place} || [ $n = {most} ] || ! [ -e {place} ]"
    return f"n=0; until {is_over}; do sleep 0.05; n=$((n+1)); done"
