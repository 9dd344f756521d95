"""Decides what an exporter hands over: files, links and warnings, as data that somebody else writes."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = 0o644
SCRIPT = 0o755
SECRET = 0o600


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export. ``path`` is relative to the folder of the export, with ``/`` between its parts.

    ``mode`` holds the permission bits; 0o600 for whatever holds values of the env files. ``link``, if not empty, makes
    it a symbolic link to that text, and ``content`` and ``mode`` say nothing.
    """

    path: str
    content: str = ""
    mode: int = PLAIN
    link: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether only the owner may read it."""
        return not self.link and not self.mode & 0o077


@dataclass(frozen=True, slots=True)
class ExportWarning:
    """One sentence for the user: what the target cannot do, or what is left for the user to decide."""

    message: str


def marker(format_name: str, app: str) -> str:
    """Return the words that every file of ours carries near its top: a later export knows its own files by them."""
    return f"Made by procman export {format_name} for {app}."


def header(format_name: str, app: str, *lines: str, sign: str = "#") -> str:
    """Return the comment that opens a file: the marker, then ``lines``; an empty line stays a lone ``sign``."""
    first = f"{marker(format_name, app)} Changes made here are lost at the next export."
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in (first, *lines))
