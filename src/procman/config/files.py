"""Reads the Procfile and the env files into the records of core."""

from __future__ import annotations

import os

from procman.config.reading import read_file
from procman.core.model.plan import REAL, Layer, merge
from procman.core.procfile.parser import parse_procfile
from procman.errors import ConfigError, ProcfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.core.model.plan import Environment
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings

SHORT_NAME = 32  # characters: the name of a checkout is not cut then
# What systemd tells its service: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)
OF_A_SERVICE = (
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    *("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"),
)


def root_of(settings: Settings) -> str:
    """Return the folder that commands run in; raises ConfigError if it is not a folder.

    That is the current folder for a Procfile that is not a file (``-f <(generate)``): nothing can work in /dev/fd.
    """
    root = settings.root
    if "root" not in settings.origin and not os.path.isfile(settings.procfile) and os.path.exists(settings.procfile):
        root = "."
    if not os.path.isdir(root):
        raise ConfigError(f"{root}: no such folder", "-d names the folder that the commands run in")
    return root


def at_checkout(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with what the checkout decides: its name, and in a linked worktree its slot.

    Outside of any repository that is the name of the folder, which most often needs nothing that has to be imported.
    """
    try:
        root = os.path.realpath(root_of(settings))
    except ConfigError:  # whatever needs the folder reports it
        return settings
    name = os.path.basename(root).lower().replace("-", "_").replace(".", "_")
    is_plain = name.isascii() and name.isidentifier() and name[0] != "_" and len(name) <= SHORT_NAME
    if is_plain and not _is_below_git(root):
        placed = settings.but()
        placed.checkout = name
        return placed
    from procman.config.checkout import placed_at

    return placed_at(root, settings, environ)


def _is_below_git(folder: str) -> bool:
    """Whether the folder, or one above it, has anything that is called ``.git``."""
    while not os.path.lexists(f"{folder}/.git"):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def uses_overlay(settings: Settings) -> bool:
    """Whether a config file or a flag says anything about single process types. Without an overlay it costs nothing."""
    by_flag = settings.auto_restart or settings.stop_signals or settings.can_die or settings.primary
    return bool(settings.process or by_flag)


def require_sound(procfile: Procfile) -> None:
    """Raise ProcfileError, which carries all problems, if the Procfile has errors."""
    errors = procfile.errors
    if not errors:
        return
    if len(errors) == 1:
        location = f"{procfile.name}:{errors[0].line}:{errors[0].column}"
        raise ProcfileError(f"{location}: {errors[0].message}", procfile.problems, "`procman check` explains them")
    summary = "; ".join(f"{error.line}:{error.column}: {error.message}" for error in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    raise ProcfileError(f"{procfile.name} has {len(errors)} errors: {summary}{more}", procfile.problems, _LIST_ALL)


_LIST_ALL = "`procman check` lists all of them"


def read_procfile(path: str, place: str = "") -> Procfile:
    """Read and parse the Procfile at `path`; `place` is where it was named. Problems in its text are kept in it.

    Raises ConfigError if it cannot be read.
    """
    try:
        data, _ = read_file(path)
    except FileNotFoundError:
        raise ConfigError(f"{place}{path}: no such file", _procfile_hint(path)) from None
    return parse_procfile(data, path)


def read_environment(
    settings: Settings,
    environ: Mapping[str, str],
    procfile: Procfile | None = None,
    moved: Mapping[str, int] | None = None,
) -> tuple[Environment, tuple[str, ...]]:
    """Merge the env files with the real environment, and return the result with warnings for the user.

    The env files win, unless `os_env_wins` is set. The Procfile's ports can be used in the files; `moved`: see
    `make_plan`. Raises ConfigError for a file that is named and missing, or cannot be read.
    """
    layers, warnings = read_env_files(settings, environ, procfile, moved)
    real = Layer(REAL, inherited(environ))
    environment = merge((*layers, real) if settings.os_env_wins else (real, *layers))
    root = os.path.abspath(root_of(settings))
    if environment.origin.get("PWD") == REAL and root != os.getcwd():
        environment.values["PWD"] = root  # a shell would correct it, but a program started directly trusts it
    return environment, tuple(warnings)


def inherited(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return what processes inherit: everything but what systemd tells procman itself as its service.

    sd_notify(3) and the others have an option that takes these variables out for the same reason.
    """
    if not any(name in environ for name in OF_A_SERVICE):
        return environ
    return {name: value for name, value in environ.items() if name not in OF_A_SERVICE}


def read_env_files(
    settings: Settings,
    environ: Mapping[str, str],
    procfile: Procfile | None = None,
    moved: Mapping[str, int] | None = None,
) -> tuple[list[Layer], list[str]]:
    """Read ``-e FILE …``, or the root's .env if it exists. Return a layer for each file, and warnings."""
    paths = env_paths(settings)
    if not paths:
        return [], []
    from procman.config.envfile import parse_env

    files = [(path, parse_env(_read_env(path, settings.place("env")), path)) for path in paths]
    layers = [Layer(path, file.values, file.lines) for path, file in files]
    if settings.env_interpolate:
        from procman.config.interpolation import expand, session_variables

        real = Layer(REAL, environ)
        merged = merge((*layers, real) if settings.os_env_wins else (real, *layers))
        over = environ if settings.os_env_wins else {}
        values = expand(files, environ, over, lambda: session_variables(settings, procfile, merged, moved))
        layers = [Layer(path, values[at], file.lines) for at, (path, file) in enumerate(files)]
    return layers, [warning for _, file in files for warning in file.warnings]


def read_extra_env(
    path: str,
    settings: Settings,
    under: Mapping[str, str],
    over: Mapping[str, str],
    ports: Callable[[], Mapping[str, str]],
) -> tuple[dict[str, str], list[str]]:
    """Read one more env file and return its values, and warnings.

    Its values are expanded by the variables `under` it, by those that win `over` it, and by the `ports`. Raises
    ConfigError, also if it does not exist.
    """
    try:
        data, _ = read_file(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    from procman.config.envfile import parse_env

    parsed = parse_env(data, path)
    if not settings.env_interpolate:
        return parsed.values, parsed.warnings
    from procman.config.interpolation import expand

    return expand([(path, parsed)], under, over, ports)[0], parsed.warnings


def env_paths(settings: Settings) -> list[str]:
    """Return the env files to read: the named ones, without optional ones that are missing, or the root's .env."""
    if settings.env or "env" in settings.origin:  # `env = []` names none
        paths = [path for word in settings.env for path in _split(word)]
        return [path for path in paths if path not in settings.env_optional or os.path.lexists(path)]
    default = os.path.join(root_of(settings), ".env").removeprefix("./")
    # Some users call their virtual environment .env, and similar tools accept that.
    is_there = os.path.lexists(default) and not os.path.exists(os.path.join(default, "pyvenv.cfg"))
    return [default] if is_there else []


def _split(word: str) -> list[str]:
    """Split ``a.env,b.env`` as Foreman does, unless a file has that name."""
    if "," not in word or os.path.exists(word):
        return [word]
    return [path.strip() for path in word.split(",") if path.strip()]


def _read_env(path: str, place: str) -> bytes:
    try:
        return read_file(path)[0]
    except FileNotFoundError:
        hint = "" if place else "-e names a file of KEY=value lines"
        raise ConfigError(f"{place}{path}: no such file", hint) from None


def _procfile_hint(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    other = os.environ.get("PROCFILE", "")  # honcho's variable
    if other and os.path.isfile(other):
        return f"PROCFILE names {other}, but procman reads PROCMAN_PROCFILE; or use -f {other}"
    alike = sorted(name for name in os.listdir(folder) if "procfile" in name.lower())[:3]
    if alike:
        others = " or ".join(f"-f {os.path.join(folder, name).removeprefix('./')}" for name in alike)
        return f"did you mean {others}?"
    return "a Procfile has lines such as `web: python app.py`; -f names another file"
