"""The table of options and of the commands for a project: what each means and where else it can be set.

The reader, click, the environment, the config files, the man page and the completion all read this table. The commands
for running sessions have a table of their own, which `start` does not need.
An option's environment variable is PROCMAN_ and its long flag; its config key is the name of the setting.
"""

from __future__ import annotations

from procman.cli.options.option import (
    WHEN,
    Command,
    Invocation,
    Option,
    everyday,
    long_where_taken,
    one_of,
    project_command,
)

__all__ = ["ALIASES", "OPTIONS", "PROJECT_COMMANDS", "Command", "Invocation", "Option"]

SOCKET = Option("socket", "--socket", "the control socket [one per Procfile]", "path", "PATH")

OPTIONS = (
    # what to run
    Option("procfile", "-f --procfile", "the Procfile to read [Procfile]", "path", "FILE", everyday=True),
    Option("root", "-d --root", "the folder to run in [the Procfile's]", "path", "DIR", everyday=True),
    Option("env", "-e --env", "read this instead of .env; repeatable", "list", "FILE", everyday=True),
    Option(
        "formation",
        "-m --formation -c --concurrency",
        "how many of each to run: web=2,all=1",
        "text",
        "FORMATION",
        everyday=True,
        names=True,
    ),
    Option("port", "-p --port", "the first port; 0 for none [5000]", "port", "PORT", everyday=True),
    Option("port", "--no-port", value=0),
    Option("port_step", "--port-step", "distance between the ports of process types [100]", "whole", "N"),
    Option("port_offset", "--port-offset", "move all ports: none, worktree or N [worktree]", "offset", "N"),
    one_of("port_conflict", "--port-conflict", "what to do if a port is taken [warn]", "warn", "bump", "fail"),
    Option("isolated", "--isolated", "use free ports, whatever the usual ones are", config=False),
    Option("exclude", "-x --exclude", "start all except these", "list", "NAMES", everyday=True, names=True),
    Option("processes", "-l --processes", "start only these, the same as NAMES", "list", "NAMES", names=True),
    Option("os_env_wins", "--os-env-wins", "let the environment override env files"),
    Option("env_interpolate", "--env-interpolate", "expand ${NAME} in env files"),
    # how long and how often
    Option(
        "timeout",
        "-t --timeout --stop-timeout",
        "grace period before SIGKILL [5]",
        "seconds",
        "SECONDS",
        everyday=True,
        overrides="stop_timeout",
    ),
    Option(
        "restart",
        "--restart",
        "when to restart a process [on-failure]",
        "choice",
        choices=("on-failure", "always", "never"),
        everyday=True,
        overrides="restart",
    ),
    Option("auto_restart", "-r --auto-restart", "always restart these (or all)", "list", "NAMES", names=True),
    Option("stop_signals", "-i --stop-signals", "stop signals, such as web=INT,db=QUIT", "list", "SIGNALS"),
    Option("can_die", "--can-die", "these may exit without ending or failing the run", "list", "NAMES", names=True),
    Option("primary", "--primary", "the process that gets your terminal", "text", "NAME", names=True),
    Option(
        "max_restarts",
        "--max-restarts",
        "quick exits in a row before giving up [5]",
        "whole",
        "N",
        overrides="max_restarts",
    ),
    one_of("exit", "--exit", "which exits end the run [all]", "all", "any", "failure", "never", everyday=True),
    Option("foreman", "--foreman", "like Foreman: --restart never --exit any"),
    Option("lifetime", "--for", "end the session after this time: 90s, 2h", "seconds", "DURATION", config=False),
    # it is needed before any file is read, so it is not a config key
    Option("guardian", "--no-guardian", "no guardian, which cleans up if procman is killed", value=False, config=False),
    # the control socket
    SOCKET,
    Option("control", "--no-control", "no control socket: ps, stop and logs will not work", value=False),
    Option("detach", "-D --detach", "run in the background, like procman up", config=False, everyday=True, variable=""),
    Option("replace", "--replace", "stop the running session first", config=False),
    Option("wait", "--no-wait", "return before the running session has done it", value=False, config=False),
    # what to show
    Option("quiet", "-q --quiet", "run these without showing their output", "list", "NAMES", everyday=True, names=True),
    Option("only", "--only", "show only these", "list", "NAMES", names=True),
    Option("color", "--color", "use colors: auto, always or never [auto]", choices=tuple(WHEN), everyday=True),
    Option("color", "--no-color", value=False),
    Option("timestamps", "--timestamps", "off, iso, elapsed or a strftime format", "stamp", "FORMAT"),
    Option("timestamps", "--no-timestamp", value="off"),
    Option("prefix", "--prefix", "the prefix of each line", "template", "TEMPLATE"),
    Option("prefix", "--no-prefix", value=""),
    Option("format", "--format", "plain lines or JSON lines [text]", "choice", choices=("text", "json")),
    Option("format", "--json", value="json", config=False, variable=""),
    Option("raw", "--raw", "pass all control sequences through unfiltered"),
    Option("pty", "--pty", "give each process a terminal [if procman has one]"),
    Option("pty", "--no-pty", value=False),
    Option("highlight", "--highlight", "highlight matching text", "regex", "REGEX"),
    Option("pretty", "--pretty", "pretty-print JSON and logfmt lines"),
    Option("log_dir", "--log-dir", "also write a log file for each process", "path", "DIR"),
    one_of("record", "--record", "keep the output for logs [auto: in the background]", "auto", "always", "never"),
    Option("record_limit", "--record-limit", "how much of it to keep, in MiB [64]", "whole", "MIB"),
    Option("record_keep", "--record-keep", "for how many sessions of a Procfile [5]", "whole", "N"),
    Option("status", "--status", "show a status line at the bottom of the terminal"),
    Option("status", "--no-status", value=False),
    # what check prints
    everyday("json", "--json", "print the plan of start as one JSON object"),
    everyday("show_env", "--show-env", "show where each variable comes from"),
    everyday("show_values", "--show-values", "also show the values of variables"),
    everyday("show_config", "--show-config", "show each setting and where it comes from"),
    everyday("target", "--target", "show what this target cannot hold", "text", "NAME"),
    # what export writes
    everyday("out", "-o --out", "the folder to write to, or - to print", "path", "DIR"),
    everyday("app", "-a --app", "the application's name [the folder's]", "text", "NAME"),
    everyday("user", "-u --user", "the account to run as; no value means user units", "optional", "USER"),
    everyday("image", "-i --image", "the container image", "text", "REF"),
    everyday("log", "-l --log", "the folder for log files", "path", "DIR"),
    Option("target_dir", "--target-dir", "the application's folder at the target", "path", "DIR", config=False),
    Option("keep_trying", "--keep-trying", "never give up on what keeps failing", config=False),
    Option("numbered", "--numbered", "number the pods of Kubernetes: web.1, web.2", config=False),
    everyday("dry_run", "--dry-run", "show what would change"),
    everyday("check_files", "--check", "run the target's own validator"),
    everyday("list_formats", "--list", "list all formats, including plug-ins"),
)

_ENVIRONMENT = ("procfile", "root", "env", "os_env_wins", "env_interpolate")
_OF_TYPES = ("auto_restart", "stop_signals", "can_die")
_PLANNING = (*_ENVIRONMENT, "formation", "processes", "port", "port_step", "exclude", *_OF_TYPES)
_EXPORTING = (
    *("out", "app", "user", "image", "log", "target_dir", "keep_trying", "numbered"),
    *("dry_run", "check_files", "list_formats"),
)
_CHECKING = ("json", "show_env", "show_values", "show_config", "target")


def only(*settings: str) -> tuple[Option, ...]:
    return tuple(option for option in OPTIONS if option.setting in settings)


READY_TIMEOUT = Option(
    "ready_timeout",
    "-t --timeout",
    "how long to wait until all are ready [60]",
    "seconds",
    "SECONDS",
    config=False,
    everyday=True,
    variable="PROCMAN_WAIT_TIMEOUT",  # PROCMAN_TIMEOUT is the grace
)

ON = Option("on", "--on", "at this destination, not here", "text", "NAME", config=False, variable="PROCMAN_ON")
JSON = Option("as_json", "--json", "print JSON", everyday=True, variable="")
_EXPORTS = Option("as_exports", "--export", "print lines for a shell", everyday=True, variable="")
_READ_ONLY = Option("read_only", "--read-only", "offer only tools that change nothing", everyday=True, variable="")

ALIASES = {"status": "ps", "connect": "attach"}

# -t is how long to wait, as for `wait` and `test`
_STOP_TIMEOUT = Option("timeout", "--stop-timeout", "the grace [5]", "seconds", "SECONDS", variable="PROCMAN_TIMEOUT")
_OF_START = tuple(option for option in OPTIONS if option.setting not in (*_CHECKING, *_EXPORTING))
_OF_UP = tuple(
    _STOP_TIMEOUT if option.setting == "timeout" else option for option in _OF_START if "--json" not in option.flags
)

PROJECT_COMMANDS = {
    command.name: command
    for command in (
        project_command(
            "start",
            "Run the Procfile's processes until they exit or you hit Ctrl-C.",
            "NAMES",
            (*_OF_START, ON),
            ("procman start web worker=2", "only these"),
            ("procman start -m all=1,worker=3 -x clock -p 8000", "a formation"),
            rare=("quiet", "color"),
        ),
        project_command(
            "up",
            "Start a session in the background; return when it is ready.",
            "NAMES",
            (READY_TIMEOUT, JSON, *_OF_UP),
            ("procman up", "start what is missing; procman down ends the session"),
            ("procman up web -t 30", "exit status 124 if it takes longer"),
            ("procman up --for 2h", "end it after two hours"),
            rare=("detach", "quiet", "color", "exit"),
        ),
        project_command(
            "run",
            "Run a command or process type in the Procfile's environment.",
            "COMMAND",
            (*only(*_ENVIRONMENT), ON),
            ("procman run web --verbose", "web's command with an extra argument"),
            ("procman run -- python manage.py migrate", "any command"),
            ("procman run -e .env.test env", "print the environment"),
        ),
        project_command(
            "env",
            "Print the variables that a process gets.",
            "NAMES",
            (_EXPORTS, JSON, *only(*_ENVIRONMENT, "formation", "port", "port_step", "port_offset"), SOCKET),
            ('eval "$(procman env --export)"', "in a shell"),
            ("procman env web --json", "those of web, for a program"),
        ),
        project_command(
            "check",
            "Check the Procfile and show what start would do.",
            "NAMES",
            only(*_PLANNING, "port_offset", "primary", "color", *_CHECKING),
            ("procman check", "all problems, with line and column"),
            ("procman check --json -m web=2", "instances and ports, without starting them"),
            ("procman check --show-env", "which file each variable comes from"),
        ),
        project_command(
            "init",
            "Write a first Procfile from what the folder shows.",
            "NOTHING",
            only("dry_run"),
            ("procman init", "from manage.py, package.json and others; then check it"),
            ("procman init --dry-run", "print it, and write nothing"),
        ),
        project_command(
            "agents",
            "Print what coding agents need to know, for AGENTS.md or as JSON.",
            "NOTHING",
            (*only("procfile"), JSON),
            ("procman agents >> AGENTS.md", "with the process types of the Procfile"),
            ("procman agents --json > .mcp.json", "for clients that start procman mcp"),
        ),
        project_command(
            "mcp",
            "Serve tools to a coding agent, by MCP on standard input and output.",
            "NOTHING",
            (*only("procfile", "root"), SOCKET, _READ_ONLY),
            ("procman mcp", "started by a client; procman agents shows its configuration"),
            ("procman mcp --read-only", "only status, logs, wait, why and check"),
        ),
        project_command(
            "export",
            "Export to another process manager, such as systemd or Compose.",
            "FORMAT",
            long_where_taken(only(*_PLANNING, "timeout", "restart", "max_restarts", *_EXPORTING)),
            ("procman export systemd -o /etc/systemd/system -u shop", "systemd units"),
            ("procman export compose -o . -m web=2,worker=4", "for Docker and Swarm"),
            ("procman export kubernetes -o - -i shop:1.2", "print the manifests"),
            rare=("exclude", "timeout", "restart"),
        ),
        Command(
            "deploy",
            "procman.cli.remote.deploy:perform",
            "Deploy to a destination, such as a swarm or a cluster.",
            "NOTHING",
            (
                everyday(
                    "on",
                    "--on",
                    "the destination [the only one, or the default]",
                    "text",
                    "NAME",
                    variable="PROCMAN_ON",
                ),
                everyday(
                    "version", "--version", "the version [what git describe says]", "text", "VERSION", variable=""
                ),
                everyday(
                    "timeout",
                    "-t --timeout",
                    "how long it may take to come up [120]",
                    "seconds",
                    "SECONDS",
                    variable="",
                ),
                everyday("unlock", "--unlock", "remove the lock of a deployment that was killed", variable=""),
                *only("image", "dry_run"),
                JSON,
                *only("formation", "procfile", "root", "env", "color"),
            ),
            (
                ("procman deploy", "to the only destination in procman.toml, or the default"),
                ("procman deploy --on production --dry-run", "show what would change"),
                ("procman deploy --image shop:1.2 -m web=3", "a given image and formation"),
            ),
        ),
        project_command(
            "test",
            "Run a command, such as your tests, while all processes are up.",
            "COMMAND",
            (*only(*_PLANNING, "port_offset", "port_conflict", "isolated"), READY_TIMEOUT),
            ("procman test -- pytest", "with everything up"),
            ("procman test -m web=1,db=1 -- pytest -q", "with only these"),
        ),
        project_command(
            "prune",
            "Stop processes that killed sessions have left running.",
            "NAMES",
            only("timeout"),
            ("procman prune", "all of yours (start warns if there are any)"),
            ("procman prune web", "only those of web"),
        ),
        Command(
            "completion",
            "procman.cli.options.click_app:print_completion",
            "Print the completion script for a shell.",
            ("bash", "zsh", "fish"),
            (),
            (
                ('eval "$(procman completion bash)"', "in ~/.bashrc"),
                ('eval "$(procman completion zsh)"', "in ~/.zshrc"),
                ("procman completion fish | source", "in ~/.config/fish/config.fish"),
            ),
        ),
        Command(
            "help",
            "procman.cli.commands.topic_page:perform",
            "Show a page of the documentation, or list them.",
            "TOPIC",
            (),
            (
                ("procman help", "all topics, with a line each"),
                ("procman help overlay", "the keys of a process in procman.toml"),
                ("procman help start", "the options of a command, then its page"),
                ("procman help schema", "a line for the top of procman.toml, for editors"),
            ),
        ),
    )
}
