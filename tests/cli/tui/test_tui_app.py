"""The screen shows a session, and its keys do what the help says."""

from __future__ import annotations

import asyncio
import time

import pytest

import harness
from cli.tui.fake_session import FakeSession, row

pytest.importorskip("textual", reason="the extra tui is not installed")

from textual.events import Key

from procman.cli.tui.log_lines import LogLine
from procman.cli.tui.process_keys import Surroundings
from procman.cli.tui.tui_app import Tui

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from textual.pilot import Pilot

    Walk = Callable[["Screen"], Awaitable[None]]


# Queues that a key goes through at most: of the application, of a pane, of what is around it, and of the application
# again. Each pause lasts until all have taken what was in them. `Pilot.press` waits for an idle processor instead; on a
# busy machine, it takes a process that does not get the processor for one that is done.
HOPS = 7


class Screen:
    """The screen of a test, without a terminal."""

    def __init__(self, app: Tui, pilot: Pilot[None]) -> None:
        self.app = app
        self._pilot = pilot

    @property
    def text(self) -> str:
        """What it shows."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has had its effect."""
        for key in keys:
            self.type(key)
            for _ in range(HOPS):
                await self._pilot.pause(0)

    def type(self, *keys: str) -> None:
        """Press keys as fast as a paste, and wait for nothing."""
        for key in keys:
            self.app.post_message(Key(key, key if len(key) == 1 else None))

    async def see(self, *parts: str, gone: str = "") -> str:
        """Wait until all of this is shown, and ``gone`` is not."""
        await self.wait(lambda: all(part in self.text for part in parts) and (not gone or gone not in self.text), parts)
        return self.text

    async def wait(self, true: Callable[[], object], what: object = "") -> None:
        """Wait until something is true."""
        end = time.monotonic() + harness.LIMIT
        while not true():
            assert time.monotonic() < end, f"never seen: {what}\n{self.text}"
            await self._pilot.pause(0.02)

    async def resize(self, columns: int, rows: int) -> None:
        """Give it another size."""
        await self._pilot.resize_terminal(columns, rows)


def walk(session: FakeSession, steps: Walk, size: tuple[int, int] = (100, 16)) -> Tui:
    """Show a session on a screen, and take these steps there."""
    surroundings = Surroundings(session.find, lambda name: [f"NAME={name}", "[red]A=1"], ["false"])
    app = Tui(surroundings)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await steps(Screen(app, pilot))

    asyncio.run(run())
    return app


@pytest.fixture
def session(tmp_path: Path) -> FakeSession:
    web = row("web.1", port=5000, has_port=True, url="http://localhost:5000", index=1)
    return FakeSession(tmp_path / "s", row("db.1", restarts=2), web, row("worker.1"), row("worker.2", "failed"))


PICTURE = """\
/srv/shop/Procfile  pid 4242  4d02h
NAME       STATE      PORT   CPU   MEM   │db.1     │ ready
all        3/4 up              -     -   │web.1    │ [bold]hello[/bold]
● db.1     running       -     -     -   │worker.1 │ 日本語
● web.1    running    5000     -     -   │
▾ worker   1/2 up              -     -   │
● worker.1 running       -     -     -   │
✗ worker.2 failed        -     -     -   │
                                         │
following  ? help  r restart  s stop  S start  / search  q leave"""


def test_a_session_is_shown(session: FakeSession) -> None:
    session.say("db.1", "\x1b[32mready\x1b[0m")
    session.say("web.1", "[bold]hello[/bold]")
    session.say("worker.1", "日本語")

    async def steps(screen: Screen) -> None:
        await screen.see("worker.2", "日本語")
        assert screen.text == PICTURE

    walk(session, steps, (95, 10))


def test_a_row_shows_its_own_log(session: FakeSession) -> None:
    session.say("db.1", "of the database")
    session.say("web.1", "of the web")

    async def steps(screen: Screen) -> None:
        await screen.see("of the database", "of the web")
        await screen.press("down")
        await screen.see("of the database", gone="of the web")
        session.say("db.1", "more")
        session.say("web.1", "less")
        await screen.see("more", gone="less")
        await screen.press("up")
        await screen.see("less")

    walk(session, steps)


def test_keys_send_requests_for_what_is_selected(session: FakeSession) -> None:
    async def steps(screen: Screen) -> None:
        await screen.see("worker.2")
        await screen.press("end")
        for key in ("r", "s", "S", "plus", "minus", "P"):
            await screen.press(key)
        await screen.wait(lambda: len(session.asked("scale")) == 2 and session.asked("pause"))
        await screen.see("done")

    walk(session, steps)
    sent = {(str(one["verb"]), *one["names"]) for one in session.requests if one["verb"] not in ("ps", "logs")}  # type: ignore[misc]
    changes = {("scale", "worker+1"), ("scale", "worker-1")}
    assert sent == changes | {(verb, "worker.2") for verb in ("restart", "stop", "start", "pause")}


def test_a_stop_of_everything_is_confirmed_and_never_ends_the_session(session: FakeSession) -> None:
    async def steps(screen: Screen) -> None:
        await screen.see("worker.2")
        await screen.press("s")
        await screen.see("stop all 4 processes?")
        await screen.press("n", "s")
        await screen.see("stop all 4 processes?")
        await screen.press("y")
        await screen.wait(lambda: session.asked("stop"))

    walk(session, steps)
    assert [one["names"] for one in session.asked("stop")] == [["db", "web", "worker"]]


def test_cards_explain_and_hold_no_markup(session: FakeSession) -> None:
    session.say("db.1", "[red]latest[/red]")

    async def steps(screen: Screen) -> None:
        await screen.see("worker.2")
        await screen.press("down", "w")
        await screen.see("why db.1", "it is [b]up[/b]", "[red]latest[/red]")
        await screen.press("escape", "e")
        await screen.see("environment of db.1", "NAME=db.1", "[red]A=1")
        await screen.press("q", "question_mark")
        await screen.see("leave; the session continues")

    walk(session, steps, (100, 30))


def test_search_finds_lines_in_both_directions_and_older_pages(session: FakeSession) -> None:
    session.say("web.1", "the Needle", *(f"line {number}" for number in range(1200)), "needle two", "last")

    async def steps(screen: Screen) -> None:
        await screen.see("last")
        await screen.press("slash", *"needle", "enter")
        await screen.wait(lambda: marked(screen) == "needle two")
        assert not screen.app.log_pane.following
        await screen.press("n")
        await screen.wait(lambda: marked(screen) == "the Needle")  # two pages up
        await screen.press("N")
        await screen.wait(lambda: marked(screen) == "needle two")
        await screen.press("n", "n")
        await screen.see("not found: needle")

    walk(session, steps)


def test_keys_are_not_lost_however_fast_they_are_typed(session: FakeSession) -> None:
    session.say("web.1", "the needle", "last")

    async def steps(screen: Screen) -> None:
        await screen.see("last", "worker.2")
        screen.type("slash", *"needle", "enter")
        await screen.wait(lambda: marked(screen) == "the needle", "needle")
        screen.type("question_mark", "q", "escape", "escape", "end", "w")
        await screen.see("why worker.2")
        screen.type("q", "s")
        await screen.wait(lambda: session.asked("stop"), "stop")
        screen.type("slash", *"a?/", "tab", "w")
        await screen.see("why worker.2", gone="a?/")

    walk(session, steps, (100, 30))
    assert [one["names"] for one in session.asked("stop")] == [["worker.2"]]


def marked(screen: Screen) -> str:
    line = screen.app.log_pane.marked
    return line.text if line else ""


def test_following_stops_above_the_last_line(session: FakeSession) -> None:
    session.say("web.1", "one", "two")

    async def steps(screen: Screen) -> None:
        await screen.see("two")
        await screen.press("tab", "up")
        await screen.see("f follows")
        read = len(session.asked("logs"))
        session.say("web.1", "three")
        await screen.wait(lambda: len(session.asked("ps")) >= 2)
        assert len(session.asked("logs")) - read <= 1  # one may have been on its way
        assert "three" not in screen.text
        await screen.press("f")
        await screen.see("three", "following")
        await screen.press("p")
        await screen.see("paused")
        await screen.press("p")
        await screen.see("following")

    walk(session, steps)


def test_the_level_leaves_lines_out(session: FakeSession) -> None:
    session.say("web.1", "level=info msg=some", "level=error msg=bad", "plain")

    async def steps(screen: Screen) -> None:
        await screen.see("plain")
        await screen.press("l", "l", "l")
        await screen.see("msg=bad", "level warn", gone="plain")
        await screen.press("l", "l")
        await screen.see("plain")

    walk(session, steps)


def test_copies_go_to_the_clipboard(session: FakeSession) -> None:
    session.say("web.1", "\x1b[1mline\x1b[0m one")

    async def steps(screen: Screen) -> None:
        await screen.see("line one")
        await screen.press("down", "down", "y")
        assert screen.app.clipboard == "http://localhost:5000"
        await screen.see("line one")
        await screen.press("tab", "y")
        assert screen.app.clipboard == "line one"

    walk(session, steps)


def test_a_narrow_screen_shows_one_pane(session: FakeSession) -> None:
    session.say("web.1", "a line that is longer than twenty columns")

    async def steps(screen: Screen) -> None:
        await screen.see("✗ worker.2", gone="longer")
        await screen.press("down", "down", "enter")
        await screen.see("a line that is longe", "r than twenty column", gone="worker.2")
        await screen.press("escape")
        await screen.see("worker.2", gone="longer")
        await screen.resize(100, 12)
        await screen.see("worker.2", "longer")
        for columns, rows in ((1, 1), (3, 2), (500, 100), (60, 4), (59, 4)):
            await screen.resize(columns, rows)

    walk(session, steps, (20, 10))


def test_the_end_of_a_session_is_shown_and_the_next_one_is_joined(session: FakeSession) -> None:
    session.say("web.1", "before")

    async def steps(screen: Screen) -> None:
        await screen.see("before")
        session.end()
        await screen.see("session", "before", gone="pid 4242")
        session.session, session.history = "b2", type(session.history)()
        session.say("web.1", "after")
        session.listen()
        await screen.see("before", "— another session has started (pid 4242) —", "after")

    walk(session, steps)


def test_an_ended_session_has_no_running_processes_and_nothing_to_change(tmp_path: Path) -> None:
    used: dict[str, object] = {
        "cpu_percent": 7.0,
        "pid": None,
        "port": 5000,
        "has_port": True,
        "url": "http://localhost:5000",
    }
    session = FakeSession(
        tmp_path / "s", row("db.1"), row("web.1", "running", **used), row("worker.1"), row("worker.2")
    )

    async def steps(screen: Screen) -> None:
        await screen.see("4/4 up", "5000")
        session.end()
        await screen.see("○ worker.2 ended", gone="running")
        assert all(gone not in screen.text for gone in ("up", "●", "5000", "%"))
        await screen.see("procman tui --start begins one")  # the reason of the second attempt
        await screen.press("end")
        for key in ("r", "s", "S", "plus", "minus", "P", "w", "a"):
            screen.app.say("")
            await screen.press(key)
            await screen.wait(lambda: screen.text.count("procman tui --start begins one") == 2, key)
        await screen.press("home", "s")
        await screen.see("ended", gone="stop all")
        session.listen()
        await screen.see("● worker.2 running", "4/4 up", "5000")

    walk(session, steps)
    assert {one["verb"] for one in session.requests} <= {"ps", "logs"}


def test_a_session_that_cannot_be_read_is_not_said_to_have_ended(session: FakeSession) -> None:
    async def steps(screen: Screen) -> None:
        await screen.see("● web.1    running")
        session.rows = [{"name": "strange"}]
        await screen.see("○ web.1    unknown", "not a session", gone="running")

    walk(session, steps)


def test_a_thousand_instances_draw_only_what_is_seen(tmp_path: Path) -> None:
    session = FakeSession(tmp_path / "s", *(row(f"web.{number}") for number in range(1, 1001)))

    async def steps(screen: Screen) -> None:
        await screen.see("web.1")
        assert len(list(screen.app.query("*"))) < 20
        await screen.press("end")
        await screen.see("web.1000")
        await screen.press("pageup", "home", "down", "left")
        await screen.see("▸ web", "1000/10", gone="web.1")

    walk(session, steps)


def test_a_frozen_session_does_not_freeze_the_screen(session: FakeSession) -> None:
    async def steps(screen: Screen) -> None:
        await screen.see("worker.2")
        session.awake.clear()
        await screen.press("down", "tab", "question_mark")
        await screen.see("the session continues")
        await screen.press("q")

    walk(session, steps, (100, 30))
    session.awake.set()


def test_a_note_of_our_own_survives_a_level(session: FakeSession) -> None:
    async def steps(screen: Screen) -> None:
        await screen.see("worker.2")
        screen.app.log_pane.append([LogLine(0, "web.1", 1.0, b"plain")])
        screen.app.log_pane.note("— a note —")
        await screen.press("l")
        await screen.see("a note", gone="plain")

    walk(session, steps)
