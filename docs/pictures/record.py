"""Record the terminal pictures of the documentation: run the real command on a terminal, and draw its screen as SVG.

``make pictures`` runs this. A terminal emulator (pyte) reads what the command writes; its cells become an SVG, still or
moving. Arguments of the script are put before every command. Root can use them to avoid the warning about root:
``make pictures AS="setpriv --reuid=65534 --clear-groups"``.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import select
import shutil
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
LIMIT = 120.0  # seconds until a recording fails
STRIDE = 2000  # pixels from one frame of an animation to the next; wider than any of them
SHORTEST = 0.1  # seconds that a frame must last to be shown
BROWSER_TIME = 6.0  # seconds until a browser shows some usage
LAST = 5.0  # seconds that the last frame stays

WIDTH, HEIGHT, BASE, SIZE = 8.4, 19, 14, 14  # in pixels: of a cell, from its top to the baseline, of the font
EDGE, BAR = 18, 34  # in pixels: the margin around the text, the height of the title bar
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
NO_BREAK = "\u00a0"  # viewers merge ordinary spaces
PAPER, FRAME, INK = "#11151c", "#2b313c", "#d5d9e0"
INKS = {
    "default": INK,
    "black": "#3b4252",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",  # the name that pyte gives to yellow
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#56d4dd",
    "white": "#e6edf3",
    "brightblack": "#7d8590",
}


class Screen(pyte.Screen):
    """A screen that also knows dim text, which pyte leaves out."""

    def select_graphic_rendition(self, *attrs: int) -> None:
        """Draw dim text (SGR 2) in gray."""
        super().select_graphic_rendition(*attrs)
        if 2 in attrs:
            self.cursor.attrs = self.cursor.attrs._replace(fg="brightblack")

    @property
    def text(self) -> str:
        """The text of all rows."""
        return "\n".join(row.rstrip() for row in self.display).rstrip()


Look = tuple[str, bool]  # a color, and whether the text is bold
Run = tuple[int, str, Look]  # the column where it starts, its text, its look
Frame = tuple[tuple[Run, ...], ...]  # the runs of each row


class Recording:
    """A command on a terminal of the given size, in a folder. Keeps every screen it saw, with its time."""

    def __init__(self, command: str, folder: Path, rows: int, columns: int) -> None:
        self.screen = Screen(columns, rows)
        self.frames: list[tuple[float, Frame]] = []
        self._stream = pyte.ByteStream(self.screen)
        self._feed(f"\x1b[32m$\x1b[0m {command}\r\n".encode())
        self._terminal, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        variables, _, arguments = command.partition("procman ")
        self._process = subprocess.Popen(  # noqa: S603 (our own commands)
            [*sys.argv[1:], str(PROCMAN), *arguments.split()],
            cwd=folder,
            env=environment() | dict(word.split("=", 1) for word in variables.split()),
            preexec_fn=lambda: os.login_tty(slave),  # noqa: PLW1509 (no threads)
        )
        os.close(slave)

    def until(self, pattern: str) -> Screen:
        """Record until the pattern is on the screen. Raises SystemExit if it never appears."""
        end = time.monotonic() + LIMIT
        while not re.search(pattern, self.screen.text):
            if time.monotonic() > end or not self._read():
                raise SystemExit(f"{pattern!r} was never on this screen:\n{self.screen.text}")
        return self.screen

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 1)[0]:
            return True
        try:
            self._feed(os.read(self._terminal, 65536))
        except OSError:  # EIO: the command has ended
            return False
        return True

    def _feed(self, output: bytes) -> None:
        self._stream.feed(output)
        frame = tuple(_runs(self.screen, number) for number in range(self.screen.lines))
        if not self.frames or frame != self.frames[-1][1]:
            self.frames.append((time.monotonic(), frame))

    def end(self) -> None:
        """Interrupt the command, and wait until it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        while self._process.poll() is None:
            self._read()
        os.close(self._terminal)


def environment() -> dict[str, str]:
    """Return our environment without settings for procman, and with a terminal of 256 colors."""
    kept = {name: value for name, value in os.environ.items() if not re.match("PROCMAN_|NO_COLOR|.*_COLOR|PORT$", name)}
    return kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


# Drawing ---------------------------------------------------------------------------------------------------------


def draw(screen: Screen, title: str) -> str:
    """Return the screen as an SVG, down to its last row that is not empty."""
    rows = screen.text.count("\n") + 1
    drawn = [line for number in range(rows) for line in _row(_runs(screen, number), number)]
    return _window(screen.columns, rows, title, [f'<g transform="translate({EDGE} {BAR})">', *drawn, "</g>"])


def animate(recording: Recording, title: str) -> str:
    """Return the recording as an SVG that plays it again and again; readers without animation see its last frame.

    All frames stand side by side, and the animation moves the next one into view. Each distinct row is drawn once.
    """
    screen = recording.screen
    width, height = screen.columns * WIDTH, screen.lines * HEIGHT
    frames = _distinct_moments(recording.frames)
    drawn: dict[tuple[Run, ...], str] = {}
    places = []
    for number, (_, frame) in enumerate(frames):
        uses = [
            f'<use href="#{drawn.setdefault(row, f"r{len(drawn)}")}" y="{y * HEIGHT}"/>'
            for y, row in enumerate(frame)
            if row
        ]
        places.append(f'<g transform="translate({number * STRIDE})">{"".join(uses)}</g>')
    body = [
        "<defs>",
        *(f'<g id="{name}">{"".join(_row(row, 0))}</g>' for row, name in drawn.items()),
        "</defs>",
        f"<style>{_keyframes(frames)}</style>",
        f'<svg x="{EDGE}" y="{BAR}" width="{width:.0f}" height="{height}" overflow="hidden">',
        f'<g class="reel" transform="translate({-(len(frames) - 1) * STRIDE})">',
        *places,
        "</g></svg>",
    ]
    return _window(screen.columns, screen.lines, title, body)


def _distinct_moments(frames: list[tuple[float, Frame]]) -> list[tuple[float, Frame]]:
    """Drop the frames that another one replaced within a tenth of a second."""
    later = [when for when, _ in frames[1:]] + [float("inf")]
    return [frame for frame, following in zip(frames, later, strict=True) if following - frame[0] > SHORTEST]


def _keyframes(frames: list[tuple[float, Frame]]) -> str:
    """Return the CSS that shows each frame for as long as it was on the screen, and the last one for a while."""
    begin = frames[0][0]
    length = frames[-1][0] - begin + LAST
    steps = "".join(
        f"{100 * (when - begin) / length:.2f}%{{transform:translateX({-number * STRIDE}px)}}"
        for number, (when, _) in enumerate(frames)
    )
    play = f".reel {{ animation: play {length:.1f}s step-end infinite; }}"
    return f"@keyframes play{{{steps}}} @media (prefers-reduced-motion: no-preference) {{ {play} }}"


def _window(columns: int, rows: int, title: str, body: list[str]) -> str:
    width, height = columns * WIDTH + 2 * EDGE, rows * HEIGHT + BAR + EDGE
    style = f"text {{ font: {SIZE}px {FONT}; }} .b {{ font-weight: bold; }}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="9" fill="{PAPER}"/>',
        *(f'<circle cx="{EDGE + 4 + 20 * n}" cy="19" r="5.5" fill="{FRAME}"/>' for n in range(3)),
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _runs(screen: Screen, number: int) -> tuple[Run, ...]:
    """Return one row as runs of equal look."""
    runs: list[Run] = []
    for column in range(screen.columns):
        cell = screen.buffer[number][column]
        look = (INKS.get(cell.fg, f"#{cell.fg}"), cell.bold)
        if runs and runs[-1][2] == look:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.data, look)
        else:
            runs.append((column, cell.data, look))
    return tuple(run for run in runs if run[1].strip())


def _row(runs: tuple[Run, ...], number: int) -> list[str]:
    """Draw each run at its own column, so that columns line up in every font."""
    return [_text(number, column, text, *look) for column, text, look in runs]


def _text(row: int, column: int, text: str, ink: str, bold: bool) -> str:
    kept = text.rstrip()
    start = len(kept) - len(kept.lstrip())
    kept = kept.lstrip()
    x, y = (column + start) * WIDTH, row * HEIGHT + BASE
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
SHOP = """\
web: python3 -m http.server --bind 127.0.0.1 $PORT
worker: python3 -u shop.py
mailer: echo smtp.example.com:25: connection refused; exit 1
"""
SHOP_WORK = """\
import os, time
number = 1000 + int(os.environ["PROCMAN_INSTANCE"][-1])
while True:
    print(f"\\33[32mpacked\\33[0m order {number}", flush=True)
    number += 3
    sum(range(600_000 * (number % 5)))
    time.sleep(0.4)
"""
MAILER = 'raise SystemExit("smtp.example.com:25: connection refused")\n'


def picture(name: str, title: str, command: str, folder: Path, pattern: str, rows: int = 40, columns: int = 92) -> None:
    """Record one command until the pattern is on its screen, and draw that screen."""
    recording = Recording(command, folder, rows, columns)
    try:
        svg = draw(recording.until(pattern), title)
    finally:
        recording.end()
    write(name, svg)


def film(name: str, title: str, command: str, scenes: list[tuple[str, bytes]], rows: int, columns: int) -> None:
    """Record one command from its start to its end: wait for the pattern of each scene, then press the scene's keys."""
    recording = Recording(command, ROOT, rows, columns)
    try:
        for pattern, keys in scenes:
            recording.until(pattern)
            recording.type(keys)
    finally:
        recording.end()
    write(name, animate(recording, title))


def write(name: str, svg: str) -> None:
    """Write one picture beside this script."""
    (HERE / f"{name}.svg").write_text(svg)
    print(f"docs/pictures/{name}.svg")


def full_screen(folder: Path) -> None:
    """Record the full-screen view of a session, in a terminal and, if Chromium is installed, in a browser."""
    (folder / "Procfile").write_text(SHOP)
    (folder / "shop.py").write_text(SHOP_WORK)
    procman(folder, "up", "--no-wait", "-p", "5400", "-m", "web=1,worker=3,mailer=1")
    try:
        recording = Recording("procman tui", folder, rows=18, columns=118)
        try:
            recording.until(r"mailer\.1 +failed")
            write("tui", draw(recording.screen, "procman tui: states, usage and output of a session"))
            recording.type(b"q")
        finally:
            recording.end()
        if shutil.which("chromium"):
            asyncio.run(browser_picture(folder))
    finally:
        procman(folder, "down")


def procman(folder: Path, *words: str) -> None:
    """Run one of our commands to its end."""
    command = [*sys.argv[1:], str(PROCMAN), *words]
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)  # noqa: S603 (see above)


async def browser_picture(folder: Path) -> None:
    """Write what a browser shows of `procman tui --web`."""
    sys.path.insert(0, str(ROOT / "tests"))
    from e2e.browser import Browser

    command = [*sys.argv[1:], str(PROCMAN), "tui", "--web"]
    server = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment(), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        address = (await server.stdout.readline()).decode().strip()
        async with Browser.open(address, "1120,420") as browser:
            await browser.wait_for("document.body.classList.contains('-first-byte')")
            await asyncio.sleep(BROWSER_TIME)  # what it draws cannot be read, only seen
            (HERE / "browser.png").write_bytes(await browser.picture())
            print("docs/pictures/browser.png")
    finally:
        server.terminate()
        await server.wait()


def main() -> None:
    """Record all pictures."""
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "Procfile").write_text(BROKEN)
        picture("check", "procman check, with errors", "procman check", place, r"mail", columns=96)
        (place / "Procfile").write_text(FAILING)
        (place / "mailer.py").write_text(MAILER)
        title = "procman start: a process fails five times, and procman gives up"
        picture("failure", title, "procman start", place, r"press R\nweb ● 1/1 :5000  mailer ✗ failed \(1\)  \? keys$")
        full_screen(place)
    title = "procman start: three processes start, one fails and is restarted, Ctrl-C stops all of them"
    scenes = [(r"baking \w+ \(order 5\)(.|\n)*\? keys$", b"\x03"), (r"exit status 130", b"")]
    film("demo", title, "BURN=3 procman start -f Procfile.example", scenes, rows=25, columns=84)


if __name__ == "__main__":
    main()
