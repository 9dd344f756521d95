"""Reads files the user named, and refuses those that are not safe to trust."""

from __future__ import annotations

import errno
import os

from procman.errors import ConfigError

LARGEST = 4 << 20  # bytes; a Procfile is a page, but /dev/zero has no end
_REGULAR = 0o100000  # S_IFREG: importing `stat` costs too much for one constant
_KINDS = 0o170000  # S_IFMT
_OTHERS_WRITE = 0o002  # S_IWOTH


def read_file(path: str) -> tuple[bytes, int]:
    """Return the bytes and the mode of a file; the mode is 0 unless it is a regular file.

    Raises FileNotFoundError, and ConfigError for everything else.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if len(data) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST >> 20} MiB", "is it the file you meant?")
    if status.st_mode & _KINDS != _REGULAR:
        return data, 0  # a pipe's permissions mean nothing
    require_trustworthy(path, status.st_mode)
    return data, status.st_mode


def _unreadable(path: str, error: OSError | ValueError) -> ConfigError:
    if isinstance(error, ValueError):
        return ConfigError("a file name cannot contain a NUL byte")
    if error.errno == errno.EISDIR:
        return ConfigError(f"{path} is a folder, not a file", "name the file in it")
    if error.errno == errno.EACCES:
        return ConfigError(f"{path}: permission denied", "you may not read it: see its owner and mode with ls -l")
    return ConfigError(f"{path}: {os.strerror(error.errno or 0).lower()}")


def read_text(path: str) -> tuple[str | None, int]:
    """Return the text of a file without its BOM, and its mode; None and 0 if there is no such file.

    Raises ConfigError for a file that cannot be read, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
            mode = os.fstat(file.fileno()).st_mode
        return data.decode("utf-8-sig"), mode
    except (FileNotFoundError, NotADirectoryError):
        return None, 0
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: this is not UTF-8", "save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None


def require_trustworthy(path: str, mode: int) -> None:
    """Raise ConfigError if procman runs as root and every user can write this file. `mode` is that of fstat(2).

    Anyone who can write it could make root run a command.
    """
    if mode & _OTHERS_WRITE and os.geteuid() == 0:
        raise ConfigError(f"{path} can be written by every user, and you are root", f"chmod o-w {path}")
