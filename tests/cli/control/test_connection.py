"""The client's side of the socket: records and their bytes, refusals, and sessions that do not answer."""

from __future__ import annotations

import errno
import json
import socket

import pytest

from procman.cli.control import connection as module
from procman.cli.control.connection import Connection, NoSessionError, RefusedError, print_answer, require_success
from procman.core.text.protocol import REQUEST_LIMIT
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Session:
    """The other end of a connection: it answers what the test has written before."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX)
        self.connection = Connection(ours, timeout=0.05)

    def write(self, *records: object, payload: bytes = b"") -> None:
        self.theirs.sendall(b"".join(json.dumps(record).encode() + b"\n" for record in records) + payload)

    def hang_up(self) -> None:
        self.theirs.shutdown(socket.SHUT_WR)


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    yield made
    made.connection.close()
    made.theirs.close()


def test_a_request_returns_the_last_record_and_passes_messages_on(session: Session) -> None:
    session.write({"say": "stopping web.1"}, {"say": "web.1 stopped"}, {"done": True, "code": 0})
    messages: list[str] = []
    assert session.connection.request({"verb": "stop"}, messages.append) == {"done": True, "code": 0}
    assert messages == ["stopping web.1", "web.1 stopped"]
    assert json.loads(session.theirs.recv(4096)) == {"verb": "stop"}


def test_a_refusal_has_its_message_hint_and_code(session: Session) -> None:
    session.write({"done": True, "error": "no", "hint": "try", "code": 124})
    with pytest.raises(RefusedError) as caught:
        session.connection.request({"verb": "wait"})
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == ("no", "try", 124)


@pytest.mark.parametrize("code", [None, "x", []])
def test_a_refusal_without_a_valid_code_is_a_failure(code: object) -> None:
    with pytest.raises(RefusedError) as caught:
        require_success({"error": "no", "code": code})
    assert caught.value.exit_code == 1


def test_bytes_belong_to_the_record_before_them(session: Session) -> None:
    session.write({"log": "web.1", "size": 11}, payload=b'{"a": 1}\nb\n')
    session.write({"done": True})
    session.hang_up()
    assert list(session.connection.answers()) == [
        ({"log": "web.1", "size": 11}, b'{"a": 1}\nb\n'),
        ({"done": True}, b""),
    ]


def test_a_record_is_complete_when_its_last_byte_is_here(session: Session) -> None:
    data = b'{"size": 3}\nabc{"done": true}\n'
    complete = []
    for byte in data:
        session.theirs.sendall(bytes([byte]))
        assert session.connection.receive()
        while (answer := session.connection.pop()) is not None:
            complete.append(answer)
    assert complete == [({"size": 3}, b"abc"), ({"done": True}, b"")]


def test_a_session_that_hangs_up_without_an_answer_has_ended(session: Session) -> None:
    session.write({"say": "half"})
    session.hang_up()
    with pytest.raises(NoSessionError, match=r"^the session has ended$"):
        session.connection.request({"verb": "ps"})


def test_a_session_that_is_silent_is_given_up(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "require_awake", lambda _socket: None)
    with pytest.raises(NoSessionError, match=r"^the session does not answer$"):
        session.connection.request({"verb": "ps"})


def test_a_request_without_limit_waits_as_long_as_it_takes(session: Session) -> None:
    session.write({"done": True})
    session.connection.request({"verb": "wait"}, unlimited=True)
    assert session.connection._socket.gettimeout() is None


def test_a_request_that_is_too_long_is_not_sent(session: Session) -> None:
    with pytest.raises(UsageError, match="too long for one request"):
        session.connection.send({"names": ["x" * REQUEST_LIMIT]})
    session.theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        session.theirs.recv(1)


def test_what_a_session_wrote_before_it_left_can_be_read(session: Session) -> None:
    session.write({"done": True, "over": True})
    session.theirs.close()
    assert session.connection.request({"verb": "stop"})["over"] is True


def test_messages_are_printed_as_they_arrive(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.write({"say": "one"}, {"say": "two"}, {"done": True})
    assert print_answer(session.connection, {"verb": "stop"}, as_json=False) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize(
    ("last", "code", "printed"),
    [
        ({"done": True, "code": 0}, 0, {"ok": True, "said": ["one"], "code": 0}),
        (
            {"done": True, "error": "no", "hint": "try", "code": 124},
            124,
            {"ok": False, "said": ["one"], "error": "no", "hint": "try", "code": 124},
        ),
    ],
)
def test_with_json_there_is_one_object_at_the_end(
    session: Session, capsys: pytest.CaptureFixture[str], last: object, code: int, printed: object
) -> None:
    session.write({"say": "one"}, last)
    assert print_answer(session.connection, {"verb": "stop"}, as_json=True) == code
    assert json.loads(capsys.readouterr().out) == printed


def test_a_request_that_cannot_be_sent_does_not_wait_for_an_answer(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def sendall(self, _line: bytes) -> None:
            raise OSError(errno.ENOBUFS, "No buffer space available")

        def close(self) -> None:
            pass

    monkeypatch.setattr(session.connection, "_socket", Full())
    with pytest.raises(NoSessionError, match="cannot send the request: no buffer space"):
        session.connection.request({"verb": "ps"}, unlimited=True)
