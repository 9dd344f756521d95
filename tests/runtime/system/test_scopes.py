"""The request for a scope of systemd."""

from __future__ import annotations

import shlex

import pytest

from procman.runtime.system.scopes import manager, request

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
