"""Decides whether a value of TOML is what a key of an overlay wants; WrongValueError says what would be right."""

from __future__ import annotations

from procman.core.text.suggest import nearest
from procman.core.text.values import DURATION, duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_SHORTEST = 0.05  # seconds between two checks
# What other tools call it. A key is not accepted under two names, but whoever knows the other one is told.
_ELSEWHERE = {
    "command": "the Procfile holds the commands",
    "environment": 'here it is called "env"',
    "working_dir": 'here it is called "cwd"',
    "directory": 'here it is called "cwd"',
    "healthcheck": 'here it is called "health", or "ready"',
    "liveness_probe": 'here it is called "health"',
    "readiness_probe": 'here it is called "ready"',
    "ready_log_line": 'here it is ready = { log = "…" }',
    "availability": "its keys stand in the process' own table: restart, backoff, max_restarts",
    "shutdown": "here it is stop_signal, stop_timeout and stop_command",
    "stop_grace_period": 'here it is called "stop_timeout"',
    "timeout": 'here it is called "stop_timeout"',
    "namespace": 'here it is called "groups"',
    "replicas": 'here it is called "formation"',
    "numprocs": 'here it is called "formation"',
    "disabled": "here it is autostart = false",
    "is_tty": 'here it is called "pty"',
    "tty": 'here it is called "pty"',
    "log_location": 'here it is called "log_file"',
    "schedule": "procman does not run things by the clock: let cron or a timer do that",
    "test": 'here it is called "exec"',
    "retries": 'here it is called "failure_threshold"',
    "start_period": "a readiness check has its own table: ready",
    "period_seconds": 'here it is called "interval"',
    "timeout_seconds": 'here it is called "timeout"',
    "initial_delay_seconds": "checks begin at once, and a failed one is tried again",
    "http_get": 'here it is http = "/path"',
}


class WrongValueError(Exception):
    """A value that cannot be; ``message`` goes on after the key's name, ``path`` leads on below the key."""

    def __init__(self, message: str, hint: str = "", path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path


def unknown_key(key: str, known: Iterable[str]) -> str:
    """What may be meant by a key that is none."""
    keys = tuple(known)
    near = nearest(key, keys)
    return _ELSEWHERE.get(key) or (f'did you mean "{near}"?' if near else f"there are: {', '.join(keys)}")


def in_words(value: object) -> str:
    """A value of TOML as a sentence names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {str: f'"{value}"', int: f"the number {value}", float: f"the number {value}", list: "a list"}
    return kinds.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


def wrong(wanted: str, value: object, hint: str = "") -> WrongValueError:
    return WrongValueError(f"wants {wanted}, not {in_words(value)}", hint)


# Plain values -----------------------------------------------------------------------------------------------------


def truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def whole(lowest: int, highest: int, what: str) -> Callable[[object], int]:
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise wrong(f"{what} from {lowest} to {highest}", value)
        return value

    return convert


def text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise wrong("a text", value)
    return value


def texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise wrong("a list of texts", value)
    return tuple(map(text, value))


def seconds(value: object) -> float:
    """Return a duration in seconds, from a number or a string such as ``500ms`` or ``1m30s``."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    if not isinstance(value, str):
        raise wrong(DURATION, value)
    try:
        return duration(value.strip())
    except ValueError as error:
        raise wrong(str(error), value) from None


def period(value: object) -> float:
    time = seconds(value)
    if time < _SHORTEST:
        raise wrong(f"a duration of {_SHORTEST:g} seconds or more", value)
    return time


def word(words: tuple[str, ...], aliases: Mapping[str, str]) -> Callable[[object], str]:
    def convert(value: object) -> str:
        if isinstance(value, str) and (value in words or value in aliases):
            return aliases.get(value, value)
        near = nearest(value, (*words, *aliases)) if isinstance(value, str) else ""
        *others, last = words
        raise wrong(f"{', '.join(others)} or {last}", value, f'did you mean "{near}"?' if near else "")

    return convert


def table(value: Mapping[str, object], keys: Mapping[str, Callable[[object], object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, one in value.items():
        key = name.replace("-", "_")
        if key not in keys:
            raise WrongValueError("is no key of this table", unknown_key(key, keys), (name,))
        try:
            found[key] = keys[key](one)
        except WrongValueError as error:
            raise WrongValueError(error.message, error.hint, (name, *error.path)) from None
    return found
