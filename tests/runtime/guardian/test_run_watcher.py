"""The watcher of `procman run`: it keeps nothing open, and kills the command with all that descends from it."""

from __future__ import annotations

import os

from procman.runtime.guardian import run_watcher
from procman.runtime.guardian.run_watcher import RunWatcher, end_tree
from runtime.fakes import Kernel, Process, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest


def test_a_tree_is_stopped_before_it_is_killed(kernel: Kernel) -> None:
    root = Process(kernel, 1, "root", {})
    child = root.fork()
    grandchild = child.fork(own_session=True)
    other = Process(kernel, 1, "other", {})
    end_tree(root.pid)
    for one in (root, child, grandchild):
        assert signal_names(one.got) == ["STOP", "KILL"]
    assert other.got == []


def test_as_pid_1_a_run_needs_no_watcher(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with RunWatcher(7) as watcher:
        assert watcher.watcher == 0


def test_the_watcher_keeps_only_its_own_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "closerange", lambda low, high: closed.append((low, high)))
    run_watcher._close_all_but({9, 5})
    assert closed == [(0, 5), (6, 9), (10, run_watcher.MAX_DESCRIPTORS)]
    closed.clear()
    run_watcher._close_all_but({-1, 5})
    assert closed[-2:] == [(0, 5), (6, run_watcher.MAX_DESCRIPTORS)]


def test_a_process_has_ended_when_its_descriptor_is_readable() -> None:
    reader, writer = os.pipe()
    assert not run_watcher._has_ended(-1)
    assert not run_watcher._has_ended(reader)
    os.close(writer)
    assert run_watcher._has_ended(reader)
    os.close(reader)
