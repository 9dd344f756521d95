"""What hosts have said: their units and their journals."""

from __future__ import annotations

import json

import pytest

from engines.hosts.fake_hosts import HERE
from procman.engines.hosts import journal_lines
from procman.engines.hosts.deployed_record import read
from procman.engines.hosts.unit_states import parse
from procman.engines.records import BACKOFF, EXITED, FAILED, RUNNING, STARTING, STOPPING


def test_the_units_of_a_host_are_instances() -> None:
    look = parse((HERE / "show_a.txt").read_bytes(), "a")
    record = read(look.record)
    assert record is not None
    assert record.instances["web.1"] == "deploy@a"
    web, sick = look.units["shop-web@1.service"], look.units["shop-sick@1.service"]
    assert (web.state.state, web.state.restarts, web.state.exit) == (RUNNING, 0, "")
    assert web.release.startswith("/srv/shop.releases/")
    assert 0 < web.age < 60
    assert (sick.state.state, sick.state.restarts, sick.state.exit) == (FAILED, 2, "3")
    job = parse((HERE / "show_b.txt").read_bytes(), "b").units["shop-job@1.service"]
    assert (job.state.state, job.state.exit, job.succeeded) == (EXITED, "0", True)


def test_a_host_without_the_application_has_no_units() -> None:
    look = parse(b"\n--\n100.5 1796009370\n\n--\n", "a")
    assert (look.units, read(look.record)) == ({}, None)


@pytest.mark.parametrize(
    ("active", "sub", "state"),
    [
        ("activating", "start-post", STARTING),
        ("activating", "auto-restart", BACKOFF),
        ("activating", "auto-restart-queued", BACKOFF),
        ("deactivating", "stop-sigterm", STOPPING),
        ("inactive", "dead", EXITED),
        ("active", "exited", EXITED),
        ("reloading", "reload", RUNNING),
        ("something", "new", EXITED),
    ],
)
def test_the_states_of_systemd_are_ours(active: str, sub: str, state: str) -> None:
    shown = f"Id=shop-web@1.service\nActiveState={active}\nSubState={sub}\nExecMainCode=2\nExecMainStatus=9\nJob=7"
    unit = parse(f"\n--\n100 200\n{shown}\n--\n".encode(), "a").units["shop-web@1.service"]
    assert (unit.state.state, unit.pending) == (state, True)


def test_a_record_that_is_not_ours_is_none() -> None:
    text = parse((HERE / "show_a.txt").read_bytes(), "a").record
    assert read(text + "x") is None
    assert read(json.dumps({**json.loads(text), "new_key": 1})) is None
    assert read("[]") is None
    assert read(json.dumps({"app": "shop"})) is None


def test_journals_are_merged_by_time_and_keep_their_bytes() -> None:
    outputs = [journal_lines.parse_all((HERE / f"journal_{node}.txt").read_bytes(), "shop", node) for node in "ab"]
    lines = journal_lines.merged(outputs, 4)
    assert [(line.instance, line.node) for line in lines] == [
        ("worker.1", "b"),
        ("sick.1", "a"),
        ("sick.1", "a"),
        ("web.1", "a"),
    ]
    assert lines[1].line == b"no flux today"
    assert lines[-1].line == b"\xff\xfe"
    assert journal_lines.merged(outputs, 0) == []


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b"-- No entries --", b'{"SYSLOG_IDENTIFIER":["a"]}'])
def test_what_is_not_a_line_of_the_journal_is_left_out(line: bytes) -> None:
    assert journal_lines.parse(line, "shop", "a") is None
