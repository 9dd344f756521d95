"""The deployed files: what they are called, their counts, and how many instances are replaced at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from procman.engines.swarm.swarm_names import FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


ONE_OFFS = "x-run"  # the key of the environments of commands that are not of a service
_PENDING = ".new"  # how the name of a file ends until its version has come up


@dataclass(frozen=True, slots=True)
class Kept:
    """A deployed file: its name, the version and the image that it is of, and the template.

    ``images`` are those of the version before it, by label, as far as that version had come up. ``counts`` are those
    that its deployment was given.
    """

    name: str
    version: str = ""
    image: str = ""
    template: str = "{}"
    images: Mapping[str, str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_pending(self) -> bool:
        """Whether its version has not come up, as far as is known."""
        return self.name.endswith(_PENDING)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its services."""
        return tuple(json.loads(self.template).get("services", ()))

    def one_off(self, process: str) -> Mapping[str, Any] | None:
        """Return the environment of a command that is not of a service; None if procman did not write it."""
        found = json.loads(self.template).get(ONE_OFFS, {})
        part: Mapping[str, Any] | None = found.get(process, found.get(""))
        return part

    @property
    def label(self) -> str:
        """By what a service says that it was deployed from this file."""
        return final_name(self.name)


def pending_name(name: str) -> str:
    """Return the name of a file whose version has not come up yet."""
    return f"{name}{_PENDING}"


def final_name(name: str) -> str:
    """Return the name of a file once its version has come up."""
    return name.removesuffix(_PENDING)


def number_of(name: str) -> int:
    """Return the number in the name of a file."""
    return int(final_name(name).rpartition(".")[2])


def kept_names(names: Sequence[str]) -> list[str]:
    """Return the file of the latest version that has come up, as far as there is one, and the latest file.

    One that has both of its names is of a version that has come up: only the removal of the other was cut off.
    """
    finals = [name for name in names if name == final_name(name)]
    latest = [name for name in names if name in finals or final_name(name) not in finals]
    return list(dict.fromkeys((*finals[-1:], *latest[-1:])))


def filled(template: str, counts: Mapping[str, int], images: Mapping[str, str] | None = None, *, file: str = "") -> str:
    """Return the file of a stack with these counts by label, and its own name in a label of each service.

    With ``images`` it restores what ran before with these images: a first failure does not pause it, since there is
    nothing else to return to.
    """
    stack = json.loads(template)
    for label, service in stack["services"].items():
        service["deploy"]["replicas"] = counts.get(label, 0)
        if file:
            service["deploy"]["labels"][FILE] = final_name(file)
        if images is not None:
            service["image"] = images.get(label, service["image"])
            service["deploy"].get("update_config", {})["failure_action"] = "continue"
    return json.dumps(stack, indent=2, ensure_ascii=False) + "\n"


def half(count: int) -> int:
    """Return how many of so many instances are stopped at a time; at least one, since 0 means all of them."""
    return max(1, (count + 1) // 2)


def started_first(count: int) -> int:
    """Return how many of so many instances are replaced at a time if the new ones start first: half, or up to three.

    All the old ones serve meanwhile, so this only limits what runs beside them.
    """
    return max(half(count), min(count, 3))
