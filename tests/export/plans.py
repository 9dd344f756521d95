"""Small plans for the tests of exports, and what an exporter makes of them."""

from __future__ import annotations

from procman.core.model.plan import Environment
from procman.core.model.settings import Settings
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.export.file import ExportFile
from procman.export.options import ExportOptions
from procman.export.registry import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.model.plan import Plan

    Overlay = Mapping[str, Mapping[str, object]]


def plan_of(lines: str, overlay: Overlay | None = None, formation: str = "all=1", **values: str) -> Plan:
    """Build a plan in /srv/app. ``overlay`` has attributes for the instances of a type, ``values`` are variables."""
    settings = Settings(root="/srv/app", formation=formation)
    plan = make_plan(parse_procfile(lines.encode()), Environment(values, {}), settings)
    for instance in plan.instances:
        for name, value in (overlay or {}).get(instance.type, {}).items():
            setattr(instance, name, value)
    return plan


class Export:
    """What an exporter yields: the contents of its files by path, the targets of its links, and its warnings."""

    def __init__(self, format_name: str, plan: Plan, **options: object) -> None:
        given: dict[str, object] = {"app": "app", "image": "app:1", "owner": "me"} | options
        found = list(find(format_name)(plan, ExportOptions(**given)))  # type: ignore[arg-type]
        files = [item for item in found if isinstance(item, ExportFile)]
        self.files = {item.path: item.content for item in files if not item.link}
        self.links = {item.path: item.link for item in files if item.link}
        self.warnings = [item.message for item in found if not isinstance(item, ExportFile)]
