"""Formations: how many instances of each process type run (``web=2,all=1``, names, exclusions), and on which ports.

The port of an instance is base + step × index of its type + number of the instance.
"""

from __future__ import annotations

from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from procman.core.model.plan import Environment, InstancePlan
    from procman.core.model.procfile import ProcessType, Procfile

MOST_INSTANCES = 10_000
DEFAULT_PORT = 5000
DEFAULT_STEP = 100
HIGHEST_PORT = 65535
WORKTREE_STEP = 1000  # from the ports of one checkout to those of the next
EXAMPLE = "write a formation as web=2,worker=4 or all=1"


class Formation:
    """How many of each type. `all` is the count of types that are not named; None means 0."""

    __slots__ = ("all", "counts")

    def __init__(self, counts: dict[str, int], all: int | None = None) -> None:  # noqa: A002 (the user's word)
        self.counts = counts
        self.all = all

    def __repr__(self) -> str:
        return f"Formation({self.counts!r}, all={self.all})"

    def count(self, name: str) -> int:
        """Return the number of instances of the type `name`; its own count wins over `all`."""
        return self.counts.get(name, self.all or 0)


def parse_formation(text: str) -> Formation:
    """Parse ``web=2,all=1``, in any order, with or without spaces; raises UsageError."""
    counts: dict[str, int] = {}
    for part in _parts(text):
        name, count = _parse_part(part)
        if counts.setdefault(name, count) != count:
            raise UsageError(f'the formation counts "{name}" twice: {counts[name]} and {count}', EXAMPLE)
    if not counts:
        raise UsageError("the formation is empty", EXAMPLE)
    return Formation(counts, counts.pop("all", None))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_part(part: str) -> tuple[str, int]:
    name, equals, text = (piece.strip() for piece in part.partition("="))
    if not name:
        raise UsageError(f'no name before "{part}" in the formation', EXAMPLE)
    if not equals:
        raise UsageError(f'missing count for "{name}" in the formation', EXAMPLE)
    count = whole_number(text)
    if count is None:
        raise UsageError(f'invalid count "{text}" for "{name}": it must be 0, 1, 2 …', EXAMPLE)
    return name, count


def select(
    procfile: Procfile,
    formation: Formation | None = None,
    names: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
) -> list[tuple[ProcessType, int]]:
    """Return the types that run with their counts (at least 1), in the file's order.

    `names` are words of the command line, ``web`` or ``web=2``; without any, the formation (``all=1``) decides. Raises
    UsageError for a name that is not in the Procfile, and if nothing, or far too much, would run.
    """
    named, counted = _parse_names(names)
    excluded = flatten(exclude)
    wanted = formation or Formation({}, 1)
    require_known(procfile, (*wanted.counts, *named, *excluded))
    chosen = []
    for type_ in procfile.process_types:
        count = counted.get(type_.name, _count(wanted, type_.name, named))
        if count and type_.name not in excluded:
            chosen.append((type_, count))
    _require_sane(chosen, wanted, named)
    return chosen


def flatten(words: Iterable[str]) -> list[str]:
    """Split each word at commas: ``("web,css", "clock")`` has three names."""
    return [part for word in words for part in _parts(word)]


def require_known(procfile: Procfile, names: Iterable[str]) -> None:
    """Raise UsageError for the first of `names` that is not in the Procfile."""
    for name in names:
        if procfile.get(name) is None:
            from procman.core.text.suggest import did_you_mean

            raise UsageError(f'{procfile.name} has no process type "{name}"', did_you_mean(name, procfile.names))


def _parse_names(words: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """Return the names among the words of the command line, and the counts that some of them give."""
    named: list[str] = []
    counted: dict[str, int] = {}
    for word in flatten(words):
        name, count = _parse_part(word) if "=" in word else (word, None)
        if count is not None and counted.setdefault(name, count) != count:
            raise UsageError(f'"{name}" is counted twice: {counted[name]} and {count}')
        named.append(name)
    return named, counted


def _count(wanted: Formation, name: str, named: list[str]) -> int:
    if not named:
        return wanted.count(name)
    if name not in named:
        return 0
    # A type named on the command line runs, even if a formation (from a config file, for example) does not mention it.
    return wanted.counts.get(name, 1 if wanted.all is None else wanted.all)


def _require_sane(chosen: list[tuple[ProcessType, int]], wanted: Formation, named: list[str]) -> None:
    total = sum(count for _, count in chosen)
    if total > MOST_INSTANCES:
        raise UsageError(f"{total} instances are too many; procman starts at most {MOST_INSTANCES}")
    if chosen:
        return
    if named and not any(map(wanted.count, named)):
        raise UsageError("nothing to start", f"its count in the formation is 0: write {named[0]}=1")
    raise UsageError("nothing to start: every process type is excluded or has the count 0", EXAMPLE)


# Ports ----------------------------------------------------------------------------------------------------------------


def port_variable(name: str) -> str:
    """Return the name of the variable for the port of a type's first instance: ``PROCMAN_WEB_PORT``."""
    return f"PROCMAN_{name.upper().replace('-', '_')}_PORT"


def port_variables(ports: dict[str, int]) -> dict[str, str]:
    """Return the variables that name each type's port: ``PROCMAN_WEB_PORT``, and ``PROCMAN_WEB_URL`` for a browser.

    If two names share a variable ("a-b" and "a_b"), the first one keeps it; `check` warns.
    """
    numbers = {port_variable(name): str(port) for name, port in reversed(ports.items())}
    return numbers | {f"{name.removesuffix('_PORT')}_URL": url_of(port) for name, port in numbers.items()}


def url_of(port: object) -> str:
    """Return the address of what listens on this port of this machine."""
    return f"http://localhost:{port}"


def in_range(port: int) -> bool:
    """Whether a program can listen on `port` by number; 0 means "any" to the system."""
    return 1 <= port <= HIGHEST_PORT


def port_of(base: int, step: int, index: int, number: int) -> int:
    """Return the port of the instance `number` (from 1) of the type with that `index` (from 0) in the Procfile."""
    return base + step * index + number - 1


def base_port(port: int | None, environment: Environment) -> int:
    """Return the base: `port` unless it is None, else PORT of the environment, else 5000; raises UsageError."""
    if port is not None:
        return port
    text = environment.values.get("PORT", "").strip()
    if not text:
        return DEFAULT_PORT
    base = whole_number(text)
    if base is not None and in_range(base):
        return base
    shown = "not" if "PORT" in environment.given else f'"{text}", which is not'  # no text of an env file
    message = f"{environment.origin['PORT']}: PORT is {shown} a port"
    raise UsageError(message, "a port is a number from 1 to 65535; use -p for another base, --no-port for none")


def base_in_worktree(base: int, slot: int) -> int:
    """Return the base in the linked worktree that has this slot. A base in the upper half of all ports moves down."""
    distance = WORKTREE_STEP * slot
    return base + distance if base <= HIGHEST_PORT // 2 else base - distance


def moved_ports(
    instances: Iterable[InstancePlan], step: int, busy: Collection[int], is_free: Callable[[int], bool]
) -> dict[str, int]:
    """Return another port for each instance whose port is in `busy`: the next free one among the `step` of its type.

    Raises UsageError if none of them is free.
    """
    ports = {instance.own_port: instance for instance in instances if instance.own_port is not None}
    moved: dict[str, int] = {}
    for port in sorted(busy):
        instance = ports[port]
        end = min(port - instance.number + 1 + max(step, 2), HIGHEST_PORT + 1)
        found = next((other for other in range(port + 1, end) if other not in ports and is_free(other)), None)
        if found is None:
            message = f"port {port} of {instance.name} is taken, and so are the ports up to {end - 1}"
            raise UsageError(message, "choose another base with -p")
        moved[instance.name] = found
        ports[found] = instance
    return moved


def whole_number(text: str) -> int | None:
    """Parse plain digits; return None for anything else. int() alone accepts "1_0", " 1", "+1" and Arabic digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def check_ports(ports: Iterable[tuple[str, int]]) -> None:
    """Raise UsageError unless the ports of the named instances are valid and differ."""
    owners: dict[int, str] = {}
    for name, port in ports:
        if not in_range(port):
            hint = "choose a lower base with -p, or a smaller --port-offset"
            raise UsageError(f"{name} would get port {port}, outside 1-65535", hint)
        owner = owners.setdefault(port, name)
        if owner != name:
            hint = "choose a larger --port-step, or fewer instances"
            raise UsageError(f"{owner} and {name} would both get port {port}", hint)
