"""Shows as the settings wish: puts the output path together."""

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
    """The hub for this plan. ``isatty``: stdout is a terminal; ``lends``: it will be lent to an instance. Raises
    UsageError for a template or pattern that is none, ConfigError for a log folder that cannot be had."""
    palette = Palette(settings.format == "text" and wants_color(settings.color, environ, isatty))
    stamp = Stamp(settings.timestamps)
    labels = _labels(plan, settings, palette, stamp)
    stage = _passthrough(outlet, settings) if lends else None
    footer = stage or (_footer(outlet) if takes_footer(settings, environ, isatty) else None)
    screen: Sink
    if settings.format == "json":
        screen = _json(outlet, labels)
    else:
        transforms, unicode = _transforms(settings, environ, palette, isatty), not isatty or _speaks_unicode(environ)
        screen = Prefix(outlet, labels, stamp, footer, transforms, marks=palette.colored, unicode=unicode)
        if settings.highlight:
            screen.highlight(settings.highlight)
    hub = Hub(
        screen,
        raw=settings.raw,
        footer=footer,
        stage=stage,
        palette=palette,
        history=History(len(plan.instances)),
        prefix_width=labels.width(stamp.text()),
    )
    if settings.log_dir:
        from procman.output.sinks.logfiles import LogFiles

        hub.add(LogFiles(settings.log_dir, hub.announce))
    own_logs = {instance.type: instance.log_file for instance in plan.instances if instance.log_file}
    if own_logs:
        from procman.output.sinks.logfiles import ProcessLogFiles

        hub.add(ProcessLogFiles(own_logs, hub.announce))
    return hub


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
    """Whether something can stay at the bottom of the terminal."""
    return isatty and settings.format == "text" and not settings.raw and environ.get("TERM", "dumb") != "dumb"


def _speaks_unicode(environ: Mapping[str, str]) -> bool:
    from procman.output.screen.statusline import speaks_unicode

    return speaks_unicode(environ)


def _json(outlet: Outlet, labels: Labels) -> Sink:
    from procman.output.sinks.jsonlines import JsonLines

    return JsonLines(outlet.put, time.time, labels.is_hidden)


def _transforms(
    settings: Settings, environ: Mapping[str, str], palette: Palette, isatty: bool
) -> list[Callable[[bytes], bytes]]:
    transforms: list[Callable[[bytes], bytes]] = []
    if refuses_color(settings.color, environ) and not settings.raw:
        transforms.append(_colorless)
    if settings.pretty:
        from procman.output.sinks.pretty import prettifier

        transforms.append(prettifier(palette))
    if isatty and not settings.raw and settings.prefix not in ("", "none"):
        transforms.append(_lined_up)
    return transforms


def _colorless(lines: bytes) -> bytes:
    """Lines without the colors of children, which only few of them have."""
    if 27 not in lines:
        return lines
    from procman.output.sanitize.escapes import without_color

    return without_color(lines)


def _lined_up(lines: bytes) -> bytes:
    """Lines with spaces for the tabs that a prefix would shift."""
    if 9 not in lines:
        return lines
    from procman.output.sinks.transforms import without_tabs

    return without_tabs(lines)
