"""Which writer a descriptor gets, and what becomes of the descriptor."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from procman.output.writers import PIPE, SOCKET, enlarge_pipe, writer_for


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_a_socket_is_written_to_through_a_duplicate_that_is_closed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = writer_for(ours.fileno())
        assert (writer.kind, writer.fd != ours.fileno()) == (SOCKET, True)
        assert writer.send([b"a", b"b"]) == 2
        assert theirs.recv(10) == b"ab"
        duplicate = writer.fd
        writer.close()
        assert not is_open(duplicate)
        assert is_open(ours.fileno())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux opens the same pipe again")
def test_a_pipe_is_opened_again_and_closed_once() -> None:
    reader, fd = os.pipe()
    writer = writer_for(fd)
    assert (writer.kind, writer.owned, os.get_blocking(writer.fd), os.get_blocking(fd)) == (PIPE, True, False, True)
    own = writer.fd
    writer.close()
    assert not is_open(own)
    other = os.dup(fd)  # takes the free number
    writer.close()
    assert is_open(other)
    for left in (reader, fd, other):
        os.close(left)


def test_only_a_pipe_can_be_enlarged() -> None:
    reader, fd = os.pipe()
    assert enlarge_pipe(fd, 4096) == (sys.platform == "linux")

    with open(os.devnull, "wb") as null:
        assert not enlarge_pipe(null.fileno(), 4096)
    os.close(reader)
    os.close(fd)
