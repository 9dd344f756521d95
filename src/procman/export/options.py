"""Decides what an exporter may know beside the plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the command line says about an export.

    ``app`` names the application at the target. ``user`` is the account it runs as; empty: as whoever runs the target.
    ``image`` is the container image; empty: ``APP:latest``, with a warning. ``location`` is the folder of the export as
    an absolute path, empty when it is printed. ``log`` is the folder for log files; empty: what the target does by
    itself. ``user_units`` asks for units of a user's own service manager.
    """

    app: str
    user: str = ""
    image: str = ""
    location: str = ""
    log: str = ""
    user_units: bool = False
    format: str = ""
