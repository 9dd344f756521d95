"""The thread that looks at the disk. It touches nothing of the session but what it is given."""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ADDED = 1  # watchfiles.Change.added
MAX_FOUND = 10_000  # files of new folders
IN_MODIFY = 2  # inotify(7)
LIMIT_REACHED = (
    "not all folders are watched: the system's limit of inotify watches is reached "
    "(sysctl fs.inotify.max_user_watches shows it)"
)


def changes(folders: list[str], debounce: int, complain: Callable[[str], None]) -> Iterator[list[str]]:
    """Yield the changed paths, batch by batch. ``complain`` is called once if some folders cannot be watched.

    A folder that is new, or was moved here, is looked through: its first files may be older than the kernel's watch.
    """
    import watchfiles

    complained = False
    batches = watchfiles.watch(
        *folders, debounce=debounce, raise_interrupt=False, ignore_permission_denied=True, yield_on_timeout=True
    )
    is_first = True
    for batch in batches:
        new = [path for change, path in batch if change == ADDED and os.path.isdir(path)]
        if (is_first or new) and not complained and limit_is_reached():
            complained = True
            complain(LIMIT_REACHED)
        is_first = False
        if batch:
            yield sorted({*(path for _, path in batch), *(_files_in(new) if new else ())})


def _files_in(folders: Iterable[str]) -> Iterator[str]:
    import watchfiles

    ignored = watchfiles.DefaultFilter.ignore_dirs
    left = MAX_FOUND
    for top in folders:
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if name not in ignored]
            for name in files[:left]:
                yield os.path.join(folder, name)
            left -= len(files)
            if left <= 0:
                return


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
