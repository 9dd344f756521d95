"""What the exports make of a process that runs by the clock."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

from export.plans import Export, plan_of
from procman.core.model.plan import RestartPolicy
from procman.core.model.schedule import Schedule
from procman.export.init.systemd import stop_commands
from procman.export.init.systemd_timers import calendar
from procman.export.options import ExportOptions
from procman.export.registry import BUILT_IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.core.model.plan import Plan

FULL = Schedule("0 2 * * mon-fri", timezone="Europe/Berlin", overlap="replace", catch_up=True, timeout=600.0)
SUPPORTING = ("systemd", "kubernetes", "nomad", "app-json")


def plan(rule: Schedule, formation: str = "all=1") -> Plan:
    keys = {"schedule": rule, "autostart": False, "can_die": True, "restart": RestartPolicy("never")}
    return plan_of("web: serve\nnightly: ./report\n", {"nightly": keys}, formation)


def cron_job(rule: Schedule) -> tuple[dict[str, Any], list[str]]:
    yaml = pytest.importorskip("yaml")
    export = Export("kubernetes", plan(rule), user="1000")
    found = [part for part in yaml.safe_load_all(export.files["app.yaml"]) if part["kind"] == "CronJob"]
    return (found[0] if found else {}), [warning for warning in export.warnings if "nightly" in warning]


# systemd -------------------------------------------------------------------------------------------------------------


def test_a_timer_starts_the_unit_of_each_instance() -> None:
    export = Export("systemd", plan(FULL, "web=1,nightly=2"))
    timer = export.files["app-nightly@2.timer"]
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 2:0:00 Europe/Berlin\n" in timer
    assert "AccuracySec=1s\nPersistent=yes\n" in timer
    assert "PartOf=app-nightly.target\n" in timer
    assert export.links["app-nightly.target.wants/app-nightly@2.timer"] == "../app-nightly@2.timer"
    assert "app-nightly.target.wants/app-nightly@2.service" not in export.links
    assert "app.target.wants/app-nightly.target" in export.links
    assert "RuntimeMaxSec=600\n" in export.files["app-nightly@.service"]
    assert "By hand" not in export.files["app.target"]
    assert [text for text in export.warnings if "nightly" in text] == [
        "systemd skips a run of nightly while the previous one lasts: overlap is not exported"
    ]


def test_a_period_begins_with_the_timer() -> None:
    timer = Export("systemd", plan(Schedule(every=90.0))).files["app-nightly@1.timer"]
    assert "OnActiveSec=90\nOnUnitActiveSec=90\n" in timer
    assert "OnCalendar" not in timer


def test_what_systemd_cannot_say_is_said() -> None:
    warnings = Export("systemd", plan(Schedule("0 2 LW * *"))).warnings
    assert "not exported to systemd: the schedule 0 2 LW * * of nightly" in warnings


def test_removed_timers_are_stopped() -> None:
    removed = ["app-nightly@1.timer", "app-nightly.target.wants/app-nightly@1.timer"]
    assert stop_commands(removed, ExportOptions("app")) == ["systemctl stop app-nightly@1.timer"]


@pytest.mark.parametrize(
    "expression",
    [
        "0 2 * * *",
        "*/15 * * * *",
        "5-50/15 8-18/2 * * 1-5",
        "0 0 1 * *",
        "0 0 1,15 * 5",
        "30 4 */2 * *",
        "0 0 * jan,jul *",
        "0 12 * * 0",
        "0 12 * * 7",
        "0 12 * * 5-7",
        "0 12 * * */2",
        "7 3 L * *",
        "0 0 29 2 *",
    ],
)
def test_systemd_computes_the_same_times(expression: str) -> None:
    cronsim = pytest.importorskip("cronsim")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    begin = datetime(2026, 3, 10, 11, 58, tzinfo=UTC)
    moments = cronsim.CronSim(expression, begin)
    wanted = [f"{next(moments):%Y-%m-%d %H:%M:%S}" for _ in range(6)]
    found: set[str] = set()
    for line in calendar(Schedule(expression, timezone="UTC")):
        base = f"{begin - timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC"
        words = ["systemd-analyze", "calendar", "--iterations=6", f"--base-time={base}", line]
        done = subprocess.run(
            words, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
        )
        found.update(_moments(done.stdout))
    assert sorted(found)[:6] == wanted


def _moments(text: str) -> list[str]:
    """Return the times that systemd-analyze prints, which are in UTC."""
    lines = (line.split() for line in text.splitlines() if "Next elapse" in line or "Iter. #" in line)
    return [" ".join(words[words.index("UTC") - 2 : words.index("UTC")]) for words in lines if "UTC" in words]


# Kubernetes ----------------------------------------------------------------------------------------------------------


def test_kubernetes_runs_a_cron_job() -> None:
    job, warnings = cron_job(FULL)
    spec = job["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 2 * * 1,2,3,4,5", "Europe/Berlin")
    assert spec["concurrencyPolicy"] == "Replace"
    assert "startingDeadlineSeconds" not in spec
    template = spec["jobTemplate"]["spec"]
    assert (template["activeDeadlineSeconds"], template["backoffLimit"]) == (600, 0)
    assert "suspend" not in template
    assert template["template"]["spec"]["restartPolicy"] == "Never"
    assert warnings == []


def test_kubernetes_skips_what_it_missed_unless_it_may_catch_up() -> None:
    job, warnings = cron_job(Schedule("0 2 * * *", overlap="queue"))
    assert (job["spec"]["startingDeadlineSeconds"], job["spec"]["concurrencyPolicy"]) == (60, "Forbid")
    assert warnings == [
        "Kubernetes skips a run of nightly while the previous one lasts: it has no queue",
        "Kubernetes runs nightly by the time zone of its control plane, usually UTC, unless its schedule has a tz",
    ]


def test_kubernetes_takes_a_period_that_divides_a_day_or_an_hour() -> None:
    assert cron_job(Schedule(every=900.0))[0]["spec"]["schedule"] == "*/15 * * * *"
    job, warnings = cron_job(Schedule(every=420.0))
    assert job == {}
    assert warnings == ["not exported to Kubernetes: nightly, since no cron can say every 7 min 0 s"]


@pytest.mark.parametrize("rule", [FULL, Schedule("0 * * * *"), Schedule(every=3600.0)])
def test_the_cron_job_matches_the_schema_of_kubernetes(rule: Schedule) -> None:
    validator = import_module("kubernetes_validate") if _has("kubernetes_validate") else pytest.skip("not installed")
    job, _ = cron_job(rule)
    validator.validate(job, validator.latest_version(), strict=True)


def _has(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


# Others --------------------------------------------------------------------------------------------------------------


def test_nomad_runs_a_periodic_job() -> None:
    export = Export("nomad", plan(FULL, "web=1,nightly=2"))
    job = export.files["app-nightly.nomad.hcl"]
    assert (
        '  type = "batch"\n\n  periodic {\n    crons            = ["0 2 * * 1,2,3,4,5"]\n    prohibit_overlap = true\n'
        '    time_zone        = "Europe/Berlin"\n  }\n'
    ) in job
    assert "count = 2\n" in job
    assert (
        "not exported to Nomad: overlap = replace and catch_up and timeout of the schedule of nightly"
        in export.warnings
    )
    assert "app-nightly.nomad.hcl" not in Export("nomad", plan(Schedule(every=420.0))).files


def test_app_json_has_the_cron_of_dokku() -> None:
    export = Export("app-json", plan(FULL))
    content = json.loads(export.files["app.json"])
    assert content["cron"] == [{"command": "nightly", "schedule": "0 2 * * 1,2,3,4,5", "concurrency_policy": "replace"}]
    assert content["formation"]["nightly"] == {"quantity": 0}
    assert "only Dokku reads the schedule of nightly; for Heroku, use its Scheduler" in export.warnings
    assert "cron" not in json.loads(Export("app-json", plan_of("web: serve\n")).files["app.json"])


@pytest.mark.parametrize("target", [name for name in BUILT_IN if name not in SUPPORTING])
def test_every_other_target_says_that_it_starts_only_by_hand(target: str) -> None:
    warnings = [text for text in Export(target, plan(FULL)).warnings if "schedule of nightly" in text]
    assert len(warnings) == 1
    assert "which starts only by hand there; " in warnings[0]
