"""The lock of deployments as an object of Docker, whose name only one can have: its labels say whose it is."""

from __future__ import annotations

from procman.engines.calls import now, run
from procman.engines.common_messages import locked, taken_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.engines.calls import Call, Outcome, Steps
    from procman.engines.interface import EngineError, Target

_OWNER, _UNTIL = "procman.lock.owner", "procman.lock.until"


class DockerLock:
    """The lock of one application.

    ``create`` creates the object with some labels, ``read`` returns its ID and its labels (an empty ID if there is
    none), and ``removing`` returns the call that removes it by its ID. ``exists`` is what Docker says if there is one,
    and ``error`` returns the error for a call that failed.
    """

    def __init__(
        self,
        target: Target,
        create: Callable[[Mapping[str, str]], Steps[Outcome]],
        read: Callable[[], Steps[tuple[str, Mapping[str, str]]]],
        removing: Callable[[str], Call],
        exists: str,
        error: Callable[[Outcome, str], EngineError],
    ) -> None:
        self._target = target
        self._create = create
        self._read = read
        self._removing = removing
        self._exists = exists
        self._error = error
        self._own: dict[str, str] = {}  # the IDs of the locks that this process has taken, by owner

    def take(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock for so many seconds. Raises EngineError if another one has it."""
        labels = {_OWNER: owner, _UNTIL: f"{(yield from now()) + valid:.0f}"}
        taken = yield from self._create(labels)
        if not taken.ok and self._exists in taken.err.decode("utf-8", "replace"):
            yield from self.require_free(owner)
            taken = yield from self._create(labels)
        if not taken.ok:
            raise self._error(taken, "the lock cannot be taken")
        self._own[owner] = taken.text.strip()

    def require_free(self, owner: str = "") -> Steps[None]:
        """Raise EngineError if another owner has a valid lock; remove one that has expired.

        That goes by its ID: of two commands that have found it expired, one may have a new lock by now.
        """
        number, holder, until = yield from self._holder()
        left = until - (yield from now())
        if not holder:
            return  # it has just been released, and another deployment may have it now
        if holder != owner and left > 0:
            raise locked(self._target, holder, left)
        if holder != owner:
            yield taken_over(holder)
        yield from run(self._removing(number))

    def release(self, owner: str) -> Steps[None]:
        """Release the lock if it is the owner's; any lock, if ``owner`` is empty.

        Our own goes by its ID, so that it cannot be one that another command has taken since.
        """
        if own := self._own.pop(owner, ""):
            yield from run(self._removing(own))
            return
        number, holder, _ = yield from self._holder()
        if holder and owner in ("", holder):
            yield from run(self._removing(number))

    def _holder(self) -> Steps[tuple[str, str, float]]:
        """Return the ID of the lock, its owner, and until when it is valid; empty if it is free."""
        number, labels = yield from self._read()
        until = labels.get(_UNTIL, "")
        return number, labels.get(_OWNER, ""), float(until) if until.isdecimal() else 0.0
