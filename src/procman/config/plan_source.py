"""Works out the plan from the files: at the start, and again while the session runs."""

from __future__ import annotations

import os

from procman.config.files import read_environment, read_procfile, require_sound, root_of, uses_overlay
from procman.core.planner import make_plan
from procman.core.procfile.formation import flatten
from procman.errors import ProcmanError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from procman.core.model.plan import Environment, InstancePlan, Plan
    from procman.core.model.process_overlay import Overlay
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings

    T = TypeVar("T")


def read_plan(
    settings: Settings, environ: Mapping[str, str], session: str = "", moved: Mapping[str, int] | None = None
) -> Plan:
    """Read all files that `settings` names and work out what should run. `moved`: see `make_plan`.

    Raises ProcfileError for a Procfile with errors, ConfigError for the other files, UsageError for the rest.
    """
    procfile = read_procfile(settings.procfile, settings.place("procfile"))
    require_sound(procfile)
    environment, warnings = read_environment(settings, environ, procfile, moved)
    return plan_for(settings, procfile, environment, session, warnings, moved=moved)


def plan_for(
    settings: Settings,
    procfile: Procfile,
    environment: Environment,
    session: str = "",
    warnings: tuple[str, ...] = (),
    overlay: Overlay | None = None,
    moved: Mapping[str, int] | None = None,
) -> Plan:
    """Work out what should run from files that are read already; raises UsageError.

    An overlay that is not passed in is read, if there is one. Raises ConfigError for its problems.
    """
    if uses_overlay(settings):
        from procman.config.overlays import read_overlay, require_sound_overlay

        overlay = overlay or read_overlay(settings, procfile, environment, moved)
        warnings += require_sound_overlay(overlay)
    located = settings.but(procfile=os.path.abspath(settings.procfile), root=os.path.abspath(root_of(settings)))
    return make_plan(procfile, environment, located, overlay, session=session, warnings=warnings, moved=moved)


class PlanSource:
    """Makes the plan of a running session again, exactly as `start` would have made it.

    Paths in the settings are relative to `here`, the folder that the session was started in.
    """

    def __init__(self, settings: Settings, plan: Plan, environ: Mapping[str, str], here: str) -> None:
        self.settings = settings
        self.session = plan.session
        self._moved = dict(plan.moved)
        self.procfile = plan.procfile_path
        self.root = plan.root
        self.checkout = settings.checkout
        self._environ = environ
        self._here = here
        self._seen = set(plan.procfile.names)

    def instances(self, counts: Mapping[str, int], wanted: Iterable[str]) -> tuple[InstancePlan, ...]:
        """Return the instances of the formation `counts`, from the files as they are now.

        A type that has left the Procfile has none, but raises UsageError if it is among `wanted`. Raises UsageError
        for names, counts and ports that are invalid, ConfigError for files.
        """
        known = self._known()
        for name in wanted:
            if name not in known:
                # Its line may be there, with a mistake before its name is known.
                self._in_start_folder(lambda: require_sound(read_procfile(self.settings.procfile)))
                message = f'{self.settings.procfile} has no process type "{name}"'
                raise UsageError(message, f"`procman scale {name}=0` removes it from this session")
        formation = ",".join(f"{name}={count}" for name, count in counts.items() if name in known)
        settings = self.settings.but(formation=formation, names=(), exclude=())
        return self._in_start_folder(lambda: self._read(settings)).instances

    def newcomers(self) -> dict[str, int]:
        """Return the process types that are new in the Procfile, with the counts that `start` would give them.

        Raises UsageError, ProcfileError or ConfigError for files that do not make a plan.
        """
        plan = self._in_start_folder(lambda: self._read(self.settings))
        counts: dict[str, int] = {}
        for instance in plan.instances:
            if instance.type not in self._seen and instance.begins:
                counts[instance.type] = instance.number
        return counts

    def note(self, types: Iterable[str]) -> None:
        """Note that the session has had these process types: they are not new any more."""
        self._seen.update(types)

    def move(self, ports: Mapping[str, int]) -> None:
        """Give other ports to instances from now on, as their own ones are taken."""
        self._moved.update(ports)

    def _known(self) -> tuple[str, ...]:
        return _read_in_time(lambda: read_procfile(self.procfile)).names

    def _read(self, settings: Settings) -> Plan:
        from procman.config.overlays import tables_now

        current = settings.but(process=tables_now(settings))  # the tables may have been written since the start
        return read_plan(current, self._environ, self.session, self._moved)

    def _in_start_folder(self, read: Callable[[], T]) -> T:
        try:
            now = os.getcwd()
        except FileNotFoundError:
            now = ""  # it was removed: if another one is in its place, we stay in that
        try:
            os.chdir(self._here)
        except OSError as error:
            raise UsageError(f"{self._here}: the folder that this session was started in {_reason(error)}") from None
        try:
            return _read_in_time(read)
        finally:
            if now:
                os.chdir(now)

    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Return the process types of each group, from the overlay as it is now; none if it cannot be read."""
        from procman.config.overlays import groups_now

        try:
            return self._in_start_folder(lambda: groups_now(self.settings))
        except ProcmanError:
            return {}

    def types(self) -> tuple[str, ...]:
        """Return the process types of the Procfile as it is now; none if it cannot be read."""
        try:
            return self._known()
        except ProcmanError:
            return ()

    def absence(self, name: str) -> str:
        """Return why the session has no instance of the process type `name`, which the Procfile has, for a message."""
        settings = self.settings
        if name in flatten(settings.exclude):
            return f"left out by {settings.origin.get('exclude', '-x')}"
        if settings.names:
            return f"not among the names that were started: {' '.join(settings.names)}"
        if settings.formation is not None:
            return f"the formation {settings.formation} does not include it ({settings.origin.get('formation', '-m')})"
        return "scaled to 0, or new in the Procfile"


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is gone"
    return f"cannot be entered: {(error.strerror or str(error)).lower()}"


def _read_in_time(read: Callable[[], T]) -> T:
    from procman.config.read_timeout import read_in_time

    return read_in_time(read)
