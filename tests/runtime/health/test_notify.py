"""What systemd is notified of: sd_notify on a socket of the test."""

from __future__ import annotations

import os
import socket
import uuid

import pytest

from procman.core.lifecycle.outcome import TERMINATED
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.lifecycle.transitions import Action, State
from procman.core.model.checks import Check
from procman.core.model.status import ExitStatus
from procman.runtime.health.notify import Notifier, _watchdog_period
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def close(notifier: Notifier) -> None:
    """Close its socket, which otherwise ends with the process."""
    if notifier._socket is not None:
        notifier._socket.close()


class Systemd:
    """The receiving end, and a notifier of two instances."""

    def __init__(self, path: Path, **environ: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        plans = [a_plan("web.1", ready=Check("tcp", "x")), a_plan("db.1")]
        self.supervisor = Supervisor(plans)
        self.web, self.db = self.supervisor.instances.values()
        self.notifier = Notifier(self.supervisor, {"NOTIFY_SOCKET": str(path), **environ}, 100.0)
        self.supervisor.start_all(0.0)
        self.supervisor.spawned(self.web, 1, 0.0)
        self.supervisor.spawned(self.db, 2, 0.0)

    def close(self) -> None:
        self.socket.close()
        close(self.notifier)

    def tell(self, now: float = 100.0) -> list[str]:
        self.notifier.on_event(Action.ANNOUNCE_STARTED, self.web, now)
        return self.read()

    def read(self) -> list[str]:
        messages = []
        try:
            while True:
                messages.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return messages


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(tmp_path / "notify")
    yield systemd
    systemd.close()


def test_ready_is_said_once_all_are_up_and_only_once(systemd: Systemd) -> None:
    assert systemd.tell() == ["STATUS=1 starting, 1 running"]
    systemd.supervisor.ready(systemd.web, 1.0)
    assert systemd.tell() == ["READY=1", "STATUS=2 running"]
    assert systemd.tell() == ["STATUS=2 running"]


def test_one_that_has_ended_does_not_keep_it_from_being_ready(systemd: Systemd) -> None:
    systemd.supervisor.ready(systemd.web, 1.0)
    systemd.supervisor.exited(systemd.db, ExitStatus(code=0), 2.0)
    assert systemd.tell() == ["READY=1", "STATUS=1 running, 1 exited"]


def test_stopping_is_said_once(systemd: Systemd) -> None:
    systemd.supervisor.stop_all(TERMINATED, 2.0)
    assert systemd.tell() == ["STOPPING=1", "STATUS=2 stopping"]
    assert systemd.tell() == ["STATUS=2 stopping"]


def test_without_a_watchdog_there_is_no_deadline(systemd: Systemd) -> None:
    systemd.tell()
    assert systemd.notifier.next_deadline() is None
    systemd.notifier.tick(1e9)
    assert systemd.read() == []


def fill(sender: socket.socket) -> int:
    """Send until the receiver takes no more; return how many."""
    for count in range(10_000):
        try:
            sender.send(b"fill")
        except BlockingIOError:
            return count
    raise AssertionError("it takes everything")


def test_a_full_socket_is_tried_again_and_only_the_newest_status_is_kept(systemd: Systemd) -> None:
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.setblocking(False)
    filler.connect(systemd.socket.getsockname())
    filled = fill(filler)
    filler.close()
    systemd.notifier.on_event(Action.ANNOUNCE_STARTED, systemd.web, 100.0)
    assert systemd.notifier.next_deadline() == pytest.approx(100.05)
    systemd.supervisor.ready(systemd.web, 1.0)
    systemd.notifier.on_event(Action.ANNOUNCE_READY, systemd.web, 100.01)
    systemd.notifier.on_event(Action.ANNOUNCE_READY, systemd.web, 100.01)
    assert systemd.read() == ["fill"] * filled
    systemd.notifier.tick(100.02)
    assert systemd.read() == []
    systemd.notifier.tick(100.06)
    assert systemd.read() == ["READY=1", "STATUS=2 running"]
    assert systemd.notifier.next_deadline() is None


@pytest.mark.parametrize(
    ("microseconds", "period"), [("1", 0.001), ("2000", 0.001), ("100000", 0.05), ("20000000", 10.0), ("", None)]
)
def test_the_period_of_the_watchdog_is_half_of_its_time(microseconds: str, period: float | None) -> None:
    assert _watchdog_period({"WATCHDOG_USEC": microseconds}) == period


def test_the_watchdog_is_fed_after_half_of_its_time(tmp_path: Path) -> None:
    systemd = Systemd(tmp_path / "notify", WATCHDOG_USEC="3000000", WATCHDOG_PID=str(os.getpid()))
    assert systemd.notifier.next_deadline() == 101.5
    systemd.notifier.tick(101.4)
    assert systemd.read() == []
    systemd.notifier.tick(101.5)
    assert systemd.read() == ["WATCHDOG=1"]
    assert systemd.notifier.next_deadline() == 103.0
    systemd.close()


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}], ids=str
)
def test_a_watchdog_that_is_not_for_us_is_not_fed(tmp_path: Path, environ: dict[str, str]) -> None:
    systemd = Systemd(tmp_path / "notify", **environ)
    assert systemd.notifier.next_deadline() is None
    systemd.close()


def test_an_abstract_address_begins_with_a_nul(tmp_path: Path) -> None:
    name = f"procman-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        supervisor = Supervisor([a_plan("web.1")])
        notifier = Notifier(supervisor, {"NOTIFY_SOCKET": f"@{name}"}, 0.0)
        notifier.on_event(Action.ANNOUNCE_STARTED, supervisor.instances["web.1"], 0.0)
        assert receiver.recv(100) == b"READY=1"
        close(notifier)


def test_a_receiver_that_is_gone_is_no_error(systemd: Systemd) -> None:
    systemd.tell()
    systemd.socket.close()
    systemd.notifier.on_event(Action.ANNOUNCE_STARTED, systemd.web, 100.0)
    assert systemd.notifier.next_deadline() is None


def test_one_that_waits_for_another_is_not_ready_yet(systemd: Systemd) -> None:
    systemd.supervisor.ready(systemd.web, 1.0)
    systemd.db.state = State.WAITING
    assert "READY=1" not in systemd.tell()
    systemd.db.state = State.RUNNING
    assert "READY=1" in systemd.tell()
