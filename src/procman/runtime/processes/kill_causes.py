"""What a SIGKILL came from: us, the kernel's lack of memory, or something else."""

from __future__ import annotations

from procman.runtime.system.oom_kills import named_in_log, oom_kills, oom_kills_before

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from procman.core.model.status import ExitStatus

    class Killed(Protocol):
        """A child: see runtime/processes/children.py, which imports this module."""

        name: str
        pid: int
        cause: str
        status: ExitStatus | None


OUT_OF_MEMORY = "killed by the kernel: out of memory"


class KillCauses:
    """Finds the causes. It is made at the first SIGKILL, or for the first limit, so that no other start pays for it.

    The kernel only counts its kills. A count of 0, or one that has not changed, proves that a kill was not for a lack
    of memory; one that has risen by as many as were killed says the opposite. Otherwise, its log may name the process.
    Anything else remains unknown.
    """

    def __init__(self) -> None:
        self._before = oom_kills_before()
        self.of_limit: Callable[[str], str] | None = (
            None  # how a limit of its own has ended a child, or an empty string
        )

    def explain(self, killed: Sequence[Killed]) -> None:
        """Note the causes of children that have been killed since the last call."""
        verdict = self._verdict(len(killed))
        for child in killed:
            assert child.status is not None
            cause = child.cause or (self.of_limit and self.of_limit(child.name)) or verdict
            if cause is None and named_in_log([child.pid]):
                cause = OUT_OF_MEMORY
            child.status.cause = cause

    def _verdict(self, number: int) -> str | None:
        before, self._before = self._before, oom_kills()
        if self._before is None or (before is None and self._before):
            return None
        more = self._before - (before or 0)
        return OUT_OF_MEMORY if more >= number else "" if not more else None
