from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.core.text.lines import LineBuffer
from procman.errors import UsageError
from procman.output.hub import Hub
from procman.output.outlet import LARGE_CHUNK, Outlet, Writer
from procman.output.palette import Palette
from procman.output.sinks.label import NAME_WIDTH, WITH_TIME, Labels, check_template
from procman.output.sinks.prefix import MAX_HELD, Prefix
from procman.output.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Paper(Writer):
    """A descriptor that takes everything."""

    def __init__(self, kind: str = "pipe") -> None:
        super().__init__(1, kind)
        self.text = b""

    def send(self, parts: object) -> int:
        data = b"".join(parts)  # type: ignore[arg-type]
        self.text += data
        return len(data)


class Screen:
    """A hub whose screen is a list of bytes."""

    def __init__(
        self,
        template: str = "{name} | ",
        names: tuple[str, ...] = ("web.1",),
        kind: str = "pipe",
        colored: bool = False,
        form: str = "off",
        transforms: tuple[Callable[[bytes], bytes], ...] = (),
        raw: bool = False,
        hidden: tuple[str, ...] = (),  # prefixes of hidden names
    ) -> None:
        self.clock = Clock()
        self.outlet = Outlet(1)
        self.paper = self.outlet._writer = Paper(kind)
        labels = Labels(
            template, Palette(colored), names, {"web": 0, "worker": 1}, lambda name: name.startswith(hidden)
        )
        self.prefix = Prefix(self.outlet, labels, Stamp(form, self.clock), None, transforms)
        self.hub = Hub(self.prefix, raw=raw)

    def publish(self, name: str, lines: bytes) -> None:
        self.hub.publish(name, "stdout", lines)

    @property
    def text(self) -> bytes:
        self.outlet.flush()
        return self.paper.text


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_every_line_has_its_prefix() -> None:
    screen = Screen(WITH_TIME, ("web.1", "worker.10"), form="%H:%M:%S")
    screen.clock.now = 3661
    screen.publish("web.1", b"one\ntwo\n")
    screen.publish("worker.10", b"three\n")
    screen.hub.announce("done")
    assert screen.text == (
        b"01:01:01 web.1     | one\n01:01:01 web.1     | two\n01:01:01 worker.10 | three\n01:01:01 system    | done\n"
    )


def test_the_time_moves_on() -> None:
    screen = Screen(WITH_TIME, form="%M:%S")
    for second in (0, 0.9, 1, 61):
        screen.clock.now = second
        screen.publish("web.1", b"x\n")
    assert screen.text.splitlines() == [
        b"00:00 web.1  | x",
        b"00:00 web.1  | x",
        b"00:01 web.1  | x",
        b"01:01 web.1  | x",
    ]


def test_large_chunks_read_like_small_ones() -> None:
    lines = b"".join(b"%d\n" % number for number in range(LARGE_CHUNK))
    large, small = Screen(), Screen()
    large.publish("web.1", lines)
    for line in lines.splitlines(keepends=True):
        small.publish("web.1", line)
    assert large.text == small.text
    assert large.hub.line_count("web.1") == small.hub.line_count("web.1") == LARGE_CHUNK


def test_colors_are_the_types_and_end_before_the_line() -> None:
    screen = Screen(colored=True)
    screen.publish("web.1", b"x\n")
    screen.publish("worker.1", b"y\n")
    assert screen.text == b"\x1b[36mweb.1  |\x1b[0m x\n\x1b[32mworker.1 |\x1b[0m y\n"


def test_our_own_lines_are_dim_unless_they_have_colors() -> None:
    screen = Screen(colored=True)
    screen.hub.announce("a.1 started")
    screen.hub.announce("\x1b[1m\x1b[31ma.1 FAILED\x1b[0m")
    assert screen.text == (
        b"\x1b[2msystem |\x1b[0m \x1b[2ma.1 started\x1b[0m\n\x1b[2msystem |\x1b[0m \x1b[1m\x1b[31ma.1 FAILED\x1b[0m\n"
    )


def test_the_time_is_dim_and_the_name_has_the_color() -> None:
    label = Labels(WITH_TIME, Palette(True), ["web.1"], {"web": 0}).add("web.1")
    label.renew("12:00:01")
    assert label.head == b"\x1b[2m12:00:01\x1b[0m \x1b[36mweb.1  |\x1b[0m "
    own = Labels(WITH_TIME, Palette(True), ["web.1"], {"web": 0}).add("system")
    own.renew("12:00:01")
    assert own.head == b"\x1b[2m12:00:01 system |\x1b[0m "


def test_a_template_may_hold_the_pid_of_the_child_at_hand() -> None:
    screen = Screen("{type}/{number} {pid}> ")
    screen.hub.child_started("web.1", 10)
    screen.publish("web.1", b"a\n")
    screen.hub.child_started("web.1", 11)
    screen.publish("web.1", b"b\n")
    assert screen.text == b"web/1 10> a\nweb/1 11> b\n"


def test_no_prefix_at_all_shows_lines_alone() -> None:
    screen = Screen("")
    screen.publish("web.1", b"a\nb\n")
    assert screen.text == b"a\nb\n"
    assert screen.hub.line_count("web.1") == 2


@pytest.mark.parametrize(
    "template",
    [
        "{nam}",
        "{",
        "{name",
        "{}",
        "{0}",
        "{name!x}",
        "{name.foo}",
        "{name.upper}",
        "{pid.real}",
        "{name[0]}",
        "{pid:s}",
        "{pid:.3}",
        "{pid:d}",
        "{number:s}",
        "{name:{pid}}",
    ],
)
def test_a_template_that_is_none_is_refused(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_template(template)
    assert "{name}" in caught.value.hint


def test_hidden_ones_are_counted_but_not_shown() -> None:
    screen = Screen(hidden=("web",))
    screen.publish("web.1", b"x\ny\n")
    screen.publish("worker.1", b"z\n")
    assert screen.text == b"worker.1 | z\n"
    assert screen.hub.line_count("web.1") == 2
    assert screen.hub.last_lines("web.1") == [b"x", b"y"]


def test_a_very_long_name_does_not_take_the_room_of_all_lines() -> None:
    screen = Screen(names=("web.1", "x" * 63 + ".1"))
    screen.publish("web.1", b"up\n")
    screen.publish("x" * 63 + ".1", b"up\n")
    assert screen.text == b"web.1".ljust(24) + b" | up\n" + b"x" * 63 + b".1 | up\n"


def test_in_focus_only_some_are_shown_and_system_always() -> None:
    screen = Screen()
    screen.hub.show_only(["web.1"])
    screen.publish("web.1", b"x\n")
    screen.publish("worker.1", b"z\n")
    screen.hub.announce("hello")
    assert screen.text == b"web.1  | x\nsystem | hello\n"


def test_focus_beats_what_is_hidden_and_mute_adds_to_it() -> None:
    screen = Screen(hidden=("web",))

    def shown() -> bytes:
        before = len(screen.text)
        for name in ("web.1", "worker.1", "css.1"):
            screen.publish(name, name[:2].encode() + b"\n")
        return b" ".join(line[-2:] for line in screen.text[before:].splitlines())

    assert shown() == b"wo cs"
    screen.hub.show_only(["web.1"])
    assert shown() == b"we"
    screen.hub.show_only([])
    screen.hub.hide(["css"])
    assert shown() == b"wo"
    screen.hub.hide([])
    assert shown() == b"wo cs"
    screen.hub.hide(["web.1"])  # hidden by the settings, so this shows it
    assert shown() == b"we wo cs"


def test_what_matches_is_marked_while_it_runs() -> None:
    screen = Screen("")
    screen.hub.highlight("err(or)?")
    screen.publish("web.1", b"an error\nall well\n")
    screen.hub.highlight("")
    screen.publish("web.1", b"error\n")
    assert screen.text == b"an \x1b[7merror\x1b[27m\nall well\nerror\n"


def test_a_pattern_that_takes_too_long_is_given_up_and_the_lines_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.output.sinks.transforms.SEARCH_LIMIT", 0.01)
    screen = Screen("{name}: ")
    screen.hub.highlight("(a+)+$")
    screen.publish("web.1", b"aa\n" + b"a" * 60 + b"b\n")
    screen.publish("web.1", b"aa\n")
    told, *lines = screen.text.splitlines()
    assert told == b"system: the --highlight pattern is too slow; highlighting is off"
    assert lines == [b"web.1 : aa", b"web.1 : " + b"a" * 60 + b"b", b"web.1 : aa"]


def test_transforms_remake_the_lines_before_they_are_prefixed() -> None:
    screen = Screen(transforms=(bytes.upper,))
    screen.publish("web.1", b"x\n")
    assert screen.text == b"web.1  | X\n"


def test_raw_passes_everything() -> None:
    screen = Screen(raw=True)
    screen.publish("web.1", b"\x1b[2Ja\rb\n")
    assert screen.text == b"web.1  | \x1b[2Ja\rb\n"


def test_a_missing_last_newline_is_added() -> None:
    screen = Screen()
    screen.publish("web.1", b"last words")
    assert screen.text == b"web.1  | last words\n"


# Unfinished lines in a pipe -------------------------------------------------------------------------------------------


def prompting(kind: str = "pipe", transforms: tuple[Callable[[bytes], bytes], ...] = ()) -> Screen:
    screen = Screen(kind=kind, transforms=transforms)
    screen.clock.now = 10
    screen.hub.partial("web.1", "stdout", b"Password: ")
    return screen


def test_a_prompt_is_shown_without_an_invented_newline_and_goes_on() -> None:
    screen = prompting()
    assert screen.text == b"web.1  | Password: "
    screen.publish("web.1", b"Password: secret\nnext\n")
    assert screen.text == b"web.1  | Password: secret\nweb.1  | next\n"
    assert screen.hub.line_count("web.1") == 2


def test_a_prompt_is_remade_as_its_whole_line_is() -> None:
    screen = prompting(transforms=(bytes.upper,))
    assert screen.text == b"web.1  | PASSWORD: "
    screen.publish("web.1", b"Password: secret\n")
    assert screen.text == b"web.1  | PASSWORD: SECRET\n"


@pytest.mark.parametrize(
    ("pattern", "shown", "rest"),
    [
        ("word", b"Pass\x1b[7mword\x1b[27m: ", b"secret\n"),
        ("secret", b"Password: ", b"\x1b[7msecret\x1b[27m\n"),
        ("w.*", b"Pass\x1b[7mword: \x1b[27m", b"\xe2\x80\xa6\nweb.1  | Pass\x1b[7mword: secret\x1b[27m\n"),
    ],
)
def test_a_prompt_is_marked_and_goes_on_unless_the_mark_does(pattern: str, shown: bytes, rest: bytes) -> None:
    screen = Screen()
    screen.clock.now = 10
    screen.hub.highlight(pattern)
    screen.hub.partial("web.1", "stdout", b"Password: ")
    assert screen.text == b"web.1  | " + shown
    screen.publish("web.1", b"Password: secret\n")
    assert screen.text == b"web.1  | " + shown + rest


def test_a_prompt_in_which_nothing_is_found_in_time_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procman.output.sinks.transforms.SEARCH_LIMIT", 0.01)
    screen = Screen()
    screen.clock.now = 10
    screen.hub.highlight("(a+)+$")
    assert screen.hub.partial("web.1", "stdout", b"a" * 60 + b"?")  # a line of `system` was just shown
    screen.clock.now = 11
    screen.hub.partial("web.1", "stdout", b"a" * 60 + b"?")
    told, prompt = screen.text.splitlines()
    assert told.startswith(b"system | the --highlight pattern is too slow")
    assert prompt == b"web.1  | " + b"a" * 60 + b"?"


def test_a_prompt_that_grows_is_not_repeated() -> None:
    screen = prompting()
    screen.hub.partial("web.1", "stdout", b"Password: sec")
    assert screen.text == b"web.1  | Password: sec"


def test_a_prompt_that_somebody_speaks_into_is_marked_and_comes_again_whole() -> None:
    screen = prompting()
    screen.publish("worker.1", b"tick\n")
    screen.publish("web.1", b"Password: secret\n")
    assert screen.text.decode() == "web.1  | Password: …\nworker.1 | tick\nweb.1  | Password: secret\n"


def test_rows_that_were_painted_over_come_before_a_prompt_below_them() -> None:
    screen = Screen()
    screen.publish("web.1", b"50%\n")
    screen.publish("web.1", b"\x1b[1A100%\n")
    assert screen.text == b"web.1  | 50%\n"
    assert screen.hub.painting == {("web.1", "stdout")}
    screen.clock.now = 10
    screen.hub.partial("web.1", "stdout", b"Password: ")
    assert screen.text == b"web.1  | 50%\n"  # it may be the last row of a frame, about to be overwritten
    screen.hub.release("web.1", "stdout")
    assert not screen.hub.painting
    screen.clock.now = 11
    screen.hub.partial("web.1", "stdout", b"Password: ")
    assert screen.text == b"web.1  | 50%\nweb.1  | 100%\nweb.1  | Password: "
    screen.publish("web.1", b"Password: secret\n")
    assert screen.text == b"web.1  | 50%\nweb.1  | 100%\nweb.1  | Password: secret\n"


def test_an_unfinished_line_is_not_shown_into_the_others_flood() -> None:
    screen = Screen()
    screen.clock.now = 10
    screen.publish("worker.1", b"tick\n")
    screen.clock.now = 10.05
    assert screen.hub.partial("web.1", "stdout", b"half a li")  # to be offered again
    assert screen.text == b"worker.1 | tick\n"


def test_an_unfinished_line_is_shown_once_the_others_are_calm() -> None:
    screen = Screen()
    screen.clock.now = 10
    screen.publish("worker.1", b"tick\n")
    for screen.clock.now in (10.05, 10.08):
        assert screen.hub.partial("web.1", "stdout", b"half a li")
    screen.clock.now = 10.11  # the offer did not count as output
    assert not screen.hub.partial("web.1", "stdout", b"half a li")
    assert screen.text == b"worker.1 | tick\nweb.1  | half a li"


def test_two_prompts_in_a_pipe_come_one_after_the_other() -> None:
    screen = prompting()
    screen.clock.now = 20
    assert screen.hub.partial("worker.1", "stdout", b"Really? ")
    screen.publish("web.1", b"Password: x\n")
    screen.clock.now = 30
    assert not screen.hub.partial("worker.1", "stdout", b"Really? ")
    assert screen.text == b"web.1  | Password: x\nworker.1 | Really? "


def test_a_full_pipe_is_silent_for_another_reason() -> None:
    screen = Screen()
    screen.clock.now = 10
    screen.outlet.blocked = True
    assert screen.hub.partial("web.1", "stdout", b"half a li")
    screen.outlet.blocked = False
    assert screen.text == b""


def test_a_progress_bar_in_a_pipe_waits_for_its_end() -> None:
    screen = Screen()
    for percent in (10, 20, 100):
        screen.clock.now += 1
        screen.hub.partial("web.1", "stdout", b"".join(b"%d%%\r" % p for p in (10, 20, 100) if p <= percent))
    screen.publish("web.1", b"10%\r20%\r100%\n")
    assert screen.text == b"web.1  | 100%\n"


def test_a_file_gets_whole_lines_only() -> None:
    screen = prompting("file")
    assert screen.text == b""


def test_a_prompt_is_ended_when_all_ends() -> None:
    screen = prompting()
    screen.hub.close()
    assert screen.text.decode() == "web.1  | Password: …\n"


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)), st.sampled_from(["pipe", "file"]))
def test_any_chunking_reads_the_same(stream: bytes, cuts: list[int], kind: str) -> None:
    places = sorted({min(cut, len(stream)) for cut in cuts})

    def shown(chunks: list[bytes]) -> bytes:
        screen = Screen(kind=kind)
        buffer = LineBuffer(50)
        for chunk in (*chunks, None):
            if lines := buffer.flush() if chunk is None else buffer.feed(chunk):
                screen.publish("web.1", lines)
            elif buffer.tail:
                screen.hub.partial("web.1", "stdout", buffer.tail)  # it is never quiet enough to be shown
        return screen.text

    chunks = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert shown(chunks) == shown([stream])


@given(
    st.lists(st.sampled_from([b"word ", b"\n", b"\x1b[31m", b"\r", b"\x07", b"\xc3\xa9", b"x" * 20])).map(b"".join),
    st.lists(st.integers(0, 300)),
    st.sampled_from(["{name} | ", ""]),
    st.booleans(),
)
def test_lines_in_parts_read_as_in_one(stream: bytes, cuts: list[int], template: str, highlighted: bool) -> None:
    """Plain chunks are passed on without being copied together, and the result is the same."""
    places = sorted({min(cut, len(stream)) for cut in cuts})
    chunks = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]

    def shown(in_parts: bool) -> tuple[bytes, int, list[bytes]]:
        screen = Screen(template, kind="file")
        if highlighted:
            screen.hub.highlight("ord")
        buffer = LineBuffer(50)
        for chunk in chunks:
            plain = in_parts and screen.hub.is_plain("web.1", "stdout", buffer.tail, chunk)
            taken = buffer.take(chunk) if plain else None
            if taken is not None:
                screen.hub.publish_parts("web.1", "stdout", taken[0], chunk, taken[1])
            elif lines := buffer.feed(chunk):
                screen.publish("web.1", lines)
        return screen.text, screen.hub.line_count("web.1"), screen.hub.last_lines("web.1")

    assert shown(True) == shown(False)


@given(st.lists(st.text("ab\t é✓", max_size=10).map(str.encode), max_size=6), st.integers(1, 30))
def test_a_prompt_never_changes_the_whole_line(words: list[bytes], size: int) -> None:
    """However often the unfinished line is shown, without other output it reads as if it had arrived whole."""
    stream = b"\n".join(words) + b"\n"

    def shown(prompts: bool) -> bytes:
        screen = Screen()
        buffer = LineBuffer()
        for start in range(0, len(stream), size):
            screen.clock.now += 1
            if lines := buffer.feed(stream[start : start + size]):
                screen.publish("web.1", lines)
            if prompts and buffer.tail:
                screen.clock.now += 1
                screen.hub.partial("web.1", "stdout", buffer.tail)
        return screen.text

    assert shown(True) == shown(False)


def test_outlet_kinds_are_those_of_descriptors() -> None:
    reader, writer = os.pipe()
    assert Outlet(writer).kind == "pipe"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("template", "widest"),
    [
        ("{time} {name} | ", "12:00:00 worker.12 | "),
        ("{type}.{number:03}> ", "worker.012> "),
        ("{name} {pid}: ", "worker.12 PID: "),
        ("", ""),
    ],
)
def test_the_width_is_that_of_the_widest_prefix(template: str, widest: str) -> None:
    labels = Labels(template, Palette(False), ["web.1", "worker.12"], {})
    assert labels.width("12:00:00") == len(widest.replace("PID", str(os.getpid())))


def test_lines_of_the_instance_that_has_the_terminal_are_left_out_until_it_gives_it_back() -> None:
    screen = Screen()
    for lent, line in (("", b"one\n"), ("web.1", b"two\n"), ("", b"three\n")):
        screen.hub.lend(lent)
        screen.publish("web.1", line)
    assert screen.text == b"web.1  | one\nweb.1  | three\n"
    assert not screen.hub.hides("web.1")


def test_lines_in_parts_have_a_prefix_each_and_none_after_the_last() -> None:
    screen = Screen(kind="file")
    screen.prefix.publish_parts("web.1", "stdout", b"on", b"e\ntwo\nrest", 6)
    screen.prefix.publish_parts("web.1", "stdout", b"", b"three\n", 6)
    assert screen.text == b"web.1  | one\nweb.1  | two\nweb.1  | three\n"
    assert screen.prefix.line_count("web.1") == 3


def test_lines_in_parts_do_not_end_up_behind_a_prompt() -> None:
    screen = Screen()
    screen.publish("worker.1", b"up\n")
    screen.clock.now = 10
    screen.hub.partial("web.1", "stdout", b"Password: ")
    before = screen.text
    assert before.endswith(b"Password: ")
    screen.prefix.publish_parts("worker.1", "stdout", b"", b"x\n", 2)
    assert screen.text[len(before) :].startswith("…\n".encode())


def test_where_marks_are_off_a_pattern_is_checked_and_nothing_is_marked() -> None:
    screen = Screen("")
    screen.prefix._marks = False
    screen.hub.highlight("err")
    screen.publish("web.1", b"an error\n")
    assert screen.text == b"an error\n"
    with pytest.raises(UsageError):
        screen.hub.highlight("(")


def test_the_number_of_an_instance_is_a_number() -> None:
    screen = Screen("{type}.{number:03}: ")
    screen.publish("web.1", b"x\n")
    assert screen.text == b"web.001: x\n"


@pytest.mark.parametrize("template", ["{name:{type}}", "{name:>{number}}"])
def test_a_field_inside_another_is_refused(template: str) -> None:
    with pytest.raises(UsageError, match="a field cannot be inside another field"):
        check_template(template)


def test_the_width_leaves_out_very_long_names() -> None:
    labels = Labels("{name}: ", Palette(False), ["web.1", "x" * 60], {})
    assert labels.width("") == NAME_WIDTH + 2


def test_where_only_ascii_can_be_shown_our_own_lines_are_ascii() -> None:
    screen = Screen()
    screen.prefix._unicode = False
    screen.hub.announce("a → b — c…")
    assert screen.text == b"system | a -> b - c...\n"


def test_transforms_stay_when_a_highlight_ends() -> None:
    screen = Screen("", transforms=(bytes.upper,))
    screen.hub.highlight("X")
    screen.hub.highlight("")
    screen.publish("web.1", b"x\n")
    assert screen.text == b"X\n"


def test_the_time_moves_on_for_lines_in_parts_too() -> None:
    screen = Screen(WITH_TIME, form="%M:%S")
    for second in (0, 0.9, 1):
        screen.clock.now = second
        screen.prefix.publish_parts("web.1", "stdout", b"a", b"b\nrest", 2)
    assert screen.text == b"00:00 web.1  | ab\n00:00 web.1  | ab\n00:01 web.1  | ab\n"


def test_only_what_is_shown_and_cannot_be_shown_yet_is_offered_again() -> None:
    screen = Screen(hidden=("db",))
    screen.clock.now = 10.0
    screen.publish("web.1", b"x\n")
    assert screen.prefix.partial("web.1", "stdout", b"> ")  # the others are moving
    assert not screen.prefix.partial("db.1", "stdout", b"> ")
    assert not screen.prefix.partial("web.1", "stdout", b"")
    screen.clock.now = 20.0
    assert not screen.prefix.partial("web.1", "stdout", b"> ")
    assert not Screen(kind="file").prefix.partial("web.1", "stdout", b"> ")


def test_who_is_hidden_and_how_much_was_written_is_known() -> None:
    screen = Screen(hidden=("db",))
    assert [screen.prefix.hides(name) for name in ("web.1", "db.1", "system")] == [False, True, False]
    assert [screen.prefix.line_count(name) for name in ("web.1", "nobody")] == [0, 0]
    screen.publish("web.1", b"x\ny\n")
    screen.publish("db.1", b"x\n")
    assert [screen.prefix.line_count(name) for name in ("web.1", "db.1")] == [2, 1]


class Bottom:
    """A footer that notes the text and the unfinished lines that it gets."""

    def __init__(self) -> None:
        self.text: list[bytes] = []
        self.lines: dict[tuple[str, str], bytes] = {}

    def put(self, *parts: bytes) -> None:
        self.text.append(b"".join(parts))

    def hold(self, key: tuple[str, str], row: bytes) -> None:
        self.lines[key] = row

    def release(self, key: tuple[str, str]) -> bool:
        self.lines.pop(key, None)
        return bool(self.lines)

    @property
    def held(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.lines)


def test_a_footer_gets_all_text_and_unfinished_lines_and_may_be_replaced() -> None:
    screen = Screen(hidden=("db",))
    first: Any = Bottom()
    second: Any = Bottom()
    screen.prefix.use_footer(first)
    screen.publish("web.1", b"x\n")
    assert not screen.prefix.partial("web.1", "stdout", b"> ")
    assert not screen.prefix.partial("db.1", "stdout", b"> ")
    assert (first.text, first.lines) == ([b"web.1  | x\n"], {("web.1", "stdout"): "web.1  | > …".encode()})
    screen.prefix.use_footer(second)
    screen.publish("web.1", b"y\n")
    screen.prefix.partial("web.1", "stdout", b"> ")
    screen.prefix.partial("web.1", "stderr", b"> ")
    assert (len(first.text), second.text) == (1, [b"web.1  | y\n"])
    screen.prefix.partial("web.1", "stdout", b"")
    assert list(second.lines) == [("web.1", "stderr")]
    screen.prefix.choose(("web",), ())
    assert second.lines == {}
    screen.prefix.close()
    assert screen.text == b""


def test_a_line_is_complete_where_it_was_shown_unless_another_came_between() -> None:
    screen = Screen()
    screen.clock.now = 10.0
    screen.prefix.partial("web.1", "stdout", b"> ")
    screen.publish("web.1", b"> yes\nnext\n")
    assert screen.text == b"web.1  | > yes\nweb.1  | next\n"
    assert screen.prefix.line_count("web.1") == 2
    screen.clock.now = 20.0
    screen.prefix.partial("web.1", "stdout", b"> ")
    screen.prefix.publish("web.1", "stderr", b"> oh\n")
    assert screen.text.decode().endswith("web.1  | > …\nweb.1  | > oh\n")


def test_an_unfinished_line_continues_only_if_it_begins_as_it_was_shown() -> None:
    screen = Screen()
    screen.clock.now = 0.1  # it has just been quiet for long enough
    assert not screen.prefix.partial("web.1", "stdout", b"> a")
    for stream, tail in (("stdout", b"xyz"), ("stderr", b"> abc")):
        screen.clock.now += 1.0
        assert screen.prefix.partial("web.1", stream, tail)
    assert screen.text == b"web.1  | > a"
    assert not screen.prefix.partial("web.1", "stdout", b"> ab")
    assert screen.text == b"web.1  | > ab"


def test_a_footer_gets_no_more_of_a_line_than_a_terminal_shows() -> None:
    screen = Screen()
    bottom: Any = Bottom()
    screen.prefix.use_footer(bottom)
    screen.prefix.partial("web.1", "stdout", b"x" * (MAX_HELD + 1))
    assert bottom.lines["web.1", "stdout"] == b"web.1  | " + b"x" * MAX_HELD + "…".encode()
    screen.prefix.partial("web.1", "stdout", b"\x1b[31mred")
    assert b"red" in bottom.lines["web.1", "stdout"]
