"""Which commands run for which events, with what in their environment, on a fake kernel and clock."""

from __future__ import annotations

import os
import signal

import pytest

from procman.core.lifecycle.outcome import Reason
from procman.core.model.checks import Check
from procman.core.model.plan import RestartPolicy
from procman.runtime.health import hooks
from procman.runtime.health.hooks import Hooks
from procman.runtime.health.probes import Probes
from runtime.fakes import Kernel, Process, Run, a_plan, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.model.plan import InstancePlan

COMMANDS = {"failed": "side-failed", "ready": "side-ready", "ended": "side-ended"}


class Hooked:
    """A run with a command for each event; ``answer`` is what each of them does."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, *plans: InstancePlan) -> None:
        self.kernel = kernel
        self.commands: list[tuple[float, Process]] = []
        self.answer: Callable[[Process], object] = lambda command: command.exit(0)
        self.run = Run(kernel, *plans, components=self._components)
        kernel.on_spawn = self._on_spawn
        monkeypatch.setattr("time.sleep", self._sleep)

    def _components(self, run: Run) -> list[Hooks | Probes]:
        probes = Probes(run.supervisor, run.hub, run.children)
        return [probes, Hooks(COMMANDS, os.getcwd(), run.supervisor, run.hub, run.children)]

    def _on_spawn(self, child: Process) -> None:
        if child.command.startswith("side-"):
            self.commands.append((round(self.kernel.now - 1000, 2), child))
            self.answer(child)

    def _sleep(self, seconds: float) -> None:
        self.kernel.now += seconds

    def crash(self, seconds: float, name: str, code: int = 3) -> None:
        def end() -> None:
            next(one for one in self.kernel.spawned if one.name == name and one.alive).exit(code)

        self.run.after(seconds, end)

    def until(self, seconds: float) -> list[tuple[float, str]]:
        self.run.after(seconds, lambda: self.run.signal(signal.SIGTERM))
        self.run.run()
        return [(when, child.command[5:]) for when, child in self.commands]

    def env(self, event: str) -> dict[str, str]:
        return next(child.env for _, child in self.commands if child.command == f"side-{event}")


@pytest.fixture
def never() -> RestartPolicy:
    return RestartPolicy("never")


def test_ready_comes_once_when_everything_is_ready(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = a_plan("db.1", ready=Check("delay", "3"))
    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"), slow)
    hooked.crash(6.0, "web.1")
    assert hooked.until(20.0)[:-1] == [(3.0, "ready")]
    assert hooked.env("ready")["PROCMAN_EVENT"] == "ready"
    assert "PROCMAN_INSTANCE" not in hooked.env("ready")


def test_a_failure_is_told_with_its_reason(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, never: RestartPolicy
) -> None:
    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"), a_plan("job.1", restart=never))
    hooked.crash(6.0, "job.1", 3)
    assert (6.0, "failed") in hooked.until(9.0)
    env = hooked.env("failed")
    assert (env["PROCMAN_EVENT"], env["PROCMAN_INSTANCE"], env["PROCMAN_EXIT_STATUS"]) == ("failed", "job.1", "3")
    assert "3" in env["PROCMAN_REASON"]


def test_the_end_is_told_with_the_exit_status(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"))
    assert hooked.until(4.0)[-1][1] == "ended"
    assert hooked.env("ended")["PROCMAN_EXIT_STATUS"] == "0"
    assert hooked.env("ended")["PROCMAN_REASON"]
    assert hooked.env("ended")["PROCMAN_SESSION"] == "s1"


def test_a_failure_that_ends_the_session_is_told_before_the_end(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, never: RestartPolicy
) -> None:
    hooked = Hooked(kernel, monkeypatch, a_plan("job.1", restart=never))
    hooked.crash(2.0, "job.1")
    hooked.run.run()
    assert [child.command for _, child in hooked.commands] == ["side-ready", "side-failed", "side-ended"]


def test_a_command_that_hangs_is_killed_and_the_next_one_runs(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, never: RestartPolicy
) -> None:
    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"), a_plan("job.1", restart=never))
    hooked.answer = lambda command: command.exit(0) if command.command == "side-failed" else None
    hooked.crash(1.0, "job.1")
    events = hooked.until(60.0)
    assert events[:2] == [(0.0, "ready"), (hooks.MOST_TIME, "failed")]
    first, last = hooked.commands[0][1], hooked.commands[-1][1]
    assert signal_names(first.got) == signal_names(last.got) == ["KILL"]
    assert last.command == "side-ended"
    assert kernel.now - 1000 < 60.0 + 2 * hooks.LAST_TIME
    assert "warning: the command for ready took too long and was killed" in hooked.run.screen.announced


def test_a_command_under_way_at_the_end_finishes(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, never: RestartPolicy
) -> None:
    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"), a_plan("job.1", restart=never))
    hooked.answer = lambda command: command.exit(0) if command.command != "side-failed" else None
    hooked.crash(1.0, "job.1")

    def sleep(seconds: float) -> None:
        kernel.now += seconds
        failed = next(child for _, child in hooked.commands if child.command == "side-failed")
        if failed.alive and kernel.now > 1003.0:
            failed.exit(0)

    monkeypatch.setattr("time.sleep", sleep)
    assert [event for _, event in hooked.until(2.0)] == ["ready", "failed", "ended"]
    assert signal_names(hooked.commands[1][1].got) == []
    assert not [text for text in hooked.run.screen.announced if "the command for" in text]


def test_commands_at_the_end_share_its_time(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, never: RestartPolicy
) -> None:
    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"), a_plan("job.1", restart=never))
    hooked.answer = lambda command: command.exit(0) if command.command == "side-ready" else None
    hooked.crash(1.0, "job.1")
    assert [event for _, event in hooked.until(2.0)] == ["ready", "failed", "ended"]
    assert kernel.now - 1000 < 2.0 + hooks.LAST_TIME + 0.5
    assert hooked.run.screen.announced[-2:] == [
        "warning: the command for failed took too long and was killed",
        "warning: the command for ended took too long and was killed",
    ]


def test_a_command_that_fails_is_reported(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: Process) -> None:
        command.write(b"no bus\n")
        command.exit(1)

    hooked = Hooked(kernel, monkeypatch, a_plan("web.1"))
    hooked.answer = fail
    hooked.until(4.0)
    assert "warning: the command for ready exited with code 1: no bus" in hooked.run.screen.announced


def test_a_session_without_an_event_has_no_environment_for_a_command(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked = Hooked(kernel, monkeypatch)
    hooked.run.supervisor.stop_all(Reason("nothing to do", 0), kernel.now)
    hooked.run.run()
    assert hooked.commands == []
