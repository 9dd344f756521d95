"""Verbs that send signals: signal, pause and resume."""

from __future__ import annotations

import time

from procman.core.lifecycle.transitions import State
from procman.core.model.status import signal_name, signal_number
from procman.errors import UsageError
from procman.runtime.control.session import NotRunningError
from procman.runtime.processes.recipients import handles, is_shell, living_children
from procman.runtime.system.descendants import send, send_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signals

    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session
else:
    import _signal as signals  # without the enums: see runtime/system/signals.py

TO_GROUP = frozenset(  # signals that end, stop or continue a process
    (
        signals.SIGTERM,
        signals.SIGINT,
        signals.SIGQUIT,
        signals.SIGKILL,
        signals.SIGSTOP,
        signals.SIGCONT,
        signals.SIGTSTP,
    )
)


def signal(session: Session, client: Client, request: Request) -> None:
    """Send a signal to the programs of the named instances."""
    number = signal_number(request.text)
    if number is None or number >= signals.NSIG:
        raise UsageError(f'"{request.text}" is not a signal', "for example: procman signal USR1 web")
    if not request.names:
        raise UsageError("missing process", "for example: procman signal USR1 web")
    for instance, pid in session.alive(request.names):
        child = session.children.of(instance.name)
        if child is not None and number == signals.SIGKILL:
            child.cause = "killed by procman signal"
        pids = send_to_program(pid, number)
        _note(session, instance, number)
        shown = f"pid{'s' if len(pids) > 1 else ''} {', '.join(map(str, pids))}"
        client.send({"say": f"{signal_name(number)} sent to {instance.name} ({shown})"})
    client.finish()


def _note(session: Session, instance: Instance, number: int) -> None:
    """SIGSTOP and SIGCONT pause and resume, whichever verb sends them."""
    if number == signals.SIGSTOP:
        session.supervisor.pause(instance, time.monotonic())
    elif number == signals.SIGCONT:
        session.supervisor.resume(instance, time.monotonic())


def pause(session: Session, client: Client, request: Request) -> None:
    """Suspend the process groups of the instances (SIGSTOP)."""
    stopping = []
    for instance, pid in session.alive(request.names):
        if instance.state == State.STOPPING:
            stopping.append(instance.name)
            continue
        send_group(pid, signals.SIGSTOP)
        session.supervisor.pause(instance, time.monotonic())
        client.send({"say": f"{instance.name} paused"})
    if stopping:
        raise NotRunningError(f"not paused, because it is stopping: {', '.join(stopping)}")
    client.finish()


def resume(session: Session, client: Client, request: Request) -> None:
    """Let the process groups of the instances continue (SIGCONT)."""
    for instance, pid in session.alive(request.names):
        send_group(pid, signals.SIGCONT)
        session.supervisor.resume(instance, time.monotonic())
        client.send({"say": f"{instance.name} resumed"})
    client.finish()


def send_to_program(leader: int, number: int) -> list[int]:
    """Send a signal to the program behind ``leader``, the pid of a child of ours that is not reaped yet.

    A signal of ``TO_GROUP`` goes to the whole process group, as from a keyboard. Any other signal is meant for the
    program alone. Returns the pids that got it, or the leader's for its group.
    """
    if number in TO_GROUP:
        send_group(leader, number)
        return [leader]
    pids = _programs(leader, number)
    for pid in pids:
        send(pid, number)
    return pids


def _programs(leader: int, number: int) -> list[int]:
    """Return the programs behind a leader: what a shell runs that would die of the signal, since it has no trap for it.

    In a pipeline (``./server | tee log``) that is the program that handles the signal, if one does.
    """
    found, unseen = list[int](), [leader]
    while unseen:
        pid = unseen.pop(0)
        behind = living_children(pid) if is_shell(pid) and not handles(pid, number) else []
        unseen += behind
        found += [] if behind else [pid]
    return [pid for pid in found if handles(pid, number)] or found
