"""Decides what the container engines have in common: an image, DNS names, and one port for all instances of a type."""

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

_LONGEST_LABEL = 63
_ASYNCHRONOUS_SHELL_IGNORES = (2, 3)  # POSIX: INT and QUIT, in a command that a script puts in the background


def image_of(app: Application, options: ExportOptions) -> str:
    """Return the image to run: the given one, else ``APP:latest``."""
    return options.image or f"{dns_label(app.name)}:latest"


def warnings_of(app: Application, options: ExportOptions, target: str) -> Iterator[ExportWarning]:
    """Yield what is left for the user to decide, and what no container can have."""
    if not options.image:
        yield ExportWarning(
            f"{target} needs an image that holds the application: --image REF; {image_of(app, options)}?"
        )
    for service in app.services:
        if service.stop.signal_number in _ASYNCHRONOUS_SHELL_IGNORES:
            yield ExportWarning(f"{service.name}: a compound command cannot be stopped by INT or QUIT in a container")


def dns_label(name: str) -> str:
    """Turn a name into a DNS label (RFC 1123). Raises UsageError if it cannot be one."""
    label = re.sub(r"[_.]+", "-", name.lower()).strip("-")
    if not label or len(label) > _LONGEST_LABEL:
        raise UsageError(f'"{name}" cannot be made a name of the network', "1 to 63 letters and digits")
    return label


def labels_of(app: Application) -> dict[str, str]:
    """Return a DNS label for each service. Raises UsageError when two services would get the same one."""
    labels: dict[str, str] = {}
    for service in app.services:
        label = dns_label(service.name)
        if label in labels.values():
            raise UsageError(f'two process types would both be called "{label}" on the network', "rename one of them")
        labels[service.name] = label
    return labels


def own_environment(service: Service, instance: str) -> dict[str, str]:
    """Return the variables of one instance. Each has a network of its own, so the port of the first is that of all."""
    names = {"PS": instance, "PROCMAN_INSTANCE": instance}
    return {name: names.get(name, value) for name, value in own(service.first).items() if name in OWN}


def log_warning(options: ExportOptions, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for ``--log``, which engines that keep the logs themselves do not take."""
    if options.log:
        yield ExportWarning(f"{target} keeps the logs itself: --log is left out")
