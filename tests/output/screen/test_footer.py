from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output.hub import Hub
from procman.output.outlet import Outlet, Writer
from procman.output.palette import Palette
from procman.output.screen.footer import END, FLOOD_SIZE, NO_WRAP, REPAINT_INTERVAL, RESET, WRAP, Footer
from procman.output.sinks.label import Labels
from procman.output.sinks.prefix import Prefix
from procman.output.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PAINTED = RESET + WRAP + b"\r" + END  # the end of a repaint


class Terminal(Writer):
    """A model of a terminal with what the footer needs: rows, a cursor, erasing, moving up, wrapping or not."""

    TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self, columns: int = 80) -> None:
        super().__init__(1, "terminal")
        self.columns = columns
        self.rows = [""]
        self.at = 0
        self.column = 0
        self.wraps = True
        self.waits = False  # keeps all output back
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
        """Reflow: rows that are now too long continue in the next one; the cursor stays on its character."""
        rows: list[str] = []
        for number, row in enumerate(self.rows):
            if number == self.at:
                at = len(rows) + self.column // columns
            rows += [row[start : start + columns] for start in range(0, max(1, len(row)), columns)]
        self.rows, self.at, self.column, self.columns = rows, at, self.column % columns, columns

    @property
    def shown(self) -> list[str]:
        return [row.rstrip() for row in self.rows]


class Session:
    """A hub on a terminal, with a clock that is set by hand."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.now = 100.0
        self.outlet = Outlet(1)
        self.terminal = self.outlet._writer = Terminal(columns)
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
        """Advance the clock to the next repaint."""
        self.now += REPAINT_INTERVAL
        self.outlet.flush()

    @property
    def shown(self) -> list[str]:
        """Return what is on the terminal at the end."""
        self.wait()
        return self.seen

    @property
    def seen(self) -> list[str]:
        """Return what is on the terminal now."""
        assert self.terminal.wraps
        return self.terminal.shown

    @property
    def paintings(self) -> int:
        """Return how often the rows were painted."""
        return b"".join(self.terminal.writes).count(NO_WRAP)


def test_the_status_line_stays_below_the_log() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one\n")
    session.publish("web.1", b"two\nthree\n")
    assert session.shown == ["web.1 | one", "web.1 | two", "web.1 | three", "web 1/1"]


def test_it_is_gone_at_the_end() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one\n")
    session.outlet.close(0)
    assert session.seen == ["web.1 | one", ""]
    assert session.terminal.column == 0


def test_nothing_is_written_while_nothing_changes() -> None:
    session = Session()
    session.status("web 1/1")
    count = len(session.terminal.writes)
    for _ in range(100):
        session.now += 1
        session.status("web 1/1")
    assert len(session.terminal.writes) == count
    assert session.hub.next_deadline() is None


def test_changes_are_painted_ten_times_a_second_at_most() -> None:
    session = Session()
    for number in range(1000):
        session.now += 0.001
        session.status(f"web {number}")
    assert 9 <= len(session.terminal.writes) <= 11
    assert session.hub.next_deadline() is not None


def test_the_last_change_is_painted_when_it_is_due() -> None:
    session = Session()
    session.status("old")
    session.status("new")
    assert session.seen == ["old"]
    due = session.hub.next_deadline()
    assert due == pytest.approx(session.now + REPAINT_INTERVAL)
    session.now = due or 0
    session.outlet.flush()
    assert session.seen == ["new"]


def test_a_busy_log_repaints_it_ten_times_a_second_and_never_lacks_it() -> None:
    session = Session()
    session.status("web 1/1")
    for number in range(2000):
        session.now += 0.001
        session.publish("web.1", b"%d\n" % number)
        assert session.seen[-1] == "web 1/1"
        assert len(session.seen) > number - REPAINT_INTERVAL / 0.001  # no line waits for longer than that
    assert 19 <= session.paintings <= 21
    assert session.shown == [*(f"web.1 | {number}" for number in range(2000)), "web 1/1"]


def test_after_a_silence_a_line_is_shown_at_once() -> None:
    session = Session()
    session.status("web 1/1")
    session.now += REPAINT_INTERVAL
    session.publish("web.1", b"one\n")
    assert session.seen == ["web.1 | one", "web 1/1"]


def test_what_waits_is_due_with_the_next_repaint() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one\n")
    assert session.seen == ["web 1/1"]
    assert session.hub.next_deadline() == pytest.approx(session.now + REPAINT_INTERVAL)
    session.wait()
    assert session.seen == ["web.1 | one", "web 1/1"]
    assert session.hub.next_deadline() is None


def test_a_flood_does_not_wait_and_brings_it_back_ten_times_a_second() -> None:
    session = Session()
    session.status("web 1/1")
    block = (b"x" * 70 + b"\n") * 100
    for turn in range(1, 501):
        session.now += 0.001
        session.publish("web.1", block)
        assert len(session.terminal.rows) * len(block) / 100 > turn * len(block) - FLOOD_SIZE
        assert session.terminal.waits or session.terminal.writes[-1].endswith(b"web 1/1" + PAINTED)
    assert 5 <= session.paintings <= 6
    session.wait()
    assert not session.terminal.waits
    assert session.terminal.rows[-1] == "web 1/1"


@pytest.mark.parametrize("how", ["pause", "resized", "close"])
def test_who_leaves_in_a_flood_lets_the_terminal_go_on(how: str) -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"x\n" * FLOOD_SIZE)
    assert session.terminal.waits
    session.outlet.close(0) if how == "close" else getattr(session.hub, how)()
    session.outlet.flush()
    assert not session.terminal.waits
    assert session.seen[-2:] == ["web.1 | x", ""]


def test_text_and_its_return_are_one_write() -> None:
    session = Session()
    session.status("web 1/1")
    before = len(session.terminal.writes)
    session.publish("web.1", b"one\n" * 1000)
    session.publish("web.1", b"two\n")
    session.wait()
    assert len(session.terminal.writes) == before + 1


def test_a_reader_who_is_stuck_is_painted_nothing() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one\n")
    session.now += REPAINT_INTERVAL
    session.outlet.blocked = True
    assert session.hub.next_deadline() is None
    session.footer.repaint()
    session.outlet.blocked = False
    assert session.shown == ["web.1 | one", "web 1/1"]


def test_without_rows_nothing_waits() -> None:
    session = Session()
    for status in (None, lambda columns: b""):
        session.hub.show_status(status)
        for _ in range(3):
            count = len(session.terminal.rows)
            session.publish("web.1", b"one\n")
            assert len(session.terminal.rows) == count + 1


def test_a_prompt_is_shown_marked_and_vanishes_when_its_line_comes_whole() -> None:
    session = Session()
    session.status("web 1/1")
    session.now += 1
    session.partial("web.1", b"Password: ")
    assert session.shown == ["web.1 | Password: …", "web 1/1"]
    session.publish("worker.1", b"tick\n")
    assert session.shown == ["worker.1| tick", "web.1 | Password: …", "web 1/1"]
    session.publish("web.1", b"Password: secret\n")
    assert session.shown == ["worker.1| tick", "web.1 | Password: secret", "web 1/1"]


@pytest.mark.parametrize(("rows", "shown"), [(1, ["web 1/1"]), (2, ["css.1 | b…", "web 1/1"])])
def test_no_more_stays_at_the_bottom_than_the_terminal_has_rows(rows: int, shown: list[str]) -> None:
    session = Session(rows=rows)
    session.status("web 1/1")
    session.partial("web.1", b"a")
    session.partial("css.1", b"b")
    assert session.shown == shown


def test_rows_that_are_painted_over_are_below_the_log_until_they_stay() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one 0%\ntwo 0%\n")
    session.publish("web.1", b"\x1b[2Aone 50%\ntwo 50%\n")
    session.partial("web.1", b"")
    assert session.shown == ["web.1 | one 0%", "web.1 | two 0%", "web.1 | two 50%…", "web 1/1"]
    session.hub.release("web.1", "stdout")  # as at the end of the process: no further output removes the row
    assert session.shown[2:] == ["web.1 | one 50%", "web.1 | two 50%", "web 1/1"]


def test_a_painted_row_goes_when_its_process_ends_without_words() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one\ntwo\n")
    session.publish("web.1", b"\x1b[2Aone 1\ntwo 1\n")
    session.partial("web.1", b"")
    session.publish("web.1", b"\x1b[2A\x1b[J\n")
    session.hub.release("web.1", "stdout")
    assert [row for row in session.shown if "two 1" in row] == []
    assert not session.footer.held


def test_of_a_long_unfinished_line_no_more_is_sent_than_a_row_may_show() -> None:
    session = Session()
    session.status("web 1/1")
    session.partial("web.1", b"x" * 60_000)
    session.wait()
    count = session.paintings
    sent = sum(map(len, session.terminal.writes))
    assert sent < 10_000
    session.partial("web.1", b"x" * 61_000)
    session.wait()
    assert session.paintings == count


def test_unfinished_lines_keep_their_places() -> None:
    session = Session()
    session.status("web 1/1")
    for tail in (b"10%", b"20%"):
        for name in ("web.1", "css.1"):
            session.partial(name, tail)
    assert session.shown == ["web.1 | 20%…", "css.1 | 20%…", "web 1/1"]


@pytest.mark.parametrize(("rows", "most"), [(8, 3), (12, 3), (24, 6), (50, 12)])
def test_unfinished_lines_have_a_quarter_of_the_rows_and_three_at_least(rows: int, most: int) -> None:
    session = Session(rows=rows)
    session.status("web 1/1")
    for number in range(20):
        session.partial(f"ask.{number + 10}", b"yes? ")
    assert session.shown == [*(f"ask.{number + 10}| yes? …" for number in range(20 - most, 20)), "web 1/1"]


def test_what_moves_gives_way_to_what_waits_for_an_answer() -> None:
    session = Session(rows=12)
    session.status("web 1/1")
    session.partial("ask.1", b"yes? ")
    for tail in (b"10%", b"20%"):
        for name in ("bar.1", "bar.2", "bar.3", "bar.4"):
            session.partial(name, tail)
    assert session.shown == ["ask.1 | yes? …", "bar.3 | 20%…", "bar.4 | 20%…", "web 1/1"]
    session.partial("ask.2", b"no? ")
    assert session.shown == ["ask.1 | yes? …", "bar.4 | 20%…", "ask.2 | no? …", "web 1/1"]
    session.publish("bar.4", b"100%\n")
    session.partial("bar.4", b"sure? ")  # another line, which has not changed yet
    assert session.shown[-4:] == ["ask.1 | yes? …", "ask.2 | no? …", "bar.4 | sure? …", "web 1/1"]


def test_what_is_held_back_for_want_of_room_comes_when_there_is_some() -> None:
    session = Session(rows=12)
    session.status("web 1/1")
    for number in range(5):
        session.partial(f"ask.{number}", b"yes? ")
    assert [row for row in session.shown if "ask.0" in row] == []
    session.footer._size = (80, 24)
    session.partial("ask.4", b"yes? ")
    assert session.shown == [*(f"ask.{number} | yes? …" for number in range(5)), "web 1/1"]


@pytest.mark.parametrize("tail", ["\x1b[?25h", "\x1b[0m", "  ", "⠙\x1b[1G\x1b[0K"])
def test_an_unfinished_line_in_which_nothing_can_be_seen_is_not_shown(tail: str) -> None:
    session = Session()
    session.status("web 1/1")
    session.partial("web.1", tail.encode())
    assert session.shown == ["web 1/1"]
    session.partial("web.1", "⠙".encode())
    assert session.shown == ["web.1 | ⠙…", "web 1/1"]
    session.partial("web.1", tail.encode())
    assert session.shown == ["web 1/1"]


@pytest.mark.parametrize("how", ["hide", "show_only"])
def test_who_is_muted_takes_his_unfinished_line_along(how: str) -> None:
    session = Session()
    session.status("web 1/1")
    session.partial("web.1", b"Password: ")
    session.partial("css.1", b"building")
    session.hub.hide(["web"]) if how == "hide" else session.hub.show_only(["css"])
    assert session.shown == ["css.1 | building…", "web 1/1"]
    session.publish("web.1", b"Password: x\n")
    session.publish("css.1", b"building: done\n")
    assert session.shown == ["css.1 | building: done", "web 1/1"]


def test_a_progress_bar_under_way_is_one_row() -> None:
    session = Session()
    for percent in range(0, 100, 10):
        session.now += 1
        session.partial("web.1", b"".join(b"%d%%\r" % p for p in range(percent + 1)))
    assert session.shown == ["web.1 | 90%…"]
    session.publish("web.1", b"".join(b"%d%%\r" % p for p in range(101)) + b"\n")
    assert session.shown == ["web.1 | 100%", ""]


def test_a_row_that_is_too_long_is_cut_and_not_wrapped() -> None:
    session = Session(20)
    session.now += 1
    session.partial("web.1", b"x" * 100)
    session.status("s" * 20)
    session.publish("css.1", b"one\n")
    assert len(session.shown) == 3
    session.hub.close()
    session.outlet.close(0)
    assert session.shown == ["css.1 | one", ""]


@pytest.mark.parametrize("columns", [10, 7, 40])
def test_a_terminal_that_is_resized_shows_nothing_twice(columns: int) -> None:
    session = Session(20)
    session.status("0123456789abcdef")
    session.publish("web.1", b"one\n")
    session.terminal.resize(columns)
    session.hub.resized()
    session.publish("web.1", b"two\n")
    shown = "".join(session.shown)
    assert shown.count("012345") == 1
    assert shown.endswith("0123456789abcdef"[:columns] if columns < 16 else "0123456789abcdef")


def test_before_we_are_stopped_the_terminal_is_left_clean() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"one\n")
    session.hub.pause()
    session.outlet.flush()
    assert session.seen == ["web.1 | one", ""]
    session.publish("web.1", b"two\n")
    assert session.seen == ["web.1 | one", "web.1 | two", ""]
    session.hub.resume()
    session.now += 1
    session.outlet.flush()
    assert session.shown[-1] == "web 1/1"


def test_without_rows_no_control_sequence_is_written() -> None:
    session = Session()
    session.publish("web.1", b"one\n")
    session.hub.resized()
    session.publish("web.1", b"two\n")
    session.hub.close()
    session.outlet.close(0)
    assert b"\x1b" not in b"".join(session.terminal.writes)


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
    session = Session(60)
    log: list[str] = []
    for number, (action, word) in enumerate(actions):
        if action == "publish":
            session.publish(word, b"%d\n" % number)
            log.append(f"{word:6}| {number}")
        elif action == "partial":
            session.partial(word, b"%d?" % number)
        elif action == "status":
            session.status(word)
        elif action == "wait":
            session.wait()
        elif action == "resize":
            session.terminal.resize(int(word))
            session.hub.resized()
            session.outlet.flush()
        else:
            getattr(session.hub, action)()
            session.outlet.flush()
        told = sum(row in log for row in session.seen)
        assert session.seen[:told] == log[:told]
        assert len(session.seen) <= told + 4
        assert action != "wait" or told == len(log)
    session.hub.close()
    session.outlet.close(0)
    assert session.shown == [*log, ""]


def test_the_rows_stay_away_after_the_end() -> None:
    session = Session()
    session.status("web 1/1")
    session.partial("ask.1", b"yes? ")
    session.now += 1
    session.footer.close()
    session.now += 1
    session.footer.repaint()
    session.outlet.flush()
    assert session.seen == [""]
    assert session.footer.held == ()


def test_a_new_line_of_a_bar_may_be_a_prompt() -> None:
    session = Session(rows=12)
    for tail in (b"10%", b"20%"):
        session.partial("bar.1", tail)
    for name in ("ask.1", "ask.2", "ask.3"):
        session.partial(name, b"yes? ")
    session.publish("bar.1", b"100%\n")
    session.partial("bar.1", b"sure? ")
    assert session.shown[-3:] == ["ask.2 | yes? …", "ask.3 | yes? …", "bar.1 | sure? …"]


def test_bracketed_paste_is_switched_on_and_off() -> None:
    written: list[bytes] = []

    class Writes(Outlet):
        def put(self, *parts: object) -> None:
            written.extend(parts)  # type: ignore[arg-type]

    footer = Footer(Writes(1))
    footer.bracket_pastes(True)
    footer.bracket_pastes(False)
    assert written == [b"\x1b[?2004h", b"\x1b[?2004l"]


def test_nothing_is_queued_for_a_reader_who_is_stuck() -> None:
    session = Session()
    session.status("web 1/1")
    session.outlet.blocked = True
    session.hub.show_status(lambda columns: b"web 0/1")
    for _ in range(3):
        session.now += REPAINT_INTERVAL
        session.footer.repaint()
    session.outlet.blocked = False
    session.wait()
    assert session.paintings == 2
    assert session.seen == ["web 0/1"]


def test_the_terminal_is_measured_again_when_it_is_resized(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(100, 30), (50, 10), (0, 0)]
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: sizes.pop(0))
    footer = Footer(Outlet(1))
    assert footer.columns == footer.columns == 100
    footer.resized()
    assert footer.columns == 50
    footer.resized()
    assert footer.columns == 80  # a terminal that does not know its size


def test_the_status_line_is_made_again_for_a_new_width(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(columns=30)
    session.status("x" * 40)
    session.now += 1
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: (20, 24))
    session.terminal.resize(20)
    session.footer.resized()
    assert session.shown == ["x" * 20]


def test_little_text_is_no_flood_however_long_it_goes_on() -> None:
    session = Session()
    session.status("web 1/1")
    for _ in range(3):
        session.wait()
        session.publish("web.1", b"x\n" * (FLOOD_SIZE // 20))  # less than a flood, with its prefix
    assert not session.terminal.waits
    session.publish("web.1", b"last\n")
    assert not session.terminal.waits
    assert session.seen[-1] == "web 1/1"


def test_after_a_flood_nothing_but_text_is_written_once_the_rows_are_gone() -> None:
    session = Session()
    session.status("web 1/1")
    session.publish("web.1", b"x\n" * FLOOD_SIZE)
    session.wait()
    session.now += 1
    session.hub.show_status(lambda columns: b"")
    session.wait()
    before = len(session.terminal.writes)
    session.publish("web.1", b"one\n")
    assert b"\x1b" not in b"".join(session.terminal.writes[before:])


def test_the_prompt_of_a_process_that_is_hidden_disappears() -> None:
    session = Session()
    session.partial("web.1", b"name? ")
    assert session.shown == ["web.1 | name? …"]
    session.hub.hide(["web"])
    assert session.shown in ([], [""])
    assert not session.footer.held


def test_of_a_very_long_prompt_only_the_start_is_kept() -> None:
    session = Session()
    session.partial("web.1", b"x" * 100_000)
    (row,) = session.footer._held.values()
    assert len(row) < 5000


def test_the_prompt_of_a_process_that_gets_the_terminal_disappears() -> None:
    session = Session()
    session.partial("web.1", b"name? ")
    session.hub.lend("web.1")
    assert session.footer.held == ()


@pytest.mark.parametrize("tail", [b"", b"  ", b"\x1b[31m", b" \x1b[31m "])
def test_an_unfinished_line_without_anything_visible_is_not_shown(tail: bytes) -> None:
    session = Session()
    session.hub.screen.partial("web.1", "stdout", b"50 %")
    assert session.footer.held == (("web.1", "stdout"),)
    session.hub.screen.partial("web.1", "stdout", tail)
    assert not session.footer.held


class Paper(Outlet):
    """An outlet that keeps what is put into it, behind a footer with a clock that is set by hand."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__(1)
        self.now = 100.0
        self.written = b""
        self.bottom = Footer(self, (columns, rows), lambda: self.now)

    def put(self, *parts: object) -> None:
        self.written += b"".join(parts)  # type: ignore[arg-type]

    def painted(self, seconds: float = 0.0) -> bytes:
        """Return what is written by the next repaint."""
        self.now += seconds
        self.written = b""
        self.bottom.repaint()
        return self.written


def test_a_line_that_stands_still_waits_and_one_that_moves_does_not() -> None:
    footer = Paper().bottom
    assert list(footer.waiting) == []
    for row in (b"10%", b"20%"):
        footer.hold(("bar.1", "stdout"), row)
        footer.hold(("ask.1", "stderr"), b"yes? ")
    assert footer.held == (("bar.1", "stdout"), ("ask.1", "stderr"))
    assert list(footer.waiting) == ["ask.1"]
    assert footer.release(("bar.1", "stdout"))
    footer.hold(("bar.1", "stdout"), b"sure? ")
    assert list(footer.waiting) == ["ask.1", "bar.1"]
    assert footer.release(("ask.1", "stderr"))
    assert not footer.release(("bar.1", "stdout"))
    assert not footer.release(("nobody", "stdout"))
    assert list(footer.waiting) == []


def test_rows_that_are_no_longer_wanted_stay_until_the_next_repaint_is_due() -> None:
    paper = Paper()
    paper.bottom.show(lambda _columns: b"web 1/1")
    assert b"web 1/1" in paper.painted()
    paper.bottom.show(None)
    assert paper.bottom.next_repaint == 100.0 + REPAINT_INTERVAL
    assert paper.painted(REPAINT_INTERVAL / 2) == b""
    assert paper.painted(REPAINT_INTERVAL / 2).endswith(b"\r\x1b[J" + END)
    assert paper.bottom.next_repaint is None
    assert paper.painted(1.0) == b""


def test_text_without_rows_waits_for_nothing() -> None:
    paper = Paper()
    paper.bottom.put(b"one\n")
    assert paper.bottom.next_repaint == float("-inf")
    assert paper.painted() == b"one\n"
    paper.bottom.put(b"two\n")
    assert paper.painted() == b"two\n"


def test_a_pause_leaves_a_clean_terminal_and_ends_with_the_rows() -> None:
    paper = Paper()
    paper.bottom.show(lambda _columns: b"web 1/1")
    paper.painted()
    paper.bottom.put(b"one\n")
    paper.written = b""
    paper.bottom.pause()
    assert paper.written == b"\r\x1b[J" + END + b"one\n"
    assert paper.bottom.next_repaint is None
    paper.bottom.put(b"two\n")
    assert paper.painted(1.0) == b"two\n"
    paper.bottom.resume()
    assert b"web 1/1" in paper.painted(1.0)


@pytest.mark.parametrize(("rows", "shown"), [(1, 1), (2, 2), (3, 3), (24, 3)])
def test_no_more_rows_are_painted_than_fit(rows: int, shown: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: (80, rows))
    paper = Paper()
    paper.bottom.resized()
    for name in ("ask.1", "ask.2"):
        paper.bottom.hold((name, "stdout"), name.encode())
    paper.bottom.show(lambda _columns: b"web 1/1")
    painted = paper.painted()
    assert [row in painted for row in (b"ask.1", b"ask.2", b"web 1/1")] == [at >= 3 - shown for at in range(3)]


@pytest.mark.parametrize(("size", "shown"), [((80, 0), 7), ((80, 12), 4), ((80, 20), 6), ((0, 20), 6)])
def test_unfinished_lines_get_a_quarter_of_the_rows(
    size: tuple[int, int], shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.get_terminal_size", lambda _fd: size)
    paper = Paper()
    paper.bottom.resized()
    for number in range(9):
        paper.bottom.hold((f"ask.{number}", "stdout"), b"ask.%d" % number)
    most = shown - 1
    assert paper.painted().count(b"ask.") == most
    assert paper.bottom.columns == 80


@pytest.mark.parametrize(("size", "flood"), [(FLOOD_SIZE, False), (FLOOD_SIZE + 1, True)])
def test_more_text_than_this_is_written_at_once(size: int, flood: bool) -> None:
    paper = Paper()
    paper.bottom.show(lambda _columns: b"web 1/1")
    paper.painted()
    paper.written = b""
    paper.bottom.put(b"x" * (size - 1), b"\n")
    assert (paper.written != b"") is flood
