"""The ``ssh`` command: one connection a host, no questions, and what its errors mean."""

from __future__ import annotations

import re
import shlex

from procman.engines.calls import Call
from procman.engines.interface import EXIT_TIMEOUT, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.engines.calls import Outcome

FAILED = 255  # ssh's own exit code
CONNECT_TIMEOUT = 10  # seconds
LONGEST_FOLDER = 40  # bytes: ssh adds 58 to it, and the path of a socket has 104 at most

_OPTIONS = (
    "BatchMode=yes",  # nothing could answer a question
    f"ConnectTimeout={CONNECT_TIMEOUT}",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    # What the user's configuration may say for sessions of the user's own.
    "ClearAllForwardings=yes",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
)
_KEPT = 60  # seconds that a connection waits for the next command

# Chooses the account that may change units, and passes on the script and its arguments.
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; else exec sudo -n sh -c "$@"; fi'
_AS_USER = 'exec sh -c "$@"'

# Lines that do not name the reason.
_REMARKS = ("sudo: unable to resolve host", "mux_client", "See ")

# What ssh says when it cannot connect: a clause, and a hint.
_ERRORS = (
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED", "has another host key than before",
     "if it was installed again: ssh-keygen -R {name}; if not, another machine may pretend to be it"),
    (r"Host key verification failed", "has a host key that is not known here",
     "compare it and accept it once: ssh {host} true"),
    (r"Could not resolve hostname", "has a name that cannot be resolved", "check hosts and your ssh configuration"),
    (r"Permission denied \(", "refuses the login",
     "put your key there with ssh-copy-id {host}; a key with a passphrase has to be in the agent: ssh-add"),
    (r"Too many authentication failures", "refuses the login", "name one key in your ssh configuration: IdentityFile"),
    (r"Connection refused", "refuses connections: does sshd run there?", ""),
    (r"(No route to host|Network is unreachable|timed out|Timeout)", "does not answer", "is the machine up?"),
    (r"(Bad configuration option|Bad owner or permissions)", "cannot be reached with your ssh configuration", ""),
)  # fmt: skip


class UnreachableError(EngineError):
    """A host cannot be reached, or no longer."""


class Ssh:
    """Makes the calls. ``folder`` is a private folder for the sockets of connections, empty for none.

    ``config`` is a configuration file for ssh instead of the user's.
    """

    def __init__(self, folder: str = "", *, config: str = "", as_user: bool = False) -> None:
        self.as_user = as_user
        own = ("-F", config) if config else ()
        shared = folder and len(folder.encode()) <= LONGEST_FOLDER
        control = ("ControlMaster=auto", f"ControlPersist={_KEPT}", f"ControlPath={folder}/%C") if shared else ()
        self._options = (*own, *(word for option in (*_OPTIONS, *control) for word in ("-o", option)))

    def call(self, host: str, script: str, *words: str, stdin: bytes = b"", timeout: float | None = 60.0) -> Call:
        """Return the call that runs a shell script on a host, as root or as the user, with ``words`` as arguments."""
        return Call(
            ("ssh", "-T", *self._options, "--", address(host), self._command(script, words)),
            stdin=stdin,
            timeout=timeout,
            shown=f"ssh {host}",
        )

    def terminal(self, host: str, script: str, *words: str, terminal: bool) -> Call:
        """Return the call of a script that has our terminal, or our own standard streams."""
        how = "-tt" if terminal else "-T"
        return Call(
            ("ssh", how, *self._options, "--", address(host), self._command(script, words)), shown=f"ssh {host}"
        )

    def _command(self, script: str, words: tuple[str, ...]) -> str:
        """Return one word for the login shell there, whatever shell that is."""
        way = _AS_USER if self.as_user else _AS_ROOT
        return shlex.join(("exec", "sh", "-c", way, "procman", script, "procman", *words))


def address(host: str) -> str:
    """Return what ssh takes for ``user@name:port``."""
    return f"ssh://{host}" if re.fullmatch(r"[^/\[\]]*[^:/\]]:\d+", host) and host.count(":") == 1 else host


def node(host: str) -> str:
    """Return the name of the machine in ``user@name:port``."""
    name = host.removeprefix("ssh://").rpartition("@")[2]
    return name.rpartition(":")[0] if name.count(":") == 1 else name


def is_lost(outcome: Outcome) -> bool:
    """Whether the call failed because the host was not reached, or no longer."""
    return outcome.code == FAILED or is_late(outcome)


def is_late(outcome: Outcome) -> bool:
    """Whether the call has taken too long."""
    return outcome.code == EXIT_TIMEOUT and b"did not answer within" in outcome.err


def failure(host: str, outcome: Outcome, what: str) -> EngineError:
    """Return the error for a failed call: the host is not reached, may not be changed, or the script failed."""
    said = outcome.err.decode("utf-8", "replace")
    if is_lost(outcome):
        return _unreachable(host, said)
    if re.search(
        r"^sudo: .*password is required|is not in the sudoers file|not allowed to (run|execute)", said, re.MULTILINE
    ):
        hint = "allow it in /etc/sudoers.d (NOPASSWD), log in as root, or use units of the user: user_units = true"
        return EngineError(f"{host} may not use sudo without a password", hint)
    if re.search(r"sudo: (command )?not found", said):
        return EngineError(f"{host} is not root, and {node(host)} has no sudo", "log in as root")
    if "No space left on device" in said:
        return EngineError(f"{what}: the disk of {host} is full", "remove what is no longer needed there")
    lines = list(_lines(said)) or list(_lines(outcome.text)) or [f"exit code {outcome.code}"]
    return EngineError(f"{what} failed on {host}: {lines[-1]}")


def _unreachable(host: str, said: str) -> UnreachableError:
    for pattern, clause, hint in _ERRORS:
        if re.search(pattern, said):
            return UnreachableError(f"{host} {clause}", hint.format(host=host, name=node(host)))
    lines = list(_lines(said))
    return UnreachableError(f"the connection to {host} was lost" + (f": {lines[-1]}" if lines else ""))


def _lines(said: str) -> Iterator[str]:
    """Yield the lines that mean something. sudo complains about a host's name, and works."""
    return (line.strip() for line in said.splitlines() if line.strip() and not line.startswith(_REMARKS))
