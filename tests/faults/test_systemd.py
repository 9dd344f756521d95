"""Under systemd: READY, STATUS, STOPPING and WATCHDOG arrive, even if the socket is not read for a while."""

from __future__ import annotations

import signal
import socket
import uuid

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Place


class Listener:
    """The other side of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(kit.LIMIT)
        self.heard: list[str] = []

    def wait_for(self, line: str) -> None:
        """Receive until a line begins so."""
        while not any(heard.startswith(line) for heard in self.heard):
            self.heard += self.socket.recv(4096).decode().splitlines()
        self.heard = [heard for heard in self.heard if not heard.startswith(line)]


@pytest.fixture
def listener(place: Place) -> Iterator[Listener]:
    """A notify socket in the place."""
    kit.need_linux()
    found = Listener(str(place.folder / "notify"))
    yield found
    found.socket.close()


def _variables(place: Place, **more: str) -> dict[str, str | None]:
    return {"NOTIFY_SOCKET": str(place.folder / "notify"), "WATCHDOG_USEC": "200000", **more}


def test_every_message_arrives(place: Place, listener: Listener) -> None:
    place.procfile(f"web: exec sleep {kit.sleep_time()}\n")
    session = place.start(env=_variables(place))
    listener.wait_for("READY=1")
    listener.wait_for("STATUS=")
    for _ in range(3):
        listener.wait_for("WATCHDOG=1")
    session.signal(signal.SIGTERM)
    listener.wait_for("STOPPING=1")
    assert session.wait() == 0


def test_an_abstract_socket_will_do(place: Place) -> None:
    kit.need_linux()
    address = f"@procman-test-{uuid.uuid4().hex}"
    listener = Listener(address)
    place.procfile(f"web: exec sleep {kit.sleep_time()}\n")
    session = place.start(env={"NOTIFY_SOCKET": address})
    listener.wait_for("READY=1")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    listener.socket.close()


def test_ready_and_stopping_arrive_although_nobody_reads_for_a_while(place: Place, listener: Listener) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.start("-m", "web=100", env=_variables(place, WATCHDOG_USEC="2000"))
    kit.wait_running(100, argument)
    session.wait_for(r"web\.100 started")
    listener.wait_for("READY=1")
    session.signal(signal.SIGTERM)
    listener.wait_for("STOPPING=1")
    assert session.wait() == 0


def test_the_process_that_systemd_knows_is_the_one_that_works(place: Place, listener: Listener) -> None:
    """SYSTEMD_EXEC_PID is our own pid: no guardian, so that messages come from the main process."""
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    program = kit.wrapper(place, 'SYSTEMD_EXEC_PID=$$ WATCHDOG_PID=$$ exec "$PROCMAN" "$@"')
    session = place.session("start", program=program, env=_variables(place))
    listener.wait_for("READY=1")
    listener.wait_for("WATCHDOG=1")
    assert len(kit.all_pids(session)) == 2
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


def test_a_watchdog_for_the_visible_pid_is_fed(place: Place, listener: Listener) -> None:
    place.procfile(f"web: exec sleep {kit.sleep_time()}\n")
    program = kit.wrapper(place, 'WATCHDOG_PID=$$ exec "$PROCMAN" "$@"')
    session = place.session("start", program=program, env=_variables(place))
    listener.wait_for("WATCHDOG=1")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


def test_a_failure_ends_the_service_with_its_code(place: Place, listener: Listener) -> None:
    place.procfile(f"bad: exit 42\ngood: exec sleep {kit.sleep_time()}\n")
    program = kit.wrapper(place, 'SYSTEMD_EXEC_PID=$$ exec "$PROCMAN" "$@"')
    session = place.session("start", "--restart", "never", program=program, env=_variables(place))
    assert session.wait() == 42


def test_a_socket_that_is_not_there_harms_nobody(place: Place) -> None:
    place.procfile("web: echo fine\n")
    session = place.start(env={"NOTIFY_SOCKET": str(place.folder / "nowhere"), "WATCHDOG_USEC": "1000"})
    assert session.wait() == 0
    assert "fine" in session.text


OWN = {
    "WATCHDOG_PID": "1",
    "LISTEN_FDS": "1",
    "LISTEN_FDNAMES": "web",
    "LISTEN_PID": "1",
}
SHOW = "env | grep -E '^(NOTIFY|WATCHDOG|LISTEN)_'"


def test_what_systemd_tells_procman_reaches_none_of_its_processes(place: Place, listener: Listener) -> None:
    """Else a process would end the start of the unit with its own READY=1, or take our sockets for its own."""
    place.procfile(f"web: {SHOW} > web-has; exec sleep {kit.sleep_time()}\n")
    place.write(
        "procman.toml",
        f"""on.ready = "{SHOW} > hook-has; echo >> hook-has"
        [process.web]
        ready.exec = "{SHOW} > check-has; echo >> check-has"
        stop_command = "{SHOW} > stop-has; kill $PROCMAN_PID"
        """,
    )
    session = place.start(env=_variables(place, **OWN))
    listener.wait_for("READY=1")
    while not (place.folder / "hook-has").exists() or not (place.folder / "hook-has").read_text():
        assert place.call("ps").code == 0
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    found = {name: (place.folder / f"{name}-has").read_text().split() for name in ("web", "hook", "check", "stop")}
    assert found == {"web": [], "hook": [], "check": [], "stop": []}


@pytest.mark.parametrize("command", ["run", "test"])
def test_neither_does_it_reach_a_command(place: Place, listener: Listener, command: str) -> None:
    place.procfile(f"web: exec sleep {kit.sleep_time()}\n")
    done = place.call(command, "--", "sh", "-c", f"{SHOW} > has; exit 7", env=_variables(place, **OWN))
    assert done.code == 7, done
    assert (place.folder / "has").read_text() == ""


def test_what_an_env_file_says_still_does(place: Place) -> None:
    place.write(".env", "NOTIFY_SOCKET=/run/mine\n")
    done = place.call("run", "--", "sh", "-c", SHOW, env={"NOTIFY_SOCKET": "/run/ours", "WATCHDOG_USEC": "1"})
    assert done.out == "NOTIFY_SOCKET=/run/mine\n"


def test_a_session_in_the_background_is_not_the_service(place: Place, listener: Listener) -> None:
    place.procfile(f"web: exec sleep {kit.sleep_time()}\n")
    try:
        assert place.call("up", env=_variables(place)).code == 0
    finally:
        assert place.call("down").code == 0
    listener.socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.socket.recv(1)
