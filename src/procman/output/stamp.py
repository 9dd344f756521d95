"""Timestamps of lines, formatted once per second."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OFF = ("off", "none", "")
DEFAULT = "%H:%M:%S"
MAX_SECONDS = 100  # kept texts


class Stamp:
    """The current time as text. The same object is returned until the text changes, so compare it with ``is``."""

    __slots__ = ("_began", "_clock", "_format", "_make", "_second", "_text", "now")

    def __init__(self, form: str = DEFAULT, clock: Callable[[], float] = time.time) -> None:
        """``form`` is "off", "iso", "elapsed", or a strftime format in which ``%f`` means microseconds."""
        self._format = form
        self._clock = clock
        self._began = self.now = clock()
        self._second = -1
        self._text = ""
        self._make = self._maker(form)

    @property
    def off(self) -> bool:
        """Whether timestamps are off."""
        return self._format in OFF

    def text(self) -> str:
        """Read the clock into ``now``, in seconds since the epoch, and return it as text."""
        now = self.now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = self._make(now)
        return self._text

    def _maker(self, form: str) -> Callable[[float], str]:
        if form in OFF:
            return lambda _: ""
        if form == "iso":
            return self._finer(iso)
        if form == "elapsed":
            return self._finer(lambda now: f"{now - self._began:9.3f}")
        if "%f" in form.replace("%%", ""):
            return self._finer(lambda now: time.strftime(_with_micro(form, now), time.localtime(now)))
        return lambda now: time.strftime(form, time.localtime(now))

    def _finer(self, make: Callable[[float], str]) -> Callable[[float], str]:
        """Make a format with fractions of a second, which changes at every call."""

        def fine(now: float) -> str:
            self._second = -1
            return make(now)

        return fine


def iso(now: float) -> str:
    """Return a time as ISO 8601 with milliseconds and the local zone: ``2026-05-01T12:00:00.250+02:00``."""
    seconds, thousandths = divmod(round(now * 1000), 1000)  # a float is slightly too small as often as too large
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{thousandths:03d}{zone[:3]}:{zone[3:5]}"


def utc(now: float) -> str:
    """Return a time as RFC 3339 in UTC with microseconds: ``2026-05-01T10:00:00.250000Z``."""
    return f"{_utc_second(now // 1)}.{_micro(now)}Z"


def _utc_second(second: float) -> str:
    """Return the whole seconds of a time in UTC. The latest ones are kept: `logs` writes many lines of one second."""
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) >= MAX_SECONDS:
            _seconds.clear()
        text = _seconds[second] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return text


_seconds: dict[float, str] = {}


def _with_micro(form: str, now: float) -> str:
    """Return the format with ``%f`` filled in. In ``%%f`` the second ``%`` belongs to the first."""
    micro = _micro(now)
    return "%%".join([part.replace("%f", micro) for part in form.split("%%")])


def _micro(now: float) -> str:
    return f"{int(now % 1 * 1_000_000):06d}"
