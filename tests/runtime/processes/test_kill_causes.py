"""What a SIGKILL came from, by the counts of the kernel."""

from __future__ import annotations

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
