"""Which files of the folder a deployment ships: what git lists, or all that .dockerignore leaves."""

from __future__ import annotations

import io
import posixpath
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

GIT_TRACKED = ("git", "ls-files", "-z", "--cached", "--recurse-submodules")
GIT_OTHERS = ("git", "ls-files", "-z", "--others", "--exclude-standard")
GIT_DELETED = ("git", "ls-files", "-z", "--deleted")
FIND = (
    *("find", ".", "(", "-name", ".git", "-o", "-name", ".hg", "-o", "-name", ".svn", "-o", "-name", "__pycache__"),
    *(")", "-prune", "-o", "(", "-type", "f", "-o", "-type", "l", ")", "-print0"),
)
# The prefix of the names keeps one that begins with a hyphen from being an option. All folders are empty here: those of
# other repositories.
TAR = ("tar", "-c", "-z", "--no-recursion", "-f", "-", "--null", "-T", "-")
_PRIVATE = b"procman.local.toml"  # settings for this machine alone
_ENV = re.compile(rb"\.env(?:rc|\..*)?", re.DOTALL)
_SAMPLES = (b".example", b".sample", b".template", b".dist")
_SET_ID = 0o6000


def names(output: bytes) -> list[bytes]:
    """Return the names in a list that git or find has written."""
    found = (name.removeprefix(b"./") for name in output.split(b"\0") if name)
    return list(dict.fromkeys(found))


def secrets(found: Iterable[bytes], env_files: Collection[str], tracked: Collection[bytes] = ()) -> list[bytes]:
    """Return those of the names that stay here: env files, and the settings of this machine.

    The values of ``env_files`` and ``.env`` go to files that only the service manager reads. What looks like another
    env file stays here, too, unless git tracks it or its name says that it is a sample.
    """
    secret = {posixpath.normpath(path).encode() for path in (".env", *env_files)}
    return [name for name in found if name in secret or _is_private(posixpath.basename(name), name in tracked)]


def _is_private(name: bytes, is_tracked: bool) -> bool:
    if name == _PRIVATE:
        return True
    return bool(not is_tracked and _ENV.fullmatch(name) and not name.endswith(_SAMPLES))


def objection(archive: bytes, folder: str) -> str:
    """Return why an archive of the folder is not unpacked as root, as a sentence; empty if there is no reason."""
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as found:
        for one in found:
            name = one.name.removeprefix("./")
            if one.ischr() or one.isblk() or one.isfifo():
                return f"{name} is a device or a pipe"
            if one.isreg() and one.mode & _SET_ID:
                return f"{name} has the setuid or setgid bit"
            if one.issym() and _leaves(name, one.linkname, folder):
                return f"{name} is a link out of the folder: {one.linkname}"
    return ""


def _leaves(name: str, link: str, folder: str) -> bool:
    """Whether a link leads out of the folder. An absolute one means a path of the host, unless it names the folder."""
    if link.startswith("/"):
        return posixpath.commonpath([posixpath.normpath(link), folder]) == folder
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), link)).partition("/")[0] == ".."


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
