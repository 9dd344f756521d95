"""The one order of a deployment, whatever the engine."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from procman.engines.calls import Call, Report, run
from procman.engines.interface import EngineError
from procman.engines.waiting import wait, wait_or_explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any, TypeVar

    from procman.core.model.destination import Destination
    from procman.engines.calls import Step, Steps
    from procman.engines.interface import Engine, Release
    from procman.engines.records import Deployed, InstanceState

    T = TypeVar("T")

    # Reads the project's files: from what runs now, and a version, to what is to run.
    MakeRelease = Callable[[Deployed | None, str], Release]

GIT = "git"
# Seconds, beside the times of the release phase and of the wait. A pull or a copy of the code may take half an hour, in
# which no second deployment must begin.
_LOCK_SPARE = 1920.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the user has ordered: ``version`` is empty if the destination decides.

    ``owner`` names who holds the lock. ``builds`` is whether to run the destination's build and push commands.
    """

    destination: Destination
    make_release: MakeRelease
    folder: str
    owner: str
    version: str = ""
    builds: bool = True


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment has done: the version before it (empty: none) and the new one with its instances."""

    before: str
    version: str
    image: str
    instances: tuple[InstanceState, ...]


def difference(engine: Engine, order: Order) -> Steps[str]:
    """Return what a deployment would change, and change nothing."""
    yield from engine.check()
    version = yield from _version(order)
    before = yield from engine.deployed()
    return (yield from engine.diff(order.make_release(before, version), before))


def deploy(engine: Engine, order: Order) -> Steps[Deployment]:
    """Deploy. If the new version fails, what ran before runs again, and EngineError says so."""
    yield from engine.check()
    version = yield from _version(order)
    release = order.make_release(None, version)  # a mistake in a file is found before anything is built
    if order.builds:
        yield from _build(order, release)
    work = _deployed(engine, order, version)
    return (yield from alone(engine, order.owner, 2 * release.timeout + _LOCK_SPARE, work))


def alone(engine: Engine, owner: str, valid: float, work: Steps[T]) -> Steps[T]:
    """Do what changes a destination under the lock of deployments, which is valid for so many seconds.

    Raises EngineError, which names the owner, if another one has it.
    """

    def locked() -> Steps[T]:
        yield from engine.lock(owner, valid)
        return (yield from work)

    return (yield from _finally(locked(), lambda: _unlocked(engine, owner)))


def _unlocked(engine: Engine, owner: str) -> Steps[None]:
    try:
        yield from engine.unlock(owner)
    except KeyboardInterrupt:
        yield Report("the lock may be left behind; procman deploy --unlock removes it")
        raise


def _deployed(engine: Engine, order: Order, version: str) -> Steps[Deployment]:
    before = yield from engine.deployed()
    release = order.make_release(before, version)
    try:
        yield from engine.ship(release, before)
        yield from engine.release(release)
    except KeyboardInterrupt:
        yield Report(f"interrupted; {_still(before)}")
        raise
    except EngineError as error:
        raise EngineError(f"{error.message}; {_still(before)}", error.hint, error.exit_code) from None
    try:
        look = yield from _switched(engine, release, before)
    except KeyboardInterrupt:
        what = release.version or "the new version"
        yield Report(f"interrupted while {what} is rolled out: deploy again to complete it, or see procman ps")
        raise
    yield from engine.prune(release)
    return Deployment(before.version if before else "", release.version, release.image, look)


def _still(before: Deployed | None) -> str:
    if before is None:
        return "nothing runs yet"
    if not before.has_run:
        return f"{before.version or 'what was deployed before'} is still deployed, and has never come up"
    if before.unfinished:
        return f"the rollout of {before.unfinished} after {before.version} is still unfinished"
    return f"{before.version or 'what ran before'} still runs"


def _switched(engine: Engine, release: Release, before: Deployed | None) -> Steps[tuple[InstanceState, ...]]:
    """Switch to the new version and wait for it. After a failure, the old one runs again."""
    try:
        yield from engine.apply(release, before)
        return (yield from wait_or_explain(engine, release.counts, release.timeout)).instances
    except EngineError as error:
        if before is None or not before.has_run:
            hint = error.hint or f"deploy again, or remove it with procman down --on {release.destination}"
            which = "nothing ran before" if before is None else f"{before.version or 'the last version'} never came up"
            message = f"{error.message}; {which}, so what was started stays"
            raise EngineError(message, hint, error.exit_code) from None
        old = before.version or "what ran before"
        yield Report(f"{error.message}; restoring {old}")
        yield from engine.restore(before, release)
        restored = yield from _restored(engine, before, release)
        raise EngineError(f"{error.message}; {old} {restored}", error.hint, error.exit_code) from None


def _restored(engine: Engine, before: Deployed, release: Release) -> Steps[str]:
    try:
        yield from wait(engine, before.restored, release.timeout)
    except EngineError as error:
        return f"was restored, but {error.message}"
    return "runs again"


# What the user's own commands do --------------------------------------------------------------------------------------


def _version(order: Order) -> Steps[str]:
    """Return the version: the given one, else what git says about the folder, else none."""
    wanted = order.version or order.destination.version
    if wanted and wanted != GIT:
        return wanted
    call = Call((GIT, "describe", "--always", "--dirty"), cwd=order.folder)
    try:
        outcome = yield from run(call)
    except EngineError:
        if wanted:
            raise
        return ""  # without git, and it is not required
    if not outcome.ok and wanted:
        raise EngineError(f"git cannot name the version: {outcome.complaint}", "name it with --version")
    return outcome.text.strip() if outcome.ok else ""


def _build(order: Order, release: Release) -> Steps[None]:
    names = {"version": release.version, "image": release.image}
    _require_plain(f"{order.destination.build} {order.destination.push}", names)
    for what, command in (("build", order.destination.build), ("push", order.destination.push)):
        if not command:
            continue
        line = filled(command, names)
        yield Report(f"{what}: {line}")
        outcome = yield from run(
            Call(("/bin/sh", "-c", line), timeout=None, cwd=order.folder, shown=what, passes_output=True)
        )
        if not outcome.ok:
            raise EngineError(f"{what} failed with exit code {outcome.code}; nothing has changed", line)


def _require_plain(commands: str, names: Mapping[str, str]) -> None:
    """Raise EngineError if a shell would read more than a word in a value: a tag of git may be called ``1;reboot``."""
    for name, value in names.items():
        if value and f"{{{name}}}" in commands and shlex.quote(value) != value:
            message = f'the {name} "{value}" has characters with a meaning in a shell; nothing has changed'
            raise EngineError(message, "name another version with --version")


def filled(text: str, names: dict[str, str]) -> str:
    """Return text with ``{version}`` and ``{image}`` replaced; any other brace stays."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _finally(work: Steps[T], clean: Callable[[], Steps[None]]) -> Generator[Step, Any, T]:
    """Do the work, then clean up, however the work ends, unless the runner abandons it and performs nothing more."""
    try:
        result = yield from work
    except GeneratorExit:
        raise
    except BaseException:
        yield from clean()
        raise
    yield from clean()
    return result
