"""The folder for what procman keeps between sessions: ``$XDG_STATE_HOME/procman``, by default in ``~/.local/state``."""

from __future__ import annotations

import errno
import os

from procman.config.reading import effective_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_MODE = 0o700


def state_folder(environ: Mapping[str, str]) -> str:
    """Return the folder for what procman keeps. Raises OSError if it is another user's: root can have that HOME; and
    if there is no home, as for a user of a container without an account.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    state = environ.get("XDG_STATE_HOME", "")
    parents = [state]
    if not state.startswith("/"):  # others are invalid, by the specification
        if not (home.startswith("/") and os.path.isdir(home)):
            raise FileNotFoundError(errno.ENOENT, f"the home folder {home} does not exist")
        state = f"{home}/.local/state"
        parents = [state, home]
    owner = next((os.stat(path).st_uid for path in (f"{state}/procman", *parents) if os.path.lexists(path)), None)
    if owner not in (None, effective_user()):
        raise PermissionError(errno.EPERM, f"{state} belongs to another user")
    return f"{state}/procman"


def make_private(folder: str) -> None:
    """Make a folder in the state folder that only the user may enter. Raises OSError if there is something else."""
    above = os.path.dirname(folder)
    os.makedirs(above, FOLDER_MODE, exist_ok=True)
    for path in (above, folder):
        if not os.path.lexists(path):
            os.mkdir(path, FOLDER_MODE)
        require_own(path)
    os.chmod(folder, FOLDER_MODE)


def require_own(folder: str) -> None:
    """Raise OSError unless this is a folder of the user, and not a symbolic link."""
    if os.path.islink(folder):
        raise OSError(errno.ELOOP, f"{folder} is a symbolic link, which is not followed")
    if not os.path.isdir(folder):
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder")
    if os.stat(folder).st_uid != effective_user():
        raise PermissionError(errno.EPERM, f"{folder} belongs to another user")
