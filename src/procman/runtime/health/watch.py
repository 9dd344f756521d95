"""Restarts instances when the files change that they watch.

watchfiles looks at the disk in a thread of its own. That thread touches no state of ours: it puts the changed paths
into a queue and wakes the loop through a pipe.
"""

from __future__ import annotations

import os
import time
from collections import deque

from procman.core.lifecycle.transitions import Event
from procman.errors import ProcmanError
from procman.runtime.health.watch_brake import Brake
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.output.hub import Hub
    from procman.runtime.health.globs import Globs
    from procman.runtime.health.watch_thread import Root
    from procman.runtime.reload import Reload
    from procman.runtime.system.poller import Poller

DEBOUNCE_MS = 100  # milliseconds that the thread gathers changes
QUIET_TIME = 0.3  # seconds without a change: an editor's save, or a checkout of many files, is one change
LONGEST_WAIT = 5.0  # seconds after which changes that never end are acted upon
MAX_CHANGES = 10_000  # paths waiting to be examined; more of them tell nothing new


class Watch(QuietComponent):
    """The changes below the folders of all instances with patterns."""

    def __init__(self, supervisor: Supervisor, hub: Hub, reload: Reload, log_dir: str = "") -> None:
        """``reload`` gives the next lives of instances the plans that their files make now.

        ``log_dir`` is the folder of our own log files, an absolute path; their changes do not count.
        """
        self._supervisor = supervisor
        self._hub = hub
        self._reload = reload
        self._log_dir = log_dir and os.path.realpath(log_dir)
        self._changed: deque[str] = deque(maxlen=MAX_CHANGES)
        self._waiting: dict[str, None] = {}  # changed paths that wait for a quiet moment, in order
        self._first = self._latest = 0.0  # when the first and the latest of them came
        self._brake = Brake()
        self._globs: dict[str, Globs] = {}
        self._reader = self._writer = -1
        self._errors: deque[str] = deque(maxlen=1)
        self._watched: set[Root] = set()

    def open(self, poller: Poller) -> None:
        """Begin to watch, if the extra is installed."""
        from procman.config.extras import can_watch

        if not can_watch():
            return  # the start has warned about that
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        poller.add(self._reader, self._on_changes)
        self._supervisor.awaited_by.append(self._may_start)
        self._watch({_root(instance) for instance in self._watching()})

    def _may_start(self, instance: Instance) -> bool:
        """Return whether a change can start an instance that is down, so the session is not over."""
        return bool(instance.plan.watch) and self._supervisor.may_restart_by_itself(instance)

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Watch the folder of a reloaded plan too, or other files in it."""
        if instance.plan.watch and self._writer != -1 and _root(instance) not in self._watched:
            self._watch({_root(instance)})

    def next_deadline(self) -> float | None:
        """Return when changes have been quiet for long enough, or when a restart that was held back is due."""
        quiet = min(self._latest + QUIET_TIME, self._first + LONGEST_WAIT) if self._waiting else None
        return min((due for due in (quiet, self._brake.next_deadline()) if due is not None), default=None)

    def tick(self, now: float) -> None:
        """Act upon changes that have been quiet for long enough, and restart what was held back."""
        due = self.next_deadline()
        if due is None or due > now:
            return
        instances = self._supervisor.instances
        held_back = [instances[name] for name in self._brake.release(now) if name in instances]
        concerned = [instance for instance in held_back if self._may_restart(instance)]
        if self._waiting and now >= min(self._latest + QUIET_TIME, self._first + LONGEST_WAIT):
            changed, self._waiting = list(self._waiting), {}
            others = [instance for instance in self._watching() if instance not in held_back]
            concerned += [one for one in others if self._is_concerned(one, changed, now)]
        if concerned:
            self._restart(concerned)

    def _watch(self, roots: set[Root]) -> None:
        from threading import Thread

        self._watched |= roots
        # A daemon thread: the end of the run does not wait for it.
        Thread(target=self._run, args=(sorted(roots),), name="watch", daemon=True).start()

    def _run(self, roots: list[Root]) -> None:
        """Watch the files; this is the thread."""
        try:
            from procman.runtime.health.watch_thread import changes

            for batch in changes(roots, DEBOUNCE_MS, self._complain):
                self._changed.extend(batch)
                self._wake()
        except Exception as error:  # of any kind: the loop reports it and continues without watching
            self._complain(f"files are no longer watched: {str(error) or type(error).__name__}")

    def _complain(self, message: str) -> None:
        self._errors.append(message)
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
            self._hub.announce(f"warning: {self._errors.pop()}")
        now = time.monotonic()
        changed = [self._changed.popleft() for _ in range(len(self._changed))]
        if changed:
            self._first = self._first if self._waiting else now
            self._latest = now
            self._waiting |= dict.fromkeys(changed)

    def _watching(self) -> list[Instance]:
        return [instance for instance in self._supervisor.instances.values() if instance.plan.watch]

    def _globs_of(self, instance: Instance) -> Globs:
        from procman.runtime.health.globs import Globs

        plan = instance.plan
        found = self._globs.get(plan.name)
        if found is None or found.patterns != plan.watch or found.folder != plan.cwd:
            found = self._globs[plan.name] = Globs(plan.cwd, plan.watch)
        return found

    def _may_restart(self, instance: Instance) -> bool:
        return self._supervisor.stopping is None and self._supervisor.may_restart_by_itself(instance)

    def _is_concerned(self, instance: Instance, changed: list[str], now: float) -> bool:
        """Return whether changes concern this instance, and announce one of them.

        They do not if the user has stopped the instance, or if it has never started.
        """
        if not self._may_restart(instance):
            return False
        globs = self._globs_of(instance)
        paths = [path for path in changed if globs.match(path) and not self._is_own(path)]
        if not paths:
            return False
        path = os.path.relpath(paths[0], instance.plan.cwd)
        pause = self._brake.pause(instance.name, instance.started, paths, now)
        if pause is None:
            self._hub.announce(f"{instance.name}: {path} has changed")
        elif pause:
            self._hub.announce(
                f"{instance.name}: {path} changes right after each restart; does {instance.plan.type} write it itself? "
                f"The next restart is in {pause:g} s"
            )
        return pause is None

    def _is_own(self, path: str) -> bool:
        """Return whether procman itself writes the file: a log, or our own stdout or stderr."""
        folder, name = os.path.split(path)
        names = ["system", *self._supervisor.instances]
        if self._log_dir and os.path.realpath(folder) == self._log_dir:
            return any(name.startswith(f"{one}.log") for one in names)
        logs = {i.plan.log_file.replace("{instance}", i.name) for i in self._supervisor.instances.values()}
        return path in logs or _is_output(path)

    def _restart(self, concerned: list[Instance]) -> None:
        """Restart them with reloaded plans.

        Unlike a user's restart, this one is not refused if the files have a mistake: the author of a change waits for
        it to run, and another file that is perhaps half-written must not prevent that.
        """
        try:
            changes = self._reload(concerned)
        except ProcmanError as error:
            changes = [f"warning: {error.message}; restarting with the previous settings"]
        for change in changes:
            self._hub.announce(change)
        self._supervisor.wish_by_itself(Event.RESTART, concerned, time.monotonic())


def _is_output(path: str) -> bool:
    """Return whether our stdout or stderr is this file."""
    try:
        return any(os.path.samestat(os.stat(path), os.fstat(fd)) for fd in (1, 2))
    except OSError:
        return False


def _root(instance: Instance) -> Root:
    return instance.plan.cwd, instance.plan.watch
