"""The control groups of one machine. In those of their parent, two systemds would manage each other's processes: both
have a ``payload/shop.slice``, wait until it is empty, and kill whatever is in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ENTER = 'while [ "$1" != -- ]; do echo 0 >"$1"; shift; done; shift; exec "$@"'


class ControlGroups:
    """A group in each hierarchy that systemd uses for its processes: the unified one, and systemd's own if it exists.

    The hierarchies are mounted below ``folder``, since not every host has them mounted. If that is not possible, the
    machine stays in the groups of its parent.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._groups: list[Path] = []
        self._mounts: list[Path] = []
        for number, (path, words) in enumerate(_hierarchies()):
            target = folder / f"{name}-cgroup{number}"
            target.mkdir()
            if subprocess.run(["mount", *words, str(target)], capture_output=True, check=False).returncode == 0:
                self._mounts.append(target)
                group = target / path.strip("/") / name
                group.mkdir()
                self._groups.append(group)

    def within(self, argv: list[str]) -> list[str]:
        """Return the command that enters the groups and then executes ``argv``."""
        return ["sh", "-c", ENTER, "sh", *(f"{group}/cgroup.procs" for group in self._groups), "--", *argv]

    def remove(self) -> None:
        """Remove the mounts, and the groups that are empty."""
        for group in self._groups:
            for folder in sorted((group, *group.glob("**/")), reverse=True):
                try:
                    folder.rmdir()
                except OSError:
                    pass  # it still has processes, or is gone
        for mount in self._mounts:
            subprocess.run(["umount", "--lazy", str(mount)], check=True)
            mount.rmdir()


def _hierarchies() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Return our group in each hierarchy, and how the hierarchy is mounted: cgroups(7)."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield path, ("-t", "cgroup2", "cgroup2")
        elif controllers == "name=systemd":
            yield path, ("-t", "cgroup", "-o", "none,name=systemd", "cgroup")
