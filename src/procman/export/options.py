"""What an exporter knows besides the plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from procman.export.file import ExportWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the command line says about an export.

    ``app`` is the name of the application at the target. ``user`` is the account to run it as, ``owner`` the account
    that owns its folder on this machine; both may be empty. ``image`` is the container image; if it is empty, exporters
    use ``APP:latest`` and warn. ``location`` is the folder of the export as an absolute path, empty if the files are
    printed. ``log`` is the folder for log files; if it is empty, the target's default applies. ``user_units`` asks for
    units of a user's own service manager. ``target_dir`` is the folder of the application at the target, empty if it is
    the same as on this machine. With ``keep_trying``, what keeps failing is restarted forever, whatever the restart
    budget. With ``numbered``, the pods of Kubernetes have the numbers of instances. ``replicas`` holds
    counts that differ from the plan's, such as 0 for a type that can be scaled later.
    """

    app: str
    user: str = ""
    owner: str = ""
    image: str = ""
    location: str = ""
    log: str = ""
    user_units: bool = False
    target_dir: str = ""
    keep_trying: bool = False
    numbered: bool = False
    replicas: Mapping[str, int] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account to run as on a machine like this one: the given one, else the owner of the folder."""
        return self.user or self.owner

    def account_warning(self, identity: str) -> Iterator[ExportWarning]:
        """Yield a warning if no account is known. ``identity`` says who runs the application then."""
        if not self.account:
            reason = "" if self.target_dir else ", since root owns the folder"
            yield ExportWarning(f"{identity}{reason}; choose another with --user")
