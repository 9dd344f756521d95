"""The exporters by format: the built-in ones, then those of plug-ins."""

from __future__ import annotations

from importlib import import_module

from procman.core.text.suggest import did_you_mean
from procman.errors import ProcmanError, UsageError
from procman.export.plugins import loaded, plugins_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.metadata import EntryPoint

    from procman.core.model.plan import Plan
    from procman.export.file import ExportFile, ExportWarning
    from procman.export.options import ExportOptions

    Render = Callable[[Plan, ExportOptions], Iterator[ExportFile | ExportWarning]]
    StopCommands = Callable[[Sequence[str], ExportOptions], list[str]]

GROUP = "procman.exporters"
BUILT_IN = {
    "systemd": "procman.export.init.systemd",
    "supervisord": "procman.export.init.supervisord",
    "runit": "procman.export.init.runit",
    "s6": "procman.export.init.s6",
    "compose": "procman.export.container.compose",
    "kubernetes": "procman.export.container.kubernetes",
    "nomad": "procman.export.container.nomad",
    "quadlet": "procman.export.container.quadlet",
    "launchd": "procman.export.init.launchd",
    "upstart": "procman.export.init.upstart",
    "fly": "procman.export.hosted.fly",
    "kamal": "procman.export.hosted.kamal",
    "render": "procman.export.hosted.render_com",
    "railway": "procman.export.hosted.railway",
    "app-json": "procman.export.hosted.app_json",
}


_MACHINE = ("user", "target_dir", "keep_trying")
_CONTAINER = ("user", "image", "keep_trying")
# The options besides --app that each built-in format uses. Kubernetes and launchd never give up, with or without one.
USED_OPTIONS = {
    "systemd": _MACHINE,
    "supervisord": (*_MACHINE, "log"),
    "runit": (*_MACHINE, "log"),
    "s6": (*_MACHINE, "log"),
    "compose": _CONTAINER,
    "kubernetes": (*_CONTAINER, "numbered"),
    "nomad": _CONTAINER,
    "quadlet": _CONTAINER,
    "launchd": (*_MACHINE, "log"),
    "upstart": _MACHINE,
    "fly": ("image",),
    "kamal": ("image",),
    "render": ("image",),
    "railway": (),
    "app-json": (),
}
_OPTIONS = ("user", "image", "log", "target_dir", "keep_trying", "numbered")


def find(name: str) -> Render:
    """Return the exporter called ``name``. Raises UsageError if unknown, ProcmanError if its plug-in is broken."""
    if name in BUILT_IN:
        render: Render = import_module(BUILT_IN[name]).render
        return render
    others = plugins()
    if name in others:
        return _loaded(others[name])
    known = (*BUILT_IN, *others)
    raise UsageError(
        f'unknown export format "{name}"', did_you_mean(name, known) or "procman export --list shows the formats"
    )


def unused_options(name: str, options: ExportOptions) -> list[str]:
    """Return a sentence for each option that is given, and that the exporter called ``name`` does not use."""
    used = USED_OPTIONS.get(name, _OPTIONS)  # what a plug-in uses is not known
    given = [option for option in _OPTIONS if getattr(options, option)]
    return [f"--{option.replace('_', '-')} has no effect for {name}" for option in given if option not in used]


def stop_commands(name: str, removed: Sequence[str], options: ExportOptions) -> list[str]:
    """Return the commands that stop what runs from the ``removed`` paths, as the exporter called ``name`` knows them.

    They are in the function ``stop_commands`` of its module, which is optional.
    """
    if name not in BUILT_IN:
        return []
    function: StopCommands | None = getattr(import_module(BUILT_IN[name]), "stop_commands", None)
    return function(removed, options) if function else []


def summaries() -> Iterator[tuple[str, str]]:
    """Yield each format with its summary, the built-in ones first."""
    for name, module in BUILT_IN.items():
        yield name, import_module(module).SUMMARY
    for name, plugin in sorted(plugins().items()):
        yield name, f"{_summary(plugin)} (plug-in: {plugin.value})"


def plugins() -> dict[str, EntryPoint]:
    """Return the plug-ins by format."""
    return plugins_of(GROUP, BUILT_IN)


def _loaded(plugin: EntryPoint) -> Render:
    """Load a plug-in: a function, or a module with one called ``render``."""
    found = loaded(plugin, "exporter")
    render = getattr(found, "render", found)
    if not callable(render):
        raise ProcmanError(f"the exporter {plugin.name} ({plugin.value}) is not a function", "report it to its author")
    return render


def _summary(plugin: EntryPoint) -> str:
    try:
        render = _loaded(plugin)
    except ProcmanError as error:
        return error.message
    return (render.__doc__ or "").strip().partition("\n")[0].rstrip(".") or "no description"
