"""The keyboard, on a real pseudo-terminal, with a supervisor whose actions are not performed."""

from __future__ import annotations

import os
import signal
import termios
from typing import Any

import pytest

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, State
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus
from procman.core.text.keybindings import HELP
from procman.errors import ConfigError, UsageError
from procman.output.palette import Palette
from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.poller import Poller
from procman.runtime.system.tty import LOCAL_FLAGS
from procman.runtime.terminal import console
from procman.runtime.terminal.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procman.core.lifecycle.transitions import Instance

    Lent = list[tuple[str, Callable[[], None], "Loan"]]

LIMIT = 30.0


class Screen:
    """Notes what the hub would show, and is the status line as well."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.hidden: list[str] = []
        self.focus: list[str] = []
        self.pattern = ""
        self.keys: Any = None
        self.palette = Palette(True)
        self.changes = 0
        self.pastes: list[bool] = []

    def bracket_pastes(self, on: bool) -> None:
        self.pastes.append(on)

    def announce(self, text: str) -> None:
        self.said.append(text)

    def show_only(self, names: list[str]) -> None:
        self.focus, self.hidden = names, []

    def hide(self, names: list[str]) -> None:
        self.focus, self.hidden = [], names

    def highlight(self, pattern: str) -> None:
        if pattern == "(":
            raise UsageError("that is no regular expression")
        self.pattern = pattern

    def change(self) -> None:
        self.changes += 1


class Session:
    """A console with a keyboard to type on. The test decides which job has the terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.ours = True
        self.raised: list[int] = []
        monkeypatch.setattr("_signal.raise_signal", self.raised.append)
        monkeypatch.setattr(console, "in_foreground", lambda _fd: self.ours)
        self.master, self.slave = os.openpty()
        self.screen = Screen()
        plans = [
            InstancePlan(name, name.split(".")[0], 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
            for name in names
        ]
        self.supervisor = Supervisor(plans)
        self.supervisor.start_all(0.0)
        for instance in self.supervisor.instances.values():
            self.supervisor.spawned(instance, 1, 0.0)
        self.supervisor.take_actions()
        self.poller = Poller()
        screen: Any = self.screen
        self.renewed: list[str] = []
        self.mistake = ""
        self.console = Console(self.slave, screen, self.supervisor, screen, self.renew)

    def renew(self, chosen: list[Instance]) -> list[str]:
        if self.mistake:
            raise ConfigError(self.mistake)
        self.renewed += [instance.name for instance in chosen]
        return ["COLOR changed: red → blue"]

    @property
    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.slave)

    @property
    def raw(self) -> bool:
        return not self.settings[LOCAL_FLAGS] & (termios.ICANON | termios.ECHO)

    def open(self) -> None:
        self.console.open(self.poller)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)
        for callback in self.poller.ready(LIMIT):
            callback()

    def actions(self) -> list[tuple[str, str]]:
        return [(action, instance.name) for action, instance in self.supervisor.take_actions()]

    def asked(self) -> list[str]:
        return [name for action, name in self.actions() if action == Action.STOP]

    def close(self) -> None:
        self.poller.close()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    session = Session(monkeypatch, "web.1", "web.2", "worker.1")
    yield session
    session.close()


def test_only_line_editing_and_echo_are_switched_off(session: Session) -> None:
    before = session.settings
    session.open()
    changed = session.settings
    assert session.raw
    assert changed[LOCAL_FLAGS] == before[LOCAL_FLAGS] & ~(termios.ICANON | termios.ECHO)
    assert changed[LOCAL_FLAGS] & termios.ISIG
    assert changed[:LOCAL_FLAGS] == before[:LOCAL_FLAGS]


def test_the_keyboard_is_given_back_exactly_as_it_was(session: Session) -> None:
    odd = session.settings
    odd[LOCAL_FLAGS] &= ~termios.ECHOE
    odd[6][termios.VERASE] = b"\x08"
    termios.tcsetattr(session.slave, termios.TCSANOW, odd)
    session.open()
    session.console.close(1.0, 0)
    assert session.settings == odd


def test_in_the_background_the_keyboard_is_left_alone_and_not_read(session: Session) -> None:
    session.ours = False
    before = session.settings
    session.open()
    assert session.settings == before
    os.write(session.master, b"q\n")
    assert session.poller.ready(0) == []
    assert not session.raised


def test_away_and_back_reads_again(session: Session) -> None:
    session.open()
    session.console.pause()
    assert not session.raw
    session.console.resume()
    assert session.raw
    session.type(b"q")
    assert session.raised == [signal.SIGINT]
    assert session.screen.pastes == [True, False, True]


def test_a_keyboard_that_the_shell_took_is_not_set_any_more(session: Session) -> None:
    session.open()
    session.ours = False
    of_the_shell = session.settings
    session.type(b"q")
    assert session.settings == of_the_shell
    assert session.screen.pastes == [True]  # the shell has set that as well
    assert not session.raised
    assert session.poller.ready(0) == []


def test_a_hang_up_ends_the_listening_and_nothing_else(session: Session) -> None:
    session.open()
    os.close(session.master)
    session.master = os.open(os.devnull, os.O_RDWR)
    for callback in session.poller.ready(LIMIT):
        callback()
    assert session.poller.ready(0) == []
    session.console.close(1.0, 129)


def test_r_restarts_one_type(session: Session) -> None:
    session.open()
    session.type(b"rweb\n")
    assert session.asked() == ["web.1", "web.2"]
    assert all(instance.wanted for instance in session.supervisor.instances.values())


def test_r_reads_the_files_again_and_names_what_changed(session: Session) -> None:
    session.open()
    session.type(b"rweb\n")
    assert session.renewed == ["web.1", "web.2"]
    assert session.screen.said == ["COLOR changed: red → blue"]


def test_r_restarts_nothing_when_the_files_make_no_plan(session: Session) -> None:
    session.open()
    session.mistake = "procman.toml:1: that is no key"
    session.type(b"rweb\n")
    assert session.screen.said == ["nothing was restarted: procman.toml:1: that is no key"]
    assert session.asked() == []


def test_capital_r_reads_them_for_what_failed_only(session: Session) -> None:
    session.open()
    session.supervisor.exited(session.supervisor.instances["web.2"], ExitStatus(code=127), 1.0)
    session.type(b"R")
    assert session.renewed == ["web.2"]


def test_r_with_enter_alone_restarts_all(session: Session) -> None:
    session.open()
    session.type(b"r\n")
    assert session.asked() == ["web.1", "web.2", "worker.1"]


def test_s_stops_one_instance_and_keeps_the_run(session: Session) -> None:
    session.open()
    session.type(b"s\n")
    assert session.asked() == ["web.1", "web.2", "worker.1"]
    for instance in session.supervisor.instances.values():
        session.supervisor.exited(instance, ExitStatus(code=0), 1.0)
    session.supervisor.take_actions()
    assert not session.supervisor.settled
    session.type(b"rworker.1\n")
    assert session.actions() == [(Action.LAUNCH, "worker.1")]


def test_capital_r_restarts_only_what_failed(session: Session) -> None:
    session.open()
    session.type(b"R")
    assert session.screen.said == ["nothing has failed"]
    session.supervisor.exited(session.supervisor.instances["web.2"], ExitStatus(code=127), 1.0)
    assert session.supervisor.instances["web.2"].state == State.FAILED
    session.actions()
    session.type(b"R")
    assert session.actions() == [(Action.LAUNCH, "web.2")]


def test_f_shows_one_type_and_all_again(session: Session) -> None:
    session.open()
    session.type(b"fweb\n")
    assert session.screen.focus == ["web.1", "web.2"]
    session.type(b"f\n")
    assert session.screen.focus == []


def test_m_hides_shows_again_and_shows_all_again(session: Session) -> None:
    session.open()
    session.type(b"mweb\nmworker\n")
    assert session.screen.hidden == ["web.1", "web.2", "worker.1"]
    session.type(b"mworker.1\n")
    assert session.screen.hidden == ["web.1", "web.2"]
    session.type(b"m\n")
    assert session.screen.hidden == []


def test_a_mistyped_name_leaves_shown_what_was_shown(session: Session) -> None:
    session.open()
    session.type(b"fweb\nfwbe\nmwbe\n")
    assert session.screen.focus == ["web.1", "web.2"]
    session.type(b"f\nmweb\nfwbe\nmwbe\n")
    assert session.screen.hidden == ["web.1", "web.2"]


def test_m_takes_one_out_of_the_focus_or_into_it(session: Session) -> None:
    session.open()
    session.type(b"fweb\nmweb.2\n")
    assert session.screen.focus == ["web.1"]
    session.type(b"mworker\n")
    assert session.screen.focus == ["web.1", "worker.1"]
    session.type(b"mworker\nmweb.1\n")
    assert (session.screen.focus, session.screen.hidden) == ([], ["web.1"])


def test_m_mutes_all_of_a_type_of_which_one_is_muted(session: Session) -> None:
    session.open()
    session.type(b"mweb.1\nmweb\n")
    assert session.screen.hidden == ["web.1", "web.2"]


def test_m_alone_shows_everybody_who_is_not_in_the_focus_either(session: Session) -> None:
    session.open()
    session.type(b"fweb\nm\n")
    assert (session.screen.focus, session.screen.hidden) == ([], [])


def test_a_slash_highlights_and_complains_about_what_is_no_pattern(session: Session) -> None:
    session.open()
    session.type(b"/err.*\n")
    assert session.screen.pattern == "err.*"
    session.type(b"/(\n")
    assert session.screen.said == ["that is no regular expression"]


def test_where_nothing_can_be_marked_that_is_said(session: Session) -> None:
    session.open()
    session.screen.palette = Palette(False)
    session.type(b"/err\n/\n")
    assert session.screen.said == ["highlighting needs colors, which are off"]


def test_a_name_that_nobody_has_is_said(session: Session) -> None:
    session.open()
    session.type(b"swbe\n")
    assert session.screen.said == ['there is no process called "wbe"']
    assert session.asked() == []


def test_a_question_mark_helps_and_q_is_an_interrupt(session: Session) -> None:
    session.open()
    session.type(b"?")
    assert session.screen.said == [HELP]
    session.type(b"q")
    assert session.raised == [signal.SIGINT]


def test_tab_completes_types_and_instances(session: Session) -> None:
    session.open()
    session.type(b"rwo\t")
    assert session.screen.keys.prompt == "restart: worker"
    session.type(b".\t\n")
    assert session.asked() == ["worker.1"]


def test_every_key_lets_the_status_line_be_made_anew(session: Session) -> None:
    session.open()
    before = session.screen.changes
    session.type(b"r")
    session.type(b"w")
    assert session.screen.changes == before + 2


def test_a_paste_that_was_cut_off_by_a_suspension_does_not_swallow_the_next_key(session: Session) -> None:
    session.open()
    session.type(b"\x1b[200~pasted")
    session.console.pause()
    session.console.resume()
    session.type(b"q")
    assert session.raised == [signal.SIGINT]


def test_a_group_is_a_name_too(session: Session) -> None:
    for name in ("web.2", "worker.1"):
        session.supervisor.instances[name].plan.groups = ("back",)
    session.open()
    session.type(b"sback\n")
    assert session.asked() == ["web.2", "worker.1"]


def test_capital_r_leaves_what_was_stopped_alone(session: Session) -> None:
    session.open()
    session.type(b"sworker\n")
    session.supervisor.exited(session.supervisor.instances["worker.1"], ExitStatus(code=0), 1.0)
    session.actions()
    session.type(b"R")
    assert session.screen.said == ["nothing has failed"]
    assert session.actions() == []


def test_a_focus_ends_all_muting(session: Session) -> None:
    session.open()
    session.type(b"mweb\nfworker\nf\nmworker\n")
    assert session.screen.hidden == ["worker.1"]


def test_showing_all_ends_a_focus(session: Session) -> None:
    session.open()
    session.type(b"fweb\nm\nmworker\n")
    assert (session.screen.focus, session.screen.hidden) == ([], ["worker.1"])


class Loan(QuietComponent):
    """Has the keyboard until the test gives it back."""

    def __init__(self, screen: Screen) -> None:
        self.calls: list[str] = []
        screen.keys = self

    def begin(self) -> None:
        self.calls.append("begin")

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        self.calls.append(f"{action} {instance.name}")

    def next_deadline(self) -> float | None:
        return 5.0

    def tick(self, now: float) -> None:
        self.calls.append(f"tick {now}")

    def acquire(self) -> None:
        self.calls.append("acquire")

    def release(self) -> None:
        self.calls.append("release")


@pytest.fixture
def lent(session: Session) -> Lent:
    """The loans of the keyboard: of which instance, how it is given back, and the loan."""
    loans: Lent = []

    def lend(name: str, _poller: object, give_back: Callable[[], None]) -> Loan:
        loans.append((name, give_back, Loan(session.screen)))
        return loans[-1][2]

    session.console._lend = lend
    return loans


def test_a_lends_the_keyboard_until_it_is_given_back(session: Session, lent: Lent) -> None:
    session.open()
    keys = session.screen.keys
    session.type(b"aworker\n")
    ((name, give_back, loan),) = lent
    assert (name, loan.calls, session.raw) == ("worker.1", ["begin"], False)
    session.console.pause()
    session.console.resume()
    assert loan.calls == ["begin", "release", "acquire"]
    changes = session.screen.changes
    give_back()
    assert session.raw
    assert session.screen.keys is keys
    assert session.screen.changes == changes + 1
    session.console.pause()
    assert not session.raw
    assert loan.calls == ["begin", "release", "acquire"]
    session.console.resume()
    session.type(b"q")
    assert session.raised == [signal.SIGINT]


@pytest.mark.parametrize(
    ("line", "named"), [(b"aweb\n", "web.1, web.2"), (b"a\n", "web.1, web.2, worker.1"), (b"aweb.2\n", "")]
)
def test_a_lends_to_one_and_names_the_others_if_it_may_be_several(
    session: Session, lent: Lent, line: bytes, named: str
) -> None:
    session.open()
    session.type(line)
    assert session.screen.said == ([f"attach to one of them: {named}"] if named else [])
    assert [name for name, *_ in lent] == ([] if named else ["web.2"])


def test_events_and_time_reach_who_has_the_keyboard(session: Session, lent: Lent) -> None:
    worker = session.supervisor.instances["worker.1"]
    session.open()
    session.console.on_event("exited", worker, 1.0)
    session.console.tick(1.0)
    assert session.console.next_deadline() is None
    session.type(b"aworker\n")
    loan = lent[0][2]
    session.console.on_event("exited", worker, 2.0)
    session.console.tick(2.0)
    assert loan.calls == ["begin", "exited worker.1", "tick 2.0"]
    assert session.console.next_deadline() == 5.0
    session.console.close(3.0, 0)
    assert loan.calls[-1] == "release"


def test_beside_a_primary_the_keyboard_is_not_lent(session: Session) -> None:
    session.open()
    session.type(b"aworker\n")
    assert session.screen.said == ["the primary process has this terminal; use procman attach in another one"]


def test_without_a_keyboard_nothing_is_lent(session: Session, lent: Lent) -> None:
    session.console.on_keys(b"aworker\n")
    assert lent == []


def test_the_keyboard_is_lent_by_what_the_console_was_given() -> None:
    given: list[object] = []
    screen: Any = Screen()
    lend: Any = given.append
    console = Console(-1, screen, Supervisor([]), screen, lambda _chosen: [], lend)
    assert console._lend == lend
