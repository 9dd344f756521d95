from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.hub import Hub
from procman.output.outlet import Outlet
from procman.output.palette import Palette
from procman.output.screen.footer import END, FLOOD, INTERVAL, NO_WRAP, RESET, WRAP, Footer
from procman.output.sinks.label import Labels
from procman.output.sinks.prefix import Prefix
from procman.output.stamp import Stamp
from procman.output.writers import Way

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAINTED = RESET + WRAP + b"\r" + END  # how a painting ends


class Terminal(Way):
    """As much of a terminal as the footer needs: rows, a cursor, erasing, going up, wrapping or not."""

    TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self, columns: int = 80) -> None:
        super().__init__(1, "terminal")
        self.columns = columns
        self.rows = [""]
        self.at = 0
        self.column = 0
        self.wraps = True
        self.waits = False  # shows nothing of what it is told
        self.writes: list[bytes] = []

    def send(self, parts: Sequence[object]) -> int:
        data = b"".join(parts)  # type: ignore[arg-type]
        self.writes.append(data)
        for match in self.TOKEN.finditer(data.decode()):
            self._take(match)
        return len(data)

    def _take(self, match: re.Match[str]) -> None:
        parameters, final, control, text = match.groups()
        if final == "J":
            self.rows[self.at] = self.rows[self.at][: self.column]
            del self.rows[self.at + 1 :]
        elif final == "A":
            self.at -= int(parameters)
        elif final in ("h", "l"):
            assert parameters in ("?7", "?2026")
            if parameters == "?7":
                self.wraps = final == "h"
            else:
                self.waits = final == "h"
        elif final == "m":
            pass
        elif final:
            raise AssertionError(f"what is {match[0]!r}?")
        elif control == "\r":
            self.column = 0
        elif control:
            self.column = 0  # the terminal driver's ONLCR
            self._next_row()
        else:
            self._write(text)

    def _write(self, text: str) -> None:
        row = self.rows[self.at].ljust(self.column)
        if self.column + len(text) <= self.columns:  # the usual case, fast
            self.column += len(text)
            self.rows[self.at] = row[: self.column - len(text)] + text + row[self.column :]
            return
        for char in text:
            if self.column == self.columns:
                if not self.wraps:
                    continue
                self.column = 0
                self._next_row()
            row = self.rows[self.at].ljust(self.column)
            self.rows[self.at] = row[: self.column] + char + row[self.column + 1 :]
            self.column += 1

    def _next_row(self) -> None:
        self.at += 1
        if self.at == len(self.rows):
            self.rows.append("")

    def resize(self, columns: int) -> None:
        """Reflow: rows that have become too long continue on the next; the cursor stays on its character."""
        rows: list[str] = []
        for number, row in enumerate(self.rows):
            if number == self.at:
                at = len(rows) + self.column // columns
            rows += [row[start : start + columns] for start in range(0, max(1, len(row)), columns)]
        self.rows, self.at, self.column, self.columns = rows, at, self.column % columns, columns

    @property
    def shown(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


class Desk:
    """A hub on a terminal, with a clock that is set by hand."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.now = 100.0
        self.outlet = Outlet(1)
        self.terminal = self.outlet._way = Terminal(columns)
        self.footer = Footer(self.outlet, (columns, rows), lambda: self.now)
        labels = Labels("{name}| ", Palette(False), ("web.1",), {})
        self.hub = Hub(Prefix(self.outlet, labels, Stamp("off"), self.footer), footer=self.footer)

    def publish(self, name: str, lines: bytes) -> None:
        self.hub.publish(name, "stdout", lines)
        self.outlet.flush()

    def status(self, text: str) -> None:
        self.hub.show_status(lambda columns: text[:columns].encode())
        self.outlet.flush()

    def partial(self, name: str, tail: bytes) -> None:
        self.hub.partial(name, "stdout", tail)
        self.outlet.flush()

    def wait(self) -> None:
        """Let the time pass until the next repaint."""
        self.now += INTERVAL
        self.outlet.flush()

    @property
    def shown(self) -> list[str]:
        """What is on the terminal in the end."""
        self.wait()
        return self.seen

    @property
    def seen(self) -> list[str]:
        """What is on the terminal now."""
        assert self.terminal.wraps
        return self.terminal.shown

    @property
    def paintings(self) -> int:
        """How often the rows were painted."""
        return b"".join(self.terminal.writes).count(NO_WRAP)


def test_the_status_line_stays_below_the_log() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one\n")
    desk.publish("web.1", b"two\nthree\n")
    assert desk.shown == ["web.1 | one", "web.1 | two", "web.1 | three", "web 1/1"]


def test_it_is_gone_at_the_end() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one\n")
    desk.outlet.close(0)
    assert desk.seen == ["web.1 | one", ""]
    assert desk.terminal.column == 0


def test_nothing_is_written_while_nothing_changes() -> None:
    desk = Desk()
    desk.status("web 1/1")
    count = len(desk.terminal.writes)
    for _ in range(100):
        desk.now += 1
        desk.status("web 1/1")
    assert len(desk.terminal.writes) == count
    assert desk.hub.next_deadline() is None


def test_changes_are_painted_ten_times_a_second_at_most() -> None:
    desk = Desk()
    for number in range(1000):
        desk.now += 0.001
        desk.status(f"web {number}")
    assert 9 <= len(desk.terminal.writes) <= 11
    assert desk.hub.next_deadline() is not None


def test_the_last_change_is_painted_when_it_is_due() -> None:
    desk = Desk()
    desk.status("old")
    desk.status("new")
    assert desk.seen == ["old"]
    due = desk.hub.next_deadline()
    assert due == pytest.approx(desk.now + INTERVAL)
    desk.now = due or 0
    desk.outlet.flush()
    assert desk.seen == ["new"]


def test_a_busy_log_repaints_it_ten_times_a_second_and_never_lacks_it() -> None:
    desk = Desk()
    desk.status("web 1/1")
    for number in range(2000):
        desk.now += 0.001
        desk.publish("web.1", b"%d\n" % number)
        assert desk.seen[-1] == "web 1/1"
        assert len(desk.seen) > number - INTERVAL / 0.001  # no line waits for longer than that
    assert 19 <= desk.paintings <= 21
    assert desk.shown == [*(f"web.1 | {number}" for number in range(2000)), "web 1/1"]


def test_after_a_silence_a_line_is_shown_at_once() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.now += INTERVAL
    desk.publish("web.1", b"one\n")
    assert desk.seen == ["web.1 | one", "web 1/1"]


def test_what_waits_is_due_with_the_next_repaint() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one\n")
    assert desk.seen == ["web 1/1"]
    assert desk.hub.next_deadline() == pytest.approx(desk.now + INTERVAL)
    desk.wait()
    assert desk.seen == ["web.1 | one", "web 1/1"]
    assert desk.hub.next_deadline() is None


def test_a_flood_does_not_wait_and_brings_it_back_ten_times_a_second() -> None:
    desk = Desk()
    desk.status("web 1/1")
    block = (b"x" * 70 + b"\n") * 100
    for turn in range(1, 501):
        desk.now += 0.001
        desk.publish("web.1", block)
        assert len(desk.terminal.rows) * len(block) / 100 > turn * len(block) - FLOOD
        assert desk.terminal.waits or desk.terminal.writes[-1].endswith(b"web 1/1" + PAINTED)
    assert 5 <= desk.paintings <= 6
    desk.wait()
    assert not desk.terminal.waits
    assert desk.terminal.rows[-1] == "web 1/1"


@pytest.mark.parametrize("how", ["pause", "resized", "close"])
def test_who_leaves_in_a_flood_lets_the_terminal_go_on(how: str) -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"x\n" * FLOOD)
    assert desk.terminal.waits
    desk.outlet.close(0) if how == "close" else getattr(desk.hub, how)()
    desk.outlet.flush()
    assert not desk.terminal.waits
    assert desk.seen[-2:] == ["web.1 | x", ""]


def test_text_and_its_return_are_one_write() -> None:
    desk = Desk()
    desk.status("web 1/1")
    before = len(desk.terminal.writes)
    desk.publish("web.1", b"one\n" * 1000)
    desk.publish("web.1", b"two\n")
    desk.wait()
    assert len(desk.terminal.writes) == before + 1


def test_a_reader_who_is_stuck_is_painted_nothing() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one\n")
    desk.now += INTERVAL
    desk.outlet.blocked = True
    assert desk.hub.next_deadline() is None
    desk.footer.settle()
    desk.outlet.blocked = False
    assert desk.shown == ["web.1 | one", "web 1/1"]


def test_without_rows_nothing_waits() -> None:
    desk = Desk()
    for status in (None, lambda columns: b""):
        desk.hub.show_status(status)
        for _ in range(3):
            count = len(desk.terminal.rows)
            desk.publish("web.1", b"one\n")
            assert len(desk.terminal.rows) == count + 1


def test_a_prompt_is_shown_marked_and_vanishes_when_its_line_comes_whole() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.now += 1
    desk.partial("web.1", b"Password: ")
    assert desk.shown == ["web.1 | Password: …", "web 1/1"]
    desk.publish("worker.1", b"tick\n")
    assert desk.shown == ["worker.1| tick", "web.1 | Password: …", "web 1/1"]
    desk.publish("web.1", b"Password: secret\n")
    assert desk.shown == ["worker.1| tick", "web.1 | Password: secret", "web 1/1"]


@pytest.mark.parametrize(("rows", "shown"), [(1, ["web 1/1"]), (2, ["css.1 | b…", "web 1/1"])])
def test_no_more_stays_at_the_bottom_than_the_terminal_has_rows(rows: int, shown: list[str]) -> None:
    desk = Desk(rows=rows)
    desk.status("web 1/1")
    desk.partial("web.1", b"a")
    desk.partial("css.1", b"b")
    assert desk.shown == shown


def test_rows_that_are_painted_over_are_below_the_log_until_they_stay() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one 0%\ntwo 0%\n")
    desk.publish("web.1", b"\x1b[2Aone 50%\ntwo 50%\n")
    desk.partial("web.1", b"")
    assert desk.shown == ["web.1 | one 0%", "web.1 | two 0%", "web.1 | two 50%…", "web 1/1"]
    desk.hub.release("web.1", "stdout")  # as at the end of the process: no more words bring the row away
    assert desk.shown[2:] == ["web.1 | one 50%", "web.1 | two 50%", "web 1/1"]


def test_a_painted_row_goes_when_its_process_ends_without_words() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one\ntwo\n")
    desk.publish("web.1", b"\x1b[2Aone 1\ntwo 1\n")
    desk.partial("web.1", b"")
    desk.publish("web.1", b"\x1b[2A\x1b[J\n")
    desk.hub.release("web.1", "stdout")
    assert [row for row in desk.shown if "two 1" in row] == []
    assert not desk.footer.held


def test_of_a_long_unfinished_line_no_more_is_sent_than_a_row_may_show() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.partial("web.1", b"x" * 60_000)
    desk.wait()
    count = desk.paintings
    sent = sum(map(len, desk.terminal.writes))
    assert sent < 10_000
    desk.partial("web.1", b"x" * 61_000)
    desk.wait()
    assert desk.paintings == count


def test_unfinished_lines_keep_their_places() -> None:
    desk = Desk()
    desk.status("web 1/1")
    for tail in (b"10%", b"20%"):
        for name in ("web.1", "css.1"):
            desk.partial(name, tail)
    assert desk.shown == ["web.1 | 20%…", "css.1 | 20%…", "web 1/1"]


@pytest.mark.parametrize(("rows", "most"), [(8, 3), (12, 3), (24, 6), (50, 12)])
def test_unfinished_lines_have_a_quarter_of_the_rows_and_three_at_least(rows: int, most: int) -> None:
    desk = Desk(rows=rows)
    desk.status("web 1/1")
    for number in range(20):
        desk.partial(f"ask.{number + 10}", b"yes? ")
    assert desk.shown == [*(f"ask.{number + 10}| yes? …" for number in range(20 - most, 20)), "web 1/1"]


def test_what_moves_gives_way_to_what_waits_for_an_answer() -> None:
    desk = Desk(rows=12)
    desk.status("web 1/1")
    desk.partial("ask.1", b"yes? ")
    for tail in (b"10%", b"20%"):
        for name in ("bar.1", "bar.2", "bar.3", "bar.4"):
            desk.partial(name, tail)
    assert desk.shown == ["ask.1 | yes? …", "bar.3 | 20%…", "bar.4 | 20%…", "web 1/1"]
    desk.partial("ask.2", b"no? ")
    assert desk.shown == ["ask.1 | yes? …", "bar.4 | 20%…", "ask.2 | no? …", "web 1/1"]
    desk.publish("bar.4", b"100%\n")
    desk.partial("bar.4", b"sure? ")  # another line, which stands still so far
    assert desk.shown[-4:] == ["ask.1 | yes? …", "ask.2 | no? …", "bar.4 | sure? …", "web 1/1"]


def test_what_is_held_back_for_want_of_room_comes_when_there_is_some() -> None:
    desk = Desk(rows=12)
    desk.status("web 1/1")
    for number in range(5):
        desk.partial(f"ask.{number}", b"yes? ")
    assert [row for row in desk.shown if "ask.0" in row] == []
    desk.footer._size = (80, 24)
    desk.partial("ask.4", b"yes? ")
    assert desk.shown == [*(f"ask.{number} | yes? …" for number in range(5)), "web 1/1"]


@pytest.mark.parametrize("tail", ["\x1b[?25h", "\x1b[0m", "  ", "⠙\x1b[1G\x1b[0K"])
def test_an_unfinished_line_in_which_nothing_can_be_seen_is_not_shown(tail: str) -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.partial("web.1", tail.encode())
    assert desk.shown == ["web 1/1"]
    desk.partial("web.1", "⠙".encode())
    assert desk.shown == ["web.1 | ⠙…", "web 1/1"]
    desk.partial("web.1", tail.encode())
    assert desk.shown == ["web 1/1"]


@pytest.mark.parametrize("how", ["hide", "show_only"])
def test_who_is_muted_takes_his_unfinished_line_along(how: str) -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.partial("web.1", b"Password: ")
    desk.partial("css.1", b"building")
    desk.hub.hide(["web"]) if how == "hide" else desk.hub.show_only(["css"])
    assert desk.shown == ["css.1 | building…", "web 1/1"]
    desk.publish("web.1", b"Password: x\n")
    desk.publish("css.1", b"building: done\n")
    assert desk.shown == ["css.1 | building: done", "web 1/1"]


def test_a_progress_bar_under_way_is_one_row() -> None:
    desk = Desk()
    for percent in range(0, 100, 10):
        desk.now += 1
        desk.partial("web.1", b"".join(b"%d%%\r" % p for p in range(percent + 1)))
    assert desk.shown == ["web.1 | 90%…"]
    desk.publish("web.1", b"".join(b"%d%%\r" % p for p in range(101)) + b"\n")
    assert desk.shown == ["web.1 | 100%", ""]


def test_a_row_that_is_too_long_is_cut_and_not_wrapped() -> None:
    desk = Desk(20)
    desk.now += 1
    desk.partial("web.1", b"x" * 100)
    desk.status("s" * 20)
    desk.publish("css.1", b"one\n")
    assert len(desk.shown) == 3
    desk.hub.close()
    desk.outlet.close(0)
    assert desk.shown == ["css.1 | one", ""]


@pytest.mark.parametrize("columns", [10, 7, 40])
def test_a_terminal_that_is_resized_shows_nothing_twice(columns: int) -> None:
    desk = Desk(20)
    desk.status("0123456789abcdef")
    desk.publish("web.1", b"one\n")
    desk.terminal.resize(columns)
    desk.hub.resized()
    desk.publish("web.1", b"two\n")
    shown = "".join(desk.shown)
    assert shown.count("012345") == 1
    assert shown.endswith("0123456789abcdef"[:columns] if columns < 16 else "0123456789abcdef")


def test_before_we_are_stopped_the_terminal_is_left_clean() -> None:
    desk = Desk()
    desk.status("web 1/1")
    desk.publish("web.1", b"one\n")
    desk.hub.pause()
    desk.outlet.flush()
    assert desk.seen == ["web.1 | one", ""]
    desk.publish("web.1", b"two\n")
    assert desk.seen == ["web.1 | one", "web.1 | two", ""]
    desk.hub.resume()
    desk.now += 1
    desk.outlet.flush()
    assert desk.shown[-1] == "web 1/1"


def test_without_rows_no_control_sequence_is_written() -> None:
    desk = Desk()
    desk.publish("web.1", b"one\n")
    desk.hub.resized()
    desk.publish("web.1", b"two\n")
    desk.hub.close()
    desk.outlet.close(0)
    assert b"\x1b" not in b"".join(desk.terminal.writes)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(["web.1", "worker.1"])),
        st.tuples(st.just("partial"), st.sampled_from(["web.1", "worker.1"])),
        st.tuples(st.just("status"), st.sampled_from(["", "s" * 10, "t" * 30])),
        st.tuples(st.just("wait"), st.just("")),
        st.tuples(st.just("resize"), st.sampled_from(["40", "60", "90"])),
        st.tuples(st.just("pause"), st.just("")),
        st.tuples(st.just("resume"), st.just("")),
    )
)


@given(ACTIONS)
def test_the_log_above_is_always_whole(actions: list[tuple[str, str]]) -> None:
    desk = Desk(60)
    log: list[str] = []
    for number, (action, word) in enumerate(actions):
        if action == "publish":
            desk.publish(word, b"%d\n" % number)
            log.append(f"{word:6}| {number}")
        elif action == "partial":
            desk.partial(word, b"%d?" % number)
        elif action == "status":
            desk.status(word)
        elif action == "wait":
            desk.wait()
        elif action == "resize":
            desk.terminal.resize(int(word))
            desk.hub.resized()
            desk.outlet.flush()
        else:
            getattr(desk.hub, action)()
            desk.outlet.flush()
        told = sum(row in log for row in desk.seen)
        assert desk.seen[:told] == log[:told]
        assert len(desk.seen) <= told + 4
        assert action != "wait" or told == len(log)
    desk.hub.close()
    desk.outlet.close(0)
    assert desk.shown == [*log, ""]
