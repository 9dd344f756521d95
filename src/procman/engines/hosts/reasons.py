"""Why an instance is in its state, in a sentence."""

from __future__ import annotations

from procman.engines.hosts.unit_states import exit_words
from procman.engines.records import Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.hosts.unit_states import UnitState
    from procman.engines.records import InstanceState


def reason_for(state: InstanceState, seen: UnitState | None) -> Reason:
    """Return the reason for a state."""
    return Reason(state.name, state.state, _sentence(state, seen), state.node)


def _sentence(state: InstanceState, seen: UnitState | None) -> str:
    ended = exit_words(state.exit) if state.exit else ""
    match state.state:
        case "unknown":
            return f"its state is unknown, since {state.reason}"
        case "running":
            return f"it runs{_restarts(state)}"
        case "waiting":
            return "it waits for its time: it runs by the clock"
        case "starting":
            return "it has started, and is not ready yet"
        case "stopping":
            return "it is being stopped"
        case "backoff":
            return f"it {ended or 'has ended'}, and systemd will start it again{_restarts(state)}"
        case "failed":
            return "; ".join(filter(None, (f"it {ended}" if ended else "", state.reason))) or "systemd gave up"
    if state.reason:
        return state.reason
    if seen is None or not seen.started:
        return "it has not been started since the host is up"
    return f"it {ended or 'has ended'}"


def _restarts(state: InstanceState) -> str:
    if not state.restarts:
        return ""
    return f", after {state.restarts} restart{'s' if state.restarts > 1 else ''}"
