"""What Heroku and similar platforms, which run the Procfile as it is, do not support."""

from __future__ import annotations

import re

from procman.export.application import ONCE, RELEASE
from procman.export.container.containers import loopback_warnings
from procman.export.file import ExportWarning
from procman.export.grammar import require_names
from procman.export.overlay import overlay_warnings
from procman.export.shell import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export.application import Application, Service

NAMES = {"heroku": "Heroku", "dokku": "Dokku", "scalingo": "Scalingo"}

_TERM = 15
_GRACE = 30.0  # seconds that each of them gives a process
_OWN_NAMES = re.compile(r"\$\{?(PS|PROCMAN_[A-Z0-9_]+)\b")
_FIXED_PORT = re.compile(r"(?:--port|--bind|-p|-b|:)[ =:]?(?:[0-9.]+:)?([0-9]{4,5})\b")


def procfile_warnings(app: Application, platform: str, *supported: str) -> Iterator[ExportWarning]:
    """Yield what the Procfile, the overlay and the formation say, but the platform does not support.

    Raises UsageError for a name of a variable that it cannot hold.
    """
    require_names([*app.secrets, *(name for service in app.services for name in service.env)], platform)
    yield from overlay_warnings(app, platform, *supported)
    for service in app.services:
        yield from loopback_warnings(service, platform)
        for sentence in (*_commands(service, platform), *_rules(service, platform), *_counts(service, platform)):
            yield ExportWarning(sentence)


def _commands(service: Service, platform: str) -> Iterator[str]:
    name = service.name
    if service.folder:
        yield f"{platform} runs {name} in the application's folder; begin its line with cd {service.folder} &&"
    if service.serves and name != "web":
        yield f"{platform} sends requests to web only: {name} has no port there"
    if named := _OWN_NAMES.search(service.command):
        yield f"{platform} does not set {named[1]}, which {name} uses"
    if (
        name == "web"
        and not re.search(r"\$\{?PORT\b", service.command)
        and (fixed := _FIXED_PORT.search(service.command))
    ):
        yield f"{platform} chooses the port of web, but its line has port {fixed[1]} instead of $PORT"
    if service.env:
        yield f"{platform} has one set of variables for all types: {', '.join(service.env)} of {name} is its own"


def _rules(service: Service, platform: str) -> Iterator[str]:
    name, stop = service.name, service.stop
    if stop.signal_number != _TERM:
        yield f"{platform} stops {name} with TERM, not with {signal_name(stop.signal_number)}"
    if stop.grace > _GRACE:
        yield f"{platform} kills {name} after {_GRACE:.0f} s, before its {stop.grace:g} s are over"
    if service.kind == ONCE and service.first.schedule is None:
        yield f"{platform} starts {name} again whenever it ends; run it by hand or with a scheduler"


def _counts(service: Service, platform: str) -> Iterator[str]:
    count = len(service.instances)
    if service.kind == RELEASE and count > 1:
        yield f"{platform} runs release once, not {count} times"
