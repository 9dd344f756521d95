"""Turns signals, from the kernel or through the guardian, and the job control of the shell into requests."""

from __future__ import annotations

import os
import time

from procman.core.lifecycle.outcome import GUARDIAN_DIED, HUNG_UP, INTERRUPTED, QUIT, TERMINATED, WATCHDOG_DIED
from procman.output.outlet import write_stderr
from procman.runtime.loop.component import QuietComponent
from procman.runtime.system.tty import in_foreground

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Protocol

    from procman.core.lifecycle.outcome import Reason
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.output.hub import Hub
    from procman.output.outlet import Outlet
    from procman.runtime.processes.children import Children
    from procman.runtime.system.poller import Poller
    from procman.runtime.system.signals import SignalPipe

    class Pausable(Protocol):
        """Something that uses the terminal."""

        def pause(self) -> None: ...
        def resume(self) -> None: ...

else:
    import _signal as signal  # without the enums: see signals.py

FOREGROUND_INTERVAL = 1.0  # seconds between two checks whether the terminal is ours again
REPEAT_AFTER = 0.3  # seconds: some shells and `timeout` deliver one signal twice

STOPPING: dict[int, Reason] = {
    signal.SIGINT: INTERRUPTED,
    signal.SIGTERM: TERMINATED,
    signal.SIGQUIT: QUIT,
    signal.SIGHUP: HUNG_UP,
}
FORGETFUL = not hasattr(signal, "sigwaitinfo")  # the guardian cannot tell a key, and passes Ctrl-Z on (macOS)
TSTP = bytes((signal.SIGTSTP,))
IMPATIENT = (signal.SIGINT, signal.SIGTERM)  # a second one of these does not wait for the grace


class JobControl(QuietComponent):
    """Whether our job has the terminal behind `fd`. What uses the terminal is paused and resumed accordingly."""

    def __init__(self, fd: int, *pausables: Pausable) -> None:
        self._fd = fd
        self._pausables = list(pausables)
        self._away = False
        self._look_at = 0.0
        self._for_good = False

    def add(self, pausable: Pausable) -> None:
        """Pause and resume this one too."""
        self._pausables.append(pausable)

    def open(self, poller: Poller) -> None:
        """Start in the background if the shell put us there: `procman start &`."""
        self.look()

    def look(self) -> None:
        """Leave the terminal or return to it, whichever the shell has decided."""
        if self._for_good:
            return
        ours = in_foreground(self._fd)
        if self._away and ours:
            self._return()
        elif not self._away and not ours:
            self.leave()

    def leave(self) -> None:
        """Pause everything of ours on the terminal."""
        self._away = True
        for pausable in self._pausables:
            pausable.pause()

    def leave_for_good(self) -> None:
        """Leave the terminal and never return to it."""
        self.leave()
        self._for_good = True

    def _return(self) -> None:
        self._away = False
        for pausable in self._pausables:
            pausable.resume()

    def next_deadline(self) -> float | None:
        """Return when to look again: no signal says that a running background job was brought to the front."""
        return self._look_at if self._away and not self._for_good else None

    def tick(self, now: float) -> None:
        """While we are away, check whether the terminal is ours again."""
        if self._away:
            self.look()
            self._look_at = now + FOREGROUND_INTERVAL


class SignalRequests:
    """The user's requests by signal.

    `guardian_pipe` carries the signals that were sent to the guardian, as bytes; `suspend_guardian()` stops it.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        children: Children,
        hub: Hub,
        outlet: Outlet,
        job_control: JobControl,
        signals: SignalPipe,
        guardian_pipe: int | None = None,
        suspend_guardian: Callable[[], None] = lambda: None,
    ) -> None:
        self._supervisor = supervisor
        self._children = children
        self._hub = hub
        self._outlet = outlet
        self._signals = signals
        self._guardian_pipe = guardian_pipe
        self._suspend_guardian = suspend_guardian
        self._poller: Poller | None = None
        self._stopped_at: float | None = None
        self._continued_at = float("-inf")
        self._job_control = job_control
        job_control.add(self)
        self.child_ended = False
        self.on_suspended: Callable[[float], None] = _ignore  # called with the seconds after each suspension
        self._handlers: dict[int, Callable[[], None]] = {
            signal.SIGCHLD: self._on_child_end,
            signal.SIGTSTP: self._suspend,
            signal.SIGCONT: self._continue,
            signal.SIGUSR1: self._dump_states,
            signal.SIGUSR2: hub.reopen,
            signal.SIGWINCH: self._resize,
        }

    def open(self, poller: Poller) -> None:
        """Handle signals, the guardian's too, whenever `poller` reports some."""
        self._poller = poller
        poller.add(self._signals.fileno(), self.on_signals)
        if self._guardian_pipe is not None:
            poller.add(self._guardian_pipe, self.on_guardian_pipe)

    def on_signals(self) -> None:
        """Handle the signals that arrived in this process."""
        self._handle(self._signals.read())

    def on_guardian_pipe(self) -> None:
        """Handle the signals that the guardian passed on. If it has died, kill everything: no signal can reach us."""
        assert self._guardian_pipe is not None
        assert self._poller is not None
        numbers = os.read(self._guardian_pipe, 4096)
        late = FORGETFUL and time.monotonic() - self._continued_at < REPEAT_AFTER
        self._handle(numbers.replace(TSTP, b"") if late else numbers)
        if not numbers:
            self._poller.remove(self._guardian_pipe)
            self._guardian_pipe = None
            self._supervisor.kill_all(GUARDIAN_DIED, time.monotonic())

    def release_guardian(self, watchdog_pipe: int) -> None:
        """Forget the guardian, which the user has let end. Instead notice the end of the watchdog, which is above us.

        The watchdog holds the other end of its pipe.
        """
        assert self._poller is not None
        if self._guardian_pipe is not None:
            self._poller.remove(self._guardian_pipe)
            self._guardian_pipe = None

        def on_end() -> None:
            assert self._poller is not None
            self._poller.remove(watchdog_pipe)
            self._supervisor.kill_all(WATCHDOG_DIED, time.monotonic())

        self._poller.add(watchdog_pipe, on_end, 0)

    def _handle(self, numbers: bytes) -> None:
        for number in dict.fromkeys(numbers):  # each once, in order
            if number in STOPPING:
                self.stop(number)
            elif number in self._handlers:
                self._handlers[number]()

    def stop(self, number: int) -> None:
        """Stop the run as this signal does; the second time, kill."""
        now = time.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
            self._supervisor.stop_all(STOPPING[number], now)
        elif number in IMPATIENT and now - self._stopped_at >= REPEAT_AFTER:
            self._hub.announce("stop requested again: killing all processes")
            self._supervisor.kill_all(STOPPING[number], now)

    def _on_child_end(self) -> None:
        self.child_ended = True

    def _suspend(self) -> None:
        """Suspend on Ctrl-Z: leave the terminal, then stop. The guardian follows, then the shell takes the terminal.

        Children in sessions of their own would ignore TSTP, so they get STOP; `fg` sends CONT to us.
        """
        began = time.monotonic()
        self._children.send_all(signal.SIGSTOP)
        self._job_control.leave()
        self._flush()
        if self._guardian_pipe is not None:
            self._suspend_guardian()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.on_suspended(time.monotonic() - began)
        self._continued_at = time.monotonic()
        self._continue()
        if FORGETFUL:  # the Ctrl-Z that has stopped us came twice, from the terminal and from the guardian
            self._handle(self._signals.read().replace(TSTP, b""))

    def _flush(self) -> None:
        try:
            self._outlet.flush()
        except BrokenPipeError:
            pass  # the loop will notice too

    def _continue(self) -> None:
        """Continue. In the background (`bg`) the terminal belongs to the shell, and we stay away from it."""
        self._job_control.look()
        paused = [instance.name for instance in self._supervisor.instances.values() if instance.paused]
        self._children.send_all(signal.SIGCONT, paused)

    def pause(self) -> None:
        """The terminal is not ours any more: changes of its size are not reported to us."""

    def resume(self) -> None:
        """The terminal is ours again, and may have another size."""
        self._resize()

    def _resize(self) -> None:
        self._hub.resized()
        self._children.resize()

    def _dump_states(self) -> None:
        now = time.monotonic()
        lines = [
            f"{i.name} {i.state} pid={i.pid} uptime={i.uptime(now):.0f}s restarts={i.restarts}\n"
            for i in self._supervisor.instances.values()
        ]
        write_stderr("".join(lines))


def _ignore(_seconds: float) -> None:
    """Do nothing, until the engine sets `on_suspended`."""
