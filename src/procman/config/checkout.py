"""Finds out which checkout a project is in, from the files of git: its name, and whether it is a linked worktree.

git is not run. See gitrepository-layout(5): ``.git`` is a folder, or a file that names one. That of a linked worktree
has a file ``commondir``; that of a submodule is in the folder ``modules`` of another repository.
"""

from __future__ import annotations

import os

from procman.config.reading import belongs_to, open_flags, trusted_owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from procman.core.model.settings import Settings

MAX_NAME = 40  # characters; PostgreSQL has 63 for a whole name, and an application puts something before ours
_MAX_TEXT = 4096  # bytes of a file of git that are read
_BRANCH = "refs/heads/"
_NO_BRANCH = ".invalid"  # in HEAD, if the references are in another format (git-refs, reftable)
# Where the name of the branch is; the others are there during a rebase, when HEAD is detached.
_HEADS = ("HEAD", "rebase-merge/head-name", "rebase-apply/head-name")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
_PLAIN = _LETTERS | frozenset("0123456789_")
_SEPARATORS = frozenset("/.-")


class Checkout:
    """A checkout: its top folder, its name as it is, and whether it is a linked worktree."""

    __slots__ = ("folder", "is_linked", "name")

    def __init__(self, folder: str, name: str, is_linked: bool = False) -> None:
        self.folder = folder
        self.name = name
        self.is_linked = is_linked


def placed_at(root: str, settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with what the checkout decides that a folder is in. It is without symbolic links."""
    checkout = find_checkout(root, environ)
    placed = settings.but()
    placed.checkout = slug(checkout.name)
    if checkout.is_linked and settings.port_offset is None and not settings.no_port and not settings.isolated:
        from procman.config.worktree_slots import slot_of

        placed.slot, warning = slot_of(checkout.folder, settings.port, environ)
        placed.notes += (warning,) if warning else ()
    return placed


def find_checkout(folder: str, environ: Mapping[str, str]) -> Checkout:
    """Return the checkout that a folder is in; outside of any, the folder itself.

    A submodule is part of the checkout that it is in. The user's home is not searched for what is below it: some keep
    it in a repository. Files of git count only if one of the trusted owners has them, since all may write to /tmp.
    ``folder`` is without symbolic links.
    """
    owners = trusted_owners(folder)
    home = os.path.realpath(environ["HOME"]) if environ.get("HOME") else ""
    here, inner = folder, None
    while True:
        git_dir = _git_dir(here, owners)
        if git_dir:
            is_linked = os.path.isfile(f"{git_dir}/commondir")
            found = Checkout(here, _branch(git_dir) or os.path.basename(here), is_linked)
            if is_linked or "/modules/" not in git_dir:
                return found
            inner = inner or found
        here = os.path.dirname(here)
        if here in (home, "/"):
            return inner or Checkout(folder, os.path.basename(folder))


def _git_dir(folder: str, owners: Collection[int]) -> str:
    """Return the folder with the administrative files of the checkout whose top this is; empty if it is none."""
    path = f"{folder}/.git"
    if not belongs_to(owners, path):
        return ""
    if os.path.isdir(path):
        return path if os.path.lexists(f"{path}/HEAD") else ""
    text = _text(path)
    if not text.startswith("gitdir:"):
        return ""
    git_dir = os.path.normpath(os.path.join(folder, text.removeprefix("gitdir:").strip()))
    # A copy of a worktree, in a container for example, names a folder that is not there.
    return git_dir if os.path.isdir(git_dir) and belongs_to(owners, git_dir) else ""


def _branch(git_dir: str) -> str:
    for name in _HEADS:
        reference = _text(f"{git_dir}/{name}").removeprefix("ref:").strip()
        branch = reference.removeprefix(_BRANCH)
        if branch not in (reference, "", _NO_BRANCH):
            return branch
    return ""


def _text(path: str) -> str:
    """Return the beginning of a file; empty if it cannot be read. A pipe does not block."""
    try:
        fd = os.open(path, os.O_RDONLY | open_flags("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC"))
    except (OSError, ValueError):
        return ""
    try:
        return os.fsdecode(os.read(fd, _MAX_TEXT))
    except OSError:
        return ""
    finally:
        os.close(fd)


def slug(name: str) -> str:
    """Return a name in a-z, 0-9 and _ that begins with a letter, for databases and the like.

    Where more is lost than capitals and separators, a checksum keeps different names different.
    """
    plain = "".join(char if char in _PLAIN else "_" for char in name.lower())
    if not plain or plain[0] not in _LETTERS:
        plain = f"c_{plain}"
    if len(plain) <= MAX_NAME and set(name.lower()) <= _PLAIN | _SEPARATORS:
        return plain
    from zlib import crc32

    return f"{plain[: MAX_NAME - 9]}_{crc32(os.fsencode(name)):08x}"
