"""Asks in one table: the commands for a session that runs, and the options that only they have."""

from __future__ import annotations

from procman.cli.options.option import Command, Option

SOCKET = Option("socket", "--socket", "the control socket [one for each Procfile]", "path", "PATH")
PATIENCE = Option(
    "patience",
    "-t --timeout",
    "how long to wait for them [60]",
    "seconds",
    "SECONDS",
    config=False,
    variable="PROCMAN_WAIT_TIMEOUT",  # PROCMAN_TIMEOUT is a grace
)

_PROCFILE = Option("procfile", "-f --procfile", "the Procfile it was started with", "path", "FILE")
_WITHOUT_F = Option("procfile", "--procfile", "the Procfile it was started with", "path", "FILE")
_ROOT = Option("root", "-d --root", "the folder it runs in", "path", "DIR")
_JSON = Option("as_json", "--json", "as JSON", variable="")
_NO_WAIT = Option("wait", "--no-wait", "do not wait until it is done", value=False, variable="")
_WHERE = (_PROCFILE, _ROOT, SOCKET, _JSON)

CONTROL_COMMANDS = (
    Command(
        "ps",
        "Show how the processes of a running session are.",
        "NAMES",
        (Option("watch", "-w --watch", "again every two seconds", variable=""), *_WHERE),
        (("procman ps", "all of them; status is the same"), ("procman ps --watch web", "what web is up to")),
    ),
    Command(
        "stop",
        "Stop processes of a running session, or without names all of it.",
        "NAMES",
        (_NO_WAIT, *_WHERE),
        (("procman stop worker", "all workers; the session goes on"), ("procman stop", "end the session")),
    ),
    Command(
        "restart",
        "Restart processes of a running session, all without names.",
        "NAMES",
        (Option("rolling", "--rolling", "one by one, each ready before the next", variable=""), _NO_WAIT, *_WHERE),
        (("procman restart web.2", "this one"), ("procman restart --rolling web", "with somebody always there")),
    ),
    Command(
        "scale",
        "Change how many there are of a process type.",
        "CHANGES",
        (_NO_WAIT, *_WHERE),
        (("procman scale web=3", "three of them"), ("procman scale worker+1 web-1", "one more, one less")),
    ),
    Command(
        "signal",
        "Send a signal to processes of a running session.",
        "SIGNAL",
        _WHERE,
        (("procman signal USR1 web", "to the program, not to a shell around it"),),
    ),
    Command(
        "pause",
        "Stop processes where they are, without ending them.",
        "NAMES",
        _WHERE,
        (("procman pause worker", "until procman resume worker"),),
    ),
    Command("resume", "Let paused processes go on.", "NAMES", _WHERE, (("procman resume", "all of them"),)),
    Command(
        "logs",
        "Show what processes said, from memory, and with -f what they say next.",
        "NAMES",
        (
            Option("follow", "-f --follow", "go on with what they say next", variable=""),
            Option("lines", "-n --lines", "the last so many lines [200]", "whole", "N", variable=""),
            Option("since", "--since", "what is not older: 30s, 5m, 2h", "text", "AGE", variable=""),
            Option("color", "--color", "colors [on a terminal]"),
            Option("color", "--no-color", value=False),
            _WITHOUT_F,
            *_WHERE[1:],
        ),
        (("procman logs -f web", "as it comes"), ("procman logs --since 5m -n 1000", "of all, at most so much")),
    ),
    Command(
        "attach",
        "Be at the terminal of one process; Ctrl-] leaves.",
        "NAMES",
        (_PROCFILE, _ROOT, SOCKET),
        (("procman attach web.1", "for a debugger, say; connect is the same"),),
    ),
    Command(
        "wait",
        "Wait until processes are ready, all without names.",
        "NAMES",
        (PATIENCE, *_WHERE),
        (("procman wait web --timeout 30", "exit status 124 when that is too short"),),
    ),
    Command(
        "why",
        "Explain why a process is not up, or how it is.",
        "NAMES",
        _WHERE,
        (("procman why web", "what it waits for, when it is tried again"),),
    ),
    Command(
        "events",
        "Show what happens to processes, as it happens.",
        "NAMES",
        _WHERE,
        (("procman events --json", "one object a line"),),
    ),
)
