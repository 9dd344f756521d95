"""How a string is written so that a target reads it back byte for byte: one function per grammar.

Each takes any string that can be an environment value or a command, and raises GrammarError with the reason if its
grammar cannot hold the string. Each has a property test against a reader of that grammar, and against the real reader
where it runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Yaml = str | int | None | tuple["Yaml", ...] | list["Yaml"] | Mapping[str, "Yaml"]

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_YAML_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*|[0-9.]+s")  # a name, or a duration
_YAML_RESERVED = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_KUBELET = re.compile(r"\$(?=[$(])")
_LONGEST_DOCKER_VALUE = 60_000  # bytes; Docker reads lines of 64 KiB at most, with the name
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class GrammarError(ValueError):
    """A grammar cannot hold a string. The message is the reason, as the end of a sentence."""


def assignments(env: Mapping[str, str], target: str, write: Callable[[str, str], str]) -> str:
    """Write each variable with ``write(name, value)``, a line each. Raises UsageError if the target cannot hold one."""
    return "".join(_assignment(name, value, target, write) + "\n" for name, value in env.items())


def variables(env: Mapping[str, str], target: str, write: Callable[[str], str] = str) -> dict[str, str]:
    """Return the variables with ``write`` applied to the values. Raises UsageError if the target cannot hold one."""
    return {name: _assignment(name, value, target, lambda _, held: write(held)) for name, value in env.items()}


def require_names(names: Iterable[str], target: str) -> None:
    """Raise UsageError if the target cannot hold a variable of one of these names, whatever its value."""
    for name in names:
        if not _VARIABLE_NAME.fullmatch(name):
            raise UsageError(f'{target} cannot hold a variable called "{name}"', "rename it in the env file")


def _assignment(name: str, value: str, target: str, write: Callable[[str, str], str]) -> str:
    require_names((name,), target)
    try:
        return write(name, checked(value))
    except GrammarError as error:
        raise UsageError(f"{target} cannot hold the value of {name}: {error}", "change it in the env file") from None


def escaped(value: str, target: str, what: str, write: Callable[[str], str]) -> str:
    """Write a string other than a variable, such as a command. Raises UsageError if the target cannot hold it.

    ``what`` is the name of the string in the message.
    """
    try:
        return write(checked(value))
    except GrammarError as error:
        raise UsageError(f"{target} cannot hold {what}: {error}") from None


def checked(value: str) -> str:
    """Return ``value`` unchanged. Raises GrammarError for a NUL or invalid UTF-8, which no grammar can hold."""
    if "\0" in value:
        raise GrammarError("it contains a NUL byte")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise GrammarError("it is not UTF-8")
    return value


def one_line(value: str) -> str:
    """Return ``value`` unchanged if it can be the rest of a line: no control characters, no whitespace at its ends."""
    if _CONTROL.search(value):
        raise GrammarError("it contains a control character")
    if value != value.strip():
        raise GrammarError("it begins or ends with whitespace")
    return value


# The shell -----------------------------------------------------------------------------------------------------------


def sh(value: str) -> str:
    """Write a word of POSIX sh."""
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "'\\''") + "'"


# systemd -------------------------------------------------------------------------------------------------------------


def systemd_word(value: str) -> str:
    r"""Write a quoted word of a command line (systemd.service(5)), escaping ``\ " % $`` and control characters."""
    held = _backslashed(_without_noncharacters(value), '\\"')
    return '"' + _CONTROL.sub(_c_escape, held).replace("%", "%%").replace("$", "$$") + '"'


def systemd_lines(value: str) -> str:
    r"""Write a quoted word of several lines: each ends with ``\n``, and the line is continued (systemd.syntax(7))."""
    lines = [systemd_word(line)[1:-1] for line in value.split("\n")]
    return '"' + "\\n\\\n".join(lines) + '"'


def systemd_path(value: str) -> str:
    """Write a path as the rest of a line, literal except for ``%`` (systemd.unit(5), SPECIFIERS)."""
    if value.endswith("\\"):
        raise GrammarError("it ends with a backslash")
    return one_line(_without_noncharacters(value)).replace("%", "%%")


def systemd_environment(value: str) -> str:
    r"""Write a value of an environment file (systemd.exec(5), EnvironmentFile=): only ``\ " $ ``` need escapes."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _backslashed(_without_noncharacters(value), '\\"$`') + '"'


def _without_noncharacters(value: str) -> str:
    """Return ``value`` unchanged. systemd refuses a whole file because of one noncharacter of Unicode."""
    if any("\ufdd0" <= character <= "\ufdef" or ord(character) & 0xFFFE == 0xFFFE for character in value):
        raise GrammarError("it contains a noncharacter of Unicode")
    return value


def _backslashed(value: str, characters: str) -> str:
    return "".join("\\" + character if character in characters else character for character in value)


def _c_escape(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\t": "\\t"}.get(found[0], f"\\x{ord(found[0]):02x}")


# Containers ----------------------------------------------------------------------------------------------------------


class Plain(str):
    """A string to write without quotes, such as a name. The emitter still quotes it if YAML could misread it."""

    __slots__ = ()


class Block(str):
    """A string of several lines, to write as they are. It ends with a newline."""

    __slots__ = ()


class Alias(str):
    """The name of a value that has an anchor: it is written once, and used in several places."""

    __slots__ = ()


def yaml_lines(data: Mapping[str, Yaml]) -> Iterator[str]:
    """Yield the lines of a block mapping, for YAML 1.1 and 1.2 alike.

    A list gets a line per entry, a tuple of scalars a single line. A key whose value is None becomes a comment.
    """
    for key, value in data.items():
        if value is None:
            yield f"# {key}"
        elif isinstance(value, Mapping):
            yield f"{_yaml_plain(key)}:"
            yield from (f"  {line}" for line in yaml_lines(value))
        elif isinstance(value, list):
            yield f"{_yaml_plain(key)}:"
            yield from (f"  {line}" for entry in value for line in _yaml_entry(entry))
        elif isinstance(value, Block):
            yield f"{_yaml_plain(key)}: |"
            yield from _block_lines(value)
        else:
            yield f"{_yaml_plain(key)}: {_yaml_flow(value)}"


def _yaml_entry(entry: Yaml) -> Iterator[str]:
    if isinstance(entry, Block):
        yield "- |"
        yield from _block_lines(entry)
        return
    first, *others = yaml_lines(entry) if isinstance(entry, Mapping) else (_yaml_flow(entry),)
    yield f"- {first}"
    yield from (f"  {line}" for line in others)


def _block_lines(value: str) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in value.splitlines())


def _yaml_flow(value: Yaml) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml_flow, value))}]"
    if isinstance(value, Alias):
        return f"*{value}"
    if isinstance(value, Plain):
        return _yaml_plain(value)
    return yaml(value) if isinstance(value, str) else str(value).lower()


def _yaml_plain(value: str) -> str:
    return value if _YAML_PLAIN.fullmatch(value) and value.lower() not in _YAML_RESERVED else yaml(value)


def yaml(value: str) -> str:
    """Write a double-quoted YAML scalar on one line."""
    return '"' + "".join(_yaml_character(character) for character in value) + '"'


def _yaml_character(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    if character in "\n\t":
        return {"\n": "\\n", "\t": "\\t"}[character]
    if character.isprintable() and not "\ufdd0" <= character <= "\ufdef":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def no_expansion(value: str) -> str:
    """Double ``$``, so that Compose does not expand variables."""
    return type(value)(value.replace("$", "$$"))


def kubelet(value: str) -> str:
    """Double ``$`` before ``(`` and ``$``, so that Kubernetes expands nothing in ``command`` and ``env``."""
    return type(value)(_KUBELET.sub("$$", value))


def swarm(value: str) -> str:
    """Do the same where Swarm also expands Go templates, as in ``environment``: ``{{`` becomes ``{{"{{"}}``."""
    return no_expansion(value.replace("{{", '{{"{{"}}'))


def docker_line(value: str) -> str:
    """Write the rest of a line of an env file that Compose (as dotenv) and Docker (literally) read the same way."""
    if _same_for_both(value):
        return value
    raise GrammarError("Compose and Docker read it differently")


def podman_line(value: str) -> str:
    """Write the rest of a line of an env file of Podman, which takes it literally."""
    if "\n" in value or "\r" in value:
        raise GrammarError("a line cannot hold a newline")
    return value


def _same_for_both(value: str) -> bool:
    ordinary = value.isprintable() and value == value.strip() and len(value.encode()) < _LONGEST_DOCKER_VALUE
    return ordinary and not any(odd in value for odd in ("$", "#", "\\", "{{", "'", '"', "`"))


def hcl(value: str) -> str:
    """Write a quoted template of HCL 2, with ``${`` and ``%{`` escaped."""
    escaped = "".join(_quoted_character(character) for character in value)
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'


def hcl_lines(value: str) -> str:
    """Write lines as an indented heredoc of HCL 2; as a quoted template if they have unusual characters."""
    printable = all(character.isprintable() or character == "\n" for character in value)
    if not printable or not value.endswith("\n") or "END" in map(str.strip, value.split("\n")):
        return hcl(value)
    return "<<END\n" + value.replace("${", "$${").replace("%{", "%%{") + "END"


def _quoted_character(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return known.get(character) or (character if character.isprintable() else f"\\U{ord(character):08x}")


def nomad_environment(value: str) -> str:
    r"""Write a value of an env file for a template of Nomad (hashicorp/go-envparse), with JSON's escapes."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = _backslashed(value, '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return '"' + _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


# Others --------------------------------------------------------------------------------------------------------------


def supervisord(value: str) -> str:
    """Write a value of supervisord's INI file: ``%`` is doubled. It cannot hold anything that looks like a comment."""
    if re.search(r"(^|\s)[;#]", value):
        raise GrammarError("supervisord reads what follows a ; or # as a comment")
    return one_line(value).replace("%", "%%")


def toml(value: str) -> str:
    """Write a basic string of TOML, on one line."""
    return '"' + "".join(_quoted_character(character) for character in value) + '"'


def xml(value: str) -> str:
    """Write character data of XML 1.0."""
    if re.search("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]", value):
        raise GrammarError("it contains a character that XML does not allow")
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def can_hold(write: Callable[[str], str], value: str) -> bool:
    """Return whether the grammar of ``write`` can hold ``value``."""
    try:
        write(checked(value))
    except GrammarError:
        return False
    return True
