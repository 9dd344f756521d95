"""The command of a container: a shell as PID 1 that stops the program and whatever it has started as `start` does.

An engine signals PID 1 only, and kills everything when PID 1 ends. A program in its place would have to pass signals
on, and launchers such as npm do not.
"""

from __future__ import annotations

from procman.core.procfile.command import direct, is_simple
from procman.export.file import ExportWarning
from procman.export.grammar import Block
from procman.export.shell import in_folder, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.export.application import Application, Service

# What a shell starts in the background ignores these (POSIX), and most programs do not change that.
_IGNORED_IN_BACKGROUND = (2, 3)

# $0 is the command, $1 the stop signal, $2 and $3 are times in tenths of a second, $4 is a stop command, if there is
# one. No variable is assigned before the program has started: one of the same name in its environment would change.
# There is no single quote in it, since exporters put it between single quotes.
_SCRIPT = """\
# PID 1 of the container. It passes the stop signal on to the program. All others get it when the
# program has ended, or half of the time is over. It ends last, since the container ends with it.
# Ctrl-C of "docker run" (INT) stops it, too.
others() {{
  left=1
  for pid in /proc/[0-9]*; do
    pid=${{pid#/proc/}}
    case " 1 $program $target " in
      *" $pid "*) ;;
      *) [ ${{$}} != 1 ] || {{ kill -s $1 $pid && left=0; }} ;;
    esac
  done
  return $left
}}
pause() {{ n=$((n + 1)); sleep 0.1 || {{ sleep 1; n=$((n + 9)); }}; }}
stop() {{
  trap : {again} INT
  stopping=yes{behind}
  kill -s $signal $target
}}
early() {{ false; }}
trap "early() {{ true; }}" {asked} INT
/bin/sh -c "$0" & program=$!
target=$program signal=$1 half=$2 whole=$3 stopping= n=0
{errors}exec 2>/dev/null
trap stop {asked} INT
! early || stop
[ "$stopping" ] || wait $program; code=$?
while [ "$stopping" ] && kill -s 0 $program; do
  [ $n -lt $half ] || {{ half=$whole; others $signal; }}
  pause
done
wait $program; n=$?; [ $n = 127 ] || code=$n
n=0; others $signal
while others 0 && [ $n -lt $whole ]; do pause; done
exit $code
"""
_WITH_COMMAND = """
  # The stop command replaces the signal, unless it fails.
  ! PROCMAN_PID=$program /bin/sh -c "$command" 2>&3 || return 0"""
_KEEP_ERRORS = """\
command=$4
exec 3>&2
"""
_BEHIND = """
  # The program is behind a shell that would not pass the signal on.
  read -r target </proc/$program/task/$program/children"""


def container_argv(service: Service, sent_signal: int = 0) -> list[str]:
    """Return the argument vector of a container.

    ``sent_signal`` is the signal that the engine sends if it cannot be configured to send the service's own.
    """
    stop = service.stop
    simple = is_simple(service.command)
    command = in_folder(direct(service.command), service.folder)
    reaches_it = stop.signal_number in _IGNORED_IN_BACKGROUND and sent_signal in (0, stop.signal_number)
    if simple and reaches_it and not stop.command:
        return ["/bin/sh", "-c", command]
    whole = round(stop.grace * 10)
    half = whole if stop.command else 0 if stop.to == "group" else whole // 2
    ways = [signal_name(stop.signal_number), str(half), str(whole)]
    return [
        *("/bin/sh", "-c", Block(_script(service, sent_signal)), command),
        *(ways if not stop.command else [*ways, in_folder(stop.command, service.folder)]),
    ]


def sourcing_argv(service: Service, path: str) -> list[str]:
    """Return the same argument vector, where the command first reads its environment from the file ``path``."""
    argv = container_argv(service)
    places = [len(argv) - 1] if len(argv) == len(("sh", "-c", "")) else [3, *([7] if service.stop.command else [])]
    return [source(path) + word if at in places else word for at, word in enumerate(argv)]


def source(path: str) -> str:
    """Return the line that reads an environment from a file."""
    return f". {path}\n"


def _script(service: Service, sent_signal: int) -> str:
    stop = service.stop
    behind = _BEHIND if stop.to == "program" and not is_simple(service.command) else ""
    asked, again = [signal_name(sent_signal)] * 2 if sent_signal else ("$1", "$signal")
    behind += _WITH_COMMAND if stop.command else ""
    return _SCRIPT.format(asked=asked, again=again, behind=behind, errors=_KEEP_ERRORS if stop.command else "")


def script_name(service: Service) -> str:
    """Return a name for the script of a service, the same for the same script."""
    behind = "-behind-a-shell" if service.stop.to == "program" and not is_simple(service.command) else ""
    return f"first-process{behind}{'-with-a-command' if service.stop.command else ''}"


def signal_warnings(app: Application, sent_signal: int = 0) -> Iterator[ExportWarning]:
    """Yield a warning for each service whose stop signal its shell lets the program ignore."""
    for service in app.services:
        number = service.stop.signal_number
        if number in _IGNORED_IN_BACKGROUND and len(container_argv(service, sent_signal)) > len(("sh", "-c", "")):
            yield ExportWarning(
                f"{service.name}: behind the shell of a container, only a program with a handler of its own is stopped"
                f" with {signal_name(number)}"
            )
