"""Decides where the files of an export will lie once they are installed: units name others by absolute paths."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def installed(location: str, known: Sequence[str]) -> str:
    """Return the folder that units may name. ``known`` are the folders the target reads, the usual one first.

    An export straight into such a folder, or into the same folder below the root of another system, is named by it;
    any other ``location`` is a place of preparation, and the usual folder is meant.
    """
    return next((folder for folder in known if f"{location}/".endswith(f"{folder}/")), known[0])
