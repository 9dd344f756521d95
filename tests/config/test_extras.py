"""What an overlay needs from outside: how to install it where procman is."""

from __future__ import annotations

from importlib import util

import pytest

from procman.config import overlays
from procman.config.overlays import watch_installation


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.local/share/pipx/venvs/procman-cli", "pipx inject procman-cli watchfiles pathspec"),
        ("/home/me/.local/share/uv/tools/procman-cli", "uv tool install --with watchfiles --with pathspec procman-cli"),
        ("/srv/shop/.venv", "pip install watchfiles pathspec"),
        ("/usr", "pip install watchfiles pathspec"),
    ],
)
def test_what_watch_needs_is_installed_where_procman_is(prefix: str, command: str) -> None:
    assert watch_installation(prefix) == command


def test_the_debian_package_has_a_folder_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlays, "__file__", f"{overlays.DEBIAN_FOLDER}procman/config/overlays.py")
    command = "sudo python3 -m pip install --target /usr/local/lib/procman watchfiles pathspec"
    assert watch_installation("/usr") == command
    monkeypatch.setattr(util, "find_spec", lambda name: None)  # as on a bare Debian
    assert watch_installation("/usr") == f"sudo apt install python3-pip && {command}"


def test_one_file_cannot_be_extended(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = f"/home/me/.shiv/procman.pyz_{'0a' * 32}/site-packages/procman/config/overlays.py"
    monkeypatch.setattr(overlays, "__file__", unpacked)
    assert watch_installation("/usr") == "pipx install procman-cli && pipx inject procman-cli watchfiles pathspec"
