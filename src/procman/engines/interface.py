"""What an engine is: a class with these verbs, each of them a generator of steps (calls.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procman.core.model.destination import Destination
    from procman.core.model.plan import Plan
    from procman.engines.calls import Steps
    from procman.engines.records import Deployed, InstanceState, LogLine, Look, Reason
    from procman.export.options import ExportOptions

EXIT_TIMEOUT = 124


class EngineError(ProcmanError):
    """The engine cannot do it, or has failed to. ``exit_code`` is 1, 124 for a time-out, 126 for a refusal."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Target:
    """Where an engine works: the destination, the application's name there, and the process types of the Procfile.

    ``folder`` is the folder of the application on this machine.
    """

    destination: Destination
    app: str
    types: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A version to deploy.

    ``plan`` and ``options`` are what an exporter renders. The plan has at least one instance of each process type that
    the destination has; ``counts`` says how many are wanted, and ``options.idle`` names those with 0. ``hosts`` holds
    the counts of each host, if the destination places them itself. ``secret_files`` are the env files, as paths below
    the folder of the application.
    """

    destination: str  # its name
    version: str
    image: str
    plan: Plan
    options: ExportOptions
    counts: Mapping[str, int]
    timeout: float
    hosts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    secret_files: tuple[str, ...] = ()


class Engine(Protocol):
    """One engine at one target. Names are local ones: "web" for a type, "web.1" for an instance, none for all.

    A verb that an engine cannot do is in ``refuses`` with the reason, a clause that ends a sentence: "restart web.1 is
    not possible on swarm: REASON". The command line looks there first; its keys are names of verbs, and "instances" for
    verbs that take only whole types, "terminal" for `run` without a terminal.

    An engine may also have ``has_timers = True`` if it runs schedules; ``room(count)``, how many instances of a type
    the plan needs; and ``warnings(release)``, what of a release it does not do, in sentences.
    """

    refuses: Mapping[str, str]

    def __init__(self, target: Target) -> None: ...

    def check(self) -> Steps[None]:
        """Raise EngineError unless the engine's command is there, new enough, and reaches the engine."""

    def lock(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock of deployments, which is valid for so many seconds.

        Raises EngineError, which names the owner, if another one has a valid lock. An expired one is taken over, with a
        Report that says so.
        """

    def unlock(self, owner: str) -> Steps[None]:
        """Release the lock if it is the owner's. It may never have been taken, since Ctrl-C can come at any time."""

    def deployed(self) -> Steps[Deployed | None]:
        """Return what runs now; None if there is nothing."""

    def diff(self, release: Release, before: Deployed | None) -> Steps[str]:
        """Return what would change, as lines of a unified diff, without secrets; empty if nothing would."""

    def ship(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Bring there what the version needs: secrets, folders. What runs does not change yet."""

    def release(self, release: Release) -> Steps[None]:
        """Run the release phase of the Procfile, if it has one. Yields a Card and raises EngineError if it fails."""

    def apply(self, release: Release, before: Deployed | None) -> Steps[None]:
        """Start the switch to the new version. What it no longer has is removed later, by ``prune``."""

    def look(self, wanted: Mapping[str, int]) -> Steps[Look]:
        """Look once whether all these types have that many instances, ready and of the version that is applied."""

    def last_lines(self, instance: InstanceState, count: int) -> Steps[Sequence[str]]:
        """Return the last lines that an instance wrote."""

    def restore(self, before: Deployed, release: Release) -> Steps[None]:
        """Start to bring back what ran before, after a failure."""

    def prune(self, release: Release) -> Steps[None]:
        """Remove what the new version no longer uses: old types, files and secrets."""

    def instances(self) -> Steps[Sequence[InstanceState]]:
        """Return all instances. Raises EngineError if nothing is deployed."""

    def scale(self, counts: Mapping[str, int]) -> Steps[None]:
        """Start to change the counts of some types."""

    def restart(self, names: Sequence[str], *, rolling: bool) -> Steps[None]:
        """Start to restart: all together, or one after the other with ``rolling``."""

    def stop(self, names: Sequence[str]) -> Steps[None]:
        """Stop, and wait until it is down. ``start`` brings the same counts back."""

    def start(self, names: Sequence[str]) -> Steps[None]:
        """Start what ``stop`` has stopped."""

    def down(self) -> Steps[None]:
        """Remove the application, and wait until a deployment can follow."""

    def logs(self, names: Sequence[str], *, follow: bool, lines: int, since: float | None) -> Steps[Sequence[LogLine]]:
        """Return the last lines of all together, in their order. With ``follow``, yield a Follow and return nothing.

        ``lines`` is their number at most; ``since``: no older than so many seconds. What is followed ends when the
        application is removed; EngineError says that it is not, and the connection is lost.
        """

    def run(self, command: str, *, terminal: bool, process: str = "") -> Steps[int]:
        """Run a shell command once in the environment of what is deployed, and return its exit code.

        ``process`` is the process type whose environment it gets; empty if it is not a line of the Procfile.
        """

    def why(self, names: Sequence[str]) -> Steps[Sequence[Reason]]:
        """Explain the state of instances."""
