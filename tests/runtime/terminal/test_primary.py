"""The primary on a fake kernel: which process gets the keys, what Ctrl-C, Ctrl-Z and Ctrl-] do, and how the terminal is
set.
"""

from __future__ import annotations

import errno
import os
import signal
import termios
from typing import Any

import pytest

from procman.core.lifecycle.transitions import State
from procman.core.model.plan import RestartPolicy
from procman.runtime.processes.pty import KEY_RETRY_INTERVAL, MAX_WAITING_KEYS, Window
from procman.runtime.system.tty import LOCAL_FLAGS
from procman.runtime.terminal import primary
from procman.runtime.terminal.primary import HINT_PRESSES, STOP_KEY_WINDOW, Primary
from runtime.fakes import Kernel, Run, a_plan, read_whole, wait_until_readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CTRL_C, CTRL_Z, SWITCH, ESCAPE = b"\x03", b"\x1a", b"\x1d", b"\x1b"
READ = 1


class Lent:
    """Replaces the passthrough, the status line and what the hub shows of them."""

    def __init__(self) -> None:
        self.lent = False
        self.is_painted_by_it = False
        self.begun = 0
        self.taken_back = 0
        self.ours: list[bool] = []
        self.shown: list[bytes] = []
        self.lead = ""
        self.keys: Any = None
        self.announce: Callable[[str], None] = lambda _text: None
        self.on_flush: Callable[[], object] = lambda: None
        self.rows_changed = False  # by showing rows of our own, or not any more
        self.changes = 0

    def begin(self) -> None:
        self.begun += 1

    def lend(self) -> None:
        self.lent = True

    def take_back(self, reset: bytes = b"") -> None:
        self.lent = False
        self.taken_back += 1

    def flush(self) -> None:
        self.on_flush()

    def show_own_rows(self, wanted: bool) -> bool:
        self.ours.append(wanted)
        changed, self.rows_changed = self.rows_changed, False
        return changed

    def on_output(self, chunk: bytes) -> None:
        self.shown.append(chunk)

    def change(self) -> None:
        self.changes += 1


class Terminal:
    """A run whose first instance is the primary of a real pseudo-terminal, on which the test types."""

    def __init__(self, kernel: Kernel, *others: str, mode: str = "never") -> None:
        self.kernel = kernel
        self.master, self.slave = os.openpty()
        self.found = termios.tcgetattr(self.slave)
        self.lent = Lent()
        plans = [a_plan("web.1", restart=RestartPolicy(mode)), *map(a_plan, others)]
        window = Window(-1, 0, usual=False, lent_to="web.1")
        self.run = Run(kernel, *plans, window=window, components=self._components)

    def _components(self, run: Run) -> list[Primary]:
        lent: Any = self.lent
        self.primary = Primary(
            self.slave, run.hub, run.supervisor, lent, lent, run.children, run.requests, "web.1", lambda chosen: []
        )
        return [self.primary]

    def type(self, seconds: float, keys: bytes) -> None:
        def write() -> None:
            os.write(self.master, keys)
            wait_until_readable(self.slave)

        if keys:
            self.run.after(seconds, write)

    def has_typed(self, keys: bytes) -> None:
        """More than a terminal takes at a time."""
        self.primary.on_keys(keys)
        self.run.signal(signal.SIGCONT)  # something that wakes the loop

    def reads(self, seconds: float, limit: float = 10.0) -> list[bytes]:
        """What the primary finds to read after so many seconds; in truth it waits for it, up to the limit."""
        found: list[bytes] = []

        def read() -> None:
            fd = self.kernel.process("web.1").fds[0]
            os.set_blocking(fd, False)
            wait_until_readable(fd, limit)
            try:
                found.append(os.read(fd, 1 << 16))
            except BlockingIOError:
                found.append(b"")

        self.run.after(seconds, read)
        return found

    def has_signals(self, seconds: float) -> list[bool]:
        """Whether Ctrl-C is a signal to us after so many seconds."""
        found: list[bool] = []
        self.run.after(
            seconds,
            lambda: found.append(bool(termios.tcgetattr(self.slave)[LOCAL_FLAGS] & termios.ISIG)),
        )
        return found

    def until(self, seconds: float) -> int:
        self.run.after(seconds, lambda: self.run.signal(signal.SIGTERM))
        return self.run.run()


@pytest.fixture
def terminal(kernel: Kernel) -> Terminal:
    return Terminal(kernel)


def test_keys_go_to_the_primary(terminal: Terminal) -> None:
    terminal.type(1.0, b"hello\n")
    read = terminal.reads(1.5)
    terminal.until(2.0)
    assert read == [b"hello\n"]


def test_what_it_writes_goes_to_the_screen_as_it_is(terminal: Terminal, kernel: Kernel) -> None:
    terminal.run.after(1.0, lambda: kernel.process("web.1").write(b"\x1b[2Jhello"))
    terminal.until(2.0)
    assert terminal.lent.shown == [b"\x1b[2Jhello"]


def test_it_is_lent_the_terminal_at_each_start_and_that_is_said_once(kernel: Kernel) -> None:
    terminal = Terminal(kernel, mode="on-failure")
    lent: list[bool] = []
    terminal.run.after(0.5, lambda: lent.append(terminal.lent.lent))
    terminal.run.after(1.0, terminal.run.exits("web.1", 3))
    terminal.run.after(1.5, lambda: lent.append(terminal.lent.lent))
    terminal.run.after(3.0, lambda: lent.append(terminal.lent.lent))
    terminal.until(4.0)
    assert lent == [True, False, True]
    assert terminal.lent.begun == 2
    assert len([text for text in terminal.run.screen.announced if "has the terminal" in text]) == 1


def test_ctrl_right_bracket_takes_the_keys_and_gives_them_back(terminal: Terminal) -> None:
    terminal.type(1.0, SWITCH + b"s")
    prompts: list[str] = []
    terminal.run.after(1.5, lambda: prompts.append(terminal.lent.keys.prompt))
    leads: list[str] = []
    terminal.run.after(1.5, lambda: leads.append(terminal.lent.lead))
    first = terminal.reads(1.5, limit=0.0)
    terminal.type(2.0, ESCAPE)
    terminal.type(2.5, SWITCH + b"hello\n")
    second = terminal.reads(3.0)
    terminal.run.after(3.0, lambda: leads.append(terminal.lent.lead))
    terminal.until(4.0)
    assert prompts[0].startswith("stop")
    assert first == [b""]
    assert second == [b"hello\n"]
    assert leads == ["Ctrl-] web.1  ", ""]


def test_escape_alone_gives_the_keys_back_too(terminal: Terminal) -> None:
    terminal.type(1.0, SWITCH)
    terminal.type(1.5, ESCAPE)
    signals = terminal.has_signals(1.8)
    terminal.type(2.0, b"hello\n")
    read = terminal.reads(2.5)
    terminal.until(3.0)
    assert read == [b"hello\n"]
    assert signals == [False]  # they are keys again


def test_keys_around_a_switch_in_one_read_go_to_whom_they_are_for(terminal: Terminal) -> None:
    terminal.type(1.0, b"one\n" + SWITCH + b"?" + SWITCH + b"two\n")
    read = terminal.reads(1.5)
    terminal.until(2.0)
    assert read == [b"one\n"]
    assert any(text.startswith("keys:") for text in terminal.run.screen.announced)


def test_ctrl_c_is_a_key_while_it_is_lent_and_a_signal_while_it_is_taken(terminal: Terminal) -> None:
    lent, taken, back = terminal.has_signals(0.5), terminal.has_signals(1.5), terminal.has_signals(2.5)
    terminal.type(1.0, SWITCH)
    terminal.type(2.0, SWITCH)
    terminal.until(3.0)
    assert (lent, taken, back) == ([False], [True], [False])


def test_while_all_are_stopped_the_keys_are_ours(terminal: Terminal, kernel: Kernel) -> None:
    kernel.on_spawn = lambda child: child.ignores.update({signal.SIGTERM})
    stopping = terminal.has_signals(3.0)
    terminal.type(3.5, SWITCH)
    still = terminal.has_signals(4.0)
    terminal.until(2.0)
    assert (stopping, still) == ([True], [True])


def test_the_terminal_is_left_as_it_was_found(terminal: Terminal) -> None:
    terminal.until(1.0)
    assert termios.tcgetattr(terminal.slave) == terminal.found
    assert not terminal.lent.lent


# Ctrl-C -------------------------------------------------------------------------------------------------------------


def test_an_exit_after_ctrl_c_ends_the_run(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1")
    terminal.type(1.0, CTRL_C)
    terminal.run.after(1.0 + STOP_KEY_WINDOW - 1, terminal.run.exits("web.1"))
    assert terminal.run.run() == 130


def test_a_ctrl_c_behind_other_keys_of_one_read_counts(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1")
    terminal.type(1.0, b"x" + CTRL_C)
    terminal.run.after(2.0, terminal.run.exits("web.1"))
    assert terminal.run.run() == 130


def test_after_ctrl_backslash_the_run_ends_with_its_code(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1")
    terminal.type(1.0, b"\x1c")
    terminal.run.after(2.0, terminal.run.exits("web.1"))
    assert terminal.run.run() == 131


@pytest.mark.parametrize(
    ("later", "exit_at"), [(b"", STOP_KEY_WINDOW + 2.0), (b"n\n", 2.0)], ids=["too late", "other keys since"]
)
def test_an_exit_that_is_no_answer_to_ctrl_c_leaves_the_others(kernel: Kernel, later: bytes, exit_at: float) -> None:
    terminal = Terminal(kernel, "db.1")
    terminal.type(1.0, CTRL_C)
    terminal.type(1.5, later)
    terminal.run.after(exit_at, terminal.run.exits("web.1"))
    assert terminal.until(100.0) == 0
    assert terminal.run.recorder.times["stopped", "db.1"] == 100.0


def test_without_ctrl_c_its_end_leaves_the_others(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1")
    terminal.run.after(1.0, terminal.run.exits("web.1"))
    assert terminal.until(100.0) == 0
    assert terminal.run.recorder.times["stopped", "db.1"] == 100.0


@pytest.mark.parametrize(("pause", "hints"), [(0.5, 1), (1.2, 0)])
def test_who_presses_ctrl_c_again_and_again_is_told_how_to_get_out(
    terminal: Terminal, pause: float, hints: int
) -> None:
    for number in range(HINT_PRESSES + 1):
        terminal.type(1.0 + number * pause, CTRL_C)
    terminal.until(10.0)
    assert len([text for text in terminal.run.screen.announced if "end the session" in text]) == hints


# Ctrl-Z -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own_group", [True, False])
def test_ctrl_z_stops_all_of_us_where_the_primary_could_not_stop(
    terminal: Terminal, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, own_group: bool
) -> None:
    def foreground(fd: int) -> int:
        if fd == terminal.slave:
            return os.getpgrp()
        return kernel.process("web.1").pid if own_group else 7

    monkeypatch.setattr(os, "tcgetpgrp", foreground)
    raw: list[bytes] = []
    terminal.run.after(0.5, lambda: _make_raw(kernel.process("web.1").fds[0]))
    terminal.type(1.0, b"a" + CTRL_Z + b"b")
    terminal.run.after(1.5, lambda: raw.append(read_whole(kernel.process("web.1").fds[0], 2 if own_group else 3)))
    monkeypatch.setattr("procman.runtime.processes.pty.Pty.makes_signals", lambda self: True)
    terminal.until(2.0)
    assert raw == [b"ab" if own_group else b"a" + CTRL_Z + b"b"]
    assert ((kernel.us, signal.SIGTSTP) in kernel.sent) is own_group


def _make_raw(fd: int) -> None:
    import tty

    tty.setraw(fd)


# Keys that wait -----------------------------------------------------------------------------------------------------


def test_keys_wait_for_a_program_that_does_not_read_and_are_not_lost(terminal: Terminal, kernel: Kernel) -> None:
    size = MAX_WAITING_KEYS + 50_000
    got: list[bytes] = []
    events: list[int] = []
    terminal.run.after(0.5, lambda: _make_raw(kernel.process("web.1").fds[0]))
    terminal.run.after(1.0, lambda: terminal.has_typed(b"x" * size))
    terminal.run.after(1.5, lambda: events.append(terminal.run.poller.events[terminal.slave]))

    def read() -> None:
        fd = kernel.process("web.1").fds[0]
        os.set_blocking(fd, False)
        wait_until_readable(fd, 0.02 if len(b"".join(got)) < size else 0.0)
        try:
            got.append(os.read(fd, 1 << 16))
        except BlockingIOError:
            return

    for number in range(500):
        terminal.run.after(2.0 + number * KEY_RETRY_INTERVAL, read)
    terminal.run.after(18.0, lambda: events.append(terminal.run.poller.events[terminal.slave]))
    terminal.until(19.0)
    assert len(b"".join(got)) == size
    assert events == [0, READ]
    assert terminal.primary.next_deadline() is None


def test_keys_that_were_not_read_end_with_the_life(kernel: Kernel) -> None:
    terminal = Terminal(kernel, mode="on-failure")
    terminal.run.after(0.5, lambda: _make_raw(kernel.process("web.1").fds[0]))
    terminal.run.after(1.0, lambda: terminal.has_typed(b"x" * 50_000))
    terminal.run.after(2.0, terminal.run.exits("web.1", 3))
    read = terminal.reads(4.0, limit=0.0)
    deadlines: list[float | None] = []
    terminal.run.after(4.0, lambda: deadlines.append(terminal.primary.next_deadline()))
    terminal.until(5.0)
    assert read == [b""]
    assert deadlines == [None]


def test_between_two_lives_keys_are_not_commands(kernel: Kernel) -> None:
    terminal = Terminal(kernel, mode="on-failure")
    terminal.run.after(1.0, terminal.run.exits("web.1", 3))
    terminal.type(1.5, b"?")
    terminal.until(4.0)
    assert not [text for text in terminal.run.screen.announced if text.startswith("keys:")]


def test_when_it_is_down_for_good_the_keys_are_procmans(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1")
    terminal.run.after(1.0, terminal.run.exits("web.1"))
    terminal.type(1.5, b"?")
    terminal.until(4.0)
    assert [text for text in terminal.run.screen.announced if text.startswith("keys:")]


def test_without_a_pseudo_terminal_it_is_a_process_like_the_others(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def openpty() -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "openpty", openpty)
    terminal.type(1.0, b"?")
    terminal.until(2.0)
    assert not terminal.lent.lent
    assert any("cannot have the terminal" in text for text in terminal.run.screen.announced)
    assert any(text.startswith("keys:") for text in terminal.run.screen.announced)


def test_a_program_that_paints_the_screen_is_made_to_paint_it_again(terminal: Terminal, kernel: Kernel) -> None:
    sizes: list[int] = []
    terminal.lent.is_painted_by_it = True

    def size() -> None:
        sizes.append(os.get_terminal_size(kernel.process("web.1").fds[0]).lines)

    terminal.run.after(0.05, size)
    terminal.run.after(0.2, size)
    terminal.until(1.0)
    assert sizes == [39, 40]


def test_in_the_background_nothing_is_lent(terminal: Terminal, kernel: Kernel) -> None:
    lent: list[bool] = []
    terminal.run.after(1.0, terminal.primary.pause)
    terminal.run.after(1.1, lambda: lent.append(terminal.lent.lent))
    terminal.run.after(1.2, lambda: lent.append(termios.tcgetattr(terminal.slave) == terminal.found))
    terminal.run.after(1.3, terminal.primary.resume)
    terminal.run.after(1.4, lambda: lent.append(terminal.lent.lent))
    terminal.until(2.0)
    assert lent == [False, True, True]
    assert terminal.run.state("web.1") == State.EXITED


def test_after_ctrl_c_a_stop_by_somebody_else_leaves_the_others(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1")

    def stop() -> None:
        supervisor = terminal.run.supervisor
        supervisor.hold([supervisor.instances["web.1"]], kernel.now)
        terminal.run.signal(signal.SIGCONT)

    terminal.type(1.0, CTRL_C)
    terminal.run.after(2.0, stop)
    terminal.until(10.0)
    assert terminal.run.recorder.times["stopped", "web.1"] == 2.0
    assert terminal.run.recorder.times["stopped", "db.1"] == 10.0


def test_in_the_background_its_lines_are_shown_like_those_of_the_others(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    lent: list[str] = []
    monkeypatch.setattr(type(terminal.run.screen), "lend", lambda _screen, name: lent.append(name))
    terminal.run.after(1.0, terminal.primary.pause)
    terminal.run.after(1.5, lambda: lent.append("later"))
    terminal.until(2.0)
    assert lent[lent.index("later") - 1] == ""


@pytest.mark.parametrize("why", ["raw", "gone"])
def test_ctrl_z_is_a_key_where_it_stops_nothing(
    terminal: Terminal, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    def foreground(fd: int) -> int:
        if fd == terminal.slave:
            return os.getpgrp()
        if why == "gone":
            raise OSError
        return kernel.process("web.1").pid

    monkeypatch.setattr(os, "tcgetpgrp", foreground)
    if why == "gone":
        monkeypatch.setattr("procman.runtime.processes.pty.Pty.makes_signals", lambda self: True)
    raw: list[bytes] = []
    terminal.run.after(0.5, lambda: _make_raw(kernel.process("web.1").fds[0]))
    terminal.type(1.0, CTRL_Z)
    terminal.run.after(1.5, lambda: raw.append(read_whole(kernel.process("web.1").fds[0], 1)))
    terminal.until(2.0)
    assert raw == [CTRL_Z]
    assert (kernel.us, signal.SIGTSTP) not in kernel.sent


def test_before_its_first_life_keys_are_not_commands(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[int] = []
    monkeypatch.setattr("_signal.raise_signal", raised.append)
    terminal.run.supervisor.start_all(terminal.kernel.now)
    terminal.primary.on_keys(b"q")
    assert raised == []
    terminal.until(1.0)


def test_between_two_lives_the_keys_can_be_taken(kernel: Kernel) -> None:
    terminal = Terminal(kernel, "db.1", mode="always")
    terminal.run.after(1.0, terminal.run.exits("web.1"))
    terminal.type(1.2, SWITCH + b"?")
    terminal.until(5.0)
    assert any(text.startswith("keys:") for text in terminal.run.screen.announced)


def test_keys_for_the_last_life_do_not_reach_the_next(kernel: Kernel) -> None:
    terminal = Terminal(kernel, mode="always")
    terminal.run.after(0.5, lambda: _make_raw(kernel.process("web.1").fds[0]))
    terminal.run.after(1.0, lambda: terminal.has_typed(b"x" * MAX_WAITING_KEYS))
    terminal.run.after(1.01, terminal.run.exits("web.1"))
    due: list[float | None] = []
    terminal.run.after(1.5, lambda: due.append(terminal.primary.next_deadline()))
    terminal.type(5.0, b"new\n")
    read = terminal.reads(5.5)
    terminal.until(6.0)
    assert due == [None]
    assert read == [b"new\n"]


def test_its_lines_are_sentences_of_the_session(terminal: Terminal) -> None:
    terminal.lent.announce("hello")
    terminal.until(1.0)
    assert "hello" in terminal.run.screen.announced


def test_the_lines_of_others_know_who_has_the_screen(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(kernel, "db.1")
    lent: list[str] = []
    monkeypatch.setattr(type(terminal.run.hub), "lend", lambda _hub, name: lent.append(name))
    terminal.run.after(1.0, terminal.run.exits("web.1"))
    terminal.run.after(1.5, lambda: lent.append("end"))
    terminal.until(2.0)
    alive = lent[: lent.index("end")]
    assert "web.1" in alive
    assert alive[-1] == ""


def test_what_was_kept_for_the_screen_is_written_before_the_terminal_changes_hands(terminal: Terminal) -> None:
    raw: list[bool] = []

    def note() -> None:
        raw.append(not termios.tcgetattr(terminal.slave)[LOCAL_FLAGS] & termios.ISIG)

    terminal.lent.on_flush = note
    terminal.run.after(1.0, raw.clear)
    terminal.type(1.5, SWITCH)
    terminal.until(2.0)
    assert raw[0] is True  # before Ctrl-C was a signal again
    count = len(raw)
    terminal.primary.open(terminal.run.engine._poller)
    assert raw[count] is False
    count = len(raw)
    terminal.primary.release()
    assert len(raw) > count


def test_rows_of_our_own_have_the_screen_painted_again(terminal: Terminal, kernel: Kernel) -> None:
    sizes: list[tuple[int, int]] = []
    for moment in (1.4, 1.55, 1.8):
        terminal.run.after(moment, lambda: sizes.append(termios.tcgetwinsize(kernel.process("web.1").fds[0])))
    terminal.run.after(1.0, lambda: setattr(terminal.lent, "rows_changed", True))
    terminal.type(1.5, SWITCH)
    terminal.until(2.0)
    (rows, columns), lower, again = sizes
    assert lower == (rows - 1, columns)
    assert again == (rows, columns)


def test_the_line_is_made_again_whenever_the_keys_change_hands(terminal: Terminal) -> None:
    changes: list[int] = []
    for moment in (1.0, 2.0):
        terminal.run.after(moment, lambda: changes.append(terminal.lent.changes))
    terminal.type(1.5, SWITCH)
    terminal.until(3.0)
    assert changes[1] > changes[0]


def test_a_keyboard_that_the_shell_took_is_left_at_the_next_event(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.run.after(1.0, lambda: monkeypatch.setattr(primary, "in_foreground", lambda _fd: False))
    terminal.run.after(1.5, terminal.run.exits("web.1"))
    terminal.run.run()
    assert terminal.primary._saved is None
