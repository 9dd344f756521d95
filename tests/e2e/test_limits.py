"""Limits of the overlay, and what is said about a process that was killed."""

from __future__ import annotations

import os
import re
import signal
import sys
import uuid
from pathlib import Path

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

EATER = """import time
print("eating", flush=True)
blocks = []
while True:
    blocks.append(bytearray(b"x" * (4 << 20)))
    time.sleep(0.005)
"""


def test_a_process_above_its_memory_is_killed_and_the_card_says_how_much_it_used(place: harness.Place) -> None:
    place.write("eat.py", EATER)
    place.procfile(f"web: {sys.executable} eat.py\nworker: sleep 1000\n")
    place.write("procman.toml", 'process.web = { memory_max = "64m", restart = "never" }\n')
    session = place.start("--exit", "failure")
    session.wait()
    card = re.search(r"FAILED: killed by (the kernel|procman): ([\d.]+) ([MG])iB of 64 MiB", session.text)
    assert card is not None, session
    assert "perhaps" not in session.text
    if card[1] == "procman":
        assert session.text.count("memory_max of web is only checked every 2 s") == 1
        assert float(card[2]) * (1024 if card[3] == "G" else 1) > 64
    session.wait_until_gone()


def test_a_process_with_too_many_processes_is_ended_as_a_whole(place: harness.Place) -> None:
    place.procfile("web: for i in 1 2 3 4 5 6; do sleep 1000 & done; echo many; wait\n")
    place.write("procman.toml", 'process.web = { pids_max = 4, restart = "never" }\n')
    session = place.start()
    session.wait()
    soft = "killed by procman: 7 processes of 4 (pids_max)" in session.text
    assert soft or "fork" in session.text.lower(), session  # the kernel refuses the fifth one
    session.wait_until_gone()


def test_within_its_limits_a_process_runs_as_always(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    place.write("procman.toml", 'process.web = { memory_max = "1g", cpu_max = 1.5, pids_max = 100 }\n')
    session = place.start()
    session.wait_for("hello")
    session.signal(signal.SIGINT)
    assert session.wait() == 130
    assert "killed" not in session.text


def test_a_kill_that_the_user_requested_is_named_as_that(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    session = place.start("--restart", "never")
    session.wait_for("hello")
    assert place.call("signal", "KILL", "web").code == 0
    session.wait_for("web.1 killed by procman signal after")
    session.wait()
    assert "memory" not in session.text


def test_a_kill_by_another_program_is_not_called_a_lack_of_memory(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    session = place.start("--restart", "never")
    session.wait_for("hello")
    found = re.search(r"web.1 started with pid (\d+)", session.text)
    assert found is not None, session
    os.kill(int(found[1]), signal.SIGKILL)
    session.wait()
    assert re.search(r"killed by SIGKILL(?: \(perhaps out of memory\))? after", session.text), session


def _memory_group() -> Path | None:
    """Return our group in the memory hierarchy of version 1."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return Path(f"/sys/fs/cgroup/memory{path}")
    return None


@pytest.fixture
def small_group(tmp_path: Path) -> Iterator[Path]:
    """A group of 80 MiB, as that of a small container."""
    own = _memory_group()
    if own is None or not os.access(own, os.W_OK):
        pytest.skip("needs the memory hierarchy of cgroup v1, and root")
    group = own / f"procman-test-{uuid.uuid4().hex}"  # workers may have the same pid, each in a namespace of its own
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(80 << 20))
    try:
        yield group
    finally:
        group.rmdir()


def test_a_kill_by_the_kernel_in_a_container_is_told_as_that(place: harness.Place, small_group: Path) -> None:
    place.write("eat.py", EATER)
    place.procfile(f"web: {sys.executable} eat.py\n")
    inside = f"exec unshare --pid --fork --mount-proc {harness.PROCMAN} start --max-restarts 1"
    session = place.session("-c", f"echo $$ > {small_group}/cgroup.procs; {inside}", program="/bin/sh")
    session.wait_for("FAILED: killed by the kernel: out of memory")
    session.wait()
    session.wait_until_gone()


def test_the_log_of_the_kernel_tells_the_first_kill_in_a_group_that_is_not_ours(
    place: harness.Place, small_group: Path
) -> None:
    if not _can_read_log():
        pytest.skip("needs the log of the kernel, and its pids")
    place.write("eat.py", EATER)
    place.procfile(f"web: {sys.executable} eat.py\n")
    inside = f"exec {harness.PROCMAN} start --max-restarts 1"
    session = place.session("-c", f"echo $$ > {small_group}/cgroup.procs; {inside}", program="/bin/sh")
    session.wait_for("FAILED: killed by the kernel: out of memory")
    session.wait()
    session.wait_until_gone()


def _can_read_log() -> bool:
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return os.stat("/proc/self/ns/pid").st_ino == 0xEFFFFFFC  # PROC_PID_INIT_INO
