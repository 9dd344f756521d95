"""The commands for events in the table [on], beside the destinations there."""

from __future__ import annotations

import pytest

from procman.config.event_commands import read_hooks, sound_hooks
from procman.core.model.settings import Settings
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def settings_of(folder: Path, text: str, local: str = "") -> Settings:
    (folder / "procman.toml").write_text(text)
    if local:
        (folder / "procman.local.toml").write_text(local)
    settings = Settings(on=("failed",))
    settings.project = str(folder)
    return settings


def test_strings_are_commands_and_tables_are_destinations(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, '[on]\nfailed = "notify"\nready = "say up"\n[on.ended]\nengine = "swarm"\n')
    assert sound_hooks(settings) == {"failed": "notify", "ready": "say up"}


def test_the_nearer_file_wins(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, '[on]\nfailed = "far"\nready = "far"\n', '[on]\nfailed = "near"\n')
    assert sound_hooks(settings) == {"failed": "near", "ready": "far"}


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('fialed = "x"', 'unknown event "fialed" in [on]', 'did you mean "failed"?'),
        ('started = "x"', 'unknown event "started" in [on]', "there are: failed, ready, ended"),
        ("failed = 3", "failed must be a command, or a table for a destination of that name", ""),
        ('failed = " "', "failed must be a command, or a table for a destination of that name", ""),
    ],
)
def test_a_mistake_has_its_line(tmp_path: Path, line: str, message: str, hint: str) -> None:
    settings = settings_of(tmp_path, f"port = 5000\n[on]\n{line}\n")
    (problem,) = read_hooks(settings)[1]
    assert (problem.location.rpartition("/")[2], problem.message, problem.hint) == ("procman.toml:3", message, hint)
    with pytest.raises(ConfigError):
        sound_hooks(settings)
