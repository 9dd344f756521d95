"""The value of an option: from the command line, from a variable, or from a key of a config file.

Most commands are given none, so that this module is imported for the first one.
"""

from __future__ import annotations

import os

from procman.cli.options.option import WHEN
from procman.cli.options.table import OPTIONS
from procman.core.text import values
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.cli.options.option import Option

_PATHS = ("procfile", "root", "log_dir", "socket")


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


def is_true(text: str, place: str) -> bool:
    """Return the boolean of a variable that is about a switch. Raises UsageError, which names the ``place``."""
    return bool(_checked(values.truth, text, place))


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
    "offset": values.offset,
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


# Config files ---------------------------------------------------------------------------------------------------------


def env_files(value: list[object], place: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths of env files, and those whose files may be missing. Raises UsageError."""
    from procman.core.overlay.converters import WrongValueError
    from procman.core.overlay.converters import env_files as files_of

    try:
        files = files_of(value)
    except WrongValueError as error:
        raise UsageError(f"{'.'.join((place, *error.path))} {error.message}", error.hint) from None
    return tuple(path for path, _ in files), tuple(path for path, required in files if not required)


def from_toml(option: Option, value: object, place: str) -> object:
    """Return the value of the option from a value of TOML. Raises UsageError, which names the ``place``."""
    if "\0" in str(value) or (isinstance(value, list) and any("\0" in str(entry) for entry in value)):
        raise UsageError(f"{place} must be {_described_kind(option)} without a NUL")
    if option.kind == "switch" or isinstance(value, bool):
        return _from_boolean(option, value, place)
    if option.kind == "list" and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return tuple(value)
    if option.setting == "formation" and isinstance(value, dict):
        return ",".join(f"{name}={count}" for name, count in value.items())
    wanted = {"whole": int, "port": int, "offset": (int, str), "seconds": (int, float, str)}.get(option.kind, str)
    if not isinstance(value, wanted):  # type: ignore[arg-type]
        raise UsageError(f"{place} must be {_described_kind(option)}, not {_described(value)}")
    return converted(option, [str(value)], place)


def _from_boolean(option: Option, value: object, place: str) -> object:
    """Return the value for ``color = false`` (--no-color) or ``port = false`` (--no-port, whose value is 0)."""
    if option.choices and isinstance(value, str):
        return _switched(option, value, place)
    rows = [row for row in OPTIONS if row.setting == option.setting and row.kind == "switch" and row.config]
    if isinstance(value, bool) and all(isinstance(row.value, bool) for row in rows) and option.kind == "switch":
        return value  # of the key, which a row such as --no-control negates
    if value is False and rows:
        return rows[0].value
    raise UsageError(f"{place} must be {_described_kind(option)}, not {_described(value)}")


def from_folder(option: Option, value: object, folder: str) -> object:
    """Return the value with its paths joined to the folder of the config file."""
    if option.setting == "env" and isinstance(value, tuple):
        return tuple(os.path.join(folder, entry) for text in value for entry in values.items(text))
    return os.path.join(folder, value) if option.setting in _PATHS and isinstance(value, str) else value


def _described_kind(option: Option) -> str:
    kinds = {"switch": "true or false", "whole": "a whole number", "port": values.PORT, "offset": values.OFFSET}
    kinds["seconds"] = values.DURATION
    return kinds.get(option.kind, "a list of strings" if option.kind == "list" else "a string")


def _described(value: object) -> str:
    from procman.core.overlay.converters import described

    return f'the string "{value}"' if isinstance(value, str) else described(value)
