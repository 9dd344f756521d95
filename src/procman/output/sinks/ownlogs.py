"""Shows lines in the log files that an overlay names for single process types, besides the screen."""

from __future__ import annotations

import os

from procman.errors import ConfigError
from procman.output.sinks.logfiles import FOLDER_MODE, LogFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ProcessLogFiles(LogFiles):
    """A file for each process type that has one, or with ``{instance}`` in its path, for each instance."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Mapping[str, str], complain: Callable[[str], None]) -> None:
        """``paths`` by process type, absolute. Makes their folders; raises ConfigError when one cannot be had."""
        self._paths = paths
        folder = os.sep
        for path in paths.values():
            folder = os.path.dirname(path)
            try:
                os.makedirs(folder, FOLDER_MODE, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"log_file {path}: {error.strerror}") from None
        super().__init__(folder, complain)

    def publish(self, name: str, stream: str, lines: bytes) -> None:
        """Append the lines of those who have a file."""
        if name.partition(".")[0] in self._paths:
            super().publish(name, stream, lines)

    def path(self, name: str) -> str:
        """Where the lines of an instance go."""
        return self._paths[name.partition(".")[0]].replace("{instance}", name)
