"""Restarts instances when the files change that they watch.

watchfiles looks at the disk in a thread of its own. That thread touches no state of ours: it puts the changed paths
into a queue and wakes the loop through a pipe.
"""

from __future__ import annotations

import os
from collections import deque

from procman.errors import ProcmanError
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.runtime.health.globs import Globs
    from procman.runtime.reload import Reload
    from procman.runtime.system.poller import Poller

DEBOUNCE_MS = 300  # milliseconds: an editor's save, or a checkout of many files, is one change
MAX_CHANGES = 10_000  # paths waiting to be looked at; more of them say nothing new


class Watch(QuietComponent):
    """The changes below the folders of all instances with patterns."""

    def __init__(self, supervisor: Supervisor, hub: Hub, reload: Reload) -> None:
        """``reload`` gives the next lives of instances the plans that their files make now."""
        self._supervisor = supervisor
        self._hub = hub
        self._reload = reload
        self._changed: deque[str] = deque(maxlen=MAX_CHANGES)
        self._globs: dict[str, Globs] = {}
        self._reader = self._writer = -1
        self._errors: deque[str] = deque(maxlen=1)
        self._watched: list[str] = []

    def open(self, poller: Poller) -> None:
        """Begin to watch, if the extra is installed."""
        from procman.config.overlays import can_watch

        if not can_watch():
            return  # the start has warned about that
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        poller.add(self._reader, self._on_changes)
        self._watch(_topmost(instance.plan.cwd for instance in self._watching()))

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Watch the folders of a reloaded plan too."""
        if instance.plan.watch and self._writer != -1 and not _covered(instance.plan.cwd, self._watched):
            self._watch([instance.plan.cwd])

    def _watch(self, folders: list[str]) -> None:
        from threading import Thread

        self._watched += folders
        # A daemon thread: the end of the run does not wait for it.
        Thread(target=self._run, args=(folders,), name="watch", daemon=True).start()

    def _run(self, folders: list[str]) -> None:
        """Watch the folders; this is the thread."""
        try:
            import watchfiles

            changes = watchfiles.watch(
                *folders, debounce=DEBOUNCE_MS, raise_interrupt=False, ignore_permission_denied=True
            )
            for batch in changes:
                self._changed.extend(sorted(path for _, path in batch))
                self._wake()
        except Exception as error:  # of any kind: the loop reports it and continues without watching
            self._errors.append(str(error) or type(error).__name__)
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            pass  # the loop is awake, or about to be

    def _on_changes(self) -> None:
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return
        if self._errors:
            self._hub.announce(f"warning: files are no longer watched: {self._errors.pop()}")
        changed = [self._changed.popleft() for _ in range(len(self._changed))]
        concerned = [instance for instance in self._watching() if self._is_concerned(instance, changed)]
        if concerned:
            self._restart(concerned)

    def _watching(self) -> list[Instance]:
        return [instance for instance in self._supervisor.instances.values() if instance.plan.watch]

    def _globs_of(self, instance: Instance) -> Globs:
        from procman.runtime.health.globs import Globs

        plan = instance.plan
        found = self._globs.get(plan.name)
        if found is None or found.patterns != plan.watch or found.folder != plan.cwd:
            instances = self._supervisor.instances.values()
            logs = [one.plan.log_file.replace("{instance}", one.name) for one in instances]
            found = self._globs[plan.name] = Globs(plan.cwd, plan.watch, logs)
        return found

    def _is_concerned(self, instance: Instance, changed: list[str]) -> bool:
        """Return whether a change concerns this instance, and announce it.

        It does not if the user has stopped the instance, or if that has not begun.
        """
        path = next((path for path in changed if self._globs_of(instance).match(path)), None)
        if path is None or self._supervisor.stopping or not self._supervisor.may_restart_by_itself(instance):
            return False
        self._hub.announce(f"{instance.name}: {os.path.relpath(path, instance.plan.cwd)} has changed")
        return True

    def _restart(self, concerned: list[Instance]) -> None:
        """Restart them with reloaded plans.

        Unlike a user's restart, this one is not refused if the files have a mistake: the author of a change waits for
        it to run, and another file that is perhaps half-written must not prevent that.
        """
        import time

        try:
            changes = self._reload(concerned)
        except ProcmanError as error:
            changes = [f"warning: {error.message}; restarting with the previous settings"]
        for change in changes:
            self._hub.announce(change)
        self._supervisor.restart_changed(concerned, time.monotonic())


def _topmost(folders: Iterable[str]) -> list[str]:
    """Return the folders without those that are inside of another one."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not _covered(folder, kept):
            kept.append(folder)
    return kept


def _covered(folder: str, others: Iterable[str]) -> bool:
    return any(folder == other or folder.startswith(other.rstrip("/") + "/") for other in others)
