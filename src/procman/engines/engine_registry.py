"""The engines by name: the built-in ones, then those of plug-ins."""

from __future__ import annotations

from importlib import import_module

from procman.core.model.process_overlay import OverlayProblem
from procman.core.text.suggest import did_you_mean
from procman.errors import ProcmanError, UsageError
from procman.export.plugins import loaded, plugins_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import EntryPoint

    from procman.core.model.destination import Destination
    from procman.engines.interface import Engine

GROUP = "procman.engines"
BUILT_IN: dict[str, str] = {  # the module, and the class in it
    "swarm": "procman.engines.swarm.swarm_engine:Swarm",
    "compose": "procman.engines.compose.compose_engine:Compose",
    "systemd": "procman.engines.hosts.systemd_engine:Systemd",
    "kubernetes": "procman.engines.kubernetes.kubernetes_engine:Kubernetes",
}


def find(name: str) -> type[Engine]:
    """Return the engine called ``name``. Raises UsageError if unknown, ProcmanError if its plug-in is broken."""
    if name in BUILT_IN:
        module, _, class_name = BUILT_IN[name].partition(":")
        engine: type[Engine] = getattr(import_module(module), class_name)
        return engine
    others = plugins_of(GROUP, BUILT_IN)
    if name in others:
        return _loaded(others[name])
    raise UsageError(f'unknown engine "{name}"', did_you_mean(name, (*BUILT_IN, *others)))


def unknown_engines(destinations: Iterable[Destination]) -> Iterator[OverlayProblem]:
    """Yield a problem for each destination whose engine is unknown."""
    for destination in destinations:
        if destination.engine and destination.engine not in BUILT_IN:
            try:
                find(destination.engine)
            except ProcmanError as error:
                yield OverlayProblem(destination.location, error.message, error.hint)


def _loaded(plugin: EntryPoint) -> type[Engine]:
    found = loaded(plugin, "engine")
    if not isinstance(found, type):
        raise ProcmanError(f"the engine {plugin.name} ({plugin.value}) is not a class", "report it to its author")
    return found
