"""Says what to do about an instance whose command could not be run."""

from __future__ import annotations

from procman.core.lifecycle.transitions import Action
from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND
from procman.runtime.loop.component import QuietComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.core.lifecycle.transitions import Instance
    from procman.core.model.plan import Environment


class LaunchHint(QuietComponent):
    """Follows the card of a failure with 126 or 127 by the reason that the files give, and a hint."""

    def __init__(self, announce: Callable[[str], None], environment: Environment, inherited: Mapping[str, str]) -> None:
        self._announce = announce
        self._environment = environment
        self._inherited = inherited

    def on_event(self, action: str, instance: Instance, now: float) -> None:
        """Look at the files if the shell, or the system, could not run the command."""
        status = instance.status
        if action != Action.ANNOUNCE_FAILED or status is None:
            return
        if status.shell_code in (EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND):
            hint = self._hint(instance)
            if hint:
                self._announce(f"hint: {hint}")

    def _hint(self, instance: Instance) -> str:
        from procman.runtime.processes.diagnosis import search_for

        plan = instance.plan
        found = search_for(plan, self._environment, self._inherited).first_trouble(plan.command)
        if found is None:
            return ""
        trouble = found[1]
        is_told = trouble.missing or trouble.message in instance.failure
        return trouble.hint if is_told else "; ".join(filter(None, (trouble.message, trouble.hint)))
