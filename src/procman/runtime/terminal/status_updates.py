"""Keeps the status line at the bottom of the terminal up to date."""

from __future__ import annotations

from procman.core.lifecycle.transitions import State
from procman.core.text.prompts import debugger_prompt
from procman.output.screen.statusline import MIN_COLUMNS, STOPPING, Group, speaks_unicode, status_line
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procman.core.lifecycle.supervisor import Supervisor
    from procman.core.lifecycle.transitions import Instance
    from procman.core.text.keybindings import Keys
    from procman.output.hub import Hub
    from procman.runtime.system.poller import Poller

KEYS_HINT, ATTACH_HINT = "? keys", "a attach  ? keys"  # otherwise, users would not know that there are any
_WORDS = {State.BACKOFF: "restarting", State.STOPPING: STOPPING, State.WAITING: "waiting"}


class StatusUpdates(QuietComponent):
    """Shows one entry per process type, or the prompt that is being answered."""

    def __init__(self, hub: Hub, supervisor: Supervisor, environ: Mapping[str, str], always: bool = False) -> None:
        """``always`` shows the line on a narrow terminal too."""
        self._hub = hub
        self._supervisor = supervisor
        self._unicode = speaks_unicode(environ)
        self._narrowest = 0 if always else MIN_COLUMNS
        self.keys: Keys | None = None
        self.lead = ""  # shown before the first entry
        self.prompts: dict[str, str] = {}  # of debuggers that wait, by instance

    def open(self, poller: Poller) -> None:
        """Show the line for the first time."""
        self.change()

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Update the line after a change of an instance."""
        self.change()

    def tick(self, now: float) -> None:
        """Update the line when the prompt of a debugger appears or goes away. Usually there is no unfinished line."""
        waiting = self._hub.waiting_lines
        if waiting or self.prompts:
            prompts = {name: debugger_prompt(self._hub.history.unfinished(name)) for name in waiting}
            prompts = {name: prompt for name, prompt in prompts.items() if prompt}
            if prompts != self.prompts:
                self.prompts = prompts
                if self.keys is not None:
                    self.keys.waiting = next(iter(prompts)) if len(prompts) == 1 else ""
                self.change()

    def change(self) -> None:
        """Have the line made again when it is next painted."""
        self._hub.show_status(self._line)

    def close(self, now: float, code: int) -> None:
        """Remove the line."""
        self._hub.show_status(None)

    def _line(self, columns: int) -> bytes:
        if self.keys is not None and self.keys.prompt:
            return self.keys.prompt_within(columns - 1).encode("utf-8", "replace")
        room, hint = columns - len(self.lead), ""
        if self.keys is not None:
            hint = ATTACH_HINT if self.prompts else KEYS_HINT
        text = status_line(self._groups(), room, self._hub.palette, self._unicode, hint, self._narrowest)
        return (self.lead + text).encode("utf-8", "replace")

    def _groups(self) -> list[Group]:
        by_type: dict[str, list[Instance]] = {}
        for instance in self._supervisor.instances.values():
            by_type.setdefault(instance.plan.type, []).append(instance)
        return [self._group(name, instances) for name, instances in by_type.items()]

    def _group(self, name: str, instances: list[Instance]) -> Group:
        held = all(map(self._supervisor.is_held, instances))
        words = _words(instances, held)
        if not words and all(self._hub.hides(instance.name) for instance in instances):
            words = "muted"  # otherwise, it would seem to have nothing to say
        prompt = next((self.prompts[i.name] for i in instances if i.name in self.prompts), "")
        return _group(name, instances, words, prompt)


def _words(instances: list[Instance], held: bool) -> str:
    """Return what is worth showing about the instances of one type. How they ended is not, if the user stopped them."""
    states = [instance.state for instance in instances]
    words = next((word for state, word in _WORDS.items() if state in states), "")
    if words or held or any(instance.state != State.EXITED for instance in instances):
        return words
    plan = instances[0].plan
    if plan.schedule is not None:
        return "scheduled"
    if plan.listen is not None and plan.listen.on_connection:
        return "listening"
    if all(instance.status for instance in instances):
        words = "done" if all(i.status is not None and i.status.ok for i in instances) else "exited"
    return words


def _group(name: str, instances: list[Instance], words: str, prompt: str) -> Group:
    states = [instance.state for instance in instances]
    return Group(
        name,
        up=states.count(State.RUNNING),
        wanted=sum(instance.wanted for instance in instances),
        port=instances[0].plan.shown_port,
        failed=states.count(State.FAILED),
        words=words,
        prompt=prompt,
    )
