"""Decides how a policy's times and numbers are written at a target."""

from __future__ import annotations

from math import ceil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.policy import RestartPolicy


def seconds(value: float, least: float = 0.0) -> str:
    """Write seconds without needless digits: ``5``, ``0.5``; at least ``least``, where 0 would mean "for ever"."""
    return f"{max(value, least):.3f}".rstrip("0").rstrip(".")


def whole_seconds(value: float, least: int = 0) -> int:
    """Round up to whole seconds: a target that counts in them must not be less patient than procman."""
    return max(ceil(value), least)


def starts_allowed(policy: RestartPolicy) -> int:
    """Return how many starts the budget allows, the first one included: the last quick death is not answered."""
    return max(1, policy.max_restarts)


def budget_window(policy: RestartPolicy) -> int:
    """Return the seconds within which so many starts mean that each life was too short."""
    return ceil(starts_allowed(policy) * (policy.min_uptime + policy.backoff))
