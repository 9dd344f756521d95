"""Prefixes: what they hold, how wide they are, which colors they have, and whose lines are left out."""

from __future__ import annotations

import os

import pytest

from procman.errors import UsageError
from procman.output.palette import Palette
from procman.output.sinks.label import NAME_WIDTH, WITH_TIME, WITHOUT_TIME, Labels, check_template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CYAN, GREEN, DIM, RESET = "\x1b[36m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


def labels(
    template: str = WITH_TIME,
    *names: str,
    colored: bool = False,
    hides: Callable[[str], bool] = lambda _name: False,
    indexes: dict[str, int] | None = None,
) -> Labels:
    return Labels(template, Palette(colored), names or ("web.1", "db.1"), indexes or {"web": 0, "db": 1}, hides)


def head(made: Labels, name: str, stamp: str = "12:00:00") -> str:
    label = made.get(name) or made.add(name)
    label.renew(stamp)
    assert label.cut == len(label.head)
    assert label.glue == b"\n" + label.head
    assert label.stamp == stamp
    return label.head.decode()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (WITH_TIME, "12:00:00 web.1  | "),
        (WITHOUT_TIME, "web.1  | "),
        ("", ""),
        ("{type}/{number:02} ", "web/01 "),
        ("[{pid}] ", "[-] "),
        ("{name}:", "web.1 :"),
    ],
)
def test_a_prefix_is_its_template_filled_in(template: str, expected: str) -> None:
    assert head(labels(template), "web.1") == expected


def test_procmans_own_lines_have_no_number_and_no_pid() -> None:
    assert head(labels("{name}|{type}|{number}|{pid}|"), "system") == "system|system||-|"


def test_a_label_without_output_has_no_lines_and_no_head() -> None:
    label = labels().add("web.1")
    assert (label.lines, label.head, label.glue, label.cut, label.stamp) == (0, b"", b"\n", 0, None)
    assert not label.hidden


@pytest.mark.parametrize(
    ("names", "width"),
    [
        (("a.1",), len("system")),
        (("a.1", "worker.12"), len("worker.12")),
        (("a" * NAME_WIDTH, "b.1"), NAME_WIDTH),
        (("a" * (NAME_WIDTH + 1), "b.1"), NAME_WIDTH),
    ],
)
def test_names_are_padded_to_the_longest_up_to_a_limit(names: tuple[str, ...], width: int) -> None:
    made = labels(WITHOUT_TIME, *names)
    assert head(made, "system") == f"{'system'.ljust(width)} | "
    assert head(made, names[0]) == f"{names[0].ljust(width)} | "
    assert made.width("") == width + 3


def test_the_widest_prefix_is_that_of_the_longest_name_within_the_limit() -> None:
    made = labels("{name}{type} ", "a.1", "worker.12", "w" * (NAME_WIDTH + 1))
    assert made.width("12:00:00") == NAME_WIDTH + len("worker") + 1
    assert labels("", "a.1").width("12:00:00") == 0
    assert labels(WITH_TIME, "a.1").width("12:00:00") == len("12:00:00 system | ")
    assert labels("{pid} ").width("") == len(f"{os.getpid()} ")


@pytest.mark.parametrize(
    ("template", "name", "stamp", "expected"),
    [
        (WITH_TIME, "web.1", "12:00:00", f"{DIM}12:00:00{RESET} {CYAN}web.1  |{RESET} "),
        (WITH_TIME, "db.1", "12:00:00", f"{DIM}12:00:00{RESET} {GREEN}db.1   |{RESET} "),
        (WITH_TIME, "other.1", "12:00:00", f"{DIM}12:00:00{RESET} {CYAN}other.1 |{RESET} "),
        (WITH_TIME, "system", "12:00:00", f"{DIM}12:00:00 system |{RESET} "),
        (WITH_TIME, "web.1", "", f"{CYAN} web.1  |{RESET} "),
        (WITHOUT_TIME, "web.1", "", f"{CYAN}web.1  |{RESET} "),
        ("{name}{time}", "web.1", "12", f"{CYAN}web.1 12{RESET}"),
        ("{time} ", "web.1", "12", f"{CYAN}12{RESET} "),
        ("", "web.1", "12", ""),
    ],
)
def test_a_name_has_the_color_of_its_type_and_a_time_before_it_is_dim(
    template: str, name: str, stamp: str, expected: str
) -> None:
    assert head(labels(template, colored=True), name, stamp) == expected


def test_only_own_lines_without_colors_are_dimmed() -> None:
    colored = labels(colored=True)
    assert colored.dimmed("web.1 started") == f"{DIM}web.1 started{RESET}"
    assert colored.dimmed("\x1b[31mred") == "\x1b[31mred"
    assert labels().dimmed("web.1 started") == "web.1 started"


def test_a_pid_is_that_of_the_latest_child_from_the_next_head_on() -> None:
    made = labels("{name} {pid} ")
    made.child_started("web.1", 7)
    assert head(made, "web.1") == "web.1  7 "
    assert head(made, "db.1") == "db.1   - "
    label = made.get("web.1")
    made.child_started("web.1", 8)
    assert made.get("web.1") is label
    assert label is not None
    assert label.stamp is None
    assert head(made, "web.1") == "web.1  8 "


def test_without_pids_a_new_child_needs_no_label() -> None:
    made = labels()
    made.child_started("web.1", 7)
    assert made.get("web.1") is None
    web = made.add("web.1")
    web.renew("12:00:00")
    made.child_started("web.1", 8)
    assert web.stamp == "12:00:00"


NAMES = ("web.1", "web.2", "db.1", "system")


def hidden(made: Labels) -> list[str]:
    assert all((made.get(name) or made.add(name)).hidden is made.is_hidden(name) for name in NAMES)
    return [name for name in NAMES if made.is_hidden(name)]


@pytest.mark.parametrize(
    ("quiet", "muted", "focus", "expected"),
    [
        ((), (), (), []),
        (("web.1",), (), (), ["web.1"]),
        ((), ("web",), (), ["web.1", "web.2"]),
        ((), ("web.2",), (), ["web.2"]),
        (("web.1",), ("web",), (), ["web.2"]),  # what is hidden from the start is shown instead
        (("web.1",), (), ("web",), ["db.1"]),
        ((), ("web",), ("web.1",), ["web.2", "db.1"]),
        (("system",), (), ("web",), ["db.1", "system"]),
        ((), ("system",), ("db",), ["web.1", "web.2"]),
    ],
)
def test_whose_lines_are_hidden(
    quiet: tuple[str, ...], muted: tuple[str, ...], focus: tuple[str, ...], expected: list[str]
) -> None:
    made = labels(hides=lambda name: name in quiet)
    made.add("web.1")
    made.choose(muted, focus)
    assert hidden(made) == expected
    made.choose((), ())
    assert hidden(made) == list(quiet)


def test_who_has_the_terminal_has_no_lines_meanwhile() -> None:
    made = labels()
    web, db = made.add("web.1"), made.add("db.1")
    made.lend("web.1")
    assert (web.hidden, db.hidden, made.is_hidden("web.1")) == (True, False, False)
    made.lend("web.2")
    assert made.add("web.2").hidden
    made.lend("")
    assert not web.hidden


@pytest.mark.parametrize("template", [WITH_TIME, WITHOUT_TIME, "", "{{x}}", "{number:>4}{pid!s:5}", "{number}"])
def test_a_template_that_works_for_every_line(template: str) -> None:
    check_template(template)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{nope}", "unknown field {nope}"),
        ("{}", "unknown field {}"),
        ("{name.x}", "unknown field {name.x}"),
        ("{name:{pid}}", "a field cannot be inside another field"),
        ("{name", ""),
        ("{name:d}", ""),
        ("{number:d}", ""),  # our own lines have no number
        ("{pid:s}", ""),
    ],
)
def test_a_template_that_does_not_is_refused_with_the_fields_there_are(template: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        labels(template)
    assert refused.value.message.startswith(f"invalid --prefix {template!r}: {reason}")
    assert refused.value.hint == "its fields are {time}, {name}, {type}, {number}, {pid}"
