"""``procman sessions``: the sessions whose output can be read, recorded or running."""

from __future__ import annotations

import sys
import time

from procman.cli.colors import painted, palette_for, write
from procman.cli.columns import aligned
from procman.cli.control.connection import own_options, print_json
from procman.cli.control.recorded import KILLED, RUNNING, Recording, all_records
from procman.cli.control.sessions import folder_and_procfile, reach_all
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation

TITLES = ("SESSION", "FOLDER", "BEGAN", "END", "RECORD")


def perform(invocation: Invocation) -> int:
    """Print a row for each session, by folder, the oldest first."""
    if invocation.words:
        raise UsageError("sessions takes no names", "it lists those of all folders; procman logs takes names")
    own = own_options(invocation)
    running, code = reach_all({"verb": "hello"})
    rows = {str(about["session"]): _row_of_running(about) for _, about in running}
    numbers: dict[object, int] = {}  # not by time: a clock may have been set back
    for files in all_records():
        numbers[files.session] = files.number
        recording = Recording(files)
        row = _row(recording, is_reachable=files.session in rows)
        rows[files.session] = {**rows.get(files.session, {}), **row}
    latest = max(numbers.values(), default=0) + 1  # that of a session without a record
    ordered = sorted(rows.values(), key=lambda row: (str(row["root"]), numbers.get(row["session"], latest)))
    if own.get("as_json"):
        print_json({"sessions": ordered})
    elif ordered:
        _print_table(ordered, own.get("color"))
    elif not code:
        sys.stderr.write("procman: no session is running or recorded\n")
    return code


def _row_of_running(about: Record) -> Record:
    keys = ("session", "procfile", "root", "pid")
    nothing = {"ended": None, "exit_status": None, "reason": None, "size": None}
    return {**{key: about.get(key) for key in keys}, "began": about["since"], "state": RUNNING, **nothing}


def _row(recording: Recording, is_reachable: bool) -> Record:
    head, ending = recording.head, recording.ending()
    is_running = is_reachable or ending.is_running
    return {
        "session": recording.session,
        "procfile": head.get("procfile"),
        "root": head.get("root"),
        "began": head.get("began"),
        "state": RUNNING if is_running else ending.state,
        "ended": None if is_running else ending.time,
        "exit_status": ending.code,
        "reason": ending.reason or None,
        "size": recording.size,
    }


def _print_table(rows: list[Record], color: object) -> None:
    palette = palette_for(sys.stdout, color)
    title, *lines = aligned([TITLES, *map(_cells, rows)])
    write(sys.stdout, "".join(f"{line}\n" for line in (painted(title, palette.bold, palette), *lines)))


def _cells(row: Record) -> tuple[str, ...]:
    folder = folder_and_procfile(str(row["root"]), str(row["procfile"]))
    state = str(row["state"])
    if state != RUNNING:
        how = KILLED if state == KILLED else f"exit status {row['exit_status']}"
        state = f"{_moment(row['ended'])}, {how}"
    size = row["size"]
    record = _size(size) if isinstance(size, int) else "-"
    return (str(row["session"]), folder, _moment(row["began"]), state, record)


def _size(size: int) -> str:
    return f"{size / (1 << 10):.0f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"


def _moment(seconds: object) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(_number(seconds)))
    except (OverflowError, ValueError, OSError):  # a record may hold any number
        return "?"


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0.0
