"""What the keys of ``[process.NAME]`` tables mean, for ``procman help overlay`` and the man page."""

from __future__ import annotations

INTRODUCTION = """\
A [process.NAME] table in procman.toml sets how one process of the Procfile
runs. An unknown key is an error. Times are written 90, 500ms, 1m30s or 2h.
procman help schema prints a line for the top of the file, for TOML editors."""

EXAMPLE = """\
[process.web]
depends_on = ["db"]
ready = { http = "/health" }
stop_signal = "INT"
"""

KEYS_EXPLAINED: dict[str, tuple[str, str]] = {  # the form of the value, and its meaning
    "restart": ("on-failure | always | never", "when to restart it: on-failure, always or never"),
    "max_restarts": ("NUMBER", "how many quick exits in a row before procman gives up"),
    "backoff": ("TIME | { initial, max }", "pause before the first restart; it doubles with each further one"),
    "min_uptime": ("TIME", "an exit before this counts as a quick one"),
    "success_exit_codes": ("[CODES]", "exit codes besides 0 that mean success; a signal's name means 128 + its number"),
    "can_die": ("true", "it may exit without ending the run or affecting its exit status"),
    "depends_on": (
        "[NAMES] | { NAME = { condition, timeout, restart } }",
        "start it after these; condition: ready, started, completed, completed_successfully; "
        "restart = true: restart it after each restart of that one",
    ),
    "ready": (
        "CHECK",
        "it is ready once this passes; also interval, initial_delay, timeout (60 s), success_threshold, anyone",
    ),
    "health": (
        "CHECK",
        "restart it when this fails; also interval (10 s), initial_delay, timeout, failure_threshold, on_fail, anyone",
    ),
    "stop_signal": ("SIGNAL", "the signal that stops it, instead of TERM"),
    "stop_timeout": ("TIME", "its grace period, instead of --timeout"),
    "stop_command": ("COMMAND", "run this instead of sending the stop signal; it gets PROCMAN_PID"),
    "stop_to": ("program | group", "which of them gets the stop signal first"),
    "watch": ("[PATTERNS]", "restart it when these files change; needs the extra procman-cli[watch]"),
    "schedule": (
        "CRON | @daily | { cron or every, tz, overlap, catch_up, timeout }",
        "run it by the clock; needs the extra procman-cli[schedule], except for every",
    ),
    "env": ("{ NAME = VALUE }", "variables that override .env and env_file"),
    "env_file": ("[PATHS]", "env files that override .env; an entry { path, required = false } may be missing"),
    "cwd": ("FOLDER", "the folder to run it in"),
    "port": ("PORT | false", "port of its first instance; the second gets the next one"),
    "listen": (
        "true | { NAME = ADDRESS }",
        "sockets that procman opens and keeps over restarts; the process gets them from descriptor 3 on",
    ),
    "share": ("true", "one socket, and one port, for all of its instances"),
    "start_on": ("connection | start", "start it at the first connection to a socket of listen"),
    "hold": ("TIME", "close its sockets during a longer pause before a restart (10 s)"),
    "formation": ("NUMBER", "how many to run, unless --formation is given"),
    "autoscale": (
        "{ exec | cpu, per_instance, min, max, cooldown }",
        "how many to run: what exec prints divided by per_instance, or by CPU in percent",
    ),
    "autostart": ("false", "start it only by name, or when another process depends on it"),
    "pty": ("true | false", "whether it gets a terminal of its own"),
    "color": ("COLOR", "color of its name: cyan, green, bright-red and others"),
    "log_file": ("PATH", "also append its output to this file; {instance} becomes web.1"),
    "groups": ("[NAMES]", "commands accept a group's name for all its processes"),
    "primary": ("true", "it gets your terminal"),
    "memory_max": ("SIZE", "how much memory it may use, all of its processes together: 512m, 1.5g"),
    "cpu_max": ("NUMBER", "how many CPUs it may use, 1.5 for example"),
    "pids_max": ("NUMBER", "how many processes and threads it may have"),
}

CHECKS_EXPLAINED = {
    'http = "/path"': "the status is 200 to 399; on its own port or another; also status, headers",
    "tcp = PORT": "the port accepts connections; true means its own port",
    'log = "REGEX"': "a line of its output matches (ready only)",
    'exec = "COMMAND"': "the command exits with 0",
    "delay = TIME": "this much time has passed (ready only)",
    "notify = true": "it sends READY=1 by sd_notify; for health, WATCHDOG=1 in each interval",
}


def page() -> str:
    """Return the page of ``procman help overlay``."""
    from procman.cli.options.help import columns

    keys = [(f"{name} = {form}" if len(form) < 24 else name, text) for name, (form, text) in KEYS_EXPLAINED.items()]
    example = [f"  {line}".rstrip() for line in EXAMPLE.splitlines()]
    checks = columns(CHECKS_EXPLAINED.items())
    return "\n".join((INTRODUCTION, "", *example, "", *columns(keys), "", "A CHECK is a table with one of:", *checks))
