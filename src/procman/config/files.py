"""Does the reading: the Procfile and the env files, from the disk into the records of core."""

from __future__ import annotations

import errno
import os

from procman.config.envfile import parse_env
from procman.config.reading import require_trustworthy
from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.planner import make_plan
from procman.core.procfile.environment import REAL, Layer, merge
from procman.core.procfile.formation import parse_formation
from procman.core.procfile.parser import parse_procfile
from procman.errors import ConfigError, ProcfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.model.plan import Environment, Plan
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings
    from procman.core.overlay.tables import Overlay

LARGEST = 4 << 20  # bytes; a Procfile is a page, but /dev/zero has no end
_REGULAR = 0o100000  # S_IFREG: the module stat is not worth its import for one constant
_KINDS = 0o170000


def read_plan(settings: Settings, environ: Mapping[str, str], session: str = "") -> Plan:
    """Read all files that ``settings`` names and work out what should run.

    Raises ProcfileError for a Procfile with errors, ConfigError for the other files, UsageError for the rest.
    """
    procfile = read_procfile(settings.procfile)
    require_sound(procfile)
    environment, warnings = read_environment(settings, environ)
    return plan_for(settings, procfile, environment, session, warnings)


def plan_for(
    settings: Settings,
    procfile: Procfile,
    environment: Environment,
    session: str = "",
    warnings: tuple[str, ...] = (),
    overlay: Overlay | None = None,
) -> Plan:
    """Work out what should run from files that are read already; raises UsageError.

    The overlay is read here where there is one and it is not given. Raises ConfigError for its problems.
    """
    if says_how(settings):
        from procman.config.overlays import read_overlay, require_sound_overlay

        overlay = overlay or read_overlay(settings, procfile, environment)
        warnings += require_sound_overlay(overlay)
    return make_plan(
        procfile,
        environment,
        procfile_path=os.path.abspath(settings.procfile),
        root=os.path.abspath(root_of(settings)),
        session=session,
        formation=None if settings.formation is None else parse_formation(settings.formation),
        names=settings.names,
        exclude=settings.exclude,
        quiet=settings.quiet,
        only=settings.only,
        port=settings.port,
        port_step=settings.port_step,
        no_port=settings.no_port,
        restart=RestartPolicy(settings.restart, settings.max_restarts),
        stop=StopPolicy(grace=settings.timeout),
        warnings=warnings,
        overlay=overlay,
    )


def says_how(settings: Settings) -> bool:
    """Whether anything is said of single process types, in a config file or by flags; it costs nothing where not."""
    named = settings.auto_restart or settings.stop_signals or settings.can_die or settings.primary
    return bool(settings.process or named)


def root_of(settings: Settings) -> str:
    """Return the folder the commands run in; raises ConfigError when it is none.

    For a Procfile that is no file, as in ``-f <(generate)``, the folder it is in (/dev/fd) is no place to work.
    """
    root = settings.root
    if "root" not in settings.origin and not os.path.isfile(settings.procfile) and os.path.exists(settings.procfile):
        root = "."
    if not os.path.isdir(root):
        raise ConfigError(f"{root}: no such folder", "-d names the folder that the commands run in")
    return root


def require_sound(procfile: Procfile) -> None:
    """Raise ProcfileError, which carries all problems, if the Procfile has errors."""
    errors = procfile.errors
    if not errors:
        return
    if len(errors) == 1:
        place = f"{procfile.name}:{errors[0].line}:{errors[0].column}"
        raise ProcfileError(f"{place}: {errors[0].message}", procfile.problems, "`procman check` explains")
    summary = "; ".join(f"{error.line}:{error.column}: {error.message}" for error in errors[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    raise ProcfileError(f"{procfile.name} has {len(errors)} errors: {summary}{more}", procfile.problems, _LIST_ALL)


_LIST_ALL = "`procman check` lists all of them"


def read_procfile(path: str) -> Procfile:
    """Read and parse the Procfile at ``path``; problems in its text are kept in it. Raises ConfigError."""
    try:
        data, _ = _read(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", _procfile_hint(path)) from None
    return parse_procfile(data, path)


def read_environment(settings: Settings, environ: Mapping[str, str]) -> tuple[Environment, tuple[str, ...]]:
    """Lay the env files over the real environment (or under it), and return it with sentences of warning.

    Raises ConfigError for a file that is named and missing, or cannot be read.
    """
    layers, warnings = read_env_files(settings, environ)
    real = Layer(REAL, environ)
    environment = merge((*layers, real) if settings.os_env_wins else (real, *layers))
    root = os.path.abspath(root_of(settings))
    if environment.origin.get("PWD") == REAL and root != os.getcwd():
        environment.values["PWD"] = root  # a shell would correct it; a program that is started directly trusts it
    return environment, tuple(warnings)


def read_env_files(settings: Settings, environ: Mapping[str, str]) -> tuple[list[Layer], list[str]]:
    """Read ``-e FILE …``, or the .env of the root if there is one; return a layer each, and warnings."""
    known = dict(environ)
    layers: list[Layer] = []
    warnings: list[str] = []
    exposed: list[str] = []
    for path in _env_paths(settings):
        data, mode = _read_env(path)
        parsed = parse_env(data, path, known if settings.env_interpolate else None)
        known = {**known, **parsed.values} if not settings.os_env_wins else {**parsed.values, **known}
        layers.append(Layer(path, parsed.values, parsed.lines))
        warnings += parsed.warnings
        if parsed.values and mode & 0o044:
            exposed.append(path)
    if exposed:
        files = " ".join(exposed)
        warnings.append(f"{files} can be read by other users: chmod go-rwx {files}")
    return layers, warnings


def read_extra_env(path: str, settings: Settings, known: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Read one more env file; return its values, and warnings. Raises ConfigError, also when it is not there."""
    try:
        data, mode = _read(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    parsed = parse_env(data, path, known if settings.env_interpolate else None)
    exposed = [f"{path} can be read by other users: chmod go-rwx {path}"] if parsed.values and mode & 0o044 else []
    return parsed.values, [*parsed.warnings, *exposed]


def _env_paths(settings: Settings) -> list[str]:
    if settings.env:
        return [path for word in settings.env for path in _split(word)]
    default = os.path.join(root_of(settings), ".env").removeprefix("./")
    # Some call their virtual environment .env; no peer takes offence at it.
    is_there = os.path.lexists(default) and not os.path.exists(os.path.join(default, "pyvenv.cfg"))
    return [default] if is_there else []


def _split(word: str) -> list[str]:
    """Split ``a.env,b.env`` as Foreman does, unless a file is called so."""
    if "," not in word or os.path.exists(word):
        return [word]
    return [path.strip() for path in word.split(",") if path.strip()]


def _read_env(path: str) -> tuple[bytes, int]:
    try:
        return _read(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", "-e names a file of KEY=value lines") from None


def _read(path: str) -> tuple[bytes, int]:
    """Return the bytes and the permissions of a file; raises FileNotFoundError, and ConfigError for all else."""
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
        return ConfigError("a file name cannot hold a NUL byte")
    if error.errno == errno.EISDIR:
        return ConfigError(f"{path} is a folder, not a file", "name the file in it")
    if error.errno == errno.EACCES:
        return ConfigError(f"{path}: permission denied", "you may not read it: see its owner and mode with ls -l")
    return ConfigError(f"{path}: {os.strerror(error.errno or 0).lower()}")


def _procfile_hint(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f"there is no folder {folder}"
    alike = sorted(name for name in os.listdir(folder) if "procfile" in name.lower())[:3]
    if alike:
        return "did you mean " + " or ".join(f"-f {os.path.join(folder, name).removeprefix('./')}" for name in alike)
    return "a Procfile has lines such as `web: python app.py`; -f names another file"
