"""What a deployment leaves at a Docker daemon besides its containers: the deployed project, and the lock.

The project is a file in a volume, since it holds secrets, which labels would show. A container that never runs reads
and writes the volume. The lock is such a container, too: its name can be taken only once.
"""

from __future__ import annotations

import io
import json

from procman.engines.calls import Call, Report, run
from procman.engines.common_messages import name_taken
from procman.engines.compose.compose_commands import tar_of
from procman.engines.compose.compose_names import APP, project_name, volume_name
from procman.engines.docker_cli import understood
from procman.engines.docker_lock import DockerLock
from procman.engines.interface import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.engines.calls import Outcome, Steps
    from procman.engines.compose.compose_project import Project
    from procman.engines.interface import Target

_EMPTY_IMAGE = "procman-empty:1"  # made of nothing: the containers here never run
_EMPTY_TAR = bytes(10240)
_FOLDER = "/procman"
_FILE = "project.json"
_LOCK_FORMAT = '{"Id":{{json .Id}},"Labels":{{json .Config.Labels}}}'
_TAKEN = "is already in use"
_ABSENT = (b"no such volume", b"could not find the file", b"no such container")


class Store:
    """The volume and the lock of an application.

    ``docker`` makes a call of Docker's command, and ``error`` the error for one that failed.
    """

    def __init__(
        self, target: Target, docker: Callable[..., Call], error: Callable[[Outcome, str], EngineError]
    ) -> None:
        app = target.app
        self._target = target
        self._error = error
        self._docker = docker
        self._volume = volume_name(app)
        self._lock_name = f"{project_name(app)}-procman-lock"
        self._helper = f"{project_name(app)}-procman"
        self.lock = DockerLock(
            target, self._create_lock, self._read_lock, lambda number: docker("rm", "--force", number), _TAKEN, error
        )

    def read(self) -> Steps[Project | None]:
        """Return the deployed project; None if there is none, or it is not readable. Raises EngineError for errors."""
        call = self._docker("cp", f"{self._helper}:{_FOLDER}/{_FILE}", "-")
        copied = yield from run(call)
        if not copied.ok:  # the container may be missing, or the file, or all of it
            self._require_absence(copied)
            found = yield from run(self._docker("volume", "inspect", self._volume))
            if not found.ok:
                self._require_absence(found)
                return None
            yield from self._create()
            copied = yield from run(call)
        if not copied.ok:
            self._require_absence(copied)
            return None
        project = _project(copied.out)
        if project is None:
            yield Report("what was deployed cannot be read: it was written by another version of procman")
            return None
        if project.app != self._target.app:
            raise name_taken(self._target, f"{project.app} is deployed there")
        return project

    def write(self, project: Project) -> Steps[None]:
        """Keep the deployed project."""
        tar = tar_of(_FILE, project.as_json(), 0o600)
        call = self._docker("cp", "-", f"{self._helper}:{_FOLDER}", stdin=tar)
        copied = yield from run(call)
        if not copied.ok:  # there is no such container, which docker says in several ways
            yield from self._create()
            copied = yield from run(call)
        if not copied.ok:
            raise self._error(copied, "what is deployed cannot be noted")

    def remove(self) -> Steps[None]:
        """Remove the volume and the lock."""
        yield from run(self._docker("rm", "--force", self._helper, self._lock_name))
        yield from run(self._docker("volume", "rm", "--force", self._volume))

    def _create_lock(self, labels: Mapping[str, str]) -> Steps[Outcome]:
        return self._try_to_create(self._lock_name, *(f"--label={key}={value}" for key, value in labels.items()))

    def _read_lock(self) -> Steps[tuple[str, Mapping[str, str]]]:
        found = yield from run(self._docker("inspect", "--format", _LOCK_FORMAT, self._lock_name))
        return _identified(found.text) if found.ok else ("", {})

    def _require_absence(self, outcome: Outcome) -> None:
        """Raise EngineError unless there is no volume or no file: no other failure means that nothing is deployed."""
        if not any(sign in outcome.err.lower() for sign in _ABSENT):
            raise self._error(outcome, "what is deployed cannot be read")

    def _create(self) -> Steps[None]:
        """Create the container that reaches the volume. It stays, so that the next command needs one call."""
        created = yield from self._try_to_create(self._helper, f"--volume={self._volume}:{_FOLDER}")
        if not created.ok and _TAKEN not in created.complaint:
            raise EngineError(f"Docker cannot create a container: {created.complaint}")

    def _try_to_create(self, name: str, *options: str) -> Steps[Outcome]:
        """Create a container that never runs, and its image, if it is missing."""
        words = (
            "create",
            "--pull=never",
            f"--name={name}",
            f"--label={APP}={self._target.app}",
            *options,
            _EMPTY_IMAGE,
            "x",
        )
        created = yield from run(self._docker(*words))
        if not created.ok and "No such image" in created.complaint:
            yield from run(self._docker("import", "-", _EMPTY_IMAGE, stdin=_EMPTY_TAR))
            created = yield from run(self._docker(*words))
        return created


@understood
def _identified(text: str) -> tuple[str, Mapping[str, str]]:
    found = json.loads(text)
    return str(found["Id"]), found["Labels"] or {}


def _project(data: bytes) -> Project | None:
    """Return the project in a tar file; None if there is something else in it."""
    import tarfile  # loads three compressors

    from procman.engines.compose.compose_project import project_from_json  # with all of the export

    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            file = tar.extractfile(_FILE)
            return project_from_json(file.read() if file else b"")
    except (tarfile.TarError, ValueError):
        return None
