"""The lock of whatever changes a destination: a folder on its first host."""

from __future__ import annotations

from procman.engines.common_messages import locked, taken_over
from procman.engines.hosts import host_scripts
from procman.engines.hosts.ssh import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.calls import Outcome, Steps
    from procman.engines.hosts.machines import Machines

_HELD = 3  # exit code of the scripts: another one has it


class HostLock:
    """The lock of one application."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    def take(self, owner: str, valid: float) -> Steps[None]:
        """Take it for so many seconds. Raises EngineError if another owner has it."""
        outcome = yield from self._on_first(host_scripts.LOCK, owner, str(round(valid)))
        if other := outcome.text.strip():
            yield taken_over(other)

    def require_free(self) -> Steps[None]:
        """Raise EngineError if someone has it. Nothing is known of a host that the last look has not reached."""
        if self._machines.hosts[0] not in self._machines.lost:
            yield from self._on_first(host_scripts.REQUIRE_FREE)

    def _on_first(self, script: str, *words: str) -> Steps[Outcome]:
        self._machines.require_hosts()
        host = self._machines.hosts[0]
        outcome = yield from self._machines.on(host, script, *words)
        if outcome.code == _HELD:
            other, _, left = outcome.text.strip().partition("\n")
            raise locked(self._machines.target, other, float(left or 0))
        if not outcome.ok:
            raise failure(host, outcome, "the lock")
        return outcome

    def release(self, owner: str) -> Steps[None]:
        """Release it if it is the owner's, or anyone's for an empty name."""
        self._machines.require_hosts()
        host = self._machines.hosts[0]
        outcome = yield from self._machines.on(host, host_scripts.UNLOCK, owner)
        if not owner and not outcome.ok:
            raise failure(host, outcome, "removing the lock")
