"""When process types are scaled by themselves, on a fake kernel and clock."""

from __future__ import annotations

import os
import signal

import pytest

from procman.core.lifecycle.transitions import Event
from procman.core.model.autoscale import Autoscale
from procman.errors import UsageError
from procman.runtime.health import autoscaler
from procman.runtime.health.autoscaler import Autoscaler
from runtime.fakes import Kernel, Process, Run, a_plan, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan


class Scaled:
    """A run of workers whose number follows ``numbers``: what the command prints, one after the other."""

    def __init__(self, kernel: Kernel, numbers: list[str], rule: Autoscale, workers: int = 1) -> None:
        self.kernel = kernel
        self.numbers = numbers
        self.measured: list[float] = []
        self.resized: list[tuple[float, int]] = []
        self.rule = rule
        self.refusal = ""
        plans = [self.plan(number + 1) for number in range(workers)]
        self.run = Run(kernel, *plans, components=self._components)
        kernel.on_spawn = self._on_spawn

    def _components(self, run: Run) -> list[Autoscaler]:
        return [Autoscaler(run.supervisor, run.hub, run.children, self.resize)]

    def plan(self, number: int) -> InstancePlan:
        return a_plan(f"worker.{number}", autoscale=self.rule)

    def resize(self, type_: str, count: int) -> None:
        assert type_ == "worker"
        if self.refusal:
            raise UsageError(self.refusal)
        supervisor, now = self.run.supervisor, self.kernel.now
        self.resized.append((round(now - 1000, 2), count))
        here = [one for one in supervisor.instances.values() if not supervisor.is_leaving(one)]
        added = supervisor.add([self.plan(number) for number in range(len(here) + 1, count + 1)], now)
        supervisor.wish(Event.START, added, now)
        supervisor.retire([one for one in here if one.plan.number > count], now)

    def _on_spawn(self, child: Process) -> None:
        if child.command == "side-length":
            self.measured.append(round(self.kernel.now - 1000, 2))
            self.kernel.after(0.0, lambda: self.answer(child))

    def answer(self, command: Process) -> None:
        text = self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]
        if text == "hang":
            return
        command.write(f"{text}\n".encode())
        command.exit(int(text == "broken"))

    def until(self, seconds: float) -> list[tuple[float, int]]:
        self.run.after(seconds, lambda: self.run.signal(signal.SIGTERM))
        self.run.run()
        return self.resized

    @property
    def announced(self) -> list[str]:
        return [text for text in self.run.screen.announced if "worker:" in text or "not scaled" in text]


def rule(cooldown: float = 0.0, **more: int) -> Autoscale:
    return Autoscale("side-length", 10.0, more.get("highest", 4), more.get("lowest", 1), cooldown, interval=5.0)


def test_the_number_of_instances_follows_what_the_command_prints(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["15", "999", "0"], rule())
    assert scaled.until(22.0) == [(5.0, 2), (10.0, 4), (15.0, 1)]
    assert scaled.measured == [5.0, 10.0, 15.0, 20.0]
    assert scaled.announced[0] == "worker: 15, 10 per instance: scaling from 1 to 2"


def test_fewer_have_to_be_enough_for_the_whole_cooldown(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["30", "0", "20", "0"], rule(cooldown=12.0))
    assert scaled.until(50.0) == [(5.0, 3), (20.0, 2), (30.0, 1)]


def test_it_starts_from_what_runs_and_keeps_within_the_limits(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["0"], rule(lowest=2), workers=3)
    assert scaled.until(12.0) == [(5.0, 2)]


@pytest.mark.parametrize("text", ["broken", "many", "", "-1", "nan", "inf"])
def test_a_measurement_that_fails_is_reported_once_and_changes_nothing(kernel: Kernel, text: str) -> None:
    scaled = Scaled(kernel, [text], rule(), workers=2)
    assert scaled.until(22.0) == []
    assert len(scaled.measured) == 4
    assert len(scaled.announced) == 1
    assert scaled.announced[0].startswith("warning: worker is not scaled, because its command ")


def test_it_is_reported_again_after_a_success(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["broken", "10", "broken"], rule())
    scaled.until(22.0)
    assert len(scaled.announced) == 2


def test_a_command_that_hangs_is_killed_and_tried_again(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["hang", "20"], rule())
    assert scaled.until(30.0) == [(5.0 + autoscaler.MOST_TIME, 2)]
    first = next(one for one in kernel.spawned if one.command == "side-length")
    assert signal_names(first.got) == ["KILL"]
    assert "takes longer than 10 s" in scaled.announced[0]


def test_what_the_user_has_stopped_is_left_alone(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["40"], rule(), workers=2)
    supervisor = scaled.run.supervisor
    scaled.run.after(1.0, lambda: supervisor.hold([supervisor.instances["worker.2"]], kernel.now))
    scaled.run.after(1.0, lambda: scaled.run.signal(signal.SIGWINCH))
    assert scaled.until(12.0) == []
    assert scaled.measured == []


@pytest.mark.parametrize("verb", ["hold", "retire"])
def test_what_the_user_stops_during_a_measurement_is_left_alone(kernel: Kernel, verb: str) -> None:
    scaled = Scaled(kernel, ["40"], rule())
    supervisor = scaled.run.supervisor

    def stop_it(command: Process) -> None:
        if command.command == "side-length":
            getattr(supervisor, verb)([supervisor.instances["worker.1"]], kernel.now)
            kernel.after(0.5, lambda: scaled.answer(command))

    kernel.on_spawn = stop_it
    assert scaled.until(7.0) == []


def test_where_all_have_failed_it_is_left_alone(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["40"], rule(), workers=2)
    for name in ("worker.1", "worker.2"):
        scaled.run.after(1.0, scaled.run.exits(name, 127))
    assert scaled.until(12.0) == []
    assert scaled.measured == []


@pytest.mark.parametrize(
    ("number", "highest", "total", "words"),
    [
        ("20", 4, 3, "scaling from 1 to 2"),
        ("40", 4, 4, "scaling from 1 to 3"),  # no more than max altogether, so that not all of many fail
        ("40", 8, 5, "scaling from 1 to 4"),
    ],
)
def test_one_that_has_failed_is_replaced_by_another(
    kernel: Kernel, number: str, highest: int, total: int, words: str
) -> None:
    scaled = Scaled(kernel, [number], rule(highest=highest), workers=2)
    scaled.run.after(1.0, scaled.run.exits("worker.1", 127))
    assert scaled.until(7.0) == [(5.0, total)]
    assert scaled.announced[-1].endswith(words)


def test_the_last_one_that_runs_is_not_removed_for_one_that_has_failed(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["30", "10"], rule(), workers=3)
    scaled.run.after(1.0, scaled.run.exits("worker.1", 127))
    assert scaled.until(12.0) == [(5.0, 4), (10.0, 2)]


def test_an_empty_answer_is_called_nothing(kernel: Kernel) -> None:
    scaled = Scaled(kernel, [""], rule())
    scaled.until(7.0)
    assert scaled.announced == ["warning: worker is not scaled, because its command printed nothing"]


def test_a_refusal_is_reported_once(kernel: Kernel) -> None:
    scaled = Scaled(kernel, ["40"], rule())
    scaled.refusal = "Procfile:1: missing command"
    scaled.until(12.0)
    assert [text for text in scaled.announced if "not scaled" in text] == [
        "warning: worker is not scaled, because Procfile:1: missing command"
    ]


def test_the_cpu_in_use_is_measured_between_two_looks(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    per_second = 2.5 * os.sysconf("SC_CLK_TCK")  # of the first worker; the others are idle

    def fields(pid: int) -> list[bytes]:
        ticks = int((kernel.now - 1000) * per_second) if kernel.processes[pid].name == "worker.1" else 7
        return [b"S"] + [b"0"] * 10 + [str(ticks).encode(), b"0"]

    monkeypatch.setattr(autoscaler, "stat_fields", fields)
    busy = Autoscale("", 0.8, 8, cooldown=0.0, interval=5.0)
    scaled = Scaled(kernel, [], busy)
    assert scaled.until(17.0) == [(10.0, 4)]  # 2.5 CPUs in use, 0.8 for each
    assert scaled.announced[0] == "worker: 2.50 CPUs in use, 0.8 per instance: scaling from 1 to 4"
