"""Reads files the user named, and refuses those that are not safe to trust."""

from __future__ import annotations

import errno
import os
import sys

from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

LARGEST = 4 << 20  # bytes; a Procfile is a page, but /dev/zero has no end
_KINDS = 0o170000  # S_IFMT: importing `stat` costs too much for four constants
_REGULAR = 0o100000  # S_IFREG
_DEVICE = 0o020000  # S_IFCHR
_FOLDER = 0o040000  # S_IFDIR
_OTHERS_WRITE = 0o002  # S_IWOTH
_NAMES_OF_STDIN = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


def read_file(path: str, pipes: bool = True) -> tuple[bytes, int]:
    """Return the bytes and the mode of a file that root may trust; the mode is 0 unless it is a regular file.

    A pipe is read to its end, unless `pipes` is False. Raises FileNotFoundError, and ConfigError for everything else.
    """
    try:
        data, mode = _read(path, pipes)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    require_trustworthy(path, mode)
    return data, mode


def _read(path: str, pipes: bool) -> tuple[bytes, int]:
    """Read a file unless it is too large or a terminal: a repository may contain links to all kinds of files."""
    if not pipes:
        _require_plain(path)
    with open(path, "rb", opener=_opener) as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _KINDS == _DEVICE and file.isatty() and not path.startswith(_NAMES_OF_STDIN):
            raise _not_a_file(path)
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST >> 20} MiB", "is it the file you meant?")
    return data, mode if mode & _KINDS == _REGULAR else 0  # a pipe's permissions mean nothing


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | open_flags("O_NOCTTY"))


def open_flags(*names: str) -> int:
    """Return these flags of open(2) together, as far as the system has them: Windows has none for pipes and links."""
    flags = 0
    for name in names:
        flags |= getattr(os, name, 0)
    return flags


def effective_user() -> int:
    """Return the id of the user whose rights procman has; 0 on Windows, where every file belongs to user 0."""
    return 0 if sys.platform == "win32" else os.geteuid()


def _require_plain(path: str) -> None:
    """Raise ConfigError, before anything is opened, unless this is a regular file, a folder or /dev/null."""
    status = os.stat(path)
    if status.st_mode & _KINDS == _DEVICE and status.st_rdev == os.stat(os.devnull).st_rdev:
        return
    if status.st_mode & _KINDS not in (_REGULAR, _FOLDER):
        raise _not_a_file(path)


def _not_a_file(path: str) -> ConfigError:
    return ConfigError(f"{path} is a device or a pipe, not a regular file", "is it a link? check with ls -l")


def _unreadable(path: str, error: OSError | ValueError) -> ConfigError:
    if isinstance(error, ValueError):
        return ConfigError("a file name cannot contain a NUL byte")
    if error.errno == errno.EISDIR:
        return ConfigError(f"{path} is a folder, not a file", "name the file in it")
    if error.errno == errno.EACCES:
        return ConfigError(f"{path}: permission denied", "check its owner and mode with ls -l")
    return ConfigError(f"{path}: {os.strerror(error.errno or 0).lower()}")


def read_text(path: str) -> tuple[str | None, int]:
    """Return the text of a regular file without its BOM, and its mode; None and 0 if there is no such file.

    Raises ConfigError for a file that cannot be read, or is not UTF-8.
    """
    data = b""
    try:
        data, mode = _read(path, pipes=False)
        return data.decode("utf-8-sig"), mode
    except (FileNotFoundError, NotADirectoryError):
        return None, 0
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: this is not UTF-8", "save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def require_trustworthy(path: str, mode: int) -> None:
    """Raise ConfigError if procman runs as root and every user can write this file. `mode` is that of fstat(2).

    Anyone who can write it could make root run a command.
    """
    if mode & _OTHERS_WRITE and sys.platform != "win32" and os.geteuid() == 0:
        raise ConfigError(f"every user can write to {path}, and you are root", f"chmod o-w {path}")


# Whose files count, where a search goes up through folders in which others may write, such as /tmp -----------------


def trusted_owners(folder: str) -> Collection[int]:
    """Return the users whose files count for a project in this folder: our own, root, and the owner of the folder."""
    try:
        return {effective_user(), 0, os.stat(folder).st_uid}
    except OSError:
        return {effective_user(), 0}


def belongs_to(owners: Collection[int], path: str) -> bool:
    """Whether something is here and one of these users owns it; of a symbolic link, both it and what it names."""
    try:
        return os.lstat(path).st_uid in owners and os.stat(path).st_uid in owners
    except OSError:
        return False
