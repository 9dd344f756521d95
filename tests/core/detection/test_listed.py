"""What the files of other process managers show."""

from __future__ import annotations

import pytest
import yaml

from procman.core.detection.listed import mapping, of_compose, of_mprocs, of_process_compose

PROCESS_COMPOSE = """
version: "0.5"
shell: {shell_command: bash}
processes:
  db:
    command: postgres -D $$DATA
    readiness_probe: {exec: {command: pg_isready}, period_seconds: 2}
    shutdown: {signal: 2, timeout_seconds: 10, parent_only: true}
  web:
    command: serve
    working_dir: site
    environment: ["A=b=c"]
    depends_on: {db: {condition: process_healthy}}
    readiness_probe: {http_get: {host: localhost, port: 8080, path: /up}}
    availability: {restart: on_failure}
    disabled: true
    is_tty: false
    color: red
"""


def test_process_compose() -> None:
    notes: list[str] = []
    db, web = of_process_compose(yaml.load(PROCESS_COMPOSE, yaml.BaseLoader), "pc.yaml", notes)
    assert (db.command, db.source) == ("postgres -D $DATA", "pc.yaml: processes.db")
    assert db.overlay == {"ready": {"exec": "pg_isready", "interval": 2}, "stop_signal": 2, "stop_timeout": 10}
    assert web.overlay == {
        "cwd": "site",
        "env": {"A": "b=c"},
        "depends_on": {"db": "ready"},
        "ready": {"http": "http://localhost:8080/up"},
        "restart": "on-failure",
        "autostart": False,
    }
    assert notes == [
        "pc.yaml: not carried over: shell",
        "pc.yaml: processes.db.shutdown: not carried over: parent_only",
        "pc.yaml: processes.web: not carried over: color",
    ]


def test_the_numbers_of_probes_are_carried_over_or_named() -> None:
    text = """
processes:
  api:
    command: ./api
    readiness_probe: {exec: {command: up}, initial_delay_seconds: 3, success_threshold: 2, timeout_seconds: 4}
    liveness_probe: {exec: {command: up}, initial_delay_seconds: 5, failure_threshold: 6, timeout_seconds: 7}
    availability: {restart: always, backoff_seconds: 2, max_restarts: 3}
"""
    notes: list[str] = []
    (api,) = of_process_compose(yaml.load(text, yaml.BaseLoader), "pc.yaml", notes)
    assert api.overlay == {
        "ready": {"exec": "up", "initial_delay": 3, "success_threshold": 2},
        "health": {"exec": "up", "initial_delay": 5, "failure_threshold": 6, "timeout": 7},
        "restart": "always",
    }
    assert notes == [
        "pc.yaml: processes.api.availability: not carried over: backoff_seconds, max_restarts",
        "pc.yaml: processes.api.readiness_probe: not carried over: timeout_seconds",
    ]


def test_variables_that_mprocs_removes_are_named() -> None:
    notes: list[str] = []
    list(of_mprocs({"procs": {"a": {"shell": "x", "env": {"A": "b", "B": "null"}}}}, "mprocs.yaml", notes))
    assert notes == ["mprocs.yaml: procs.a.env: not carried over: B"]


def test_mprocs() -> None:
    text = """
procs:
  edit: {cmd: [vi, "a b"], cwd: <CONFIG_DIR>/x, autostart: false, stop: SIGINT, env: {A: b, B: null}}
  words: [echo, hi]
  server: cargo run
  gone: null
"""
    edit, words, server = of_mprocs(yaml.load(text, yaml.BaseLoader), "mprocs.yaml", [])
    assert (edit.command, words.command, server.command) == ("vi 'a b'", "echo hi", "cargo run")
    assert edit.overlay == {"cwd": "./x", "autostart": False, "stop_signal": "SIGINT", "env": {"A": "b"}}


def test_compose() -> None:
    text = """
x-app: &app {build: .}
services:
  web: {<<: *app, command: serve $$PORT, depends_on: [db], environment: {A: b}}
  jobs: {build: {context: ./}, command: [run, "a b"], depends_on: {web: {condition: service_started}}}
  other: {build: ../other, command: x}
  silent: {build: .}
  db: {image: "postgres:16"}
"""
    notes: list[str] = []
    found = {one.name: one for one in of_compose(yaml.load(text, yaml.BaseLoader), "compose.yaml", notes)}
    assert notes == ["compose.yaml: services.web: not carried over: environment"]
    assert (found["web"].command, found["jobs"].command) == ("serve $PORT", "run 'a b'")
    assert found["jobs"].overlay == {"depends_on": {"web": "started"}}
    reasons = {name: one.reason for name, one in found.items() if one.reason}
    assert reasons == {
        "other": "it is built from ../other",
        "silent": "its command is in its Dockerfile",
        "db": "it runs the image postgres:16; docker compose up db starts it",
    }


@pytest.mark.parametrize("inner", [None, "", "x", [], ["x"], {"a": None}, {"a": []}, {"a": {"command": {}}}], ids=str)
def test_a_strange_shape_shows_no_command(inner: object) -> None:
    data = {"processes": inner, "procs": inner, "services": inner}
    assert [one for one in of_process_compose(data, "f", []) if one.command] == []
    assert [one for one in of_mprocs(data, "f", []) if one.command] == []
    assert [one for one in of_compose(data, "f", []) if one.command] == []


def test_merges_within_merges_end() -> None:
    loop: dict[str, object] = {"a": "b"}
    loop["<<"] = [loop] * 100
    assert mapping(loop) == {"a": "b"}
