"""Plug-ins: what installed packages offer under an entry point, besides what procman has built in."""

from __future__ import annotations

from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.metadata import EntryPoint


def plugins_of(group: str, built_in: Collection[str]) -> dict[str, EntryPoint]:
    """Return the plug-ins of a group by name, except those that would replace a built-in one."""
    from importlib.metadata import entry_points  # takes 37 ms, and what is built in does not need it

    return {plugin.name: plugin for plugin in entry_points(group=group) if plugin.name not in built_in}


def loaded(plugin: EntryPoint, what: str) -> object:
    """Return what a plug-in offers. Raises ProcmanError if it is broken: ``what`` names its kind."""
    try:
        return plugin.load()
    except Exception as error:
        message = f"the {what} {plugin.name} ({plugin.value}) cannot be loaded: {error}"
        raise ProcmanError(message, "check its installation with pip check") from error
