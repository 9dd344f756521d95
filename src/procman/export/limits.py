"""What a target does not support in a plan: a format, or a platform that reads the Procfile itself."""

from __future__ import annotations

from procman.core.text.suggest import did_you_mean
from procman.errors import UsageError
from procman.export.application import application
from procman.export.file import ExportWarning
from procman.export.hosted.procfile_platforms import NAMES, procfile_warnings
from procman.export.registry import BUILT_IN, find, plugins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import Plan
    from procman.export.options import ExportOptions


def check_target(name: str) -> None:
    """Raise UsageError if there is no target called ``name``."""
    if name in NAMES or name in BUILT_IN or name in plugins():
        return
    known = (*NAMES, *BUILT_IN, *plugins())
    raise UsageError(
        f'unknown target "{name}"', did_you_mean(name, known) or f"one of {', '.join((*NAMES, *BUILT_IN))}"
    )


def limits(name: str, plan: Plan, options: ExportOptions) -> list[str]:
    """Return what the target does not support, as sentences. Raises UsageError for a value that it refuses."""
    if name in NAMES:
        found = procfile_warnings(application(plan, options), NAMES[name])
    else:
        found = (item for item in find(name)(plan, options) if isinstance(item, ExportWarning))
    return [warning.message for warning in found if not warning.general]
