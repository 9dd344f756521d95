"""The table of the commands for running sessions, and of all commands."""

from __future__ import annotations

from procman.cli.options.option import Command, Option, everyday, session_command
from procman.cli.options.table import JSON, ON, PROJECT_COMMANDS, READY_TIMEOUT, SOCKET, only

_PROCFILE = Option("procfile", "-f --procfile", "the Procfile of the session", "path", "FILE")
_WITHOUT_F = Option("procfile", "--procfile", "the Procfile of the session", "path", "FILE")
_ROOT = Option("root", "-d --root", "the folder of the session", "path", "DIR")
_ALL = Option("all_sessions", "--all", "all of your sessions", variable="")
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
_NO_WAIT = Option("wait", "--no-wait", "return without waiting until it is done", value=False, variable="")
_WHERE = (_PROCFILE, _ROOT, SOCKET, JSON)
_COLOR = only("color")

_ROWS = (
    Command(
        "ps",
        "procman.cli.control.ps:perform",
        "Show the status of the processes of a running session.",
        "NAMES",
        (_ALL, Option("watch", "-w --watch", "refresh every two seconds", variable=""), *_COLOR, *_WHERE, ON),
        (
            ("procman ps", "all processes; procman status is the same"),
            ("procman ps --watch web", "only web, refreshed every two seconds"),
            ("procman ps --all", "the sessions of all folders"),
        ),
    ),
    Command(
        "metrics",
        "procman.cli.control.metrics:perform",
        "Print metrics of a running session, for Prometheus.",
        "NAMES",
        (
            Option("textfile", "--textfile", "replace this file, for node_exporter", "path", "PATH", variable=""),
            *_WHERE[:-1],
        ),
        (
            ("procman metrics", "in the text format of OpenMetrics"),
            ("procman metrics --textfile /var/lib/node_exporter/shop.prom", "every minute, by a timer"),
        ),
    ),
    session_command(
        "stop",
        "Stop processes of a running session, or the whole session.",
        "NAMES",
        (_ALL, _NO_WAIT, *_WHERE, ON),
        ("procman stop worker", "all workers; the session continues"),
        ("procman stop", "end the session; procman down is the same"),
    ),
    Command(
        "down",
        "procman.cli.control.session_commands:down",
        "End the running session, or remove what is deployed.",
        "NAMES",
        (_ALL, _NO_WAIT, *_WHERE, ON),
        (
            ("procman down", "end the session; exit status 0 if none is running"),
            ("procman down --on production", "stop and remove everything there"),
        ),
    ),
    session_command(
        "restart",
        "Restart the named processes of a running session, or all of them.",
        "NAMES",
        (
            Option("rolling", "--rolling", "one at a time, each ready before the next", variable=""),
            _NO_WAIT,
            *_WHERE,
            ON,
        ),
        ("procman restart web.2", "only this instance"),
        ("procman restart --rolling web", "one at a time, so that some are always up"),
    ),
    session_command(
        "scale",
        "Change the number of instances of a process type.",
        "CHANGES",
        (_NO_WAIT, *_WHERE, ON),
        ("procman scale web=3", "three instances"),
        ("procman scale worker+1 web-1", "one more worker, one fewer web"),
    ),
    session_command(
        "signal",
        "Send a signal to processes of a running session.",
        "SIGNAL",
        _WHERE,
        ("procman signal USR1 web", "reaches the program, not a shell around it"),
    ),
    session_command(
        "pause",
        "Suspend processes without ending them.",
        "NAMES",
        _WHERE,
        ("procman pause worker", "until procman resume worker"),
    ),
    session_command("resume", "Resume paused processes.", "NAMES", _WHERE, ("procman resume", "all of them")),
    Command(
        "logs",
        "procman.cli.control.logs:perform",
        "Show recent output of processes; with -f, follow it live.",
        "NAMES",
        (
            everyday("follow", "-f --follow", "follow live output", variable=""),
            everyday("lines", "-n --lines", "number of lines, or of matches, to show [200]", "whole", "N", variable=""),
            everyday("since", "--since", "only output of the last 30s, 5m or 2h", "text", "AGE", variable=""),
            everyday("after", "--after", "only output after this cursor of --json", "text", "CURSOR", variable=""),
            everyday("until", "--until", "only output older than 5m, or up to this cursor", "text", "AGE", variable=""),
            everyday("previous", "--previous", "only output of the life before the latest", variable=""),
            everyday("session", "--session", "a recorded session, or the last one", "text", "ID", variable=""),
            everyday("grep", "--grep", "only lines that match a regular expression", "regex", "REGEX", variable=""),
            everyday("ignore_case", "-i --ignore-case", "match --grep in any case", variable=""),
            everyday("invert", "-v --invert", "only lines that --grep does not match", variable=""),
            everyday(
                "context", "-C --context", "also N lines of the process before and after", "whole", "N", variable=""
            ),
            everyday(
                "level",
                "--level",
                "only JSON and logfmt lines of this level or above",
                "choice",
                "LEVEL",
                LEVELS,
                variable="",
            ),
            Option("mask", "--mask", "mask the values of secrets, also before --grep", variable=""),
            everyday("stderr", "--stderr", "only stderr, which --format json keeps apart", variable=""),
            *_COLOR,
            _WITHOUT_F,
            *_WHERE[1:],
            ON,
        ),
        (
            ("procman logs -f web", "live"),
            ("procman logs --previous web", "before its last restart"),
            ("procman logs --grep refused -C 3", "exit status 1 if nothing matches"),
        ),
        rare=("mask", "color"),
    ),
    Command(
        "attach",
        "procman.cli.control.attach:perform",
        "Attach to the terminal of one process; Ctrl-] detaches.",
        "NAMES",
        (_PROCFILE, _ROOT, SOCKET),
        (("procman attach web.1", "to use a debugger, say; connect does the same"),),
    ),
    Command(
        "tui",
        "procman.cli.tui.tui_command:perform",
        "Show a running session full-screen: states, usage and logs.",
        "NOTHING",
        (
            everyday("start", "--start", "begin a session in the background, if there is none", variable=""),
            everyday("web", "--web", "show it in a browser of this machine", variable=""),
            Option("web_port", "--web-port", "the port for --web [a free one]", "port", "PORT", variable=""),
            everyday("mouse", "--mouse", "let the mouse select and scroll", variable=""),
            *_COLOR,
            _PROCFILE,
            _ROOT,
            SOCKET,
        ),
        (
            ("procman tui", "? shows the keys; q leaves, and the session continues"),
            ("procman tui --start", "begins a session like procman up; procman down ends it"),
            ("procman tui --web", "prints an address on 127.0.0.1; Ctrl-C ends it"),
        ),
    ),
    session_command(
        "wait",
        "Wait until the named processes, or all of them, are ready.",
        "NAMES",
        (READY_TIMEOUT, *_WHERE),
        ("procman wait web --timeout 30", "exit status 124 if it takes longer"),
    ),
    session_command(
        "why",
        "Explain the state of a process, such as why it is not ready.",
        "NAMES",
        (*_COLOR, *_WHERE, ON),
        ("procman why web", "what it is waiting for, or when it will restart"),
    ),
    session_command(
        "events",
        "Follow state changes as they happen.",
        "NAMES",
        _WHERE,
        ("procman events --json", "one JSON object per line"),
    ),
    Command(
        "sessions",
        "procman.cli.control.recorded_sessions:perform",
        "List the sessions whose output can be read, recorded or running.",
        "NOTHING",
        (*_COLOR, JSON),
        (
            ("procman sessions", "those of all folders"),
            ("procman logs --session ID", "the output of one; --session last: the one that ended last"),
        ),
    ),
)

SESSION_COMMANDS = {command.name: command for command in _ROWS}
COMMANDS = {**PROJECT_COMMANDS, **SESSION_COMMANDS}
