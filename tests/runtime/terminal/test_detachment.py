"""The key that detaches a session: when it is refused, and in which order the terminal is left."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from procman.core.lifecycle.outcome import ASKED
from procman.core.lifecycle.supervisor import Supervisor
from procman.runtime.guardian import guardian
from procman.runtime.terminal import detachment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.runtime.system.poller import Poller

NOW, OUTPUT, WATCHDOG_PIPE = 50.0, 91, 92


class Parts:
    """The parts of a session that detaching involves; they note their calls."""

    def __init__(self, *, pollable: bool) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.hub = SimpleNamespace(announce=self.note("announce"))
        self.outlet = SimpleNamespace(
            pollable=pollable, fileno=lambda: OUTPUT, discard_from_now_on=self.note("discard the output")
        )
        self.job_control = SimpleNamespace(leave_for_good=self.note("leave the terminal"))
        self.requests = SimpleNamespace(release_guardian=self.note("watch the watchdog"))
        self.poller: Poller = SimpleNamespace(remove=self.note("do not poll"))  # type: ignore[assignment]  # no descriptor of it is real

    def note(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))

    def detach(self) -> None:
        detachment.detach(self.hub, self.outlet, self.job_control, self.requests, self.poller)  # type: ignore[arg-type]  # they only note


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are a guardian and a watchdog."""
    monkeypatch.setattr(guardian, "guardian_pid", 90)
    monkeypatch.setattr(guardian, "watchdog_pipe", WATCHDOG_PIPE)


@pytest.mark.usefixtures("guarded")
def test_a_guarded_session_with_a_socket_can_be_detached() -> None:
    assert detachment.obstacle(Supervisor([]), reachable=True) == ""


@pytest.mark.usefixtures("guarded")
def test_what_nothing_could_reach_is_not_detached() -> None:
    assert detachment.obstacle(Supervisor([]), reachable=False) == (
        "without a control socket nothing could reach the session"
    )


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("missing", ["guardian_pid", "watchdog_pipe"])
def test_without_a_guardian_or_its_watchdog_nothing_can_end(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, missing, None)
    assert detachment.obstacle(Supervisor([]), reachable=True) == (
        "without its guardian, the shell waits for the session itself"
    )


@pytest.mark.usefixtures("guarded")
def test_a_session_that_is_stopping_is_not_detached() -> None:
    supervisor = Supervisor([])
    supervisor.stop_all(ASKED, 0.0)
    assert detachment.obstacle(supervisor, reachable=True) == "the session is stopping"


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("pollable", [True, False])
def test_the_guardian_ends_last_when_the_terminal_has_all_it_gets(
    pollable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(pollable=pollable)
    monkeypatch.setattr(time, "monotonic", lambda: NOW)
    monkeypatch.setattr(detachment, "release_guardian", parts.note("let the guardian end"))
    parts.detach()
    announced, *others = parts.calls
    assert str(announced[1]).startswith("detached; the session continues in the background")
    assert others == [
        ("leave the terminal",),
        *([("do not poll", OUTPUT)] if pollable else []),
        ("discard the output", NOW + 0.5),
        ("watch the watchdog", WATCHDOG_PIPE),
        ("let the guardian end",),
    ]
