"""What the bottom line says of a supervisor's instances."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.outcome import INTERRUPTED
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.model.listen import Listen, ListeningSocket
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.schedule import Schedule
from procman.core.model.status import ExitStatus
from procman.core.text.keybindings import Keys
from procman.output.palette import Palette
from procman.output.screen.statusline import MIN_COLUMNS
from procman.runtime.system.poller import Poller
from procman.runtime.terminal.status_updates import StatusUpdates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UTF8 = {"LANG": "en_US.UTF-8"}
CRASH = ExitStatus(code=3)


class World:
    """A supervisor whose launches always succeed, and the line that is shown of it."""

    def __init__(self, *names: str, environ: dict[str, str] | None = None) -> None:
        plans = [
            InstancePlan(name, name.split(".")[0], 1, 5000, "serve $PORT", "/", {}, RestartPolicy(), StopPolicy())
            for name in names
        ]
        self.palette = Palette(False)
        self.supervisor = Supervisor(plans)
        self.shown: Callable[[int], bytes] | None = None
        self.made = 0
        self.hidden: set[str] = set()
        self.waiting_lines: dict[str, bytes] = {}
        self.history = SimpleNamespace(unfinished=self.waiting_lines.get)
        hub: Any = self
        self.line = StatusUpdates(hub, self.supervisor, UTF8 if environ is None else environ)
        self.line.open(Poller())

    def show_status(self, status: Callable[[int], bytes] | None) -> None:
        self.shown = status
        self.made += 1

    def hides(self, name: str) -> bool:
        return name in self.hidden

    def up(self) -> None:
        self.supervisor.start_all(0.0)
        for instance in self.supervisor.instances.values():
            self.supervisor.spawned(instance, 1, 0.0)

    def end(self, name: str, status: ExitStatus, now: float = 1.0) -> None:
        self.supervisor.exited(self.supervisor.instances[name], status, now)

    def text(self, columns: int = 80) -> str:
        assert self.shown is not None
        return self.shown(columns).decode()


def test_instances_of_a_type_are_counted_together() -> None:
    world = World("web.1", "web.2", "worker.1")
    world.up()
    assert world.text() == "web ● 2/2 :5000  worker ● 1/1 :5000"


def test_a_type_that_is_not_shown_is_muted_unless_there_is_more_to_say() -> None:
    world = World("web.1", "web.2", "worker.1")
    world.up()
    world.hidden = {"web.1", "worker.1"}
    assert world.text() == "web ● 2/2 :5000  worker ● 1/1 :5000 muted"
    world.end("worker.1", CRASH)
    world.line.change()
    assert "restarting" in world.text()
    assert "muted" not in world.text()


def test_one_that_waits_for_its_next_start_is_restarting() -> None:
    world = World("web.1", "web.2")
    world.up()
    world.end("web.2", CRASH)
    assert world.text() == "web ◐ 1/2 :5000 restarting"


def test_one_that_is_asked_to_end_is_stopping() -> None:
    world = World("web.1")
    world.up()
    world.supervisor.stop_all(INTERRUPTED, 1.0)
    assert world.text() == "web ◐ stopping"


@pytest.mark.parametrize(("status", "words"), [(ExitStatus(code=0), "done"), (ExitStatus(code=127), "failed (1)")])
def test_one_that_is_over_says_how(status: ExitStatus, words: str) -> None:
    world = World("job.1", "web.1")
    world.up()
    world.end("job.1", status)
    mark = "✗" if status.code else "○"
    assert world.text() == f"job {mark} {words}  web ● 1/1 :5000"


def test_one_that_the_user_stopped_is_stopped_however_it_ended() -> None:
    world = World("web.1", "worker.1")
    world.up()
    world.supervisor.hold([world.supervisor.instances["web.1"]], 1.0)
    world.end("web.1", ExitStatus(signal=15), 2.0)
    assert world.text() == "web ○ stopped  worker ● 1/1 :5000"


def test_a_question_takes_the_place_of_the_line() -> None:
    world = World("web.1")
    world.line.keys = Keys(("web",))
    world.line.keys.feed(b"rwe")
    assert world.text() == "restart: we"
    assert world.text(8) == "restart"


def test_where_there_are_keys_the_line_says_so() -> None:
    world = World("web.1")
    world.up()
    world.line.keys = Keys(("web",))
    assert world.text() == "web ● 1/1 :5000  ? keys"
    world.line.lead = "Ctrl-] web.1  "
    assert world.text() == "Ctrl-] web.1  web ● 1/1 :5000  ? keys"


def test_a_terminal_without_unicode_gets_ascii() -> None:
    world = World("web.1", environ={"LANG": "C"})
    world.up()
    assert world.text() == "web * 1/1 :5000"


def test_every_news_lets_it_be_made_anew_and_the_end_takes_it_away() -> None:
    world = World("web.1")
    before = world.made
    world.line.on_event("told", world.supervisor.instances["web.1"], 0.0)
    assert world.made == before + 1
    world.line.close(1.0, 0)
    assert world.shown is None


@pytest.mark.parametrize(("always", "shown"), [(False, False), (True, True)])
def test_on_a_narrow_terminal_there_is_a_line_only_if_the_user_wants_it(always: bool, shown: bool) -> None:
    world = World("web.1")
    hub: Any = world
    world.line = StatusUpdates(hub, world.supervisor, UTF8, always)
    world.line.open(Poller())
    world.up()
    assert bool(world.text(MIN_COLUMNS - 1)) is shown
    assert bool(world.text(12)) is shown


def test_what_is_shown_before_the_line_takes_its_columns() -> None:
    world = World(*(f"worker{number}.1" for number in range(9)))
    world.up()
    world.line.lead = "Ctrl-] web.1  "
    assert world.text(90).startswith("Ctrl-] web.1  worker0")
    assert len(world.text(90)) <= 90


def test_the_prompt_of_a_debugger_is_noticed_and_forgotten() -> None:
    world = World("web.1", "worker.1")
    world.up()
    world.line.keys = keys = Keys(())
    made = world.made
    world.line.tick(1.0)
    assert world.made == made
    world.waiting_lines["worker.1"] = b"50%"
    world.line.tick(1.0)
    assert (world.made, world.line.prompts) == (made, {})
    world.waiting_lines["web.1"] = b"(Pdb) "
    world.line.tick(1.0)
    assert (world.made, world.line.prompts, keys.waiting) == (made + 1, {"web.1": "(Pdb)"}, "web.1")
    assert "a attach" in world.text()
    world.line.tick(1.0)
    assert world.made == made + 1
    world.waiting_lines["worker.1"] = b"(Pdb) "
    world.line.tick(1.0)
    assert (len(world.line.prompts), keys.waiting) == (2, "")
    world.waiting_lines.clear()
    world.line.tick(1.0)
    assert (world.made, world.line.prompts, keys.waiting) == (made + 3, {}, "")


def test_without_keys_prompts_are_noticed_too() -> None:
    world = World("web.1")
    world.up()
    world.waiting_lines["web.1"] = b"(Pdb) "
    world.line.tick(1.0)
    assert world.line.prompts == {"web.1": "(Pdb)"}


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (ExitStatus(code=0), ExitStatus(code=0), " done"),
        (ExitStatus(code=0), None, ""),
        (None, None, ""),
    ],
)
def test_a_type_is_done_when_all_of_it_has_ended_well(
    first: ExitStatus | None, second: ExitStatus | None, words: str
) -> None:
    world = World("web.1", "web.2")
    world.up()
    for name, status in (("web.1", first), ("web.2", second)):
        if status is not None:
            world.end(name, status)
    assert (" done" in world.text()) is bool(words)


def test_what_never_ran_is_not_done() -> None:
    world = World("web.1", "web.2")
    assert "done" not in world.text()
    assert "exited" not in world.text()


def test_what_waits_for_the_clock_or_a_connection_says_so() -> None:
    world = World("nightly.1", "web.1")
    nightly, web = (instance.plan for instance in world.supervisor.instances.values())
    nightly.schedule = Schedule("0 2 * * *")
    web.listen = Listen((ListeningSocket("web", "127.0.0.1:5000"),), on_connection=True)
    assert world.text() == "nightly ○ scheduled  web ○ listening"
    world.up()
    assert world.text() == "nightly ● 1/1 :5000  web ● 1/1 :5000"
    world.end("nightly.1", ExitStatus(code=0))
    assert world.text().startswith("nightly ○ scheduled")
    world.supervisor.hold([world.supervisor.instances["nightly.1"]], 2.0)
    assert world.text().startswith("nightly ○ stopped")
