"""The file of a stack with its counts, and how many instances are replaced at a time."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def filled(template: str, counts: Mapping[str, int], images: Mapping[str, str] | None = None) -> str:
    """Return the file of a stack with these counts by label.

    With ``images`` it restores what ran before with these images: a first failure does not pause it, since there is
    nothing else to return to.
    """
    stack = json.loads(template)
    for label, service in stack["services"].items():
        service["deploy"]["replicas"] = counts.get(label, 0)
        if images is not None:
            service["image"] = images.get(label, service["image"])
            service["deploy"].get("update_config", {})["failure_action"] = "continue"
    return json.dumps(stack, indent=2, ensure_ascii=False) + "\n"


def half(count: int) -> int:
    """Return how many of so many instances are replaced at a time; at least one, since 0 means all of them."""
    return max(1, (count + 1) // 2)
