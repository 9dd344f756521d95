"""``procman deploy``: bring a version to a destination, or show what that would change."""

from __future__ import annotations

import sys
import time

from procman.cli.colors import painted, palette_for, write
from procman.cli.commands.export import hook_warnings
from procman.cli.control.connection import print_json
from procman.cli.remote.display import record_of
from procman.cli.remote.release_plan import make_release
from procman.cli.remote.remote_target import Remote
from procman.core.text.printable import visible
from procman.engines.deployment import Order, deploy, difference
from procman.errors import EXIT_OK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procman.cli.options.option import Invocation
    from procman.engines.deployment import Deployment
    from procman.engines.interface import Release
    from procman.engines.records import Deployed


def perform(invocation: Invocation) -> int:
    """Perform ``procman deploy``."""
    remote = Remote(invocation)
    if remote.given.get("unlock"):
        remote.perform(remote.engine.unlock(""))
        remote.answer("the lock is removed", unlocked=True)
        return EXIT_OK
    remote.require("deploy")
    if any(option.setting == "image" for option in invocation.given):
        remote.require("image", "--image")
    version = str(remote.given.get("version", ""))
    builds = not remote.settings.image  # an image that is named is there already
    order = Order(remote.destination, _Files(remote).release, remote.folder, remote.owner, version, builds)
    if remote.settings.dry_run:
        _show_difference(remote, remote.perform(difference(remote.engine, order)))
    else:
        _show_deployment(remote, remote.perform(deploy(remote.engine, order)))
    return EXIT_OK


class _Files:
    """Makes releases, and shows each warning about the files once."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._shown: set[str] = set()

    def release(self, before: Deployed | None, version: str) -> Release:
        release = make_release(self._remote, before, version)
        of_engine: Callable[[Release], Iterable[str]] = getattr(self._remote.engine, "warnings", lambda _: ())
        for warning in (*release.plan.warnings, *hook_warnings(self._remote.settings), *of_engine(release)):
            if warning not in self._shown:
                self._shown.add(warning)
                sys.stderr.write(f"warning: {visible(warning)}\n")
        return release


def _show_difference(remote: Remote, text: str) -> None:
    if remote.given.get("as_json"):
        print_json({"ok": True, "destination": remote.destination.name, "changed": bool(text), "diff": text})
        return
    palette = palette_for(sys.stdout, remote.settings.color)
    colors = {"+": palette.good, "-": palette.failure, "@": palette.of(0)}
    for line in text.splitlines() or [f"{remote.destination.name}: nothing would change"]:
        write(sys.stdout, f"{painted(visible(line), colors.get(line[:1], ''), palette)}\n")


def _show_deployment(remote: Remote, done: Deployment) -> None:
    counts: dict[str, int] = {}
    for instance in remote.display.sorted(done.instances):
        counts[instance.type] = counts.get(instance.type, 0) + 1
    what = done.version or done.image or "the application"
    was = f" (was {done.before})" if done.before and done.before != done.version else ""
    running = ", ".join(f"{name} {count}" for name, count in counts.items())
    now = time.time()
    remote.answer(
        f"{remote.destination.name}: {what} is deployed{was}{f': {running}' if running else ''}",
        version=done.version,
        before=done.before or None,
        image=done.image or None,
        instances=[record_of(one, now) for one in remote.display.sorted(done.instances)],
    )
