"""Runs by the clock, seen from outside on the installed command. What a clock may do: see the test of the scheduler."""

from __future__ import annotations

import json
import signal
import time

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


def states(place: Place) -> dict[str, str]:
    return {row["name"]: row["state"] for row in json.loads(place.call("ps", "--json").out)["instances"]}


def test_it_runs_in_each_period_and_a_failure_does_not_end_the_session(place: Place) -> None:
    place.procfile("tick: echo run >>runs; echo done; test ! -e broken\n")
    place.write("procman.toml", '[process.tick]\nschedule = { every = "1s" }\n')
    broken = place.write("broken", "")
    session = place.start("--exit", "failure")
    session.wait_for(r"tick\.1 runs in 1\.0 s, every 1\.0 s")
    session.wait_for(r"tick\.1 FAILED: exited with code 1")
    broken.unlink()
    session.wait_for(r"tick\.1 exited with code 0")
    assert states(place) in ({"tick.1": "scheduled"}, {"tick.1": "running"})
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert (place.folder / "runs").read_text().startswith("run\nrun\n")


def test_it_is_scheduled_until_it_is_started_by_hand(place: Place) -> None:
    pytest.importorskip("cronsim")
    place.procfile("nightly: echo ran\nweb: exec sleep 1000\n")
    place.write("procman.toml", '[process.nightly]\nschedule = { cron = "0 2 1 1 *", tz = "UTC" }\n')
    session = place.start()
    session.wait_for(r"nightly\.1 runs at \d{4}-01-01 02:00 UTC, in ")
    assert place.call("wait").code == 0
    rows = {row["name"]: row for row in json.loads(place.call("ps", "--json").out)["instances"]}
    assert rows["nightly.1"]["state"] == "scheduled"
    assert rows["nightly.1"]["next"] > time.time()
    line = next(line for line in place.call("ps").out.splitlines() if line.startswith("nightly"))
    assert line.split()[1:5] == ["scheduled", "-", "in", line.split()[4]]
    assert "`procman start nightly.1` runs it now" in place.call("why", "nightly").out
    assert place.call("start", "nightly").code == 0
    session.wait_for(r"nightly\.1 \| ran")
    session.wait_for(r"nightly\.1 exited with code 0")
    assert "last run: exited with code 0" in place.call("why", "nightly").out
    assert states(place) == {"nightly.1": "scheduled", "web.1": "running"}
    assert place.call("stop", "nightly").code == 0
    assert states(place)["nightly.1"] == "exited"


def test_a_session_of_runs_alone_waits_for_them(place: Place) -> None:
    place.procfile("tick: echo ran\n")
    place.write("procman.toml", '[process.tick]\nschedule = { every = "1s" }\n')
    session = place.start("tick")
    for _ in range(2):
        session.wait_for(r"tick\.1 exited with code 0")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_up_does_not_start_what_runs_by_the_clock(place: Place) -> None:
    place.procfile("nightly: exit 3\nweb: exec sleep 1000\n")
    place.write("procman.toml", '[process.nightly]\nschedule = { every = "1h" }\n')
    place.start().wait_for(r"web\.1 started")
    place.call("start", "nightly")
    assert place.call("up").code == 0
    assert states(place)["nightly.1"] == "scheduled"
    assert place.call("wait").code == 0


def test_a_run_that_lasts_too_long_is_stopped(place: Place) -> None:
    place.procfile("tick: exec sleep 1000\n")
    place.write("procman.toml", '[process.tick]\nschedule = { every = "1s", timeout = "1s", overlap = "queue" }\n')
    session = place.start()
    session.wait_for(r"tick\.1 is overdue: it has run for 1\.0 s; stopping it")
    session.wait_for(r"tick\.1 FAILED: overdue")
    session.wait_for(r"tick\.1 started")


def test_check_finds_a_time_that_does_not_exist(place: Place) -> None:
    pytest.importorskip("cronsim")
    place.procfile("nightly: true\n")
    place.write("procman.toml", '[process.nightly]\nschedule = "0 25 * * *"\n')
    done = place.call("check")
    assert done.code == 1
    assert 'procman.toml:2: error: schedule: "0 25 * * *": bad hour' in done.out


def test_the_library_is_imported_for_a_schedule_alone(place: Place) -> None:
    place.procfile("web: true\n")
    place.write("procman.toml", "[process.web]\ncan_die = true\n")
    done = place.call("start", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "procman.core.overlay.tables" in done.err
    assert not {"cronsim", "zoneinfo", "procman.runtime.health.scheduler"} & {
        line.rpartition("|")[2].strip() for line in done.err.splitlines()
    }
