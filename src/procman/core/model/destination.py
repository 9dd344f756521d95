"""A destination: a place to deploy to, from a table [on.NAME] of the config files."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.model.process_overlay import OverlayProblem


class Destination:
    """One destination: an attribute for each key of its table, and where the table is.

    Empty strings and tuples mean that a key is not given. `env_file` holds paths that start from the current folder,
    each with whether the file must exist; `ssh_config` is such a path, too. `formation` is a string such as "web=2";
    `host_formations` holds one for each host instead, if the destination places the instances itself. `timeout`
    is in seconds.
    """

    def __init__(self, name: str, location: str = "") -> None:
        self.name = name
        self.location = location  # procman.toml:3
        self.engine = ""
        self.app = ""  # the application's name there; empty: as for export
        self.default = False
        # where it is
        self.context = ""  # of docker or kubectl
        self.namespace = ""
        self.numbered = False  # whether pods of Kubernetes have the numbers of instances
        self.hosts: tuple[str, ...] = ()
        self.folder = ""  # of the application, on the hosts
        self.user = ""  # the account that the processes run as
        self.user_units = False  # units of the user who logs in, for which no root is needed
        self.ssh_config = ""  # a configuration file for ssh, instead of the user's
        self.setup = ""  # a command, run on each host in the new code
        # what runs there
        self.image = ""
        self.version = ""  # "git", or the version itself
        self.build = ""  # commands, run here
        self.push = ""
        self.env_file: tuple[tuple[str, bool], ...] = ()
        self.formation = ""
        self.host_formations: Mapping[str, str] = {}
        self.timeout: float | None = None  # to come up in


class Destinations:
    """All destinations by name, in the order of the files, and the problems of their tables."""

    __slots__ = ("found", "problems")

    def __init__(self) -> None:
        self.found: dict[str, Destination] = {}
        self.problems: list[OverlayProblem] = []

    @property
    def default(self) -> Destination | None:
        """The one that is the default, else the only one; None if neither exists."""
        defaults = [one for one in self.found.values() if one.default]
        return defaults[0] if defaults else next(iter(self.found.values())) if len(self.found) == 1 else None
