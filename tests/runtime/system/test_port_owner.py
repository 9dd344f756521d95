"""Who listens on a busy port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.runtime.system.port_owner import busy_ports, owner, port_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESSES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::1"), (socket.AF_INET6, "")]


@pytest.fixture(params=ADDRESSES, ids=["127.0.0.1", "0.0.0.0", "::1", "::"])
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    family, address = request.param
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    with listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_port_somebody_listens_on_is_busy(taken: int) -> None:
    assert busy_ports([taken]) == {taken}


def test_a_port_nobody_listens_on_is_free() -> None:
    assert busy_ports([free_port()]) == set()


def test_looking_leaves_the_port_free() -> None:
    port = free_port()
    busy_ports([port])
    with socket.create_server(("127.0.0.1", port)):
        assert busy_ports([port]) == {port}


def test_the_owner_is_named_by_pid_and_command(taken: int) -> None:
    assert owner(taken).startswith(f"pid {os.getpid()} (")


def test_the_command_of_a_stranger_stays_one_harmless_line() -> None:
    code = (
        "import socket, sys; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", f"# \x1b[31m\n{code}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        named = owner(int(stranger.stdout.readline()))
        stranger.kill()
    assert named.startswith(f"pid {stranger.pid} (")
    assert named.isprintable()


def test_nobody_is_named_where_nobody_is_found() -> None:
    assert owner(free_port()) in {"a process of another user", "another process"}


def test_a_warning_names_the_instance(taken: int) -> None:
    plan = InstancePlan("web.1", "web", 1, taken, "x", "/", {}, RestartPolicy(), StopPolicy())
    portless = InstancePlan("clock.1", "clock", 1, None, "x", "/", {}, RestartPolicy(), StopPolicy())
    (warning,) = port_warnings([plan, portless])
    assert warning.startswith(f"port {taken} of web.1 is taken by pid {os.getpid()} (")
