"""The request for a scope of systemd."""

from __future__ import annotations

import shlex
import subprocess

import pytest

import harness
from procman.runtime.system.scopes import manager, request, until_moved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("user", "place", "option"), [(1000, "user/1000", "--user"), (0, "", "--system")])
def test_a_manager_is_used_if_it_is_there(tmp_path: Path, user: int, place: str, option: str) -> None:
    assert manager({}, user, str(tmp_path)) == ""
    (tmp_path / place / "systemd").mkdir(parents=True)
    (tmp_path / place / "systemd" / "private").touch()
    assert manager({}, user, str(tmp_path)) == option


def test_a_request_names_the_processes_and_each_limit() -> None:
    words = shlex.split(request("--user", "a.scope", [7, 8], 1 << 20, 1.5, 9))
    assert words[:4] == ["busctl", "--user", "--quiet", "call"]
    assert "ssa(sv)a(sa(sv))" in words
    at = words.index("a.scope")
    assert words[at : at + 4] == ["a.scope", "fail", "6", "PIDs"]
    line = " ".join(words)
    assert "PIDs au 2 7 8" in line
    assert "MemoryMax t 1048576" in line
    assert "CPUQuotaPerSecUSec t 1500000" in line
    assert line.endswith("TasksMax t 9 0")
    assert "Max" not in request("--user", "a.scope", [7], None, 2.0, None)


def test_a_scope_is_waited_for_as_long_as_the_process_lives() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        try:
            for pid, unit in ((process.pid, ""), (1 << 22, "a.scope")):  # a group of any name; a process that is gone
                done = subprocess.run(["sh", "-c", until_moved(unit, pid)], timeout=harness.LIMIT, check=False)
                assert done.returncode == 0
        finally:
            process.kill()
