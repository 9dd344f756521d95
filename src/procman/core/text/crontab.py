"""The five fields of a cron expression, as other schedulers write them."""

from __future__ import annotations

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MINUTES, _HOURS = 60, 24


class Crontab:
    """A valid expression. Names are numbers in its fields, and Sunday is 0.

    ``either_day``: a day of the month or of the week is enough. Otherwise, both have to agree.
    """

    __slots__ = ("day", "either_day", "hour", "minute", "month", "weekday")

    def __init__(self, expression: str) -> None:
        self.minute, self.hour, self.day, month, weekday = expression.upper().split()
        for number, name in enumerate(_MONTHS, 1):
            month = month.replace(name, str(number))
        for number, name in enumerate(_DAYS):
            weekday = weekday.replace(name, str(number))
        self.month = month
        # A day of the month or of the week is enough if both are restricted (crontab(5)).
        self.either_day = not self.day.startswith("*") and not weekday.startswith("*")
        stays = weekday.startswith("*") or not self.is_plain(weekday)
        self.weekday = weekday if stays else ",".join(map(str, weekdays(weekday)))

    @staticmethod
    def is_plain(field: str) -> bool:
        """Whether a field has only numbers, ranges and steps, and not the last day or the second Friday of a month."""
        return not set(field) & set("L#W")

    @property
    def is_standard(self) -> bool:
        """Whether every cron can read it."""
        return self.is_plain(self.day) and self.is_plain(self.weekday)

    def __str__(self) -> str:
        return f"{self.minute} {self.hour} {self.day} {self.month} {self.weekday}"


def weekdays(field: str) -> list[int]:
    """Return the days of the week that a plain field means, from 0 for Sunday."""
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
        end = int(last) if dash else 7 if step else int(first)
        found.update(day % 7 for day in range(int(first), end + 1, int(step or 1)))
    return sorted(found)


def crontab_of_period(seconds: float) -> str | None:
    """Return the expression for a period that divides an hour or a day; None for another one."""
    minutes, rest = divmod(seconds, 60)
    if rest or not minutes:
        return None
    if minutes < _MINUTES:
        return f"*/{minutes:.0f} * * * *" if not _MINUTES % minutes else None
    hours, rest = divmod(minutes, 60)
    if rest or hours > _HOURS or _HOURS % hours:
        return None
    return "0 0 * * *" if hours == _HOURS else f"0 */{hours:.0f} * * *" if hours > 1 else "0 * * * *"
