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
    assert caught.value.message == f"every user can write to {path}, and you are root"
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


def test_the_time_for_dotted_keys_is_bounded() -> None:
    key = ".".join("a" * 20_000)
    Path("procman.toml").write_text(f"[process]\n{key} = 1\n")
    with pytest.raises(ConfigError, match=r"^procman.toml:2: a key has more than 100 parts$"):
        read_config_files("")


@pytest.mark.parametrize("line", ["x = '" + "a." * 300 + "'", "port = 1 # " + "a." * 300, 'x = "' + "a.b" * 300 + '"'])
def test_dots_in_values_and_comments_are_no_parts(line: str) -> None:
    Path("procman.toml").write_text(line + "\n")
    assert read_config_files("")


@pytest.mark.parametrize("name", ["procman.toml", "procman.local.toml", "pyproject.toml", ".foreman"])
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "fifo"])
def test_a_link_to_something_without_end_is_refused(name: str, target: str) -> None:
    os.mkfifo("fifo")
    Path(name).symlink_to(target)
    with pytest.raises(ConfigError, match=f"^{name} is a device or a pipe, not a regular file$"):
        read_config_files("")


def test_a_link_to_dev_null_is_an_empty_file() -> None:
    Path("procman.toml").symlink_to(os.devnull)
    assert not read_config_files("")[0].values
