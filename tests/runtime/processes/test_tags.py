"""The tag of an instance on all that it starts."""

from __future__ import annotations

from procman.runtime.processes import tags as tags_module
from procman.runtime.processes.tags import NUMBERS_PER_SESSION, Tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest


class Limits:
    """Processes with their limits and environments, all gone once they are looked up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.applied: list[int] = []
        self.locks: dict[int, int] = {}
        self.environ: dict[int, bytes] = {}
        monkeypatch.setattr(tags_module, "_limit_locks", self.applied.append)
        monkeypatch.setattr(tags_module, "_locks_of", lambda pid: self.locks.pop(pid, -1))
        monkeypatch.setattr(tags_module, "environ_of", lambda pid: self.environ.pop(pid, b""))


def test_each_instance_has_a_number_and_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, tags = Limits(monkeypatch), Tags("s1")
    for name in ("web.1", "db.1", "web.1"):
        tags.apply(name)
    first, second, again = limits.applied
    assert first == again != second
    limits.locks = {7: first, 8: second, 9: second + 1}
    assert [tags.owner_of(pid) for pid in (7, 8, 9)] == ["web.1", "db.1", None]


def test_an_owner_is_looked_up_once_until_its_number_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, tags = Limits(monkeypatch), Tags("s1")
    tags.apply("web.1")
    limits.locks = {7: limits.applied[0]}
    assert tags.owner_of(7) == tags.owner_of(7) == "web.1"
    tags.forget(7)
    assert tags.owner_of(7) is None


def test_the_environment_counts_only_if_it_is_of_this_session(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, tags = Limits(monkeypatch), Tags("s1")
    limits.environ = {
        7: b"A=1\0PROCMAN_INSTANCE=web.1\0PROCMAN_SESSION=s1\0",
        8: b"PROCMAN_INSTANCE=web.1\0PROCMAN_SESSION=s2\0",
        9: b"PROCMAN_SESSION=s1\0",
    }
    assert [tags.owner_of(pid) for pid in (7, 8, 9)] == ["web.1", None, None]


def test_the_numbers_of_sessions_are_far_apart_and_fit_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch)
    for chosen in (b"\0" * 4 + b"\1", b"\xff" * 5):
        monkeypatch.setattr("os.urandom", lambda size, chosen=chosen: chosen if size == 5 else b"\xff" * size)
        Tags("s1").apply("web.1")
    assert limits.applied == [NUMBERS_PER_SESSION, (2**40 - 1) * NUMBERS_PER_SESSION]
    assert limits.applied[1] + NUMBERS_PER_SESSION < 2**63


def test_what_is_gone_or_cannot_be_seen_has_no_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr("resource.prlimit", fail)
    assert tags_module._locks_of(7) == -1
    monkeypatch.delattr("resource.prlimit")
    assert tags_module._locks_of(7) == -1
