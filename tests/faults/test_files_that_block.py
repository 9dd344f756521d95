"""A file that can be read forever (a named pipe with a silent writer, a dead network disk): signals still end us."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from harness import Place

CODES = [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGQUIT, 131), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]


def _silent_writer(fifo: Path) -> int:
    """The writing end, once there is a reader."""
    ends: list[int] = []

    def opened() -> bool:
        try:
            ends.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:  # there is no reader yet
                raise
            return False
        return True

    kit.wait_until(opened, "a reader of the pipe")
    return ends[0]


@pytest.mark.parametrize("name", ["Procfile", ".env"])
@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_signal_ends_us_while_a_file_is_being_read(place: Place, name: str, number: int, code: int) -> None:
    kit.need_linux()
    if name != "Procfile":
        place.procfile("web: sleep 1000\n")
    os.mkfifo(place.folder / name, 0o600)
    session = place.start()
    writer = _silent_writer(place.folder / name)
    for _ in range(20):  # no reason to end, before there is anything to tell of; and the next comes as we look at it
        session.signal(signal.SIGUSR1)
    session.signal(number)
    assert session.wait() == code
    os.close(writer)
    assert session.err == b""
    session.wait_until_gone()


def test_a_pipe_that_is_written_in_the_end_is_read_like_a_file(place: Place) -> None:
    kit.need_linux()
    place.procfile('web: test "$WORD" = late\n')
    os.mkfifo(place.folder / ".env", 0o600)
    session = place.start("--restart", "never")
    writer = _silent_writer(place.folder / ".env")
    session.signal(signal.SIGUSR1)
    os.write(writer, b"WORD=late\n")
    os.close(writer)
    assert session.wait() == 0


@pytest.mark.parametrize("name", ["Procfile", ".env"])
def test_a_restart_does_not_wait_for_ever_for_a_file(place: Place, name: str) -> None:
    """The whole session would wait with it, and handle nothing, not even a stop signal."""
    kit.need_linux()
    place.procfile("web: sleep 1000\n")
    session = place.start()
    session.wait_for("web.1 started")
    (place.folder / name).unlink(missing_ok=True)
    os.mkfifo(place.folder / name, 0o600)
    refused = place.call("restart", "web")
    assert refused.code == 2
    assert "could not read the files within 2 seconds" in refused.err
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
