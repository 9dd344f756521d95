from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import socket
import stat
import sys
import time
import tty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.output import outlet
from procman.output.outlet import (
    LARGE_CHUNK,
    MAX_GATHERED,
    MAX_PARTS,
    PIPE,
    SOCKET,
    CarefulWriter,
    Outlet,
    Writer,
    complaint,
    enlarge_pipe,
    report_loss,
    write_stderr,
    writer_for,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.output.outlet import Buffer

LATER = 30.0  # seconds; a limit, never a wait


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass


def read_all(fd: int) -> bytes:
    data = b""
    while True:
        try:
            chunk = os.read(fd, 1 << 20)
        except BlockingIOError:
            return data
        if not chunk:
            return data
        data += chunk


def test_small_parts_wait_for_the_flush(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.put(b"one ", b"line\n")
    assert outlet.owed == 9
    assert read_all(pipe[0]) == b""
    outlet.flush()
    assert (read_all(pipe[0]), outlet.owed) == (b"one line\n", 0)


def test_a_small_part_leaves_at_once_where_nothing_comes_behind_it(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.eager = True
    outlet.put(b"one line\n")
    assert (read_all(pipe[0]), outlet.owed) == (b"one line\n", 0)


def test_a_large_part_leaves_at_once_behind_the_small_ones(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.put(b"small\n")
    outlet.put(b"prefix ", memoryview(b"x" * LARGE_CHUNK))
    assert read_all(pipe[0]) == b"small\nprefix " + b"x" * LARGE_CHUNK


def test_many_small_parts_do_not_wait_for_ever(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    for _ in range(MAX_GATHERED // 1000 + 1):
        outlet.put(b"x" * 1000)
    assert len(read_all(pipe[0])) >= MAX_GATHERED


def test_more_parts_than_a_system_call_takes_arrive(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    for number in range(3 * MAX_PARTS):
        outlet.put(b"%d\n" % number)
    outlet.flush()
    assert read_all(pipe[0]) == b"".join(b"%d\n" % number for number in range(3 * MAX_PARTS))


def test_a_full_pipe_blocks_nobody_and_loses_nothing(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    sent = b"".join(b"%07d\n" % number for number in range(200_000))
    for start in range(0, len(sent), 10_000):
        outlet.put(sent[start : start + 10_000])
        outlet.flush()
    assert outlet.blocked
    assert 0 < outlet.owed < len(sent)
    received = b""
    while outlet.owed:
        received += read_all(pipe[0])
        outlet.flush()
    assert received + read_all(pipe[0]) == sent
    assert not outlet.blocked


def test_a_stuck_reader_does_not_cost_an_object_for_every_line(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.put(b"x" * (1 << 20))
    for _ in range(10 * MAX_PARTS):
        outlet.put(b"line\n")
    assert len(outlet._queue) <= MAX_PARTS + 1


@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=4)), st.integers(1, 60))
def test_writes_cut_short_lose_nothing(puts: list[list[bytes]], most: int) -> None:
    class Stingy(Writer):
        taken = b""
        full = False

        def send(self, parts: object) -> int:
            self.full = not self.full
            if self.full:
                raise BlockingIOError(errno.EAGAIN, "full")
            data = b"".join(parts)[:most]  # type: ignore[arg-type]
            self.taken += data
            return len(data)

    outlet = Outlet(1)
    writer = outlet._writer = Stingy(1, "pipe")
    for parts in puts:
        outlet.put(*parts)
        outlet.flush()
    while outlet.owed:
        outlet.flush()
    assert writer.taken == b"".join(b"".join(parts) for parts in puts)


def test_the_descriptor_that_others_share_stays_blocking(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    assert outlet.fileno() != pipe[1]
    assert os.get_blocking(pipe[1])
    assert not os.get_blocking(outlet.fileno())
    assert fcntl.fcntl(outlet.fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def test_a_pipe_is_enlarged(pipe: tuple[int, int]) -> None:
    Outlet(pipe[1])
    assert fcntl.fcntl(pipe[1], 1032) >= 65536  # more only if the user's share of pipe memory allows it


def test_a_reader_that_is_gone_is_told_by_flush_alone(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    os.close(pipe[0])
    outlet.put(b"x" * LARGE_CHUNK)
    for _ in range(2):
        with pytest.raises(BrokenPipeError):
            outlet.flush()
    outlet.put(b"more")
    assert outlet.dropped >= LARGE_CHUNK
    outlet.close(time.monotonic())


def test_a_reader_that_was_gone_before_is_told_too(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    outlet = Outlet(pipe[1])
    outlet.put(b"hello\n")
    with pytest.raises(BrokenPipeError):
        outlet.flush()


def test_a_terminal_is_written_to_without_waiting() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    outlet = Outlet(slave)
    assert outlet.kind == "terminal"
    assert outlet.pollable
    assert os.get_blocking(slave)
    for _ in range(100):
        outlet.put(b"x" * 10_000)
        outlet.flush()
    assert outlet.blocked
    assert os.read(master, 100) == b"x" * 100
    outlet.close(time.monotonic())
    os.close(master)
    os.close(slave)


def test_a_file_is_written_at_its_own_offset(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "out")
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.write(fd, b"before\n")
    outlet = Outlet(fd)
    assert not outlet.pollable
    outlet.put(b"ours\n")
    outlet.flush()
    os.write(fd, b"after\n")
    outlet.close(time.monotonic())
    os.fstat(fd)  # the outlet must not close it
    os.close(fd)
    with open(path, "rb") as file:
        assert file.read() == b"before\nours\nafter\n"


def test_a_socket_is_written_to_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    outlet = Outlet(ours.fileno())
    outlet.put(b"one\n")
    outlet.flush()
    assert theirs.recv(100) == b"one\n"
    for _ in range(100):
        outlet.put(b"x" * 10_000)
    outlet.flush()
    assert outlet.blocked
    assert ours.getblocking()
    theirs.close()
    with pytest.raises(BrokenPipeError):
        outlet.flush()
    outlet.close(time.monotonic())
    ours.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the disk that is always full is Linux's")
def test_a_full_disk_is_counted_and_named_but_never_raised() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(fd)
    outlet.put(b"lost\n")
    outlet.flush()
    outlet.put(b"x" * LARGE_CHUNK)
    outlet.flush()
    assert outlet.dropped == 5 + LARGE_CHUNK
    assert outlet.owed == 0
    assert complaint(outlet) == f"{5 + LARGE_CHUNK} bytes of output could not be written (No space left on device)"
    os.close(fd)


class Disk(Writer):
    """A file on a disk with room for some bytes, which cuts short the write that takes the last of them."""

    def __init__(self, room: int) -> None:
        super().__init__(1, "file")
        self.room = room
        self.text = b""

    def send(self, parts: object) -> int:
        data = b"".join(parts)[: self.room]  # type: ignore[arg-type]
        if not data:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        self.text += data
        return len(data)


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (0, b"later\n"),
        (4, b"one\nlater\n"),
        (6, b"one\ntw\nlater\n"),
        (7, b"one\ntwo\nlater\n"),
        (10, b"one\ntwo\nth\nlater\n"),
    ],
)
def test_a_line_that_a_full_disk_cut_shares_its_row_with_no_other(room: int, kept: bytes) -> None:
    outlet = Outlet(1)
    disk = outlet._writer = Disk(room)
    outlet.put(b"one\n", b"two\nth", b"ree\n")
    for _ in range(2):  # the disk stays full for a while
        outlet.flush()
        outlet.put(b"lost\n")
    outlet.flush()
    disk.room = 1000
    outlet.put(b"later\n")
    outlet.flush()
    assert disk.text == kept
    assert outlet.dropped == len(b"one\ntwo\nthree\nlost\nlost\n") - room


def test_a_disk_that_is_full_behind_a_whole_line_cuts_none() -> None:
    outlet = Outlet(1)
    disk = outlet._writer = Disk(4)
    for line in (b"one\n", b"lost\n", b"later\n"):
        disk.room = 1000 if line == b"later\n" else disk.room
        outlet.put(line)
        outlet.flush()
    assert disk.text == b"one\nlater\n"


def test_a_disk_that_was_full_twice_has_cut_two_lines() -> None:
    outlet = Outlet(1)
    disk = outlet._writer = Disk(0)
    for line in (b"one\n", b"two\n", b"three\n"):
        disk.room = 1000 if line == b"three\n" else 3  # of the second three, the newline of the first row takes one
        outlet.put(line)
        outlet.flush()
    assert disk.text == b"one\ntw\nthree\n"


def test_nothing_is_complained_about_when_all_went_well(pipe: tuple[int, int]) -> None:
    assert complaint(Outlet(pipe[1])) == ""


def test_a_closed_stdout_takes_everything() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    outlet = Outlet(writer)
    outlet.put(b"into the void")
    outlet.flush()
    assert (outlet.owed, outlet.dropped, outlet.pollable) == (0, 0, False)


def test_close_waits_for_a_slow_reader_until_the_deadline(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.put(b"x" * 1_000_000)
    assert outlet.blocked
    outlet.close(time.monotonic())
    assert outlet.dropped == 1_000_000 - len(read_all(pipe[0]))
    assert outlet.dropped > 0
    assert outlet.owed == 0


def test_close_gives_all_to_a_reader_who_reads() -> None:
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(writer)
        count = 0
        while chunk := os.read(reader, 1000):
            count += len(chunk)
        os._exit(0 if count == 1_000_000 else 1)
    os.close(reader)
    outlet = Outlet(writer)
    outlet.put(b"x" * 1_000_000)
    outlet.close(time.monotonic() + LATER)
    os.close(writer)
    assert os.waitpid(pid, 0)[1] == 0
    assert outlet.dropped == 0


def test_a_shared_blocking_descriptor_is_written_to_carefully(pipe: tuple[int, int]) -> None:
    writer = CarefulWriter(pipe[1], "pipe")
    sent = 0
    while True:
        try:
            sent += writer.send([b"x" * 10_000, b"y"])
        except BlockingIOError:
            break
    assert sent == len(read_all(pipe[0]))
    assert select.select([], [pipe[1]], [], 0)[1]


def test_an_empty_part_before_a_long_one_is_written_carefully_too(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet._writer = CarefulWriter(pipe[1], "pipe")
    outlet.put(b"", b"x" * 10_000)
    outlet.flush()
    assert read_all(pipe[0]) == b"x" * 10_000


def test_footers_have_the_last_word(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])

    class Foot:
        def repaint(self) -> None:
            outlet.put(b"[settled]")

        def close(self) -> None:
            outlet.put(b"[left]")

    outlet.footer = Foot()
    outlet.put(b"text")
    outlet.flush()
    outlet.close(time.monotonic() + LATER)
    assert read_all(pipe[0]) == b"text[settled][left]"


def test_a_device_that_is_no_terminal_is_never_polled() -> None:
    fd = os.open(os.devnull, os.O_WRONLY)
    assert stat.S_ISCHR(os.fstat(fd).st_mode)
    assert not Outlet(fd).pollable
    os.close(fd)


@pytest.mark.parametrize(
    ("dropped", "unread", "said"),
    [
        (0, 0, ""),
        (5, 0, "procman: 5 bytes of output were lost: the reader stopped reading\n"),
        (0, 7, "procman: 7 bytes of output were lost: the reader stopped reading\n"),
        (5, 7, "procman: 12 bytes of output were lost: the reader stopped reading\n"),
    ],
)
def test_every_lost_byte_is_reported(capfd: pytest.CaptureFixture[str], dropped: int, unread: int, said: str) -> None:
    outlet = Outlet(2)
    outlet.dropped = dropped
    report_loss(outlet, unread)
    assert capfd.readouterr().err == said


def test_an_error_of_the_system_is_reported_instead(capfd: pytest.CaptureFixture[str]) -> None:
    outlet = Outlet(2)
    outlet.dropped, outlet.error = 5, "No space left on device"
    report_loss(outlet, 7)
    assert capfd.readouterr().err == "procman: 5 bytes of output could not be written (No space left on device)\n"


def test_what_is_dropped_is_counted_once(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.put(b"x" * 1_000_000)
    taken = len(read_all(pipe[0]))
    os.close(pipe[0])
    with pytest.raises(BrokenPipeError):
        outlet.flush()
    assert outlet.dropped == 1_000_000 - taken
    outlet.close(time.monotonic())
    assert outlet.dropped == 1_000_000 - taken


def test_a_stuck_stderr_does_not_block_us() -> None:
    reader, writer = os.pipe()
    saved = os.dup(2)
    try:
        os.dup2(writer, 2)
        write_stderr("x" * 10_000_000)
    finally:
        os.dup2(saved, 2)
        for fd in (saved, reader, writer):
            os.close(fd)


class Script(Writer):
    """Does what a list says for each write: takes so many bytes, or fails."""

    def __init__(self, *script: int | OSError) -> None:
        super().__init__(1, "file")
        self.script = list(script)
        self.text = b""

    def send(self, parts: object) -> int:
        data = b"".join(parts)  # type: ignore[arg-type]
        step = self.script.pop(0) if self.script else len(data)
        if isinstance(step, OSError):
            raise step
        self.text += data[:step]
        return len(data[:step])


def test_only_the_first_line_behind_a_torn_one_starts_in_a_row_of_its_own() -> None:
    outlet = Outlet(1)
    disk = outlet._writer = Disk(2)
    outlet.put(b"one\n")
    outlet.flush()
    disk.room = 1000
    for line in (b"two\n", b"three\n"):
        outlet.put(line)
        outlet.flush()
    assert disk.text == b"on\ntwo\nthree\n"


def test_a_line_that_was_cut_and_finished_is_not_torn_by_a_later_error() -> None:
    outlet = Outlet(1)
    writer = outlet._writer = Script(2, BlockingIOError(), 2, OSError(errno.ENOSPC, "full"))
    outlet.put(b"one\n")
    outlet.flush()
    assert outlet.blocked
    outlet.flush()
    assert not outlet.blocked
    for line in (b"lost\n", b"later\n"):
        outlet.put(line)
        outlet.flush()
    assert writer.text == b"one\nlater\n"


def test_the_first_error_is_the_one_that_is_told() -> None:
    outlet = Outlet(1)
    outlet._writer = Script(OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "broken"))
    for line in (b"one\n", b"two\n"):
        outlet.put(line)
        outlet.flush()
    assert outlet.error == "full"
    assert outlet.dropped == 8


def test_a_footer_is_closed_once_and_not_asked_any_more(pipe: tuple[int, int]) -> None:
    called: list[str] = []

    class Foot:
        def repaint(self) -> None:
            called.append("repaint")

        def close(self) -> None:
            called.append("close")

    outlet = Outlet(pipe[1])
    outlet.footer = Foot()
    outlet.close(0.0)
    outlet.flush()
    outlet.close(0.0)
    assert called == ["close"]


def test_the_last_wait_for_a_reader_sleeps(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    class Waiting:
        def register(self, _fd: int, _events: int) -> None: ...

        def poll(self, milliseconds: float) -> None:
            waits.append(milliseconds)
            read_all(pipe[0])

    outlet = Outlet(pipe[1])
    outlet.put(b"x" * 1_000_000)
    monkeypatch.setattr(select, "poll", Waiting)
    outlet.close(time.monotonic() + LATER)
    assert outlet.dropped == 0
    assert all(500 * LATER < wait <= 1000 * LATER for wait in waits)
    assert waits


def test_an_error_behind_a_torn_line_tears_no_other(pipe: tuple[int, int]) -> None:
    full = OSError(errno.ENOSPC, "full")
    outlet = Outlet(1)
    writer = outlet._writer = Script(2, full, 1, full)
    for line in (b"one\n", b"lost\n", b"later\n"):
        outlet.put(line)
        outlet.flush()
    assert writer.text == b"on\nlater\n"


def test_what_is_dropped_at_the_end_blocks_nothing_and_is_complained_about(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.put(b"x" * 1_000_000)
    assert outlet.blocked
    outlet.close(0.0)
    assert not outlet.blocked
    assert complaint(outlet).startswith(f"{outlet.dropped} bytes")


@pytest.mark.parametrize("ours", [True, False])
def test_only_our_own_terminal_is_opened_again_by_its_general_name(monkeypatch: pytest.MonkeyPatch, ours: bool) -> None:
    monkeypatch.setattr(outlet, "_controls_us", lambda _fd: ours)
    monkeypatch.setattr("sys.platform", "linux")
    assert outlet._paths(7, "terminal") == ["/proc/self/fd/7", *(["/dev/tty"] if ours else [])]
    assert outlet._paths(7, "pipe") == ["/proc/self/fd/7"]


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


class Batches(Writer):
    """A writer that notes what it is given, and takes all of it; it is full as often as it is told to be."""

    def __init__(self, fd: int = 1, full: int = 0) -> None:
        super().__init__(fd, PIPE)
        self.batches: list[list[bytes]] = []
        self.full = full

    def send(self, parts: Sequence[Buffer]) -> int:
        if self.full:
            self.full -= 1
            raise BlockingIOError(errno.EAGAIN, "full")
        self.batches.append([bytes(part) for part in parts])
        return sum(map(len, parts))


def batching(fd: int = 1, full: int = 0) -> tuple[Outlet, Batches]:
    outlet = Outlet(1)
    outlet._writer = writer = Batches(fd, full)
    return outlet, writer


@pytest.mark.parametrize(("size", "at_once"), [(LARGE_CHUNK - 1, False), (LARGE_CHUNK, True)])
def test_how_large_a_part_is_that_leaves_at_once(size: int, at_once: bool) -> None:
    outlet, writer = batching()
    outlet.put(b"x", b"y" * (size - 1))
    assert bool(writer.batches) is at_once
    assert outlet.owed == (0 if at_once else size)


@pytest.mark.parametrize(("size", "at_once"), [(MAX_GATHERED - 1, False), (MAX_GATHERED, True)])
def test_how_much_is_gathered(size: int, at_once: bool) -> None:
    outlet, writer = batching()
    for _ in range(size // 1000):
        outlet.put(b"x" * 1000)
    outlet.put(b"y" * (size % 1000))
    assert bool(writer.batches) is at_once


def test_small_parts_are_not_copied_together() -> None:
    outlet, writer = batching()
    for part in (b"a", b"b", b"c"):
        outlet.put(part)
    outlet.flush()
    assert writer.batches == [[b"a", b"b", b"c"]]


@pytest.mark.parametrize(("number", "batch"), [(MAX_PARTS - 1, MAX_PARTS - 1), (MAX_PARTS, 1), (MAX_PARTS + 1, 2)])
def test_so_many_parts_that_wait_are_one(number: int, batch: int) -> None:
    outlet, writer = batching()
    for _ in range(number):
        outlet.put(b"x")
    outlet.flush()
    assert [len(parts) for parts in writer.batches] == [batch]
    assert b"".join(writer.batches[0]) == b"x" * number


def test_no_system_call_gets_more_parts_than_it_takes() -> None:
    outlet, writer = batching()
    outlet.put(*[b"x" * 10] * (MAX_PARTS + 3))
    assert [len(parts) for parts in writer.batches] == [MAX_PARTS, 3]


def test_what_a_full_reader_leaves_is_written_at_the_end_however_little_time_there_is(pipe: tuple[int, int]) -> None:
    outlet, writer = batching(pipe[1], full=2)
    outlet.put(b"one")
    outlet.flush()
    assert outlet.blocked
    outlet.close(time.monotonic() + 0.9)
    assert (writer.batches, outlet.dropped, outlet.blocked) == ([[b"one"]], 0, False)


def test_a_reader_that_is_gone_is_a_broken_pipe(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    os.close(pipe[0])
    outlet.put(b"one")
    with pytest.raises(BrokenPipeError) as gone:
        outlet.flush()
    assert gone.value.errno == errno.EPIPE


@pytest.mark.parametrize(
    ("present", "wanted"), [(4096, [(7, 1031, 65536)]), (65535, [(7, 1031, 65536)]), (65536, []), (1 << 20, [])]
)
def test_a_pipe_is_only_ever_made_larger(
    present: int, wanted: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's share of pipe memory may not allow it, so the kernel is not asked here."""
    calls: list[tuple[int, ...]] = []

    def control(*given: int) -> int:
        if given == (7, 1032):
            return present
        calls.append(given)
        return given[2]

    monkeypatch.setattr(fcntl, "fcntl", control)
    assert enlarge_pipe(7, 65536)
    assert calls == wanted
