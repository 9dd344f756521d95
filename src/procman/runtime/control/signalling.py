"""Verbs that send signals: signal, pause and resume."""

from __future__ import annotations

from procman.core.model.status import signal_name, signal_number
from procman.errors import UsageError
from procman.runtime.system.descendants import send, send_group
from procman.runtime.system.procfs import children_of, comm_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signals

    from procman.core.text.protocol import Request
    from procman.runtime.control.client import Client
    from procman.runtime.control.session import Session
else:
    import _signal as signals  # without the enums: see runtime/system/signals.py

SHELLS = (b"sh", b"bash", b"dash", b"zsh", b"ksh", b"ash")
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
        send_to_program(pid, number)
        client.send({"say": f"{signal_name(number)} sent to {instance.name} (pid {pid})"})
    client.finish()


def pause(session: Session, client: Client, request: Request) -> None:
    """Suspend the process groups of the instances (SIGSTOP)."""
    for instance, pid in session.alive(request.names):
        send_group(pid, signals.SIGSTOP)
        session.supervisor.pause(instance)
        client.send({"say": f"{instance.name} paused"})
    client.finish()


def resume(session: Session, client: Client, request: Request) -> None:
    """Let the process groups of the instances continue (SIGCONT)."""
    for instance, pid in session.alive(request.names):
        send_group(pid, signals.SIGCONT)
        session.supervisor.resume(instance)
        client.send({"say": f"{instance.name} resumed"})
    client.finish()


def send_to_program(leader: int, number: int) -> None:
    """Send a signal to the program behind ``leader``, the pid of a child of ours that is not reaped yet.

    A signal of ``TO_GROUP`` goes to the whole process group, as from a keyboard. Any other signal is meant for the
    program alone: if the leader is a shell around it, which such a signal would kill, the shell's children get it.
    """
    if number in TO_GROUP:
        send_group(leader, number)
        return
    programs = children_of(leader) if _is_shell(leader) else []
    for pid in programs or [leader]:
        send(pid, number)


def _is_shell(pid: int) -> bool:
    return comm_of(pid).strip() in SHELLS
