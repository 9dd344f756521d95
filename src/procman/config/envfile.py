"""Parses .env files; python-dotenv is imported only for lines that need it."""

from __future__ import annotations

from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from dotenv.parser import Reader

    Statement = tuple[str | None, str | None]  # key and value; no key: invalid; no value: a key without "="

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_BASE64 = _NAME | frozenset("+/-")
_COMMENT: Statement = ("", None)
_FEW_LINES = 5  # lines that a warning names one by one

# What a line can be other than a variable. No warning shows the text of a line: it may be a piece of a private key.
_NO_EQUALS = (
    'has no "=" and is ignored; write KEY=value',
    'have no "=" and are ignored; a value of several lines needs quotes',
)
_INVALID = ("is invalid and is ignored; write KEY=value", "are invalid and are ignored; write KEY=value")
_SHELL_DROPS = (
    "has a name that shells do not pass on, so only commands run without a shell get it",
    "have names that shells do not pass on, so only commands run without a shell get them",
)


class EnvFile:
    """The contents of a .env file: its variables in order, the line of each, and a warning for each kind of odd line.

    `quoted` are the lines whose value is in single quotes, which mean it literally.
    """

    __slots__ = ("bindings", "lines", "quoted", "values", "warnings")

    def __init__(self) -> None:
        self.bindings: list[tuple[str, str]] = []  # a name may be there several times
        self.values: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.quoted: set[int] = set()
        self.warnings: list[str] = []


def parse_env(data: bytes, name: str) -> EnvFile:
    """Parse the bytes of the .env file `name`. ``${VAR}`` is not replaced, see interpolation.py.

    Raises ConfigError, with line and column, for invalid UTF-8 and for NUL bytes.
    """
    parsed = EnvFile()
    text = _decode(data, name)
    if _is_json(text):
        parsed.warnings.append(f"{name}:1: this is JSON and is ignored; an env file has lines such as KEY=value")
        return parsed
    rows = text.split("\n")
    odd: dict[tuple[str, str], list[int]] = {}
    armor = False  # inside an unquoted PEM block, whose lines may end in "="
    for line, key, value in _statements(text):
        if key is not None and value is not None and not (armor and _is_base64(key, value)):
            armor = value.startswith("-----BEGIN") and "-----END" not in value
            parsed.bindings.append((key, value))
            parsed.values[key] = value
            parsed.lines[key] = line
            if not is_shell_name(key):
                odd.setdefault(_SHELL_DROPS, []).append(line)
        else:
            row = rows[line - 1] if key is None else ""
            odd.setdefault(_INVALID if "=" in row else _NO_EQUALS, []).append(line)
            armor = armor and not row.startswith("-----END")
    parsed.warnings += [_in_words(name, lines, *kind) for kind, lines in odd.items()]
    if "${" in text:
        starts = ((line, rows[line - 1].partition("=")[2].lstrip()[:1]) for line in parsed.lines.values())
        parsed.quoted = {line for line, start in starts if start == "'"}
    return parsed


def is_shell_name(name: str) -> bool:
    """Whether a shell keeps a variable of this name; dash drops all others from what its children get."""
    return _NAME.issuperset(name) and not name[:1].isdigit()


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] != "{":
        return False
    quote, _, rest = text.lstrip()[1:].lstrip().partition('"')
    return not quote and rest.partition('"')[2].lstrip()[:1] == ":"


def _is_base64(key: str, value: str) -> bool:
    return _BASE64.issuperset(key) and value in ("", "=")


def _in_words(name: str, lines: list[int], one: str, many: str) -> str:
    return f"{name}:{lines[0]}: {lines_in_words(lines)} {one if len(lines) == 1 else many}"


def lines_in_words(lines: list[int]) -> str:
    """Return ``this line``, ``lines 2 and 5`` or ``lines 2 to 27``; of many single lines only the first are named."""
    if len(lines) == 1:
        return "this line"
    if lines[-1] - lines[0] + 1 == len(lines) > 2:
        return f"lines {lines[0]} to {lines[-1]}"
    if len(lines) > _FEW_LINES:
        return f"lines {', '.join(map(str, lines[:_FEW_LINES]))} and {len(lines) - _FEW_LINES} more"
    *before, last = map(str, lines)
    return f"lines {', '.join(before)} and {last}"


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{name}:1:1: this is UTF-16, not UTF-8", "save the file as UTF-8")
    at = data.find(b"\0")
    if at >= 0:
        raise ConfigError(f"{_location(name, data[:at])}: a variable cannot contain a NUL byte")
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
