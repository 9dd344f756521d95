"""All sessions of the user: the table of ``ps --all``, and ``stop --all``."""

from __future__ import annotations

import os
import sys
import time

from procman.cli.colors import painted, palette_for, write
from procman.cli.columns import aligned
from procman.cli.control.connection import Connection, NoSessionError, names_in, own_options, print_json
from procman.cli.control.usage import note_ports
from procman.cli.failures import report
from procman.core.text.printable import visible
from procman.core.text.values import format_duration
from procman.errors import EXIT_FAILURE, EXIT_OK, ProcmanError, UsageError
from procman.runtime.control.endpoint import SUFFIX, find, folders, is_safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation

    Sessions = list[tuple[Connection, Record]]  # each with its answer

TITLES = ("FOLDER", "PID", "AGE", "PROCESSES", "PORTS")
_NOT_WITH_ALL = ("procfile", "root", "socket", "watch")  # settings
_UP = ("running", "starting", "stopping", "paused", "stopped")  # states of what has a process


def list_all(invocation: Invocation) -> int:
    """Print a row for each session: its folder, its age, how many of its processes are up, and their ports."""
    _require_alone(invocation)
    own = own_options(invocation)
    sessions, code = reach_all({"verb": "ps"})
    rows = sorted((_row(answer) for _, answer in sessions), key=lambda row: str(row["folder"]))
    if own.get("as_json"):
        print_json({"sessions": rows})
    elif rows:
        _print_table(rows, own.get("color"))
    elif not code:
        sys.stderr.write("procman: no session is running\n")
    return code


def stop_all(invocation: Invocation) -> int:
    """Stop all sessions at the same time, and wait until they have ended. If there is none, that is a success."""
    _require_alone(invocation)
    own = own_options(invocation)
    waits = bool(own.get("wait", True))
    sessions, code = reach_all({"verb": "hello"})
    for connection, _ in sessions:
        connection.send({"verb": "stop", "wait": waits})
    for connection, about in sessions:
        _await_answer(connection)
        if not own.get("as_json"):
            name = visible(str(about["procfile"]))
            sys.stdout.write(f"{name} {'has ended' if waits else 'is stopping'} (pid {about['pid']})\n")
            sys.stdout.flush()
    if own.get("as_json"):
        keys = ("procfile", "root", "pid", "session")
        print_json({"ok": not code, "stopped": [{key: about.get(key) for key in keys} for _, about in sessions]})
    elif not sessions and not code:
        sys.stderr.write("procman: no session is running\n")
    return code


def _require_alone(invocation: Invocation) -> None:
    others = [option.long_flags[0] for option in invocation.given if option.setting in _NOT_WITH_ALL]
    others += names_in(invocation)
    if others:
        raise UsageError(f"--all means every session and cannot be combined with {others[0]}", "leave one of them out")


def reach_all(request: Record) -> tuple[Sessions, int]:
    """Send a request to every session. Return their answers and the exit code: 1 if one cannot answer, which is shown.

    Only the user's usual folders are searched. A session with a --socket elsewhere is found only by that.
    """
    sessions: Sessions = []
    code = EXIT_OK
    for path in _paths():
        try:
            found = find([path], given=True)
            if found is not None:
                connection = Connection(found)
                sessions.append((connection, connection.request(request)))
        except NoSessionError:
            continue  # it has just ended
        except ProcmanError as error:
            code = report(error) and EXIT_FAILURE
    return sessions, code


def _paths() -> list[str]:
    """Return the paths of all sockets, each once: a link leads from the common folder to one elsewhere."""
    found: dict[str, None] = {}
    for folder in folders(os.environ):
        names = sorted(os.listdir(folder)) if is_safe(folder) else []
        found |= {os.path.realpath(f"{folder}/{name}"): None for name in names if name.endswith(SUFFIX)}
    return list(found)


def _await_answer(connection: Connection) -> None:
    connection.wait_without_limit()
    try:
        for answer, _ in connection.answers():
            if answer.get("done"):
                return
    except NoSessionError:
        return  # it was killed, so it has ended


def _row(answer: Record) -> Record:
    instances, since = answer["instances"], answer["since"]
    assert isinstance(instances, list)
    note_ports(instances)
    assert isinstance(since, (int, float))
    return {
        "folder": answer["root"],
        "procfile": answer["procfile"],
        "pid": answer["pid"],
        "session": answer["session"],
        "since": since,
        "age": round(max(0.0, time.time() - since), 3),
        "running": sum(row["state"] in _UP for row in instances),
        "processes": len(instances),
        "failed": [row["name"] for row in instances if row["state"] == "failed"],
        "ports": sorted({row["port"] for row in instances if row["has_port"] and row["state"] in _UP}),
        "stopping": answer["stopping"],
    }


def _print_table(rows: list[Record], color: object) -> None:
    palette = palette_for(sys.stdout, color)
    title, *lines = aligned([TITLES, *map(_cells, rows)])
    write(sys.stdout, f"{painted(title, palette.bold, palette)}\n")
    for line, row in zip(lines, rows, strict=True):
        write(sys.stdout, f"{painted(line, palette.failure if row['failed'] else '', palette)}\n")


def folder_and_procfile(folder: str, procfile: str) -> str:
    """Return the folder of a session, with the Procfile only if that has another name or is elsewhere."""
    return folder if procfile == f"{folder.rstrip('/')}/Procfile" else f"{folder} ({procfile})"


def _cells(row: Record) -> tuple[str, ...]:
    age, ports = row["age"], row["ports"]
    assert isinstance(age, float)
    assert isinstance(ports, list)
    state = f"{row['running']} of {row['processes']}" + (", stopping" if row["stopping"] else "")
    folder = folder_and_procfile(str(row["folder"]), str(row["procfile"]))
    return (folder, str(row["pid"]), format_duration(age), state, " ".join(map(str, ports)) or "-")
