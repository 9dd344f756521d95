"""Each export target writes what the overlay says about concurrency, or warns of it: no key is dropped silently."""

from __future__ import annotations

from typing import Any

import pytest

from export.plans import Export, plan_of
from procman.core.model.autoscale import Autoscale
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.listen import Listen, ListeningSocket
from procman.core.model.plan import RestartPolicy
from procman.core.model.schedule import Schedule
from procman.export.registry import BUILT_IN

OTHER = "http://localhost:5000/other"
WEB = (ListeningSocket("web", "127.0.0.1:5000"),)
TIMED = {"autostart": False, "can_die": True, "restart": RestartPolicy("never")}
Keys = dict[str, Any]


def timed(**more: Any) -> Keys:
    return {**TIMED, "schedule": Schedule("" if "every" in more else "0 2 * * *", **more)}


def http(**more: Any) -> Check:
    return Check("http", "http://localhost:5000/up", timeout=60.0, **more)


# For each key: the overlay without and with it, and how a target calls what the key belongs to if it lacks all of that.
CASES: dict[str, tuple[Keys, Keys, str]] = {
    "listen": ({}, {"listen": Listen(WEB)}, ""),
    "share": ({"listen": Listen(WEB)}, {"listen": Listen(WEB, is_shared=True)}, "kept sockets"),
    "start_on": (
        {"listen": Listen(WEB)},
        {"listen": Listen(WEB, on_connection=True), "autostart": False},
        "kept sockets",
    ),
    "hold": ({"listen": Listen(WEB)}, {"listen": Listen(WEB, hold=1.0)}, "kept sockets"),
    "schedule": (TIMED, timed(), ""),
    "schedule.every": (TIMED, timed(every=900.0), ""),
    "schedule.tz": (timed(), timed(timezone="Europe/Berlin"), "schedule of web"),
    "schedule.overlap": (timed(), timed(overlap="queue"), "schedule of web"),
    "schedule.catch_up": (timed(), timed(catch_up=True), "schedule of web"),
    "schedule.timeout": (timed(), timed(timeout=60.0), "schedule of web"),
    "memory_max": ({}, {"memory_max": 1 << 30}, ""),
    "cpu_max": ({}, {"cpu_max": 1.5}, ""),
    "pids_max": ({}, {"pids_max": 64}, ""),
    "ready.notify": ({}, {"ready": Check("notify", "")}, ""),
    "health.notify": ({}, {"health": Check("notify", "")}, ""),
    "ready.status": ({"ready": http()}, {"ready": http(status=(418,))}, "readiness"),
    "ready.headers": ({"ready": http()}, {"ready": http(headers=(("X-Key", "up"),))}, "readiness"),
    "ready.success_threshold": ({"ready": http()}, {"ready": http(successes=3)}, "readiness"),
    "ready.initial_delay": ({"ready": http()}, {"ready": http(initial_delay=70.0)}, "readiness"),
    "ready beside health": ({"health": http()}, {"health": http(), "ready": Check("http", OTHER)}, "readiness"),
    "health beside ready": ({"ready": http()}, {"ready": http(), "health": Check("http", OTHER)}, "health check"),
    "health.status": ({"health": http()}, {"health": http(status=(418,))}, "health check"),
    "health.headers": ({"health": http()}, {"health": http(headers=(("X-Key", "up"),))}, "health check"),
    "health.initial_delay": ({"health": http()}, {"health": http(initial_delay=70.0)}, "health check"),
    "depends_on.restart": (
        {"depends_on": (Dependency("db"),)},
        {"depends_on": (Dependency("db", restart=True),)},
        "dependencies",
    ),
    "autoscale.cpu": ({}, {"autoscale": Autoscale("", 0.8, 4)}, ""),
    "autoscale.exec": ({}, {"autoscale": Autoscale("./length", 9.0, 4)}, ""),
}


def exported(target: str, keys: Keys) -> tuple[dict[str, str], set[str]]:
    export = Export(target, plan_of("web: ./serve --port $PORT\ndb: ./db\n", {"web": keys}))
    return {**export.files, **export.links}, set(export.warnings)


@pytest.mark.parametrize("target", BUILT_IN)
@pytest.mark.parametrize("key", CASES)
def test_a_key_is_written_or_warned_of(target: str, key: str) -> None:
    without, with_it, feature = CASES[key]
    files, warnings = exported(target, without)
    more_files, more_warnings = exported(target, with_it)
    lacks_all = bool(feature) and any(feature in one for one in warnings - exported(target, {})[1])
    assert more_files != files or more_warnings - warnings or lacks_all, (target, key)
