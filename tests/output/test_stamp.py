from __future__ import annotations

import re
import time

import pytest

from procman.output.stamp import Stamp, iso, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(moments: list[float], form: str) -> list[str]:
    clock = iter([0.0, *moments])
    stamp = Stamp(form, lambda: next(clock))
    return [stamp.text() for _ in moments]


def test_a_format_is_that_of_strftime_in_local_time() -> None:
    assert at([0, 3600], "%H:%M") == ["05:30", "06:30"]


def test_the_text_of_a_second_is_made_once() -> None:
    clock = iter([0, 5.1, 5.2, 6.0])
    stamp = Stamp("%S", lambda: next(clock))
    first, second, third = stamp.text(), stamp.text(), stamp.text()
    assert first is second
    assert (second, third) == ("05", "06")


def test_finer_forms_are_made_anew_each_time() -> None:
    assert at([1.25, 1.5], "elapsed") == ["    1.250", "    1.500"]
    assert at([1.25, 1.5], "%S.%f") == ["01.250000", "01.500000"]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%%f", "%f"),
        ("%%%f", "%250000"),
        ("%%%%f", "%%f"),
        ("%f%%f", "250000%f"),
        ("%S%%", "01%"),
        ("%%S%f", "%S250000"),
    ],
)
def test_two_percent_signs_are_one(form: str, text: str) -> None:
    assert at([1.25], form) == [text]


def test_iso_is_not_a_millisecond_late() -> None:
    assert [iso(thousandths / 1000)[20:23] for thousandths in range(1767225600000, 1767225601000)] == [
        f"{thousandths:03}" for thousandths in range(1000)
    ]
    assert iso(0.9996) == iso(1.0)


def test_iso_has_milliseconds_and_the_zone() -> None:
    assert iso(0.25) == "1970-01-01T05:30:00.250+05:30"
    assert at([0.25], "iso") == [iso(0.25)]


def test_utc_is_rfc_3339() -> None:
    assert utc(1.5) == "1970-01-01T00:00:01.500000Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", utc(time.time()))


@pytest.mark.parametrize("form", ["off", "none", ""])
def test_off_is_no_text(form: str) -> None:
    assert Stamp(form).off
    assert at([1.0], form) == [""]


def test_elapsed_is_counted_from_the_start() -> None:
    times = iter([1000.0, 1002.5, 1062.25])
    stamp = Stamp("elapsed", lambda: next(times))
    assert [float(stamp.text()), float(stamp.text())] == [2.5, 62.25]


def test_an_escaped_percent_sign_makes_no_finer_form() -> None:
    stamp = Stamp("%%f %S", lambda: 1000.25)
    assert stamp.text() is stamp.text()
