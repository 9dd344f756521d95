"""Pumps read fairly: a flood does not delay light writers, and nothing is read while the output is full."""

from __future__ import annotations

import errno
import os
import select
from itertools import pairwise
from typing import Any

import pytest

from procman.core.text.lines import STAYS
from procman.output.outlet import LARGE_CHUNK
from procman.runtime.loop import pumps as pumps_module
from procman.runtime.loop.pumps import (
    BYTES_PER_POLL,
    CHUNK_SIZE,
    FULL_READS_TO_WIDEN,
    LONE_FLOOD_SIZE,
    MAX_OWED,
    MAX_SHARED_FLOODS,
    PAINTING_DELAY,
    PARTIAL_DELAY,
    TURN_LIMIT,
    TURN_SIZE,
    WATCH_RETRY_INTERVAL,
    WIDE_CHUNK_SIZE,
    Pumps,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.runtime.loop.pumps import Pump

LINE = b"x" * 79 + b"\n"


class FullAfterEveryChunk:
    """An outlet whose reader takes one chunk a turn, as a slow one does."""

    blocked = False
    eager = False
    owed = 0


class Listener:
    """A hub that notes which pumps delivered; each delivery fills the output."""

    raw = False
    has_footer = False

    def __init__(self, outlet: FullAfterEveryChunk) -> None:
        self.taps: dict[str, Callable[[bytes], None]] = {}
        self.painting: set[tuple[str, str]] = set()
        self.heard: list[tuple[str, bytes]] = []
        self.eager: list[bool] = []  # whether the outlet was, each time
        self.refusals = 0  # of unfinished lines, while others speak
        self.released: list[str] = []
        self.partials: list[bytes] = []
        self._outlet = outlet

    def is_plain(self, *_: object) -> bool:
        return True

    def release(self, name: str, stream: str) -> None:
        self.painting.discard((name, stream))
        self.released.append(name)

    def partial(self, name: str, stream: str, tail: bytes) -> bool:
        self.partials.append(tail)
        return len(self.partials) <= self.refusals

    def publish_parts(self, name: str, stream: str, before: bytes, chunk: bytes, end: int) -> None:
        self.publish(name, stream, before + chunk[:end])

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        self.heard.append((name, lines))
        self.eager.append(self._outlet.eager)
        self._outlet.blocked = True


class Table:
    """Pumps, and the writing ends of their pipes."""

    def __init__(self) -> None:
        self.outlet = FullAfterEveryChunk()
        self.hub = Listener(self.outlet)
        untyped: Any = (self.hub, self.outlet)
        self.pumps = Pumps(*untyped)
        self.writers: dict[str, int] = {}
        self.readers: dict[str, Pump] = {}

    def seat(self, *names: str) -> None:
        for name in names:
            reader, self.writers[name] = os.pipe()
            os.set_blocking(reader, False)
            os.set_blocking(self.writers[name], False)
            self.readers[name] = self.pumps.add(reader, name, "stdout")

    def flood(self, *names: str) -> None:
        for name in names:
            try:
                while True:
                    os.write(self.writers[name], LINE * (CHUNK_SIZE // len(LINE)))
            except BlockingIOError:
                pass

    def flood_for_ever(self) -> None:
        """From now on the output is never full, and each flood that is read has more to read immediately."""

        def taken(name: str, stream: str, lines: bytes) -> None:
            self.hub.heard.append((name, lines))
            if name.startswith("flood"):
                self.flood(name)

        self.hub.publish = taken  # type: ignore[method-assign]  # a reader who takes all, of those who never end

    def turn(self) -> list[str]:
        """Run one turn of the engine, which serves no pump while the output is full. Return those that it served."""
        self.outlet.blocked = False
        before = len(self.hub.heard)
        self.pumps.serve()
        return [name for name, _ in self.hub.heard[before:]]

    def clear(self) -> None:
        for fd in (*self.writers.values(), *(pump.fd for pump in self.readers.values())):
            os.close(fd)


class Clock:
    """A clock that advances a little whenever it is read, so that a busy machine does not cut a turn short."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    monkeypatch.setattr(pumps_module, "time", Clock())
    table = Table()
    yield table
    table.clear()


def test_a_quiet_child_is_heard_at_the_next_turn_after_a_flood_filled_the_output(table: Table) -> None:
    table.seat("flood", "quiet")
    for _ in range(20):
        table.flood("flood")
        os.write(table.writers["quiet"], b"hello\n")
        assert "quiet" in table.turn() + table.turn()


@pytest.mark.parametrize("number", [1, 8])
def test_who_said_least_the_last_time_comes_first(table: Table, number: int) -> None:
    floods = [f"flood{place}" for place in range(number)]
    table.seat(*floods, "quiet")
    table.flood(*floods)
    os.write(table.writers["quiet"], b"hello\n")
    for _ in range(len(floods) + 1):  # each is heard once, and known from then on
        table.turn()
    table.flood(*floods)
    os.write(table.writers["quiet"], b"again\n")
    assert table.turn() == ["quiet"]


def test_a_line_waits_for_others_of_its_turn_only_where_there_are_some(table: Table) -> None:
    table.seat("one", "two")
    os.write(table.writers["one"], b"alone\n")
    table.turn()
    for name in ("one", "two"):
        os.write(table.writers[name], b"together\n")
    table.turn()
    table.turn()
    assert table.hub.eager[:2] == [True, False]
    assert not table.outlet.eager


def test_every_flood_has_its_turn(table: Table) -> None:
    floods = [f"flood{number}" for number in range(8)]
    table.seat(*floods)
    heard: list[str] = []
    for _ in range(24):
        table.flood(*floods)
        heard += table.turn()
    assert {heard.count(name) for name in floods} == {3}


@pytest.mark.parametrize("number", [3, MAX_SHARED_FLOODS, 3 * MAX_SHARED_FLOODS])
def test_floods_that_nothing_holds_back_are_read_in_equal_parts(table: Table, number: int) -> None:
    floods = [f"flood{place}" for place in range(number)]
    table.seat(*floods)
    table.flood_for_ever()
    table.flood(*floods)
    heard = dict.fromkeys(floods, 0)
    for _ in range(20 * number):
        before = len(table.hub.heard)
        table.turn()
        for name, lines in table.hub.heard[before:]:
            heard[name] += len(lines)
    assert max(heard.values()) - min(heard.values()) <= TURN_SIZE + WIDE_CHUNK_SIZE


def test_a_flood_without_end_is_read_several_times_a_turn_but_not_for_ever(table: Table) -> None:
    """Signals and ends are handled after it."""
    table.seat("flood")
    table.flood_for_ever()
    table.flood("flood")
    table.turn()
    heard = sum(len(lines) for _, lines in table.hub.heard)
    assert TURN_SIZE <= heard < TURN_SIZE + LONE_FLOOD_SIZE + WIDE_CHUNK_SIZE


class Costly:
    """A hub for which every chunk takes the same time, and its clock."""

    def __init__(self, table: Table, cost: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        publish = table.hub.publish

        def dear(name: str, stream: str, lines: bytes) -> None:
            self.now += cost
            publish(name, stream, lines)
            table.outlet.blocked = False

        table.hub.publish = dear  # type: ignore[method-assign]  # it takes its time, and all is read
        monkeypatch.setattr(pumps_module, "time", self)

    def monotonic(self) -> float:
        return self.now


def test_a_turn_is_over_when_its_time_is_and_the_others_have_the_next(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals are handled in between, however much the lines of many cost."""
    names = [f"child{number}" for number in range(10)]
    table.seat(*names)
    Costly(table, 0.6 * TURN_LIMIT, monkeypatch)
    for name in names:
        os.write(table.writers[name], b"dear\n")
    turns = [table.turn()]
    while table.pumps.backlog:
        os.write(table.writers[turns[-1][0]], b"again\n")  # who was heard waits until the others were
        turns.append(table.turn())
    assert [len(turn) for turn in turns[:5]] == [2] * 5
    assert sorted(name for turn in turns[:5] for name in turn) == sorted(names)


def test_of_a_flood_that_costs_much_one_chunk_is_read_a_turn(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    table.seat("flood")
    table.flood_for_ever()
    table.flood("flood")
    table.turn()
    assert len(table.turn()) > 1
    Costly(table, TURN_LIMIT, monkeypatch)
    for _ in range(3):
        assert table.turn() == ["flood"]


def test_of_many_floods_one_has_the_whole_turn(table: Table) -> None:
    floods = [f"flood{number}" for number in range(3 * MAX_SHARED_FLOODS)]
    table.seat(*floods)
    table.flood_for_ever()
    table.flood(*floods)
    for _ in range(6 * MAX_SHARED_FLOODS):  # all are known, and have their larger pipes
        table.turn()
    before = len(table.hub.heard)
    assert len(set(table.turn())) == 1
    assert sum(len(lines) for _, lines in table.hub.heard[before:]) < TURN_SIZE + WIDE_CHUNK_SIZE


def test_who_speaks_among_many_floods_waits_for_a_few_of_them(table: Table) -> None:
    floods = [f"flood{number}" for number in range(8 * MAX_SHARED_FLOODS)]
    table.seat(*floods, "quiet")
    table.flood_for_ever()
    publish, waited = table.hub.publish, [0]

    def taken(name: str, stream: str, lines: bytes) -> None:
        publish(name, stream, lines)
        if name == "quiet":
            waited.append(0)
        else:
            waited[-1] += len(lines)
        if waited[-1] == len(lines):  # the first chunk since
            os.write(table.writers["quiet"], b"hello\n")

    table.hub.publish = taken  # type: ignore[method-assign]  # speaks in the midst of the turns, too
    table.flood(*floods)
    while len(waited) < 40:
        table.turn()
    begun = 10  # all are known by then
    assert max(waited[begun:]) <= BYTES_PER_POLL + TURN_SIZE + WIDE_CHUNK_SIZE


def test_of_many_who_begin_at_once_each_is_read_once_before_any_is_read_again(table: Table) -> None:
    floods = [f"flood{number}" for number in range(8 * MAX_SHARED_FLOODS)]
    table.seat(*floods)
    table.flood_for_ever()
    table.flood(*floods)
    while len(table.hub.heard) < len(floods):
        table.turn()
    assert sorted(name for name, _ in table.hub.heard[: len(floods)]) == sorted(floods)


def longest_of(table: Table, name: str, turns: int = 2 * FULL_READS_TO_WIDEN) -> int:
    """The most bytes read in one go from a child that always writes as much as it can."""
    for _ in range(turns):
        table.flood(name)
        table.turn()
    return max(len(lines) for who, lines in table.hub.heard if who == name)


def test_who_fills_the_pipe_again_and_again_may_write_more_at_once(table: Table) -> None:
    table.seat("burst", "flood")
    assert longest_of(table, "burst", FULL_READS_TO_WIDEN - 1) <= CHUNK_SIZE
    assert not table.readers["burst"].is_wide
    assert CHUNK_SIZE < longest_of(table, "flood") <= WIDE_CHUNK_SIZE


def test_only_so_many_may_write_more_at_once(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pipes of one user share what there is."""
    monkeypatch.setattr(pumps_module, "MAX_WIDE_PUMPS", 1)
    table.pumps = Pumps(table.hub, table.outlet)  # type: ignore[arg-type]  # as above
    table.seat("first", "second", "third")
    assert longest_of(table, "first") > CHUNK_SIZE
    assert longest_of(table, "second") <= CHUNK_SIZE
    table.pumps.remove(table.readers.pop("first"))
    assert longest_of(table, "third") > CHUNK_SIZE


def test_where_no_more_is_allowed_a_flood_is_read_as_before(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps_module, "enlarge_pipe", lambda fd, size: False)
    table.seat("flood")
    assert longest_of(table, "flood") <= CHUNK_SIZE
    assert not table.readers["flood"].is_wide


def test_a_new_descriptor_with_an_old_number_is_not_read_by_the_pump_that_had_it(table: Table) -> None:
    table.seat("flood", "old")
    table.flood("flood")
    os.write(table.writers["old"], b"unfinished")
    table.turn()  # the flood filled the output; the other one waits to be served
    old = table.readers.pop("old")
    table.outlet.blocked = False
    table.pumps.remove(old)
    os.close(table.writers.pop("old"))
    table.seat("new")
    assert table.readers["new"].fd == old.fd
    os.write(table.writers["new"], b"mine\n")
    for _ in range(4):
        table.turn()
    assert ("new", b"mine\n") in table.hub.heard
    assert not [lines for name, lines in table.hub.heard if name == "old" and b"mine" in lines]


def test_an_unfinished_line_is_offered_until_it_can_be_shown(table: Table) -> None:
    table.hub.refusals = 2
    table.seat("quiet")
    os.write(table.writers["quiet"], b"Password: ")
    table.pumps.serve()
    times = []
    while (due := table.pumps.next_deadline()) is not None:
        times.append(due)
        table.pumps.show_partials(due - 0.001)
        table.pumps.show_partials(due)
    assert table.hub.partials == [b"Password: "] * 3
    assert [later - sooner for sooner, later in pairwise(times)] == pytest.approx([PARTIAL_DELAY, PARTIAL_DELAY])


@pytest.mark.parametrize(("words", "later"), [(b"\x1b[1A50%\n", True), (b"an ordinary line\n", False)])
def test_rows_are_shown_when_nothing_more_is_painted_over_them(table: Table, words: bytes, later: bool) -> None:
    """Other output of the same process does not delay it, only a cursor that moves up once more."""
    table.seat("bars", "other")
    dues: list[float] = []
    for _ in range(2):
        os.write(table.writers["bars"], words)
        os.write(table.writers["other"], b"hello\n")
        table.turn()
        table.turn()
        table.hub.painting.add(("bars", "stdout"))
        os.write(table.writers["bars"], words)
        table.turn()
        due = table.pumps.next_deadline()
        assert due is not None
        dues.append(due)
        table.pumps.show_partials(due - 0.001)
        assert not table.hub.released
    assert (dues[1] > dues[0]) is later
    table.pumps.show_partials(dues[1])
    assert table.hub.released == ["bars"]
    assert table.pumps.next_deadline() is None


@pytest.mark.parametrize("has_footer", [True, False])
def test_a_line_that_grows_all_the_time_is_shown_where_it_can_be_taken_back(table: Table, has_footer: bool) -> None:
    table.hub.has_footer = has_footer
    table.seat("bar")
    os.write(table.writers["bar"], b"done\n10%")
    table.turn()
    first = table.pumps.next_deadline()
    os.write(table.writers["bar"], b"\r20%")
    table.turn()
    assert first is not None
    table.pumps.show_partials(first)
    assert table.hub.partials == ([b"10%\r20%"] if has_footer else [])
    os.write(table.writers["bar"], b"\rdone\n30%")
    table.turn()
    table.pumps.show_partials(first)
    again = table.pumps.next_deadline()
    assert again is not None
    assert again > first


def test_of_rows_that_are_painted_over_the_last_is_shown_where_it_can_be_taken_back(table: Table) -> None:
    table.hub.has_footer = True
    table.seat("bars")
    dues: list[float | None] = []
    for _ in range(3):
        table.hub.painting.add(("bars", "stdout"))
        os.write(table.writers["bars"], b"\x1b[1A50%\n")
        table.turn()
        dues.append(table.pumps.next_deadline())
    assert dues[0] is not None
    assert dues == [dues[0]] * 3
    table.pumps.show_partials(dues[0])
    assert table.hub.partials == [b""]
    assert not table.hub.released


def test_rows_painted_without_a_line_end_are_known_at_a_pause_and_shown_when_it_lasts(table: Table) -> None:
    """Pulling an image paints for minutes without ending a line."""

    def publish(name: str, stream: str, lines: bytes) -> None:
        table.hub.heard.append((name, lines))
        table.hub.painting.add((name, stream))

    table.hub.publish = publish  # type: ignore[method-assign]  # one that holds rows back
    table.seat("pull")
    painted = b"\x1b[2A\rlayer 1 MB\r\x1b[2B"
    os.write(table.writers["pull"], painted)
    table.turn()
    assert not table.hub.heard
    pause = table.pumps.next_deadline()
    assert pause is not None
    table.pumps.show_partials(pause)
    assert table.hub.heard == [("pull", b"\x1b[2A\rlayer 1 MB" + STAYS)]
    assert not table.hub.released
    still = table.pumps.next_deadline()
    assert still == pytest.approx(pause + PAINTING_DELAY)
    assert still is not None
    table.pumps.show_partials(still)
    assert table.hub.released == ["pull"]


@pytest.mark.parametrize("number", [3, MAX_SHARED_FLOODS])
def test_few_floods_are_read_in_rotation(table: Table, number: int) -> None:
    floods = [f"flood{place}" for place in range(number)]
    table.seat(*floods)
    table.flood_for_ever()
    table.flood(*floods)
    for _ in range(10 * number):
        table.turn()
    turn = table.turn()
    assert len(turn) > 3
    assert all(first != second for first, second in pairwise(turn))


def test_a_lone_flood_is_read_several_times_before_the_others_are_polled(table: Table) -> None:
    table.seat("flood")
    table.flood_for_ever()
    table.flood("flood")
    table.turn()
    polls: list[object] = []
    ready = table.pumps._poller.ready

    def counted(timeout: float | None) -> Any:
        polls.append(timeout)
        return ready(timeout)

    table.pumps._poller.ready = counted  # type: ignore[method-assign]
    assert len(table.turn()) > 3
    assert 1 <= len(polls) <= 3


def test_a_pump_that_is_ready_twice_is_queued_once(table: Table) -> None:
    table.seat("one")
    table.readers["one"].on_readable()
    table.readers["one"].on_readable()
    assert len(table.pumps._unserved) == 1


def test_the_end_of_a_terminal_is_an_end_of_file(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> Callable[[int, int], bytes]:
        def read(_fd: int, _size: int) -> bytes:
            raise OSError(number, os.strerror(number))

        return read

    table.seat("one", "two")
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", fail(errno.EIO))
        assert not table.readers["one"].read()
        patch.setattr(os, "read", fail(errno.EBADF))
        with pytest.raises(OSError, match="Bad file descriptor"):
            table.readers["two"].read()
    assert table.readers["one"].ended
    assert not table.readers["two"].ended


def test_only_escape_sequences_are_answered_and_not_while_a_client_is_attached(table: Table) -> None:
    answered: list[tuple[bytes, bytes]] = []
    tapped: list[bytes] = []
    reader, writer = os.pipe()
    pump = table.pumps.add(reader, "web.1", "stdout", lambda tail, chunk: answered.append((tail, chunk)))
    for chunk in (b"half ", b"\x1b[6n"):
        os.write(writer, chunk)
        pump.read()
    assert answered == [(b"half ", b"\x1b[6n")]
    table.hub.taps["web.1"] = tapped.append
    os.write(writer, b"\x1b[c")
    pump.read()
    assert answered == [(b"half ", b"\x1b[6n")]
    assert tapped == [b"\x1b[c"]
    table.pumps.remove(pump)
    os.close(writer)


def test_an_unfinished_line_that_goes_up_is_announced_before_the_lines_ahead_of_it(table: Table) -> None:
    foreseen: list[bytes] = []
    table.hub.look_ahead = lambda _name, _stream, tail: foreseen.append(tail)  # type: ignore[attr-defined]
    table.seat("one")
    for chunk in (b"a\nplain", b"\nb\n\x1b[2Aup", b"\n"):
        os.write(table.writers["one"], chunk)
        table.readers["one"].read()
    assert foreseen == [b"\x1b[2Aup"]


def test_a_move_up_is_remembered_until_the_pump_was_served(table: Table) -> None:
    table.seat("one")
    pump = table.readers["one"]
    table.hub.painting.add(("one", "stdout"))
    for chunk in (b"\x1b[2Aup\n", b"plain\n"):
        os.write(table.writers["one"], chunk)
        pump.read()
    assert pump.climbs


def test_at_the_end_the_last_line_and_the_rows_held_back_are_shown(table: Table) -> None:
    table.seat("one")
    os.write(table.writers["one"], b"last")
    table.readers["one"].read()
    table.outlet.blocked = False
    table.pumps.remove(table.readers.pop("one"))
    assert table.hub.heard == [("one", b"last")]
    assert table.hub.released == ["one"]


def test_a_flood_is_known_as_one_although_its_last_read_found_nothing(table: Table) -> None:
    table.seat("flood")
    table.hub.publish = lambda *_: None  # type: ignore[method-assign]  # never full
    table.flood("flood")
    table.turn()
    assert table.readers["flood"].taken > CHUNK_SIZE // 2


def test_large_reads_that_leave_room_in_the_pipe_widen_nothing(table: Table) -> None:
    table.seat("one")
    for _ in range(2 * FULL_READS_TO_WIDEN):
        os.write(table.writers["one"], LINE * 300)
        table.turn()
    assert not table.readers["one"].is_wide


def test_only_a_move_up_puts_off_the_end_of_a_painting(table: Table) -> None:
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    dues: list[float] = []
    for chunk in (b"\x1b[1A50%\n", b"plain\n", b"\x1b[1A60%\n"):
        os.write(table.writers["bars"], chunk)
        table.turn()
        dues.append(table.pumps.next_deadline() or 0.0)
    assert dues[0] == dues[1] < dues[2]


def test_a_painting_that_has_ended_has_no_deadline(table: Table) -> None:
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    os.write(table.writers["bars"], b"\x1b[1A50%\n")
    table.turn()
    table.hub.painting = {("other", "stdout")}
    os.write(table.writers["bars"], b"plain\n")
    table.turn()
    assert table.pumps.next_deadline() is None


def test_the_sooner_of_a_line_and_a_painting_is_the_deadline(table: Table) -> None:
    table.seat("bars", "ask")
    table.hub.painting.add(("bars", "stdout"))
    os.write(table.writers["bars"], b"\x1b[1A50%\n")
    table.turn()
    painted = table.pumps.next_deadline()
    pumps_module.time.now += PAINTING_DELAY - PARTIAL_DELAY / 2  # type: ignore[attr-defined]  # the clock of these tests
    os.write(table.writers["ask"], b"yes? ")
    table.turn()
    assert table.pumps.next_deadline() == painted


def test_with_the_rows_the_unfinished_line_below_them_is_shown(table: Table) -> None:
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    os.write(table.writers["bars"], b"\x1b[1A50%\nyes? ")
    table.turn()
    table.pumps._unfinished.clear()
    due = table.pumps.next_deadline()
    assert due is not None
    table.pumps.show_partials(due)
    assert table.hub.partials == [b"yes? "]


def test_a_pump_that_is_removed_has_no_deadline(table: Table) -> None:
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    os.write(table.writers["bars"], b"\x1b[1A50%\nyes? ")
    table.turn()
    assert table.pumps.next_deadline() is not None
    table.outlet.blocked = False
    table.pumps.remove(table.readers.pop("bars"))
    assert table.pumps.next_deadline() is None


def test_floods_keep_their_order_however_much_each_has_written(table: Table) -> None:
    table.seat("flood1", "flood2")
    table.readers["flood1"].taken, table.readers["flood2"].taken = LONE_FLOOD_SIZE, CHUNK_SIZE
    table.flood("flood1", "flood2")
    assert table.turn() == ["flood1"]


def test_users_and_signals_do_not_notice_the_limits() -> None:
    assert 1.0 < PAINTING_DELAY < 2.0  # a clock among the rows ticks every second
    assert 0.1 <= PARTIAL_DELAY <= 0.2
    assert TURN_LIMIT <= 0.1
    assert TURN_SIZE <= 1 << 20


def clock() -> Clock:
    """The clock of these tests."""
    module: Any = pumps_module
    found: Clock = module.time
    return found


def test_of_two_that_say_little_the_one_that_said_less_comes_first(table: Table) -> None:
    table.seat("more", "less")
    for _ in range(2):
        os.write(table.writers["more"], LINE * 10)
        os.write(table.writers["less"], LINE)
        heard = table.turn() + table.turn()
    assert heard == ["less", "more"]


def test_a_read_that_finds_nothing_is_no_flood(table: Table) -> None:
    table.seat("one")
    pump = table.readers["one"]
    table.flood("one")
    pump.read()
    assert pump.last_size > CHUNK_SIZE // 2
    pump.read()
    assert not pump.read()
    assert pump.last_size == 0


@pytest.mark.parametrize("plain", [True, False])
def test_at_the_end_of_a_child_its_whole_pipe_is_read(table: Table, plain: bool) -> None:
    table.hub.is_plain = lambda *_: plain  # type: ignore[method-assign]
    table.flood_for_ever()
    table.seat("one")
    table.flood("one")
    table.readers["one"]._most = CHUNK_SIZE // 4
    assert table.pumps.drain(table.readers["one"], 1.0)
    assert sum(len(lines) for _, lines in table.hub.heard) > CHUNK_SIZE - len(LINE)


def test_a_full_output_limits_what_is_read_of_those_that_a_child_left(table: Table) -> None:
    table.seat("flood")
    table.flood_for_ever()
    table.flood("flood")
    table.outlet.blocked = True
    assert table.pumps.drain(table.readers["flood"], 1.0)
    heard = sum(len(lines) for _, lines in table.hub.heard)
    assert WIDE_CHUNK_SIZE - CHUNK_SIZE < heard <= WIDE_CHUNK_SIZE + CHUNK_SIZE


def test_an_output_that_owes_too_much_lets_the_end_wait(table: Table) -> None:
    table.seat("one")
    os.write(table.writers["one"], LINE)
    table.outlet.blocked, table.outlet.owed = True, MAX_OWED
    assert not table.pumps.drain(table.readers["one"], 1.0)
    assert table.hub.heard == []
    table.outlet.owed -= 1
    assert table.pumps.drain(table.readers["one"], 1.0)
    assert table.hub.heard == [("one", LINE)]


@pytest.mark.parametrize(("written", "blocked", "dropped"), [(3, True, 3), (0, True, 0), (3, False, 0)])
def test_bytes_that_a_full_output_leaves_unread_are_counted(
    table: Table, written: int, blocked: bool, dropped: int
) -> None:
    table.seat("one")
    os.write(table.writers["one"], LINE * written)
    table.outlet.blocked = blocked
    table.pumps.remove(table.readers.pop("one"))
    assert table.pumps.dropped == dropped * len(LINE)


def is_ready(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def test_a_pump_that_is_removed_does_not_stay_in_the_poller(table: Table) -> None:
    """Its pipe may live on in another process; the loop would wake for it again and again."""
    table.seat("one")
    pump = table.readers.pop("one")
    copy = os.dup(pump.fd)
    table.pumps.remove(pump)
    os.write(table.writers["one"], LINE)
    assert is_ready(copy)
    assert not is_ready(table.pumps.fileno())
    os.close(copy)


def test_a_pump_that_is_removed_is_not_served_any_more(table: Table) -> None:
    table.seat("flood", "one")
    table.flood("flood")
    os.write(table.writers["one"], LINE)
    table.turn()  # the flood filled the output; the other one waits to be served
    table.outlet.blocked = False
    table.pumps.remove(table.readers.pop("one"))
    table.hub.heard.clear()
    for _ in range(3):
        assert "one" not in table.turn()


def test_a_terminal_that_is_hung_up_keeps_its_number(table: Table) -> None:
    master, slave = os.openpty()
    pump = table.pumps.add(master, "web.1", "stdout")
    table.pumps.hang_up(pump)
    assert os.read(slave, 10) == b""
    os.set_blocking(pump.fd, False)
    assert os.path.samestat(os.fstat(pump.fd), os.stat(os.devnull))
    assert not is_ready(table.pumps.fileno())
    table.pumps.remove(pump)
    os.close(slave)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_pipe_that_cannot_be_watched_is_read_at_intervals(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.pumps._poller, "add", refuse)
    before = clock().monotonic()
    table.seat("one")
    for number in range(1, 4):
        os.write(table.writers["one"], LINE)
        due = table.pumps.next_deadline()
        assert due is not None
        assert due == pytest.approx(before + number * WATCH_RETRY_INTERVAL, abs=0.01)
        assert table.turn() == []
        clock().now = due
        table.pumps.show_partials(due)
        assert table.turn() == ["one"]
    table.pumps.remove(table.readers.pop("one"))
    assert table.pumps.next_deadline() is None


def test_a_pipe_that_is_broken_otherwise_is_an_error(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(table.pumps._poller, "add", fail)
    with pytest.raises(OSError, match="Bad file descriptor"):
        table.seat("one")
    table.readers.clear()


def test_lines_of_a_large_chunk_end_the_growth_of_an_unfinished_one(table: Table) -> None:
    table.hub.has_footer = True
    table.seat("one")
    os.write(table.writers["one"], b"50%")
    table.turn()
    first = table.pumps.next_deadline()
    clock().now += PARTIAL_DELAY / 2
    os.write(table.writers["one"], b"60%")  # it has only grown
    table.turn()
    assert table.pumps.next_deadline() == first
    os.write(table.writers["one"], LINE * (LARGE_CHUNK // len(LINE) + 1) + b"next")
    table.turn()
    later = table.pumps.next_deadline()
    assert first is not None
    assert later == pytest.approx(first + PARTIAL_DELAY / 2, abs=0.001)


def test_in_a_footer_a_painting_is_shown_after_a_moment(table: Table) -> None:
    table.hub.has_footer = True
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    before = clock().monotonic()
    os.write(table.writers["bars"], b"\x1b[1A50%\n")
    table.turn()
    assert table.pumps.next_deadline() == pytest.approx(before + PARTIAL_DELAY, abs=0.001)


def test_rows_below_which_a_line_is_unfinished_are_shown_when_they_are_due(table: Table) -> None:
    table.seat("pull")
    table.hub.painting.add(("pull", "stdout"))
    os.write(table.writers["pull"], b"\x1b[2A\rlayer 1 MB\r")
    table.turn()
    table.pumps._unfinished.clear()
    due = table.pumps.next_deadline()
    assert due is not None
    table.pumps.show_partials(due)
    assert table.hub.heard == [("pull", b"\x1b[2A\rlayer 1 MB" + STAYS)]


def test_what_is_shown_with_the_rows_is_not_shown_a_second_time(table: Table) -> None:
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    os.write(table.writers["bars"], b"\x1b[1A50%\n")
    table.turn()
    due = table.pumps.next_deadline()
    assert due is not None
    clock().now = due - PARTIAL_DELAY / 2
    os.write(table.writers["bars"], b"yes? ")
    table.turn()
    table.pumps.show_partials(due)
    assert table.pumps.next_deadline() is None
    assert table.hub.partials == [b"yes? "]


def test_a_prompt_does_not_put_off_rows_that_it_does_not_paint(table: Table) -> None:
    table.seat("bars")
    table.hub.painting.add(("bars", "stdout"))
    os.write(table.writers["bars"], b"\x1b[1A50%\nyes? ")
    before = clock().monotonic()
    table.turn()
    prompt = table.pumps.next_deadline()
    assert prompt is not None
    table.pumps.show_partials(prompt)
    assert table.hub.partials == [b"yes? "]
    assert table.pumps.next_deadline() == pytest.approx(before + PAINTING_DELAY, abs=0.001)
