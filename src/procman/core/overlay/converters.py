"""Converters from values of TOML to the values of an overlay's keys. WrongValueError says what a key expects."""

from __future__ import annotations

from procman.core.text.suggest import nearest
from procman.core.text.values import DURATION, duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    T = TypeVar("T")

MIN_PERIOD = 0.05  # seconds between two checks
# Names of keys in other tools. A key has one name here; these are hints for users who know the other one.
_OTHER_TOOLS = {
    "command": "commands belong in the Procfile",
    "environment": 'the key is "env"',
    "working_dir": 'the key is "cwd"',
    "directory": 'the key is "cwd"',
    "healthcheck": 'the key is "health" or "ready"',
    "liveness_probe": 'the key is "health"',
    "readiness_probe": 'the key is "ready"',
    "ready_log_line": 'write ready = { log = "…" }',
    "availability": "write its keys directly in the process table: restart, backoff, max_restarts",
    "shutdown": "the keys are stop_signal, stop_timeout and stop_command",
    "stop_grace_period": 'the key is "stop_timeout"',
    "timeout": 'the key is "stop_timeout"',
    "namespace": 'the key is "groups"',
    "replicas": 'the key is "formation"',
    "numprocs": 'the key is "formation"',
    "disabled": "write autostart = false",
    "mem_limit": 'the key is "memory_max"',
    "memory": 'the key is "memory_max"',
    "cpus": 'the key is "cpu_max"',
    "pids_limit": 'the key is "pids_max"',
    "is_tty": 'the key is "pty"',
    "tty": 'the key is "pty"',
    "log_location": 'the key is "log_file"',
    "cron": 'the key is "schedule"',
    "test": 'the key is "exec"',
    "retries": 'the key is "failure_threshold"',
    "start_period": "use a readiness check: the key ready",
    "period_seconds": 'the key is "interval"',
    "timeout_seconds": 'the key is "timeout"',
    "initial_delay_seconds": 'the key is "initial_delay"',
    "status_code": 'the key is "status"',
    "http_get": 'write http = "/path"',
}


class WrongValueError(Exception):
    """A value that a key does not accept. `message` continues a sentence that begins with the key's name; `path` names
    the keys below it.
    """

    def __init__(self, message: str, hint: str = "", path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown key."""
    keys = tuple(known)
    near = nearest(key, keys)
    return _OTHER_TOOLS.get(key) or (f'did you mean "{near}"?' if near else f"there are: {', '.join(keys)}")


def described(value: object) -> str:
    """Return a value of TOML as a message names it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {str: f'"{value}"', int: f"the number {value}", float: f"the number {value}", list: "a list"}
    return kinds.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


def wrong(wanted: str, value: object, hint: str = "") -> WrongValueError:
    """Return the error for a key that must be `wanted`, but is `value`."""
    return WrongValueError(f"must be {wanted}, not {described(value)}", hint)


# Plain values -----------------------------------------------------------------------------------------------------


def truth(value: object) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


class WholeNumber:
    """A converter for whole numbers from `lowest` to `highest`; `what` names them in its message."""

    __slots__ = ("highest", "lowest", "what")

    def __init__(self, lowest: int, highest: int, what: str) -> None:
        self.lowest = lowest
        self.highest = highest
        self.what = what

    def __call__(self, value: object) -> int:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.lowest <= value <= self.highest:
            raise wrong(f"{self.what} from {self.lowest} to {self.highest}", value)
        return value


def whole(lowest: int, highest: int, what: str) -> WholeNumber:
    """Return a converter for whole numbers in that range; `what` names them in its message."""
    return WholeNumber(lowest, highest, what)


def text(value: object) -> str:
    """Return a string that is not blank."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise wrong("a string", value)
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return strings, from a list of them or from a single one."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise wrong("a list of strings", value)
    return tuple(map(text, value))


def env_files(value: object) -> tuple[tuple[str, bool], ...]:
    """Return paths, each with whether its file must exist: ``{ path = ".env.local", required = false }``."""
    if not isinstance(value, list):
        value = [value]
    return tuple(map(_env_file, value))


def _env_file(value: object) -> tuple[str, bool]:
    if not isinstance(value, dict):
        return text(value), True
    path, required = value.get("path"), table(value, {"path": text, "required": truth}).get("required", True)
    if not isinstance(path, str):
        raise WrongValueError("needs a path", 'for example { path = ".env.local", required = false }')
    return path, bool(required)


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
    """Return the seconds between two checks, or the limit of one."""
    time = seconds(value)
    if time < MIN_PERIOD:
        raise wrong(f"a duration of {MIN_PERIOD:g} seconds or more", value)
    return time


class Word:
    """A converter for one of `words`; `aliases` maps the words of other tools to these."""

    __slots__ = ("aliases", "words")

    def __init__(self, words: tuple[str, ...], aliases: Mapping[str, str]) -> None:
        self.words = words
        self.aliases = aliases

    def __call__(self, value: object) -> str:
        """Return the word, or the one that an alias means."""
        if isinstance(value, str) and (value in self.words or value in self.aliases):
            return self.aliases.get(value, value)
        near = nearest(value, (*self.words, *self.aliases)) if isinstance(value, str) else ""
        *others, last = self.words
        raise wrong(f"{', '.join(others)} or {last}", value, f'did you mean "{near}"?' if near else "")


def word(words: tuple[str, ...], aliases: Mapping[str, str]) -> Word:
    """Return a converter for one of `words`; `aliases` maps the words of other tools to these."""
    return Word(words, aliases)


def table(value: Mapping[str, object], keys: Mapping[str, Callable[[object], T]]) -> dict[str, T]:
    """Convert a table, whose `keys` have these converters. A dash in a key equals an underscore."""
    found: dict[str, T] = {}
    for name, one in value.items():
        key = name.replace("-", "_")
        if key not in keys:
            raise WrongValueError("is not a known key", unknown_key(key, keys), (name,))
        try:
            found[key] = keys[key](one)
        except WrongValueError as error:
            raise WrongValueError(error.message, error.hint, (name, *error.path)) from None
    return found
