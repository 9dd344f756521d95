"""What the keys listen, share, start_on and hold change in the plans, and what contradicts them."""

from __future__ import annotations

from procman.core.model.checks import TCP, split_host
from procman.core.model.listen import (
    CONNECTION,
    DEFAULT_HOLD,
    LONGEST_PATH,
    MOST_SOCKETS,
    OWN_ADDRESS,
    Listen,
    ListeningSocket,
    listen_address,
)
from procman.core.model.process_overlay import OverlayProblem
from procman.core.overlay.converters import WrongValueError, described, text, wrong
from procman.core.procfile.command import needs_shell, program_at
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan
    from procman.core.model.process_overlay import ProcessOverlay

_ADJECTIVES = ("share", "start_on", "hold")  # keys that say something about the sockets of `listen`


def listen(value: object) -> tuple[ListeningSocket, ...]:
    """Return the sockets in their order. That of ``true`` has no name yet."""
    if isinstance(value, bool):
        return (ListeningSocket("", OWN_ADDRESS),) if value else ()
    example = 'for example { http = "127.0.0.1:$PORT" }'
    if not isinstance(value, dict) or not value:
        raise wrong("true, or a table of names and addresses", value, example)
    if len(value) > MOST_SOCKETS:
        raise WrongValueError(f"has {len(value)} sockets, and at most {MOST_SOCKETS} are possible")
    return tuple(_socket(name, one) for name, one in value.items())


def _socket(name: str, value: object) -> ListeningSocket:
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise WrongValueError("is not a valid name for a socket", 'use letters, digits, "_" and "-"', (name,))
    try:
        return ListeningSocket(name, listen_address(text(value)))
    except ValueError as error:
        raise WrongValueError(f"must be {error}, not {described(value)}", "", (name,)) from None
    except WrongValueError as error:
        raise WrongValueError(error.message, error.hint, (name,)) from None


def contradictions(process: ProcessOverlay, command: str) -> Iterator[OverlayProblem]:
    """Yield what is wrong with the sockets of a process type, as far as its table alone shows it."""
    if not process.listen:
        for key in _ADJECTIVES:
            if key in process.sources:
                message = f'{key} belongs to a process with listen, which "{process.name}" does not have'
                yield OverlayProblem(process.location(key), message, "for example listen = true")
        return
    for key, check in (("ready", process.ready), ("health", process.health)):
        if check is not None and check.kind == TCP and _is_own(process.listen, check.target):
            message = f'{key}.tcp would always pass: procman itself opens the socket of "{process.name}"'
            yield OverlayProblem(process.location(key), message, "use http: it passes when the program answers")
    if needs_shell(command) and program_at(command) is None and "exec " not in command:
        message = f'"{process.name}" runs in a shell, and LISTEN_PID is the pid of that shell'
        yield OverlayProblem(
            process.location("listen"),
            message,
            "write exec before the server, at the end of the line",
            "warning",
        )


def _is_own(sockets: Sequence[ListeningSocket], target: str) -> bool:
    ports = {split_host(socket.address)[1].strip("${}") for socket in sockets if not socket.is_path}
    return split_host(target)[1].strip("${}") in ports


def share_port(plans: Sequence[InstancePlan], process: ProcessOverlay) -> None:
    """Give the port of the first instance to all instances of one process type if they share a socket on it.

    Do this before the checks of the instances get their ports.
    """
    if process.share and any(socket.needs_port for socket in process.listen):
        for plan in plans:
            plan.borrow_port(plans[0].port)


def listen_all(plans: Sequence[InstancePlan], process: ProcessOverlay) -> None:
    """Give the instances of one process type their sockets, in place. Raises ConfigError."""
    numbered = any(socket.needs_port for socket in process.listen)
    owners: dict[str, str] = {}
    for plan in plans:
        plan.listen = _listen(plan, process, process.share and numbered and plan is not plans[0])
        plan.names_port = plan.names_port or numbered
        if process.start_on == CONNECTION:
            plan.autostart = False
        for address in () if process.share else plan.listen.addresses:
            other = owners.setdefault(address, plan.name)
            if other != plan.name:
                message = f"{process.location('listen')}: {other} and {plan.name} cannot both listen on {address}"
                raise ConfigError(message, "write share = true, or use $PORT or {instance} in the address")


def _listen(plan: InstancePlan, process: ProcessOverlay, is_borrower: bool) -> Listen:
    location = process.location("listen")
    if plan.port is None and any(socket.needs_port for socket in process.listen):
        message = f'{location}: "{plan.type}" would listen on its port, but it has none'
        raise ConfigError(message, "give it one with the key port, or write a port in the address")
    instance = plan.type if process.share else plan.name
    sockets = tuple(socket.of(instance, plan.type, plan.port) for socket in process.listen)
    for socket in sockets:
        length = len(socket.address.encode("utf-8", "surrogateescape"))
        if socket.is_path and length > LONGEST_PATH:
            message = f"{location}: the path of a Unix socket has at most {LONGEST_PATH} bytes, not {length}"
            raise ConfigError(f"{message}: {socket.address}", "choose a shorter one, such as /tmp/NAME.sock")
    hold = DEFAULT_HOLD if process.hold is None else process.hold
    return Listen(sockets, process.share, is_borrower, process.start_on == CONNECTION, hold)


def require_distinct(plans: Sequence[InstancePlan]) -> None:
    """Raise ConfigError if two process types listen on one address."""
    owners: dict[str, str] = {}
    for plan in plans:
        for address in plan.listen.addresses if plan.listen else ():
            other = owners.setdefault(address, plan.type)
            if other != plan.type:
                raise ConfigError(f'"{other}" and "{plan.type}" cannot both listen on {address}', "choose another one")
