"""Does not believe files that anybody may have written, where believing them is dangerous."""

from __future__ import annotations

import os

from procman.errors import ConfigError

_OTHERS_WRITE = 0o002  # S_IWOTH


def require_trustworthy(path: str, mode: int) -> None:
    """Raise ConfigError when we are root and every user can write this file, whose ``mode`` is that of fstat(2).

    Who can write it could have root run a command of his own.
    """
    if mode & _OTHERS_WRITE and os.geteuid() == 0:
        raise ConfigError(f"{path} can be written by every user, and you are root", f"chmod o-w {path}")
