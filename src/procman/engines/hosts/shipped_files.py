"""Which files of the folder a deployment ships: what git lists, or all that .dockerignore leaves."""

from __future__ import annotations

import posixpath
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

GIT_LIST = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
GIT_DELETED = ("git", "ls-files", "-z", "--deleted")
FIND = (
    *("find", ".", "(", "-name", ".git", "-o", "-name", ".hg", "-o", "-name", ".svn", "-o", "-name", "__pycache__"),
    *(")", "-prune", "-o", "(", "-type", "f", "-o", "-type", "l", ")", "-print0"),
)
# The prefix keeps a name that begins with a hyphen from being an option.
TAR = ("tar", "-c", "-z", "-f", "-", "--null", "-T", "-")


def names(output: bytes) -> list[bytes]:
    """Return the names in a list that git or find has written, without those of secret files."""
    found = (name.removeprefix(b"./") for name in output.split(b"\0") if name)
    return list(dict.fromkeys(found))


def without_secrets(found: Iterable[bytes], env_files: Collection[str]) -> list[bytes]:
    """Return the names without env files: their values go to files that only the service manager reads."""
    secret = {posixpath.normpath(path).encode() for path in (".env", *env_files)}
    return [name for name in found if name not in secret]


def tar_input(found: Iterable[bytes]) -> bytes:
    """Return what ``TAR`` reads: the names, each with a prefix."""
    return b"".join(b"./" + name + b"\0" for name in found)


class Ignored:
    """The patterns of a .dockerignore: the last one that matches a file, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = (line.strip() for line in text.splitlines())
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def __contains__(self, name: bytes) -> bool:
        path = name.decode("utf-8", "surrogateescape")
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        ignored = False
        for pattern, ignores in self._rules:
            if any(pattern.fullmatch(one) for one in above):
                ignored = ignores
        return ignored


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    ignores = not line.startswith("!")
    pattern = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
    return re.compile(_expression(pattern), re.DOTALL), ignores


_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|\\?.", re.DOTALL)
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _expression(pattern: str) -> str:
    """Translate a pattern of Docker's, which is that of Go's filepath.Match, and ``**``."""
    parts = []
    for token in _TOKENS.findall(pattern):
        if token in _WILD:
            parts.append(_WILD[token])
        elif token.startswith("[") and len(token) > 1:
            parts.append(token)
        else:
            parts.append(re.escape(token.removeprefix("\\") or "\\"))
    return "".join(parts)
