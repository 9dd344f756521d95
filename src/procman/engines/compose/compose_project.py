"""The Compose project of a release: a service for each instance, from a template for each process type.

So an instance has its own name and its own port on the machine, as with `start`, and keeps both.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256

from procman.engines.compose.compose_names import APP, ENVIRONMENT, HASH, NUMBER, TYPE, VERSION, project_name
from procman.engines.docker_cli import without_expansion
from procman.export.application import LASTING, RELEASE, application, is_contract, own, seconds, secrets_of_commands
from procman.export.container.check_commands import check_warnings, healthcheck, liveness
from procman.export.container.compose import SUPPORTED, condition
from procman.export.container.containers import dns_label, labels_of, loopback_warnings
from procman.export.container.first_process import container_argv, signal_warnings, source, sourcing_argv
from procman.export.grammar import assignments, sh
from procman.export.overlay import dependencies_of, overlay_warnings
from procman.export.shell import SPECIAL_VARIABLES, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.engines.interface import Release
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

    Part = dict[str, object]

ONE_OFF = "run"  # PROCMAN_PROCESS of what `run` runs
_PAIR = re.compile(r"\\u(d[89ab]..)\\u(d[c-f]..)")  # as JSON escapes such a character
_LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
_RELEASE_PROFILE = "procman-release"  # so that `up` leaves it alone


@dataclass(frozen=True, slots=True)
class OneOff:
    """What a container of `run` gets: ``script`` sets the variables that may be secret."""

    image: str
    user: str
    environment: dict[str, str]
    script: str
    folder: str


@dataclass(frozen=True, slots=True)
class Project:
    """What is deployed, without the instances: all that is needed to start any number of them. Holds secrets.

    ``services`` are the templates by process type, ``needs`` the conditions of each type by the types that it depends
    on, ``ports`` the first published ports. ``scripts`` are the environments by the names of Compose's configs, and
    ``values`` the variables in them; ``folders`` are below WORKDIR. ``counts`` are those that are wanted now,
    ``stopped`` what stopped types had. ``has_been_up`` is whether all of it has come up; until then, ``before`` is the
    latest project that has, as JSON has it, if there is one.
    """

    name: str
    app: str
    version: str
    image: str
    services: dict[str, Part]
    needs: dict[str, dict[str, Part]]
    ports: dict[str, int]
    scripts: dict[str, str]
    values: dict[str, str]
    folders: dict[str, str]
    one_off: Part
    counts: dict[str, int]
    stopped: dict[str, int] = field(default_factory=dict)
    has_been_up: bool = False
    before: Part = field(default_factory=dict)

    @property
    def has_release(self) -> bool:
        """Whether a release phase precedes the switch."""
        return RELEASE in self.services

    def with_counts(self, counts: Mapping[str, int], stopped: Mapping[str, int]) -> Project:
        """Return the project with other counts."""
        return replace(self, counts=dict(counts), stopped=dict(stopped))

    def one_off_of(self, type_: str) -> OneOff:
        """Return what a command of `run` gets: that of a process type, or with an empty name, what all types share."""
        template = self.services.get(type_, self.one_off)
        environment, configs = template["environment"], template.get("configs") or []
        assert isinstance(environment, dict)
        assert isinstance(configs, list)
        return OneOff(
            image=str(template["image"]),
            user=str(template.get("user") or ""),
            environment={**environment, "PS": f"{ONE_OFF}.1", "PROCMAN_INSTANCE": f"{ONE_OFF}.1"},
            script="".join(self.scripts[one["source"]] for one in configs),
            folder=self.folders.get(type_, ""),
        )

    def as_json(self) -> bytes:
        """Return the project as it is kept at the destination."""
        return json.dumps(asdict(self)).encode()

    def config(self) -> bytes:
        """Return the configuration for Compose, with ``$`` doubled, since Compose expands variables.

        It reads YAML, which has JSON's escapes, but one instead of two for a character beyond U+FFFF.
        """
        text = json.dumps(without_expansion(self.configuration()))
        return _PAIR.sub(_one_escape, text).encode()

    def configuration(self) -> Part:
        """Return the configuration: an entry for each instance, and one for the release."""
        services: Part = {}
        for type_, count in self.counts.items():
            for number in range(1, count + 1):
                services[self.service(type_, number)] = self._instance(type_, number)
        if self.has_release:
            services[RELEASE] = {
                **self.services[RELEASE],
                "profiles": [_RELEASE_PROFILE],
                **self._depends_on(RELEASE),
            }
        return {
            "name": self.name,
            "services": services,
            "configs": {name: {"content": content} for name, content in self.scripts.items()},
        }

    def service(self, type_: str, number: int) -> str:
        """Return Compose's name for an instance: ``web-1``."""
        return f"{dns_label(type_)}-{number}"

    def service_of(self, name: str) -> str:
        """Return Compose's name for the instance ``web.1``."""
        type_, _, number = name.rpartition(".")
        return self.service(type_, int(number))

    def lasts(self, type_: str) -> bool:
        """Whether a process type keeps running, so that starting it twice does no harm."""
        return self.services[type_]["restart"] != "no"

    def hash_of(self, type_: str) -> str:
        """Return a hash of the template: a container that has it is of this release."""
        return sha256(json.dumps(self.services[type_], sort_keys=True).encode()).hexdigest()[:16]

    def _instance(self, type_: str, number: int) -> Part:
        template = self.services[type_]
        name = f"{type_}.{number}"
        environment, labels = template["environment"], template["labels"]
        assert isinstance(environment, dict)
        assert isinstance(labels, dict)
        port = self.ports.get(type_)
        names = {"PS": name, "PROCMAN_INSTANCE": name}
        return {
            **template,
            "container_name": f"{self.name}-{self.service(type_, number)}",
            "environment": {**environment, **names},
            "labels": {**labels, NUMBER: str(number), HASH: self.hash_of(type_)},
            "networks": {"default": {"aliases": [dns_label(type_)]}},
            **({"ports": [f"{port + number - 1}:{environment['PORT']}"]} if port else {}),
            **self._depends_on(type_),
        }

    def _depends_on(self, type_: str) -> Part:
        found: Part = {}
        for other, wanted in self.needs.get(type_, {}).items():
            for number in range(1, self.counts.get(other, 0) + 1):
                found[self.service(other, number)] = wanted
        return {"depends_on": found} if found else {}

    def published(self) -> dict[int, str]:
        """Return the names of instances by the ports that they have on the machine."""
        return {
            port + number - 1: f"{type_}.{number}"
            for type_, port in self.ports.items()
            for number in range(1, self.counts.get(type_, 0) + 1)
        }


def project_from_json(data: bytes) -> Project:
    """Return the project that ``as_json`` wrote. Raises ValueError if it is something else."""
    try:
        return Project(**json.loads(data))
    except TypeError as error:
        raise ValueError(str(error)) from None


def make_project(release: Release, image_id: str, stopped: Mapping[str, int]) -> Project:
    """Return the project of a release. The image is pinned by its ID, whatever becomes of its tag."""
    app = application(release.plan, release.options)
    labels_of(app)  # raises UsageError if two types would get the same name
    found = {service.name: _Template(app, service, release, image_id) for service in app.services}
    scripts = {name: content for one in found.values() for name, content in one.scripts.items()}
    values = secrets_of_commands(release.plan)
    shared = _script(app, values)
    return Project(
        name=project_name(app.name),
        app=app.name,
        version=release.version,
        image=release.image,
        services={name: one.service() for name, one in found.items()},
        needs={name: _needs(app, one.of) for name, one in found.items()},
        ports={name: one.of.port for name, one in found.items() if one.of.serves and one.of.port},
        scripts={**scripts, **shared},
        values=_values(app),
        folders={name: one.of.folder for name, one in found.items()},
        one_off=_one_off(app, release.options, image_id, values, shared),
        counts={name: release.counts.get(name, 0) for name in found if name != RELEASE},
        stopped={name: count for name, count in stopped.items() if name in found and not release.counts.get(name)},
    )


def _values(app: Application) -> dict[str, str]:
    own_values = {f"{one.name}: {name}": value for one in app.services for name, value in one.env.items()}
    return {**app.secrets, **own_values}


def warnings_of(release: Release) -> list[str]:
    """Return what Compose does not do, as sentences."""
    app = application(release.plan, release.options)
    found = [*overlay_warnings(app, "Compose", *SUPPORTED), *check_warnings(app, "Compose"), *signal_warnings(app)]
    for service in app.services:
        found += loopback_warnings(service, "Compose")
    return list(dict.fromkeys(warning.message for warning in found))


def _needs(app: Application, service: Service) -> dict[str, Part]:
    """Return what a service depends on. The release has succeeded before anything else begins to start."""
    followed = {needed.type for needed in service.first.depends_on if needed.restart}
    return {
        other.name: {
            "condition": condition(other, wanted),
            **({"restart": True} if other.name in followed else {}),
        }
        for other, wanted in dependencies_of(app, service)
        if other.kind != RELEASE
    }


class _Template:
    """What the instances of a process type have in common."""

    def __init__(self, app: Application, service: Service, release: Release, image_id: str) -> None:
        self.of = service
        self._app = app
        self._release = release
        self._image_id = image_id
        self.scripts = _script(app, {**app.secrets, **service.env})

    def service(self) -> Part:
        service, user = self.of, self._release.options.user
        return {
            "image": self._image_id,
            "pull_policy": "never",
            "command": sourcing_argv(service, ENVIRONMENT) if self.scripts else container_argv(service),
            **({"user": user} if user else {}),
            **({"cap_drop": ["ALL"]} if user.isdecimal() and int(user) else {}),
            "security_opt": ["no-new-privileges:true"],
            "environment": {**self._app.contract, **own(service.first), **_special(self._app, service)},
            **_configs(self.scripts),
            **(self._check() if service.kind == LASTING else {}),
            **_limits(service),
            "stop_signal": f"SIG{signal_name(service.stop.signal_number)}",
            "stop_grace_period": f"{seconds(service.stop.grace)}s",
            "restart": "unless-stopped" if service.kind == LASTING else "no",
            "logging": _LOGGING,
            "labels": {APP: self._app.name, TYPE: service.name, VERSION: self._release.version},
        }

    def _check(self) -> Part:
        """Return the check that Docker makes. What fails a health check stops itself, since Docker only says so."""
        service = self.of
        signal, health = signal_name(service.stop.signal_number), liveness(service)

        def guarded(command: str) -> str:
            if health is None:
                return command
            return _GUARD.format(check=command.rstrip("\n"), threshold=max(1, health.threshold), signal=signal)

        check = healthcheck(service, guarded, source(ENVIRONMENT) if self.scripts else "")
        return {"healthcheck": check} if check else {}


# Failures count from the first success of a life on. /dev/shm is new in each life.
_GUARD = """\
if (
{check}
); then
  echo 0 >/dev/shm/procman-failures
else
  [ -e /dev/shm/procman-failures ] || exit 1
  read -r n </dev/shm/procman-failures
  echo $((n + 1)) >/dev/shm/procman-failures
  [ $((n + 1)) -lt {threshold} ] || kill -s {signal} 1
  exit 1
fi
"""


def _limits(service: Service) -> Part:
    plan = service.first
    return {
        **({"cpus": f"{plan.cpu_max:g}"} if plan.cpu_max is not None else {}),
        **({"mem_limit": f"{plan.memory_max}b"} if plan.memory_max is not None else {}),
        **({"pids_limit": plan.pids_max} if plan.pids_max is not None else {}),
    }


def _configs(scripts: Mapping[str, str]) -> Part:
    return {"configs": [{"source": name, "target": ENVIRONMENT} for name in scripts]} if scripts else {}


def _special(app: Application, service: Service) -> dict[str, str]:
    """Return the variables that a shell cannot set, which Docker has to."""
    return {name: value for name, value in {**app.secrets, **service.env}.items() if name in SPECIAL_VARIABLES}


def _script(app: Application, env: Mapping[str, str]) -> dict[str, str]:
    """Return the script that sets these variables, by a name that differs if the script does; empty without any."""
    kept = {name: value for name, value in env.items() if name not in SPECIAL_VARIABLES}
    if not kept:
        return {}
    content = assignments(kept, "Compose", lambda name, value: f"export {name}={sh(value)}")
    return {f"{project_name(app.name)}-env-{sha256(content.encode()).hexdigest()[:12]}": content}


def _one_off(
    app: Application, options: ExportOptions, image_id: str, values: Mapping[str, str], scripts: Mapping[str, str]
) -> Part:
    special = {name: value for name, value in values.items() if name in SPECIAL_VARIABLES}
    environment = {**app.contract, **special, "PROCMAN_PROCESS": ONE_OFF}
    return {"image": image_id, "user": options.user, "environment": environment, **_configs(scripts)}


def _one_escape(pair: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in pair.groups())
    return f"\\U{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):08x}"


# What changes, for people ---------------------------------------------------------------------------------------------

_HIDDEN = ("command", "labels", "configs", "image", "environment")  # keys of a service with lines of their own, or none


def described(project: Project | None, before: Project | None = None) -> list[str]:
    """Return lines that describe a project, without values that may be secret: only whether they differ from before."""
    if project is None:
        return []
    lines = [f"version: {project.version}", f"image: {project.image}"]
    for type_, service in project.services.items():
        lines += [f"{type_}: {line}" for line in _described_service(project, type_, service)]
    for name, value in project.values.items():
        changed = before is not None and before.values.get(name, value) != value
        lines.append(f"{name}=********{' (changed)' if changed else ''}")
    return lines


def _described_service(project: Project, type_: str, service: Part) -> list[str]:
    command, environment = service["command"], service["environment"]
    assert isinstance(command, list)
    assert isinstance(environment, dict)
    line = command[-1] if len(command) == len(("sh", "-c", "")) else command[3]
    public = {name: value for name, value in environment.items() if is_contract(name)}
    return [
        *([f"{project.counts[type_]} instances"] if type_ in project.counts else []),
        *(f"command: {part}" for part in line.removeprefix(source(ENVIRONMENT)).splitlines()),
        *(f"{name}={value}" for name, value in public.items()),
        *(f"{key}: {json.dumps(value)}" for key, value in service.items() if key not in _HIDDEN),
        *(f"after {other}: {json.dumps(wanted)}" for other, wanted in project.needs.get(type_, {}).items()),
    ]
