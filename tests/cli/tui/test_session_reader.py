"""The reader has one request on its way, takes pages, and finds a session again."""

from __future__ import annotations

import queue

import pytest

import harness
from cli.tui.fake_session import FakeSession, row
from procman.cli.tui.session_reader import PAGE, Gone, Page, SessionReader, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Update = Status | Page | Gone


class Reading:
    """A reader whose updates a test takes one after the other."""

    def __init__(self, session: FakeSession) -> None:
        self.updates: queue.Queue[Update] = queue.Queue()
        self.reader = SessionReader(session.find, self.updates.put)

    def next(self, kind: type[Update]) -> Update:
        """The next update of a kind; others are skipped."""
        while not isinstance(update := self.updates.get(timeout=harness.LIMIT), kind):
            pass
        return update

    def page(self) -> Page:
        """The next page."""
        page = self.next(Page)
        assert isinstance(page, Page)
        return page


@pytest.fixture
def session(tmp_path: Path) -> FakeSession:
    return FakeSession(tmp_path / "s", row("web.1"), row("db.1"))


@pytest.fixture
def reading(session: FakeSession) -> Iterator[Reading]:
    reading = Reading(session)
    yield reading
    reading.reader.close()


def texts(page: Page) -> list[str]:
    return [line.text for line in page.lines]


def test_states_come_first_and_then_the_latest_page(session: FakeSession, reading: Reading) -> None:
    session.say("web.1", *(f"{number}" for number in range(PAGE + 10)))
    wanted = reading.reader.show([])
    reading.reader.start()
    status = reading.updates.get(timeout=harness.LIMIT)
    assert isinstance(status, Status)
    assert [one["name"] for one in status.rows] == ["web.1", "db.1"]
    page = reading.page()
    assert page.wanted is wanted
    assert (texts(page)[0], texts(page)[-1], page.missing, page.older) == ("10", f"{PAGE + 9}", False, False)
    reading.reader.read_older(page.lines[0].at)
    older = reading.page()
    assert (older.older, texts(older)) == (True, [f"{number}" for number in range(10)])
    reading.reader.read_older(0)
    assert texts(reading.page()) == []


def test_each_line_comes_once(session: FakeSession, reading: Reading) -> None:
    reading.reader.start()
    assert texts(reading.page()) == []
    got: list[str] = []
    for number in range(5):
        session.say(f"{'web' if number % 2 else 'db'}.1", f"{number}a", f"{number}b")
        while len(got) < 2 * number + 2:
            got += texts(reading.page())
    assert got == [f"{number}{part}" for number in range(5) for part in "ab"]


def test_a_flood_is_read_from_its_end_and_a_gap_is_known(session: FakeSession, reading: Reading) -> None:
    reading.reader.start()
    reading.page()
    reading.reader.follow(False)
    session.say("web.1", *(f"{number}" for number in range(3 * PAGE)))
    reading.reader.follow(True)
    page = reading.page()
    assert page.missing
    assert (len(page.lines), texts(page)[-1]) == (PAGE, f"{3 * PAGE - 1}")


def test_other_names_begin_with_their_latest_page(session: FakeSession, reading: Reading) -> None:
    session.say("web.1", "a")
    session.say("db.1", "b")
    reading.reader.show([])
    reading.reader.start()
    assert texts(reading.page()) == ["a", "b"]
    wanted = reading.reader.show(["db.1"])
    page = reading.page()
    assert (page.wanted is wanted, texts(page)) == (True, ["b"])


def test_nothing_is_requested_before_the_last_update_was_taken(session: FakeSession, tmp_path: Path) -> None:
    taken: queue.Queue[None] = queue.Queue()
    arrived: queue.Queue[Update] = queue.Queue()

    def deliver(update: Update) -> None:
        arrived.put(update)
        taken.get()

    reader = SessionReader(session.find, deliver)
    reader.start()
    arrived.get(timeout=harness.LIMIT)
    session.say("web.1", *(["x"] * 1000))
    assert len(session.requests) == 1
    taken.put(None)
    arrived.get(timeout=harness.LIMIT)
    assert len(session.requests) == 2
    reader.close()
    taken.put(None)
    reader.join(harness.LIMIT)


def test_a_session_that_ends_is_found_again(session: FakeSession, reading: Reading) -> None:
    session.say("web.1", "before")
    reading.reader.start()
    assert texts(reading.page()) == ["before"]
    session.end()
    gone = reading.next(Gone)
    assert isinstance(gone, Gone)
    assert "session" in gone.reason
    session.session = "b2"
    session.history = type(session.history)()
    session.say("web.1", "after")
    session.listen()
    status = reading.next(Status)
    assert isinstance(status, Status)
    assert status.session == "b2"
    assert texts(reading.page()) == ["after"]


def test_what_is_not_a_session_is_reported(tmp_path: Path) -> None:
    session = FakeSession(tmp_path / "s")
    session.rows = [{"name": 5}]
    reading = Reading(session)
    reading.reader.start()
    gone = reading.next(Gone)
    assert isinstance(gone, Gone)
    assert gone.reason == "the program at the socket is not a session that this procman understands"
    reading.reader.close()
