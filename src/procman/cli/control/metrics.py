"""``procman metrics``: the formation in the text format of OpenMetrics, for Prometheus and its like."""

from __future__ import annotations

import os
import sys
import time

from procman.cli.control.connection import NoSessionError, connect, names_in, own_options, session_settings
from procman.cli.control.usage import measure
from procman.errors import EXIT_OK, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation

    Value = Callable[[Record], object]  # of an instance; None if it has none

READABLE = 0o644  # what reads the file is another user's
_FAMILIES: tuple[tuple[str, str, str, Value], ...] = (  # name, type, help
    ("up", "gauge", "Whether it has a process.", lambda row: int(row["pid"] is not None)),
    ("ready", "gauge", "Whether it is ready.", lambda row: int(bool(row["ready"]))),
    ("restarts", "counter", "Restarts, including requested ones.", lambda row: row["restarts"]),
    ("crashes", "counter", "Lives that have failed.", lambda row: row["crashes"]),
    ("last_exit_code", "gauge", "Exit code of its latest life, 128 + n after signal n.", lambda row: row["code"]),
    ("uptime_seconds", "gauge", "How long its process has been running.", lambda row: row["uptime"]),
    ("cpu_seconds", "counter", "CPU time of its processes, in this life.", lambda row: row.get("cpu")),
    ("memory_bytes", "gauge", "Resident memory of its processes.", lambda row: row.get("memory")),
    ("processes", "gauge", "How many processes it has.", lambda row: row.get("processes")),
    ("output_lines", "counter", "Lines that it has written.", lambda row: row["lines"]),
    ("output_bytes", "counter", "Bytes of these lines.", lambda row: row["bytes"]),
)


def perform(invocation: Invocation) -> int:
    """Print the metrics, or replace a file by them. Without a session, the file says so, and the exit code is 1."""
    target = own_options(invocation).get("textfile")
    try:
        answer = connect(invocation).request({"verb": "metrics", "names": names_in(invocation)})
    except NoSessionError:
        if isinstance(target, str):
            _replace(target, rendered({"procfile": os.path.abspath(session_settings(invocation).procfile)}))
        raise
    rows = answer["instances"]
    assert isinstance(rows, list)
    _add_usage(rows)
    text = rendered(answer)
    if isinstance(target, str):
        _replace(target, text)
    else:
        sys.stdout.write(text)
    return EXIT_OK


def _add_usage(rows: Iterable[Record]) -> None:
    pids = {row["pid"]: row["uptime"] for row in rows if row["pid"] is not None}
    usages = measure(pids, {})  # type: ignore[arg-type]  # JSON: the session sends numbers
    for row in rows:
        usage = usages.get(row["pid"])  # type: ignore[call-overload]
        if usage is not None:
            row["cpu"], row["memory"] = round(usage.all_seconds, 2), usage.memory
            row["processes"] = usage.processes


def rendered(answer: Mapping[str, object]) -> str:
    """Return the text for an answer of the session; one without instances is that of a session which is not there."""
    return "".join(f"{line}\n" for line in (*_lines(answer), "# EOF"))


def _lines(answer: Mapping[str, object]) -> Iterator[str]:
    rows = answer.get("instances")
    of_session = {"procfile": str(answer["procfile"])}
    yield from _head("session_up", "gauge", "Whether the session is running.")
    yield _sample("session_up", of_session, int(isinstance(rows, list)))
    if not isinstance(rows, list):
        return
    since = answer["since"]
    assert isinstance(since, (int, float))
    yield from _head("session_age_seconds", "gauge", "How long the session has been running.")
    yield _sample("session_age_seconds", of_session, round(max(0.0, time.time() - since), 3))
    for name, kind, text, value in _FAMILIES:
        found = [(row, value(row)) for row in rows]
        if any(number is not None for _, number in found):
            yield from _head(name, kind, text)
        suffix = "_total" if kind == "counter" else ""
        yield from (_sample(f"{name}{suffix}", _labels(row, of_session), n) for row, n in found if n is not None)
    yield from _queues(rows, of_session)


def _queues(rows: Iterable[Record], of_session: Mapping[str, str]) -> Iterator[str]:
    queues = [(row, row.get("queues")) for row in rows]
    waiting = [(row, one, count) for row, found in queues if isinstance(found, dict) for one, count in found.items()]
    if waiting:
        yield from _head("waiting_connections", "gauge", "Connections that wait at a socket which procman keeps open.")
    for row, address, count in waiting:
        yield _sample("waiting_connections", {**_labels(row, of_session), "address": address}, count)


def _labels(row: Record, of_session: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of an instance. Prometheus has its own meaning for `instance`."""
    return {"process": str(row["name"]), "type": str(row["type"]), **of_session}


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# TYPE procman_{name} {kind}"
    unit = name.rpartition("_")[2]
    if unit in ("seconds", "bytes"):
        yield f"# UNIT procman_{name} {unit}"
    yield f"# HELP procman_{name} {text}"


def _sample(name: str, labels: Mapping[str, str], value: object) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"procman_{name}{{{inside}}} {value}"


def _escaped(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return plain.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _replace(path: str, text: str) -> None:
    """Replace a file at once: its reader finds the old content or the new one. The draft has another suffix."""
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.getpid()}.draft")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, READABLE)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(draft, path)
        except OSError:
            os.unlink(draft)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from None
