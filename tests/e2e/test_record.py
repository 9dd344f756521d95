"""The output of a session in the background is recorded, and can be read after its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
import time

import psutil
import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from harness import Finished, Place

PROCFILE = """\
shop: while read -r line; do echo "sold $line"; done < orders; exec sleep 1000
till: echo open; exec sleep 1000
"""


class Shop:
    """A shop with a state folder of its own."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.state = place.folder / "state"
        self.env = {"XDG_STATE_HOME": str(self.state)}
        place.procfile(PROCFILE)
        self.orders("bread")

    def orders(self, *lines: str) -> None:
        self.place.write("orders", "".join(f"{line}\n" for line in lines))

    def call(self, *words: str) -> Finished:
        return self.place.call(*words, env=self.env)

    def done(self, *words: str) -> str:
        done = self.call(*words)
        assert done.code == 0, done
        return done.out

    def heard(self, pattern: str, *words: str) -> None:
        """Wait until a line of the session that is running matches."""
        end = time.monotonic() + harness.LIMIT
        while (done := self.call("logs", "--grep", pattern, *words)).code:
            assert time.monotonic() < end, done

    def records(self, *words: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.done("logs", "--json", *words).splitlines()]
        return [record for record in found if "state" not in record]  # how the session has ended

    def lines(self, *words: str) -> list[str]:
        return [record["line"] for record in self.records(*words)]

    def sessions(self) -> list[dict[str, Any]]:
        out = self.call("sessions", "--json").out  # even if a session of another test cannot answer
        return [one for one in json.loads(out)["sessions"] if one["root"] == str(self.place.folder)]

    def files(self) -> list[Path]:
        return sorted(self.state.glob("procman/records/*"))

    def run(self, *orders: str) -> str:
        """Run a session from its start to its end, and return its name."""
        self.orders(*orders)
        session: str = json.loads(self.done("up", "--json"))["session"]
        self.heard("^open$")
        self.heard(f"^sold {orders[-1]}$")
        self.done("down")
        return session


@pytest.fixture
def shop(place: Place) -> Iterator[Shop]:
    shop = Shop(place)
    yield shop
    shop.call("stop")


def kill_everything(pid: int) -> None:
    """Kill a session as a crash of the machine would: guardian, watchdog, manager and children at the same time."""
    manager = psutil.Process(pid)
    family = [manager, *manager.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # the end of one may be that of another
            process.kill()
    psutil.wait_procs(family, timeout=60)


def test_the_output_can_be_read_after_the_end(shop: Shop) -> None:
    session = shop.run("bread", "cake")
    done = shop.call("logs", "shop")
    assert [line.partition("| ")[2] for line in done.out.splitlines()] == ["sold bread", "sold cake"]
    assert f"session {session} ended on " in done.err
    assert "with exit status 0 (stop requested)" in done.err
    assert shop.lines("-n", "1") == ["all stopped: 2 instances; exit status 0"]
    last = json.loads(shop.done("logs", "--json", "-n", "1").splitlines()[-1])
    assert (last["session"], last["state"], last["code"]) == (session, "ended", 0)
    assert f"session {session} ended on " in last["words"]
    assert shop.lines("--grep", "cake|open", "shop") == ["sold cake"]
    assert shop.lines("--since", "1h", "till") == ["open"]
    assert shop.lines("--until", "1h") == []
    assert shop.call("logs", "--grep", "pear").code == 1


@pytest.mark.alone
def test_the_output_can_be_read_after_everything_was_killed(shop: Shop) -> None:
    pid = json.loads(shop.done("up", "--json"))["pid"]
    shop.heard("^sold bread$")
    kill_everything(pid)
    done = shop.call("logs")
    assert "sold bread" in done.out
    assert "was killed: its record ends on " in done.err
    assert [one["state"] for one in shop.sessions()] == ["killed"]
    assert shop.call("logs", "-f").code == 1
    shop.run("cake")
    assert [one["state"] for one in shop.sessions()] == ["killed", "ended"]


def test_sessions_with_sockets_of_their_own_do_not_displace_the_others(shop: Shop) -> None:
    session = shop.run("bread")
    for number in range(3):
        socket = str(shop.place.folder / f"own-{number}")
        shop.done("up", "--socket", socket, "--record-keep", "2")
        shop.done("down", "--socket", socket)
    assert shop.lines("--session", session, "shop") == ["sold bread"]
    assert len(shop.sessions()) == 3
    assert shop.done("logs", "--socket", str(shop.place.folder / "own-2"), "till") != ""
    assert shop.call("logs", "--socket", str(shop.place.folder / "own-0"), "till").code == 1


def test_it_is_the_users_alone(shop: Shop) -> None:
    shop.run("bread")
    (file,) = shop.files()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, file.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_each_session_has_a_record_of_its_own_and_the_oldest_are_removed(shop: Shop) -> None:
    (shop.place.folder / "procman.toml").write_text("record_keep = 2\n")
    first, second, third = (shop.run(str(number)) for number in range(3))
    assert [one["session"] for one in shop.sessions()] == [second, third]
    assert shop.lines("--session", second, "shop") == ["sold 1"]
    assert shop.lines("--session", "last", "shop") == ["sold 2"]
    done = shop.call("logs", "--session", first)
    assert done.code == 1
    assert f'no session "{first}" is recorded' in done.err


def test_another_checkout_has_records_of_its_own(shop: Shop) -> None:
    shop.run("bread")
    other = shop.place.folder / "other"
    other.mkdir()
    (other / "Procfile").write_text("till: echo closed; exec sleep 1000\n")
    assert shop.call("logs", "--procfile", "other/Procfile").code == 1
    shop.done("up", "-f", "other/Procfile")
    shop.heard("^closed$", "--procfile", "other/Procfile")
    shop.done("down", "-f", "other/Procfile")
    assert shop.lines("--procfile", "other/Procfile", "till") == ["closed"]
    assert shop.lines("till") == ["open"]


def test_a_cursor_goes_on_in_the_next_session(shop: Shop) -> None:
    shop.run("bread", "cake")
    first = shop.records("shop")[0]["cursor"]
    assert shop.lines("--after", first, "shop") == ["sold cake"]
    shop.run("milk")
    shop.orders("rice", "beans")
    shop.done("up")
    shop.heard("^sold beans$")
    assert shop.lines("--after", first, "shop") == ["sold cake", "sold milk", "sold rice", "sold beans"]
    assert shop.lines("--after", first, "shop", "-n", "2") == ["sold cake", "sold milk"]
    following = shop.records("--after", first, "shop", "-n", "2")[-1]["cursor"]
    assert shop.lines("--after", following, "shop") == ["sold rice", "sold beans"]
    assert shop.lines("--session", "last", "shop") == ["sold milk"]


def test_following_after_a_cursor_of_a_session_that_has_ended_shows_the_rest(shop: Shop) -> None:
    shop.run("bread", "cake")
    first = shop.records("shop")[0]["cursor"]
    assert shop.lines("-f", "--after", first, "shop") == ["sold cake"]
    assert shop.call("logs", "-f").code == 1


def test_a_process_that_was_added_since_the_cursor_is_read_too(shop: Shop) -> None:
    shop.run("bread")
    first = shop.records("shop")[0]["cursor"]
    shop.place.procfile(f"{PROCFILE}mail: echo sent; exec sleep 1000\n")
    shop.done("up")
    shop.heard("^sent$")
    assert shop.lines("--after", first, "mail") == ["sent"]
    shop.done("down")
    assert shop.lines("--after", first, "mail") == ["sent"]
    assert shop.call("logs", "--after", first, "post").code == 2


def test_until_a_cursor_ends_with_the_session_of_the_cursor(shop: Shop) -> None:
    shop.run("bread", "milk")
    cursors = [record["cursor"] for record in shop.records("shop")]
    shop.run("salt")
    assert shop.lines("shop", "--after", cursors[0], "--until", cursors[-1]) == ["sold milk"]
    assert shop.lines("shop", "--until", cursors[-1]) == ["sold bread", "sold milk"]
    refused = shop.call("logs", "--after", cursors[0], "--until", "unknown:5")
    assert (refused.code, "--until must be a cursor of the session" in refused.err) == (2, True), refused


def test_a_cursor_of_a_session_without_a_record_says_so_first(shop: Shop) -> None:
    shop.run("bread")
    skipped, *rest = shop.records("--after", "1a2b-0123456789ab:100", "shop")
    assert skipped == {"skipped": None, "unit": "bytes", "cursor": None}
    assert [record["line"] for record in rest] == ["sold bread"]


def test_the_previous_life_is_shown_live_and_from_the_record(shop: Shop) -> None:
    shop.done("up")
    done = shop.call("logs", "--previous", "till")
    assert (done.code, "there is no previous life" in done.err) == (1, True)
    shop.heard("^sold bread$")
    shop.orders("cake")
    shop.done("restart", "shop")
    shop.heard("^sold cake$")
    shop.orders("milk")
    shop.done("restart", "shop")
    shop.heard("^sold milk$")
    assert shop.lines("--previous") == ["sold cake"]
    shop.done("down")
    assert shop.lines("--previous", "shop") == ["sold cake"]


def test_what_the_memory_has_dropped_comes_from_the_record(shop: Shop) -> None:
    shop.place.procfile("flood: cat large; exec sleep 1000\nlast: echo done; exec sleep 1000\n")
    lines = [f"{number:0500}" for number in range(2000)]
    shop.place.write("large", "".join(f"{line}\n" for line in lines))
    shop.done("up")
    shop.heard("01999$")
    assert shop.lines("flood", "-n", "5000") == lines
    assert shop.lines("flood", "-n", "3") == lines[-3:]
    assert shop.lines("flood", "--since", "1h") == lines
    assert shop.lines("flood", "--grep", "00(7|8)$")[:2] == [lines[7], lines[8]]
    shown = shop.records("flood", "-n", "5000")
    assert shop.lines("flood", "--after", shown[100]["cursor"], "-n", "1000") == lines[101:1101]
    assert shop.lines("flood", "--until", shown[100]["cursor"]) == lines[:101]
    shop.done("down")
    assert shop.lines("flood", "-n", "5000") == lines
    assert shop.lines("flood", "-n", "3") == lines[-3:]
    assert shop.lines("flood", "--after", shown[100]["cursor"], "-n", "1000") == lines[101:1101]


def test_a_flood_takes_nothing_of_a_quiet_process_from_the_memory(shop: Shop) -> None:
    shop.place.procfile("quiet: echo heard once; exec sleep 1000\nflood: seq -f %0999.0f 5000; exec sleep 1000\n")
    shop.done("up", "--record-limit", "1", "quiet")
    shop.heard("heard once")
    shop.done("start", "flood")
    shop.heard("05000$")
    assert shop.lines("quiet") == ["heard once"]
    assert shop.lines("--grep", "once") == ["heard once"]
    flood = [line for line in shop.lines("-n", "9999") if line.isdigit()]
    assert shop.lines("-n", "9999").count("heard once") == 1
    assert [int(line) for line in flood] == list(range(int(flood[0]), 5001))


def test_the_size_of_a_record_is_limited(shop: Shop) -> None:
    shop.place.procfile("flood: seq -f %0999.0f 5000; exec sleep 1000\n")
    shop.done("up", "--record-limit", "1")
    shop.heard("05000$")
    shop.done("down")
    assert sum(file.stat().st_size for file in shop.files()) <= 1 << 20
    assert len(shop.files()) == 2
    kept = [int(line) for line in shop.lines("flood", "-n", "9999")]
    assert kept == list(range(kept[0], 5001))
    assert len(kept) > 400
    skipped, *rest = shop.records("flood", "--after", f"{shop.sessions()[0]['session']}:0")
    assert skipped["skipped"] > 0
    assert [int(record["line"]) for record in rest] == kept


@pytest.mark.parametrize("setting", ["never", "auto"])
def test_a_session_is_not_recorded_unless_it_should_be(shop: Shop, setting: str) -> None:
    (shop.place.folder / "procman.toml").write_text(f'record = "{setting}"\n')
    words = ("up",) if setting == "never" else ("start", "--exit", "all", "--for", "1s", "--no-port")
    shop.call(*words)
    shop.call("stop")
    assert shop.files() == []
    assert shop.call("logs").code == 1


def test_a_session_in_the_foreground_can_be_recorded(shop: Shop) -> None:
    session = shop.place.start("--record", "always", env=shop.env)
    session.wait_for("sold bread")
    shop.done("stop")
    assert session.wait() == 0
    assert shop.lines("shop") == ["sold bread"]


def test_a_detached_session_has_what_it_remembers_in_its_record(shop: Shop) -> None:
    session = shop.place.start(pty=True, env=shop.env)
    session.wait_for("sold bread")
    session.wait_for("keys")
    assert shop.files() == []
    session.type(b"d")
    assert session.wait() == 0
    shop.orders("cake")
    shop.done("restart", "shop")
    shop.heard("^sold cake$")
    shop.done("down")
    session.wait_until_gone()
    assert shop.lines("shop") == ["sold bread", "sold cake"]
    assert shop.lines("shop", "--previous") == ["sold bread"]


def test_what_is_typed_without_an_echo_is_not_recorded(shop: Shop) -> None:
    shop.place.procfile(
        'login: stty -echo; printf "Password: "; read -r word; echo; echo "${#word} characters"; sleep 1000\n'
    )
    shop.done("up")
    attached = shop.place.session("attach", "login", pty=True, env=shop.env)
    attached.wait_for("Password: ")
    attached.type(b"hunter2\r")
    attached.wait_for("7 characters")
    attached.type(b"\x1d")
    attached.wait()
    shop.done("down")
    assert shop.lines("login")[-1] == "7 characters"
    assert b"hunter2" not in b"".join(file.read_bytes() for file in shop.files())


def test_a_group_is_known_after_the_end(shop: Shop) -> None:
    (shop.place.folder / "procman.toml").write_text('[process.till]\ngroups = ["front"]\n')
    shop.run("bread")
    assert shop.lines("front") == ["open"]
    done = shop.call("logs", "back")
    assert done.code == 2
    assert 'there is no process "back" in the recorded session' in done.err


def test_levels_and_streams_are_known_after_the_end(shop: Shop) -> None:
    shop.place.procfile('shop: echo \'{"level": "warn"}\'; echo lost >&2; exec sleep 1000\n')
    shop.done("up", "--format", "json")
    shop.heard("^lost$")
    shop.heard("warn")
    shop.done("down")
    assert shop.lines("--stderr") == ["lost"]
    assert shop.lines("--level", "warn") == ['{"level": "warn"}']


def test_the_end_is_recorded_before_a_client_is_told(shop: Shop) -> None:
    """A slow disk is played by a record that takes its time."""
    shop.place.write(
        "slow.py",
        """\
import sys, time
from pathlib import Path
from procman.cli.main import main
from procman.output.sinks.record import Record
end = Record.end
def slow_end(*words):
    time.sleep(0.3)
    end(*words)
    Path("recorded").touch()
Record.end = slow_end
sys.argv = ["procman", "start", "--record", "always", "till"]
sys.exit(main())
""",
    )
    session = shop.place.session("slow.py", env=shop.env, program=sys.executable)
    session.wait_for("open")
    shop.done("down")
    assert (shop.place.folder / "recorded").exists()
    assert session.wait() == 0


def test_old_records_of_a_folder_that_is_gone_are_removed(shop: Shop) -> None:
    other = shop.place.folder / "other"
    for age in (31, 29):
        other.mkdir()
        (other / "Procfile").write_text(f"till: echo {age}; exec sleep 1000\n")
        shop.done("up", "-f", "other/Procfile")
        shop.done("down", "-f", "other/Procfile")
        moment = time.time() - age * 86400
        os.utime(shop.files()[-1], (moment, moment))
        (other / "Procfile").unlink()
        other.rmdir()
    assert len(shop.files()) == 2
    shop.run("bread")
    assert len(shop.files()) == 2


def test_the_sessions_are_listed(shop: Shop) -> None:
    before = shop.call("sessions")  # those of other tests may be listed
    assert "no session is running or recorded" in before.err or before.out
    assert shop.call("sessions", "shop").code == 2
    shop.run("bread")
    shop.done("up")
    table = [line.split() for line in shop.call("sessions").out.splitlines() if str(shop.place.folder) in line]
    assert [row[0] for row in table] == [one["session"] for one in shop.sessions()]
    assert [one["state"] for one in shop.sessions()] == ["ended", "running"]
    assert "exit status 0" in shop.call("sessions").out
    assert os.path.samefile(shop.sessions()[0]["procfile"], shop.place.folder / "Procfile")
