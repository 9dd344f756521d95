"""A proposed line of a Procfile, and the files that a list of them becomes."""

from __future__ import annotations

import re
from itertools import islice

from procman.core.model.dependency import find_cycle
from procman.core.overlay.converters import WrongValueError
from procman.core.overlay.keys import KEYS
from procman.core.procfile.formation import port_variable
from procman.core.text.printable import is_directing, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST = 200  # lines: whatever names more was not written by hand
_LONGEST_NAME = 40  # characters
_HEADLINE = "# Written by procman init. Each line comes from the file that is named above it.\n"


class Proposal:
    """A process that a file shows: its name there, its command, where it is from, and how to run it.

    ``source`` is a file, and the key in it: ``package.json: scripts.dev``. ``overlay`` are keys of [process.NAME].
    With a ``reason`` not to start it, the line becomes a comment; its command may be empty then. A generic name may
    have a second one, ``other``, for the case that the first is taken.
    """

    __slots__ = ("command", "name", "other", "overlay", "reason", "source")

    def __init__(
        self,
        name: str,
        command: str,
        source: str,
        overlay: Mapping[str, object] | None = None,
        reason: str = "",
        other: str = "",
    ) -> None:
        self.name = name
        self.command = command
        self.source = source
        self.overlay = dict(overlay or {})
        self.reason = reason
        self.other = other

    def __repr__(self) -> str:
        return f"Proposal({self.name!r}, {self.command!r}, {self.source!r}, {self.overlay!r}, {self.reason!r})"


class Draft:
    """The proposals as they will be written, with valid and unique names, and notes for the user."""

    __slots__ = ("notes", "proposals")

    def __init__(self, proposals: Iterable[Proposal]) -> None:
        self.notes: list[str] = []
        self.proposals: list[Proposal] = []
        limited = list(islice(proposals, MOST + 1))
        if len(limited) > MOST:
            self.notes.append(f"there are more than {MOST} processes; only the first {MOST} are used")
        names: dict[str, str] = {}
        taken: dict[str, str] = {}  # the variable of each name: the source
        for proposal in limited[:MOST]:
            found = _runnable(proposal)
            named = found if found.reason else _named(found, taken)
            names.setdefault(proposal.name, named.name)
            self.proposals.append(named)
        for proposal in self.started:
            self.notes += _settle_overlay(proposal, names, {one.name for one in self.started})
        self.notes += _without_cycles(self.started)

    @property
    def started(self) -> list[Proposal]:
        """The proposals that become process types."""
        return [proposal for proposal in self.proposals if not proposal.reason]

    def procfile(self) -> str:
        """Return the text of the Procfile."""
        return _HEADLINE + "".join(_entry(proposal) for proposal in self.proposals)

    def overlay(self) -> str:
        """Return the text of the overlay; empty if no process needs one."""
        tables = [_table(proposal) for proposal in self.started if proposal.overlay]
        return "\n".join(tables)


def _runnable(proposal: Proposal) -> Proposal:
    """Return the proposal with its command on one line, or as a comment if no line of a Procfile can hold it."""
    command = re.sub(r"\\\r?\n[ \t]*", "", proposal.command).strip(" \t\r\n\f\v")
    reason = proposal.reason or _reason(command)
    name = valid_name(proposal.name) if not reason else proposal.name
    return Proposal(name, command, proposal.source, proposal.overlay, reason, proposal.other)


def _reason(command: str) -> str:
    if not command:
        return "it has no command"
    if command.startswith("#"):
        return "its command is a comment"
    if "\n" in command:
        return "its command has several lines; put them in a script"
    if any(is_directing(char) or "\ud800" <= char <= "\udfff" for char in command):
        return "its command has control characters"
    return ""


def valid_name(name: str) -> str:
    """Return a name that a process type can have: ``watch:css`` becomes ``watch-css``."""
    valid = re.sub(r"[^A-Za-z0-9_-]+", "-", name[: 4 * _LONGEST_NAME])[:_LONGEST_NAME].strip("-") or "process"
    return "all-1" if valid == "all" else valid


def _named(proposal: Proposal, taken: dict[str, str]) -> Proposal:
    """Return the proposal with a name that is still free, or as a comment if another file has a process of its name."""
    file = proposal.source.partition(":")[0]
    if proposal.other and taken.get(port_variable(proposal.name), file) != file:
        proposal.name = valid_name(proposal.other)
    base = name = proposal.name
    number = 1
    while port_variable(name) in taken:
        if number == 1 and taken[port_variable(name)] != file:
            proposal.reason = f'"{name}" is above, from {visible(taken[port_variable(name)])}'
            return proposal
        number += 1
        name = f"{base}-{number}"
    proposal.name = name
    taken[port_variable(name)] = file
    return proposal


def _settle_overlay(proposal: Proposal, names: Mapping[str, str], started: set[str]) -> Iterator[str]:
    """Leave out what procman would refuse, and yield a note about each."""
    wanted = proposal.overlay.get("depends_on")
    if isinstance(wanted, dict):
        known = {names.get(name, ""): how for name, how in wanted.items() if names.get(name, "") in started}
        for name in sorted(set(wanted) - {raw for raw in wanted if names.get(raw, "") in known}):
            yield f"{proposal.source}: it depends on {name}, which is not in the Procfile"
        proposal.overlay["depends_on"] = known
        if not known:
            del proposal.overlay["depends_on"]
    for key, value in list(proposal.overlay.items()):
        try:
            KEYS[key](value)
            if any("\ud800" <= char <= "\udfff" for char in _toml(value)):
                raise WrongValueError("is not valid UTF-8")
        except WrongValueError as error:
            del proposal.overlay[key]
            yield f"{proposal.source}: {'.'.join((key, *error.path))} {error.message}, and is left out"


def _without_cycles(proposals: Iterable[Proposal]) -> Iterator[str]:
    """Break each cycle of dependencies, which `start` would refuse, and yield a note about it."""
    waiting = {one.name: one for one in proposals}
    edges = {name: tuple(_dependencies(one)) for name, one in waiting.items()}
    while cycle := find_cycle(edges):
        last = waiting[cycle[-1]]
        del last.overlay["depends_on"]
        edges[last.name] = ()
        shown = " → ".join((*cycle, cycle[0]))
        yield f"{last.source}: depends_on is left out, since these wait for one another: {shown}"


def _dependencies(proposal: Proposal) -> list[str]:
    wanted = proposal.overlay.get("depends_on")
    return list(wanted) if isinstance(wanted, dict) else []


# The two files -------------------------------------------------------------------------------------------------------


def _entry(proposal: Proposal) -> str:
    head = f"\n# from {visible(proposal.source)}\n"
    if not proposal.reason:
        return f"{head}{proposal.name}: {proposal.command}\n"
    lines = [visible(line) for line in proposal.command.split("\n")]
    command = "".join(f"#     {line}".rstrip() + "\n" for line in lines) if proposal.command else ""
    return f"{head}# {visible(proposal.name)} is not started because {visible(proposal.reason)}\n{command}"


def _table(proposal: Proposal) -> str:
    lines = "".join(f"{key} = {_toml(value)}\n" for key, value in proposal.overlay.items())
    return f"# from {visible(proposal.source)}\n[process.{proposal.name}]\n{lines}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(str(key))} = {_toml(one)}" for key, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return _string(str(value))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'
