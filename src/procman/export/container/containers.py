"""What the container engines have in common: an image, DNS names, checks, and one port for all instances of a type."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from procman.core.model.checks import EXEC, HTTP, TCP
from procman.errors import UsageError
from procman.export.application import OWN, own
from procman.export.file import ExportWarning
from procman.export.grammar import no_expansion, sh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.core.model.checks import Check
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

_MAX_LABEL_LENGTH = 63
_IGNORED_IN_BACKGROUND = (2, 3)  # POSIX: a script's background commands ignore INT and QUIT


def image_of(app: Application, options: ExportOptions) -> str:
    """Return the image to run: the given one, else ``APP:latest``."""
    return options.image or f"{dns_label(app.name)}:latest"


def image_warnings(app: Application, options: ExportOptions, target: str) -> Iterator[ExportWarning]:
    """Yield what the user still has to decide, and what no container can do."""
    if not options.image:
        yield ExportWarning(
            f"{target} needs an image with the application: assuming {image_of(app, options)} (choose one with --image)"
        )
    for service in app.services:
        if service.stop.signal_number in _IGNORED_IN_BACKGROUND:
            yield ExportWarning(f"{service.name}: a compound command in a container cannot be stopped with INT or QUIT")


def log_warning(options: ExportOptions, target: str) -> Iterator[ExportWarning]:
    """Yield a warning for ``--log``, which has no effect on engines that keep the logs themselves."""
    if options.log:
        yield ExportWarning(f"logs go to {target}: --log is ignored")


def dns_label(name: str) -> str:
    """Turn a name into a DNS label (RFC 1123). Raises UsageError if that is not possible."""
    label = re.sub(r"[_.]+", "-", name.lower()).strip("-")
    if not label or len(label) > _MAX_LABEL_LENGTH:
        raise UsageError(f'"{name}" cannot be turned into a DNS name', "use 1 to 63 letters and digits")
    return label


def labels_of(app: Application) -> dict[str, str]:
    """Return a DNS label for each service. Raises UsageError if two services would get the same one."""
    labels: dict[str, str] = {}
    for service in app.services:
        label = dns_label(service.name)
        if label in labels.values():
            raise UsageError(f'two process types would get the same DNS name "{label}"', "rename one of them")
        labels[service.name] = label
    return labels


def own_environment(service: Service, instance: str) -> dict[str, str]:
    """Return the variables of one instance. Each has its own network, so all of a type use the first one's port."""
    names = {"PS": instance, "PROCMAN_INSTANCE": instance}
    return {name: names.get(name, value) for name, value in own(service.first).items() if name in OWN}


# Checks --------------------------------------------------------------------------------------------------------------


def check_command(check: Check | None) -> str:
    """Return a shell command that succeeds when the check would; empty if only procman can run the check."""
    return _CHECKS[check.kind][0](check.target) if check and check.kind in _CHECKS else ""


def check_action(check: Check | None) -> dict[str, Yaml]:
    """Return the check as the action of a Kubernetes probe; empty if only procman can run the check.

    The kubelet connects from outside, to the pod's address, where procman connects to this machine.
    """
    return _CHECKS[check.kind][1](check.target) if check and check.kind in _CHECKS else {}


def _http_command(url: str) -> str:
    return f"wget -q -O /dev/null {sh(url)} || curl -fsS -o /dev/null {sh(url)}"


def _http_action(url: str) -> dict[str, Yaml]:
    address = urlsplit(url)
    path = address.path + (f"?{address.query}" if address.query else "") or "/"
    return {"httpGet": {"path": path, "port": address.port or 80}}


def _tcp_command(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"nc -z {sh(host.strip('[]'))} {sh(port)}"


def _tcp_action(address: str) -> dict[str, Yaml]:
    return {"tcpSocket": {"port": int(address.rpartition(":")[2])}}


def _exec_action(command: str) -> dict[str, Yaml]:
    return {"exec": {"command": ("/bin/sh", "-c", no_expansion(command))}}


# Each kind of check that an engine can run: as a shell command, and as the action of a Kubernetes probe.
_CHECKS: dict[str, tuple[Callable[[str], str], Callable[[str], dict[str, Yaml]]]] = {
    HTTP: (_http_command, _http_action),
    TCP: (_tcp_command, _tcp_action),
    EXEC: (str, _exec_action),
}
