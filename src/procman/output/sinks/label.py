"""Prefixes: the text before the lines of each instance."""

from __future__ import annotations

import os

from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from procman.output.palette import Palette

SYSTEM = "system"
WITH_TIME = "{time} {name} | "
WITHOUT_TIME = "{name} | "
FIELDS = ("time", "name", "type", "number", "pid")
NUMBERS = ("number", "pid")  # fields of instances; `system` has no value for them
NAME_WIDTH = 24  # columns: short names are padded up to this, so that one long name does not narrow all lines


class Label:
    """The prefix of one instance. ``head`` goes before the first line, and ``glue`` replaces each newline.

    ``cut`` is the length of ``head``: what has to be cut off after the last newline is replaced.
    """

    __slots__ = ("_color", "_dim", "_fields", "_reset", "_template", "cut", "glue", "head", "hidden", "lines", "stamp")

    def __init__(
        self, template: str, fields: dict[str, object], color: str, reset: str, hidden: bool, dim: str = ""
    ) -> None:
        """``color`` is that of the name, ``dim`` that of a time before it."""
        self._dim = dim
        self._template = template
        self._fields = fields
        self._color = color
        self._reset = reset
        self.hidden = hidden
        self.lines = 0  # published so far, shown or not
        self.stamp: str | None = None  # the time in the head
        self.head = b""
        self.glue = b"\n"
        self.cut = 0

    def renew(self, stamp: str) -> None:
        """Make a new head with this time."""
        self.stamp = stamp
        text = self.text(stamp)
        if self._color and text:
            text = self._colored(text, stamp)
        self.head = text.encode("utf-8", "surrogateescape")
        self.glue = b"\n" + self.head
        self.cut = len(self.head)

    def _colored(self, text: str, stamp: str) -> str:
        bare = text.rstrip()
        blank = text[len(bare) :]
        if self._dim and stamp and bare.startswith(f"{stamp} "):
            rest = bare[len(stamp) :].lstrip()
            return f"{self._dim}{stamp}{self._reset} {self._color}{rest}{self._reset}{blank}"
        return f"{self._color}{bare}{self._reset}{blank}"

    def text(self, stamp: str) -> str:
        """Return the head without colors."""
        return self._template.format(time=stamp, **self._fields)

    def set_pid(self, pid: int) -> None:
        """Use the child's pid from the next head on."""
        self._fields["pid"] = pid
        self.stamp = None


class Labels:
    """The labels of one session. Each is made when its instance writes its first line."""

    __slots__ = (
        "_by_name",
        "_focus",
        "_hides",
        "_indexes",
        "_lent",
        "_muted",
        "_names",
        "_palette",
        "_template",
        "_width",
        "get",
    )

    def __init__(
        self,
        template: str,
        palette: Palette,
        names: Collection[str],
        indexes: Mapping[str, int],
        hides: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        """The ``names`` of instances give the width, the ``indexes`` of process types the colors.

        ``hides`` tells whether a name is hidden from the start. Raises UsageError if the template is invalid.
        """
        check_template(template)
        self._template = template
        self._palette = palette
        self._indexes = indexes
        self._hides = hides
        self._muted: set[str] = set()
        self._focus: set[str] = set()
        self._lent = ""
        self._names = (
            SYSTEM,
            *[name for name in names if len(name) <= NAME_WIDTH],
        )  # longer ones have a longer prefix
        self._width = min(max(map(len, (SYSTEM, *names))), NAME_WIDTH)
        self._by_name: dict[str, Label] = {}
        self.get = self._by_name.get

    def add(self, name: str) -> Label:
        """Make the label of an instance that has none yet."""
        kind = name.partition(".")[0]
        fields = self._fields(name)
        palette = self._palette
        is_own = name == SYSTEM
        color = palette.dim if is_own else palette.of(self._indexes.get(kind, 0))
        dim = "" if is_own or not self._template.startswith("{time} ") else palette.dim
        label = Label(self._template, fields, color, palette.reset, self._leaves_out(name), dim)
        self._by_name[name] = label
        return label

    def dimmed(self, text: str) -> str:
        """Return one of our own lines in the color of such lines, unless it has colors already."""
        palette = self._palette
        return text if "\x1b" in text or not palette.colored else f"{palette.dim}{text}{palette.reset}"

    def width(self, stamp: str) -> int:
        """Return the columns of the widest prefix, if pids are as long as ours."""
        names = self._names if self._template not in (WITH_TIME, WITHOUT_TIME, "") else (SYSTEM,)
        pid = {"pid": os.getpid()}
        return max([len(self._template.format(time=stamp, **self._fields(name) | pid)) for name in names])

    def _fields(self, name: str) -> dict[str, object]:
        kind, _, number = name.partition(".")
        fields: dict[str, object] = {"name": name.ljust(self._width), "type": kind, "number": number, "pid": "-"}
        if number.isdecimal():
            fields["number"] = int(number)  # so that {number:02} is 01
        return fields

    def child_started(self, name: str, pid: int) -> None:
        """Note the pid of an instance's new child, if the template shows pids; otherwise no label is needed yet."""
        if "{pid" not in self._template:
            return
        (self.get(name) or self.add(name)).set_pid(pid)

    def choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        """Hide these instances or process types, and show those of them that are hidden from the start.

        If ``focus`` is not empty, show only what it names.
        """
        self._muted = set(muted)
        self._focus = set(focus)
        self._hide()

    def lend(self, name: str) -> None:
        """Leave out the lines of the instance that has the terminal, since they are shown there. An empty name leaves
        out none."""
        self._lent = name
        self._hide()

    def _hide(self) -> None:
        for name, label in self._by_name.items():
            label.hidden = self._leaves_out(name)

    def _leaves_out(self, name: str) -> bool:
        return name == self._lent or self.is_hidden(name)

    def is_hidden(self, name: str) -> bool:
        """Whether the user has hidden this instance."""
        if name == SYSTEM:
            return self._hides(name)
        either = {name, name.partition(".")[0]}
        if self._focus:
            return not either & self._focus
        return self._hides(name) != bool(either & self._muted)


def check_template(template: str) -> None:
    """Raise UsageError unless ``template`` works for every value of its fields."""
    if template in (WITH_TIME, WITHOUT_TIME):
        return
    try:
        _check_fields(template)
        template.format(**dict.fromkeys(FIELDS, "-"))
        template.format(**dict.fromkeys(FIELDS, "-") | dict.fromkeys(NUMBERS, 1))
    except ValueError as error:
        hint = f"its fields are {', '.join(f'{{{field}}}' for field in FIELDS)}"
        raise UsageError(f"invalid --prefix {template!r}: {error}", hint) from None


def _check_fields(template: str) -> None:
    """Raise ValueError for an unknown field, or a field inside another."""
    from string import Formatter

    for _, field, form, _ in Formatter().parse(template):
        if field is not None and field not in FIELDS:
            raise ValueError(f"unknown field {{{field}}}")
        if form and "{" in form:
            raise ValueError("a field cannot be inside another field")
