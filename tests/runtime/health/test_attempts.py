"""What each kind of check reports, with servers that answer, refuse, hang up and keep silent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.model.checks import EXEC, HTTP, TCP, Check
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.runtime.health import attempts
from procman.runtime.health.attempts import (
    ATTEMPTS,
    ExecAttempt,
    HttpAttempt,
    LogAttempt,
    LogLines,
    TcpAttempt,
    Tools,
    _http_trouble,
)
from procman.runtime.processes.side_commands import SideCommands
from procman.runtime.processes.tags import Tags
from procman.runtime.system.descriptors import DescriptorLimit
from procman.runtime.system.poller import Poller
from runtime.fakes import a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = 30.0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def until(answers: list[str], poller: Poller, also: Callable[[], None] = lambda: None) -> str:
    end = time.monotonic() + LIMIT
    while not answers:
        assert time.monotonic() < end
        for callback in poller.ready(0.01):
            callback()
        also()
    return answers[0]


def web(**env: str) -> InstancePlan:
    return InstancePlan("web.1", "web", 1, None, "x", os.getcwd(), env, RestartPolicy(), StopPolicy())


def tools(poller: Poller, side_commands: SideCommands | None = None, pid: int = os.getpid()) -> Tools:
    child = SimpleNamespace(pid=os.getpid())
    of: Any = {"web.1": child}.get
    children: Any = SimpleNamespace(side_commands=side_commands, of=of, tree=lambda _child: [pid])
    hub: Any = None
    return Tools(poller, children, hub)


def place(server: socket.socket) -> str:
    return f"localhost:{server.getsockname()[1]}"


def test_a_connection_that_is_taken_is_good(server: socket.socket) -> None:
    poller, answers = Poller(), list[str]()
    TcpAttempt(tools(poller), web(), Check(TCP, place(server)), answers.append)
    assert until(answers, poller) == ""


def test_a_port_that_nobody_listens_on_refuses(server: socket.socket) -> None:
    where = place(server)
    server.close()
    poller, answers = Poller(), list[str]()
    TcpAttempt(tools(poller), web(), Check(TCP, where), answers.append)
    assert until(answers, poller) == "connection refused"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", ""),
        (b"HTTP/1.1 204\r\n\r\n", ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP 503 Service Unavailable"),
        (b"HTTP/1.1 404 Not Found\n", "HTTP 404 Not Found"),
        (b"HTTP/1.1 500 \x1b[31mRed\x1b]0;title\x07\xff\r\n", "HTTP 500 ?[31mRed?]0;title?\ufffd"),
        (b"HTTP/1.1 " + b"5" * 5000 + b"\r\n", "the answer is not HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP"),
        (b"x" * 9000, "the answer is not HTTP"),
        (b"", "the server closed the connection without an answer"),
    ],
)
def test_the_status_of_a_page(server: socket.socket, answer: bytes, words: str) -> None:
    poller, answers = Poller(), list[str]()
    HttpAttempt(tools(poller), web(), Check(HTTP, f"http://{place(server)}/health?x=1"), answers.append)
    server.setblocking(False)
    peers: list[socket.socket] = []

    def serve() -> None:
        try:
            peers.append(server.accept()[0])
        except BlockingIOError:
            return
        peers[-1].settimeout(LIMIT)
        request = peers[-1].recv(4096)
        assert request.startswith(b"GET /health?x=1 HTTP/1.1\r\nHost: localhost:")
        peers[-1].sendall(answer)
        peers[-1].close()

    assert until(answers, poller, serve) == words


def test_a_request_has_the_headers_of_its_check_and_a_status_may_be_good(server: socket.socket) -> None:
    poller, answers, requests = Poller(), list[str](), list[bytes]()
    headers = (("X-Guest", "me"), ("host", "shop.test"), ("Accept", "text/plain"))
    check = Check(HTTP, f"http://{place(server)}/", status=(401, 403), headers=headers)
    HttpAttempt(tools(poller), web(), check, answers.append)
    server.setblocking(False)

    def serve() -> None:
        try:
            peer = server.accept()[0]
        except BlockingIOError:
            return
        peer.settimeout(LIMIT)
        requests.append(peer.recv(4096))
        peer.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        peer.close()

    assert until(answers, poller, serve) == ""
    lines = requests[0].split(b"\r\n")
    assert {b"Host: shop.test", b"X-Guest: me", b"Accept: text/plain"} < set(lines)
    assert len([line for line in lines if line.lower().startswith((b"host:", b"accept:"))]) == 2
    assert _http_trouble(b"HTTP/1.1 200 OK\r\n", (401, 403)) == "HTTP 200 OK"


def test_a_question_that_was_dropped_is_not_answered(server: socket.socket) -> None:
    poller, answers = Poller(), list[str]()
    TcpAttempt(tools(poller), web(), Check(TCP, place(server)), answers.append).drop()
    assert poller.ready(0.05) == []
    assert answers == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("exit 0", ""),
        ("echo so far; echo 'no such table' >&2; exit 3", "no such table"),
        ("exit 3", "the check exited with code 3"),
        ("no-such-program-here", "not found"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("sleep 1000 & exit 0", ""),
        ('test "$A" = b', ""),
    ],
)
def test_the_end_of_a_command(command: str, words: str) -> None:
    plan = web(PATH="/usr/bin:/bin", A="b")  # a folder that may not be read makes dash say "Permission denied"
    null = os.open(os.devnull, os.O_RDWR)
    side_commands, answers = SideCommands(null, os.getcwd(), Tags("test"), DescriptorLimit(0, null)), list[str]()
    poller = Poller()
    ExecAttempt(tools(poller, side_commands), plan, Check(EXEC, command), answers.append)
    said = until(answers, poller, side_commands.reap)
    assert (said == "") if not words else (words in said)
    os.close(null)


def test_a_command_that_was_dropped_is_killed_and_reaped() -> None:
    plan = InstancePlan("web.1", "web", 1, None, "x", "/", dict(os.environ), RestartPolicy(), StopPolicy())
    null = os.open(os.devnull, os.O_RDWR)
    side_commands, answers = SideCommands(null, os.getcwd(), Tags("test"), DescriptorLimit(0, null)), list[str]()
    side_command = side_commands.run(
        plan, f"{sys.executable} -c 'import time; time.sleep(1000)'", lambda status, words: None
    )
    assert side_command is not None
    side_command.drop()
    end = time.monotonic() + LIMIT
    while side_command.pid in side_commands:
        assert time.monotonic() < end
        side_commands.reap()
    assert answers == []
    os.close(null)


@pytest.fixture
def other() -> Iterator[int]:
    """A process that holds no socket of ours."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


linux = pytest.mark.skipif(sys.platform != "linux", reason="only /proc says who listens")


@linux
@pytest.mark.parametrize("kind", [TCP, HTTP])
def test_another_process_at_the_port_does_not_pass_and_is_named(server: socket.socket, other: int, kind: str) -> None:
    poller, answers = Poller(), list[str]()
    target = place(server) if kind == TCP else f"http://{place(server)}/"
    ATTEMPTS[kind](tools(poller, pid=other), web(), Check(kind, target), answers.append)
    answer = until(answers, poller)
    port = server.getsockname()[1]
    assert answer.startswith(f"port {port} is answered by pid {os.getpid()} ("), answer
    assert answer.endswith(", not by web.1")


@linux
def test_anyone_may_answer_if_the_check_says_so(server: socket.socket, other: int) -> None:
    poller, answers = Poller(), list[str]()
    TcpAttempt(tools(poller, pid=other), web(), Check(TCP, place(server), anyone=True), answers.append)
    assert until(answers, poller) == ""


@linux
def test_the_engine_of_a_container_may_answer_for_its_client(server: socket.socket, other: int) -> None:
    poller, answers = Poller(), list[str]()
    plan = web()
    plan.command = "exec /usr/bin/docker run -p 80:80 nginx"
    TcpAttempt(tools(poller, pid=other), plan, Check(TCP, place(server)), answers.append)
    assert until(answers, poller) == ""


# Lines and answers --------------------------------------------------------------------------------------------------


def test_a_line_is_answered_once_wherever_it_stands_in_a_chunk() -> None:
    answers: list[str] = []
    lines = LogLines()
    assert lines.is_idle
    lines.expect("web.1", "^ready$", answers.append)
    assert not lines.is_idle
    lines.publish("db.1", "stdout", b"ready\n")
    lines.publish("web.1", "stdout", b"not ready\n")
    assert answers == []
    lines.publish("web.1", "stdout", b"one\nready\ntwo\n")
    lines.publish("web.1", "stdout", b"ready\n")
    assert answers == [""]
    assert lines.is_idle


def test_a_prompt_is_a_line_too() -> None:
    answers: list[str] = []
    lines = LogLines()
    lines.expect("web.1", "sure", answers.append)
    assert not lines.partial("web.1", "stdout", b"are you sure? ")
    assert answers == [""]


def test_the_sink_is_in_the_hub_only_while_a_line_is_awaited() -> None:
    sinks: list[object] = []
    hub: Any = SimpleNamespace(add=sinks.append, remove=sinks.remove)
    nothing: Any = None
    tools = Tools(nothing, nothing, hub)
    attempt = LogAttempt(tools, a_plan("web.1"), Check("log", "ready"), lambda _trouble: None)
    tools.release_idle()
    assert sinks == [tools.log_lines]
    attempt.drop()
    tools.release_idle()
    assert sinks == []


@pytest.mark.parametrize("response", [b"FTP/1.1 200 OK\r\n", b"220 ready\r\n", b"200\r\n"])
def test_an_answer_of_another_protocol_is_none(response: bytes) -> None:
    assert _http_trouble(response, attempts.GOOD_STATUS) == "the answer is not HTTP"


@pytest.mark.parametrize("own", [False, True])
def test_a_connection_is_let_go_before_its_answer_and_one_to_itself_is_none(
    monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    polled: dict[int, Any] = {}
    poller: Any = SimpleNamespace(add=lambda fd, callback, *_: polled.__setitem__(fd, callback), remove=polled.pop)
    tools: Any = SimpleNamespace(poller=poller, owners=None)
    answers: list[tuple[str, int]] = []
    monkeypatch.setattr(attempts, "_is_own", lambda _connection: own)
    with socket.create_server(("127.0.0.1", 0)) as server:
        check = Check("tcp", f"127.0.0.1:{server.getsockname()[1]}")
        attempt = TcpAttempt(tools, a_plan("web.1"), check, lambda trouble: answers.append((trouble, len(polled))))
        for callback in list(polled.values()):
            callback()
    assert answers == [("connection refused" if own else "", 0)]
    assert attempt._socket is None


@pytest.mark.parametrize(("code", "good"), [(199, False), (200, True), (399, True), (400, False)])
def test_a_page_is_good_from_200_to_399(code: int, good: bool) -> None:
    assert (code in attempts.GOOD_STATUS) is good
