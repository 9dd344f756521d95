"""Every setting with its type and its default."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.errors import UsageError


class Settings:
    """What the user wants, merged from all places where it can be given: one attribute per option.

    Defaults are class attributes, so that one line holds name, type and default. `origin` maps each setting to where it
    was given ("--port", "PROCMAN_PORT", "procman.toml:3"); a setting that is not in it has its default. `overridden`
    are the keys of the overlay that flags and variables override for all process types.
    """

    # what to run
    procfile: str = "Procfile"  # path, relative to the current folder; never empty
    root: str = "."  # where commands run and the default .env is; the Procfile's folder unless given
    env: tuple[str, ...] = ()  # env files in order of reading; empty: ROOT/.env, if it exists
    env_optional: tuple[str, ...] = ()  # those of `env` that may be missing
    formation: str | None = None  # "web=2,all=1"
    names: tuple[str, ...] = ()  # "web" or "web=2", as given on the command line
    exclude: tuple[str, ...] = ()
    port: int | None = None  # the base; 0: processes get no PORT
    port_step: int = 100
    port_offset: int | None = None  # what is added to the base; None: what moves a linked git worktree
    port_conflict: str = "warn"  # or "bump", "fail": what to do if another process listens on a port
    isolated: bool = False  # free ports, whatever the usual ones are
    os_env_wins: bool = False
    env_interpolate: bool = False

    # how long and how often
    timeout: float = 5.0  # seconds of grace between the stop signal and KILL
    restart: str = "on-failure"  # or "always", "never"
    max_restarts: int = 5  # quick deaths in a row before an instance is FAILED
    exit: str | None = None  # "all", "any", "failure", "never"; None: "all", but "failure" as PID 1 or under systemd
    guardian: bool = True
    detach: bool = False
    lifetime: float | None = None  # seconds until the session ends by itself; None: no limit

    # what is given for single process types; a table of a config file can say more, see core/overlay/keys.py
    process: tuple[str, ...] = ()  # the process types that have a table
    on: tuple[str, ...] = ()  # the destinations of `deploy` that have a table
    auto_restart: tuple[str, ...] = ()  # names, or "all": restart = "always"
    stop_signals: tuple[str, ...] = ()  # "web=INT"
    can_die: tuple[str, ...] = ()
    primary: str | None = None  # "web" or "web.2": the instance that gets the terminal of `start`

    # the control socket
    control: bool = True
    socket: str | None = None  # path of the control socket; None: one for each Procfile and folder
    replace: bool = False  # stop the session that is already running
    wait: bool = True  # until the running session has started the named processes

    # what to show
    quiet: tuple[str, ...] = ()  # process types that run without being shown
    only: tuple[str, ...] = ()  # if not empty: the only process types that are shown
    color: bool | None = None  # None: on a terminal, unless NO_COLOR or FORCE_COLOR decides
    timestamps: str = "%H:%M:%S"  # strftime, "iso", "elapsed" or "off"
    prefix: str | None = None  # a template; None: the default prefix; "": no prefix
    format: str = "text"  # or "json"
    raw: bool = False  # pass control sequences of children through
    pty: bool | None = None  # None: when stdout is a terminal
    highlight: str | None = None  # regular expression
    pretty: bool = False
    log_dir: str | None = None
    record: str = "auto"  # or "always", "never": the output of the session, for `logs`; "auto": in the background
    record_limit: int = 64  # MiB of one session; 0: none
    record_keep: int = 5  # sessions of one Procfile
    status: bool | None = None  # the status line; None: the output decides

    # what check prints
    json: bool = False
    show_env: bool = False
    show_values: bool = False
    show_config: bool = False
    target: str | None = None  # a format of export, or heroku and the like

    # what export writes
    out: str | None = None  # a folder, or "-" to print
    app: str | None = None  # the application's name at the target; None: its folder's name
    user: str | None = None  # the account it runs as; "": units of a user's own service manager
    image: str | None = None
    log: str | None = None  # the folder for log files
    target_dir: str | None = None  # the application's folder at the target; None: where it is here
    keep_trying: bool = False  # no restart budget
    numbered: bool = False  # pods of Kubernetes have the numbers of instances
    dry_run: bool = False
    check_files: bool = False
    list_formats: bool = False

    def __init__(self, origin: Mapping[str, str] | None = None, **given: object) -> None:
        _require_known(given)
        vars(self).update(given)
        self.origin: dict[str, str] = dict(origin or {})
        self.overridden: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()  # warnings about the config files
        self.mistakes: tuple[UsageError, ...] = ()  # in the config files; any command but `check` raises them
        self.project = ""  # the folder of the config files; empty for the current one
        self.checkout = ""  # the name for PROCMAN_CHECKOUT; empty: it is not set
        self.slot = 0  # the number of this linked git worktree among those of the user; 0: its ports do not move
        if "procfile" not in given and "root" in given:
            self.procfile = f"{self.root.rstrip('/')}/Procfile"
        if "root" not in given:
            folder, slash, _ = self.procfile.rpartition("/")
            self.root = folder or slash or "."

    def but(self, **changed: object) -> Settings:
        """Return a copy with some settings changed, and nothing else: `root` does not follow `procfile`."""
        _require_known(changed)
        copy = Settings.__new__(Settings)
        vars(copy).update(vars(self), origin=dict(self.origin), **changed)
        return copy

    def place(self, name: str) -> str:
        """Return ``procman.toml:3: `` for a message about a setting; empty if the command line gives it, or nothing."""
        origin = self.origin.get(name, "-")
        return "" if origin.startswith("-") or " " in origin else f"{origin}: "

    def is_given_directly(self, name: str) -> bool:
        """Whether a flag or an environment variable gives the setting; they win over all config files."""
        return self.origin.get(name, "").startswith(("-", "PROCMAN_"))

    @property
    def no_port(self) -> bool:
        """Whether processes get no PORT at all (``-p 0`` or ``--no-port``)."""
        return self.port == 0


NAMES = tuple(Settings.__annotations__)


def _require_known(given: Mapping[str, object]) -> None:
    for name in given:
        if name not in NAMES:
            raise TypeError(f"there is no setting called {name!r}")
