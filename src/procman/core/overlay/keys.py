"""The keys of a [process.NAME] table: what each of them may hold, and what it means."""

from __future__ import annotations

from procman.core.model.checks import (
    DELAY,
    EXEC,
    HTTP,
    KINDS,
    LOG,
    NOTIFY,
    ON_FAIL,
    TCP,
    Check,
    http_target,
    tcp_target,
)
from procman.core.model.dependency import COMPLETED, CONDITIONS, READY, STARTED, SUCCEEDED, Dependency
from procman.core.model.listen import CONNECTION
from procman.core.model.status import HIGHEST_SIGNAL, SIGNALS, signal_number
from procman.core.overlay.converters import (
    WrongValueError,
    described,
    env_files,
    period,
    seconds,
    table,
    text,
    texts,
    truth,
    whole,
    word,
    wrong,
)
from procman.core.text.suggest import nearest
from procman.core.text.values import SIZE, regex, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.core.model.autoscale import Autoscale
    from procman.core.model.listen import ListeningSocket
    from procman.core.model.schedule import Schedule

HIGHEST_PORT = 65535
MOST_INSTANCES = 10_000
COLORS = ("cyan", "green", "magenta", "blue", "red", "yellow")  # in the order of the palette
COLOR_NAMES = (*COLORS, *(f"bright-{color}" for color in COLORS))
COLOR_ALIASES = {name.replace("-", "_"): name for name in COLOR_NAMES}
READY_TIMEOUT = 60.0  # seconds to become ready in
SMALLEST_MEMORY, LARGEST_MEMORY = 1_000_000, (1 << 50) - 1  # bytes
FEWEST_CPUS, MOST_CPUS = 0.01, 1024.0  # systemd and Linux know hundredths of a CPU
_HEALTH_INTERVAL = 10.0  # seconds

RESTARTS = ("on-failure", "always", "never")
RESTART_ALIASES = {"no": "never", "unless-stopped": "always", "on_failure": "on-failure", "exit_on_failure": "never"}
CONDITION_ALIASES = {
    "service_started": STARTED,
    "process_started": STARTED,
    "running": STARTED,
    "healthy": READY,
    "service_healthy": READY,
    "process_healthy": READY,
    "process_log_ready": READY,
    "process_completed": COMPLETED,
    "service_completed_successfully": SUCCEEDED,
    "process_completed_successfully": SUCCEEDED,
}

# Values with a meaning of their own ----------------------------------------------------------------------------------


def _restart(value: object) -> str:
    if value is False:
        return "never"
    return word(RESTARTS, RESTART_ALIASES)(value)


def _backoff(value: object) -> tuple[float, float | None]:
    """Return the first delay, and the longest one if it is given, in seconds."""
    if not isinstance(value, dict):
        return seconds(value), None
    found = table(value, {"initial": seconds, "max": seconds})
    return found.get("initial", 1.0), found.get("max")


def signal(value: object) -> int:
    """Return the number of a signal: ``INT``, ``SIGINT`` or 2."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= HIGHEST_SIGNAL:
        return value
    if not isinstance(value, str) or value.strip().isdigit():
        raise wrong("the name of a signal", value)
    number = signal_number(value.strip())
    if number is None:
        near = nearest(f"SIG{value.strip().upper().removeprefix('SIG')}", SIGNALS.values())
        raise wrong("the name of a signal", value, f'did you mean "{near[3:]}"?' if near else "")
    return number


def _codes(value: object) -> tuple[int, ...]:
    """Return exit codes; a signal's name gives 128 + its number. 0 is always among them."""
    codes = [0]
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            codes.append(128 + signal(one))
        else:
            codes.append(whole(0, 255, "exit codes")(one))
    return tuple(dict.fromkeys(codes))


def _depends_on(value: object) -> tuple[Dependency, ...]:
    if isinstance(value, dict):
        return tuple(_dependency(name, how) for name, how in value.items())
    return tuple(Dependency(name) for name in dict.fromkeys(texts(value)))


def _dependency(name: str, how: object) -> Dependency:
    try:
        keys = how if isinstance(how, dict) else {"condition": how}
        found = table(keys, {"condition": text, "timeout": period, "restart": truth})
        given = str(found.get("condition", READY))
        condition = word(CONDITIONS, CONDITION_ALIASES)(given)
    except WrongValueError as error:
        raise WrongValueError(error.message, error.hint, (name, *error.path)) from None
    timeout = found.get("timeout")
    limit = timeout if isinstance(timeout, float) else None
    return Dependency(name, condition, limit, given.endswith("healthy"), bool(found.get("restart")))


def _autoscale(value: object) -> Autoscale:
    from procman.core.overlay.autoscaling import autoscale  # few overlays have it

    return autoscale(value)


def _listen(value: object) -> tuple[ListeningSocket, ...]:
    from procman.core.overlay.listening import listen  # few overlays have it

    return listen(value)


def _schedule(value: object) -> Schedule:
    from procman.core.overlay.scheduling import schedule  # few overlays have it

    return schedule(value)


def _port(value: object) -> int:
    return 0 if value is False else whole(0, HIGHEST_PORT, "false for none, or a port")(value)


def _env(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong("a table of variables", value, 'for example env = { NAME = "value" }')
    return {name: _variable(name, one) for name, one in value.items()}


def _variable(name: str, value: object) -> str:
    if not name or "=" in name or "\0" in name:
        raise WrongValueError("is not a valid name for a variable", "", (name,))
    if name == "PORT":
        raise WrongValueError("is set by procman", "use the key port", (name,))
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)) or "\0" in str(value):
        raise WrongValueError(f"must be a string, not {described(value)}", "", (name,))
    return str(value)


def _color(value: object) -> int:
    return COLOR_NAMES.index(word(COLOR_NAMES, COLOR_ALIASES)(value))


def _primary(value: object) -> int:
    """Return the number of the instance that gets the terminal: the first one, or 0 for none."""
    return int(truth(value))


def memory(value: object) -> int:
    """Return a size in bytes, from a number or a string such as ``512m``."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    elif isinstance(value, float) and value.is_integer():
        value = str(int(value))
    if not isinstance(value, str):
        raise wrong(SIZE, value)
    try:
        found = size(value.strip())
    except ValueError as error:
        raise wrong(str(error), value) from None
    if not SMALLEST_MEMORY <= found <= LARGEST_MEMORY:
        raise wrong("at least 1m and less than 1024t", value, "no program runs in less")
    return found


def cpus(value: object) -> float:
    """Return how many CPUs, 1.5 for example."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not FEWEST_CPUS <= value <= MOST_CPUS:
        raise wrong(f"a number of CPUs from {FEWEST_CPUS:g} to {MOST_CPUS:g}", value, "for example 1.5")
    return float(value)


def _groups(value: object) -> tuple[str, ...]:
    names = texts(value)
    for name in names:
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise WrongValueError(f'"{name}" is not a valid name for a group', 'use letters, digits, "_" and "-"')
    return names


# Checks -------------------------------------------------------------------------------------------------------------


def _http(value: object) -> str:
    return _target(http_target, value)


def _tcp(value: object) -> str:
    return _target(tcp_target, value)


def _target(parse: Callable[[object], str], value: object) -> str:
    try:
        return parse(value)
    except ValueError as error:
        wanted, _, hint = str(error).partition(" | ")
        raise wrong(wanted, value, hint) from None


def _pattern(value: object) -> str:
    try:
        return regex(text(value))
    except ValueError as error:
        raise WrongValueError(f"is not {error}") from None


def _delay(value: object) -> str:
    return str(seconds(value))


def _timeout(value: object) -> float | None:
    return None if value is False else period(value)


def _status(value: object) -> tuple[int, ...]:
    """Return the good statuses, each once."""
    code = whole(100, 599, "statuses")
    return tuple(dict.fromkeys(map(code, value if isinstance(value, list) else [value])))


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise wrong("a table of headers", value, 'for example headers = { Accept = "text/plain" }')
    return tuple((name, _header(name, one)) for name, one in value.items())


def _header(name: str, value: object) -> str:
    """Return the value of a header. Its name is a token, as RFC 9110, 5.6.2 has it."""
    if not name.isascii() or not name or not all(letter.isalnum() or letter in "!#$%&'*+-.^_`|~" for letter in name):
        raise WrongValueError("is not a valid name for a header", "", (name,))
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise WrongValueError(f"must be a string of printable ASCII, not {described(value)}", "", (name,))
    return value


def _notify(value: object) -> str:
    if value is not True:
        raise wrong("true", value)
    return ""


_TARGETS: dict[str, Callable[[object], object]] = {
    HTTP: _http,
    TCP: _tcp,
    LOG: _pattern,
    EXEC: text,
    DELAY: _delay,
    NOTIFY: _notify,
}
_REPEATED = (HTTP, TCP, EXEC)
_OF_HEALTH = (*_REPEATED, NOTIFY)
BELONGS_TO: dict[str, tuple[str, ...]] = {  # keys that not all kinds have
    "anyone": (HTTP, TCP, EXEC),
    "status": (HTTP,),
    "headers": (HTTP,),
    "initial_delay": _REPEATED,
    "success_threshold": _REPEATED,
}
_OF_ALL_CHECKS: dict[str, Callable[[object], object]] = {
    "interval": period,
    "initial_delay": seconds,
    "anyone": truth,
    "status": _status,
    "headers": _headers,
}
READY_KEYS: dict[str, Callable[[object], object]] = {
    **_TARGETS,
    **_OF_ALL_CHECKS,
    "timeout": _timeout,
    "success_threshold": whole(1, 1000, "a number"),
}
HEALTH_KEYS: dict[str, Callable[[object], object]] = {
    **{kind: _TARGETS[kind] for kind in _OF_HEALTH},
    **_OF_ALL_CHECKS,
    "timeout": period,
    "failure_threshold": whole(1, 1000, "a number"),
    "on_fail": word(ON_FAIL, {"stop": "fail", "ignore": "none", "warn": "none"}),
}


def _check(value: object, keys: Mapping[str, Callable[[object], object]]) -> tuple[str, str, dict[str, object]]:
    """Return the kind, the target and the other keys of a check's table."""
    kinds = [kind for kind in KINDS if kind in keys]
    example = "for example { tcp = 5432 }"
    if not isinstance(value, dict):
        raise wrong(f"a table with {', '.join(kinds[:-1])} or {kinds[-1]}", value, example)
    found = table(value, keys)
    given = [kind for kind in KINDS if kind in found]
    if len(given) != 1:
        what = " and ".join(given) if given else "none of them"
        raise WrongValueError(f"needs exactly one of {', '.join(kinds)}, but has {what}", example)
    for key in found:
        if given[0] not in BELONGS_TO.get(key, KINDS):
            *most, last = BELONGS_TO[key]
            owners = f"{', '.join(most)} or {last}" if most else last
            raise WrongValueError(f"belongs to a check with {owners}, not {given[0]}", "", (key,))
    return given[0], str(found.pop(given[0])), found


def _ready(value: object) -> Check:
    kind, target, given = _check(value, READY_KEYS)
    check = Check(kind, target, timeout=None if kind == DELAY else READY_TIMEOUT)
    for key, one in given.items():
        setattr(check, "successes" if key == "success_threshold" else key, one)
    return check


_HEALTH_ATTRIBUTES = {"timeout": "attempt", "failure_threshold": "threshold"}  # of Check; the others are named alike


def _health(value: object) -> Check:
    kind, target, given = _check(value, HEALTH_KEYS)
    check = Check(kind, target, interval=_HEALTH_INTERVAL)
    for key, one in given.items():
        setattr(check, _HEALTH_ATTRIBUTES.get(key, key), one)
    return check


KEYS: dict[str, Callable[[object], object]] = {
    "restart": _restart,
    "max_restarts": whole(0, 1_000_000, "a number"),
    "backoff": _backoff,
    "min_uptime": seconds,
    "success_exit_codes": _codes,
    "can_die": truth,
    "depends_on": _depends_on,
    "ready": _ready,
    "health": _health,
    "stop_signal": signal,
    "stop_timeout": seconds,
    "stop_command": text,
    "stop_to": word(("program", "group"), {}),
    "watch": texts,
    "schedule": _schedule,
    "env": _env,
    "env_file": env_files,
    "cwd": text,
    "port": _port,
    "listen": _listen,
    "share": truth,
    "start_on": word((CONNECTION, "start"), {}),
    "hold": seconds,
    "formation": whole(0, MOST_INSTANCES, "a number"),
    "autoscale": _autoscale,
    "autostart": truth,
    "pty": truth,
    "color": _color,
    "log_file": text,
    "groups": _groups,
    "primary": _primary,
    "memory_max": memory,
    "cpu_max": cpus,
    "pids_max": whole(1, 4_194_304, "a number"),  # the most that Linux has
}
