"""Decides what an exporter may know beside the plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the command line says about an export.

    ``app`` names the application at the target. ``user`` is the account it shall run as, ``owner`` the one that owns
    its folder here; both may be empty.
    ``image`` is the container image; empty: ``APP:latest``, with a warning. ``location`` is the folder of the export as
    an absolute path, empty when it is printed. ``log`` is the folder for log files; empty: what the target does by
    itself. ``user_units`` asks for units of a user's own service manager.
    """

    app: str
    user: str = ""
    owner: str = ""
    image: str = ""
    location: str = ""
    log: str = ""
    user_units: bool = False

    @property
    def account(self) -> str:
        """The account it runs as on a machine like this one: the given one, else the owner of its folder."""
        return self.user or self.owner
