"""app.json for Heroku: the formation, and the variables that the application needs."""

from __future__ import annotations

import json

from procman.core.model.schedule import REPLACE
from procman.export.application import RELEASE, application
from procman.export.cron import crontab_of, schedule_warnings
from procman.export.file import ExportFile, ExportWarning, marker
from procman.export.hosted.procfile_platforms import NAMES, procfile_warnings
from procman.export.overlay import SCHEDULE, by_hand_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import Plan
    from procman.export.application import Application
    from procman.export.options import ExportOptions

SUMMARY = "app.json for Heroku, which also reads the Procfile"


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield app.json, with counts and the names of variables, never values."""
    app = application(plan, options)
    yield from procfile_warnings(app, NAMES["heroku"], SCHEDULE)
    yield from schedule_warnings(app, "Dokku", "the time zone of its host", "replace")
    for service in app.services:
        if crontab_of(service):
            yield ExportWarning(f"only Dokku reads the schedule of {service.name}; for Heroku, use its Scheduler")
    yield from by_hand_warnings(app)
    yield ExportWarning(
        "app.json contains only the names of variables: set their values with `heroku config:set`", True
    )
    secrets = dict.fromkeys([*app.secrets, *(name for service in app.services for name in service.env)])
    content = {
        # JSON has no comments, so the marker is in the description.
        "name": app.name,
        "description": f"{marker('app-json', app.name)} Install: heroku apps:create, then git push heroku.",
        # Heroku runs release by itself before a new version, and keeps no dyno for it.
        "formation": {one.name: {"quantity": one.replicas} for one in app.services if one.kind != RELEASE},
        "env": {name: {"required": True} for name in secrets},
        **({"cron": cron} if (cron := [*_cron(app)]) else {}),
    }
    yield ExportFile("app.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _cron(app: Application) -> Iterator[dict[str, str]]:
    """Yield what Dokku runs by the clock: lines of the Procfile, by their names."""
    for service in app.services:
        rule, times = service.first.schedule, crontab_of(service)
        if rule is not None and times is not None:
            policy = "replace" if rule.overlap == REPLACE else "forbid"
            yield {"command": service.name, "schedule": times, "concurrency_policy": policy}
