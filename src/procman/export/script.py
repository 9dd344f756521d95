"""Decides the shell scripts of targets whose own grammar cannot hold every value: what is sourced, and what is run."""

from __future__ import annotations

from procman.export.application import own
from procman.export.file import SECRET, ExportFile
from procman.export.grammar import assignments, sh
from procman.export.shell import LATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.planner import InstancePlan
    from procman.export.application import Application, Service

# Linux; an init system's scripts may count on util-linux. The test spares those who run the supervisor as that user.
_SETPRIV = """\
if [ "$(id -un)" != {user} ]; then
    set -- setpriv --reuid {user} --regid "$(id -g {user})" --init-groups "$@"
fi
"""


def environment_file(path: str, comment: str, app: Application, service: Service, instance: InstancePlan) -> ExportFile:
    """Return the file that gives the whole environment of ``instance`` to the script that sources it.

    What a shell would not take as an assignment is left in the positional parameters, as arguments of env(1).
    """
    whole = {**app.shared, **service.env, **own(instance)}
    early = {name: value for name, value in whole.items() if name not in LATE}
    late = {name: value for name, value in whole.items() if name in LATE}
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


def as_user(user: str) -> str:
    """Return the lines that put setpriv(1) before ``"$@"``; none without a user."""
    return _SETPRIV.format(user=sh(user)) if user else ""
