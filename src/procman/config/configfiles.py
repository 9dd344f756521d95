"""Reads the config files: procman.local.toml, procman.toml or pyproject.toml, and Foreman's .foreman."""

from __future__ import annotations

import os

from procman.config.reading import read_text, require_trustworthy
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from procman.core.model.process_overlay import Path
    from procman.core.model.settings import Settings

    T = TypeVar("T")

MAX_PARTS = 100  # of a dotted key
MAX_LOCATED = 8  # parts of a key whose lines are known: no key of the overlay has as many
FOREMAN_KEYS = ("procfile", "env", "formation", "port", "timeout", "root")


class ConfigFile:
    """One config file: its values by key, as parsed from TOML, and the line of each key (0: unknown).

    The values of .foreman are strings (`is_text`), which mean the same as after a flag. `text` is the whole file.
    """

    __slots__ = ("is_text", "lines", "path", "text", "values", "warnings")

    def __init__(
        self,
        path: str,
        values: Mapping[str, object],
        lines: Mapping[str, int] | None = None,
        is_text: bool = False,
        text: str = "",
        warnings: Sequence[str] = (),
    ) -> None:
        self.path = path
        self.values = values
        self.lines = lines or {}
        self.is_text = is_text
        self.text = text
        self.warnings = warnings

    def location(self, key: str) -> str:
        """Return the location of a key: ``procman.toml:3``."""
        line = self.lines.get(key, 0)
        return f"{self.path}:{line}" if line else self.path

    @property
    def folder(self) -> str:
        """Return the file's folder, which relative paths in it start from; empty for the current folder."""
        return os.path.dirname(self.path)


def project_folder(settings: Settings) -> str:
    """Return the folder of the config files: what flags or variables name, else where the project was found."""
    if settings.is_given_directly("root"):
        return settings.root
    return os.path.dirname(settings.procfile) if settings.is_given_directly("procfile") else settings.project


def read_config_files(folder: str, mistakes: list[UsageError] | None = None) -> list[ConfigFile]:
    """Read the config files of a folder ("" is the current one); the one that wins is first.

    Raises ConfigError for an invalid file. With a list of `mistakes`, the error is added to it instead.
    """
    found = (
        collected(lambda: _read_toml(os.path.join(folder, "procman.local.toml")), mistakes),
        collected(
            lambda: (
                _read_toml(os.path.join(folder, "procman.toml"))
                or _read_pyproject(os.path.join(folder, "pyproject.toml"))
            ),
            mistakes,
        ),
        collected(lambda: _read_foreman(os.path.join(folder, ".foreman")), mistakes),
    )
    return [file for file in found if file is not None]


def collected(work: Callable[[], T], mistakes: list[UsageError] | None) -> T | None:
    """Return what `work` returns. Its UsageError is added to the `mistakes`, if there is such a list, else raised."""
    try:
        return work()
    except UsageError as error:
        if mistakes is None:
            raise
        if error.message not in [mistake.message for mistake in mistakes]:
            mistakes.append(error)
        return None


def _read_toml(path: str) -> ConfigFile | None:
    text, mode = read_text(path)
    if text is None:
        return None
    require_trustworthy(path, mode)
    values = _parse_toml(path, text)
    return ConfigFile(path, values, _lines_of(text, "", values), text=text)


def _read_pyproject(path: str) -> ConfigFile | None:
    text, mode = read_text(path)
    # Most projects have a pyproject.toml but no table for procman: do not load the TOML parser to find that out.
    if text is None or "procman" not in text:
        return None
    tool = _parse_toml(path, text).get("tool")
    table = tool.get("procman") if isinstance(tool, dict) else None
    if table is None:
        return None
    require_trustworthy(path, mode)
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.procman is not a table", "write [tool.procman] and the keys below it")
    return ConfigFile(path, table, _lines_of(text, "tool.procman", table), text=text)


def _parse_toml(path: str, text: str) -> dict[str, object]:
    import tomllib

    _require_few_parts(path, text)
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what, _, where = str(error).partition(" (at ")
        line, column = (word.rpartition(" ")[2].rstrip(")") for word in (where + ", ").split(", ")[:2])
        location = f"{path}:{line}:{column}" if line.isdigit() and column.isdigit() else path
        raise ConfigError(f"{location}: {_sentence(what)}", "it is not TOML; see https://toml.io") from None


def _require_few_parts(path: str, text: str) -> None:
    """Raise ConfigError for a key of very many parts: the time to parse them grows with the square of their number."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_PARTS:
            import re

            bare = re.sub(r"""#.*|"(?:[^"\\]|\\.)*"|'[^']*'""", "x", line)
            if len(re.findall(r"[\w-][ \t]?\.[ \t]?(?=[\w-])", bare)) > MAX_PARTS:
                raise ConfigError(f"{path}:{number}: a key has more than {MAX_PARTS} parts")


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _lines_of(text: str, table: str, keys: Mapping[str, object]) -> dict[str, int]:
    """Return the line of each key below ``[table]`` ("" is the top level), found without parsing TOML again."""
    lines: dict[str, int] = {}
    here = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = stripped.strip("[]# \t").replace(" ", "")
            inner = here[len(table) :].lstrip(".") if here.startswith(table) else ""
            key = inner.split(".")[0]
        else:
            key = stripped.partition("=")[0].split(".")[0].strip(" \t\"'") if here == table else ""
        if key in keys:
            lines.setdefault(key, number)
    return lines


def _read_foreman(path: str) -> ConfigFile | None:
    """Read Foreman's own file, ``key: value`` lines of YAML. Keys other than ours are ignored, with a warning."""
    text, mode = read_text(path)
    if text is None:
        return None
    require_trustworthy(path, mode)
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    warnings: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        key, colon, value = line.partition(":")
        name = key.strip()
        if not colon or name.startswith("#"):
            continue
        if name not in FOREMAN_KEYS and not key[:1].isspace():
            warnings.append(f'{path}:{number}: procman does not use the key "{name}"')
        elif name in FOREMAN_KEYS and (plain := _yaml_scalar(value)):
            values[name] = plain
            lines[name] = number
    return ConfigFile(path, values, lines, is_text=True, warnings=warnings)


def _yaml_scalar(text: str) -> str:
    value = text.strip()
    if value[:1] in ('"', "'") and value.find(value[0], 1) > 0:
        return value[1 : value.find(value[0], 1)]
    return value.partition(" #")[0].strip()


# Lines below a table --------------------------------------------------------------------------------------------------


def lines_below(text: str, prefix: Path) -> dict[Path, int]:
    """Return the line of each key below `prefix`, found without parsing TOML again."""
    lines: dict[Path, int] = {}
    here: Path = ()
    inside = ""  # the quotes of an open multi-line string
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not inside and stripped.startswith("["):
            here = _keys(stripped.strip("[]# \t").partition("]")[0])
            _add_line(lines, here, prefix, number)
        elif not inside and "=" in stripped and not stripped.startswith("#"):
            _add_line(lines, (*here, *_keys(stripped)), prefix, number)
        for quotes in ('"' * 3, "'" * 3):
            if stripped.count(quotes) % 2 and inside in ("", quotes):
                inside = "" if inside else quotes
    return lines


def _add_line(lines: dict[Path, int], path: Path, prefix: Path, number: int) -> None:
    from procman.core.model.process_overlay import normalized

    if path[: len(prefix)] == prefix:
        inner = normalized(path[len(prefix) : len(prefix) + MAX_LOCATED])
        for length in range(1, len(inner) + 1):
            lines.setdefault(inner[:length], number)


def _keys(text: str) -> Path:
    """Return the parts of the dotted key at the beginning of a line; a quoted part may contain dots."""
    keys, word, quote = [], "", ""
    for char in text:
        if quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "\"'":
            quote = char
        elif char == "=":
            break
        elif char == ".":
            keys.append(word.strip())
            word = ""
        else:
            word += char
    return (*keys, word.strip())
