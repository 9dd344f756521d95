"""The key schedule of a [process.NAME] table, and what contradicts it."""

from __future__ import annotations

from procman.core.model.process_overlay import OverlayProblem
from procman.core.model.schedule import OVERLAPS, Schedule
from procman.core.overlay.converters import WrongValueError, described, seconds, table, text, truth, word, wrong
from procman.core.text.suggest import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.core.model.process_overlay import ProcessOverlay

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
SHORTEST = 1.0  # seconds between two runs
_FIELDS = 5
_EXAMPLE = 'for example "0 2 * * *", "@hourly" or { every = "15m" }'


def _cron(value: object) -> str:
    """Return a cron expression of five fields. Whether their values are valid is checked by what computes the times."""
    wanted = "a cron expression of five fields, or a name such as @daily"
    if not isinstance(value, str):
        raise wrong(wanted, value, _EXAMPLE)
    line = " ".join(value.split())
    if line.startswith("@"):
        if line == "@reboot":
            raise WrongValueError("cannot be @reboot", "a process without a schedule starts with the session")
        if line not in NICKNAMES:
            near = nearest(line, NICKNAMES)
            raise wrong(wanted, value, f'did you mean "{near}"?' if near else _EXAMPLE)
        return NICKNAMES[line]
    if len(line.split()) != _FIELDS:
        raise wrong(wanted, value, "minute, hour, day of the month, month, day of the week")
    return line


def _period(value: object) -> float:
    every = seconds(value)
    if every < SHORTEST:
        raise wrong("a duration of 1 second or more", value)
    return every


SCHEDULE_KEYS: dict[str, Callable[[object], object]] = {
    "cron": _cron,
    "every": _period,
    "tz": text,
    "overlap": word(OVERLAPS, {"forbid": "skip", "allow": "queue"}),
    "catch_up": truth,
    "timeout": _period,
}


def schedule(value: object) -> Schedule:
    """Return the schedule that a string or a table describes. Raises WrongValueError."""
    if isinstance(value, str):
        return Schedule(_cron(value))
    if not isinstance(value, dict):
        raise WrongValueError(f"must be a cron expression or a table, not {described(value)}", _EXAMPLE)
    found = table(value, SCHEDULE_KEYS)
    if ("cron" in found) == ("every" in found):
        raise WrongValueError("needs cron or every, and not both", _EXAMPLE)
    if "tz" in found and "every" in found:
        raise WrongValueError("belongs to cron: a period has no time zone", "", ("tz",))
    rule = Schedule()
    for key, one in found.items():
        setattr(rule, "timezone" if key == "tz" else key, one)
    return rule


def contradictions(process: ProcessOverlay) -> Iterator[OverlayProblem]:
    """Yield what does not go together with a schedule."""
    if process.schedule is None:
        return
    location = process.location("schedule")
    if process.restart == "always":
        message = f'"{process.name}" is always restarted, so its schedule has no effect'
        yield OverlayProblem(location, message, f"see restart at {process.location('restart')}")
    if process.autoscale is not None:
        message = f'"{process.name}" runs by the clock, and autoscale would start it at other times'
        yield OverlayProblem(location, message, "leave out schedule or autoscale")
    if process.start_on == "connection":
        message = f'"{process.name}" starts by the clock or on a connection, not both'
        yield OverlayProblem(location, message, "leave out schedule or start_on")
