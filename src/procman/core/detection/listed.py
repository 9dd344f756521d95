"""Processes in the parsed files of other process managers: process-compose, mprocs and Compose.

Every scalar is a string here, as YAML's failsafe schema has it.
"""

from __future__ import annotations

import re

from procman.core.detection.proposal import Proposal
from procman.core.procfile.command import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_DEEPEST = 10  # merges within merges
_FOLDER_HERE = ("", ".", "./")
# What the keys of a probe are in a check. Its time limit and its count of failures mean the same only for health.
_PROBE_NUMBERS = {"period_seconds": "interval", "initial_delay_seconds": "initial_delay"}
_READY_NUMBERS = {**_PROBE_NUMBERS, "success_threshold": "success_threshold"}
_HEALTH_NUMBERS = {**_PROBE_NUMBERS, "timeout_seconds": "timeout", "failure_threshold": "failure_threshold"}
_TRUE = ("true", "yes", "on")
_NULL = ("", "~", "null")
_DEFAULTS = {"cwd": ".", "pty": False, "autostart": True}
_CONDITIONS = {
    "process_started": "started",
    "process_healthy": "ready",
    "process_log_ready": "ready",
    "process_completed": "completed",
    "process_completed_successfully": "completed_successfully",
}


def mapping(data: object, depth: int = 0) -> dict[str, object]:
    """Return a mapping with what its ``<<`` merges into it; an empty one for anything else."""
    if not isinstance(data, dict) or depth > _DEEPEST:
        return {}
    merged: dict[str, object] = {}
    parents = data.get("<<", [])
    for parent in (parents if isinstance(parents, list) else [parents])[:_DEEPEST]:
        merged = {**mapping(parent, depth + 1), **merged} if depth < 2 else merged
    return {**merged, **{str(key): value for key, value in data.items() if key != "<<"}}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> object:
    """Return the number that a scalar writes; anything else unchanged, to be refused with its reason."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else value


def _is_true(value: object) -> bool:
    return _text(value).lower() in _TRUE


def _variables(value: object) -> dict[str, object]:
    """Return the variables of a list of ``NAME=value``, or of a mapping."""
    if isinstance(value, list):
        pairs = [_text(one).partition("=") for one in value]
        return {name: text for name, equals, text in pairs if equals}
    return {name: text for name, text in mapping(value).items() if isinstance(text, str) and text not in _NULL[1:]}


def _command(value: object) -> str:
    """Return a command from a string, or from a list of its words."""
    return " ".join(quoted(_text(one)) for one in value) if isinstance(value, list) else _text(value)


def _carried_over(
    process: Mapping[str, object], keys: Mapping[str, tuple[str, Callable[[object], object]]]
) -> dict[str, object]:
    """Return the keys of the overlay that mean the same as these."""
    overlay = {keys[key][0]: keys[key][1](value) for key, value in process.items() if key in keys}
    return {key: value for key, value in overlay.items() if value not in ({}, "") and _DEFAULTS.get(key) != value}


# process-compose ------------------------------------------------------------------------------------------------------


def _ready(value: object) -> dict[str, object]:
    return _probe(mapping(value), _READY_NUMBERS)


def _health(value: object) -> dict[str, object]:
    return _probe(mapping(value), _HEALTH_NUMBERS)


def _probe(probe: Mapping[str, object], numbers: Mapping[str, str]) -> dict[str, object]:
    http, command = mapping(probe.get("http_get")), _text(mapping(probe.get("exec")).get("command"))
    times = {ours: _number(probe[theirs]) for theirs, ours in numbers.items() if theirs in probe}
    if http:
        host, path = _text(http.get("host")) or "127.0.0.1", _text(http.get("path")) or "/"
        url = f"{_text(http.get('scheme')).lower() or 'http'}://{host}:{_text(http.get('port')) or '80'}{path}"
        return {"http": url, **times}
    return {"exec": command, **times} if command else {}


def _conditions(value: object) -> dict[str, object]:
    given = {name: _text(mapping(how).get("condition")) for name, how in mapping(value).items()}
    return {name: _CONDITIONS.get(condition, condition or "started") for name, condition in given.items()}


def _restart(value: object) -> str:
    restart = _text(mapping(value).get("restart")) or "no"
    return {"no": "never", "exit_on_failure": "never", "on_failure": "on-failure"}.get(restart, restart)


_PROCESS_KEYS: dict[str, tuple[str, Callable[[object], object]]] = {
    "working_dir": ("cwd", _text),
    "depends_on": ("depends_on", _conditions),
    "ready_log_line": ("ready", lambda value: {"log": re.escape(_text(value))}),
    "readiness_probe": ("ready", _ready),
    "liveness_probe": ("health", _health),
    "environment": ("env", _variables),
    "availability": ("restart", _restart),
    "replicas": ("formation", _number),
    "is_tty": ("pty", _is_true),
    "disabled": ("autostart", lambda value: not _is_true(value)),
}
_SHUTDOWN_KEYS = {"signal": "stop_signal", "timeout_seconds": "stop_timeout", "command": "stop_command"}
_INNER = {  # the keys of these tables that are carried over
    "availability": ("restart",),
    "readiness_probe": ("http_get", "exec", *_READY_NUMBERS),
    "liveness_probe": ("http_get", "exec", *_HEALTH_NUMBERS),
    "shutdown": tuple(_SHUTDOWN_KEYS),
}
_SILENT = ("processes", "version", "log_level", "log_length", "log_location", "is_strict")  # of the whole file
_PROCESS_SILENT = ("command", "shutdown", "description", "namespace", "log_location")


def of_process_compose(data: object, file: str, notes: list[str]) -> Iterator[Proposal]:
    """Yield the processes of a process-compose file, with what the overlay can say about them."""
    notes += _left_out(mapping(data), file, _SILENT) if isinstance(data, dict) else []
    for name, value in mapping(mapping(data).get("processes")).items():
        process = mapping(value)
        source = f"{file}: processes.{name}"
        overlay = _carried_over(process, _PROCESS_KEYS)
        shutdown = mapping(process.get("shutdown"))
        overlay |= {ours: _number(shutdown[theirs]) for theirs, ours in _SHUTDOWN_KEYS.items() if theirs in shutdown}
        notes += _left_out(process, source, (*_PROCESS_KEYS, *_PROCESS_SILENT))
        for key, known in _INNER.items():
            notes += _left_out(mapping(process.get(key)), f"{source}.{key}", known)
        yield Proposal(name, _text(process.get("command")).replace("$$", "$"), source, overlay)


def _left_out(process: Mapping[str, object], source: str, known: tuple[str, ...]) -> list[str]:
    unknown = [key for key in process if key not in known]
    return [f"{source}: not carried over: {', '.join(unknown)}"] if unknown else []


# mprocs ---------------------------------------------------------------------------------------------------------------

_MPROCS_KEYS: dict[str, tuple[str, Callable[[object], object]]] = {
    "cwd": ("cwd", lambda value: _text(value).replace("<CONFIG_DIR>", ".")),
    "env": ("env", _variables),
    "autostart": ("autostart", lambda value: _text(value).lower() not in ("false", "no", "off")),
    "autorestart": ("restart", lambda value: "always" if _is_true(value) else "never"),
    "stop": ("stop_signal", lambda value: _text(value) if _text(value).startswith("SIG") else ""),
}


def _removed(value: object) -> dict[str, object]:
    """Return the variables that a mapping removes from the environment."""
    return {name: one for name, one in mapping(value).items() if one in _NULL[1:]}


def of_mprocs(data: object, file: str, notes: list[str]) -> Iterator[Proposal]:
    """Yield the processes of an mprocs file."""
    for name, value in mapping(mapping(data).get("procs")).items():
        source = f"{file}: procs.{name}"
        if value in _NULL:
            continue  # it removes a process that the user's own file defines
        key = "shell" if isinstance(value, str) else "cmd"
        process = mapping(value) if isinstance(value, dict) else {key: value}
        notes += _left_out(process, source, (*_MPROCS_KEYS, "shell", "cmd"))
        notes += _left_out(_removed(process.get("env")), f"{source}.env", ())
        command = _text(process.get("shell")) or _command(process.get("cmd"))
        yield Proposal(name, command, source, _carried_over(process, _MPROCS_KEYS))


# Compose --------------------------------------------------------------------------------------------------------------


_SERVICE_KEYS = ("build", "command", "depends_on", "image", "container_name", "restart", "volumes", "networks", "tty")


def of_compose(data: object, file: str, notes: list[str]) -> Iterator[Proposal]:
    """Yield the services of a Compose file: those that are built from this folder; the others as comments."""
    for name, value in mapping(mapping(data).get("services")).items():
        service = mapping(value)
        source = f"{file}: services.{name}"
        command = _command(service.get("command")).replace("$$", "$")
        reason = _reason(name, service, command)
        depends = service.get("depends_on")
        notes += [] if reason else _left_out(service, source, _SERVICE_KEYS)
        wanted = [_text(one) for one in depends] if isinstance(depends, list) else list(mapping(depends))
        overlay = {"depends_on": dict.fromkeys(wanted, "started")} if wanted else {}
        yield Proposal(name, command if not reason else "", source, overlay, reason)


def _reason(name: str, service: Mapping[str, object], command: str) -> str:
    build = service.get("build")
    context = build if isinstance(build, str) else mapping(build).get("context", ".")
    if build is None:
        image = _text(service.get("image"))
        return f"it runs the image {image or 'of another file'}; docker compose up {name} starts it"
    if context not in _FOLDER_HERE:
        return f"it is built from {_text(context)}"
    return "" if command else "its command is in its Dockerfile"
