"""What to do about a process of a running session whose command could not be run, for `up` and `test`."""

from __future__ import annotations

import os

from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.core.model.settings import Settings


def hint_of(row: Record, settings: Settings) -> str:
    """Return what to do about a process whose command could not be run, or an empty string."""
    if row.get("code") not in (EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND):
        return ""
    from procman.config.plan_source import read_plan
    from procman.core.lifecycle.instance import Instance
    from procman.runtime.processes.diagnosis import launch_hint

    try:
        plan = read_plan(settings, os.environ)
    except ProcmanError:  # the Procfile has changed since; the failure itself is what counts
        return ""
    found = next((instance for instance in plan.instances if instance.name == row["name"]), None)
    return launch_hint(Instance(found), plan.environment, os.environ) if found else ""
