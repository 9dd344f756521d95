"""Does: restarts instances when files change that they are made of; a guest of the engine's.

watchfiles looks at the disk in a thread of its own. That thread touches nothing of ours: it puts the changed paths in
a queue and wakes the loop through a pipe.
"""

from __future__ import annotations

import os
from collections import deque

from procman.core.lifecycle.transitions import Event
from procman.errors import ProcmanError
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.runtime.health.globs import Globs
    from procman.runtime.reload import Renew
    from procman.runtime.system.poller import Poller

DEBOUNCE = 300  # milliseconds: an editor's save, or a checkout's many, is one change
MOST = 10_000  # paths that wait to be looked at; more of them tell nothing new


class Watch(QuietComponent):
    """The changes below the folders of all instances with patterns."""

    def __init__(self, supervisor: Supervisor, hub: Hub, renew: Renew) -> None:
        """``renew`` lets the next lives of instances follow their files, and says what changed in them."""
        self._supervisor = supervisor
        self._hub = hub
        self._renew = renew
        self._changed: deque[str] = deque(maxlen=MOST)
        self._globs: dict[str, Globs] = {}
        self._reader = self._writer = -1
        self._troubles: deque[str] = deque(maxlen=1)
        self._looked_at: list[str] = []

    def open(self, poller: Poller) -> None:
        """Begin to listen, if the extra is installed."""
        from procman.config.overlays import can_watch

        if not can_watch():
            return  # a warning has been said at the start
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        poller.add(self._reader, self._hear)
        self._look_at(_topmost(instance.plan.cwd for instance in self._watching()))

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """A plan that was read anew may have other folders."""
        if instance.plan.watch and self._writer != -1 and not _covered(instance.plan.cwd, self._looked_at):
            self._look_at([instance.plan.cwd])

    def _look_at(self, folders: list[str]) -> None:
        from threading import Thread

        self._looked_at += folders
        # A daemon: the end of the run does not wait for it.
        Thread(target=self._look, args=(folders,), name="watch", daemon=True).start()

    def _look(self, folders: list[str]) -> None:
        """Runs in the thread."""
        try:
            import watchfiles

            changes = watchfiles.watch(
                *folders, debounce=DEBOUNCE, raise_interrupt=False, ignore_permission_denied=True
            )
            for batch in changes:
                self._changed.extend(sorted(path for _, path in batch))
                self._wake()
        except Exception as error:  # of whatever kind: the loop tells it, and goes on without
            self._troubles.append(str(error) or type(error).__name__)
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            pass  # it has not yet looked at the last one

    def _hear(self) -> None:
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return
        if self._troubles:
            self._hub.announce(f"warning: files are not watched any more: {self._troubles.pop()}")
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
            everybody = self._supervisor.instances.values()
            logs = [one.plan.log_file.replace("{instance}", one.name) for one in everybody]
            found = self._globs[plan.name] = Globs(plan.cwd, plan.watch, logs)
        return found

    def _is_concerned(self, instance: Instance, changed: list[str]) -> bool:
        """Whether a change is for this one, which is said; not if the user has stopped it or it has not begun."""
        path = next((path for path in changed if self._globs_of(instance).match(path)), None)
        if path is None or self._supervisor.stopping or not self._supervisor.may_restart_by_itself(instance):
            return False
        self._hub.announce(f"{instance.name}: {os.path.relpath(path, instance.plan.cwd)} has changed")
        return True

    def _restart(self, concerned: list[Instance]) -> None:
        """Restart them with what their files say now.

        Unlike a user who asks for it, a change cannot be refused: its author waits for his code to run, and a mistake
        in another file, half-written perhaps, must not keep it from him.
        """
        import time

        try:
            changes = self._renew(concerned)
        except ProcmanError as error:
            changes = [f"warning: {error.message}; restarting with what was read before"]
        for change in changes:
            self._hub.announce(change)
        self._supervisor.wish(Event.RESTART, concerned, time.monotonic())


def _topmost(folders: Iterable[str]) -> list[str]:
    """Leave out what is inside of another one."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not _covered(folder, kept):
            kept.append(folder)
    return kept


def _covered(folder: str, others: Iterable[str]) -> bool:
    return any(folder == other or folder.startswith(other.rstrip("/") + "/") for other in others)
