"""The keyboard, on a real pseudo-terminal, with a supervisor that nobody obeys."""

from __future__ import annotations

import os
import signal
import termios
from typing import Any

import pytest

from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, State
from procman.core.model.policy import RestartPolicy, StopPolicy
from procman.core.model.status import ExitStatus
from procman.core.planner import InstancePlan
from procman.core.text.keybindings import HELP
from procman.errors import ConfigError, UsageError
from procman.output.palette import Palette
from procman.runtime.system.poller import Poller
from procman.runtime.system.tty import LOCAL_FLAGS
from procman.runtime.terminal import console
from procman.runtime.terminal.console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.lifecycle.transitions import Instance

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

    def say(self, text: str) -> None:
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


class Desk:
    """A console with a keyboard to type on. Whose the terminal is, is set by hand."""

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
        return [name for action, name in self.actions() if action == Action.ASK]

    def close(self) -> None:
        self.poller.close()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(monkeypatch, "web.1", "web.2", "worker.1")
    yield desk
    desk.close()


def test_only_line_editing_and_echo_are_switched_off(desk: Desk) -> None:
    before = desk.settings
    desk.open()
    changed = desk.settings
    assert desk.raw
    assert changed[LOCAL_FLAGS] == before[LOCAL_FLAGS] & ~(termios.ICANON | termios.ECHO)
    assert changed[LOCAL_FLAGS] & termios.ISIG
    assert changed[:LOCAL_FLAGS] == before[:LOCAL_FLAGS]


def test_the_keyboard_is_given_back_exactly_as_it_was(desk: Desk) -> None:
    odd = desk.settings
    odd[LOCAL_FLAGS] &= ~termios.ECHOE
    odd[6][termios.VERASE] = b"\x08"
    termios.tcsetattr(desk.slave, termios.TCSANOW, odd)
    desk.open()
    desk.console.close(1.0, 0)
    assert desk.settings == odd


def test_in_the_background_the_keyboard_is_left_alone_and_not_read(desk: Desk) -> None:
    desk.ours = False
    before = desk.settings
    desk.open()
    assert desk.settings == before
    os.write(desk.master, b"q\n")
    assert desk.poller.ready(0) == []
    assert not desk.raised


def test_away_and_back_reads_again(desk: Desk) -> None:
    desk.open()
    desk.console.pause()
    assert not desk.raw
    desk.console.resume()
    assert desk.raw
    desk.type(b"q")
    assert desk.raised == [signal.SIGINT]
    assert desk.screen.pastes == [True, False, True]


def test_a_keyboard_that_the_shell_took_is_not_set_any_more(desk: Desk) -> None:
    desk.open()
    desk.ours = False
    of_the_shell = desk.settings
    desk.type(b"q")
    assert desk.settings == of_the_shell
    assert desk.screen.pastes == [True]  # the shell has set that as well
    assert not desk.raised
    assert desk.poller.ready(0) == []


def test_a_hang_up_ends_the_listening_and_nothing_else(desk: Desk) -> None:
    desk.open()
    os.close(desk.master)
    desk.master = os.open(os.devnull, os.O_RDWR)
    for callback in desk.poller.ready(LIMIT):
        callback()
    assert desk.poller.ready(0) == []
    desk.console.close(1.0, 129)


def test_r_restarts_one_type(desk: Desk) -> None:
    desk.open()
    desk.type(b"rweb\n")
    assert desk.asked() == ["web.1", "web.2"]
    assert all(instance.wanted for instance in desk.supervisor.instances.values())


def test_r_reads_the_files_again_and_names_what_changed(desk: Desk) -> None:
    desk.open()
    desk.type(b"rweb\n")
    assert desk.renewed == ["web.1", "web.2"]
    assert desk.screen.said == ["COLOR changed: red → blue"]


def test_r_restarts_nothing_when_the_files_make_no_plan(desk: Desk) -> None:
    desk.open()
    desk.mistake = "procman.toml:1: that is no key"
    desk.type(b"rweb\n")
    assert desk.screen.said == ["nothing is restarted: procman.toml:1: that is no key"]
    assert desk.asked() == []


def test_capital_r_reads_them_for_what_failed_only(desk: Desk) -> None:
    desk.open()
    desk.supervisor.exited(desk.supervisor.instances["web.2"], ExitStatus(code=127), 1.0)
    desk.type(b"R")
    assert desk.renewed == ["web.2"]


def test_r_with_enter_alone_restarts_all(desk: Desk) -> None:
    desk.open()
    desk.type(b"r\n")
    assert desk.asked() == ["web.1", "web.2", "worker.1"]


def test_s_stops_one_instance_and_keeps_the_run(desk: Desk) -> None:
    desk.open()
    desk.type(b"s\n")
    assert desk.asked() == ["web.1", "web.2", "worker.1"]
    for instance in desk.supervisor.instances.values():
        desk.supervisor.exited(instance, ExitStatus(code=0), 1.0)
    desk.supervisor.take_actions()
    assert not desk.supervisor.settled
    desk.type(b"rworker.1\n")
    assert desk.actions() == [(Action.LAUNCH, "worker.1")]


def test_capital_r_restarts_only_what_failed(desk: Desk) -> None:
    desk.open()
    desk.type(b"R")
    assert desk.screen.said == ["nothing has failed"]
    desk.supervisor.exited(desk.supervisor.instances["web.2"], ExitStatus(code=127), 1.0)
    assert desk.supervisor.instances["web.2"].state == State.FAILED
    desk.actions()
    desk.type(b"R")
    assert desk.actions() == [(Action.LAUNCH, "web.2")]


def test_f_shows_one_type_and_all_again(desk: Desk) -> None:
    desk.open()
    desk.type(b"fweb\n")
    assert desk.screen.focus == ["web.1", "web.2"]
    desk.type(b"f\n")
    assert desk.screen.focus == []


def test_m_hides_shows_again_and_shows_all_again(desk: Desk) -> None:
    desk.open()
    desk.type(b"mweb\nmworker\n")
    assert desk.screen.hidden == ["web.1", "web.2", "worker.1"]
    desk.type(b"mworker.1\n")
    assert desk.screen.hidden == ["web.1", "web.2"]
    desk.type(b"m\n")
    assert desk.screen.hidden == []


def test_a_mistyped_name_leaves_shown_what_was_shown(desk: Desk) -> None:
    desk.open()
    desk.type(b"fweb\nfwbe\nmwbe\n")
    assert desk.screen.focus == ["web.1", "web.2"]
    desk.type(b"f\nmweb\nfwbe\nmwbe\n")
    assert desk.screen.hidden == ["web.1", "web.2"]


def test_m_takes_one_out_of_the_focus_or_into_it(desk: Desk) -> None:
    desk.open()
    desk.type(b"fweb\nmweb.2\n")
    assert desk.screen.focus == ["web.1"]
    desk.type(b"mworker\n")
    assert desk.screen.focus == ["web.1", "worker.1"]
    desk.type(b"mworker\nmweb.1\n")
    assert (desk.screen.focus, desk.screen.hidden) == ([], ["web.1"])


def test_m_mutes_all_of_a_type_of_which_one_is_muted(desk: Desk) -> None:
    desk.open()
    desk.type(b"mweb.1\nmweb\n")
    assert desk.screen.hidden == ["web.1", "web.2"]


def test_m_alone_shows_everybody_who_is_not_in_the_focus_either(desk: Desk) -> None:
    desk.open()
    desk.type(b"fweb\nm\n")
    assert (desk.screen.focus, desk.screen.hidden) == ([], [])


def test_a_slash_highlights_and_complains_about_what_is_no_pattern(desk: Desk) -> None:
    desk.open()
    desk.type(b"/err.*\n")
    assert desk.screen.pattern == "err.*"
    desk.type(b"/(\n")
    assert desk.screen.said == ["that is no regular expression"]


def test_where_nothing_can_be_marked_that_is_said(desk: Desk) -> None:
    desk.open()
    desk.screen.palette = Palette(False)
    desk.type(b"/err\n/\n")
    assert desk.screen.said == ["nothing is marked without color"]


def test_a_name_that_nobody_has_is_said(desk: Desk) -> None:
    desk.open()
    desk.type(b"swbe\n")
    assert desk.screen.said == ['there is no process called "wbe"']
    assert desk.asked() == []


def test_a_question_mark_helps_and_q_is_an_interrupt(desk: Desk) -> None:
    desk.open()
    desk.type(b"?")
    assert desk.screen.said == [HELP]
    desk.type(b"q")
    assert desk.raised == [signal.SIGINT]


def test_tab_completes_types_and_instances(desk: Desk) -> None:
    desk.open()
    desk.type(b"rwo\t")
    assert desk.screen.keys.prompt == "restart: worker"
    desk.type(b".\t\n")
    assert desk.asked() == ["worker.1"]


def test_every_key_lets_the_status_line_be_made_anew(desk: Desk) -> None:
    desk.open()
    before = desk.screen.changes
    desk.type(b"r")
    desk.type(b"w")
    assert desk.screen.changes == before + 2
