"""Settings from every place that can set them. The nearest wins: flag, PROCMAN_*, config files, default."""

from __future__ import annotations

import os
import sys

from procman.cli.options.option import WHEN
from procman.cli.options.table import OPTIONS, Option
from procman.config.configfiles import collected, read_config_files
from procman.core.model.settings import Settings
from procman.core.text import values
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.cli.options.table import Invocation
    from procman.config.configfiles import ConfigFile

Given = dict[str, tuple[object, str]]  # setting → its value and the place that sets it

_announced: list[str] = []  # the project that was found in a folder above: it is said once
_PATHS = ("procfile", "root", "log_dir", "socket")
_CONFIG = {option.setting: option for option in reversed(OPTIONS) if option.config}  # the first row of each setting


def settle(
    invocation: Invocation, environ: Mapping[str, str] | None = None, mistakes: list[UsageError] | None = None
) -> Settings:
    """Return all settings of an invocation. Raises UsageError for a wrong value, ConfigError for a wrong file.

    With a list of `mistakes`, what is wrong in config files is added to it instead, and left out.
    """
    flags = _from_flags(invocation)
    variables = _from_environment(os.environ if environ is None else environ)
    near = {**variables, **flags}
    folder = _project_folder(near)
    files = read_config_files(folder, mistakes)
    above = ""
    if (
        not files
        and not mistakes
        and not {"procfile", "root", "socket"} & near.keys()
        and not os.path.lexists("Procfile")
    ):
        above = folder = _project_above(invocation.command)
        files = read_config_files(above, mistakes) if above else []
    layers = [_from_config(file, mistakes) for file in reversed(files)]
    merged: Given = {"procfile": (f"{above}/Procfile", "a folder above")} if above else {}
    for layer in (*layers, variables, flags):
        merged.update(_with_foreman(layer))
    merged.pop("foreman", None)
    if "processes" in merged:
        merged["names"] = merged.pop("processes")
    if invocation.words and invocation.command != "export":  # its words are a format and a folder
        named, place = merged.get("names", ((), ""))
        words = (*named, *invocation.words) if place.startswith("-") and isinstance(named, tuple) else invocation.words
        merged["names"] = (words, "the command line")
    settings = Settings(
        {name: place for name, (_, place) in merged.items()}, **{name: value for name, (value, _) in merged.items()}
    )
    settings.project = folder
    settings.mistakes = tuple(mistakes or ())
    settings.notes = tuple(warning for file in files for warning in file.warnings)
    settings.overridden = tuple(
        option.overrides for option in OPTIONS if option.overrides and settings.is_given_directly(option.setting)
    )
    return settings


def wants_guardian(invocation: Invocation, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether to run the guardian, from flags and environment only: it forks before any file is read."""
    near = {**_from_environment(os.environ if environ is None else environ), **_from_flags(invocation)}
    return bool(near.get("guardian", (True, ""))[0])


def _project_above(command: str) -> str:
    """Return the folder above that has a Procfile, and say so once; empty if there is none."""
    if command == "prune":  # it concerns all sessions
        return ""
    from procman.config.project import project_above

    above = project_above(os.environ)
    if above and not _announced and "_PROCMAN_COMPLETE" not in os.environ:
        _announced.append(above)
        sys.stderr.write(f"procman: using {os.path.abspath(above)}/Procfile\n".replace("//", "/"))
    return above


def _project_folder(near: Given) -> str:
    """Return the folder of the config files: the root, else the Procfile's folder, from flags and environment."""
    if "root" in near:
        return str(near["root"][0])
    return os.path.dirname(str(near["procfile"][0])) if "procfile" in near else ""


def _with_foreman(layer: Given) -> Given:
    value, place = layer.get("foreman", (False, ""))
    return {"restart": ("never", place), "exit": ("any", place), **layer} if value else layer


def _from_flags(invocation: Invocation) -> Given:
    given: Given = {}
    for option, texts in invocation.given.items():
        flag = option.long_flags[0]
        if option.kind not in ("list", "switch") and len(texts) > 1:
            raise UsageError(f"{flag} is given twice, but takes one value", f"leave one of them out: {' '.join(texts)}")
        value = converted(option, texts, flag)
        if given.setdefault(option.setting, (value, flag)) != (value, flag):
            raise UsageError(f"{given[option.setting][1]} and {flag} contradict each other", "leave one of them out")
    return given


def _from_environment(environ: Mapping[str, str]) -> Given:
    given: Given = {}
    for option in OPTIONS:
        for name in option.variables:
            text = environ.get(name, "")
            if not text or option.setting in given:
                continue
            if option.kind != "switch" or option.choices:
                given[option.setting] = converted(option, [text], name), name
            elif _checked(values.truth, text, name):
                given[option.setting] = option.value, name
            elif isinstance(option.value, bool):
                given[option.setting] = not option.value, name
    return given


def converted(option: Option, texts: list[str], place: str) -> object:
    """Return the value of the option from strings. Raises UsageError, which names the ``place``."""
    if option.kind == "switch":
        return _switched(option, texts[-1], place)
    if option.setting == "env":
        if not all(texts):
            raise UsageError(f"{place} must be the name of a file", "leave it out to read .env")
        return tuple(texts)  # not split yet: a comma may be part of a file name, which shows when it is opened
    if option.kind == "list":
        return tuple(entry for text in texts for entry in values.items(text))
    return _checked(lambda text: _value(option, text), texts[0], place, option.choices)


def _switched(option: Option, text: str, place: str) -> object:
    """Return the value of a switch: ``--color``, ``--color=never``, ``PROCMAN_COLOR=1``."""
    if not option.choices or not text:
        return option.value
    if text in WHEN:
        return WHEN[text]
    try:
        return values.truth(text)
    except ValueError:
        return _checked(lambda word: values.choice(word, option.choices), text, place, option.choices)


def _checked(convert: Callable[[str], object], text: str, place: str, choices: tuple[str, ...] = ()) -> object:
    try:
        return convert(text)
    except ValueError as error:
        from procman.core.text.suggest import nearest

        near = nearest(text, choices)
        raise UsageError(f'{place} must be {error}, not "{text}"', f'did you mean "{near}"?' if near else "") from None


_CONVERTERS: dict[str, Callable[[str], object]] = {
    "whole": values.whole,
    "port": values.port,
    "seconds": values.duration,
    "path": values.path,
    "regex": values.regex,
    "stamp": values.stamp,
    "template": values.template,
    "text": str,
    "optional": str,
}


def _value(option: Option, text: str) -> object:
    if option.kind == "choice":
        return values.choice(text, option.choices)
    return _CONVERTERS[option.kind](text)


def _from_config(file: ConfigFile, mistakes: list[UsageError] | None) -> Given:
    given: Given = {}
    for key in file.values:
        given.update(_collected_key(file, key, mistakes) or {})
    return given


def _collected_key(file: ConfigFile, key: str, mistakes: list[UsageError] | None) -> Given | None:
    return collected(lambda: _from_key(file, key, file.values[key]), mistakes)


def _from_key(file: ConfigFile, key: str, value: object) -> Given:
    """Return what one key of a config file sets. Raises UsageError, ConfigError for an unknown key."""
    place = file.location(key)
    if key == "process" and not file.is_text:  # the overlay has its own reader, which reports its errors
        return {key: (tuple(value) if isinstance(value, dict) else (key,), place)}
    option = _CONFIG.get(key.replace("-", "_"))
    if option is None:
        raise _unknown(file, key)
    if option.setting == "env" and isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        paths, optional = _env_files(value, f"{place}: {key}")
        return {
            "env": (_from_folder(option, paths, file.folder), place),
            "env_optional": (_from_folder(option, optional, file.folder), place),
        }
    if file.is_text:
        setting = converted(option, [str(value)], f"{place}: {key}")
    else:
        setting = _from_toml(option, value, f"{place}: {key}")
    return {option.setting: (_from_folder(option, setting, file.folder), place)}


def _env_files(value: list[object], place: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths of env files, and those whose files may be missing. Raises UsageError."""
    from procman.core.overlay.converters import WrongValueError, env_files

    try:
        files = env_files(value)
    except WrongValueError as error:
        raise UsageError(f"{'.'.join((place, *error.path))} {error.message}", error.hint) from None
    return tuple(path for path, _ in files), tuple(path for path, required in files if not required)


def _unknown(file: ConfigFile, key: str) -> ConfigError:
    from procman.core.text.suggest import did_you_mean

    return ConfigError(f'{file.location(key)}: unknown setting "{key}"', did_you_mean(key, (*_CONFIG, "process")))


def _from_toml(option: Option, value: object, place: str) -> object:
    if "\0" in str(value) or (isinstance(value, list) and any("\0" in str(entry) for entry in value)):
        raise UsageError(f"{place} must be {_described_kind(option)} without a NUL")
    if option.kind == "switch" or isinstance(value, bool):
        return _from_boolean(option, value, place)
    if option.kind == "list" and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    if option.setting == "formation" and isinstance(value, dict):
        return ",".join(f"{name}={count}" for name, count in value.items())
    wanted = {"whole": int, "port": int, "seconds": (int, float, str)}.get(option.kind, str)
    if not isinstance(value, wanted):  # type: ignore[arg-type]
        raise UsageError(f"{place} must be {_described_kind(option)}, not {_described(value)}")
    return converted(option, [str(value)], place)


def _from_boolean(option: Option, value: object, place: str) -> object:
    """Return the value for ``color = false`` (--no-color) or ``port = false`` (--no-port, whose value is 0)."""
    if option.choices and isinstance(value, str):
        return _switched(option, value, place)
    rows = [row for row in OPTIONS if row.setting == option.setting and row.kind == "switch" and row.config]
    if isinstance(value, bool) and all(isinstance(row.value, bool) for row in rows) and option.kind == "switch":
        return value if option.value else not value
    if value is False and rows:
        return rows[0].value
    raise UsageError(f"{place} must be {_described_kind(option)}, not {_described(value)}")


def _from_folder(option: Option, value: object, folder: str) -> object:
    """Return the value with its paths joined to the folder of the config file."""
    if option.setting == "env" and isinstance(value, tuple):
        return tuple(os.path.join(folder, entry) for text in value for entry in values.items(text))
    return os.path.join(folder, value) if option.setting in _PATHS and isinstance(value, str) else value


def _described_kind(option: Option) -> str:
    kinds = {"switch": "true or false", "whole": "a whole number", "port": "a port", "seconds": values.DURATION}
    return kinds.get(option.kind, "a list of strings" if option.kind == "list" else "a string")


def _described(value: object) -> str:
    from procman.core.overlay.converters import described

    return f'the string "{value}"' if isinstance(value, str) else described(value)
