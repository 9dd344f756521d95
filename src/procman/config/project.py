"""The search for the project in the folders above the current one."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MARKS = ("Procfile", "procman.toml", "procman.local.toml", ".foreman")


def project_above(environ: Mapping[str, str]) -> str:
    """Return the nearest folder above the current one that has a Procfile or a config file: ``../..``; "" for none.

    A folder with .git or the user's home is the last one that is searched. A file of a stranger, in /tmp for example,
    does not count: only those of the user, of root, and of the owner of the current folder do.
    """
    here = os.getcwd()
    home = os.path.realpath(environ["HOME"]) if environ.get("HOME") else ""
    trusted = {os.geteuid(), 0, os.stat(here).st_uid}
    up = ""
    while here not in (home, "/") and not os.path.lexists(f"{here}/.git"):
        here = os.path.dirname(here)
        up = f"{up}/.." if up else ".."
        if any(_owner(f"{here.rstrip('/')}/{name}") in trusted for name in MARKS):
            return up
    return ""


def _owner(path: str) -> int | None:
    try:
        return os.stat(path).st_uid
    except OSError:
        return None
