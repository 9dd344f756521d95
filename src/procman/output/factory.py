"""Builds the output path from the settings."""

from __future__ import annotations

import time

from procman.output.hub import Hub
from procman.output.palette import Palette, refuses_color, wants_color
from procman.output.sinks.history import History
from procman.output.sinks.label import WITH_TIME, WITHOUT_TIME, Labels
from procman.output.sinks.prefix import Prefix
from procman.output.stamp import Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings
    from procman.output.outlet import Outlet
    from procman.output.screen.footer import Footer
    from procman.output.screen.passthrough import Passthrough
    from procman.output.sink import Sink


def open_output(
    plan: Plan, settings: Settings, outlet: Outlet, environ: Mapping[str, str], isatty: bool, lends: bool = False
) -> Hub:
    """Return the hub for this plan. ``isatty``: stdout is a terminal; ``lends``: it will be lent to an instance.

    Raises UsageError for an invalid template or pattern, ConfigError if the log folder cannot be made.
    """
    palette = Palette(settings.format == "text" and wants_color(settings.color, environ, isatty))
    stamp = Stamp(settings.timestamps)
    labels = _labels(plan, settings, palette, stamp)
    passthrough = _passthrough(outlet, settings) if lends else None
    footer = passthrough or (_footer(outlet) if takes_footer(settings, environ, isatty) else None)
    screen = _screen(outlet, settings, environ, isatty, labels, stamp, palette, footer)
    hub = Hub(
        screen,
        raw=settings.raw,
        footer=footer,
        passthrough=passthrough,
        palette=palette,
        history=History(len(plan.instances)),
        prefix_width=labels.width(stamp.text()),
    )
    _add_log_files(hub, plan, settings)
    return hub


def _screen(
    outlet: Outlet,
    settings: Settings,
    environ: Mapping[str, str],
    isatty: bool,
    labels: Labels,
    stamp: Stamp,
    palette: Palette,
    footer: Footer | None,
) -> Sink:
    if settings.format == "json":
        return _json(outlet, labels)
    screen = Prefix(
        outlet,
        labels,
        stamp,
        footer,
        _transforms(settings, palette, isatty),
        wants_colors=settings.raw or not refuses_color(settings.color, environ),
        marks=palette.colored,
        unicode=not isatty or _speaks_unicode(environ),
    )
    if settings.highlight:
        screen.highlight(settings.highlight)
    return screen


def _add_log_files(hub: Hub, plan: Plan, settings: Settings) -> None:
    if settings.log_dir:
        from procman.output.sinks.logfiles import LogFiles

        hub.add(LogFiles(settings.log_dir, hub.announce))
    own_logs = {instance.type: instance.log_file for instance in plan.instances if instance.log_file}
    if own_logs:
        from procman.output.sinks.logfiles import ProcessLogFiles

        hub.add(ProcessLogFiles(own_logs, hub.announce))


def _labels(plan: Plan, settings: Settings, palette: Palette, stamp: Stamp) -> Labels:
    names = [instance.name for instance in plan.instances]
    indexes = {kind.name: kind.index for kind in plan.procfile.process_types}
    indexes |= {instance.type: instance.color for instance in plan.instances if instance.color is not None}
    template = settings.prefix
    if template is None:
        template = WITHOUT_TIME if stamp.off else WITH_TIME
    elif template == "none":
        template = ""
    return Labels(template, palette, names, indexes, plan.hides)


def _footer(outlet: Outlet) -> Footer:
    from procman.output.screen.footer import Footer

    return Footer(outlet)


def _passthrough(outlet: Outlet, settings: Settings) -> Passthrough:
    from procman.output.screen.passthrough import Passthrough

    return Passthrough(outlet, settings.status is not False)


def takes_footer(settings: Settings, environ: Mapping[str, str], isatty: bool) -> bool:
    """Whether the bottom rows of the terminal can be used."""
    return isatty and settings.format == "text" and not settings.raw and environ.get("TERM", "dumb") != "dumb"


def _speaks_unicode(environ: Mapping[str, str]) -> bool:
    from procman.output.screen.statusline import speaks_unicode

    return speaks_unicode(environ)


def _json(outlet: Outlet, labels: Labels) -> Sink:
    from procman.output.sinks.jsonlines import JsonLines

    return JsonLines(outlet.put, time.time, labels.is_hidden)


def _transforms(settings: Settings, palette: Palette, isatty: bool) -> list[Callable[[bytes], bytes]]:
    transforms: list[Callable[[bytes], bytes]] = []
    if settings.pretty:
        from procman.output.sinks.pretty import prettifier

        transforms.append(prettifier(palette))
    if isatty and not settings.raw:
        from procman.output.sanitize.sanitizer import guarded

        transforms.append(guarded)
        if settings.prefix not in ("", "none"):
            transforms.append(_tabs_expanded)
    return transforms


def _tabs_expanded(lines: bytes) -> bytes:
    """Return lines with spaces for their tabs, which a prefix would shift."""
    if 9 not in lines:
        return lines
    from procman.output.sinks.transforms import without_tabs

    return without_tabs(lines)
