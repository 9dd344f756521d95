from __future__ import annotations

import json

from procman.core.lifecycle.transitions import Action, Instance
from procman.core.model.status import ExitStatus
from procman.core.planner import make_plan
from procman.core.procfile.environment import Environment
from procman.core.procfile.parser import parse_procfile
from procman.output.hub import Hub
from procman.output.sinks.event_records import Events
from procman.output.sinks.jsonlines import JsonLines


def test_a_life_is_told_in_records() -> None:
    parts: list[bytes] = []
    events = Events(Hub(JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.0, lambda _: False)))
    instance = Instance(make_plan(parse_procfile(b"web: x\n"), Environment({}, {})).instances[0])
    instance.pid, instance.started = 42, 10.0
    events.on_event(Action.TELL_STARTED, instance, 10.0)
    events.on_event(Action.PROBE, instance, 11.0)
    instance.pid, instance.ended, instance.status, instance.delay = None, 12.5, ExitStatus(signal=9), 2.0
    events.on_event(Action.TELL_RESTARTING, instance, 13.0)
    events.close(14.0, 137)
    started, restarting, ended = (json.loads(line) for line in b"".join(parts).splitlines())
    common = {"time": "1970-01-01T00:00:00.000000Z", "instance": "web.1", "type": "web", "port": 5000, "restarts": 0}
    assert started == {**common, "event": "started", "pid": 42, "uptime": 0.0}
    assert restarting == {
        **common,
        "event": "restarting",
        "pid": None,
        "uptime": 2.5,
        "code": None,
        "signal": 9,
        "delay": 2.0,
    }
    assert (ended["event"], ended["instance"], ended["exit_status"]) == ("ended", "system", 137)
