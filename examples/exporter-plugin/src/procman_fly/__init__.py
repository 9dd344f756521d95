"""fly.toml for Fly.io, as a plug-in of procman."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from procman.export.application import application
from procman.export.file import ExportFile, ExportWarning, header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export import Plan
    from procman.export.options import ExportOptions


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """fly.toml for Fly.io: a process group per process type"""
    app = application(plan, options)
    counts = " ".join(f"{service.name}={len(service.instances)}" for service in app.services)
    lines = [
        header("fly", app.name, "", "Install:  fly deploy", f"          fly scale count {counts}"),
        f"app = {_text(app.name)}",
        *([f"[build]\nimage = {_text(options.image)}"] if options.image else []),
        "[processes]",
        *(f"{service.name} = {_text(service.command)}" for service in app.services),
    ]
    lines += [
        f"[[services]]\nprocesses = [{_text(service.name)}]\ninternal_port = {service.port}"
        for service in app.services
        if service.serves
    ]
    if app.secrets:
        yield ExportWarning(f"give Fly the values of {', '.join(app.secrets)} with `fly secrets set`")
    yield ExportFile("fly.toml", "\n".join(lines) + "\n")


def _text(value: str) -> str:
    """Write a basic string of TOML, which has all of JSON's escapes and also needs one for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
