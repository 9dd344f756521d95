"""``procman check``: its output and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from procman.cli.commands.check import check, perform
from procman.cli.options.reader import read
from procman.core.model.settings import NAMES, Settings
from procman.errors import ConfigError, UsageError
from procman.export.hosted.procfile_platforms import NAMES as NAMES_OF_PLATFORMS
from procman.export.registry import BUILT_IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "A"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(path: str, text: str | bytes) -> None:
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
    Path(path).chmod(0o600)


class Checked:
    """The output and the exit code of one run of ``check``."""

    def __init__(self, capsys: pytest.CaptureFixture[str], **settings: Any) -> None:
        self.code = check(Settings(**settings))
        self.out, self.err = capsys.readouterr()

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.out)
        return report


def test_a_good_procfile_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nworker: b\nclock: c\n")
    done = Checked(capsys)
    assert (done.out, done.err, done.code) == ("Procfile: ok — 3 process types (web, worker, clock)\n", "", 0)


def test_one_process_type_is_not_plural(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile.dev", "worker: b\n")
    assert Checked(capsys, procfile="Procfile.dev").out == "Procfile.dev: ok — 1 process type (worker)\n"


def test_problems_are_listed_all_and_the_code_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nclock\nweb: b\nworker: c &\n")
    done = Checked(capsys)
    assert done.code == 1
    assert done.err == ""
    assert done.out.splitlines() == [
        'Procfile:2:6: error: expected ":" right after "clock"; a process line is `name: command`',
        'Procfile:3:1: error: "web" is already defined on line 1',
        'Procfile:4:11: warning: ends in "&", so it will be treated as exited immediately',
    ]


def test_warnings_and_hints_alone_leave_it_ok(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: flask run\nworker: b &\n")
    done = Checked(capsys)
    assert done.code == 0
    assert [line.split(": ")[1] for line in done.out.splitlines()] == [
        "hint",
        "warning",
        "ok — 2 process types (web, worker)",
    ]


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"web: \xff\n", "web: a\n".encode("utf-16")])
def test_what_holds_no_process_or_no_text_has_problems(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", data)
    done = Checked(capsys)
    assert done.code == 1
    assert done.out.startswith("Procfile:1:")


def test_a_missing_procfile_is_an_error_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"^Procfile: no such file$") as caught:
        check(Settings())
    assert caught.value.exit_code == 2


def test_json_is_exactly_the_object_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "# hi\nweb: puma -p 9292\nworker: b & \n")
    write(".env", "A=1\nPORT=7000\n")
    done = Checked(capsys, json=True, formation="web=2,worker=1")
    assert (done.code, done.err) == (0, "")
    assert done.report == {
        "ok": True,
        "procfile": "Procfile",
        "process_types": [
            {"name": "web", "command": "puma -p 9292", "line": 2},
            {"name": "worker", "command": "b &", "line": 3},
        ],
        "instances": [
            {"name": "web.1", "type": "web", "number": 1, "port": 7000},
            {"name": "web.2", "type": "web", "number": 2, "port": 7001},
            {"name": "worker.1", "type": "worker", "number": 1, "port": 7100},
        ],
        "env": {"A": None, "PORT": None},
        "problems": [
            {
                "severity": "hint",
                "line": 2,
                "column": 14,
                "message": "web does not use $PORT; it listens on 9292, whatever port it is given",
            },
            {
                "severity": "warning",
                "line": 3,
                "column": 11,
                "message": 'ends in "&", so it will be treated as exited immediately',
            },
        ],
    }


def test_json_of_a_procfile_with_errors_has_no_instances(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nweb: b\n")
    done = Checked(capsys, json=True)
    assert done.code == 1
    assert done.report["ok"] is False
    assert done.report["process_types"] == [{"name": "web", "command": "a $PORT", "line": 1}]
    assert done.report["instances"] == []
    assert [problem["line"] for problem in done.report["problems"]] == [2]


@pytest.mark.parametrize(
    ("settings", "instances"),
    [
        ({}, {"web.1": 5000, "worker.1": 5100}),
        ({"formation": "worker=2"}, {"worker.1": 5100, "worker.2": 5101}),
        ({"port": 8000}, {"web.1": 8000, "worker.1": 8100}),
        ({"port": 0}, {"web.1": None, "worker.1": None}),
        ({"exclude": ("web",)}, {"worker.1": 5100}),
        ({"names": ("worker=2",)}, {"worker.1": 5100, "worker.2": 5101}),
        ({"env": ("b.env",)}, {"web.1": 9000, "worker.1": 9100}),
        ({"port_step": 1}, {"web.1": 5000, "worker.1": 5001}),
    ],
)
def test_json_is_the_dry_run_of_start(
    settings: dict[str, Any], instances: dict[str, int | None], capsys: pytest.CaptureFixture[str]
) -> None:
    write("Procfile", "web: a $PORT\nworker: b\n")
    write("b.env", "PORT=9000\n")
    report = Checked(capsys, json=True, **settings).report
    assert {each["name"]: each["port"] for each in report["instances"]} == instances


REFUSED: list[dict[str, Any]] = [{"formation": "wbe=1"}, {"port": 65536}, {"exclude": ("web",)}]


@pytest.mark.parametrize("settings", REFUSED)
def test_what_start_would_refuse_check_refuses(settings: dict[str, Any]) -> None:
    write("Procfile", "web: a $PORT\n")
    with pytest.raises(UsageError):
        check(Settings(**settings))


@pytest.mark.parametrize("settings", REFUSED)
def test_what_start_would_refuse_is_a_problem_in_json(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    write("Procfile", "web: a $PORT\n")
    done = Checked(capsys, json=True, **settings)
    assert (done.code, done.err, done.report["ok"]) == (2, "", False)
    assert [each["name"] for each in done.report["process_types"]] == ["web"]
    assert [(each["severity"], each["line"]) for each in done.report["problems"]] == [("error", 0)]


@pytest.mark.parametrize("words", [(), ("-p", "http"), ("--target", "nowhere"), ("-f", "Procfile.dev")])
def test_a_check_that_cannot_begin_prints_json_too(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert perform_check("--json", *words) == 2
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["ok"], report["instances"], printed.err) == (False, [], "")
    assert report["problems"][0]["message"]


def test_json_gives_values_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write(".env", 'SECRET_KEY=hunter2\nA="ä\n2"\n')
    assert "hunter2" not in Checked(capsys, json=True, show_env=True).out
    report = Checked(capsys, json=True, show_values=True).report
    assert report["env"] == {"SECRET_KEY": "hunter2", "A": "ä\n2"}


def test_json_names_the_places_of_the_variables_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write(".env", "A=1\nB=2\n")
    assert "env_sources" not in Checked(capsys, json=True).report
    assert Checked(capsys, json=True, show_env=True).report["env_sources"] == {"A": ".env:1", "B": ".env:2"}


def test_show_env_says_where_from_and_masks_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A", "real")
    write("Procfile", "web: a $PORT\n")
    write(".env", "SECRET_KEY=hunter2\nA=1\nURL=postgres://u:hunter2@h/db\n")
    assert Checked(capsys, show_env=True).out.splitlines()[1:] == [
        ".env:1  SECRET_KEY=********",
        ".env:2  A=1  (the environment has a different value)",
        ".env:3  URL=postgres://u:********@h/db",
    ]
    assert "hunter2" in Checked(capsys, show_env=True, show_values=True).out


def test_show_env_says_so_where_the_real_environment_wins(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A", "real")
    write("Procfile", "web: a $PORT\n")
    write(".env", "A=1\nB=2\n")
    assert Checked(capsys, show_env=True, os_env_wins=True).out.splitlines()[1:] == [
        "environment  A=real",
        ".env:2       B=2",
    ]


def test_show_env_without_env_file_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    assert Checked(capsys, show_env=True).out.splitlines()[1:] == ["no env file sets any variable"]


def test_values_cannot_repaint_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write(".env", "A=\x1b[2J\u202e\n")
    assert Checked(capsys, show_env=True, show_values=True).out.splitlines()[1] == ".env:1  A=\\x1b[2J\\u202e"


def test_warnings_of_env_files_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write(".env", "A\nB=1\n")
    done = Checked(capsys, json=True)
    assert done.err == 'warning: .env:1: this line has no "=" and is ignored; write KEY=value\n'
    assert list(done.report["env"]) == ["B"]


def test_show_config_names_every_setting_and_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    origin = {"port": "procman.toml:3", "env": "-e"}
    Path("b.env").touch()
    done = Checked(capsys, origin=origin, port=7000, env=("b.env",), show_config=True)
    rows = {line.split()[0]: line.split() for line in done.out.splitlines()[:-1]}
    assert list(rows) == list(NAMES)
    assert rows["port"] == ["port", "=", "7000", "procman.toml:3"]
    assert rows["env"] == ["env", "=", "b.env", "-e"]
    assert rows["port_step"] == ["port_step", "=", "100", "default"]
    assert rows["os_env_wins"] == ["os_env_wins", "=", "no", "default"]


def test_show_config_is_printed_though_the_procfile_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError):
        check(Settings(show_config=True, procfile="gone"))
    assert capsys.readouterr().out.startswith("procfile         =  gone")


def test_show_config_in_json_is_one_more_key(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    report = Checked(capsys, json=True, show_config=True, port=7000).report
    assert report["config"]["port"] == {"value": 7000, "source": "default"}
    assert list(report["config"]) == list(NAMES)


# mistakes in config files, beside all others --------------------------------------------------------------------------


def perform_check(*words: str) -> int:
    invocation = read(("check", *words))
    assert invocation is not None
    return perform(invocation)


def test_mistakes_in_config_files_are_listed_beside_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nclock\n")
    write(".env", "A\n")
    write("procman.local.toml", "colour = false\n")
    write("procman.toml", "prot = 1\ntimeout = 'soon'\n[process.web]\nredy = true\n")
    write(".foreman", "port: many\n")
    assert perform_check() == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        'Procfile:2:6: error: expected ":" right after "clock"; a process line is `name: command`',
        '.foreman:1: error: port must be a port from 1 to 65535, or 0 for none, not "many"',
        'procman.toml:1: error: unknown setting "prot" (did you mean "port"?)',
        'procman.toml:2: error: timeout must be a duration such as 30, 500ms or 1m30s, not "soon"',
        'procman.local.toml:1: error: unknown setting "colour" (did you mean "color"?)',
        'procman.toml:4: error: unknown key "redy" in [process.web] (did you mean "ready"?)',
    ]
    assert ".env:1: " in err


def test_a_broken_config_file_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nclock\n")
    write("procman.local.toml", "port = = 1\n")
    write("procman.toml", "[process.wbe]\nport = 1\n")
    assert perform_check() == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "procman.local.toml:1:8: error: invalid value (it is not TOML; see https://toml.io)",
        'procman.toml:1: error: Procfile has no process type "wbe" (did you mean "web"?)',
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("env = 'gone.env'", "gone.env: no such file"),
        ("formation = 'wbe=1'", 'Procfile has no process type "wbe" (did you mean "web"?)'),
        ("exclude = ['wbe']", 'Procfile has no process type "wbe" (did you mean "web"?)'),
    ],
)
def test_a_setting_that_does_not_fit_the_files_is_a_problem(
    setting: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("Procfile", "web: a $PORT\n")
    write("procman.toml", f"{setting}\nprot = 1\n")
    assert perform_check() == 1
    assert f"procman.toml:1: error: {message}" in capsys.readouterr().out.splitlines()


def test_a_formation_is_checked_beside_a_wrong_overlay(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write("procman.toml", "formation = 'wbe=1'\n[process.web]\nredy = 1\n")
    assert perform_check() == 1
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "procman.toml:1",
        "procman.toml:3",
    ]


def test_the_mistakes_of_config_files_are_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write("procman.local.toml", "a = = 1\n")
    write("procman.toml", "prot = 1\n")
    assert perform_check("--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert [(p["file"], p["line"], p["column"], p["severity"]) for p in report["problems"]] == [
        ("procman.local.toml", 1, 5, "error"),
        ("procman.toml", 1, 1, "error"),
    ]


def test_what_the_command_line_asks_for_is_refused_after_the_problems(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write("procman.toml", "prot = 1\n")
    for words, message in ((("-m", "wbe=1"), "Procfile has no process"), (("-e", "gone"), "gone: no such file")):
        with pytest.raises(UsageError, match=message):
            perform_check(*words)
        assert 'procman.toml:1: error: unknown setting "prot"' in capsys.readouterr().out


def test_mistakes_are_listed_though_the_procfile_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    write("procman.toml", "prot = 1\n")
    with pytest.raises(ConfigError, match="Procfile: no such file"):
        perform_check()
    assert 'procman.toml:1: error: unknown setting "prot"' in capsys.readouterr().out


def test_what_the_config_file_says_of_the_procfile_is_located(capsys: pytest.CaptureFixture[str]) -> None:
    write("procman.toml", "procfile = 'gone'\n")
    with pytest.raises(ConfigError, match=r"procman.toml:1: gone: no such file"):
        perform_check()
    assert capsys.readouterr().out == ""


# For another target ---------------------------------------------------------------------------------------------------


def test_a_target_says_what_it_cannot_hold(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nworker: b\n")
    write("procman.toml", '[process.worker]\nstop_signal = "QUIT"\ndepends_on = ["web"]\n')
    assert perform_check("--target", "heroku") == 0
    assert capsys.readouterr().out.splitlines() == [
        "warning: not exported to Heroku: dependencies of worker",
        "warning: Heroku stops worker with TERM, not with QUIT",
        "Procfile: ok — 2 process types (web, worker)",
    ]


def test_a_value_that_a_target_refuses_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\n")
    write(".env", "my.name=1\n")
    done = Checked(capsys, target="systemd", json=True)
    assert done.report["limits"] == [
        {
            "severity": "error",
            "message": 'systemd cannot hold a variable called "my.name"; rename it in the env file',
        }
    ]
    assert (done.report["ok"], done.code) == (False, 1)
    write(".env", "my_name=1\n")
    assert Checked(capsys, target="systemd").code == 0


def test_what_every_export_would_say_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nworker: b\n")
    for target in (*BUILT_IN, *NAMES_OF_PLATFORMS):
        done = Checked(capsys, target=target)
        assert [line for line in done.out.splitlines() if "image" in line or "has been" in line] == [], target


def test_an_unknown_target_gets_the_nearest_one() -> None:
    write("Procfile", "web: a $PORT\n")
    with pytest.raises(UsageError, match='unknown target "herku"') as caught:
        check(Settings(target="herku"))
    assert "heroku" in caught.value.hint


def test_an_instance_that_starts_by_hand_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write("Procfile", "web: a $PORT\nlazy: b\n")
    write("procman.toml", "[process.lazy]\nautostart = false\n")
    assert perform_check("--json") == 0
    instances = json.loads(capsys.readouterr().out)["instances"]
    assert [instance.get("autostart", True) for instance in instances] == [True, False]
