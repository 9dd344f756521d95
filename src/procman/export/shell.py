"""Decides how a target's shell is started so that stopping works as under `procman start`: the whole group is asked.

A supervisor that signals one process reaches the shell alone, and a shell that dies leaves its command behind. So a
command that is one simple command is executed in the shell's place; for any other the shell is taught to wait.
"""

from __future__ import annotations

from procman.core.model.status import SIGNALS
from procman.core.procfile.command import direct, is_simple
from procman.export.application import own
from procman.export.file import SECRET, ExportFile
from procman.export.grammar import assignments, sh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan
    from procman.export.application import Application, Service

# What must reach the child but would hurt the script on its way: read-only or special in dash, bash or busybox, or
# changing which tools the script finds (PATH). They are handed over by env(1) at the very end.
SPECIAL_VARIABLES = frozenset(
    (  # noqa: SIM905 (a list would be a screen long)
        "PATH IFS UID EUID PPID PWD OLDPWD SHLVL OPTIND OPTARG LINENO RANDOM SRANDOM SECONDS GROUPS _ "
        "BASHOPTS BASHPID BASH_ARGV BASH_VERSINFO BASH_ENV BASH_COMPAT BASH_XTRACEFD DIRSTACK FUNCNAME FUNCNEST "
        "SHELLOPTS POSIXLY_CORRECT HISTCMD EPOCHSECONDS EPOCHREALTIME LD_PRELOAD LD_LIBRARY_PATH"
    ).split()
)

_PID_ONE_SCRIPT = (
    """trap "trap '' {name}; kill -{name} 0" {asked}; /bin/sh -c "$0" & p=$!; wait $p; c=$?; """
    """while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c"""
)

# Linux; an init system's scripts may count on util-linux. The test spares those who run the supervisor as that user.
_SETPRIV = """\
if [ "$(id -un)" != {user} ]; then
    set -- setpriv --reuid {user} --regid "$(id -g {user})" --init-groups "$@"
fi
"""


def signal_name(number: int) -> str:
    """Return the name without SIG: ``TERM`` for 15; the number as text for a real-time signal."""
    return SIGNALS.get(number, str(number)).removeprefix("SIG")


def trap_stop_signal(command: str, signal_number: int) -> str:
    """Return the command for a target that signals the group and looks at the shell alone: it ends last."""
    if is_simple(command):
        return direct(command)
    return f"trap 'exit {128 + signal_number}' {signal_name(signal_number)}; {command}"


def container_argv(command: str, stop_signal: int, sent_signal: int | None = None) -> list[str]:
    """Return the argument vector for a container: PID 1 passes the stop signal on and waits for its command.

    ``sent_signal`` is the signal that the engine sends, if it cannot be told to send ``stop_signal``.
    """
    sent_signal = sent_signal or stop_signal
    if is_simple(command) and sent_signal == stop_signal:
        return ["/bin/sh", "-c", direct(command)]
    wrapper = _PID_ONE_SCRIPT.format(name=signal_name(stop_signal), asked=signal_name(sent_signal))
    return ["/bin/sh", "-c", wrapper, trap_stop_signal(command, stop_signal)]


def environment_file(path: str, comment: str, app: Application, service: Service, instance: InstancePlan) -> ExportFile:
    """Return the file that gives the whole environment of ``instance`` to the script that sources it.

    What a shell would not take as an assignment is left in the positional parameters, as arguments of env(1).
    """
    whole = {**app.shared, **service.env, **own(instance)}
    early = {name: value for name, value in whole.items() if name not in SPECIAL_VARIABLES}
    late = {name: value for name, value in whole.items() if name in SPECIAL_VARIABLES}
    lines = assignments(early, "a shell script", lambda name, value: f"export {name}={sh(value)}")
    given = (
        assignments(late, "a shell script", lambda name, value: sh(f"{name}={value}")).rstrip("\n").replace("\n", " ")
    )
    note = "# A shell would not take these, or not survive them: the script hands them over at the end.\n"
    content = comment + lines + (f"{note}set -- /usr/bin/env {given}\n" if late else "set --\n")
    return ExportFile(path, content, SECRET)


def start_lines(root: str, environment: str, command: str) -> str:
    """Return the lines of a script up to its last: source the environment, go to the application, keep the command."""
    return f"""\
# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. {environment}
cd {sh(root)} || exit 111
set -- "$@" /bin/sh -c {sh(command)}
"""


def setpriv_lines(user: str) -> str:
    """Return the lines that put setpriv(1) before ``"$@"``; none without a user."""
    return _SETPRIV.format(user=sh(user)) if user else ""
