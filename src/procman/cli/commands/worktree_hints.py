"""What `check` says about the overlay in a linked worktree: ports in it stay where all others move."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procman.core.model.plan import InstancePlan
    from procman.core.model.process_overlay import Overlay

    Hint = tuple[str, str]  # "hint", and the sentence


def worktree_hints(instances: Sequence[InstancePlan], overlay: Overlay, offset: int) -> Iterator[Hint]:
    """Yield a hint about each port that stays, and about each check that still names the usual port of its process."""
    for process in overlay.processes.values():
        if process.port:
            sentence = f'port {process.port} of "{process.name}" is the same in all worktrees'
            yield "hint", f"{process.location('port')}: {sentence}; --port-conflict bump moves it if it is taken"
        for socket in process.listen:
            if socket.port is not None:
                sentence = f'"{process.name}" listens on port {socket.port} in all worktrees'
                yield "hint", f"{process.location('listen')}: {sentence}; $PORT would be another one in each of them"
    if not offset:
        return
    for one in instances:
        process = overlay.process(one.type)
        if one.number > 1 or one.port is None or process.port:
            continue
        usual = str(one.port - offset)
        for key, check in (("ready", one.ready), ("health", one.health)):
            if check is not None and usual in re.findall(r"\d+", check.target):
                sentence = f'the check of "{one.type}" names port {usual}, but in this worktree its port is {one.port}'
                yield "hint", f"{process.location(key)}: {sentence}; leave the port out, or write $PORT"
