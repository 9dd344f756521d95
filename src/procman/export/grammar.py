"""Decides how a text is written so that a target reads it back byte for byte: one function per grammar.

Each takes any text that can be an environment value or a command, and raises GrammarError, with the reason, for what
its grammar cannot hold. Each has a property test against a reader of that grammar, and the real reader where it runs.
"""

from __future__ import annotations

import re

from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_YAML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class GrammarError(ValueError):
    """A grammar cannot hold a text; the message is the reason, as the end of a sentence."""


def assignments(
    env: Mapping[str, str],
    target: str,
    write: Callable[[str, str], str],
    names: re.Pattern[str] = SHELL_NAME,
) -> str:
    """Write each variable by ``write(name, value)``, a line each. Raises UsageError with the variable's name."""
    return "".join(_assignment(name, value, target, write, names) + "\n" for name, value in env.items())


def _assignment(name: str, value: str, target: str, write: Callable[[str, str], str], names: re.Pattern[str]) -> str:
    if not names.fullmatch(name):
        raise UsageError(f'{target} cannot hold a variable called "{name}"', "rename it in the env file")
    try:
        return write(name, held(value))
    except GrammarError as error:
        raise UsageError(f"{target} cannot hold the value of {name}: {error}", "change it in the env file") from None


def text(value: str, target: str, what: str, write: Callable[[str], str]) -> str:
    """Write a text that is no variable, such as a command. Raises UsageError that says ``what`` it is."""
    try:
        return write(held(value))
    except GrammarError as error:
        raise UsageError(f"{target} cannot hold {what}: {error}") from None


def held(value: str) -> str:
    """Return ``value`` as it is, if any grammar at all can hold it: no NUL, nothing that is not UTF-8."""
    if "\0" in value:
        raise GrammarError("it holds a NUL byte")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise GrammarError("it is not UTF-8")
    return value


def one_line(value: str) -> str:
    """Return ``value`` as it is, if it can be the rest of a line: no control characters, no blanks at its ends."""
    if _CONTROL.search(value):
        raise GrammarError("it holds a control character")
    if value != value.strip():
        raise GrammarError("it begins or ends with a blank")
    return value


# The shell -----------------------------------------------------------------------------------------------------------


def sh(value: str) -> str:
    """A word of POSIX sh."""
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("'", "'\\''") + "'"


# systemd -------------------------------------------------------------------------------------------------------------


def systemd_word(value: str) -> str:
    r"""A quoted word of a unit's command line (systemd.service(5), COMMAND LINES): ``\ " % $`` and controls."""
    return '"' + _CONTROL.sub(_c_escape, _backslashed(value, '\\"')).replace("%", "%%").replace("$", "$$") + '"'


def systemd_path(value: str) -> str:
    """A path that is the rest of a line, taken as it stands but for ``%`` (systemd.unit(5), SPECIFIERS)."""
    if value.endswith("\\"):
        raise GrammarError("it ends with a backslash")
    return one_line(value).replace("%", "%%")


def systemd_environment(value: str) -> str:
    r"""A value of an environment file (systemd.exec(5), EnvironmentFile=): ``\ " $ ```, newlines as they are."""
    return value if _PLAIN.fullmatch(value) else '"' + _backslashed(value, '\\"$`') + '"'


def _backslashed(value: str, characters: str) -> str:
    return "".join("\\" + character if character in characters else character for character in value)


def _c_escape(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\t": "\\t"}.get(found[0], f"\\x{ord(found[0]):02x}")


# Containers ----------------------------------------------------------------------------------------------------------


def yaml(value: str) -> str:
    """A double-quoted scalar of YAML 1.1 and 1.2, on one line."""
    return '"' + "".join(_yaml_character(character) for character in value) + '"'


def yaml_name(value: str) -> str:
    """A scalar of YAML without quotes where no reader can take it for anything but a text."""
    return value if _YAML_NAME.fullmatch(value) and value.lower() not in _YAML_WORDS else yaml(value)


def yaml_list(values: Iterable[str], write: Callable[[str], str]) -> str:
    """A list of texts on one line."""
    return "[" + ", ".join(write(value) for value in values) + "]"


def _yaml_character(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    if character in "\n\t":
        return {"\n": "\\n", "\t": "\\t"}[character]
    if character.isprintable() and not "\ufdd0" <= character <= "\ufdef":
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def compose(value: str) -> str:
    """A YAML scalar that Compose and ``docker stack deploy`` interpolate: ``$`` is doubled."""
    return yaml(value.replace("$", "$$"))


def swarm(value: str) -> str:
    """The same where Swarm reads a Go template besides, as in ``environment``: ``{{`` becomes ``{{"{{"}}``."""
    return compose(value.replace("{{", '{{"{{"}}'))


def docker_line(value: str) -> str:
    """The rest of a line of an env file that Compose (a dotenv) and Docker (as it stands) read alike."""
    if _same_for_both(value):
        return value
    raise GrammarError("Compose and Docker read it differently")


def _same_for_both(value: str) -> bool:
    ordinary = value.isprintable() and value == value.strip()
    return ordinary and not any(odd in value for odd in ("$", "#", "\\", "{{", "'", '"', "`"))


def kubernetes(value: str) -> str:
    """A YAML scalar in which Kubernetes expands ``$(NAME)``, as in ``command`` and ``env``: ``$`` is doubled."""
    return yaml(value.replace("$", "$$"))


def hcl(value: str) -> str:
    """A quoted template of HCL 2: no ``${`` and no ``%{`` is left."""
    escaped = "".join(_hcl_character(character) for character in value)
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'


def _hcl_character(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return known.get(character) or (character if character.isprintable() else f"\\U{ord(character):08x}")


def nomad_environment(value: str) -> str:
    r"""A value of an env file that Nomad's template reads (hashicorp/go-envparse): JSON's escapes in double quotes."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = _backslashed(value, '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return '"' + _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


# Others --------------------------------------------------------------------------------------------------------------


def supervisord(value: str) -> str:
    """A value of supervisord's INI file: ``%`` is doubled; what it would take for a comment cannot be held."""
    if re.search(r"(^|\s)[;#]", value):
        raise GrammarError("supervisord takes what follows a ; or # for a comment")
    return one_line(value).replace("%", "%%")


def xml(value: str) -> str:
    """Character data of XML 1.0."""
    if re.search("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]", value):
        raise GrammarError("XML has no such character")
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def holds(write: Callable[[str], str], value: str) -> bool:
    """Tell whether the grammar of ``write`` can hold ``value``."""
    try:
        write(held(value))
    except GrammarError:
        return False
    return True
