"""Config files: as root, one that every user can write is refused; and the lines of the overlay's keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from procman.config.configfiles import lines_below, read_config_files
from procman.errors import ConfigError

OURS = {
    "procman.toml": "port = 7000\n",
    "procman.local.toml": '[process.web]\nstop_command = "true"\n',
    "pyproject.toml": "[tool.procman]\nport = 7000\n",
    ".foreman": "procfile: Procfile.dev\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str, mode: int) -> None:
    Path(path).write_text(text)
    Path(path).chmod(mode)


@pytest.mark.parametrize("path", OURS)
def test_root_refuses_what_everybody_can_write(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    write(path, OURS[path], 0o666)
    with pytest.raises(ConfigError) as caught:
        read_config_files("")
    assert caught.value.message == f"{path} can be written by every user, and you are root"
    assert caught.value.hint == f"chmod o-w {path}"


@pytest.mark.parametrize("path", OURS)
def test_others_may_have_it_so_and_root_may_have_it_otherwise(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, mode in ((1000, 0o666), (0, 0o664)):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        write(path, OURS[path], mode)
        assert len(read_config_files("")) == 1


def test_a_pyproject_without_a_table_of_ours_is_not_our_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    write("pyproject.toml", '[project]\nname = "procman-like"\n', 0o666)
    assert read_config_files("") == []


# The lines of an overlay's keys, in every form that TOML allows

TEXT = '''\
timeout = 3 # process.web = 1
note = """
[process.web]
restart = "x"
"""

[process.web]
restart = "always"
ready = { http = "/" }
"stop-signal" = 'INT'

[process.web.env] # a comment
A = "b = c"

[process."odd.name"]
cwd = "x"

[process]
db.port = 5
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("web",), 7),
        (("web", "restart"), 8),
        (("web", "ready"), 9),
        (("web", "stop_signal"), 10),
        (("web", "env"), 12),
        (("web", "env", "A"), 13),
        (("odd.name", "cwd"), 16),
        (("db", "port"), 19),
    ],
)
def test_the_line_of_each_key(path: tuple[str, ...], line: int) -> None:
    assert lines_below(TEXT, ("process",))[path] == line


def test_the_tables_of_a_pyproject() -> None:
    text = "[tool.procman.process.web]\nport = 1\n[tool.other]\nport = 2\n"
    assert lines_below(text, ("tool", "procman", "process")) == {("web",): 1, ("web", "port"): 2}
