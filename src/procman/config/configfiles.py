"""Does the reading of config files: procman.local.toml, procman.toml or pyproject.toml, and Foreman's .foreman."""

from __future__ import annotations

import os

from procman.config.reading import require_trustworthy
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FOREMAN_KEYS = ("procfile", "env", "formation", "concurrency", "port", "timeout", "root")


class ConfigFile:
    """What one file says: values by key, as TOML has them, and the line each key stands in (0: not known).

    The values of ``.foreman`` are text; they mean what the same text means behind a flag.
    """

    __slots__ = ("is_text", "lines", "path", "text", "values")

    def __init__(
        self,
        path: str,
        values: Mapping[str, object],
        lines: Mapping[str, int] | None = None,
        is_text: bool = False,
        text: str = "",
    ) -> None:
        self.path = path
        self.values = values
        self.lines = lines or {}
        self.is_text = is_text
        self.text = text  # of the file, for who wants the lines of what is further inside

    def place(self, key: str) -> str:
        """Where a key stands: ``procman.toml:3``."""
        line = self.lines.get(key, 0)
        return f"{self.path}:{line}" if line else self.path

    @property
    def folder(self) -> str:
        """The folder of the file, which the paths in it start from; empty for the current one."""
        return os.path.dirname(self.path)


def read_config_files(folder: str) -> list[ConfigFile]:
    """The config files of a folder ("" is the current one), the one that wins first. Raises ConfigError."""
    found = (
        _read_toml(os.path.join(folder, "procman.local.toml")),
        _read_toml(os.path.join(folder, "procman.toml")) or _read_pyproject(os.path.join(folder, "pyproject.toml")),
        _read_foreman(os.path.join(folder, ".foreman")),
    )
    return [file for file in found if file is not None]


def _read_toml(path: str) -> ConfigFile | None:
    text, mode = _text(path)
    if text is None:
        return None
    require_trustworthy(path, mode)
    values = _parse_toml(path, text)
    return ConfigFile(path, values, _lines_of(text, "", values), text=text)


def _read_pyproject(path: str) -> ConfigFile | None:
    text, mode = _text(path)
    # Most projects have a pyproject.toml, few a table of ours: do not pay for the parser to learn that.
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

    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what, _, where = str(error).partition(" (at ")
        line, column = (word.rpartition(" ")[2].rstrip(")") for word in (where + ", ").split(", ")[:2])
        place = f"{path}:{line}:{column}" if line.isdigit() and column.isdigit() else path
        raise ConfigError(f"{place}: {_sentence(what)}", "it is not TOML; see https://toml.io") from None


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _lines_of(text: str, table: str, keys: Mapping[str, object]) -> dict[str, int]:
    """The line of each key below ``[table]`` ("" is the top), as far as a plain look can tell."""
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
    """Foreman's own file: ``key: value`` lines of YAML. Keys that only its exports know do not concern us."""
    text, mode = _text(path)
    if text is None:
        return None
    require_trustworthy(path, mode)
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        key, colon, value = line.partition(":")
        if colon and key.strip() in FOREMAN_KEYS and (plain := _yaml_scalar(value)):
            name = "formation" if key.strip() == "concurrency" else key.strip()
            values[name] = plain
            lines[name] = number
    return ConfigFile(path, values, lines, is_text=True)


def _yaml_scalar(text: str) -> str:
    value = text.strip()
    if value[:1] in ('"', "'") and value.find(value[0], 1) > 0:
        return value[1 : value.find(value[0], 1)]
    return value.partition(" #")[0].strip()


def _text(path: str) -> tuple[str | None, int]:
    """The file's text without a BOM, and its mode; None and 0 where there is no such file."""
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
