"""What holds a process, so that its checks are not acted upon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.instance import Instance
from procman.runtime.health.holds import Holds
from runtime.fakes import Kernel, Process, a_plan


def reason(
    kernel: Kernel,
    *,
    paused: bool = False,
    unfinished: bytes = b"",
    tapped: str = "",
    primary: bool = False,
    states: str = "S",
    alive: bool = True,
) -> str:
    """What is reported about an instance whose processes are in these states of /proc."""
    pids = []
    for state in states:
        pids.append(Process(kernel, 1, "serve", {}).pid)
        kernel.processes[pids[-1]].state = state
    supervisor: Any = SimpleNamespace(is_paused=lambda _instance: paused)
    hub: Any = SimpleNamespace(
        history=SimpleNamespace(unfinished=lambda _name: unfinished), taps={tapped: lambda _chunk: None}
    )
    children: Any = SimpleNamespace(of=lambda _name: object() if alive else None, tree=lambda _child: pids)
    return Holds(supervisor, hub, children).reason(Instance(a_plan("web.1", primary=primary)))


def test_nothing_holds_a_process_that_runs(kernel: Kernel) -> None:
    assert reason(kernel) == ""
    assert reason(kernel, unfinished=b"50%", tapped="db.1") == ""
    assert reason(kernel, alive=False, states="T") == ""


def test_a_pause_comes_first(kernel: Kernel) -> None:
    assert reason(kernel, paused=True, unfinished=b"(Pdb) ", tapped="web.1", states="t") == "it is paused"


def test_the_prompt_of_a_debugger_is_named(kernel: Kernel) -> None:
    assert reason(kernel, unfinished=b"(Pdb) ", tapped="web.1", states="T") == "it is waiting at (Pdb)"


@pytest.mark.parametrize("unfinished", [b"", b"name: "])
def test_a_client_that_is_attached_holds_it(kernel: Kernel, unfinished: bytes) -> None:
    assert reason(kernel, unfinished=unfinished, tapped="web.1", states="T") == "a client is attached"


@pytest.mark.parametrize(
    ("unfinished", "expected"),
    [
        (b"name: ", "it has the terminal and is waiting at an unfinished line"),
        (b" ", "it is stopped by a signal"),
        (b"", "it is stopped by a signal"),
    ],
)
def test_the_primary_is_held_by_its_unfinished_line(kernel: Kernel, unfinished: bytes, expected: str) -> None:
    assert reason(kernel, unfinished=unfinished, tapped="web.1", primary=True, states="T") == expected


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("ST", "it is stopped by a signal"),
        ("St", "a debugger has stopped it"),
        ("Tt", "a debugger has stopped it"),
        ("SZ", ""),
    ],
)
def test_any_stopped_process_of_it_holds_it(kernel: Kernel, states: str, expected: str) -> None:
    assert reason(kernel, states=states) == expected
