"""What a deployment keeps in Swarm besides services and secrets, as config objects: the deployed file, and the lock."""

from __future__ import annotations

import base64
import json

from procman.engines.calls import now, run
from procman.engines.common_messages import locked, name_taken, taken_over
from procman.engines.docker_cli import understood
from procman.engines.swarm.swarm_files import Kept, final_name, number_of, pending_name
from procman.engines.swarm.swarm_names import APP, NAME, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.engines.calls import Call, Outcome, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Release, Target

_OWNER, _UNTIL = "procman.lock.owner", "procman.lock.until"
_IMAGE, _IMAGES, _COUNTS = "procman.image", "procman.images", "procman.counts"
_FOUND = "already exists"


class SwarmStore:
    """The config objects of one application."""

    def __init__(self, docker: Docker, name: str, target: Target) -> None:
        self._docker = docker
        self._name = name
        self._target = target
        self._lock = f"{name}.lock"
        self._own: dict[str, str] = {}  # the IDs of the locks that this process has taken, by owner

    def listing(self) -> Call:
        """Return the call that lists the objects."""
        return self._docker("config", "ls", "--filter", f"label={APP}={self._name}", "--format", "{{.Name}}")

    def names_in(self, listed: Outcome) -> list[str]:
        """Return the names of the deployed files, the latest last."""
        self._docker.require(listed, "Swarm does not list its configs")
        return sorted(name for name in listed.text.split() if name != self._lock)

    def names(self) -> Steps[list[str]]:
        """Return the names of the deployed files, the latest last."""
        return self.names_in((yield from run(self.listing())))

    def reading(self, name: str) -> Call:
        """Return the call that reads a deployed file."""
        return self._docker("config", "inspect", "--format", "{{json .Spec}}", name)

    @staticmethod
    def kept(name: str, outcome: Outcome) -> Kept | None:
        """Return a deployed file; None if it has just been removed."""
        if not outcome.ok:
            return None
        return _kept(outcome.text, name)

    def write(self, release: Release, template: str, latest: str, images: Mapping[str, str] | None) -> Steps[str]:
        """Keep the file of a version that has not come up yet, and return its name.

        Names sort by time, even if the clock that named the latest was ahead. ``images`` are those to restore.
        """
        number = round((yield from now()) * 1000)
        if latest:
            number = max(number, number_of(latest) + 1)
        name = pending_name(f"{self._name}.{number:014}")
        label = () if images is None else (f"{_IMAGES}={json.dumps(images)}",)
        counts = f"{_COUNTS}={json.dumps(dict(release.counts))}"
        yield from self._keep(self._creating(release.version, release.image, template, name, counts, *label))
        return name

    def settle(self, file: Kept) -> Steps[None]:
        """Keep a file as that of a version that has come up after its deployment had ended."""
        if file.is_pending:
            yield from self._keep(self._creating(file.version, file.image, file.template, file.label))

    def _keep(self, call: Call) -> Steps[None]:
        self._docker.require((yield from run(call)), "the file of the stack cannot be kept")

    def settling(self, release: Release, template: str, name: str) -> Call:
        """Return the call that keeps a file as that of a version that has come up."""
        return self._creating(release.version, release.image, template, final_name(name))

    def _creating(self, version: str, image: str, template: str, name: str, *more: str) -> Call:
        labels = (f"{APP}={self._name}", f"{VERSION}={version}", f"{_IMAGE}={image}", *more)
        words = ("config", "create", *(f"--label={label}" for label in labels), name, "-")
        return self._docker(*words, stdin=template.encode())

    def remove(self, *names: str) -> Steps[None]:
        """Remove deployed files."""
        if names:
            yield from run(self._docker("config", "rm", *names))

    # The lock ---------------------------------------------------------------------------------------------------------

    def lock(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock. Raises EngineError if another one has it."""
        until = (yield from now()) + valid
        labels = (f"{APP}={self._name}", f"{NAME}={self._target.app}", f"{_OWNER}={owner}", f"{_UNTIL}={until:.0f}")
        call = self._docker(
            "config", "create", *(f"--label={label}" for label in labels), self._lock, "-", stdin=b"lock"
        )
        taken = yield from run(call)
        if not taken.ok and _FOUND in taken.err.decode("utf-8", "replace"):
            yield from self.require_free(owner)
            taken = yield from run(call)
        self._own[owner] = self._docker.require(taken, "the lock cannot be taken").text.strip()

    def require_free(self, owner: str = "") -> Steps[None]:
        """Raise EngineError if another one has a lock that is valid; remove one that has expired.

        That goes by its ID: of two commands that have found it expired, one may have a new lock by now.
        """
        number, holder, until = yield from self._holder()
        left = until - (yield from now())
        if not holder:
            return
        if holder != owner and left > 0:
            raise locked(self._target, holder, left)
        if holder != owner:
            yield taken_over(holder)
        yield from run(self._docker("config", "rm", number))

    def unlock(self, owner: str) -> Steps[None]:
        """Release the lock if it is the owner's; anyone's, if ``owner`` is empty.

        Our own goes by its ID, so that it cannot be one that another command has taken since.
        """
        if own := self._own.pop(owner, ""):
            yield from run(self._docker("config", "rm", own))
            return
        number, holder, _ = yield from self._holder()
        if holder and owner in ("", holder):
            yield from run(self._docker("config", "rm", number))

    def _holder(self) -> Steps[tuple[str, str, float]]:
        """Return the ID of the lock, its owner and its end; empty if it is free."""
        outcome = yield from run(self._docker("config", "inspect", "--format", "{{json .}}", self._lock))
        number, name, holder, until = _holder(outcome.text) if outcome.ok else ("", "", "", 0.0)
        if holder:
            require_own(name or self._target.app, self._target)
        return number, holder, until


def require_own(name: str, target: Target) -> None:
    """Raise EngineError if what is there belongs to an application of another name, as the labels say."""
    if name != target.app:
        raise name_taken(
            target, f"{name} is deployed there" if name else "a stack is there that procman has not deployed"
        )


@understood
def _kept(text: str, name: str) -> Kept:
    spec = json.loads(text)
    labels = spec.get("Labels") or {}
    data = base64.b64decode(spec.get("Data") or "").decode("utf-8", "replace")
    images = json.loads(labels[_IMAGES]) if _IMAGES in labels else None
    counts = json.loads(labels.get(_COUNTS, "{}"))
    return Kept(name, labels.get(VERSION, ""), labels.get(_IMAGE, ""), data, images, counts)


@understood
def _holder(text: str) -> tuple[str, str, str, float]:
    found = json.loads(text)
    labels = found["Spec"].get("Labels") or {}
    return str(found["ID"]), str(labels.get(NAME, "")), str(labels.get(_OWNER, "")), float(labels.get(_UNTIL, 0))
