"""The command lines of `docker` and `docker compose`, and which of them are there."""

from __future__ import annotations

import io
import re

from procman.engines.calls import TIMEOUT, Call, Report, interact, run, run_together
from procman.engines.compose.compose_names import APP, ENVIRONMENT, TYPE, project_name, volume_name
from procman.engines.docker_cli import API_VERSION, Docker, pull_hint, require_new_enough, variables
from procman.engines.interface import EngineError
from procman.errors import EXIT_NOT_FOUND
from procman.export.container.first_process import source
from procman.export.shell import in_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procman.core.model.destination import Destination
    from procman.engines.calls import Outcome, Steps
    from procman.engines.compose.compose_project import OneOff
    from procman.engines.compose.compose_records import Container

_OLDEST = (2, 23, 1)  # the first that copies the content of a config into containers
_INSTALL = "install Docker's plugin docker-compose-plugin, or docker-compose 2 of your distribution"
_PROGRAMS = (("docker", "compose"), ("docker-compose",))
_PULL_TIMEOUT = 1800.0  # seconds
_PROJECT_LABEL = "com.docker.compose.project"
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class Commands:
    """Makes calls for one application, at the daemon of a destination's context; without one, of this environment.

    A context is a name, or an address such as ssh://deploy@host.
    """

    def __init__(self, app: str, destination: Destination) -> None:
        self._app = app
        self._errors = Docker(destination)
        context = destination.context
        self.node = _host(context) if "://" in context else context
        self.project = project_name(app)
        self._compose: tuple[str, ...] = ()
        # DOCKER_HOST would win over a context; COMPOSE_PROFILES would start the release with the rest.
        self._env = {"COMPOSE_PROFILES": "", **_whereabouts(destination.context)}

    def docker(
        self, *words: str, stdin: bytes = b"", timeout: float | None = TIMEOUT, env: Mapping[str, str] | None = None
    ) -> Call:
        """Return a call of Docker's command."""
        return Call(("docker", *words), stdin, timeout, {**(env or {}), **self._env}, shown=f"docker {words[0]}")

    def compose(self, *words: str, config: bytes = b"", timeout: float | None) -> Steps[Call]:
        """Return a call of Compose, with its configuration on standard input.

        It reads no file of a folder: the values of `.env` are in the configuration.
        """
        yield from self.find_compose()
        file = ("--file=-",) if config else ()
        options = (*file, "--env-file=/dev/null", f"--project-name={self.project}", "--ansi=never")
        return Call(
            (*self._compose, *options, *words), config, timeout, self._env, cwd="/", shown=f"docker compose {words[0]}"
        )

    def check(self) -> Steps[None]:
        """Raise EngineError unless the daemon answers, and Compose is there and new enough."""
        plugin = _PROGRAMS[0]
        answer, version = yield from run_together([self._asking(), self._version_of(plugin)])
        self.require_answer(answer)
        require_new_enough(answer.text)
        if not self._accept(plugin, version):
            yield from self._find(_PROGRAMS[1:])

    def require_docker(self) -> Steps[None]:
        """Raise EngineError unless the daemon answers."""
        self.require_answer((yield from run(self._asking())))

    def _asking(self) -> Call:
        return self.docker(*API_VERSION)

    def require_answer(self, outcome: Outcome) -> None:
        """Raise EngineError if the daemon has not answered."""
        self.require(outcome, "Docker does not answer")

    def require(self, outcome: Outcome, what: str) -> None:
        """Raise EngineError if the call failed: ``what`` begins its sentence."""
        self._errors.require(outcome, what)

    def error(self, outcome: Outcome, what: str) -> EngineError:
        """Return the error for a call that failed."""
        return self._errors.error(outcome, what)

    def find_compose(self) -> Steps[None]:
        """Find Compose: Docker's plugin, or a command of its own. Raises EngineError if it is missing or too old."""
        if not self._compose:
            yield from self._find(_PROGRAMS)

    def _find(self, programs: Iterable[tuple[str, ...]]) -> Steps[None]:
        for program in programs:
            try:
                found = yield from run(self._version_of(program))
            except EngineError:
                continue  # it is not installed
            if self._accept(program, found):
                return
        raise EngineError("Docker Compose is not installed", _INSTALL, EXIT_NOT_FOUND)

    def _version_of(self, program: tuple[str, ...]) -> Call:
        return Call((*program, "version", "--short"), env=self._env)

    def _accept(self, program: tuple[str, ...], outcome: Outcome) -> bool:
        """Use a program if it is Compose. Raises EngineError if it is too old."""
        version = _VERSION.search(outcome.text) if outcome.ok else None
        if version is None:
            return False
        if tuple(map(int, version.groups())) < _OLDEST:
            oldest = ".".join(map(str, _OLDEST))
            raise EngineError(f"Compose {version[0].lstrip('v')} is too old: deploy needs {oldest} or newer", _INSTALL)
        self._compose = program
        return True

    def image_id(self, image: str, beside: Sequence[Call] = (), *, is_built_there: bool) -> Steps[str]:
        """Return the ID of an image, after a pull unless it has been built there. Raises EngineError without one.

        The calls in ``beside`` are made at the same time.
        """
        pulled = None
        if not is_built_there:
            yield Report(f"pulling {image}")
            pulled = yield from run(self.docker("pull", "--quiet", image, timeout=_PULL_TIMEOUT))
        asking = self.docker("image", "inspect", "--format={{.Id}}", image)
        found, *_ = yield from run_together([asking, *beside])
        if found.ok:
            if pulled and not pulled.ok:
                yield Report(f"{image} cannot be pulled, so the one that is there is used: {pulled.complaint}")
            return found.text.strip()
        complaint = pulled.complaint if pulled else found.complaint
        raise EngineError(f"there is no image {image}: {complaint}", pull_hint(complaint))

    def instance_ids(self) -> Call:
        """Return the call that prints the IDs of all containers of instances."""
        filters = (*self._ours(), "label=com.docker.compose.oneoff=False")
        return self.docker("ps", "--all", "--quiet", "--no-trunc", *(f"--filter={one}" for one in filters))

    def inspecting(self, ids: Iterable[str]) -> Call:
        """Return the call that prints all about containers."""
        return self.docker("inspect", *ids)

    def inspected(self, outcome: Outcome) -> str:
        """Return what Docker says about containers. One that has just gone is left out."""
        if not outcome.out.strip():  # it writes [] if all are gone
            self.require_answer(outcome)
        return outcome.text or "[]"

    def checking(self, one: Container) -> Call:
        """Return the call that makes the check of a container once, as Docker makes it."""
        return self.docker("exec", one.id, "/bin/sh", "-c", one.check, timeout=one.check_limit + 1.0)

    def logs(self, container: str, lines: int, since: float | None, *, follow: bool = False) -> Call:
        """Return the call that prints the output of a container, each line with its time."""
        options = [f"--tail={lines}", *([f"--since={since:g}s"] if since is not None else [])]
        return self.docker("logs", "--timestamps", *options, *(["--follow"] if follow else []), container, timeout=None)

    def starts(self) -> Call:
        """Return the call that prints a line for each container that starts, until it is ended."""
        return self._events("type=container", "event=start", *self._ours())

    def removal(self) -> Call:
        """Return the call that prints a line when the application is removed. It does not end by itself."""
        return self._events("type=volume", "event=destroy", f"volume={volume_name(self._app)}")

    def _events(self, *filters: str) -> Call:
        return self.docker("events", "--format={{json .}}", *(f"--filter={one}" for one in filters), timeout=None)

    def _ours(self) -> tuple[str, ...]:
        """Return the filters for containers of the application: shop_eu and shop-eu have the same project."""
        return f"label={_PROJECT_LABEL}={self.project}", f"label={APP}={self._app}", f"label={TYPE}"

    def one_off(self, one: OneOff, command: str, *, terminal: bool) -> Steps[int]:
        """Run a shell command in a container of its own, and return its exit code. The container is then gone."""
        line = in_folder(command, one.folder)
        given = variables(one.environment)
        created = yield from run(
            self.docker(
                *("create", "--pull=never", "--rm", "--interactive", *(["--tty"] if terminal else [])),
                *(f"--label={APP}={self._app}", f"--network={self.project}_default"),
                *([f"--user={one.user}"] if one.user else []),
                *given.options,
                *(one.image, "/bin/sh", "-c", f"{source(ENVIRONMENT) if one.script else ''}{line}"),
                stdin=given.stdin,
                env=given.env,
            )
        )
        if not created.ok:
            raise EngineError(f"the command cannot be run: {created.complaint}")
        container = created.text.strip()
        if one.script:
            tar = tar_of(ENVIRONMENT, one.script.encode(), 0o444)  # any user of the container may read it
            copied = yield from run(self.docker("cp", "-", f"{container}:/", stdin=tar))
            if not copied.ok:
                yield from run(self.docker("rm", "--force", container))
                raise EngineError(f"the command gets no environment: {copied.complaint}")
        try:
            return (yield from interact(self.docker("start", "--attach", "--interactive", container)))
        except KeyboardInterrupt:
            yield from run(self.docker("rm", "--force", container))
            raise


def _whereabouts(context: str) -> dict[str, str]:
    """Return the variables that choose a daemon, which `docker` and Compose read alike."""
    if "://" in context:
        return {"DOCKER_HOST": context, "DOCKER_CONTEXT": ""}
    return {"DOCKER_CONTEXT": context, "DOCKER_HOST": ""} if context else {}


def _host(address: str) -> str:
    from urllib.parse import urlsplit  # loads much

    return urlsplit(address).hostname or ""


def tar_of(path: str, data: bytes, mode: int) -> bytes:
    """Return a tar file with one file, as `docker cp` reads it."""
    import tarfile  # loads three compressors

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(path.lstrip("/"))
        info.size, info.mode = len(data), mode
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
