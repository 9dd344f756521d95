"""The command that installs a package where procman is."""

from __future__ import annotations

import sys
from importlib import util

import pytest

from procman.config import extras
from procman.config.extras import watch_installation


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.local/share/pipx/venvs/procman-cli", "pipx inject procman-cli watchfiles pathspec"),
        ("/home/me/.local/share/uv/tools/procman-cli", "uv tool install --with watchfiles --with pathspec procman-cli"),
        ("/srv/shop/.venv", "pip install watchfiles pathspec"),
        ("/usr", "pip install watchfiles pathspec"),
    ],
)
def test_what_watch_needs_is_installed_where_procman_is(
    prefix: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    assert watch_installation() == command


def test_the_debian_package_has_a_folder_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "__file__", f"{extras.DEBIAN_FOLDER}procman/config/extras.py")
    command = "sudo python3 -m pip install --target /usr/local/lib/procman watchfiles pathspec"
    assert watch_installation() == command
    monkeypatch.setattr(util, "find_spec", lambda name: None)  # as on a bare Debian
    assert watch_installation() == f"sudo apt install python3-pip && {command}"


def test_one_file_cannot_be_extended(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = f"/home/me/.shiv/procman.pyz_{'0a' * 32}/site-packages/procman/config/extras.py"
    monkeypatch.setattr(extras, "__file__", unpacked)
    assert watch_installation() == "pipx install procman-cli && pipx inject procman-cli watchfiles pathspec"
