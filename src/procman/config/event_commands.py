"""Reads the hooks: the commands for events in the table [on] of the config files."""

from __future__ import annotations

from procman.config.configfiles import project_folder, read_config_files
from procman.config.destinations import KEY, table_of
from procman.core.model.process_overlay import OverlayProblem
from procman.core.text.suggest import did_you_mean
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.process_overlay import Table
    from procman.core.model.settings import Settings

FAILED, READY, ENDED = "failed", "ready", "ended"
EVENTS_EXPLAINED = {
    FAILED: "a command to run when a process has failed",
    READY: "a command to run when everything is ready for the first time",
    ENDED: "a command to run when the session has ended",
}


def read_hooks(settings: Settings) -> tuple[dict[str, str], list[OverlayProblem]]:
    """Return the command of each event, and what is wrong in the tables. Raises ConfigError for invalid TOML."""
    known = list(settings.mistakes) or None  # reported already, so they are no reason to stop here
    files = [file for file in read_config_files(project_folder(settings), known) if KEY in file.values]
    hooks: dict[str, str] = {}
    problems: list[OverlayProblem] = []
    for table in reversed([table_of(file) for file in files if not file.is_text]):
        if isinstance(table.processes, dict):
            for event, command in table.processes.items():
                if not isinstance(command, dict):
                    problems += _problem(table, event, command)
                    hooks[event] = str(command)
    return hooks, problems


def sound_hooks(settings: Settings) -> dict[str, str]:
    """Return the command of each event. Raises ConfigError if a table has a mistake."""
    hooks, problems = read_hooks(settings)
    if problems:
        raise ConfigError(f"{problems[0].location}: {problems[0].message}", problems[0].hint)
    return hooks


def _problem(table: Table, event: str, command: object) -> list[OverlayProblem]:
    location = table.location((event,))
    if event not in EVENTS_EXPLAINED:
        hint = did_you_mean(event, tuple(EVENTS_EXPLAINED)) or f"there are: {', '.join(EVENTS_EXPLAINED)}"
        return [OverlayProblem(location, f'unknown event "{event}" in [{KEY}]', hint)]
    if not isinstance(command, str) or not command.strip() or "\0" in command:
        return [OverlayProblem(location, f"{event} must be a command, or a table for a destination of that name")]
    return []
