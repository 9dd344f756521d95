"""What to do about processes of a running session whose commands could not be run, for `up` and `test`."""

from __future__ import annotations

import os

from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND, ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.cli.control.connection import Record
    from procman.core.model.settings import Settings


def launch_hints(rows: Iterable[Record], settings: Settings) -> dict[str, str]:
    """Return a hint for each instance whose command could not be run, as far as there is one."""
    names = {row["name"] for row in rows if row.get("code") in (EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND)}
    if not names:
        return {}
    from procman.config.plan_source import read_plan
    from procman.core.lifecycle.instance import Instance
    from procman.runtime.processes.diagnosis import launch_hint

    try:
        plan = read_plan(settings, os.environ)
    except ProcmanError:  # the Procfile has changed since; the failure itself is what counts
        return {}
    failed = [one for one in plan.instances if one.name in names]
    hints = {one.name: launch_hint(Instance(one), plan.environment, os.environ) for one in failed}
    return {name: hint for name, hint in hints.items() if hint}
