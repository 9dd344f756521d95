"""What the container engines have in common: an image, DNS names, and one port for all instances of a type."""

from __future__ import annotations

import re

from procman.errors import UsageError
from procman.export.application import OWN, own
from procman.export.file import ExportWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

MAX_LABEL_LENGTH = 63


def image_of(app: Application, options: ExportOptions) -> str:
    """Return the image to run: the given one, else ``APP:latest``."""
    return options.image or f"{dns_label(app.name)}:latest"


def image_warnings(app: Application, options: ExportOptions, target: str) -> Iterator[ExportWarning]:
    """Yield what the user still has to decide, and what containers cannot do."""
    if not options.image:
        yield ExportWarning(
            f"{target} needs an image with the application: assuming {image_of(app, options)} (choose one with --image)"
        )
    for service in app.services:
        if service.folder.startswith("/"):
            yield ExportWarning(f"{service.name} runs in {service.folder}, which the image needs to have")
    for service in app.services:
        yield from loopback_warnings(service, target)


def loopback_warnings(service: Service, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for a service that listens only inside of its container, where the target cannot reach it."""
    if address := service.loopback:
        yield ExportWarning(f"{target} cannot reach {service.name}, which listens on {address}; 0.0.0.0 is everywhere")


def dns_label(name: str) -> str:
    """Turn a name into a DNS label (RFC 1123). Raises UsageError if that is not possible."""
    label = re.sub(r"[_.]+", "-", name.lower()).strip("-")
    if not label or len(label) > MAX_LABEL_LENGTH:
        raise UsageError(f'"{name}" cannot be turned into a DNS name', "use 1 to 63 letters and digits")
    return label


def env_files(app: Application) -> list[tuple[str, dict[str, str]]]:
    """Return the paths and variables of the env files that are not empty: the application's, then its services'."""
    files = [(f"{app.name}.env", app.secrets)]
    files += [(f"{app.name}-{service.name}.env", service.env) for service in app.services]
    return [(path, env) for path, env in files if env]


def labels_of(app: Application) -> dict[str, str]:
    """Return a DNS label for each service. Raises UsageError if two services would get the same one."""
    labels: dict[str, str] = {}
    for service in app.services:
        label = dns_label(service.name)
        if label in labels.values():
            raise UsageError(f'two process types would get the same DNS name "{label}"', "rename one of them")
        labels[service.name] = label
    return labels


def swarm_service(stack: str, label: str) -> str:
    """Return Swarm's name for the service ``label`` of a stack."""
    return f"{stack}_{label}"


def own_environment(service: Service, instance: str) -> dict[str, str]:
    """Return the variables of one instance. Each has its own network, so all of a type use the first one's port."""
    names = {"PS": instance, "PROCMAN_INSTANCE": instance}
    return {name: names.get(name, value) for name, value in own(service.first).items() if name in OWN}
