"""The status line: ``web ● 2/2 :5000  worker ● 4/4  css ✗ failed (1)``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.output.palette import Palette

MIN_COLUMNS = 60  # columns: on a narrower terminal the line is not worth its row
GAP = "  "
MAIN = "web"  # the process type whose port is left out last
UP, CHANGING, FAILED, DOWN, PROMPT = "●", "◐", "✗", "○", "⌨"
LOCALES = ("LC_ALL", "LC_CTYPE", "LANG")
STOPPING = "stopping"
IN_ASCII = {UP: "*", CHANGING: "~", FAILED: "x", DOWN: "-", PROMPT: ">"}


class Group:
    """One process type in the status line. Of ``wanted`` instances ``up`` are up and ``failed`` have failed.

    ``words`` describes what is happening, if anything is ("restarting"). ``port`` is the first instance's. ``prompt``
    is that of a debugger which waits for the user.
    """

    __slots__ = ("failed", "name", "port", "prompt", "up", "wanted", "words")

    def __init__(
        self,
        name: str,
        up: int,
        wanted: int,
        port: int | None = None,
        failed: int = 0,
        words: str = "",
        prompt: str = "",
    ) -> None:
        self.name = name
        self.up = up
        self.wanted = wanted
        self.port = port
        self.failed = failed
        self.words = words
        self.prompt = prompt

    def without_port(self) -> Group:
        """Return the same group in a shorter form."""
        return Group(self.name, self.up, self.wanted, None, self.failed, self.words, self.prompt)

    @property
    def mark(self) -> str:
        """One character for the state of the group."""
        if self.prompt:
            return PROMPT
        if self.failed:
            return FAILED
        if self._down:
            return CHANGING if self.words == STOPPING else DOWN
        return UP if self.up >= self.wanted else CHANGING

    @property
    def _down(self) -> bool:
        return not self.wanted and not self.up

    @property
    def text(self) -> str:
        """The text after the mark."""
        if self.prompt:
            return self.prompt
        if self.failed:
            some = f"{self.up}/{self.wanted} " if self.up else ""
            return f"{some}failed ({self.failed})"
        if self._down:
            return self.words or "stopped"
        port = f" :{self.port}" if self.port is not None else ""
        return f"{self.up}/{self.wanted}{port}" + (f" {self.words}" if self.words else "")


def status_line(
    groups: Sequence[Group],
    columns: int,
    palette: Palette,
    unicode: bool = True,
    hint: str = "",
    narrowest: int = MIN_COLUMNS,
) -> str:
    """Return the line, at most ``columns`` - 1 wide; empty on a terminal that is too narrow.

    The ``hint`` is added at its end if there is room for it beside all groups.
    """
    if columns < narrowest:
        return ""
    shown = _with_room(groups, columns - 1)
    cells = [_cell(group, palette, unicode) for group in shown]
    if hint and len(shown) == len(groups) and sum(map(_width, shown)) + len(hint) < columns:
        cells.append(f"{palette.dim}{hint}{palette.reset}")
    return GAP.join([*cells, *_more(len(groups) - len(shown))])


def _with_room(groups: Sequence[Group], columns: int) -> list[Group]:
    """Return the groups that fit. A name that is too long leaves its place to others.

    Ports are left out first, then groups that are down, then those that are up, and failed ones last; each from the end
    of the line.
    """
    if _fits(groups, columns):
        return list(groups)
    for kept in (MAIN, None):  # the port of the web server is the one that users look for
        groups = [group if group.name == kept else group.without_port() for group in groups]
        if _fits(groups, columns):
            return list(groups)
    widths = [_width(group) for group in groups]
    order = sorted(range(len(groups)), key=lambda at: (groups[at].mark == DOWN, groups[at].mark == UP, at))
    room = columns - len(_more(len(groups))[0])
    shown: list[int] = []
    for at in order:
        if widths[at] <= room:
            room -= widths[at]
            shown.append(at)
    return [groups[at] for at in sorted(shown)]


def _fits(groups: Sequence[Group], columns: int) -> bool:
    return sum(map(_width, groups)) - len(GAP) <= columns


def _width(group: Group) -> int:
    return len(f"{group.name} {group.mark} {group.text}{GAP}")


def _cell(group: Group, palette: Palette, unicode: bool) -> str:
    colors = {UP: palette.good, FAILED: palette.failure, DOWN: palette.dim}
    color = colors.get(group.mark, palette.warning)
    mark = group.mark if unicode else IN_ASCII[group.mark]
    if color == palette.warning:  # a yellow mark is visible on a white background, but yellow text is hard to read
        mark += palette.reset
    return f"{palette.bold}{group.name}{palette.reset} {color}{mark} {group.text}{palette.reset}"


def _more(left: int) -> list[str]:
    return [f"+{left} more"] if left else []


def speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Whether to use UTF-8: the first of LC_ALL, LC_CTYPE and LANG that is set decides.

    If none is set, as in many containers, UTF-8 is assumed.
    """
    chosen = next(filter(None, map(environ.get, LOCALES)), "utf8")
    return chosen.lower().replace("-", "").endswith("utf8")
