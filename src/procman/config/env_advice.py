"""What `check` says about env files besides their warnings: who can read them, and what is not expanded."""

from __future__ import annotations

import os
import sys

from procman.config.envfile import lines_in_words, parse_env
from procman.config.files import env_paths
from procman.config.reading import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.config.envfile import EnvFile
    from procman.core.model.process_overlay import Overlay
    from procman.core.model.settings import Settings

    Advice = tuple[str, str]  # "warning" or "hint", and the sentence


def env_advice(settings: Settings, overlay: Overlay | None) -> list[Advice]:
    """Return what `check` says about the env files that exist and are regular files. No text of theirs is shown."""
    advice: list[Advice] = []
    exposed: list[str] = []
    for path, shown in _paths(settings, overlay):
        if not os.path.isfile(path):
            continue
        data, mode = read_file(path)
        file = parse_env(data, shown)
        if file.values and others_can_read(path, mode):
            exposed.append(shown)
        advice += _unexpanded_path(shown, file, settings.env_interpolate)
        if not settings.env_interpolate:
            advice += _unexpanded(shown, file)
    if exposed:
        names = " ".join(dict.fromkeys(exposed))
        advice.append(("warning", f"{names} can be read by other users: chmod go-rwx {names}"))
    return advice


def _paths(settings: Settings, overlay: Overlay | None) -> Iterator[tuple[str, str]]:
    for path in env_paths(settings):
        yield path, path
    for process in overlay.processes.values() if overlay else ():
        for path, required in process.env_file:
            full = os.path.join(process.folder("env_file"), os.path.expanduser(path))
            if required or os.path.lexists(full):
                yield full, full


def _unexpanded_path(path: str, file: EnvFile, expands: bool) -> list[Advice]:
    """Return a warning about a PATH whose ``$`` stays, so that hardly any program is found."""
    value = file.values.get("PATH", "")
    if "$" not in (value.replace("${", "") if expands else value):
        return []
    how = "--env-interpolate expands ${PATH}, not $PATH" if expands else "write ${PATH} and use --env-interpolate"
    return [("warning", f'{path}:{file.lines["PATH"]}: PATH contains a "$" that is not expanded; {how}')]


def _unexpanded(path: str, file: EnvFile) -> list[Advice]:
    """Return a hint about values with ``${NAME}``; single quotes mean it literally."""
    lines = sorted(
        line
        for name, line in file.lines.items()
        if "${" in file.values[name] and "}" in file.values[name] and line not in file.quoted and name != "PATH"
    )
    if not lines:
        return []
    verb = "contains" if len(lines) == 1 else "contain"
    sentence = f"{path}:{lines[0]}: {lines_in_words(lines)} {verb} ${{NAME}}, which is not expanded"
    return [("hint", f"{sentence}; use --env-interpolate to expand it, or single quotes if you mean it literally")]


def others_can_read(path: str, mode: int) -> bool:
    """Whether other users can actually read a file: its mode and that of every folder above it permit that.

    A group whose only member is the owner gives access to no other user.
    """
    if sys.platform == "win32":  # its modes say nothing about other users
        return False
    everyone = bool(mode & 0o004)
    group = bool(mode & 0o040)
    real = os.path.realpath(path)
    owner, gid = _ids(real)
    group = group and not _is_private(owner, gid)
    folder = os.path.dirname(real)
    while everyone or group:
        status = os.stat(folder)
        everyone = everyone and bool(status.st_mode & 0o001)
        group = group and bool(status.st_mode & (0o011 if status.st_gid == gid else 0o001))
        if folder == os.path.dirname(folder):
            break
        folder = os.path.dirname(folder)
    return everyone or group


def _ids(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_uid, status.st_gid


def _is_private(uid: int, gid: int) -> bool:
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return user.pw_gid == gid and user.pw_name == group.gr_name and not set(group.gr_mem) - {user.pw_name}
