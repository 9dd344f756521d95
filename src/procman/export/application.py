"""The plan as exporters see it: services of similar instances, their variables, and their times and counts."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from math import ceil

from procman.core.model.dependency import COMPLETED, SUCCEEDED
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from procman.core.model.plan import InstancePlan, Plan, RestartPolicy, StopPolicy
    from procman.export.options import ExportOptions

RELEASE, ONCE, LASTING = "release", "once", "lasting"

# The variables that differ between the instances of one type, in a readable order.
OWN = ("PORT", "PS", "PROCMAN_INSTANCE", "PROCMAN_PROCESS")
# Identifies one run of `procman start`, so it has no meaning elsewhere.
_LEFT_OUT = ("PROCMAN_SESSION",)
_APP_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
# Means this machine, and what is exported may run on several.
_URL_OF_TYPE = re.compile(r"PROCMAN_[A-Z0-9_]+_URL=http://localhost:\d+")
_PORT_OF_TYPE = re.compile(r"PROCMAN_[A-Z0-9_]+_PORT")
# An address for this machine alone, as the value of an option or before the port. A client has it in a URL.
_LOOPBACK = re.compile(
    r"""(?:--(?:host|hostname|bind|addr|address|listen|interface|ip)[ =]+|-[bH][ =]?)["']?(?:tcp://)?"""
    r"(127(?:\.\d+){3}|localhost|\[?::1\]?)(?![\w.])"
    r"|(?<!http://)(?<!https://)(?<![\w.])(127(?:\.\d+){3}|localhost|\[::1\]):\$\{?PORT\b"
)
_MENTIONS_PORT = re.compile(r"\$(?:PORT\b|\{PORT\b)")


@dataclass(frozen=True, slots=True)
class Service:
    """One process type at the target: its instances and what they have in common.

    ``env`` holds the variables that not all types share, without those of ``OWN``. ``kind`` is RELEASE for what runs
    before each new version, ONCE for what ends and stays ended, else LASTING. ``starts`` says whether `procman start`
    would start it. ``folder`` is the working directory below the application's own: ``services/mail``, empty for that
    folder itself, an absolute path for one outside of it. ``root`` is the application's folder at the target.
    """

    name: str
    instances: tuple[InstancePlan, ...]
    env: dict[str, str]
    kind: str = LASTING
    starts: bool = True
    folder: str = ""
    root: str = ""
    wanted: int | None = None  # how many the target starts, if not all of the plan

    @property
    def first(self) -> InstancePlan:
        """The instance that represents the type at targets without numbered instances."""
        return self.instances[0]

    @property
    def command(self) -> str:
        """The command of the Procfile's line, byte for byte."""
        return self.first.command

    @property
    def cwd(self) -> str:
        """The working directory at the target, an absolute path."""
        return posixpath.join(self.root, self.folder) if self.folder else self.root

    @property
    def replicas(self) -> int:
        """How many instances the target starts."""
        if self.wanted is not None:
            return self.wanted
        return len(self.instances) if self.starts else 0

    @property
    def restart(self) -> RestartPolicy:
        """When it is restarted."""
        return self.first.restart

    @property
    def is_restarted(self) -> bool:
        """Whether it is ever restarted: a release that fails is for a person to look at."""
        return self.restart.mode != "never" and self.kind != RELEASE

    @property
    def stop(self) -> StopPolicy:
        """How it is stopped."""
        return self.first.stop

    @property
    def port(self) -> int | None:
        """The port of the first instance. Where each instance has its own network, all of them use it."""
        return self.first.port

    @property
    def serves(self) -> bool:
        """Whether clients connect to its port: the type is called web, or its command mentions PORT."""
        return self.port is not None and (self.name == "web" or bool(_MENTIONS_PORT.search(self.command)))

    @property
    def loopback(self) -> str:
        """The address that it serves its port at, if nothing outside of its container can reach that; else empty."""
        found = _LOOPBACK.search(self.command) if self.serves else None
        return (found[1] or found[2]) if found else ""


@dataclass(frozen=True, slots=True)
class Application:
    """The plan as services. ``shared`` holds the variables that all instances have in common."""

    name: str
    services: tuple[Service, ...]
    shared: dict[str, str]

    @property
    def instances(self) -> Iterator[tuple[Service, InstancePlan]]:
        """Every instance with its service, by service and number."""
        return ((service, instance) for service in self.services for instance in service.instances)

    @property
    def secrets(self) -> dict[str, str]:
        """The variables of ``shared`` that procman does not set itself. They may be secret."""
        return {name: value for name, value in self.shared.items() if not is_contract(name)}

    @property
    def contract(self) -> dict[str, str]:
        """The other variables of ``shared``: the ports of the types' first instances, and PYTHONUNBUFFERED."""
        return {name: value for name, value in self.shared.items() if is_contract(name)}


def is_contract(name: str) -> bool:
    """Return whether procman sets this variable itself, so that its value is not secret."""
    return name in OWN or name == "PYTHONUNBUFFERED" or bool(_PORT_OF_TYPE.fullmatch(name))


def own(instance: InstancePlan) -> dict[str, str]:
    """Return the variables that identify this instance: PORT if it has one, PS and its names."""
    env = instance.env
    return {name: env[name] for name in OWN if name in env}


def application(plan: Plan, options: ExportOptions) -> Application:
    """Group the plan's instances into services. Raises UsageError if no target accepts the application's name."""
    check_app(options.app)
    environments = [_carried(instance.env) for instance in plan.instances]
    shared = dict(_common(environments))
    types = dict.fromkeys(instance.type for instance in plan.instances)
    started = _started(plan)
    root = options.target_dir or plan.root
    services = tuple(
        replace(_service(name, plan, shared, name in started, root), wanted=options.replicas.get(name))
        for name in types
    )
    return Application(options.app, services, shared)


def check_app(name: str) -> None:
    """Raise UsageError unless ``name`` can be part of a file name and of a unit name."""
    if not _APP_NAME.fullmatch(name) or ".." in name or "--" in name or "-." in name or ".-" in name:
        hint = "use letters, digits and single . - _ between them; choose a name with --app"
        raise UsageError(f'"{name}" cannot name an application', hint)


def app_name(text: str) -> str:
    """Turn a folder's name into one that ``check_app`` accepts; ``app`` if nothing is left of it."""
    return re.sub(r"[-.]*[^A-Za-z0-9_.]+[-.]*|\.\.+", "-", text).strip("-._") or "app"


def secrets_of_commands(plan: Plan) -> dict[str, str]:
    """Return the variables of a command that is not of a process type, without those that procman sets itself.

    They are not those that all types share: a type may have another value for one.
    """
    values = _carried(plan.environment.values)
    return {name: value for name, value in sorted(values.items()) if not is_contract(name)}


def _carried(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in env.items()
        if name not in OWN and name not in _LEFT_OUT and not _URL_OF_TYPE.fullmatch(f"{name}={value}")
    }


def _common(environments: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    first, *others = environments
    return (pair for pair in sorted(first.items()) if all(other.get(pair[0]) == pair[1] for other in others))


def _service(name: str, plan: Plan, shared: dict[str, str], starts: bool, root: str) -> Service:
    instances = tuple(instance for instance in plan.instances if instance.type == name)
    env = {key: value for key, value in sorted(_carried(instances[0].env).items()) if key not in shared}
    return Service(name, instances, env, _kind(name, plan), starts, _folder(instances[0].cwd, plan.root), root)


def _kind(name: str, plan: Plan) -> str:
    """Return RELEASE by its name, as on Heroku, and ONCE for what is not restarted, runs by the clock, or whose end
    another waits for.
    """
    if name == RELEASE:
        return RELEASE
    never = any(instance.type == name and instance.restart.mode == "never" for instance in plan.instances)
    wanted = [one for instance in plan.instances for one in instance.depends_on if one.type == name]
    timed = any(instance.type == name and instance.schedule for instance in plan.instances)
    return ONCE if never or timed or any(one.condition in (COMPLETED, SUCCEEDED) for one in wanted) else LASTING


def _folder(cwd: str, root: str) -> str:
    below = posixpath.relpath(cwd, root)
    if below == ".":
        return ""
    return cwd if below.split("/")[0] == ".." else below


def _started(plan: Plan) -> set[str]:
    """Return the types that `procman start` starts: by themselves, or because one of these depends on them."""
    found: set[str] = set()
    ahead = {one.type for one in plan.instances if one.begins}
    while ahead:
        found |= ahead
        needed = (one.type for instance in plan.instances if instance.type in ahead for one in instance.depends_on)
        ahead = set(needed) - found
    return found


def gate(app: Application, service: Service) -> Service | None:
    """Return the release that has to succeed before ``service`` starts; None if there is none.

    What the release itself depends on starts before it.
    """
    release = next((one for one in app.services if one.kind == RELEASE and one.starts), None)
    return release if release and service.name not in {release.name} | _needs(app, release.name) else None


def _needs(app: Application, name: str) -> set[str]:
    """Return the names of everything that the service called ``name`` depends on, however indirectly."""
    edges = {one.name: {other.type for other in one.first.depends_on} for one in app.services}
    found: set[str] = set()
    ahead = edges.get(name, set())
    while ahead:
        found |= ahead
        ahead = {other for one in ahead for other in edges.get(one, set())} - found
    return found


def install_folder(location: str, known: Sequence[str]) -> str:
    """Return the folder where the files will be installed, since units refer to others by absolute paths.

    ``known`` are the folders that the target reads, the usual one first. An export straight into one of them, or into
    the same folder below another system's root, stays there. Any other ``location`` is a staging folder, so the files
    will be installed in the usual one.
    """
    return next((folder for folder in known if f"{location}/".endswith(f"{folder}/")), known[0])


def seconds(value: float, least: float = 0.0) -> str:
    """Write seconds without needless digits: ``5``, ``0.5``. ``least`` is for targets where 0 means "forever"."""
    return f"{max(value, least):.3f}".rstrip("0").rstrip(".")


def whole_seconds(value: float, least: int = 0) -> int:
    """Round up to whole seconds, so that a target that counts in them never waits less than procman does."""
    return max(ceil(value), least)


def starts_allowed(policy: RestartPolicy) -> int:
    """Return how many starts the budget allows, including the first: the last quick death is not followed by one."""
    return max(1, policy.max_restarts)


def budget_window(policy: RestartPolicy, startup: float = 0.0) -> int:
    """Return the seconds within which ``starts_allowed`` starts mean that every life was too short.

    What takes longer than ``startup`` seconds to become ready has been up for too short a time, too.
    """
    starts = starts_allowed(policy)
    return ceil(starts * max(policy.min_uptime, startup) + sum(policy.delay(deaths) for deaths in range(1, starts + 1)))


def patience(policy: RestartPolicy) -> float:
    """Return the seconds that all pauses before giving up take together: the outage that a process may survive."""
    return sum(policy.delay(deaths) for deaths in range(1, starts_allowed(policy)))


def average_backoff(policy: RestartPolicy) -> float:
    """Return the pause for a target where all pauses are equal, which together take as long as those of the policy."""
    return patience(policy) / max(1, starts_allowed(policy) - 1) or policy.backoff
