"""The stack of a release: what `docker stack deploy` reads, and the secrets that its services get."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256

from procman.engines.docker_cli import without_expansion
from procman.engines.interface import EngineError
from procman.engines.swarm.swarm_files import ONE_OFFS, half, started_first
from procman.engines.swarm.swarm_names import APP, FOLDER, NAME, STOPPED, TYPE, VERSION, stack_name
from procman.errors import UsageError
from procman.export.application import (
    LASTING,
    RELEASE,
    application,
    average_backoff,
    budget_window,
    gate,
    seconds,
    secrets_of_commands,
    starts_allowed,
)
from procman.export.container.check_commands import check_warnings, healthcheck
from procman.export.container.compose import SUPPORTED, limits_of, swarm_warnings
from procman.export.container.containers import (
    MAX_LABEL_LENGTH,
    image_of,
    labels_of,
    loopback_warnings,
    own_environment,
    swarm_service,
)
from procman.export.container.first_process import container_argv, signal_warnings, source, sourcing_argv
from procman.export.grammar import assignments, sh
from procman.export.overlay import overlay_warnings
from procman.export.shell import SPECIAL_VARIABLES, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.engines.interface import Release
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

    Part = dict[str, object]

ENVIRONMENT = "/run/secrets/procman.env"  # in a container: a script that sets the variables
MAX_SECRET = 500 * 1024  # bytes: the limit of Swarm
_RESTART_CONDITIONS = {"on-failure": "on-failure", "always": "any", "never": "none"}
_LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of Swarm, named by its content."""

    name: str
    content: bytes
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskWords:
    """What `docker service create` gets for a task that runs once: options, image and command, and the variables."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stack:
    """What is deployed as one: the services without their counts, the secrets, and the release phase.

    ``labels`` are Swarm's names of the process types, without the name of the stack. ``one_offs`` are the environments
    of commands that are not of a service: of the release phase, and with an empty name, what all types share. ``phase``
    is the release phase, if there is one. ``needed`` are the process types that it depends on.
    """

    name: str
    labels: Mapping[str, str]
    services: Mapping[str, Part]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    one_offs: Mapping[str, Part] = field(default_factory=dict)
    phase: TaskWords | None = None
    needed: tuple[str, ...] = ()

    def only(self, types: Iterable[str]) -> Stack:
        """Return the stack with these process types only."""
        chosen = {self.labels[name] for name in types}
        return replace(self, services={label: part for label, part in self.services.items() if label in chosen})

    def template(self) -> str:
        """Return the file of the stack without the counts."""
        found: Part = {"version": "3.8", "services": self.services, ONE_OFFS: self.one_offs}
        if self.secrets:
            found["secrets"] = {name: {"external": True} for name in self.secrets}
            found["x-variables"] = {name: list(secret.variables) for name, secret in self.secrets.items()}
        return json.dumps(found, ensure_ascii=False)


def make_stack(release: Release, stopped: Mapping[str, int]) -> Stack:
    """Return the stack of a release. ``stopped`` are the counts that types had before they were stopped.

    Raises UsageError for a variable that a shell cannot set.
    """
    app = application(release.plan, release.options)
    labels = labels_of(app)
    _require_short_names(app, labels)
    secrets = {one.name: _secret(app, f"the variables of {one.name}", _given(app, one)) for one in app.services}
    values = secrets_of_commands(release.plan)
    shared = _secret(app, "the variables", values)
    services = {
        labels[one.name]: _service(app, one, release, secrets[one.name], stopped.get(one.name, 0))
        for one in app.services
        if one.kind != RELEASE
    }
    phase = next((one for one in app.services if one.kind == RELEASE and one.starts), None)
    return Stack(
        stack_name(app.name),
        {name: label for name, label in labels.items() if label in services},
        services,
        {one.name: one for one in (*secrets.values(), shared) if one},
        {
            "": _one_off(_plain(app, values), shared),
            **({RELEASE: _one_off(_plain(app, _given(app, phase)), secrets[RELEASE], phase.folder)} if phase else {}),
        },
        _phase(app, phase, release.options, secrets[RELEASE]) if phase else None,
        tuple(one.name for one in app.services if phase and one.kind != RELEASE and gate(app, one) is None),
    )


def _require_short_names(app: Application, labels: Mapping[str, str]) -> None:
    """Raise UsageError for a name that Swarm would refuse after it has started other services."""
    for label in labels.values():
        name = swarm_service(stack_name(app.name), label)
        if len(name) > MAX_LABEL_LENGTH:
            message = f'Swarm cannot hold a service called "{name}": {MAX_LABEL_LENGTH} characters are the most'
            raise UsageError(message, "use a shorter name for the application or for the process type")


def warnings_of(release: Release) -> list[str]:
    """Return what Swarm does not do, as sentences."""
    app = application(release.plan, release.options)
    found = [*overlay_warnings(app, "Swarm", *SUPPORTED), *swarm_warnings(app), *check_warnings(app, "Swarm")]
    found += [*signal_warnings(app), *(one for service in app.services for one in loopback_warnings(service, "Swarm"))]
    return list(dict.fromkeys(warning.message for warning in found))


def _one_off(environment: Mapping[str, str], secret: Secret | None, folder: str = "") -> Part:
    return {"environment": environment, "secret": secret.name if secret else "", "folder": folder}


def _secret(app: Application, what: str, values: Mapping[str, str]) -> Secret | None:
    """Return the secret with these variables. Services with the same variables share one."""
    kept = {name: value for name, value in values.items() if name not in SPECIAL_VARIABLES}
    if not kept:
        return None
    content = assignments(kept, "Swarm", lambda name, value: f"export {name}={sh(value)}").encode()
    if len(content) > MAX_SECRET:
        hint = "move what is not secret into the image"
        raise EngineError(f"{what} take {len(content)} bytes; Swarm holds {MAX_SECRET}", hint)
    return Secret(f"{stack_name(app.name)}-env-{sha256(content).hexdigest()[:12]}", content, tuple(sorted(kept)))


def _given(app: Application, service: Service) -> dict[str, str]:
    return {**app.secrets, **service.env}


def _service(app: Application, service: Service, release: Release, secret: Secret | None, stopped: int) -> Part:
    user = release.options.user
    check = healthcheck(service, before=source(ENVIRONMENT) if secret else "")
    environment = {name: no_templates(value) for name, value in _plain(app, _given(app, service)).items()}
    names = own_environment(service, f"{service.name}.{{{{.Task.Slot}}}}")
    part: Part = {
        "image": image_of(app, release.options),
        "command": sourcing_argv(service, ENVIRONMENT) if secret else container_argv(service),
        **({"user": user} if user else {}),
        **({"cap_drop": ["ALL"]} if user.isdecimal() and int(user) else {}),
        "environment": {**environment, **names},
        **({"secrets": [{"source": secret.name, "target": "procman.env"}]} if secret else {}),
        **({"ports": [f"{service.port}:{service.port}"]} if service.serves else {}),
        **({"healthcheck": check} if check and service.kind == LASTING else {}),
        "stop_signal": f"SIG{signal_name(service.stop.signal_number)}",
        "stop_grace_period": f"{seconds(service.stop.grace)}s",
        "logging": _LOGGING,
        "deploy": _deploy(service, release, stopped, is_checked=bool(check)),
    }
    return {key: without_expansion(value) for key, value in part.items()}


def _plain(app: Application, given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are not secret, and those that a shell cannot set, which Docker has to."""
    special = {name: value for name, value in given.items() if name in SPECIAL_VARIABLES}
    return {**app.contract, **special}


def no_templates(value: str) -> str:
    """Return a value that Swarm, which expands templates in variables, leaves as it is."""
    return value.replace("{{", '{{"{{"}}')


def _deploy(service: Service, release: Release, stopped: int, *, is_checked: bool) -> Part:
    """Return how Swarm runs and replaces a service.

    What serves a port is replaced without a gap. If a check decides when an instance is up, some of them are replaced
    at a time, and watching these for longer only takes time. Without a check, a second half would not be safer, and
    Swarm takes 3 seconds to stop one. procman watches the update, and restores all services if one of them fails.
    """
    order = "start-first" if service.serves else "stop-first"
    some = started_first(service.replicas) if service.serves else half(service.replicas)
    at_a_time, monitor = (some, "0.1s") if is_checked else (0, "1s")
    update = {"parallelism": at_a_time, "order": order, "monitor": monitor, "failure_action": "pause"}
    return {
        "labels": {
            APP: stack_name(release.options.app),
            NAME: release.options.app,
            TYPE: service.name,
            VERSION: release.version,
            **({FOLDER: service.folder} if service.folder else {}),
            **({STOPPED: str(stopped)} if stopped and not service.replicas else {}),
        },
        "replicas": 0,  # until it is filled in
        **({"update_config": update, "rollback_config": update} if service.kind == LASTING else {}),
        "restart_policy": _restart(service, release.options.keep_trying),
        **limits_of(service.first),
    }


def _restart(service: Service, keep_trying: bool) -> Part:
    policy = service.restart
    if not service.is_restarted:
        return {"condition": _RESTART_CONDITIONS["never"]}
    found: Part = {
        "condition": _RESTART_CONDITIONS[policy.mode],
        "delay": f"{seconds(average_backoff(policy))}s",
    }
    if policy.mode == "always" or keep_trying:
        return found
    return {**found, "max_attempts": starts_allowed(policy) - 1, "window": f"{seconds(budget_window(policy))}s"}


def _phase(app: Application, service: Service, options: ExportOptions, secret: Secret | None) -> TaskWords:
    """Return the job that runs the release phase."""
    environment = {**_plain(app, _given(app, service)), **own_environment(service, f"{service.name}.1")}
    words = (
        *((f"--secret=source={secret.name},target=procman.env",) if secret else ()),
        *((f"--user={options.user}",) if options.user else ()),
        f"--stop-signal=SIG{signal_name(service.stop.signal_number)}",
        f"--stop-grace-period={seconds(service.stop.grace)}s",
        image_of(app, options),
        *(sourcing_argv(service, ENVIRONMENT) if secret else container_argv(service)),
    )
    return TaskWords(words, {name: no_templates(value) for name, value in environment.items()})
