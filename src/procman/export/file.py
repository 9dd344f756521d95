"""What an exporter yields: files, links and warnings, as data. The command writes them."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = 0o644
SCRIPT = 0o755
SECRET = 0o600


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export. ``path`` is relative to the folder of the export, with ``/`` between its parts.

    ``mode`` holds the permission bits: 0o600 for a file with values of the env files. If ``link`` is not empty, the
    file is a symbolic link to it, and ``content`` and ``mode`` are ignored.
    """

    path: str
    content: str = ""
    mode: int = PLAIN
    link: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether only the owner may read the file."""
        return not self.link and not self.mode & 0o077


@dataclass(frozen=True, slots=True)
class ExportWarning:
    """A sentence for the user: what the target cannot do, or what the user still has to decide.

    It is ``general`` if it is about the export, not about the application: it would be there for any other one, too.
    """

    message: str
    general: bool = False


def marker(format_name: str, app: str) -> str:
    """Return the line near the top of every exported file. A later export recognizes its own files by it."""
    return f"Made by procman export {format_name} for {app}."


def header(format_name: str, app: str, *lines: str, sign: str = "#") -> str:
    """Return the comment that opens a file: the marker, then ``lines``. An empty line becomes a lone ``sign``."""
    first = f"{marker(format_name, app)} Changes made here are lost at the next export."
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in (first, *lines))
