"""Packages that procman can use and does not need: which are installed, and the command that installs others."""

from __future__ import annotations

import sys

_UNPACKED = r"_[0-9a-f]{64}/site-packages/"  # where shiv unpacks a .pyz, which then is what it was built from
DEBIAN_FOLDER = "/usr/lib/procman/"  # of the Debian package; its command also looks into the folder below /usr/local


def can_watch() -> bool:
    """Whether the extra ``watch`` is installed."""
    from importlib.util import find_spec

    return find_spec("watchfiles") is not None and find_spec("pathspec") is not None


def watch_installation() -> str:
    """Return the command that installs what ``watch`` needs."""
    return installation("watchfiles", "pathspec")


def installation(*packages: str) -> str:
    """Return the command that installs packages into the environment that procman runs in."""
    if __file__.startswith(DEBIAN_FOLDER):
        from importlib import util

        command = f"sudo python3 -m pip install --target /usr/local/lib/procman {' '.join(packages)}"
        return command if util.find_spec("pip") else f"sudo apt install python3-pip && {command}"
    import re

    if re.search(_UNPACKED, __file__):
        return f"pipx install procman-cli && pipx inject procman-cli {' '.join(packages)}"
    if "/pipx/venvs/" in sys.prefix:
        return f"pipx inject procman-cli {' '.join(packages)}"
    if "/uv/tools/" in sys.prefix:
        return f"uv tool install {' '.join(f'--with {package}' for package in packages)} procman-cli"
    return f"pip install {' '.join(packages)}"
