"""Makes the pictures of the documentation: runs the real command on a terminal, and draws what is on its screen.

``make pictures`` runs this. A terminal emulator (pyte) is fed with what the command writes; its cells become an SVG.
Words behind the script's name are put before every command, for who works as root and wants no warning about that:
``make pictures AS="setpriv --reuid=65534 --clear-groups"``.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROCMAN = Path(sys.executable).with_name("procman")
LIMIT = 120.0  # seconds

WIDTH, HEIGHT, BASE, SIZE = 8.4, 19, 14, 14  # of a cell, from its top to the letters' feet, of the letters; in pixels
EDGE, BAR = 18, 34  # around the text; the title bar
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
NO_BREAK = "\u00a0"  # a blank that no viewer merges with its neighbor
PAPER, FRAME, INK = "#11151c", "#2b313c", "#d5d9e0"
INKS = {
    "default": INK,
    "black": "#3b4252",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",  # what the emulator calls yellow
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#56d4dd",
    "white": "#e6edf3",
    "brightblack": "#7d8590",
}


class Screen(pyte.Screen):
    """A screen that knows dim letters, too; the emulator leaves them out."""

    def select_graphic_rendition(self, *attrs: int) -> None:
        """SGR 2 is dim: drawn as gray."""
        super().select_graphic_rendition(*attrs)
        if 2 in attrs:
            self.cursor.attrs = self.cursor.attrs._replace(fg="brightblack")

    @property
    def text(self) -> str:
        """All rows."""
        return "\n".join(row.rstrip() for row in self.display).rstrip()


class Recording:
    """A command on a terminal of that size, in a folder."""

    def __init__(self, command: str, folder: Path, rows: int, columns: int) -> None:
        self.screen = Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._stream.feed(f"\x1b[32m$\x1b[0m {command}\r\n".encode())
        self._terminal, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        words = [*sys.argv[1:], str(PROCMAN), *command.split()[1:]]
        self._process = subprocess.Popen(  # noqa: S603 (our own commands)
            words,
            cwd=folder,
            env=environment(),
            preexec_fn=lambda: os.login_tty(slave),  # noqa: PLW1509 (no threads)
        )
        os.close(slave)

    def until(self, pattern: str) -> Screen:
        """Go on until this can be read on the screen, or to the end; raises SystemExit where it never comes."""
        end = time.monotonic() + LIMIT
        while not re.search(pattern, self.screen.text):
            if time.monotonic() > end or not self._read():
                raise SystemExit(f"{pattern!r} was never on this screen:\n{self.screen.text}")
        return self.screen

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 1)[0]:
            return True
        try:
            self._stream.feed(os.read(self._terminal, 65536))
        except OSError:  # EIO: the command has ended
            return False
        return True

    def end(self) -> None:
        """Let the command end as Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        while self._process.poll() is None:
            self._read()
        os.close(self._terminal)


def environment() -> dict[str, str]:
    """What the recorded command gets of ours, and a terminal of 256 colors."""
    kept = {name: value for name, value in os.environ.items() if not re.match("PROCMAN_|NO_COLOR|.*_COLOR|PORT$", name)}
    return kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


# Drawing ---------------------------------------------------------------------------------------------------------


def draw(screen: Screen, title: str) -> str:
    """The screen as an SVG, down to its last row that is not empty."""
    rows = screen.text.count("\n") + 1
    width, height = screen.columns * WIDTH + 2 * EDGE, rows * HEIGHT + BAR + EDGE
    style = f"text {{ font: {SIZE}px {FONT}; }} .b {{ font-weight: bold; }}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="9" fill="{PAPER}"/>',
        *(f'<circle cx="{EDGE + 4 + 20 * n}" cy="19" r="5.5" fill="{FRAME}"/>' for n in range(3)),
        *(line for number in range(rows) for line in _row(screen, number)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _row(screen: Screen, number: int) -> list[str]:
    """The runs of equal letters of one row, each at its own place: whatever the font, columns stay columns."""
    runs: list[tuple[int, str, tuple[str, bool]]] = []
    for column in range(screen.columns):
        cell = screen.buffer[number][column]
        look = (INKS.get(cell.fg, f"#{cell.fg}"), cell.bold)
        if runs and runs[-1][2] == look:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.data, look)
        else:
            runs.append((column, cell.data, look))
    return [_text(number, column, words, *look) for column, words, look in runs if words.strip()]


def _text(row: int, column: int, words: str, ink: str, bold: bool) -> str:
    kept = words.rstrip()
    start = len(kept) - len(kept.lstrip())
    kept = kept.lstrip()
    x, y = EDGE + (column + start) * WIDTH, BAR + row * HEIGHT + BASE
    heavy = ' class="b"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y}" fill="{ink}"{heavy} textLength="{len(kept) * WIDTH:.1f}"'
        f' lengthAdjust="spacingAndGlyphs">{escape(kept.replace(" ", NO_BREAK))}</text>'
    )


# The pictures ----------------------------------------------------------------------------------------------------

BROKEN = """\
web: gunicorn shop:app --bind 127.0.0.1:8000 --daemon
worker python -m shop.worker
clock: python -m shop.clock
web: python -m shop.web --port $PORT
mail:
"""

FAILING = """\
web: python3 -m http.server --bind 127.0.0.1 $PORT
mailer: python3 mailer.py
"""
MAILER = 'raise SystemExit("smtp.example.com:25: connection refused")\n'


def picture(name: str, title: str, command: str, folder: Path, pattern: str, rows: int = 40, columns: int = 92) -> None:
    """Record one command until the pattern is on its screen, and draw that."""
    recording = Recording(command, folder, rows, columns)
    try:
        svg = draw(recording.until(pattern), title)
    finally:
        recording.end()
    (HERE / f"{name}.svg").write_text(svg)
    print(f"docs/pictures/{name}.svg")


def main() -> None:
    """Make all pictures anew."""
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "Procfile").write_text(BROKEN)
        picture("check", "procman check, with errors", "procman check", place, r"mail")
        (place / "Procfile").write_text(FAILING)
        (place / "mailer.py").write_text(MAILER)
        title = "procman start: a process fails, is started again, and is given up"
        picture("failure", title, "procman start", place, r"refused\nweb ● 1/1 :5000  mailer ✗ failed \(1\)  \? keys$")
    example = "procman start -f Procfile.example"
    title = "procman start: three processes, and a status line below them"
    picture(
        "demo",
        title,
        example,
        ROOT,
        r"ready: \w+ \(order 2\)(.|\n)*web ● 1/1 :5000  worker ● 1/1 :5100  clock ● 1/1 :5200  \? keys$",
    )


if __name__ == "__main__":
    main()
