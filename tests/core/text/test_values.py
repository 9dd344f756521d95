"""Values of settings: what is accepted, and the message for everything else."""

from __future__ import annotations

import pytest

from procman.core.text import values


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("65536", 65536)])
def test_a_whole_number(text: str, number: int) -> None:
    assert values.whole(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_000", "1.0", "0x10", "٣", "²", "1" * 5000, "one"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        values.whole(text)


@pytest.mark.parametrize("text", ["65536", "-1", "http", "", "80 ", "9" * 5000])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(ValueError, match="65535"):
        values.port(text)


def test_ports_reach_from_none_to_the_highest() -> None:
    assert [values.port(text) for text in ("0", "1", "65535")] == [0, 1, 65535]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("5", 5),
        ("2.5", 2.5),
        (".5", 0.5),
        ("3.", 3),
        ("5s", 5),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("1m30", 90),
        ("2h", 7200),
        ("1.5h", 5400),
        ("1d", 86400),
        ("1d2h3m4s5ms", 93784.005),
        ("999999999", 999999999),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert values.duration(text) == pytest.approx(seconds)


NOT_NUMBERS = ["", ".", "-1", "inf", "nan", "1e9", "1e3", "1.2.3", "1_0", "9" * 400, "1000000000", "٣", "²s"]
NOT_UNITS = ["99999d", "s", "ms", "5x", "1ss", "1sm", "m5", "1 m", " 5", "5 ", "1m 30s", "30 1m"]


@pytest.mark.parametrize("text", NOT_NUMBERS + NOT_UNITS)
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        values.duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (59.4, "59 s"),
        (59.5, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7620, "2 h 7 min"),
    ],
)
def test_durations_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert values.format_duration(seconds) == text


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "yes", "on"])
def test_yes(text: str) -> None:
    assert values.truth(text) is True


@pytest.mark.parametrize("text", ["0", "false", "No", "off"])
def test_no(text: str) -> None:
    assert values.truth(text) is False


def test_neither_yes_nor_no() -> None:
    with pytest.raises(ValueError, match="true"):
        values.truth("perhaps")


def test_a_list_forgives_blanks_and_commas_too_many() -> None:
    assert values.items(" web, worker ,,css,") == ("web", "worker", "css")
    assert values.items("") == ()


def test_a_wrong_choice_is_told_the_right_ones() -> None:
    with pytest.raises(ValueError, match="all, any or never"):
        values.choice("some", ("all", "any", "never"))


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_what_cannot_be_a_file(text: str) -> None:
    with pytest.raises(ValueError, match="file"):
        values.path(text)


@pytest.mark.parametrize("text", ["{name} | ", "", "none", "→ {name}\t", "👩‍💻 {name} "])
def test_a_template_is_any_text(text: str) -> None:
    assert values.template(text) == text


@pytest.mark.parametrize("sign", ["\x1b[1m", "\n", "\r", "\x07", "\x7f", "\x9b", "\u202e", "\u2028", "\0"])
def test_what_stands_before_each_line_says_nothing_to_the_terminal(sign: str) -> None:
    with pytest.raises(ValueError, match="a template without control characters"):
        values.template(f"{{name}}{sign} ")
    with pytest.raises(ValueError, match="a format without control characters"):
        values.stamp(f"%H:%M{sign}")


def test_a_time_is_in_one_line() -> None:
    assert values.stamp("%%n %H") == "%%n %H"
    with pytest.raises(ValueError, match="a newline"):
        values.stamp("%H%n")


@pytest.mark.parametrize("text", ["999999999", "000000001"])
def test_a_number_may_have_nine_digits(text: str) -> None:
    assert values.whole(text) == int(text)
    with pytest.raises(ValueError, match="whole number"):
        values.whole(f"0{text}")


def test_a_port_may_have_nine_digits_too() -> None:
    assert values.port("000065535") == 65535
    with pytest.raises(ValueError, match="65535"):
        values.port("0000065535")


def test_what_is_accepted_comes_back_unchanged() -> None:
    assert values.choice("any", ("all", "any", "never")) == "any"
    assert values.path("a/b") == "a/b"
    assert values.regex("a+(b)") == "a+(b)"
    for stamp in ("off", "none", "", "iso", "elapsed", "%H:%M"):
        assert values.stamp(stamp) == stamp


@pytest.mark.parametrize("text", ["now", "H:M", "on"])
def test_a_time_needs_a_format(text: str) -> None:
    with pytest.raises(ValueError, match="a format such as"):
        values.stamp(text)


@pytest.mark.parametrize("text", ["(", "a{99999999999}", "(" * 5000])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="a regular expression"):
        values.regex(text)
