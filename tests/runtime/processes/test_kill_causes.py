"""What a SIGKILL came from, by the counts of the kernel."""

from __future__ import annotations

import os
import sys

import pytest

from procman.core.model.status import ExitStatus
from procman.runtime.processes import kill_causes
from procman.runtime.processes.children import Child
from procman.runtime.processes.kill_causes import OUT_OF_MEMORY, KillCauses
from procman.runtime.system import oom_kills

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def killed(cause: str = "") -> Child:
    child = Child("web.1", 7, (), None)
    child.status = ExitStatus(signal=9)
    child.cause = cause
    return child


def causes(
    monkeypatch: pytest.MonkeyPatch, before: int | None, *looks: tuple[int | None, int]
) -> list[list[str | None]]:
    """Return the causes found at each look: at the kernel's count then, and the number of children killed."""
    monkeypatch.setattr(kill_causes, "oom_kills_before", lambda: before)
    monkeypatch.setattr(kill_causes, "named_in_log", lambda _pids: set())
    found, results = KillCauses(), []
    for count, number in looks:
        monkeypatch.setattr(kill_causes, "oom_kills", lambda count=count: count)
        children = [killed() for _ in range(number)]
        found.explain(children)
        results.append([child.status.cause for child in children if child.status])
    return results


def test_a_count_of_none_proves_that_memory_was_not_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert causes(monkeypatch, None, (0, 1), (0, 2)) == [[""], ["", ""]]


def test_a_count_that_has_risen_by_as_many_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert causes(monkeypatch, None, (0, 1), (1, 1), (4, 2)) == [[""], [OUT_OF_MEMORY], [OUT_OF_MEMORY] * 2]
    assert causes(monkeypatch, 0, (1, 1)) == [[OUT_OF_MEMORY]]


def test_anything_else_remains_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert causes(monkeypatch, None, (3, 1), (3, 1), (4, 2)) == [[None], [""], [None, None]]
    assert causes(monkeypatch, None, (None, 1), (None, 1)) == [[None], [None]]


def test_what_we_have_killed_ourselves_is_never_put_down_to_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_causes, "oom_kills", lambda: 5)
    child = killed("killed by procman signal")
    KillCauses().explain([child])
    assert child.status is not None
    assert child.status.words() == "killed by procman signal"


def test_a_limit_of_its_own_is_named_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_causes, "oom_kills", lambda: 0)
    found, child = KillCauses(), killed()
    found.of_limit = lambda _name: "killed by the kernel: 1.0 GiB of 1 GiB"
    found.explain([child])
    assert child.status is not None
    assert child.status.words() == "killed by the kernel: 1.0 GiB of 1 GiB"


def test_a_process_that_the_log_of_the_kernel_names_was_killed_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_causes, "oom_kills_before", lambda: None)
    monkeypatch.setattr(kill_causes, "oom_kills", lambda: 3)
    monkeypatch.setattr(kill_causes, "named_in_log", {7}.intersection)
    named, other = killed(), killed()
    other.pid = 8
    KillCauses().explain([named, other])
    assert [child.status and child.status.cause for child in (named, other)] == [OUT_OF_MEMORY, None]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has namespaces of pids")
def test_the_log_names_exact_pids_and_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "3,76115,38236266091,-;Memory cgroup out of memory: Killed process 1428 (python3) total-vm:78076kB\n"
    (tmp_path / "log").write_text(text)
    monkeypatch.setattr(oom_kills, "_FIRST_PID_NAMESPACE", os.stat("/proc/self/ns/pid").st_ino)
    assert oom_kills.named_in_log([142, 1428, 14280], str(tmp_path / "log")) == {1428}
    assert oom_kills.named_in_log([1428], str(tmp_path / "none")) == set()
    monkeypatch.setattr(oom_kills, "_FIRST_PID_NAMESPACE", 1)
    assert oom_kills.named_in_log([1428], str(tmp_path / "log")) == set()


def test_the_log_names_the_group_that_was_at_its_limit(tmp_path: Path) -> None:
    begin = "6,900,3816,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/system.slice/"
    (tmp_path / "log").write_text(
        f"{begin}web.1-7.scope,task_memcg=/system.slice/web.1-8.scope,task=python,pid=7,uid=0\n"
    )
    assert oom_kills.reached_by_log("web.1-7.scope", str(tmp_path / "log"))
    assert not oom_kills.reached_by_log("web.1-8.scope", str(tmp_path / "log"))
    assert not oom_kills.reached_by_log("1-7.scope", str(tmp_path / "log"))
    assert not oom_kills.reached_by_log("web.1-7.scope", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        ("low 0\noom 4\noom_kill 3\n", 3),
        ("oom_kill_disable 0\nunder_oom 0\n", None),
        ("", None),
    ],
)
def test_the_count_is_read_from_files_of_both_versions(tmp_path: Path, text: str, count: int | None) -> None:
    (tmp_path / "events").write_text(text)
    assert oom_kills.counted(str(tmp_path / "events")) == count
    assert oom_kills.counted(str(tmp_path / "none")) is None
