"""Shares the tests out among several workers: most of them wait most of the time."""

from __future__ import annotations

import functools
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

# One worker runs all tests of a group, in order: they share a machine, or something else that exists only once. Any
# other test is run by the next free worker. (xdist_group, the plug-in's own mark, fails with some versions of pytest.)
GROUPS = {
    "bookworm": re.compile(r"engines/test_systemd\.py::.*\[bookworm\]"),
    # test_compose and test_quadlet write into the folder that the machine is made of
    "trixie": re.compile(r"engines/(test_systemd\.py::.*\[trixie\]|test_compose|test_quadlet)"),
    "swarm": re.compile(r"engines/test_swarm\.py"),
    "lost node": re.compile(r"engines/live/test_swarm_live\.py"),  # the last test takes a node away
    "compose": re.compile(r"engines/live/test_(compose|example)_live\.py"),
    "ssh": re.compile(r"engines/live/test_systemd_live\.py"),
    # what is built once, for all tests of a file
    "deb": re.compile(r"test_debian_package\.py"),
    "pyz": re.compile(r"test_one_file\.py"),
    "site": re.compile(r"tests/test_site\.py"),
    # a limit of processes counts all those of the user
    "nobody": re.compile(r"faults/test_scarcity\.py::.*(without_processes|process_table)"),
    # most of those marked "alone": one worker waits for the others, not each of them
    "alone": re.compile(r"faults/test_(leftovers|killed_from_outside)\.py"),
}

# Their tests are run one by one. Elsewhere one worker runs all tests of a file: they are short, and a unit has a cost.
LONG_FOLDERS = re.compile(r"tests/(e2e/|faults/|export/engines/|engines/live/|cli/windows/|test_)")

# What takes longest begins first, so that short tests are left to fill up the end.
LONGEST = re.compile(
    r"test_guides\.py|test_packaging\.py.*pre_commit|test_(control_flood|deploy_to_kubernetes|cgroup_v2|reader)\.py"
    r"|test_examples\.py.*twisted|test_ci_page\.py|test_up\.py.*descriptors|test_(completion|simulation|pytest_plugin)\.py"
)

# Seconds that the tests of a folder take one after the other, measured on two processors; without the engines of root.
SECONDS = {"cli": 27, "config": 1, "core": 8, "e2e": 165, "export": 40, "faults": 110, "output": 9, "runtime": 5}
COLLECTION = 10  # seconds to start the workers and to collect the tests


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """A unit of work is a group, a file of short tests, or a test."""

    def _split_scope(self, nodeid: str) -> str:
        whole = nodeid if LONG_FOLDERS.match(nodeid) else nodeid.partition("::")[0]
        return _group(nodeid) or whole


def _group(nodeid: str) -> str:
    return next((group for group, pattern in GROUPS.items() if pattern.search(nodeid)), "")


def put_in_order(items: list[pytest.Item]) -> None:
    """Sort the tests: groups, the longest, those of folders with long tests, then the others; each as in its file."""

    def place(item: pytest.Item) -> tuple[bool, bool, bool, str]:
        nodeid = item.nodeid
        return not _group(nodeid), not LONGEST.search(nodeid), not LONG_FOLDERS.match(nodeid), nodeid.partition("::")[0]

    items.sort(key=place)


def spread(config: pytest.Config) -> None:
    """Let each worker collect the files from another one on, and keep what pytest makes of their asserts.

    That takes most of the time of the collection. At first each worker does a share of it, and finds the rest done.
    """
    sys.dont_write_bytecode = False
    if not is_worker(config) or config.option.ignore_glob:
        return
    files = list(dict.fromkeys(file for word in config.args for file in _files(config, word)))
    own = config.workerinput  # type: ignore[attr-defined]  # of xdist
    first = len(files) * int(own["workerid"].removeprefix("gw")) // int(own["workercount"])
    config.args = [*files[first:], *files[:first]]


def _files(config: pytest.Config, word: str) -> list[str]:
    ignored = [Path(name).resolve() for name in config.option.ignore or ()]
    if not os.path.isdir(word):
        return [word if "::" in word else os.path.realpath(word)]
    files = sorted(path.resolve() for path in Path(word).rglob("test_*.py"))
    return [str(file) for file in files if not any(file.is_relative_to(folder) for folder in ignored)]


def share_out(config: pytest.Config) -> None:
    """Have pytest-xdist start its workers, each in a PID namespace of its own where the system allows that.

    Without namespaces (macOS, some containers) the workers see each other's processes, and `harness.Neighborhood` keeps
    apart the tests that would notice. A single test file is not worth the workers' start, and an explicit choice
    (-n 0, --tx, --pdb) is respected.
    """
    if is_worker(config) or is_explicit(config) or not is_large(config):
        return
    config.option.dist = "loadscope"
    config.option.loadscopereorder = False  # the order is that of `put_in_order`
    config.option.tx = [f"popen//python={shlex.join(_interpreter())}"] * count()


def is_worker(config: pytest.Config) -> bool:
    """Whether this is one of the workers."""
    return hasattr(config, "workerinput")


def is_explicit(config: pytest.Config) -> bool:
    """Whether the command line says how the tests are to be run."""
    option = config.option
    return bool(option.numprocesses is not None or option.tx or option.usepdb or option.collectonly)


def is_large(config: pytest.Config) -> bool:
    """Whether a whole folder is tested."""
    return bool(_folders(config))


def estimate(config: pytest.Config) -> str:
    """Return roughly how long the tests will take, and how they are run; empty for single files."""
    if is_worker(config) or not is_large(config):
        return ""
    at_once = len(config.option.tx) or int(config.option.numprocesses or 1)
    tests = WORKER.parent
    chosen = [Path(word).resolve() for word in _folders(config)]
    seconds = sum(value for name, value in SECONDS.items() if any(_meet(tests / name, folder) for folder in chosen))
    minutes = (seconds / at_once + COLLECTION) / 60
    length = f"{minutes:.0f} minutes" if minutes >= 1.5 else "a minute"
    real = (tests / "export" / "engines", tests / "engines" / "live")
    engines = os.geteuid() == 0 and any(_meet(one, folder) for one in real for folder in chosen)
    more = ", and minutes more for Docker and systemd, where they are installed" if engines else ""
    return f"about {length}{more} ({at_once} at a time, {processors()} processors)"


def _meet(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _folders(config: pytest.Config) -> list[str]:
    return [word for word in config.args if os.path.isdir(word)]


def count() -> int:
    """The number of workers: two for each processor."""
    return 2 * processors()


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _interpreter() -> list[str]:
    return [str(WORKER), sys.executable] if has_namespaces() else [sys.executable]


@functools.cache
def has_namespaces() -> bool:
    """Whether the system lets this user create PID namespaces."""
    if sys.platform != "linux":
        return False
    return subprocess.run([WORKER, "true"], capture_output=True, check=False).returncode == 0
