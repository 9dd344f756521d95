"""Makes a release from the project's files, the destination's table, and what runs there now."""

from __future__ import annotations

import os
from collections import Counter

from procman.cli.commands.export import read_plan
from procman.cli.remote.secret_files import secret_files
from procman.core.procfile.formation import parse_formation
from procman.engines.deployment import filled
from procman.engines.interface import Release
from procman.errors import UsageError
from procman.export.application import RELEASE
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.cli.remote.remote_target import Remote
    from procman.core.model.destination import Destination
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings
    from procman.engines.interface import Engine
    from procman.engines.records import Deployed


def make_release(remote: Remote, before: Deployed | None, version: str) -> Release:
    """Return what is to run. Counts are those of ``-m``, else of the destination, else those that run now or that the
    last deployment was to start, else those of `start`.

    Raises UsageError and ConfigError for mistakes in the files.
    """
    destination = remote.destination
    settings, is_fixed = _with_formation(_with_env_files(remote.settings, destination), destination)
    counts = _counts(read_plan(settings, os.environ), remote.types, remote.engine)
    if before is not None and not is_fixed:
        kept = {**before.asked, **before.counts}
        counts.update({name: count for name, count in kept.items() if name in counts})
    image = _image(remote.settings.image or destination.image, version, destination)
    plan = _plan_of_all(settings, counts, remote.engine)
    options = ExportOptions(
        app=remote.app,
        user=destination.user,
        image=image,
        target_dir=destination.folder,
        numbered=destination.numbered,
        replicas=counts,
    )
    hosts = {host: parse_formation(text).counts for host, text in destination.host_formations.items()}
    secret = secret_files(remote.folder, (remote.settings, settings), remote.destinations.found.values())
    return Release(destination.name, version, image, plan, options, counts, remote.timeout, hosts, secret)


def _with_env_files(settings: Settings, destination: Destination) -> Settings:
    if settings.is_given_directly("env") or not destination.env_file:
        return settings
    paths = tuple(path for path, _ in destination.env_file)
    return settings.but(env=paths, env_optional=tuple(path for path, required in destination.env_file if not required))


def _with_formation(settings: Settings, destination: Destination) -> tuple[Settings, bool]:
    """Return the settings with the formation of the destination, and whether it is given and not just the usual one."""
    if settings.is_given_directly("formation"):
        return settings, True
    total: Counter[str] = Counter()
    for formation in destination.host_formations.values():
        total.update(parse_formation(formation).counts)
    text = destination.formation or ",".join(f"{name}={count}" for name, count in total.items())
    if not text:
        return settings, False
    changed = settings.but(formation=text)
    changed.origin["formation"] = destination.location
    return changed, True


def _counts(plan: Plan, types: tuple[str, ...], engine: Engine) -> dict[str, int]:
    """Return the count of each process type; 0 for those that `start` would not start. The release is not counted."""
    timed = getattr(engine, "has_timers", False)  # then what has a schedule is deployed as instances
    started = Counter(instance.type for instance in plan.instances if instance.begins or (timed and instance.schedule))
    return {name: started[name] for name in types if name != RELEASE}


def _plan_of_all(settings: Settings, counts: Mapping[str, int], engine: Engine) -> Plan:
    """Return a plan with at least one instance of each process type, since each can be scaled later.

    An engine that scales without the project's files says by ``room`` how many there have to be. If that many have no
    place, such as in the ports, the plan has those that are wanted.
    """
    room: Callable[[int], int] | None = getattr(engine, "room", None)
    if room is not None:
        try:
            return _plan_with(settings, {name: room(count) for name, count in counts.items()})
        except UsageError:
            pass
    return _plan_with(settings, counts)


def _plan_with(settings: Settings, counts: Mapping[str, int]) -> Plan:
    formation = {**{name: max(1, count) for name, count in counts.items()}, "all": 1}
    text = ",".join(f"{name}={count}" for name, count in formation.items())
    return read_plan(settings.but(formation=text, names=(), exclude=()), os.environ)


def _image(image: str, version: str, destination: Destination) -> str:
    if "{version}" in image and not version:
        message = f"{destination.location}: the image {image} needs a version"
        raise UsageError(message, "name it with --version, or deploy from a git repository")
    return filled(image, {"version": version})
