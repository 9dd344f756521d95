"""The man page in the repository is up to date with the table of options."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from procman.cli.options.manual import manual
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import OPTIONS

PAGE = Path(__file__).parents[3] / "man" / "procman.1"


def test_the_man_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(), "run: make man"


def test_the_man_page_names_every_command_flag_variable_and_key() -> None:
    text = manual().replace("\\-", "-")
    for option in OPTIONS:
        for word in (*option.flags, *option.variables, option.setting if option.config else ""):
            assert word in text
    assert all(f"procman {name}" in text for name in COMMANDS)


def test_the_man_page_is_installed_where_man_looks() -> None:
    from importlib.metadata import distribution

    files = [str(file) for file in distribution("procman-cli").files or ()]
    if any(name.endswith(".pth") for name in files):
        pytest.skip("procman is installed in place, without its man page")
    assert (Path(sys.prefix) / "share" / "man" / "man1" / "procman.1").exists()


def test_groff_has_nothing_to_say_about_it() -> None:
    if shutil.which("groff") is None:
        pytest.skip("needs groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", str(PAGE)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
