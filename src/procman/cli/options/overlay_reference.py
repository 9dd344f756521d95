"""What the keys of the tables ``[process.NAME]`` mean: for ``procman help overlay`` and for the man page."""

from __future__ import annotations

INTRODUCTION = """\
A table [process.NAME] in procman.toml sets how one process of the Procfile
runs. An unknown key is an error. Times are written 90, 500ms, 1m30s or 2h."""

EXAMPLE = """\
[process.web]
depends_on = ["db"]
ready = { http = "/health" }
stop_signal = "INT"
"""

KEYS_EXPLAINED: dict[str, tuple[str, str]] = {  # the form of the value, and what it does
    "restart": ("on-failure | always | never", "when it is restarted: on-failure, always or never"),
    "max_restarts": ("NUMBER", "short lives in a row until it is failed"),
    "backoff": ("TIME | { initial, max }", "the first pause before a restart; each further one is twice as long"),
    "min_uptime": ("TIME", "a life that ends sooner is a short one"),
    "success_exit_codes": ("[CODES]", "codes that mean success besides 0; a signal's name means 128 + its number"),
    "can_die": ("true", "it may exit without ending the run or affecting its exit status"),
    "depends_on": (
        "[NAMES] | { NAME = { condition, timeout } }",
        "starts after these; condition: ready, started, completed, completed_successfully",
    ),
    "ready": ("CHECK", "when others may start; also interval, timeout (60 s), anyone"),
    "health": ("CHECK", "restarted when it fails; also interval (10 s), timeout, failure_threshold, on_fail, anyone"),
    "stop_signal": ("SIGNAL", "instead of TERM"),
    "stop_timeout": ("TIME", "its grace, instead of --timeout"),
    "stop_command": ("COMMAND", "runs instead of the stop signal, with PROCMAN_PID"),
    "stop_to": ("program | group", "what gets the stop signal first"),
    "watch": ("[PATTERNS]", "restarted when these files change; needs the extra procman-cli[watch]"),
    "env": ("{ NAME = VALUE }", "variables that win over .env and env_file"),
    "env_file": ("[PATHS]", "more env files, which win over .env; { path, required = false } may be missing"),
    "cwd": ("FOLDER", "where it runs"),
    "port": ("PORT | false", "of its first instance; the second has the next one"),
    "formation": ("NUMBER", "how many, unless --formation is given"),
    "autostart": ("false", "it starts only by name, or when another one depends on it"),
    "pty": ("true | false", "whether it has a terminal of its own"),
    "color": ("COLOR", "of its name: cyan, green, bright-red and others"),
    "log_file": ("PATH", "its lines are also appended to this file; {instance} becomes web.1"),
    "groups": ("[NAMES]", "a group's name means all its processes in commands"),
    "primary": ("true", "it has the terminal of start"),
}

CHECKS_EXPLAINED = {
    'http = "/path"': "the status is 200 to 399, at the process' own port or another one",
    "tcp = PORT": "the port accepts connections; true for the process' own port",
    'log = "REGEX"': "a line of its output matches; for ready only",
    'exec = "COMMAND"': "it ends with 0",
    "delay = TIME": "the time is over; for ready only",
}


def page() -> str:
    """Return the page of ``procman help overlay``."""
    from procman.cli.options.help import columns

    keys = [(f"{name} = {form}" if len(form) < 24 else name, text) for name, (form, text) in KEYS_EXPLAINED.items()]
    example = [f"  {line}".rstrip() for line in EXAMPLE.splitlines()]
    checks = columns(CHECKS_EXPLAINED.items())
    return "\n".join((INTRODUCTION, "", *example, "", *columns(keys), "", "A CHECK is a table with one of:", *checks))
