"""``procman ps``: the status of the instances and the resources they use."""

from __future__ import annotations

import sys
import time
from functools import partial

from procman.cli.colors import painted, palette_for, with_state, write
from procman.cli.columns import aligned
from procman.cli.control.connection import connect, names_in, own_options, print_json, session_settings
from procman.cli.control.usage import Usage, measure, note_ports
from procman.core.text.printable import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.cli.control.connection import Record
    from procman.cli.options.option import Invocation
    from procman.output.palette import Palette

WATCH_INTERVAL = 2.0  # seconds
TITLES = ("NAME", "STATE", "PID", "UP", "RESTARTS", "CRASHES", "PORT", "CPU", "MEMORY", "LAST EXIT")
_RIGHT_ALIGNED = (2, 4, 5, 6, 7, 8)  # columns with numbers
_CLEAR_SCREEN = b"\x1b[H\x1b[J"


def perform(invocation: Invocation) -> int:
    """Print the table once, or with ``--watch`` until Ctrl-C."""
    given = own_options(invocation)
    if given.get("all_sessions"):
        from procman.cli.control.sessions import list_all

        return list_all(invocation)
    palette = palette_for(sys.stdout, given.get("color", session_settings(invocation).color))
    show = _show_json if given.get("as_json") else partial(_show_table, palette)
    before: Mapping[int, Usage] = {}
    while True:
        began = time.monotonic()
        answer = connect(invocation).request({"verb": "ps", "names": names_in(invocation)})
        rows = answer["instances"]
        assert isinstance(rows, list)
        usages = measure({row["pid"]: row["uptime"] for row in rows if row["pid"] is not None}, before)
        note_ports(rows)
        for row in rows:
            usage = usages.get(row["pid"])
            row["cpu_percent"] = round(usage.percent, 1) if usage else None
            row["memory_bytes"] = usage.memory if usage else None
            row["processes"] = usage.processes if usage else 0
        if given.get("watch") and sys.stdout.isatty() and not given.get("as_json"):
            sys.stdout.buffer.write(_CLEAR_SCREEN)
        show(answer, rows)
        if not given.get("watch"):
            return 0
        before = usages
        time.sleep(max(0.0, began + WATCH_INTERVAL - time.monotonic()))


def _show_json(answer: Record, _rows: list[Record]) -> None:
    print_json({key: value for key, value in answer.items() if key not in ("done", "code")})


def _show_table(palette: Palette, answer: Record, rows: list[Record]) -> None:
    stopping = visible(f"the session is stopping: {answer['stopping']}") + "\n" if answer.get("stopping") else ""
    title, *lines = aligned([TITLES, *map(_cells, rows)], _RIGHT_ALIGNED)
    shown = [with_state(line, str(row["state"]), palette) for line, row in zip(lines, rows, strict=True)]
    write(sys.stdout, stopping + "".join(f"{line}\n" for line in (painted(title, palette.bold, palette), *shown)))
    sys.stdout.flush()


def _cells(row: Record) -> tuple[str, ...]:
    percent, memory = row["cpu_percent"], row["memory_bytes"]
    return (
        str(row["name"]),
        str(row["state"]),
        _or_dash(row["pid"]),
        _up(row),
        str(row["restarts"]),
        str(row["crashes"]),
        _or_dash(row["port"] if row["has_port"] else None),
        "-" if percent is None else f"{percent:.1f}%",
        _size(memory) if isinstance(memory, int) else "-",
        _or_dash(row["exit"]),
    )


def _up(row: Record) -> str:
    """Return how long it has been up, or when it runs next: `in 3h00m`."""
    coming = row.get("next")
    if row["uptime"] is None and isinstance(coming, (int, float)):
        return f"in {duration_text(max(0.0, coming - time.time()))}"
    return duration_text(row["uptime"])


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def duration_text(seconds: object) -> str:
    """Return a duration as ``45s``, ``3m05s``, ``2h07m`` or ``4d02h``."""
    if not isinstance(seconds, (int, float)):
        return "-"
    total = int(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m{total % 60:02}s"
    if total < 86400:
        return f"{total // 3600}h{total % 3600 // 60:02}m"
    return f"{total // 86400}d{total % 86400 // 3600:02}h"


def _size(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB" if size < 1 << 30 else f"{size / (1 << 30):.2f} GB"
