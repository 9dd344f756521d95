"""The thread that looks at the disk. It touches nothing of the session but what it is given."""

from __future__ import annotations

import errno
import os
import sys

from procman.runtime.health.globs import Globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from watchfiles._rust_notify import RustNotify

    Root = tuple[str, tuple[str, ...]]  # a folder, and the patterns of the files in it
    Batch = tuple[set[tuple[int, str]], list[str]]  # changes, and new folders

STEP_MS = 50  # a batch ends when nothing has changed for this time
TIMEOUT_MS = 5000
ADDED, DELETED = 1, 3  # watchfiles.Change
MAX_FOUND = 10_000  # files of new folders
IN_MODIFY = 2  # inotify(7)
LIMIT_REACHED = (
    "not all folders are watched: the system's limit of inotify watches is reached "
    "(sysctl fs.inotify.max_user_watches shows it)"
)


def changes(roots: Iterable[Root], debounce: int, complain: Callable[[str], None]) -> Iterator[list[str]]:
    """Yield the changed paths, batch by batch. ``complain`` is called once if some folders cannot be watched.

    A root is a folder with the patterns of the files in it. A folder that is new, or was moved here, is looked through:
    its first files may be older than the kernel's watch.
    """
    import watchfiles

    globs = [Globs(folder, patterns) for folder, patterns in roots]
    batches = _batches_by_folder if _has_watch_for_each_folder() else _batches_by_tree
    is_worth_it = watchfiles.DefaultFilter(ignore_dirs=())  # the folders are a matter of the patterns
    for batch, new in batches(globs, debounce, complain):
        paths = {path for change, path in batch if is_worth_it(watchfiles.Change(change), path)}
        paths.update(_files_in(new))
        if paths:
            yield sorted(paths)


def _has_watch_for_each_folder() -> bool:
    """Return whether a watch is of one folder, as inotify(7) has it. FSEvents and polling take whole trees.

    These are the reasons for which watchfiles polls: its variable, and WSL.
    """
    polls = os.environ.get("WATCHFILES_FORCE_POLLING") or "microsoft" in os.uname().release.lower()
    return sys.platform == "linux" and not polls


def _batches_by_tree(globs: list[Globs], debounce: int, complain: Callable[[str], None]) -> Iterator[Batch]:
    import watchfiles

    complained = False
    tops = topmost(one.folder for one in globs)
    for batch in watchfiles.watch(
        *tops,
        watch_filter=None,
        debounce=debounce,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    ):
        if not complained and limit_is_reached():
            complained = True
            complain(LIMIT_REACHED)
        new = [path for change, path in batch if change == ADDED and os.path.isdir(path)]
        yield {(int(change), path) for change, path in batch}, [one for top in new for one in folders_in(globs, top)]


def _batches_by_folder(globs: list[Globs], debounce: int, complain: Callable[[str], None]) -> Iterator[Batch]:
    """Watch only the folders in which something can match, each by itself: a big ``node_modules`` takes no watch."""
    folders, tops_of_globs = _Folders(complain), _Tops(globs)
    watcher = folders.watch(folders_in(globs))
    while True:
        found = watcher.watch(debounce, STEP_MS, TIMEOUT_MS, None)
        # Else it is "timeout"; "signal" and "stop" do not come in a thread without an event.
        batch = set() if isinstance(found, str) else found
        tops = [path for change, path in batch if change == ADDED and os.path.isdir(path)]
        tops += tops_of_globs.replaced(batch)
        new = [folder for top in tops for folder in folders_in(globs, top)]
        if new:
            old, watcher = watcher, folders.watch(new)  # both watch for a moment, so that no change is missed
            more = old.watch(1, 1, 1, None)
            old.close()
            batch = {*batch, *more} if not isinstance(more, str) else batch
        if batch or new:
            yield batch, new


class _Tops:
    """The folders of the patterns. No watch of the kernel follows one that is removed and made again, as by git."""

    def __init__(self, globs: list[Globs]) -> None:
        self._places = {one.folder: _place(one.folder) for one in globs}
        self._gone: set[str] = set()

    def replaced(self, batch: Iterable[tuple[int, str]]) -> list[str]:
        """Return those that are other folders than before: they have come back, or are links that lead elsewhere now.

        One that comes back may have the inode number that it had, so its removal counts, too.
        """
        self._gone.update(path for change, path in batch if change == DELETED and path in self._places)
        now = {folder: _place(folder) for folder in self._places}
        found = [one for one, place in now.items() if place and (one in self._gone or place != self._places[one])]
        self._places.update((folder, now[folder]) for folder in found)
        self._gone.difference_update(found)
        return found


def _place(folder: str) -> tuple[int, int] | None:
    """Return what the system identifies a folder by, or None if there is no such folder."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class _Folders:
    """The folders that are watched, as many as the system's limit allows; those nearest to the top go first."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._folders: dict[str, None] = {}
        self._complain: Callable[[str], None] | None = complain

    def watch(self, more: Iterable[str]) -> RustNotify:
        """Return a watcher of all folders so far that still exist, and of ``more``."""
        from watchfiles._rust_notify import RustNotify  # `watchfiles.watch` cannot overlap with another one

        self._folders.update(dict.fromkeys(more))
        watcher = None
        while watcher is None:
            self._folders = {folder: None for folder in self._folders if os.path.isdir(folder)}
            try:
                watcher = RustNotify(list(self._folders), False, False, 0, False, True)
            except FileNotFoundError:
                continue  # a folder was removed in this moment
        if self._complain is not None and limit_is_reached():
            self._complain(LIMIT_REACHED)
            self._complain = None
        return watcher


def folders_in(globs: Iterable[Globs], top: str = "") -> list[str]:
    """Return the folders whose files may match, from ``top`` down; by default from all folders with patterns."""
    found = {
        folder: None for one in globs if not top or one.may_match_in(top) for folder in one.folders(top or one.folder)
    }
    return sorted(found, key=lambda folder: folder.count("/"))


def _files_in(folders: Iterable[str]) -> Iterator[str]:
    left = MAX_FOUND
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                files = [entry.path for entry in entries if not entry.is_dir()]
        except OSError:
            continue
        yield from files[:left]
        left -= len(files)
        if left <= 0:
            return


def topmost(folders: Iterable[str]) -> list[str]:
    """Return the folders without those that are inside of another one."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not any(folder.startswith(other.rstrip("/") + "/") for other in kept):
            kept.append(folder)
    return kept


def limit_is_reached() -> bool:
    """Return whether the kernel refuses one more watch. watchfiles says nothing about the folders that it misses."""
    if sys.platform != "linux":
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0:
        return False  # the limit of instances: watchfiles has its own already
    try:
        return bool(libc.inotify_add_watch(fd, b"/", IN_MODIFY) < 0 and ctypes.get_errno() == errno.ENOSPC)
    finally:
        os.close(fd)
