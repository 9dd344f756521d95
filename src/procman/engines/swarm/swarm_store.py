"""What a deployment keeps in Swarm besides services and secrets, as config objects: the deployed file, and the lock."""

from __future__ import annotations

import base64
import json

from procman.engines.calls import now, run
from procman.engines.common_messages import name_taken
from procman.engines.docker_cli import understood
from procman.engines.docker_lock import DockerLock
from procman.engines.swarm.swarm_files import Kept, final_name, number_of, pending_name
from procman.engines.swarm.swarm_names import APP, NAME, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.engines.calls import Call, Outcome, Steps
    from procman.engines.docker_cli import Docker
    from procman.engines.interface import Release, Target

_IMAGE, _IMAGES, _COUNTS = "procman.image", "procman.images", "procman.counts"
_FOUND = "already exists"


class SwarmStore:
    """The config objects of one application."""

    def __init__(self, docker: Docker, name: str, target: Target) -> None:
        self._docker = docker
        self._name = name
        self._target = target
        self._lock_name = f"{name}.lock"
        self.lock = DockerLock(
            target,
            self._create_lock,
            self._read_lock,
            lambda number: docker("config", "rm", number),
            _FOUND,
            docker.error,
        )

    def listing(self) -> Call:
        """Return the call that lists the objects."""
        return self._docker("config", "ls", "--filter", f"label={APP}={self._name}", "--format", "{{.Name}}")

    def names_in(self, listed: Outcome) -> list[str]:
        """Return the names of the deployed files, the latest last."""
        self._docker.require(listed, "Swarm does not list its configs")
        return sorted(name for name in listed.text.split() if name != self._lock_name)

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

    def _create_lock(self, labels: Mapping[str, str]) -> Steps[Outcome]:
        found = {APP: self._name, NAME: self._target.app, **labels}
        options = (f"--label={key}={value}" for key, value in found.items())
        return (yield from run(self._docker("config", "create", *options, self._lock_name, "-", stdin=b"lock")))

    def _read_lock(self) -> Steps[tuple[str, Mapping[str, str]]]:
        found = yield from run(self._docker("config", "inspect", "--format", "{{json .}}", self._lock_name))
        number, labels = _identified(found.text) if found.ok else ("", {})
        if number:
            require_own(labels.get(NAME) or self._target.app, self._target)
        return number, labels


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
def _identified(text: str) -> tuple[str, Mapping[str, str]]:
    found = json.loads(text)
    return str(found["ID"]), found["Spec"].get("Labels") or {}
