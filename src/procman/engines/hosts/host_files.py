"""What an exporter writes for one host: the units of its instances, and the environments of one-off commands."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

from procman.core.model.plan import Plan
from procman.engines.interface import EngineError
from procman.export.application import ONCE, RELEASE, application, own
from procman.export.file import SECRET, ExportFile, header
from procman.export.init.ready_scripts import shows_itself
from procman.export.init.systemd import render
from procman.export.overlay import dependencies_of
from procman.export.units import environment_lines, is_awaited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.core.model.plan import InstancePlan
    from procman.engines.interface import Release
    from procman.export.application import Application
    from procman.export.options import ExportOptions

RELEASE_ENV, RUN_ENV = "release.env", "run.env"
_SESSION = "PROCMAN_SESSION"
_AS_ROOT = "as root"


@dataclass(frozen=True, slots=True)
class HostFiles:
    """The files for a host, with paths below the folder of units, and warnings about them."""

    files: tuple[ExportFile, ...]
    warnings: tuple[str, ...]

    def tar(self) -> bytes:
        """Return them as an archive with their modes. Links are left out: the host makes them."""
        import tarfile

        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for folder in dict.fromkeys(file.path.rpartition("/")[0] for file in self.files):
                if folder:
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
            for file in self.files:
                content = _encoded(file)
                entry = tarfile.TarInfo(file.path)
                entry.size, entry.mode = len(content), file.mode
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


def _encoded(file: ExportFile) -> bytes:
    try:
        return file.content.encode()
    except UnicodeEncodeError:
        message = f"{file.path} would not be valid UTF-8"
        raise EngineError(message, "check the names of folders and the values in the env files") from None


def lasting_plan(release: Release) -> Plan:
    """Return the plan without the release, which runs only before a new version, and without spares that would run.

    What others wait for is required by them with all its instances, so it has only those that are wanted.
    """
    instances = [one for one in release.plan.instances if one.type != RELEASE]
    app = application(_with(release.plan, instances), release.options)
    awaited = {service.name for service in app.services if is_awaited(app, service)}
    kept = [one for one in instances if one.type not in awaited or one.number <= max(1, release.counts[one.type])]
    return _with(release.plan, kept)


def lasting_application(release: Release) -> Application:
    """Return the same as an exporter sees it."""
    return application(lasting_plan(release), release.options)


def render_host(release: Release, names: Iterable[str], options: ExportOptions, host: str) -> HostFiles:
    """Render the units of the named instances, which the plan has."""
    chosen = set(names)
    plan = _with(release.plan, [one for one in lasting_plan(release).instances if one.name in chosen])
    if not plan.instances:
        return HostFiles((), ())
    files, warnings, ends = [], [], set(once(lasting_application(release))) - set(timed(release))
    for item in render(plan, options):
        if not isinstance(item, ExportFile):
            warnings.append(_for_host(item.message, host))
        elif not item.link:
            files.append(_kept_in_sight(item, release.options.app, ends))
    lazy = dict.fromkeys(one.type for one in plan.instances if one.listen and one.listen.on_connection)
    warnings += [f"{name} starts with the deployment, not at its first connection" for name in lazy]
    files += _one_off_environments(release, options)
    return HostFiles(tuple(files), tuple(warnings))


def _kept_in_sight(file: ExportFile, app: str, ends: Iterable[str]) -> ExportFile:
    """Return the file. The unit of what ends stays active then: it is seen, and its target does not repeat it."""
    if file.path not in [f"{app}-{type_}@.service" for type_ in ends] or "RemainAfterExit=yes" in file.content:
        return file
    return replace(file, content=file.content.replace("Type=exec\n", "Type=exec\nRemainAfterExit=yes\n", 1))


def release_instance(release: Release) -> InstancePlan | None:
    """Return the instance of the release phase, if the Procfile has one."""
    return next((one for one in release.plan.instances if one.type == RELEASE), None)


def below(release: Release, instance: InstancePlan) -> str:
    """Return the working directory of an instance below the application's folder; absolute if it is elsewhere."""
    return application(_with(release.plan, [instance]), release.options).services[0].folder


def folders(release: Release) -> dict[str, str]:
    """Return the working directories of the types that do not run in the application's folder, below it."""
    services = application(release.plan, release.options).services
    return {service.name: service.folder for service in services if service.folder}


def first_ports(release: Release) -> dict[str, int]:
    """Return the port of each type's first instance."""
    return {one.type: one.port for one in release.plan.instances if one.number == 1 and one.port is not None}


def once(app: Application) -> tuple[str, ...]:
    """Return the types whose instances end, and are done then."""
    return tuple(service.name for service in app.services if service.kind == ONCE)


def checked(app: Application) -> tuple[str, ...]:
    """Return the types whose units count as active only when they themselves answer.

    Another check may pass for what is about to fail: a file is left from a life before, or another program answers.
    """
    return tuple(service.name for service in app.services if shows_itself(service))


def needs(app: Application) -> dict[str, list[str]]:
    """Return the types that each type depends on."""
    found = {service.name: [other.name for other, _ in dependencies_of(app, service)] for service in app.services}
    return {name: others for name, others in found.items() if others}


def timed(release: Release) -> tuple[str, ...]:
    """Return the types that run by the clock."""
    return tuple(dict.fromkeys(one.type for one in release.plan.instances if one.schedule))


def room(release: Release) -> dict[str, int]:
    """Return how many instances of each type have files."""
    found: dict[str, int] = {}
    for instance in lasting_plan(release).instances:
        found[instance.type] = max(instance.number, found.get(instance.type, 0))
    return found


def _one_off_environments(release: Release, options: ExportOptions) -> Iterable[ExportFile]:
    first = release_instance(release)
    if first is not None:
        app = application(_with(release.plan, [first]), options)
        yield _environment(options, RELEASE_ENV, {**app.shared, **app.services[0].env, **own(first)})
    app = application(release.plan, options)
    values = {**app.contract, **release.plan.environment.values}
    yield _environment(options, RUN_ENV, {key: value for key, value in values.items() if key not in (_SESSION, "PORT")})


def _environment(options: ExportOptions, name: str, env: Mapping[str, str]) -> ExportFile:
    comment = header("systemd", options.app, "Only systemd needs to read this file: keep its mode at 0600.")
    return ExportFile(f"{options.app}/{name}", f"{comment}\n{environment_lines(env)}", SECRET)


def _for_host(warning: str, host: str) -> str:
    if _AS_ROOT in warning and "--user" in warning:
        return f'the application runs as root on {host}; choose an account with user = "NAME" in its table'
    return warning


def _with(plan: Plan, instances: Iterable[InstancePlan]) -> Plan:
    return Plan(plan.procfile, plan.procfile_path, plan.root, plan.session, tuple(instances), plan.environment)


def options_for(release: Release, *, account: str, as_user: bool, folder: str, units: str) -> ExportOptions:
    """Return the options of the exporter for a host."""
    return replace(
        release.options,
        user="" if as_user else account,
        owner="",
        user_units=as_user,
        target_dir=folder,
        location=units,
        replicas={},
    )
