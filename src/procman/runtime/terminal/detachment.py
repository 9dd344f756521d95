"""Detaches the session from its terminal: the key `d`. The session continues, and the shell gets the terminal back."""

from __future__ import annotations

import time

from procman.runtime.guardian import guardian
from procman.runtime.guardian.release import is_possible, release_guardian

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.lifecycle.supervisor import Supervisor
    from procman.output.hub import Hub
    from procman.output.outlet import Outlet
    from procman.runtime.loop.signal_requests import JobControl, SignalRequests
    from procman.runtime.system.poller import Poller

FLUSH_LIMIT = 0.5  # seconds for the terminal to take the last lines
HINT = "procman logs -f shows its output, procman attach NAME its terminals, procman stop ends it"


def obstacle(supervisor: Supervisor, reachable: bool) -> str:
    """Return why the session cannot be detached; empty if it can. ``reachable``: it has a control socket."""
    if not reachable:
        return "without a control socket nothing could reach the session"
    if not is_possible():
        return "without its guardian, the shell waits for the session itself"
    return "the session is stopping" if supervisor.stopping is not None else ""


def detach(hub: Hub, outlet: Outlet, job_control: JobControl, requests: SignalRequests, poller: Poller) -> None:
    """Leave the terminal as it was found, then let the guardian end, for which the shell waits.

    No descriptor may be waiting to be served: some are closed here.
    """
    assert guardian.watchdog_pipe is not None
    hub.announce(f"detached; the session continues in the background: {HINT}")
    job_control.leave_for_good()
    if outlet.pollable:
        poller.remove(outlet.fileno())
    outlet.discard_from_now_on(time.monotonic() + FLUSH_LIMIT)
    requests.release_guardian(guardian.watchdog_pipe)
    release_guardian()
