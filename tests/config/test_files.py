"""Which files are read, in which order, and the message if one cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from procman.config.files import read_environment, read_procfile
from procman.config.plan_source import read_plan
from procman.config.reading import LARGEST
from procman.core.model.settings import Settings
from procman.errors import ConfigError, ProcfileError, UsageError

as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses files that everyone can write")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str | bytes, mode: int = 0o600) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    Path(path).chmod(mode)


def given_by(settings: Settings, environ: dict[str, str] | None = None) -> dict[str, str]:
    environment, _ = read_environment(settings, environ or {})
    return environment.values


# env files


def test_a_later_file_may_refer_to_an_earlier_one() -> None:
    write("a.env", "A=1\n")
    write("b.env", "B=${A}${HOME}\n")
    assert given_by(Settings(env=("a.env", "b.env"), env_interpolate=True), {"HOME": "/h", "A": "0"})["B"] == "1/h"


@pytest.mark.parametrize(("wins", "value"), [(False, "file"), (True, "real")])
def test_os_env_wins_turns_the_layers_round(wins: bool, value: str) -> None:
    write(".env", "A=file\nB=file\n")
    assert given_by(Settings(os_env_wins=wins), {"A": "real"}) == {"A": value, "B": "file"}


@pytest.mark.parametrize(("wins", "value"), [(False, "file"), (True, "real")])
def test_interpolation_sees_what_the_process_will_see(wins: bool, value: str) -> None:
    write("a.env", "A=file\n")
    write("b.env", "B=${A}\n")
    settings = Settings(env=("a.env", "b.env"), env_interpolate=True, os_env_wins=wins)
    assert given_by(settings, {"A": "real"})["B"] == value


def test_an_empty_list_of_env_files_names_none() -> None:
    write(".env", "A=file\n")
    assert given_by(Settings({"env": "procman.toml:1"}, env=())) == {}
    assert given_by(Settings()) == {"A": "file"}


def test_a_missing_procfile_hints_at_the_variable_of_another_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    write("load/Procfile", "web: a\n")
    monkeypatch.setenv("PROCFILE", "load/Procfile")
    with pytest.raises(ConfigError) as caught:
        read_procfile("Procfile")
    assert caught.value.hint == (
        "PROCFILE names load/Procfile, but procman reads PROCMAN_PROCFILE; or use -f load/Procfile"
    )


def test_a_missing_default_env_file_is_fine() -> None:
    assert given_by(Settings(), {"HOME": "/h"}) == {"HOME": "/h"}


def test_the_default_env_file_is_the_roots() -> None:
    write(".env", "A=here\n")
    write("app/.env", "A=app\n")
    write("app/Procfile", "web: x\n")
    write("other/.env", "A=other\n")
    assert given_by(Settings())["A"] == "here"
    assert given_by(Settings(procfile="app/Procfile"))["A"] == "app"
    assert given_by(Settings(root="app"))["A"] == "app"
    assert given_by(Settings(procfile="app/Procfile", root="other"))["A"] == "other"


def test_an_optional_file_may_be_missing() -> None:
    write("a.env", "A=a\n")
    optional = Settings(env=("a.env", "b.env"), env_optional=("b.env",))
    assert given_by(optional) == {"A": "a"}
    write("b.env", "A=b\n")
    assert given_by(optional) == {"A": "b"}
    with pytest.raises(ConfigError):
        given_by(Settings(env=("c.env",), env_optional=("b.env",)))


def test_named_files_are_read_in_order_instead_of_the_default() -> None:
    write(".env", "A=default\nX=1\n")
    write("a.env", "A=a\nB=a\n")
    write("b.env", "B=b\n")
    assert given_by(Settings(env=("a.env", "b.env"))) == {"A": "a", "B": "b"}
    assert given_by(Settings(env=("a.env, b.env",))) == {"A": "a", "B": "b"}
    assert given_by(Settings(env=(".env", "b.env"))) == {"A": "default", "X": "1", "B": "b"}


def test_a_named_file_may_hold_a_comma_in_its_name() -> None:
    write("a,b", "A=1\n")
    assert given_by(Settings(env=("a,b",))) == {"A": "1"}


def test_a_virtual_environment_called_dot_env_is_no_env_file() -> None:
    write(".env/pyvenv.cfg", "home = /usr/bin\n")
    assert given_by(Settings()) == {}


def test_dev_null_reads_none() -> None:
    write(".env", "A=1\n")
    assert given_by(Settings(env=("/dev/null",))) == {}


@pytest.mark.parametrize("path", ["gone.env", "gone/x.env"])
def test_a_missing_named_file_is_an_error(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        given_by(Settings(env=(path,)))
    assert caught.value.message == f"{path}: no such file"
    assert caught.value.hint


def test_a_default_env_that_points_nowhere_is_an_error() -> None:
    Path(".env").symlink_to("gone")
    with pytest.raises(ConfigError, match=r"^\.env: no such file$"):
        given_by(Settings())


@pytest.mark.parametrize("settings", [Settings(), Settings(env=(".env",))])
def test_a_folder_is_an_error(settings: Settings) -> None:
    Path(".env").mkdir()
    with pytest.raises(ConfigError, match=r"^\.env is a folder, not a file$"):
        given_by(settings)


@as_user
def test_a_file_that_may_not_be_read_is_an_error() -> None:
    write(".env", "A=1\n", 0o000)
    with pytest.raises(ConfigError, match=r"^\.env: permission denied$"):
        given_by(Settings())


def test_a_file_without_end_is_an_error() -> None:
    with pytest.raises(ConfigError, match=rf"^/dev/zero is larger than {LARGEST >> 20} MiB$"):
        read_procfile("/dev/zero")


def test_that_others_can_read_an_env_file_is_nothing_to_say_at_each_start() -> None:
    write(".env", "A=1\n", 0o644)
    assert read_environment(Settings(), {})[1] == ()


def test_lines_that_give_nothing_are_warnings() -> None:
    write(".env", "A=1\nB\n")
    assert read_environment(Settings(), {})[1] == ('.env:2: this line has no "=" and is ignored; write KEY=value',)


@as_root
@pytest.mark.parametrize("path", [".env", "Procfile"])
def test_root_refuses_what_everybody_can_write(path: str) -> None:
    write("Procfile", "web: x\n")
    write(".env", "A=1\n")
    Path(path).chmod(0o666)
    with pytest.raises(ConfigError) as caught:
        read_plan(Settings(), {})
    assert caught.value.message == f"every user can write to {path}, and you are root"
    assert caught.value.hint == f"chmod o-w {path}"


def test_a_shells_folder_is_the_childs_own() -> None:
    write("app/Procfile", "web: x\n")
    assert given_by(Settings(root="app"), {"PWD": "/elsewhere"})["PWD"] == str(Path.cwd() / "app")
    assert given_by(Settings(), {"PWD": "/a/link/to/here"})["PWD"] == "/a/link/to/here"
    assert "PWD" not in given_by(Settings(root="app"))


# the Procfile


def hint_for(path: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_procfile(path)
    assert caught.value.message == f"{path}: no such file"
    assert caught.value.exit_code == 2
    return caught.value.hint


def test_a_missing_procfile_names_those_that_look_like_one() -> None:
    assert hint_for("Procfile") == "a Procfile has lines such as `web: python app.py`; -f names another file"
    write("Procfile.dev", "web: x\n")
    assert hint_for("Procfile") == "did you mean -f Procfile.dev?"
    write("procfile", "web: x\n")
    assert hint_for("Procfile") == "did you mean -f Procfile.dev or -f procfile?"
    write("app/Procfile.dev", "web: x\n")
    assert hint_for("app/Procfile") == "did you mean -f app/Procfile.dev?"
    assert hint_for("gone/Procfile") == "there is no folder gone"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder", "folder is a folder, not a file"),
        ("file/Procfile", "file/Procfile: not a directory"),
        ("x" * 300, "x" * 300 + ": file name too long"),
        ("a\0b", "a file name cannot contain a NUL byte"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(path: str, message: str) -> None:
    Path("folder").mkdir()
    write("file", "")
    with pytest.raises(ConfigError) as caught:
        read_procfile(path)
    assert caught.value.message == message


@as_user
def test_a_procfile_that_may_not_be_read_is_an_error() -> None:
    write("Procfile", "web: x\n", 0o000)
    with pytest.raises(ConfigError, match=r"^Procfile: permission denied$"):
        read_procfile("Procfile")


def test_a_procfile_with_one_error_is_refused_with_its_place() -> None:
    write("Procfile", "web: a\nworker: b\nweb: c\n")
    with pytest.raises(ProcfileError) as caught:
        read_plan(Settings(), {})
    assert caught.value.message == 'Procfile:3:1: "web" is already defined on line 1'
    assert caught.value.exit_code == 2


def test_a_procfile_with_many_errors_is_refused_with_the_first_of_them() -> None:
    write("Procfile", "a\nb\nc\nd\ne\n")
    with pytest.raises(ProcfileError) as caught:
        read_plan(Settings(), {})
    assert caught.value.message.startswith('Procfile has 5 errors: 1:2: expected ":" right after "a"')
    assert caught.value.message.endswith("; and 2 more")
    assert len(caught.value.problems) == 5


def test_the_plan_runs_in_the_procfiles_folder() -> None:
    write("app/Procfile", "web: x\n")
    write("app/.env", "PORT=7000\n")
    plan = read_plan(Settings(procfile="app/Procfile", formation="web=2"), {"HOME": "/h"}, "s1")
    assert plan.root == str(Path.cwd() / "app")
    assert plan.procfile_path == str(Path.cwd() / "app/Procfile")
    assert [(i.name, i.port, i.cwd, i.env["PROCMAN_SESSION"]) for i in plan.instances] == [
        ("web.1", 7000, plan.root, "s1"),
        ("web.2", 7001, plan.root, "s1"),
    ]


def test_a_procfile_from_a_pipe_runs_where_we_are() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"web: x\n")
    os.close(theirs)
    plan = read_plan(Settings(procfile=f"/dev/fd/{ours}"), {})
    os.close(ours)
    assert (plan.root, plan.instances[0].command) == (str(Path.cwd()), "x")


def test_a_root_that_is_no_folder_is_an_error() -> None:
    write("Procfile", "web: x\n")
    with pytest.raises(ConfigError, match=r"^gone: no such folder$"):
        read_plan(Settings({"root": "-d"}, procfile="Procfile", root="gone"), {})


def test_a_bad_formation_is_a_usage_error() -> None:
    write("Procfile", "web: x\n")
    with pytest.raises(UsageError):
        read_plan(Settings(formation="wbe=1"), {})
