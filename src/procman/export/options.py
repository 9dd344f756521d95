"""What an exporter knows besides the plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the command line says about an export.

    ``app`` is the name of the application at the target. ``user`` is the account to run it as, ``owner`` the account
    that owns its folder on this machine; both may be empty.
    ``image`` is the container image; if it is empty, exporters use ``APP:latest`` and warn. ``location`` is the folder
    of the export as an absolute path, empty if the files are printed. ``log`` is the folder for log files; if it is
    empty, the target's default applies. ``user_units`` asks for units of a user's own service manager.
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
        """The account to run as on a machine like this one: the given one, else the owner of the folder."""
        return self.user or self.owner
