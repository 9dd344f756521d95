"""Settings from every place that can set them. The nearest wins: flag, PROCMAN_*, config files, default."""

from __future__ import annotations

import os
import sys

from procman.cli.options.table import OPTIONS
from procman.config.configfiles import collected, read_config_files
from procman.core.model.settings import Settings
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.cli.options.table import Invocation
    from procman.config.configfiles import ConfigFile

Given = dict[str, tuple[object, str]]  # setting → its value and the place that sets it

_announced: list[str] = []  # the project that was found in a folder above, which is reported once
CONFIG_KEYS = {option.setting: option for option in reversed(OPTIONS) if option.config}  # the first row of each setting


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
    if not files and not mistakes and _has_no_project_here(near):
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


def _has_no_project_here(near: Given) -> bool:
    return not {"procfile", "root", "socket"} & near.keys() and not os.path.lexists("Procfile")


def wants_guardian(invocation: Invocation, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether to run the guardian, from flags and environment only: it forks before any file is read."""
    near = {**_from_environment(os.environ if environ is None else environ), **_from_flags(invocation)}
    return bool(near.get("guardian", (True, ""))[0])


def _project_above(command: str) -> str:
    """Return the folder above that has a Procfile, and report it once; empty if there is none."""
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
        from procman.cli.options.conversion import converted

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
            from procman.cli.options.conversion import converted, is_true

            if option.kind != "switch" or option.choices:
                given[option.setting] = converted(option, [text], name), name
            elif is_true(text, name):
                given[option.setting] = option.value, name
            elif isinstance(option.value, bool):
                given[option.setting] = not option.value, name
    return given


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
    if key in ("process", "on") and not file.is_text:  # overlay and destinations have readers that report errors
        return {key: (tuple(value) if isinstance(value, dict) else (key,), place)}
    option = CONFIG_KEYS.get(key.replace("-", "_"))
    if option is None:
        raise _unknown(file, key)
    from procman.cli.options.conversion import converted, env_files, from_folder, from_toml

    if option.setting == "env" and isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        paths, optional = env_files(value, f"{place}: {key}")
        return {
            "env": (from_folder(option, paths, file.folder), place),
            "env_optional": (from_folder(option, optional, file.folder), place),
        }
    if file.is_text:
        setting = converted(option, [str(value)], f"{place}: {key}")
    else:
        setting = from_toml(option, value, f"{place}: {key}")
    return {option.setting: (from_folder(option, setting, file.folder), place)}


def _unknown(file: ConfigFile, key: str) -> ConfigError:
    from procman.core.text.suggest import did_you_mean

    hint = _hint_of_flag(key) or did_you_mean(key, (*CONFIG_KEYS, "process", "on"))
    return ConfigError(f'{file.location(key)}: unknown setting "{key}"', hint)


def _hint_of_flag(key: str) -> str:
    """Return what to write in place of a key that is only the name of a flag; empty for any other one."""
    flag = f"--{key.replace('_', '-')}"
    option = next((option for option in OPTIONS if flag in option.flags or option.setting == flag[2:]), None)
    if option is None:
        return ""
    if option.setting in CONFIG_KEYS:
        return f"the key for {flag} is {option.setting}"
    return f"{option.long_flags[0]} is for the command line only"
