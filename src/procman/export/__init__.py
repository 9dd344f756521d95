"""Renderers that write a plan in the language of another process manager.

A plug-in imports `application`, `file` and `options` of this package, and `Plan` from here for its type annotations.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import Plan as Plan
