"""The short commands for a running session: ``stop``, ``restart``, ``scale``, ``signal``, ``wait`` and the like."""

from __future__ import annotations

import sys

from procman.cli.colors import painted, palette_for, write
from procman.cli.control.connection import (
    NoSessionError,
    connect,
    names_in,
    own_options,
    print_json,
    require_success,
    run_request,
    session_settings,
)
from procman.core.text.printable import visible
from procman.errors import EXIT_OK, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation

READY_TIMEOUT = 60.0  # seconds
_DOWN = ("backoff", "failed", "exited")


def stop(invocation: Invocation) -> int:
    """Stop the named processes, or the whole session, or all sessions."""
    if own_options(invocation).get("all_sessions"):
        from procman.cli.control.sessions import stop_all

        return stop_all(invocation)
    return run_request(invocation, {"verb": "stop", "names": names_in(invocation), "wait": _waits(invocation)})


def down(invocation: Invocation) -> int:
    """End the session. Without one, everything is down already, which is not a mistake."""
    try:
        return stop(invocation)
    except NoSessionError as error:
        if invocation.words:
            raise
        if own_options(invocation).get("as_json"):
            print_json({"ok": True, "said": [error.message]})
        else:
            sys.stderr.write("".join(f"{line}\n" for line in (f"procman: {error.message}", f"hint: {error.hint}")))
        return EXIT_OK


def restart(invocation: Invocation) -> int:
    """Restart the named processes, or all of them: together, or one by one with ``--rolling``."""
    record = {"verb": "restart", "names": names_in(invocation), "wait": _waits(invocation)}
    return run_request(invocation, {**record, "rolling": bool(own_options(invocation).get("rolling"))})


def scale(invocation: Invocation) -> int:
    """Change the number of instances: ``web=3``, ``worker+1``, ``web-1``. Raises UsageError without any change."""
    changes = names_in(invocation)
    if not changes:
        raise UsageError("missing process type and count", "for example: procman scale web=3 worker+1")
    return run_request(invocation, {"verb": "scale", "names": changes, "wait": _waits(invocation)})


def signal(invocation: Invocation) -> int:
    """Send the signal named by the first word to the processes named by the others."""
    if len(invocation.words) < 2:
        raise UsageError("missing signal and process", "for example: procman signal USR1 web")
    number, *names = invocation.words
    return run_request(invocation, {"verb": "signal", "text": number, "names": names})


def pause(invocation: Invocation) -> int:
    """Suspend the named processes, or all of them."""
    return run_request(invocation, {"verb": "pause", "names": names_in(invocation)})


def resume(invocation: Invocation) -> int:
    """Resume the named paused processes, or all of them."""
    return run_request(invocation, {"verb": "resume", "names": names_in(invocation)})


def wait(invocation: Invocation) -> int:
    """Wait until there is a session, and the named processes, or all of them, are ready."""
    timeout = own_options(invocation).get("ready_timeout", READY_TIMEOUT)
    assert isinstance(timeout, (int, float))
    return run_request(invocation, {"verb": "wait", "names": names_in(invocation), "timeout": timeout}, timeout)


def why(invocation: Invocation) -> int:
    """Print the reason for the state of the named instances, or of all."""
    answer = connect(invocation).request({"verb": "why", "names": names_in(invocation)})
    rows = answer["instances"]
    assert isinstance(rows, list)
    for row in rows:
        row["why"] += _port_owner(row)
    if own_options(invocation).get("as_json"):
        print_json(rows)
    else:
        palette = palette_for(sys.stdout, own_options(invocation).get("color", session_settings(invocation).color))
        for row in rows:
            color = palette.failure if row["state"] == "failed" else palette.bold
            write(sys.stdout, f"{painted(visible(row['name']), color, palette)}: {visible(row['why'])}\n")
    return 0


def events(invocation: Invocation) -> int:
    """Print state changes until the session ends."""
    as_json = bool(own_options(invocation).get("as_json"))
    connection = connect(invocation)
    connection.send({"verb": "events", "names": names_in(invocation)})
    connection.wait_without_limit()
    for record, _ in connection.answers():
        if record.get("done"):
            require_success(record)
            return 0
        if as_json:
            print_json(record)
        elif "words" in record:
            _print_event(record)
    return 0


def _waits(invocation: Invocation) -> object:
    return own_options(invocation).get("wait", True)


def _port_owner(row: Record) -> str:
    """Name the process that holds the port of an instance that is down.

    The client looks it up, so that the session does not have to wait for it.
    """
    from procman.runtime.system.port_owner import busy_ports, owner

    port = row.get("port")
    if (
        row["state"] not in _DOWN
        or not row.get("has_port")
        or not isinstance(port, int)
        or port not in busy_ports((port,))
    ):
        return ""
    return f"; its port {port} is taken by {owner(port)}"


def _print_event(record: Record) -> None:
    from datetime import datetime

    local_time = datetime.fromisoformat(str(record["time"])).astimezone()
    sys.stdout.write(f"{local_time:%H:%M:%S} {record['words']}\n")
    sys.stdout.flush()
