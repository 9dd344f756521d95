"""The short commands at a destination: ``ps``, ``scale``, ``restart``, ``stop``, ``start``, ``down``, ``why``."""

from __future__ import annotations

import sys
import time

from procman.cli.colors import painted, palette_for, write
from procman.cli.control.connection import names_in, print_json
from procman.cli.remote.display import record_of
from procman.cli.remote.remote_target import Remote
from procman.core.procfile.selection import changed_count, fits, is_pattern, matches, parse_change
from procman.core.text.printable import visible
from procman.engines.common_messages import not_deployed
from procman.engines.deployment import alone
from procman.engines.known_names import require_known, unknown
from procman.engines.waiting import wait_or_explain
from procman.errors import EXIT_OK, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from procman.cli.options.option import Invocation
    from procman.engines.calls import Steps
    from procman.engines.interface import Target

WATCH_INTERVAL = 2.0  # seconds
_LOCK_SPARE = 60.0  # seconds that a change may take beside the time of its instances
_OF_START = ("on", "procfile", "root", "color", "as_json")  # settings of `start` that have a meaning at a destination
_CLEAR_SCREEN = b"\x1b[H\x1b[J"


def ps(invocation: Invocation) -> int:
    """Print the table of instances once, or with ``--watch`` until Ctrl-C."""
    remote = _remote(invocation)
    remote.require("ps")
    names = names_in(invocation)
    while True:
        began = time.monotonic()
        every = remote.perform(remote.engine.instances())
        require_known(names, [one.name for one in every], remote.target)
        found = [one for one in every if not names or any(matches(name, one.name) for name in names)]
        if remote.given.get("as_json"):
            rows = [record_of(one, time.time()) for one in remote.display.sorted(found)]
            print_json({"destination": remote.destination.name, "app": remote.app, "instances": rows})
        else:
            if remote.given.get("watch") and sys.stdout.isatty():
                sys.stdout.buffer.write(_CLEAR_SCREEN)
            remote.display.print_instances(found)
        if not remote.given.get("watch"):
            return EXIT_OK
        time.sleep(max(0.0, began + WATCH_INTERVAL - time.monotonic()))


def scale(invocation: Invocation) -> int:
    """Change counts: ``web=3``, ``worker+1``, ``web-1``."""
    remote = _remote(invocation)
    remote.require("scale")
    changes = [parse_change(word) for word in names_in(invocation)]
    if not changes:
        raise UsageError("missing process type and count", "for example: procman scale web=3 worker+1")

    def steps() -> Steps[dict[str, int]]:
        counts = yield from _counts(remote)
        targets: dict[str, int] = {}
        for name, sign, number in changes:
            if name not in counts:
                raise unknown(name, counts, remote.target)
            targets[name] = changed_count(sign, number, targets.get(name, counts[name]))
        yield from _alone(remote, counts, remote.engine.scale(targets), lambda: _wait(remote, targets))
        return targets

    targets = remote.perform(steps())
    return remote.answer("scaled: " + ", ".join(f"{name}={count}" for name, count in targets.items()), counts=targets)


def restart(invocation: Invocation) -> int:
    """Restart the named types or instances, or all: together, or one by one with ``--rolling``."""
    remote = _remote(invocation)
    remote.require("restart")
    names = names_in(invocation)
    rolling = bool(remote.given.get("rolling"))

    def steps() -> Steps[None]:
        chosen, counts = yield from _chosen(remote, names)
        work = remote.engine.restart(chosen, rolling=rolling)
        yield from _alone(remote, counts, work, lambda: _wait(remote, counts))

    remote.perform(steps())
    return remote.answer(f"restarted: {', '.join(names) or 'all'}")


def stop(invocation: Invocation) -> int:
    """Stop the named types or instances, or all, until `start`; the destination keeps what is deployed."""
    remote = _remote(invocation)
    remote.require("stop")
    names = names_in(invocation)

    def steps() -> Steps[None]:
        chosen, counts = yield from _chosen(remote, names)
        yield from _alone(remote, counts, remote.engine.stop(chosen))

    remote.perform(steps())
    return remote.answer(f"stopped: {', '.join(names) or 'all'}")


def start(invocation: Invocation) -> int:
    """Start what `stop` has stopped."""
    others = [option for option in invocation.given if option.setting not in _OF_START]
    if others:
        raise UsageError(f"{others[0].long_flags[0]} is for the processes here, and --on starts those at a destination")
    remote = _remote(invocation)
    remote.require("start")
    names = names_in(invocation)

    def steps() -> Steps[None]:
        def wait() -> Steps[None]:
            _, counts = yield from _chosen(remote, names)
            yield from _wait(remote, counts)

        chosen, counts = yield from _chosen(remote, names)
        yield from _alone(remote, counts, remote.engine.start(chosen), wait)

    remote.perform(steps())
    return remote.answer(f"started: {', '.join(names) or 'all'}")


def down(invocation: Invocation) -> int:
    """Stop and remove everything that is deployed."""
    remote = _remote(invocation)
    remote.require("down")
    if invocation.words:
        raise UsageError("down removes everything at a destination", "procman stop stops single process types")
    remote.perform(remote.engine.down())
    return remote.answer(f"{remote.app} is removed from {remote.destination.name}")


def why(invocation: Invocation) -> int:
    """Print the reason for the state of the named instances, or of all."""
    remote = _remote(invocation)
    remote.require("why")
    names = names_in(invocation)
    reasons = remote.perform(remote.engine.why(names))
    require_known(names, [one.name for one in reasons], remote.target)
    if remote.given.get("as_json"):
        print_json(
            [{"name": one.name, "state": one.state, "why": one.why, "node": one.node or None} for one in reasons]
        )
        return EXIT_OK
    palette = palette_for(sys.stdout, remote.settings.color)
    for one in reasons:
        color = palette.failure if one.state == "failed" else palette.bold
        write(sys.stdout, f"{painted(visible(one.name), color, palette)}: {visible(one.why)}\n")
    return EXIT_OK


# Parts ----------------------------------------------------------------------------------------------------------------


def _remote(invocation: Invocation) -> Remote:
    remote = Remote(invocation)
    if remote.given.get("all_sessions"):
        raise UsageError("--all and --on contradict each other", "leave one of them out")
    return remote


def _nothing() -> Steps[None]:
    yield from ()


def _alone(
    remote: Remote, counts: Mapping[str, int], work: Steps[None], wait: Callable[[], Steps[None]] = _nothing
) -> Steps[None]:
    """Change what runs, and wait for it, while no deployment and no other change is under way."""

    def steps() -> Steps[None]:
        yield from work
        yield from wait()

    valid = (1 + sum(counts.values())) * remote.timeout + _LOCK_SPARE  # `restart --rolling` waits for each instance
    yield from alone(remote.engine, remote.owner, valid, steps())


def _counts(remote: Remote) -> Steps[Mapping[str, int]]:
    deployed = yield from remote.engine.deployed()
    if deployed is None:
        raise not_deployed(remote.target)
    return deployed.counts


def _chosen(remote: Remote, names: Sequence[str]) -> Steps[tuple[list[str], dict[str, int]]]:
    """Return the names without patterns, and the counts of their types. Raises UsageError for an unknown name."""
    counts = yield from _counts(remote)
    chosen = list(dict.fromkeys(one for name in names for one in _meant(name, counts, remote.target)))
    types = [name.rpartition(".")[0] if name.rpartition(".")[2].isdecimal() else name for name in chosen]
    require_known(types, counts, remote.target)
    if types != chosen:
        remote.require("instances", "naming single instances")
    return chosen, {name: count for name, count in counts.items() if not types or name in types}


def _meant(name: str, counts: Mapping[str, int], target: Target) -> list[str]:
    """Return the types that a pattern means, or the instances of one with a dot; another name alone."""
    if not is_pattern(name):
        return [name]
    instances = [f"{type_}.{number}" for type_, count in counts.items() for number in range(1, count + 1)]
    found = [one for one in (instances if "." in name else counts) if fits(name, one)]
    if not found:
        raise unknown(name, counts, target)
    return found


def _wait(remote: Remote, counts: Mapping[str, int]) -> Steps[None]:
    if remote.given.get("wait", True):
        yield from wait_or_explain(remote.engine, counts, remote.timeout)
