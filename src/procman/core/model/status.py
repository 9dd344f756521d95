"""How a child ended, and the signals of this system by name and number."""

from __future__ import annotations

import sys

CANNOT_RUN = (126, 127)  # a shell's codes for "may not be executed" and "not found"

_COMMON = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    5: "SIGTRAP",
    6: "SIGABRT",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    21: "SIGTTIN",
    22: "SIGTTOU",
    26: "SIGVTALRM",
    27: "SIGPROF",
    28: "SIGWINCH",
}
# Signals whose numbers differ between the two families of systems.
_LINUX = {7: "SIGBUS", 10: "SIGUSR1", 12: "SIGUSR2", 16: "SIGSTKFLT", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS"}
_LINUX |= {17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP", 20: "SIGTSTP", 23: "SIGURG", 29: "SIGIO", 30: "SIGPWR"}
_LINUX |= {34: "SIGRTMIN", 64: "SIGRTMAX"}
_DARWIN = {10: "SIGBUS", 30: "SIGUSR1", 31: "SIGUSR2", 12: "SIGSYS", 24: "SIGXCPU", 25: "SIGXFSZ", 7: "SIGEMT"}
_DARWIN |= {17: "SIGSTOP", 18: "SIGTSTP", 19: "SIGCONT", 20: "SIGCHLD", 16: "SIGURG", 23: "SIGIO", 29: "SIGINFO"}
_ALIASES = {"SIGIOT": "SIGABRT", "SIGCLD": "SIGCHLD", "SIGPOLL": "SIGIO"}

SIGNALS = _COMMON | (_DARWIN if sys.platform == "darwin" else _LINUX)  # number → name; core may not import `signal`
HIGHEST_SIGNAL = 64  # the real-time signals of Linux end here

_REASONS = {
    "SIGKILL": "perhaps out of memory",
    "SIGSEGV": "segmentation fault",
    "SIGABRT": "aborted itself",
    "SIGBUS": "bus error",
    "SIGILL": "illegal instruction",
    "SIGXCPU": "CPU time limit",
    "SIGXFSZ": "file size limit",
    "SIGSYS": "forbidden system call",
}


def signal_name(number: int) -> str:
    """Return the name of signal `number` on this system, such as ``SIGTERM``; ``signal 42`` if it has none."""
    return SIGNALS.get(number) or f"signal {number}"


def signal_number(name: str) -> int | None:
    """Return the number of the signal called ``INT``, ``SIGINT`` or ``2``, in any case; None if there is none."""
    if name.isascii() and name.isdigit():
        return int(name) if len(name) < 4 and 0 < int(name) <= HIGHEST_SIGNAL else None
    full = f"SIG{name.upper().removeprefix('SIG')}"
    wanted = _ALIASES.get(full, full)
    return next((number for number, known in SIGNALS.items() if known == wanted), None)


class ExitStatus:
    """How a child ended: with exit code `code` (0 to 255), or killed by the signal with the number `signal`.

    `cause` says what a SIGKILL came from, as in "killed by the kernel: out of memory". An empty one is known to be
    something other than a lack of memory; None is unknown.
    """

    __slots__ = ("cause", "code", "signal")

    def __init__(self, code: int | None = None, signal: int | None = None) -> None:
        self.code = code
        self.signal = signal
        self.cause: str | None = None

    @property
    def shell_code(self) -> int:
        """Return the status as a shell reports it: the code, or 128 + the signal (POSIX.1-2017 XCU 2.8.2)."""
        return self.code if self.code is not None else 128 + (self.signal or 0)

    @property
    def ok(self) -> bool:
        """Whether the child exited with code 0."""
        return self.code == 0

    def words(self, asked: bool = False) -> str:
        """Describe the end, for a sentence. With `asked` procman sent the signal itself, so no reason is guessed."""
        if self.cause and not asked:
            return self.cause
        if self.code is None:
            return self._signal_words(asked)
        if self.code == 127:
            return "exited with code 127 (command not found)"
        if self.code == 126:
            return "exited with code 126 (cannot be executed)"
        if not asked and 128 < self.code <= 128 + 64 and signal_name(self.code - 128).startswith("SIG"):
            name = signal_name(self.code - 128)
            return f"exited with code {self.code} ({name}{self._reason(name)})"
        return f"exited with code {self.code}"

    def _signal_words(self, asked: bool) -> str:
        name = signal_name(self.signal or 0)
        reason = "" if asked else self._reason(name)
        return f"killed by {name}{f' ({reason[2:]})' if reason else ''}"

    def _reason(self, name: str) -> str:
        """Return what the signal suggests, after a comma, unless something better is known."""
        return f", {_REASONS[name]}" if name in _REASONS and self.cause is None else ""

    def __repr__(self) -> str:
        return f"ExitStatus({self.words(asked=True)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExitStatus) and (self.code, self.signal) == (other.code, other.signal)

    def __hash__(self) -> int:
        return hash((self.code, self.signal))
