"""A socket at which something else answers: another program, another user, or a session of another version."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from procman.cli.control.log_printers import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness

COMMANDS = [
    "ps",
    "stop",
    "restart",
    "scale web=2",
    "signal USR1 web",
    "pause",
    "logs",
    "wait",
    "why",
    "events",
    "attach web",
]


class Stranger:
    """Listens at ``path`` and gives every client the same answer."""

    def __init__(self, path: str) -> None:
        self.answer = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client:
                client.recv(65536)
                client.sendall(self.answer)


@pytest.fixture
def stranger(place: harness.Place) -> Stranger:
    return Stranger(str(place.folder / "sock"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"[1]\n",
        b'{"size": -1}\n',
        b'{"size": "x"}\n',
        b'{"done": 1, "instances": 3}\n',
    ],
)
def test_an_odd_answer_is_one_sentence_and_never_a_bug(
    place: harness.Place, stranger: Stranger, command: str, answer: bytes
) -> None:
    stranger.answer = answer
    done = place.call(*command.split(), "--socket", "sock")
    assert "bug" not in done.err
    assert "Traceback" not in done.err
    assert done.code in (0, 1)
    if answer[:1] != b"{" or b"size" in answer:
        assert "not a session that this procman understands" in done.err


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can be another user")
def test_a_socket_of_another_user_is_not_talked_to() -> None:
    """One user listens and another connects, in a folder that both may enter."""
    script = """
import os, _socket, tempfile
from procman.runtime.control import endpoint
with tempfile.TemporaryDirectory(dir="/tmp") as folder:
    os.chmod(folder, 0o755)
    listener = _socket.socket(_socket.AF_UNIX)
    listener.bind(f"{folder}/sock")
    os.chmod(f"{folder}/sock", 0o777)
    os.seteuid(65533)
    listener.listen(1)
    os.seteuid(0)
    os.seteuid(65534)
    try:
        print(endpoint.connect(f"{folder}/sock"))
    except endpoint.EndpointError as error:
        print(error)
    os.seteuid(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert "belongs to another user" in done.stdout, done


def test_lines_of_a_session_do_not_act_on_the_terminal() -> None:
    shown = safe(b"a\x1b]52;c;aGk=\x07b\x1b[2J\x1b]0;title\x07 \x1b[31mred\x1b[0m\n")
    assert b"\x1b]" not in shown
    assert b"\x1b[2J" not in shown
    assert b"\x1b[31mred\x1b[0m" in shown
