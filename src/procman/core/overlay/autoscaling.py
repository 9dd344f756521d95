"""The key autoscale of a [process.NAME] table."""

from __future__ import annotations

from procman.core.model.autoscale import Autoscale
from procman.core.overlay.converters import WrongValueError, period, seconds, table, text, whole, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1000  # instances that one type may be scaled to by itself
MOST_PERCENT = 100_000
_EXAMPLE = 'for example { exec = "./queue-length", per_instance = 100, max = 8 }'


def _share(value: object) -> float:
    """Return a number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
        raise wrong("a number above 0", value)
    return float(value)


AUTOSCALE_KEYS: dict[str, Callable[[object], object]] = {
    "exec": text,
    "cpu": whole(1, MOST_PERCENT, "percent of one CPU"),
    "per_instance": _share,
    "min": whole(1, MOST, "a number"),
    "max": whole(1, MOST, "a number"),
    "cooldown": seconds,
    "interval": period,
}


def autoscale(value: object) -> Autoscale:
    """Return the rule that a table describes. Raises WrongValueError."""
    if not isinstance(value, dict):
        raise wrong("a table", value, _EXAMPLE)
    found = table(value, AUTOSCALE_KEYS)
    if ("exec" in found) == ("cpu" in found):
        raise WrongValueError("needs exec or cpu, and not both", _EXAMPLE)
    if ("exec" in found) != ("per_instance" in found):
        raise WrongValueError("needs per_instance with exec, and only there", _EXAMPLE)
    if "max" not in found:
        raise WrongValueError("needs max", _EXAMPLE)
    rule = Autoscale(str(found.get("exec", "")), 1.0, 1)
    names = {"min": "lowest", "max": "highest", "cpu": "per_instance"}
    for key, one in found.items():
        setattr(rule, names.get(key, key), one)
    if "cpu" in found:
        rule.per_instance /= 100
    if rule.lowest > rule.highest:
        raise WrongValueError(f"has min = {rule.lowest} above max = {rule.highest}", "", ("min",))
    return rule
