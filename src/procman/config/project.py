"""The search for the project in the folders above the current one."""

from __future__ import annotations

import os

from procman.config.reading import belongs_to, trusted_owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MARKS = ("Procfile", "procman.toml", "procman.local.toml", ".foreman")


def project_above(environ: Mapping[str, str]) -> str:
    """Return the nearest folder above the current one that has a Procfile or a config file: ``../..``; "" for none.

    A folder with .git or the user's home is the last one that is searched. What a stranger has written, in /tmp for
    example, does not count.
    """
    here = os.getcwd()
    home = os.path.realpath(environ["HOME"]) if environ.get("HOME") else ""
    owners = trusted_owners(here)
    up = ""
    while here not in (home, "/") and not belongs_to(owners, f"{here}/.git"):
        below, here = here, os.path.dirname(here)
        if here == below:  # the top of a drive of Windows
            break
        up = f"{up}/.." if up else ".."
        if any(belongs_to(owners, f"{here.rstrip('/')}/{name}") for name in MARKS):
            return up
    return ""
