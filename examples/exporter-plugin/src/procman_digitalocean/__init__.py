"""app.yaml for DigitalOcean's App Platform, as a plug-in of procman."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from procman.export.application import application
from procman.export.file import ExportFile, ExportWarning, header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export import Plan
    from procman.export.application import Service
    from procman.export.options import ExportOptions


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """app.yaml for DigitalOcean: a component per process type"""
    app = application(plan, options)
    lines = [
        header("digitalocean", app.name, "", "Install:  doctl apps create --spec app.yaml"),
        f"name: {_text(app.name)}",
    ]
    for kind, serves in (("services", True), ("workers", False)):
        components = [service for service in app.services if service.serves is serves]
        lines += [f"{kind}:", *(line for service in components for line in _component(service))] if components else []
    if app.secrets:
        yield ExportWarning(f"give DigitalOcean the values of {', '.join(app.secrets)} in the settings of the app")
    yield ExportFile("app.yaml", "\n".join(lines) + "\n")


def _component(service: Service) -> Iterator[str]:
    yield f"- name: {_text(service.name)}"
    yield f"  run_command: {_text(service.command)}"
    yield f"  instance_count: {len(service.instances)}"
    if service.serves:
        yield f"  http_port: {service.port}"


def _text(value: str) -> str:
    """Write a double-quoted scalar of YAML, which has all of JSON's escapes."""
    return json.dumps(value)
