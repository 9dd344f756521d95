"""The folder for sockets of connections, which no other user may enter: that of the control sockets."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def private_folder(environ: Mapping[str, str]) -> str:
    """Return the folder, which is made if it does not exist; empty if there is none that is safe."""
    for folder in _candidates(environ):
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            pass
        except OSError:
            continue
        if _is_safe(folder):
            return folder
    return ""


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        yield f"{runtime.rstrip('/')}/procman"
    yield f"/run/user/{os.geteuid()}/procman"
    yield f"/tmp/procman-{os.geteuid()}"  # noqa: S108 (its owner and mode are checked)


def _is_safe(folder: str) -> bool:
    status = os.lstat(folder)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
