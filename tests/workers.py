"""Shares the tests out among several workers: most of them wait most of the time."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest

WORKER = Path(__file__).with_name("worker")

# One worker has all of a group, in order: they share a machine, or something else that there is once only. Any other
# test is run by whoever is free. (xdist_group, the plug-in's own mark, is not heeded with every version of pytest.)
GROUPS = {
    "bookworm": re.compile(r"engines/test_systemd\.py::.*\[bookworm\]"),
    # test_compose and test_quadlet write into the folder that the machine is made of
    "trixie": re.compile(r"engines/(test_systemd\.py::.*\[trixie\]|test_compose|test_quadlet)"),
    "swarm": re.compile(r"engines/test_swarm\.py"),
    # a limit of processes counts all those of the user
    "nobody": re.compile(r"faults/test_scarcity\.py::.*(without_processes|process_table)"),
}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Groups first, since they take longest; then the rest, one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for group, pattern in GROUPS.items() if pattern.search(nodeid)), nodeid)


def share_out(config: pytest.Config) -> None:
    """Have pytest-xdist begin its workers, each alone in a PID namespace.

    Without these namespaces (another system than Linux, another user than root) the tests run one after the other: some
    kill the whole of a procman, and what that leaves for a moment is news to every other one of the same user. A test
    file by itself is not worth the workers' start. Whoever asks for something himself (-n 0, --tx, --pdb) gets that.
    """
    if hasattr(config, "workerinput"):  # this is such a worker
        return
    option = config.option
    asked = option.numprocesses is not None or option.tx or option.usepdb or option.collectonly
    if asked or not any(os.path.isdir(word) for word in config.args) or not _can_be_alone():
        return
    option.dist = "loadscope"
    option.tx = [f"popen//python={shlex.join([str(WORKER), sys.executable])}"] * count()


def count() -> int:
    """How many: two for each processor."""
    return 2 * len(os.sched_getaffinity(0))


def _can_be_alone() -> bool:
    if sys.platform != "linux":
        return False
    return subprocess.run([WORKER, "true"], capture_output=True, check=False).returncode == 0
