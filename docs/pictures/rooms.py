"""Draw the rings and rooms of the source code as SVG, for ARCHITECTURE.md: ``make pictures`` writes rooms.svg.

A ring lies above the rings that it may import. tests/test_documents.py checks that every room is drawn.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, MARGIN, GAP = 960, 16, 10  # pixels
TITLE, ROOM = 34, 58  # pixels: the height of a ring's title, and of a room
PAPER, RING, BOX, HEART = "#11151c", "#1b212b", "#2b313c", "#3f2f55"
INK, FAINT, COLOR = "#e6edf3", "#9aa4b2", "#79c0ff"
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
STYLE = f"text {{ font-family: {FONT}; }} .n {{ font: bold 15px {FONT}; }} .s {{ font-size: 12px; }}"

HEARTS = ("core/lifecycle", "runtime/loop")
RINGS = {  # the purpose of a ring, then its rooms, with two lines about each
    "cli": (
        "what the user types",
        {
            "options": ("the table of commands and options,", "and what reads it: help, man page, shells"),
            "commands": ("start, run, check, init, export, test:", "what works on a project"),
            "control": ("ps, logs, attach, restart, scale and others:", "clients of the control socket"),
            "tui": ("the full-screen view: a client", "of the control socket, too"),
            "remote": ("deploy, and the same commands", "at a destination"),
            "mcp": ("tools for coding agents:", "each runs one of our commands"),
        },
    ),
    "runtime": (
        "acts: processes, descriptors, signals, clocks",
        {
            "loop": ("the engine: one", "thread, one loop"),
            "processes": ("spawn, signal, reap;", "pseudo-terminals"),
            "health": ("readiness, health,", "file watching"),
            "control": ("the control socket,", "its verbs"),
            "guardian": ("nothing outlives", "procman"),
            "terminal": ("the user's keys", "and status line"),
            "system": ("the kernel: poller,", "signals, /proc"),
        },
    ),
    "engines": (
        "deploy to other machines",
        {
            "compose": ("one Docker daemon"),
            "swarm": ("several daemons", "as a Swarm"),
            "kubernetes": ("through kubectl",),
            "hosts": ("systemd,", "through ssh"),
        },
    ),
    "export": (
        "for other process managers",
        {
            "init": ("systemd, runit, s6,", "supervisord, others"),
            "container": ("Compose, Quadlet,", "Kubernetes, Nomad"),
            "hosted": ("Fly, Kamal, Render,", "Railway, Heroku"),
        },
    ),
    "output": (
        "bytes on their way to the reader",
        {
            "sanitize": ("keeps processes from", "damaging the screen"),
            "sinks": ("screen, JSON, log files,", "history"),
            "messages": ("procman's own", "sentences"),
            "screen": ("bottom lines; one process", "with the whole terminal"),
        },
    ),
    "config": ("reads", {}),
    "core": (
        "decides, without processes, files or clocks; planner.py makes the plan of what runs",
        {
            "lifecycle": ("state × event → state,", "actions; the supervisor"),
            "procfile": ("commands, formation,", "ports, environment"),
            "overlay": ("how each type", "is to run"),
            "detection": ("a first Procfile, from", "files of other tools"),
            "text": ("lines, values, keys,", "the protocol"),
            "model": ("the records that", "all others use"),
        },
    ),
    "errors": ("the exceptions that everything shares", {}),
}
NOTES = {  # for a ring without rooms
    "config": ("Procfile, env files,", "configuration files,", "overlays, destinations"),
}


class Place:
    """A rectangle, in pixels."""

    def __init__(self, x: float, y: float, width: float, height: float) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height

    def draw(self, color: str, radius: int) -> str:
        """Return it as an SVG element."""
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        return f'<rect x="{self.x:.0f}" y="{self.y:.0f}" {size} rx="{radius}" fill="{color}"/>'


def height_of(rows: int) -> int:
    """Return the height of a ring with so many rows of rooms."""
    return TITLE + rows * (ROOM + GAP) + (2 if rows else 0)


def ring(name: str, place: Place, columns: int) -> list[str]:
    """Draw one ring with its rooms, in so many columns."""
    purpose, rooms = RINGS[name]
    parts = [
        place.draw(RING, 8),
        f'<text x="{place.x + 14:.0f}" y="{place.y + 22:.0f}" class="n" fill="{COLOR}">{name}'
        f'<tspan class="s" font-weight="normal" fill="{FAINT}" dx="10">{escape(purpose)}</tspan></text>',
    ]
    width = (place.width - GAP) / columns - GAP
    for number, (room, lines) in enumerate(rooms.items()):
        row, column = divmod(number, columns)
        x, y = place.x + GAP + column * (width + GAP), place.y + TITLE + row * (ROOM + GAP)
        parts += box(f"{name}/{room}", lines, Place(x, y, width, ROOM))
    return parts + small(NOTES.get(name, ()), place.x + 14, place.y + TITLE + 12)


def box(path: str, lines: tuple[str, ...], place: Place) -> list[str]:
    """Draw one room."""
    heart = path in HEARTS
    name = path.partition("/")[2] + (" ♥" if heart else "")
    return [
        place.draw(HEART if heart else BOX, 6),
        f'<text x="{place.x + 10:.0f}" y="{place.y + 20:.0f}" class="n" fill="{INK}">{name}</text>',
        *small(lines, place.x + 10, place.y + 36),
    ]


def small(lines: tuple[str, ...], x: float, y: float) -> list[str]:
    """Draw lines of small text, the first with its baseline at ``y``."""
    return [
        f'<text x="{x:.0f}" y="{y + 14 * number:.0f}" class="s" fill="{FAINT}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]


def drawing() -> str:
    """Return the whole picture."""
    inner = WIDTH - 2 * MARGIN
    left, right = inner * 0.66 - GAP, inner * 0.34
    runtime_top = MARGIN + height_of(2) + GAP
    output_top = runtime_top + height_of(2) + GAP
    core_top = output_top + height_of(2) + GAP
    errors_top = core_top + height_of(2) + GAP
    wide = left * 0.75 - GAP
    parts = [
        *ring("cli", Place(MARGIN, MARGIN, inner, height_of(2)), 3),
        *ring("runtime", Place(MARGIN, runtime_top, left, height_of(2)), 4),
        *ring("engines", Place(WIDTH - MARGIN - right, runtime_top, right, height_of(2)), 2),
        *ring("export", Place(WIDTH - MARGIN - right, output_top, right, height_of(2)), 2),
        *ring("output", Place(MARGIN, output_top, wide, height_of(2)), 2),
        *ring("config", Place(MARGIN + wide + GAP, output_top, left - wide - GAP, height_of(2)), 1),
        *ring("core", Place(MARGIN, core_top, inner, height_of(2)), 3),
        *ring("errors", Place(MARGIN, errors_top, inner, height_of(0)), 1),
    ]
    height = errors_top + height_of(0) + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}">',
            "<title>The rings and rooms of procman; a ring may import those that lie under it</title>",
            f"<style>{STYLE}</style>",
            Place(0, 0, WIDTH, height).draw(PAPER, 9),
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawing(), encoding="utf-8")
    print("docs/pictures/rooms.svg")
