"""Shows who speaks: what stands before the lines of each instance."""

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
NUMBERS = ("number", "pid")  # of instances; `system` has none
WIDEST = 24  # columns that a short name is filled up to, or one long name would take the room of all lines


class Label:
    """The prefix of one instance. ``head`` stands before the first line, ``glue`` replaces each newline.

    ``cut`` is the length of ``head``, which is also what ``glue`` leaves over at the end.
    """

    __slots__ = ("_color", "_fields", "_reset", "_template", "cut", "glue", "head", "hidden", "lines", "stamp")

    def __init__(self, template: str, fields: dict[str, object], color: str, reset: str, hidden: bool) -> None:
        self._template = template
        self._fields = fields
        self._color = color
        self._reset = reset
        self.hidden = hidden
        self.lines = 0  # published so far
        self.stamp: str | None = None  # the time in the head
        self.head = b""
        self.glue = b"\n"
        self.cut = 0

    def renew(self, stamp: str) -> None:
        """Make the head anew, with another time."""
        self.stamp = stamp
        text = self.text(stamp)
        if self._color and text:
            bare = text.rstrip()
            text = f"{self._color}{bare}{self._reset}{text[len(bare) :]}"
        self.head = text.encode("utf-8", "surrogateescape")
        self.glue = b"\n" + self.head
        self.cut = len(self.head)

    def text(self, stamp: str) -> str:
        """The head in plain text."""
        return self._template.format(time=stamp, **self._fields)

    def know(self, pid: int) -> None:
        """Remember the child's pid, for the next head."""
        self._fields["pid"] = pid
        self.stamp = None


class Labels:
    """The labels of one run; those who are not known in advance are introduced when they first speak."""

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
        """``names`` of instances give the width, ``indexes`` of process types the color; ``hides`` says of a name
        whether it is hidden from the start. Raises UsageError for a template that is none."""
        check_template(template)
        self._template = template
        self._palette = palette
        self._indexes = indexes
        self._hides = hides
        self._muted: set[str] = set()
        self._focus: set[str] = set()
        self._lent = ""
        self._names = (SYSTEM, *[name for name in names if len(name) <= WIDEST])  # a longer one has a longer prefix
        self._width = min(max(map(len, (SYSTEM, *names))), WIDEST)
        self._by_name: dict[str, Label] = {}
        self.get = self._by_name.get

    def introduce(self, name: str) -> Label:
        """Make the label of an instance that speaks for the first time."""
        kind = name.partition(".")[0]
        fields = self._fields(name)
        color = self._palette.bold if name == SYSTEM else self._palette.of(self._indexes.get(kind, 0))
        label = Label(self._template, fields, color, self._palette.reset, self._leaves_out(name))
        self._by_name[name] = label
        return label

    def width(self, stamp: str) -> int:
        """The columns that the widest prefix takes, if pids are as long as ours."""
        names = self._names if self._template not in (WITH_TIME, WITHOUT_TIME, "") else (SYSTEM,)
        pid = {"pid": os.getpid()}
        return max([len(self._template.format(time=stamp, **self._fields(name) | pid)) for name in names])

    def _fields(self, name: str) -> dict[str, object]:
        kind, _, number = name.partition(".")
        fields: dict[str, object] = {"name": name.ljust(self._width), "type": kind, "number": number, "pid": "-"}
        if number.isdecimal():
            fields["number"] = int(number)  # so that {number:02} is 01
        return fields

    def began(self, name: str, pid: int) -> None:
        """Remember the pid of an instance's new child, if it is ever shown: nobody is introduced before he speaks."""
        if "{pid" not in self._template:
            return
        (self.get(name) or self.introduce(name)).know(pid)

    def choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        """Hide these instances or process types, or show those that are hidden from the start; or show nothing but
        ``focus``, unless that is empty."""
        self._muted = set(muted)
        self._focus = set(focus)
        self._hide()

    def lend(self, name: str) -> None:
        """Leave out the lines of the instance that has the terminal: it shows them itself. Empty: of nobody."""
        self._lent = name
        self._hide()

    def _hide(self) -> None:
        for name, label in self._by_name.items():
            label.hidden = self._leaves_out(name)

    def _leaves_out(self, name: str) -> bool:
        return name == self._lent or self.is_hidden(name)

    def is_hidden(self, name: str) -> bool:
        """Whether this instance runs without being shown, as the user has said."""
        if name == SYSTEM:
            return False
        either = {name, name.partition(".")[0]}
        if self._focus:
            return not either & self._focus
        return self._hides(name) != bool(either & self._muted)


def check_template(template: str) -> None:
    """Raise UsageError unless ``template`` can be filled in, whatever the fields will hold."""
    if template in (WITH_TIME, WITHOUT_TIME):
        return
    try:
        _check_fields(template)
        template.format(**dict.fromkeys(FIELDS, "-"))
        template.format(**dict.fromkeys(FIELDS, "-") | dict.fromkeys(NUMBERS, 1))
    except ValueError as error:
        hint = f"it may hold {', '.join(f'{{{field}}}' for field in FIELDS)}"
        raise UsageError(f"--prefix {template!r} is no template: {error}", hint) from None


def _check_fields(template: str) -> None:
    """Raise ValueError for a field, or a part of one, that is none of ours."""
    from string import Formatter

    for _, field, form, _ in Formatter().parse(template):
        if field is not None and field not in FIELDS:
            raise ValueError(f"{{{field}}} is not known")
        if form and "{" in form:
            raise ValueError("a field cannot stand in a field")
