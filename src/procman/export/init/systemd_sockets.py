"""Socket units for systemd (systemd.socket(5)): it keeps the sockets of `listen` over restarts, as `start` does."""

from __future__ import annotations

import posixpath

from procman.core.model.listen import DEFAULT_HOLD
from procman.export.file import ExportFile, ExportWarning, header
from procman.export.grammar import escaped, systemd_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.listen import Listen, ListeningSocket
    from procman.core.model.plan import InstancePlan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

BACKLOG = 4096


def starts_on_connection(service: Service) -> bool:
    """Whether its first connection starts it."""
    return service.first.listen is not None and service.first.listen.on_connection


def socket_warnings(app: Application) -> Iterator[ExportWarning]:
    """Yield what systemd does differently with sockets."""
    for service in app.services:
        listen = service.first.listen
        if listen is None:
            continue
        if len(listen.sockets) > 1:
            yield ExportWarning(
                f"systemd promises no order of sockets: {service.name} has to tell them apart by LISTEN_FDNAMES"
            )
        if listen.hold != DEFAULT_HOLD:
            yield ExportWarning(f"not exported to systemd: hold of {service.name}; its sockets stay open in each pause")
        if listen.on_connection and listen.is_shared and len(service.instances) > 1:
            yield ExportWarning(
                f"at the first connection, systemd starts {service.name}.1 alone, not all {len(service.instances)}"
            )


def socket_files(app: Application, service: Service, options: ExportOptions, root: str) -> Iterator[ExportFile]:
    """Yield a unit for each socket, and the links that open those whose first connection starts the service.

    ``root`` is the folder of the application on this machine.
    """
    for instance in service.instances:
        listen = instance.listen
        if listen is None or (listen.is_shared and instance is not service.first):
            continue
        for one in listen.sockets:
            unit = f"{_stem(app, service, one)}{'' if listen.is_shared else f'@{instance.number}'}.socket"
            yield ExportFile(unit, _unit(app, service, instance, one, options, root))
            if listen.on_connection:
                yield ExportFile(f"{app.name}-{service.name}.target.wants/{unit}", link=f"../{unit}")


def socket_lines(app: Application, service: Service) -> list[str]:
    """Return the lines of [Service] that pass the sockets to each instance."""
    listen = service.first.listen
    if listen is None:
        return []
    units = (f"{_stem(app, service, one)}{'' if listen.is_shared else '@%i'}.socket" for one in listen.sockets)
    return [
        "# systemd opens these first, keeps them over restarts, and passes them on from descriptor 3.",
        f"Sockets={' '.join(units)}",
    ]


def _stem(app: Application, service: Service, one: ListeningSocket) -> str:
    """Return the beginning of the unit's name. No process type has a dot in its name, so it differs from theirs."""
    return f"{app.name}-{service.name}.{one.name}"


def _unit(
    app: Application,
    service: Service,
    instance: InstancePlan,
    one: ListeningSocket,
    options: ExportOptions,
    root: str,
) -> str:
    assert instance.listen is not None
    address = one.address
    owner = "" if options.user_units else escaped(options.account, "systemd", "the account", systemd_path)
    if one.is_path:
        below = posixpath.relpath(address, root)
        moved = address if below.startswith("..") else posixpath.join(service.root, below)
        address = escaped(moved, "systemd", "the path of a socket", systemd_path)
    lines = [
        header("systemd", app.name, f"The socket {one.name} of {_whose(service, instance.listen, instance)}."),
        "",
        "[Unit]",
        f"Description={app.name} {_whose(service, instance.listen, instance)}: socket {one.name}",
        f"PartOf={app.name}-{service.name}.target",
        "",
        "[Socket]",
        f"ListenStream={address}",
        f"FileDescriptorName={one.name}",
        f"Backlog={BACKLOG}",
        f"Service={app.name}-{service.name}@{instance.number}.service",
        *([*([f"SocketUser={owner}"] if owner else []), "SocketMode=0660", "RemoveOnStop=yes"] if one.is_path else []),
    ]
    return "\n".join(lines) + "\n"


def _whose(service: Service, listen: Listen, instance: InstancePlan) -> str:
    return f"all instances of {service.name}" if listen.is_shared else instance.name
