"""Parses .env files; python-dotenv is imported only for lines that need it."""

from __future__ import annotations

from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dotenv.parser import Reader

    Statement = tuple[str | None, str | None]  # key and value; no key: invalid; no value: a key without "="

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_NAME_AND_MORE = _NAME | frozenset(".-")
_COMMENT: Statement = ("", None)


class EnvFile:
    """The contents of a .env file: values, the line of each, and a warning for every line that has none."""

    __slots__ = ("lines", "values", "warnings")

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.warnings: list[str] = []


def parse_env(data: bytes, name: str, known: Mapping[str, str] | None = None) -> EnvFile:
    """Parse the bytes of the .env file `name`. ``${VAR}`` is replaced from `known`, unless that is None.

    Raises ConfigError, with line and column, for invalid UTF-8 and for NUL bytes.
    """
    parsed = EnvFile()
    for line, key, value in _statements(_decode(data, name)):
        if key is None:
            parsed.warnings.append(f"{name}:{line}: invalid line, ignored: write KEY=value")
        elif value is None:
            parsed.warnings.append(f'{name}:{line}: "{key}" has no "=", ignored: write KEY=value')
        else:
            if not _NAME_AND_MORE.issuperset(key):
                parsed.warnings.append(f'{name}:{line}: "{key}" is an unusual name for a variable')
            parsed.values[key] = value if known is None else _expand(value, {**known, **parsed.values})
            parsed.lines[key] = line
    return parsed


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{name}:1:1: this is UTF-16, not UTF-8", "save the file as UTF-8")
    at = data.find(b"\0")
    if at >= 0:
        raise ConfigError(f"{_location(name, data[:at])}: a NUL byte: a variable cannot contain one")
    try:
        return data.decode().lstrip("\ufeff")
    except UnicodeDecodeError as error:
        location = _location(name, data[: error.start])
        raise ConfigError(
            f"{location}: not UTF-8: the byte 0x{data[error.start]:02x}", "save the file as UTF-8"
        ) from None


def _location(name: str, before: bytes) -> str:
    last = before.rpartition(b"\n")[2].decode(errors="replace")
    return f"{name}:{before.count(10) + 1}:{len(last.lstrip(chr(0xFEFF))) + 1}"


def _statements(text: str) -> Iterator[tuple[int, str | None, str | None]]:
    """Yield every statement with its line, except comments."""
    at, line, reader = 0, 1, None
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        statement = _plain(text[at:end].removesuffix("\n").removesuffix("\r"))
        if statement is None:
            reader = reader or _reader(text)
            end, statement = _by_dotenv(reader, at, line)
        if statement is not _COMMENT:
            yield line, *statement
        line += text.count("\n", at, end)
        at = end


def _plain(line: str) -> Statement | None:
    """Parse the simple forms ``KEY=word``, ``KEY='text'`` and ``KEY="text"``; return None for any other.

    python-dotenv reads them in the same way (a test checks that), but its import takes as long as Python's own start.
    One difference is intended: between single quotes a backslash is a backslash, as in a shell and in similar tools.
    """
    begin = line.lstrip()[:1]
    if "\r" in line:
        return None
    if begin in {"", "#"}:
        return _COMMENT
    key, equals, value = line.partition("=")
    if not equals or not key or not _NAME.issuperset(key):
        return None
    value = value.rstrip()
    quote = value[:1]
    if quote in {"'", '"'}:
        inner = value[1:-1]
        whole = len(value) > 1 and value[-1] == quote and quote not in inner
        return (key, inner) if whole and (quote == "'" or "\\" not in inner) else None
    if quote.isspace() and value.lstrip()[0] == "#":
        return key, ""  # python-dotenv before 1.2 took the comment for the value
    return None if "#" in value or quote.isspace() else (key, value)


def _reader(text: str) -> Reader:
    from io import StringIO

    from dotenv.parser import Reader

    return Reader(StringIO(text, newline=""))


def _by_dotenv(reader: Reader, at: int, line: int) -> tuple[int, Statement]:
    """Let python-dotenv parse the statement that begins at `at`; return its end and the statement."""
    from dotenv.parser import parse_binding

    reader.position.chars, reader.position.line = at, line
    binding = parse_binding(reader)
    empty = binding.key is None and not binding.error
    return reader.position.chars, _COMMENT if empty else (binding.key, binding.value)


def _expand(value: str, known: Mapping[str, str]) -> str:
    if "${" not in value:
        return value
    from dotenv.variables import parse_variables

    return "".join(atom.resolve(known) for atom in parse_variables(value))
