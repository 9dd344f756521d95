"""What the hosted platforms have in common: they run a line of their own file, and keep the secrets themselves."""

from __future__ import annotations

from urllib.parse import urlsplit

from procman.core.model.checks import HTTP
from procman.core.procfile.command import direct
from procman.export.application import LASTING, RELEASE, own
from procman.export.container.containers import loopback_warnings
from procman.export.file import ExportWarning
from procman.export.grammar import require_names, sh
from procman.export.overlay import CPU_MAX, HEALTH, MEMORY_MAX, PIDS_MAX, READY, features_of, own_word_warnings
from procman.export.shell import in_folder, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.checks import Check
    from procman.export.application import Application, Service

_TERM = 15


def platform_warnings(
    app: Application,
    platform: str,
    signal: bool = False,
    apart: bool = False,
    limits: bool = False,
    delay: bool = False,
) -> Iterator[ExportWarning]:
    """Yield what the platform lacks. All of them make http checks. Raises UsageError for a name that it cannot hold.

    ``signal``: it can send any stop signal; ``apart``: each type has secrets of its own;
    ``limits``: it takes those for memory, CPUs and processes; ``delay``: it can put the first check off.
    """
    require_names(secrets_of(app), platform)
    yield ExportWarning(f"{platform}: this file has been checked for its syntax only, it has not been deployed", True)
    for service in app.services:
        if service in _exported(app):
            yield from _missing(service, platform, signal, limits)
            yield from _rule_warnings(service, platform, delay)
            yield from loopback_warnings(service, platform)
            if service.env and not apart:
                names = ", ".join(service.env)
                yield ExportWarning(
                    f"{platform} gives all types the same secrets: {names} of {service.name} is its own"
                )
        else:
            yield ExportWarning(f"not exported to {platform}: {service.name}, which does not run all the time")
            yield from own_word_warnings(service, platform)


def _missing(service: Service, platform: str, signal: bool, limits: bool) -> Iterator[ExportWarning]:
    check = _requested(service) if service.serves else None
    given = {READY: service.first.ready, HEALTH: service.first.health}
    checks = (name for name, one in given.items() if check and one and one.target == check.target)
    held = (*checks, *((MEMORY_MAX, CPU_MAX, PIDS_MAX) if limits else ()))
    missing = [feature for feature in features_of(service) if feature not in held]
    number = service.stop.signal_number
    if number != _TERM and not signal:
        missing.append(f"the stop signal {signal_name(number)}")
    if missing:
        yield ExportWarning(f"not exported to {platform}: {' and '.join(missing)} of {service.name}")
    yield from own_word_warnings(service, platform)


def _rule_warnings(service: Service, platform: str, delay: bool) -> Iterator[ExportWarning]:
    """Yield a warning for what the platform does not know about a check that it makes."""
    check = _requested(service) if service.serves else None
    if check and check.successes > 1:
        yield ExportWarning(f"not exported to {platform}: success_threshold of {service.name}, which it cannot count")
    if check and check.initial_delay and not delay:
        yield ExportWarning(f"not exported to {platform}: initial_delay of the check of {service.name}")


def secrets_of(app: Application) -> list[str]:
    """Return the names of all variables whose values the platform keeps."""
    return list(dict.fromkeys([*app.secrets, *(name for service in _exported(app) for name in service.env)]))


def _exported(app: Application) -> list[Service]:
    return [service for service in app.services if service.kind == RELEASE or service in lasting(app)]


def lasting(app: Application) -> list[Service]:
    """Return the services that the platform keeps running."""
    return [service for service in app.services if service.kind == LASTING and service.starts]


def release_line(app: Application) -> str:
    """Return the line that runs before each new version; empty without a release."""
    return next((line(service) for service in app.services if service.kind == RELEASE), "")


def line(service: Service) -> str:
    """Return the command as a line of words, for a platform that may or may not run it in a shell."""
    return f"/bin/sh -c {sh(in_folder(direct(service.command), service.folder))}"


def shared(app: Application) -> dict[str, str]:
    """Return the variables without secrets that all types share, without the ports of types on other machines."""
    return {name: value for name, value in app.contract.items() if not name.startswith("PROCMAN_")}


def variables_of(service: Service) -> dict[str, str]:
    """Return the variables that differ between the types. The platform numbers its instances in its own way."""
    return {name: value for name, value in own(service.first).items() if name in ("PORT", "PROCMAN_PROCESS")}


def exported(service: Service) -> str:
    """Return the same line with these variables, for a platform that has no place for them."""
    assigned = " ".join(f"{name}={sh(value)}" for name, value in variables_of(service).items())
    command = in_folder(direct(service.command), service.folder)
    return f"/bin/sh -c {sh(f'export {assigned}; {command}')}"


def health_path(service: Service) -> str:
    """Return the path that an http check of the service's own port requests; empty if it has none."""
    check = _requested(service)
    if check is None:
        return ""
    address = urlsplit(check.target)
    return f"{address.path or '/'}{f'?{address.query}' if address.query else ''}"


def _requested(service: Service) -> Check | None:
    """Return the check that a platform makes. It sends no headers of a check, and has statuses of its own."""
    for check in (service.first.health, service.first.ready):
        if check and check.kind == HTTP and not check.headers and not check.status and check.port == service.port:
            return check
    return None
