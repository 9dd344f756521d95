"""The shell that runs a command at a target, so that stopping works as with `procman start`: for the whole group.

A supervisor that signals a single process reaches only the shell, and a shell that dies leaves its command behind. So
the shell replaces itself with a simple command, and waits for the processes of any other command. Scripts also serve
the targets whose own grammar cannot hold every value.
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

# Variables for the child that would break the script itself: read-only or special in dash, bash or busybox, or
# changing which tools the script finds (PATH). env(1) sets them at the very end.
SPECIAL_VARIABLES = frozenset(
    (  # noqa: SIM905 (a list would be a screen long)
        "PATH IFS UID EUID PPID PWD OLDPWD SHLVL OPTIND OPTARG LINENO RANDOM SRANDOM SECONDS GROUPS _ "
        "BASHOPTS BASHPID BASH_ARGV BASH_VERSINFO BASH_ENV BASH_COMPAT BASH_XTRACEFD DIRSTACK FUNCNAME FUNCNEST "
        "SHELLOPTS POSIXLY_CORRECT HISTCMD EPOCHSECONDS EPOCHREALTIME LD_PRELOAD LD_LIBRARY_PATH"
    ).split()
)

# Nothing is needed if the supervisor runs as that user. Else the home is that of the account at the target.
_CHANGE_USER = """\
if [ "$(id -un)" != {user} ]; then
    set -- {tool} {env}"$@"
fi
"""
_IDENTITY = {"HOME": '"$(getent passwd {user} | cut -d: -f6)"', "USER": "{user}", "LOGNAME": "{user}"}


def signal_name(number: int) -> str:
    """Return the name without SIG, ``TERM`` for 15. A real-time signal has only its number."""
    return SIGNALS.get(number, str(number)).removeprefix("SIG")


def trap_stop_signal(command: str, signal_number: int) -> str:
    """Return the command for a target that signals the group and watches only its shell: the shell exits last."""
    if is_simple(command):
        return direct(command)
    return f"trap 'exit {128 + signal_number}' {signal_name(signal_number)}; {command}"


def in_folder(command: str, folder: str) -> str:
    """Return the command as it runs in ``folder``, which is relative to the folder that the target starts it in."""
    return f"cd {sh(folder)} || exit 126; {command}" if folder else command


def asks_program_first(service: Service) -> bool:
    """Return whether the program gets the stop signal before its group: by the overlay, or if it needs no shell."""
    return service.stop.to == "program" or (not service.stop.to and is_simple(service.command))


def program_of(service: Service, leader: str) -> str:
    """Return the shell's expression for the pid of the program, where ``leader`` is that of its group's leader.

    Behind the shell of a compound command, the program is what the shell is waiting for.
    """
    return leader if is_simple(service.command) else f"$(cat /proc/{leader}/task/{leader}/children)"


def environment_file(path: str, comment: str, app: Application, service: Service, instance: InstancePlan) -> ExportFile:
    """Return the file with the whole environment of ``instance``, for a script to source.

    It leaves the variables that a shell cannot assign in the positional parameters, as arguments of env(1).
    """
    whole = {**app.shared, **service.env, **own(instance)}
    early = {name: value for name, value in whole.items() if name not in SPECIAL_VARIABLES}
    late = {name: value for name, value in whole.items() if name in SPECIAL_VARIABLES}
    lines = assignments(early, "a shell script", lambda name, value: f"export {name}={sh(value)}")
    given = (
        assignments(late, "a shell script", lambda name, value: sh(f"{name}={value}")).rstrip("\n").replace("\n", " ")
    )
    note = "# A shell cannot safely assign these, so the script passes them to env(1) at the end.\n"
    content = comment + lines + (f"{note}set -- /usr/bin/env {given}\n" if late else "set --\n")
    return ExportFile(path, content, SECRET)


def start_lines(root: str, environment: str, command: str) -> str:
    """Return the first lines of a script: source the environment, change to ``root``, put the command into ``"$@"``."""
    return f"""\
# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. {environment}
cd {sh(root)} || exit 111
set -- "$@" /bin/sh -c {sh(command)}
"""


def change_user_lines(user: str, tool: str, instance: InstancePlan) -> str:
    """Return the lines that put a change to ``user`` before ``"$@"``; empty without a user.

    ``tool`` is a command of the target, with ``{user}`` in it. HOME and the like follow, unless the env files set them.
    """
    if not user:
        return ""
    name = sh(user)
    missing = {key: value.format(user=name) for key, value in _IDENTITY.items() if key not in instance.env}
    env = "".join(f"{key}={value} " for key, value in missing.items())
    return _CHANGE_USER.format(user=name, tool=tool.format(user=name), env=f"/usr/bin/env {env}" if env else "")


def stop_command_lines(service: Service, environment: str, user: str, leader: str) -> str:
    """Return a subshell that runs the stop command with the environment, the folder and the account of the instance.

    ``user`` are the lines that change to the account, ``leader`` is the shell's expression for PROCMAN_PID.
    """
    start = start_lines(service.cwd, environment, service.stop.command)
    body = f'{start}{user}export PROCMAN_PID="{leader}"\nexec "$@"\n'
    return "(\n" + body + ")"
