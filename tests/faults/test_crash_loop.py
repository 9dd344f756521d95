"""Children that die again and again: little time is spent, no descriptor is lost, and an end comes."""

from __future__ import annotations

import signal
import time

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


def test_a_thousand_restarts_lose_no_descriptor(place: Place) -> None:
    """Restarts in a row are slow on purpose, so many instances restart side by side."""
    kit.need_linux()
    number = 350
    place.procfile(f"bad: exit 1\ngood: exec sleep {kit.sleep_time()}\n")
    session = place.start("-m", f"bad={number},good=1", "--max-restarts", "4", "--no-port")
    session.wait_for(r"good\.1 started")
    manager = kit.roles(session)["manager"]
    kit.wait_until(lambda: _count(session, "(attempt 1 of") >= number, "the first restarts")
    first = kit.descriptors(manager)
    kit.wait_until(lambda: _count(session, " FAILED:") == number, "the last of them to fail")
    assert _count(session, " started with pid") >= 1000
    kit.wait_until(lambda: kit.descriptors(manager) <= first, "the end of what is open for a moment")
    assert kit.descriptors(manager) < 50
    session.signal(signal.SIGTERM)
    session.wait()


def _count(session: object, words: str) -> int:
    from harness import Session

    assert isinstance(session, Session)
    session._read(0.05)
    return session.text.count(words)


def test_a_crash_loop_costs_next_to_nothing(place: Place) -> None:
    kit.need_linux()
    place.procfile(f"bad: exit 1\ngood: exec sleep {kit.sleep_time()}\n")
    session = place.start()
    session.wait_for("restarting in .*attempt 1")
    own = list(kit.roles(session).values())
    spent, begun = kit.cpu_seconds(own), time.monotonic()
    session.wait_for("restarting in .*attempt 3")
    assert (kit.cpu_seconds(own) - spent) / (time.monotonic() - begun) < 0.1
    session.signal(signal.SIGTERM)
    session.wait()


def test_a_stop_cancels_the_backoff_at_once(place: Place) -> None:
    place.procfile("bad: exit 1\n")
    session = place.start()
    session.wait_for("restarting in .*attempt 2")
    begun = time.monotonic()
    session.signal(signal.SIGTERM)
    session.wait()
    assert time.monotonic() - begun < 1.5


def test_it_gives_up_with_the_childs_code_and_its_last_lines(place: Place) -> None:
    place.procfile("bad: echo why it died; exit 7\n")
    session = place.start("--max-restarts", "1")
    assert session.wait() == 7
    assert "FAILED" in session.text
    assert session.text.count("why it died") >= 2
