"""What instances tell by sd_notify(3), over the real sockets of the kernel."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.model.checks import NOTIFY, Check
from procman.runtime.health.attempts import NotifyAttempt, Tools
from procman.runtime.health.notifications import Notifications
from procman.runtime.processes import notify_sockets
from procman.runtime.processes.notify_sockets import MOST_PER_TURN, NotifySockets
from procman.runtime.processes.spawn import SpawnError
from procman.runtime.system.poller import Poller
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Told:
    """An instance web.1 with a socket; ``tell`` sends what a program of it would."""

    def __init__(self, health: Check | None = None) -> None:
        self.plan = a_plan("web.1", ready=None if health else Check(NOTIFY, ""), health=health)
        self.poller = Poller()
        self.sockets = NotifySockets()
        self.tree: list[int] = []
        sockets = SimpleNamespace(notify=self.sockets)
        children: Any = SimpleNamespace(sockets=sockets, of={"web.1": 1}.get, tree=lambda _child: self.tree)
        hub: Any = None
        self.tools = Tools(self.poller, children, hub)
        self.notifications = Notifications(self.poller, children)
        self.tools._notifications = self.notifications
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.client.setblocking(False)
        self.env: dict[str, str] = {}
        self.equip()

    def equip(self) -> None:
        self.sockets.equip(self.plan, self.env)

    def tell(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        self.client.sendto(data, "\0" + self.env["NOTIFY_SOCKET"][1:])
        self.look()

    def look(self) -> None:
        for callback in self.poller.ready(0.0):
            callback()

    def attempt(self) -> list[str]:
        answers: list[str] = []
        check = self.plan.ready or self.plan.health
        assert check is not None
        NotifyAttempt(self.tools, self.plan, check, answers.append)
        return answers

    def close(self) -> None:
        self.poller.close()
        for one in (self.client, *self.sockets._sockets.values()):
            one.close()


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    yield told
    told.close()


def test_ready_is_answered_once_and_a_status_before_it(told: Told) -> None:
    told.notifications.begin("web.1")
    answers = told.attempt()
    told.tell("STATUS=loading \x1b[31mred\nMAINPID=3\n")
    told.tell(b"X=1\nREADY=1\nSTATUS=up")
    told.tell("READY=1")
    assert answers == ["loading ?[31mred", ""]


def test_ready_may_come_before_anything_waits_for_it(told: Told) -> None:
    told.tell("READY=1")
    told.notifications.begin("web.1")
    told.look()
    assert told.attempt() == [""]


def test_an_earlier_life_makes_no_later_one_ready(told: Told) -> None:
    told.notifications.begin("web.1")
    told.attempt()
    told.tell("READY=1")
    told.client.sendto(b"READY=1", "\0" + told.env["NOTIFY_SOCKET"][1:])  # its last words, not read yet
    told.equip()
    told.notifications.begin("web.1")
    told.look()
    assert told.attempt() == []


def test_an_earlier_life_that_has_sent_a_lot_makes_no_later_one_ready(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_sockets, "MOST_PER_TURN", 2)
    told.notifications.begin("web.1")
    for _ in range(7):
        told.client.sendto(b"READY=1", "\0" + told.env["NOTIFY_SOCKET"][1:])
    told.equip()
    told.notifications.begin("web.1")
    told.look()
    assert told.attempt() == []


def test_what_was_dropped_is_not_answered(told: Told) -> None:
    told.notifications.begin("web.1")
    answers: list[str] = []
    assert told.plan.ready is not None
    NotifyAttempt(told.tools, told.plan, told.plan.ready, answers.append).drop()
    told.tell("READY=1")
    assert answers == []


def test_a_stranger_is_not_believed_but_a_process_of_the_instance_is(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.notifications.begin("web.1")
    answers = told.attempt()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(NotifySockets, "messages", lambda *_: iter([(99, 4711, "READY=1")]))
    told.notifications._on_messages("web.1")
    assert answers == []
    told.tree = [99]
    told.notifications._on_messages("web.1")
    assert answers == [""]


def test_the_watchdog_wants_a_sign_of_life_in_each_interval() -> None:
    told = Told(health=Check(NOTIFY, "", interval=30.0))
    assert told.env["WATCHDOG_USEC"] == "30000000"
    told.notifications.begin("web.1")
    told.tell("WATCHDOG=1")
    told.tell("WATCHDOG=1")
    assert (told.attempt(), told.attempt()) == ([""], ["no WATCHDOG=1 within 30 s"])
    told.close()


def test_a_flood_is_read_in_parts(told: Told) -> None:
    told.notifications.begin("web.1")
    for _ in range(3 * MOST_PER_TURN):
        told.tell("STATUS=x")
    told.tell("READY=1")
    assert told.attempt() == [""]


@pytest.mark.parametrize("text", [b"", b"\0", b"\xff\xfe", b"=", b"READY=10", b"READY=1 ", b"x" * 9000])
def test_other_datagrams_mean_nothing(told: Told, text: bytes) -> None:
    told.notifications.begin("web.1")
    answers = told.attempt()
    told.tell(text)
    assert answers == []


def test_without_a_socket_it_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.exists", lambda _path: False)
    with pytest.raises(SpawnError) as refused:
        NotifySockets().equip(a_plan("web.1", ready=Check(NOTIFY, "")), {})
    assert refused.value.reason.startswith("cannot start: no socket for notifications")
