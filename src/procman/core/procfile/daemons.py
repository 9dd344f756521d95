"""Knows which programs leave the foreground, by which arguments, and what keeps them there.

It lists only what is certain, because a false alarm is worse than no warning.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OFF = frozenset(("no", "off", "false", "0"))
_STAYS = frozenset(("--no-daemon", "--no-detach", "--nodaemon", "--foreground", "--attach"))
_ANY = frozenset(("--daemon", "--daemonize", "--daemonise"))
# To these, --daemon means something else: a build server, or a worker that does not end.
_OTHER_DAEMON = frozenset(("gradle", "gradlew", "artisan", "think", "php"))

_FLAGS = {
    "airflow": ("-D",),
    "celery": ("-D", "--detach"),
    "elasticsearch": ("-d",),
    "gunicorn": ("-D",),
    "haproxy": ("-D",),
    "jekyll": ("-B", "--detach"),
    "kafka-server-start.sh": ("-daemon",),
    "memcached": ("-d",),
    "mongod": ("--fork",),
    "mosquitto": ("-d",),
    "passenger": ("-d",),
    "php-fpm": ("-D",),
    "rabbitmq-server": ("-detached",),
    "rackup": ("-D",),
    "rainbows": ("-D",),
    "resque-pool": ("-d",),
    "screen": ("-dm", "-dmS"),
    "shoryuken": ("-d",),
    "start-stop-daemon": ("-b", "--background"),
    "thin": ("-d",),
    "unicorn": ("-D",),
    "unicorn_rails": ("-D",),
    "uwsgi": ("-d",),
    "zookeeper-server-start.sh": ("-daemon",),
}
_FLAGS_OF_COMMAND = {  # the flags mean this only after one of these words
    "rails": (("s", "server"), ("-d", "--daemon")),
    "tmux": (("new", "new-session"), ("-d",)),
    "symfony": (("serve", "server:start", "local:server:start"), ("-d", "--daemon")),
    "overmind": (("s", "start"), ("-D",)),
}
_COMMANDS = {
    "apache2ctl": ("start", "restart", "graceful"),
    "apachectl": ("start", "restart", "graceful"),
    "brew": ("start", "restart"),
    "caddy": ("start",),
    "clockworkd": ("start", "restart"),
    "delayed_job": ("start", "restart"),
    "forever": ("start", "restart"),
    "pg_ctl": ("start", "restart"),
    "pm": ("start", "restart", "reload"),  # pm2, without its version
    "service": ("start", "restart"),
    "systemctl": ("start", "restart"),
}
_NEEDS = {  # what keeps a program in the foreground that leaves it by itself
    "cron": ("-f",),
    "dnsmasq": ("-k", "--keep-in-foreground", "-d", "--no-daemon", "--test"),
    "lighttpd": ("-D", "-t", "-p", "-v"),
    "mailcatcher": ("-f", "--foreground"),
    "sshd": ("-D", "-d", "-t", "-T"),
    "twistd": ("-n", "--nodaemon"),
}
_NGINX_ENDS = frozenset(("-t", "-T", "-s", "-v", "-V", "-h", "-?", "-q"))
_NGINX_ELSEWHERE = frozenset(("-c", "-p", "-e"))  # its own configuration may keep it in the foreground
_HELP = frozenset(("--help", "--version", "-h", "-V"))

_CONTAINERS = frozenset(("docker", "docker-compose", "podman", "podman-compose", "nerdctl"))
_CONTAINER_SWITCHES = frozenset(
    (  # noqa: SIM905 (long options without a value, of docker, compose and podman)
        "--rm --init --privileged --detach --interactive --tty --read-only --publish-all --no-healthcheck --quiet "
        "--oom-kill-disable --sig-proxy --disable-content-trust --no-deps --service-ports --use-aliases --build "
        "--no-TTY --quiet-pull --remove-orphans --debug --tls --tlsverify --all-resources --compatibility --dry-run "
        "--replace --no-TTY"
    ).split()
)
_CONTAINER_VALUES = frozenset("acehlmnpuvwfHL")  # short options with a value
_SSH_VALUES = frozenset("BbcDEeFIiJLlmOopQRSWw")


def daemon(words: Sequence[str]) -> tuple[int, str] | None:
    """Return which word sends a program to the background, and a sentence about it, or None.

    ``words`` begin with the program's name, without its folder and version.
    """
    name = words[0] if words else ""
    if name in _CONTAINERS:
        return _container(words)
    if name in ("ssh", "autossh"):
        at = _clustered(words, 1, "f", _SSH_VALUES, frozenset())[0]
        return (at, _by(words[at])) if at else None
    if name == "nginx":
        return _nginx(words)
    return _by_flag(name, words) or _by_command(name, words) or _by_itself(name, words)


def _by(what: str) -> str:
    return f"{what} makes it a daemon, so it will be treated as exited immediately"


def _by_flag(name: str, words: Sequence[str]) -> tuple[int, str] | None:
    flags = _FLAGS.get(name, ())
    if name in _FLAGS_OF_COMMAND:
        commands, more = _FLAGS_OF_COMMAND[name]
        flags = more if words[1:2] and words[1] in commands else ()
    stays = not _STAYS.isdisjoint(words)
    for at, word in enumerate(words[1:], 1):
        option, equals, value = word.partition("=")
        is_any = option in _ANY and name not in _OTHER_DAEMON
        if (word in flags or is_any) and not stays:
            following = value if equals else "".join(words[at + 1 : at + 2])
            if following not in _OFF:
                return at, _by(word)
    return None


def _by_command(name: str, words: Sequence[str]) -> tuple[int, str] | None:
    commands = _COMMANDS.get(name, ())
    if name == "celery" and "multi" in words[:-1]:
        at = words.index("multi")
        return (at, _by("celery multi")) if words[at + 1] in ("start", "restart") else None
    at = next((i for i, word in enumerate(words) if i and word in commands), 0)
    if not at or not _STAYS.isdisjoint(words) or "FOREGROUND" in words or "-DFOREGROUND" in words:
        return None
    return at, _by(f"{'pm2' if name == 'pm' else name} {words[at]}")


def _by_itself(name: str, words: Sequence[str]) -> tuple[int, str] | None:
    needed = _NEEDS.get(name)
    if needed is None or not _HELP.isdisjoint(words) or not frozenset(needed).isdisjoint(words):
        return None
    letters = {flag[1] for flag in needed if len(flag) == 2}
    if any(word[:1] == "-" and word[1:].isalpha() and letters.intersection(word[1:]) for word in words):
        return None  # -fv, -ny
    return 0, f"{name} becomes a daemon without {needed[0]}, so it will be treated as exited immediately"


def _nginx(words: Sequence[str]) -> tuple[int, str] | None:
    known = frozenset(words)
    if known & _NGINX_ENDS or known & _NGINX_ELSEWHERE or any(_turns_daemon_off(word) for word in words):
        return None
    return 0, 'nginx becomes a daemon without -g "daemon off;", so it will be treated as exited immediately'


def _turns_daemon_off(word: str) -> bool:
    return "daemon off" in " ".join(word.split()) or "$" in word


# Containers ----------------------------------------------------------------------------------------------------------


def _container(words: Sequence[str]) -> tuple[int, str] | None:
    """Return what leaves a container running. Only options before the image or service belong to docker."""
    at = _subcommand(words, 1)
    while at < len(words) and words[at] in ("compose", "container"):
        at = _subcommand(words, at + 1)
    command = words[at] if at < len(words) else ""
    if command in ("run", "exec", "up"):
        everywhere = command == "up"
        found, _ = _clustered(words, at + 1, "d", _CONTAINER_VALUES, _CONTAINER_SWITCHES, everywhere)
        if found:
            return found, _by(words[found])
    if command == "start" and not _attaches(words[at + 1 :]):
        return at, _by(f"{words[0]} start")
    return None


def _attaches(words: Sequence[str]) -> bool:
    return any(word in ("--attach", "--interactive", "-a", "-i", "-ai", "-ia") for word in words)


def _subcommand(words: Sequence[str], at: int) -> int:
    """Return the index of the first word that is neither an option nor the value of one."""
    return _clustered(words, at, "", _CONTAINER_VALUES, _CONTAINER_SWITCHES)[1]


def _clustered(
    words: Sequence[str],
    at: int,
    letter: str,
    valued: frozenset[str],
    switches: frozenset[str],
    everywhere: bool = False,
) -> tuple[int, int]:
    """Look for the short option ``letter``, alone or among others (``-dit``), or ``--detach``, in options from ``at``.

    Return its index, or 0, and the index of the first operand. ``valued``: letters that take a value; ``switches``:
    long options that take none. ``everywhere``: options may follow the operands.
    """
    while at < len(words):
        word = words[at]
        if not word.startswith("-") or word in ("-", "--"):
            if not everywhere:
                break
            at += 1
            continue
        option, equals, value = word.partition("=")
        if letter == "d" and option in ("--detach", "--wait") and value not in _OFF:
            return at, at
        takes_value = option.startswith("--") and not equals and option not in switches and bool(switches)
        for position, one in enumerate(word[1:] if not word.startswith("--") else "", 1):
            if one == letter and letter:
                return at, at
            if one in valued:
                takes_value = position == len(word) - 1
                break
        at += 2 if takes_value else 1
    return 0, at
