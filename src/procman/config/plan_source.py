"""Does: works out the plan again while the session runs, for another formation, exactly as `start` would have."""

from __future__ import annotations

import os

from procman.config.files import read_plan, read_procfile
from procman.config.overlays import groups_now, tables_now
from procman.config.read_timeout import read_in_time
from procman.core.model.settings import Settings
from procman.core.procfile.formation import flatten
from procman.errors import ProcmanError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from procman.core.model.plan import InstancePlan, Plan

    T = TypeVar("T")


class PlanSource:
    """What the session was started with. Paths in the settings are seen from the folder that `start` was in."""

    def __init__(self, settings: Settings, plan: Plan, environ: Mapping[str, str], here: str) -> None:
        self.settings = settings
        self.session = plan.session
        self.procfile = plan.procfile_path
        self.root = plan.root
        self._environ = environ
        self._here = here

    def instances(self, counts: Mapping[str, int], wanted: Iterable[str]) -> tuple[InstancePlan, ...]:
        """The instances of that formation, from the files as they are now.

        Of types that the Procfile has no more there are none; those that are ``wanted`` it must have.
        Raises UsageError for names, counts and ports that cannot be, ConfigError for files.
        """
        known = {*self._known(), *wanted}
        formation = ",".join(f"{name}={count}" for name, count in counts.items() if name in known)
        same = {**vars(self.settings), "procfile": self.settings.procfile}  # of which vars has no default
        given = {**same, "formation": formation, "names": (), "exclude": ()}
        origin = given.pop("origin")
        return self._seen_from_here(lambda: self._read(Settings(origin, **given))).instances

    def _known(self) -> tuple[str, ...]:
        return read_in_time(lambda: read_procfile(self.procfile)).names

    def _read(self, settings: Settings) -> Plan:
        settings.process = tables_now(settings)  # it may have been written since
        return read_plan(settings, self._environ, self.session)

    def _seen_from_here(self, read: Callable[[], T]) -> T:
        try:
            now = os.getcwd()
        except FileNotFoundError:
            raise UsageError(f"{self.root}: the folder that this session runs in is gone") from None
        try:
            os.chdir(self._here)
        except OSError as error:
            raise UsageError(f"{self._here}: the folder that this session was started in {_lack(error)}") from None
        try:
            return read_in_time(read)
        finally:
            os.chdir(now)

    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The process types of each group, as the overlay is now; none where it cannot be read."""
        try:
            return self._seen_from_here(lambda: groups_now(self.settings))
        except ProcmanError:
            return {}

    def types(self) -> tuple[str, ...]:
        """The process types of the Procfile as it is now; none where it cannot be read."""
        try:
            return self._known()
        except ProcmanError:
            return ()

    def absence(self, name: str) -> str:
        """Why no instance of this process type, which the Procfile has, is part of the session, in words."""
        settings = self.settings
        if name in flatten(settings.exclude):
            return f"left out by {settings.origin.get('exclude', '-x')}"
        if settings.names:
            return f"not among what was started: {' '.join(settings.names)}"
        if settings.formation is not None:
            return f"the formation {settings.formation} has none of it ({settings.origin.get('formation', '-m')})"
        return "scaled to none, or new in the Procfile"


def _lack(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is gone"
    return f"cannot be entered: {(error.strerror or str(error)).lower()}"
