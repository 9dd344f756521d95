"""The fan-out: which sink gets what."""

from __future__ import annotations

from typing import Any

from procman.output.hub import Hub
from procman.output.sink import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RED = b"\x1b[31mred\x1b[0m"


class Reader(Sink):
    """Keeps all text that it is given."""

    def __init__(self, wants_colors: bool) -> None:
        self.wants_colors = wants_colors
        self.text: list[bytes | str] = []

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        self.text.append(lines)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        self.text.append(tail)
        return not self.wants_colors

    def announce(self, text: str) -> None:
        self.text.append(text)


def test_a_sink_that_wants_no_colors_gets_none() -> None:
    colored, plain, other = Reader(True), Reader(False), Reader(False)
    hub = Hub(colored)
    hub.add(plain)
    hub.add(other)
    hub.publish("web.1", "stdout", RED + b"\nplain\n")
    hub.announce("web.1 said \x1b[31mred\x1b[0m")
    assert colored.text == [RED + b"\nplain\n", "web.1 said \x1b[31mred\x1b[0m"]
    assert plain.text == other.text == [b"red\nplain\n", "web.1 said red"]


def test_bytes_that_are_not_utf_8_survive_the_loss_of_their_colors() -> None:
    plain = Reader(False)
    Hub(plain).announce(b"    caf\xe9 \x1b[31mred\x1b[0m".decode("utf-8", "surrogateescape"))
    assert plain.text == [b"    caf\xe9 red".decode("utf-8", "surrogateescape")]


def test_parts_and_unfinished_lines_lose_their_colors_too() -> None:
    plain = Reader(False)
    hub = Hub(plain, raw=True)
    hub.publish_parts("web.1", "stdout", b"a ", RED + b"\nrest", len(RED) + 1)
    hub.publish_parts("web.1", "stdout", b"a ", b"b\nrest", 2)
    assert hub.partial("web.1", "stdout", RED + b"> ")  # one of them wants it again
    assert plain.text == [b"a red\n", b"a b\n", b"red> "]


def test_a_sink_that_is_removed_gets_nothing_more() -> None:
    screen, plain, other = Reader(True), Reader(False), Reader(False)
    hub = Hub(screen)
    for sink in (plain, other):
        hub.add(sink)
    hub.remove(plain)
    hub.publish("web.1", "stdout", b"x\n")
    hub.remove(other)
    hub.publish("web.1", "stdout", b"y\n")
    assert (screen.text, plain.text, other.text) == ([b"x\n", b"y\n"], [], [b"x\n"])


class Parts(Reader):
    """Notes which parts it gets uncopied."""

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        self.text.append(b"parts")


def test_plain_parts_are_not_copied_together_for_a_sink_without_colors() -> None:
    plain = Parts(False)
    hub = Hub(plain, raw=True)
    hub.publish_parts("web.1", "stdout", b"a ", b"b\n", 2)
    hub.publish_parts("web.1", "stdout", RED, b"b\n", 2)
    hub.publish_parts("web.1", "stdout", b"a ", RED + b"\n", len(RED) + 1)
    assert plain.text == [b"parts", b"redb\n", b"a red\n"]


def test_an_unfinished_line_is_offered_again_if_one_sink_wants_it() -> None:
    assert not Hub(Reader(True), raw=True).partial("web.1", "stdout", b"> ")
    assert Hub(Reader(False), raw=True).partial("web.1", "stdout", b"> ")
    assert not Hub(Sink(), raw=True).partial("web.1", "stdout", b"> ")


def test_raw_lines_get_the_newline_that_their_stream_has_left_out() -> None:
    reader = Reader(True)
    hub = Hub(reader, raw=True)
    hub.publish("web.1", "stdout", b"one\n")
    hub.publish("web.1", "stdout", b"two")
    hub.publish("web.1", "stdout", b"")
    assert reader.text == [b"one\n", b"two\n"]


def test_blank_lines_that_are_held_back_come_before_the_prompt_behind_them() -> None:
    reader = Reader(True)
    hub = Hub(reader)
    hub.publish("web.1", "stdout", b"one\n" + b"\n" * 10)
    assert reader.text == [b"one\n"]
    hub.partial("web.1", "stdout", b"> ")
    assert b"".join(part for part in reader.text if isinstance(part, bytes)).startswith(b"one\n" + b"\n" * 10 + b"> ")


class Called(Sink):
    """Notes what it is called for."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def child_started(self, name: str, pid: int) -> None:
        self.calls.append((name, pid))

    def record(self, record: Mapping[str, object]) -> None:
        self.calls.append(record)

    def choose(self, muted: Iterable[str], focus: Iterable[str]) -> None:
        self.calls.append((list(muted), list(focus)))

    def lend(self, name: str) -> None:
        self.calls.append(name)

    def highlight(self, pattern: str) -> None:
        self.calls.append(pattern)

    def reopen(self) -> None:
        self.calls.append("reopen")

    def close(self) -> None:
        self.calls.append("close")


def test_every_sink_is_told_of_lives_and_events_and_the_screen_of_what_it_shows() -> None:
    screen, other = Called(), Called()
    hub = Hub(screen)
    hub.add(other)
    hub.child_started("web.1", 7)
    hub.record({"event": "ready"})
    hub.reopen()
    hub.close()
    hub.hide(["css"])
    hub.show_only(["web"])
    hub.lend("web.1")
    hub.highlight("x+")
    all_sinks = [("web.1", 7), {"event": "ready"}, "reopen", "close"]
    assert other.calls == all_sinks
    assert screen.calls == [*all_sinks, (["css"], []), ([], ["web"]), "web.1", "x+"]


class Noting(Sink):
    """Notes what it is given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.partials: list[bytes] = []

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        self.lines.append(lines)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        self.partials.append(tail)
        return False


def test_without_a_footer_a_line_that_may_still_change_is_not_shown() -> None:
    sink = Noting()
    hub = Hub(sink)
    hub.painting.add(("web.1", "stdout"))
    assert not hub.partial("web.1", "stdout", b"plain")
    hub.painting.clear()
    assert not hub.partial("web.1", "stdout", b"10%\r20%")
    assert sink.partials == []


def test_the_footer_forgets_a_row_that_is_released() -> None:
    sink = Noting()
    footer: Any = object()
    hub = Hub(sink, footer=footer)
    hub.painting.add(("web.1", "stdout"))
    hub.release("web.1", "stdout")
    assert sink.partials == [b""]
    assert hub.painting == set()


def test_a_new_child_begins_without_the_colors_of_the_last_one() -> None:
    for stream in ("stdout", "stderr"):
        sink = Noting()
        hub = Hub(sink)
        hub.publish("web.1", stream, b"\x1b[31mred\n")
        hub.child_started("web.1", 7)
        hub.publish("web.1", stream, b"plain\n")
        assert sink.lines[-1] == b"plain\n"


def test_what_is_raw_passes_as_it_is_and_gets_its_last_newline() -> None:
    sink = Noting()
    hub = Hub(sink, raw=True)
    assert hub.is_plain("web.1", "stdout", b"", b"\x1b[2J\n")
    hub.publish("web.1", "stdout", b"\x1b[2J\n")
    hub.publish("web.1", "stdout", b"end")
    hub.publish("web.1", "stdout", b"")
    assert sink.lines == [b"\x1b[2J\n", b"end\n"]


def test_the_rest_of_a_terminal_is_for_messages() -> None:
    assert Hub(Noting(), prefix_width=12).message_columns == 68


class Rows:
    """A footer that notes what it is told to do."""

    columns = 100
    waiting = ("ask.1",)
    next_repaint = 7.5

    def __init__(self) -> None:
        self.calls: list[object] = []

    def show(self, status: object) -> None:
        self.calls.append(("show", status))

    def bracket_pastes(self, on: bool) -> None:
        self.calls.append(("pastes", on))

    def resized(self) -> None:
        self.calls.append("resized")

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


def use_bottom(hub: Hub) -> None:
    hub.show_status(None)
    hub.bracket_pastes(True)
    hub.resized()
    hub.pause()
    hub.resume()


def test_the_bottom_of_a_terminal_belongs_to_the_footer() -> None:
    rows: Any = Rows()
    hub = Hub(Noting(), footer=rows, prefix_width=12)
    use_bottom(hub)
    assert rows.calls == [("show", None), ("pastes", True), "resized", "pause", "resume"]
    assert (hub.has_footer, hub.message_columns, hub.waiting_lines, hub.next_deadline()) == (True, 88, ("ask.1",), 7.5)


def test_without_a_footer_there_is_no_bottom() -> None:
    hub = Hub(Noting())
    use_bottom(hub)
    assert (hub.has_footer, hub.message_columns, hub.waiting_lines, hub.next_deadline()) == (False, 60, (), None)


def test_a_hub_that_is_told_nothing_cleans_what_it_shows_and_has_no_colors() -> None:
    sink = Noting()
    hub = Hub(sink)
    hub.publish("web.1", "stdout", b"a\x1b[2Jb\n")
    assert sink.lines == [b"ab\n"]
    assert (hub.raw, hub.passthrough, hub.palette.colored, hub.taps, hub.painting) == (False, None, False, {}, set())
    assert hub.last_lines("web.1") == [b"ab"]


def test_an_unfinished_line_that_shows_nothing_ends_the_stream_without_a_line() -> None:
    sink = Noting()
    hub = Hub(sink)
    hub.publish("web.1", "stdout", b"\x1b[0m")
    hub.publish("web.1", "stdout", b"end")
    assert sink.lines == [b"end\n"]


def test_rows_that_are_held_back_are_noted_and_shown_when_they_are_released() -> None:
    sink = Noting()
    hub = Hub(sink)
    hub.publish("web.1", "stdout", b"a\n\x1b[1Ab\n")
    hub.publish("web.1", "stderr", b"plain\n")
    assert (sink.lines, hub.painting) == ([b"plain\n"], {("web.1", "stdout")})
    hub.release("web.1", "stdout")
    assert (sink.lines, hub.painting) == ([b"plain\n", b"b\n"], set())
    assert sink.partials == []  # without a footer nothing has to be taken back


def test_a_prompt_behind_held_rows_is_shown_after_them() -> None:
    sink = Noting()
    hub = Hub(sink)
    hub.look_ahead("web.1", "stdout", b"\x1b[1A")
    hub.publish("web.1", "stdout", b"a\n")
    hub.painting.clear()
    assert sink.lines == []
    hub.partial("web.1", "stdout", b"> ")
    assert (sink.lines, sink.partials) == ([b"a\n"], [b"> "])


def test_raw_output_is_not_looked_at() -> None:
    sink = Noting()
    hub = Hub(sink, raw=True)
    hub.look_ahead("web.1", "stdout", b"\x1b[1A")
    hub.publish("web.1", "stdout", b"a\n")
    hub.partial("web.1", "stdout", b"10%\r")
    hub.release("web.1", "stdout")
    assert (sink.lines, sink.partials) == ([b"a\n"], [b"10%\r"])
