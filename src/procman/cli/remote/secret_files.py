"""Finds the env files below the folder of the application: no host gets them with the code."""

from __future__ import annotations

import os

from procman.config.files import env_paths, uses_overlay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from procman.core.model.destination import Destination
    from procman.core.model.settings import Settings


def secret_files(folder: str, settings: Iterable[Settings], destinations: Iterable[Destination]) -> tuple[str, ...]:
    """Return the paths below ``folder`` of the env files that any of the settings and destinations name.

    Those of other destinations and of single process types are among them: they hold secrets, too.
    """
    paths = [path for one in settings for path in _named(one)]
    paths += [path for one in destinations for path, _ in one.env_file]
    return tuple(dict.fromkeys(below for path in paths for below in _below(folder, path)))


def _named(settings: Settings) -> Iterator[str]:
    yield from env_paths(settings)
    if uses_overlay(settings):
        from procman.config.overlays import env_files_now

        yield from env_files_now(settings)


def _below(folder: str, path: str) -> Iterator[str]:
    """Yield what a list of the folder may call a file: by its own path, or by that of what it links to."""
    full, real = os.path.abspath(path), os.path.realpath(path)
    beside = os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))
    for one, top in ((full, folder), (beside, os.path.realpath(folder)), (real, os.path.realpath(folder))):
        below = os.path.relpath(one, top)
        if below.partition("/")[0] != os.pardir:
            yield below
