"""Shows what engines report: progress, failure cards, log lines and instances, like the local commands do."""

from __future__ import annotations

import contextlib
import sys
import time

from procman.cli.colors import painted, palette_for, state_color, with_state, write
from procman.cli.columns import aligned
from procman.core.text.printable import visible
from procman.engines.calls import Card, Report
from procman.engines.records import RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from procman.engines.records import InstanceState, LogLine

TITLES = ("NAME", "STATE", "NODE", "VERSION", "UP", "RESTARTS", "PORT", "LAST EXIT")
_RIGHT_ALIGNED = (4, 5, 6)  # columns with numbers
_INDENT = "  "


class Display:
    """Shows reports and cards on stderr while an engine works; with ``--json``, keeps them for the final object."""

    def __init__(self, types: Sequence[str], color: bool | None, *, as_json: bool) -> None:
        self.said: list[str] = []
        self.show_line: Callable[[LogLine], None] = self._say_line
        self._types = tuple(types)
        self._as_json = as_json
        self._palette = palette_for(sys.stderr, color)
        self._out_palette = palette_for(sys.stdout, color)

    def show(self, item: Report | Card | LogLine) -> None:
        """Show one item."""
        if isinstance(item, Report):
            self._show_report(item)
        elif isinstance(item, Card):
            self._show_card(item)
        else:
            self.show_line(item)

    def _show_report(self, report: Report) -> None:
        instance = report.instance
        if instance is None:
            self._say(report.text)
            return
        where = f" on {instance.node}" if instance.node else ""
        version = f" ({instance.version})" if instance.version else ""
        more = report.text or ("" if instance.state == RUNNING else instance.reason)
        self._say(f"{instance.name} is {instance.state}{where}{version}{f': {more}' if more else ''}", instance)

    def _say_line(self, line: LogLine) -> None:
        """Show a line of a release phase. `logs` and `run` have a way of their own."""
        self._say(f"{line.instance} | {line.line.decode('utf-8', 'replace')}")

    def _say(self, text: str, instance: InstanceState | None = None) -> None:
        self.said.append(text)
        if self._as_json:
            return
        line = visible(text)
        if instance:
            line = painted(line, state_color(instance.state, self._palette), self._palette)
        _write_progress(f"{line}\n")

    def _show_card(self, card: Card) -> None:
        """Show the failure card, in the form of the local one."""
        instance = card.instance
        ending = instance.reason or (f"ended with {instance.exit}" if instance.exit else f"is {instance.state}")
        title = f"{instance.name} FAILED: {ending}"
        lines = [line for line in card.lines if line.strip()]
        how = "its last lines:" if len(lines) > 1 else "its last line:" if lines else "it printed nothing"
        self.said += [title, *lines]
        if self._as_json:
            return
        palette = self._palette
        _write_progress(f"{palette.bold}{palette.failure}{visible(title)}{palette.reset}\n{how}\n")
        _write_progress("".join(f"{_INDENT}{visible(line)}\n" for line in lines))

    def print_instances(self, instances: Iterable[InstanceState]) -> None:
        """Print the table of `ps`."""
        rows, now = self.sorted(instances), time.time()
        title, *lines = aligned([TITLES, *(_cells(row, now) for row in rows)], _RIGHT_ALIGNED)
        palette = self._out_palette
        shown = [with_state(line, row.state, palette) for line, row in zip(lines, rows, strict=True)]
        write(sys.stdout, "".join(f"{line}\n" for line in (painted(title, palette.bold, palette), *shown)))
        sys.stdout.flush()

    def sorted(self, instances: Iterable[InstanceState]) -> list[InstanceState]:
        """Return the instances in the order of the Procfile."""
        order = {name: index for index, name in enumerate(self._types)}
        return sorted(instances, key=lambda one: (order.get(one.type, len(order)), one.type, one.number))


def _write_progress(text: str) -> None:
    """Write to stderr. What changes other machines is completed even if no one reads its progress any more."""
    with contextlib.suppress(OSError):
        write(sys.stderr, text)
        sys.stderr.flush()


def record_of(instance: InstanceState, now: float) -> dict[str, object]:
    """Return an instance for JSON."""
    return {
        "name": instance.name,
        "type": instance.type,
        "number": instance.number,
        "state": instance.state,
        "node": instance.node or None,
        "version": instance.version or None,
        "uptime": None if instance.since is None or instance.state != RUNNING else max(0.0, now - instance.since),
        "restarts": instance.restarts,
        "port": instance.port,
        "exit": instance.exit or None,
        "reason": instance.reason or None,
    }


def _cells(row: InstanceState, now: float) -> tuple[str, ...]:
    from procman.cli.control.ps import duration_text

    up = now - row.since if row.since is not None and row.state == RUNNING else None
    return (
        row.name,
        row.state,
        row.node or "-",
        row.version or "-",
        duration_text(up),
        "-" if row.restarts is None else str(row.restarts),
        "-" if row.port is None else str(row.port),
        row.exit or "-",
    )
