"""`su` passes on a terminal that belongs to another user: procman writes to it, and leaves it as it was."""

from __future__ import annotations

import os
import signal
import stat

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


def test_a_terminal_owned_by_somebody_else_is_written_to(place: Place) -> None:
    program = kit.as_nobody(place)
    argument = kit.sleep_time()
    place.procfile(f"web: echo hello; exec sleep {argument}\n")
    session = place.session("start", program=program, pty=True)
    assert os.fstat(session.terminal) is not None
    session.wait_for("hello")
    session.type(b"\x03")
    assert session.wait() == 130
    assert kit.running(argument) == []


def test_a_foreign_terminal_that_is_not_ours_to_open_is_written_to(place: Place) -> None:
    program = kit.as_nobody(place)
    argument = kit.sleep_time()
    place.procfile(f"web: seq 2000; exec sleep {argument}\n")
    master, slave = os.openpty()
    os.fchmod(slave, stat.S_IRUSR | stat.S_IWUSR)
    session = place.session("start", program=program, stdout=slave)
    seen = b""
    while b"2000" not in seen:
        seen += os.read(master, 65536)
    assert os.get_blocking(slave)
    os.close(slave)
    session.signal(signal.SIGTERM)
    while session.process.poll() is None:
        try:
            seen += os.read(master, 65536)
        except OSError:
            break
    assert session.wait() == 0
    os.close(master)
    assert kit.running(argument) == []


def test_a_shared_description_stays_blocking(place: Place) -> None:
    """O_NONBLOCK on the shell's own terminal breaks the programs that come after us."""
    reader, writer = os.pipe()
    place.procfile("web: echo hello\n")
    session = place.session("start", stdout=writer)
    assert session.wait() == 0
    assert os.get_blocking(writer)
    os.close(writer)
    assert b"hello" in kit.read_all(reader)
    os.close(reader)
