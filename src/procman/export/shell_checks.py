"""Readiness and health checks as shell commands, for targets that have none of their own.

Nothing is known of the target but /bin/sh and a few tools that nearly all have, so a command tries what it finds.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from procman.core.model.checks import DELAY, EXEC, HERE, HTTP, TCP, is_here, split_host
from procman.export.grammar import Block, sh
from procman.export.shell import in_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procman.core.model.checks import Check


def check_command(check: Check, folder: str = "") -> str:
    """Return a shell command that succeeds when the check would. A command of the user runs in ``folder``."""
    command = COMMANDS[check.kind](check)
    return in_folder(command, folder) if check.kind == EXEC else command


# What an image may have. Success is a status from 200 to 399.
_BASH_REQUEST = (
    r'exec 3<>/dev/tcp/{host}/{port} && printf "GET %s HTTP/1.0\r\nHost: {host}\r\n\r\n" "$0" >&3'
    ' && read -r _ status _ <&3 && [ "$status" -ge 200 ] && [ "$status" -lt 400 ]'
)
_PYTHON_REQUEST = (
    'import http.client, sys; server = http.client.HTTPConnection("{host}", {port}, timeout=5);'
    ' server.request("GET", sys.argv[1]); sys.exit(not 200 <= server.getresponse().status < 400)'
)
_NODE_REQUEST = 'require("http").get(process.argv[1], (answer) => process.exit(answer.statusCode < 400 ? 0 : 1))'
_HTTP_TOOLS = {
    "curl": "curl -fsS -o /dev/null {url}",
    "wget": "wget -q -O /dev/null {url}",
    "bash": f"bash -c '{_BASH_REQUEST}' {{path}}",
    "python3": f"python3 -c '{_PYTHON_REQUEST}' {{path}}",
    "node": f"node -e '{_NODE_REQUEST}' {{url}}",
}
_TCP_TOOLS = {
    "nc": "nc -z {host} {port}",
    "bash": "bash -c ': </dev/tcp/{host}/{port}'",
    "python3": "python3 -c 'import socket; socket.create_connection((\"{host}\", {port}), 5)'",
}


# The same for a check with headers or statuses of its own: they print the status.
_BASH_STATUS = (
    r'exec 3<>/dev/tcp/{host}/{port} && printf "GET %s HTTP/1.0\r\n" "$0" >&3'
    r' && printf "%s\r\n" "$@" "" >&3 && read -r _ status _ <&3 && echo "$status"'
)
_PYTHON_STATUS = (
    'import http.client, sys; server = http.client.HTTPConnection("{host}", {port}, timeout=5);'
    ' headers = dict(line.split(": ", 1) for line in sys.argv[2:]);'
    ' server.request("GET", sys.argv[1], headers=headers); print(server.getresponse().status)'
)
_NODE_STATUS = (
    "const [url, ...lines] = process.argv.slice(1);"
    " const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/)));"
    ' require("http").get(url, {{ headers }}, (answer) => {{ console.log(answer.statusCode); process.exit(); }})'
)
_STATUS_TOOLS = {
    "curl": "status=$(curl -sS -o /dev/null -w '%{{http_code}}' {options} {url})",
    "bash": f"status=$(bash -c '{_BASH_STATUS}' {{path}} {{headers}})",
    "python3": f"status=$(python3 -c '{_PYTHON_STATUS}' {{path}} {{headers}})",
    "node": f"status=$(node -e '{_NODE_STATUS}' {{url}} {{headers}})",
}


def _http_command(check: Check) -> str:
    address = urlsplit(check.target)
    path = address.path + (f"?{address.query}" if address.query else "") or "/"
    known = {"url": sh(check.target), "path": sh(path), "host": address.hostname or HERE, "port": address.port or 80}
    if not check.headers and not check.status:
        return _first_of(_HTTP_TOOLS, known)
    headers = [sh(f"{name}: {value}") for name, value in (("Host", check.host_header), *check.other_headers)]
    known |= {"headers": " ".join(headers), "options": " ".join(f"-H {header}" for header in headers)}
    good = "|".join(map(str, check.status)) or "[23]??"
    return Block(f"{_first_of(_STATUS_TOOLS, known)}case $status in {good}) ;; *) exit 1 ;; esac\n")


def _tcp_command(check: Check) -> str:
    host, port = split_host(check.target)
    if is_here(host):
        # The kernel's own table needs no tool and opens no connection: a local port in the state 0A, LISTEN.
        return f"grep -q ':{int(port):04X} [^ ]* 0A ' /proc/net/tcp /proc/net/tcp6"
    return _first_of(_TCP_TOOLS, {"host": host.strip("[]"), "port": port})


def _first_of(tools: dict[str, str], known: dict[str, object]) -> str:
    """Return a command that uses the first of the tools that the image has, and fails if it has none."""
    word = "if"
    lines = []
    for tool, command in tools.items():
        lines.append(f"{word} command -v {tool} >/dev/null; then {command.format(**known)}")
        word = "elif"
    return Block("\n".join([*lines, "else exit 1; fi", ""]))


COMMANDS: dict[str, Callable[[Check], str]] = {
    HTTP: _http_command,
    TCP: _tcp_command,
    EXEC: lambda check: check.target,
    DELAY: lambda _: "true",
}
