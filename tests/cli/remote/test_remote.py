"""The commands at a destination: which engine they reach, what they print, and what they refuse."""

from __future__ import annotations

import io
import json
import sys

import pytest

from engines.driver import Driver, said
from engines.scripted import BROKEN, STARTING, UP, Scripted
from procman.cli.main import main
from procman.cli.remote import remote_target
from procman.engines.calls import Card, Report
from procman.engines.interface import EngineError
from procman.engines.records import Deployed, LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from procman.engines.calls import Call, Outcome, Step

    T = TypeVar("T")


class Shown(Driver):
    """A driver that also shows what it is given, as the runner does."""

    def __init__(self, show: Callable[[Step], None], answer: Callable[[Call], Outcome | BaseException]) -> None:
        super().__init__(answer)
        self._show = show

    def _answer(self, step: Step) -> tuple[object, BaseException | None]:
        if isinstance(step, Report | Card | LogLine):
            self._show(step)
        return super()._answer(step)


class Project:
    """A folder with destinations of an engine that only notes what it is told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.drivers: list[Shown] = []
        self.engines: list[Scripted] = []
        self.answer: Callable[[Call], Outcome | BaseException] = lambda call: said()
        self.looks = [UP]
        self.before: Deployed | None = Deployed("1", {"web": 2, "worker": 0})
        (folder / "Procfile").write_text("web: serve\nworker: work\n")
        self.write('[on.production]\nengine = "script"\nimage = "shop:{version}"\nversion = "2"\n', folder)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(remote_target, "find", lambda name: self._engine)
        monkeypatch.setattr(remote_target, "Runner", self._runner)

    @staticmethod
    def write(text: str, folder: Path) -> None:
        (folder / "procman.toml").write_text(text)
        (folder / "procman.toml").chmod(0o600)

    def _engine(self, target: object) -> Scripted:
        engine = Scripted(target)  # type: ignore[arg-type]
        engine.looks, engine.before = list(self.looks), self.before
        self.engines.append(engine)
        return engine

    def _runner(self, show: Callable[[Step], None]) -> Shown:
        self.drivers.append(Shown(show, self.answer))
        return self.drivers[-1]

    @property
    def commands(self) -> list[str]:
        return [command for driver in self.drivers for command in driver.commands]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


def test_deploy_goes_to_the_only_destination(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy"]) == 0
    out, err = capfd.readouterr()
    assert out == "production: 2 is deployed (was 1): web 1\n"
    assert err == "web.1 is running on a (2)\n"
    assert "apply 2" in project.commands


@pytest.mark.parametrize("words", [("scale", "web=3"), ("restart",), ("stop", "web"), ("start",)], ids=str)
def test_what_changes_a_destination_has_its_lock_meanwhile(project: Project, words: tuple[str, ...]) -> None:
    assert main([*words, "--on", "production"]) == 0
    names = [command.partition(" ")[0] for command in project.commands]
    assert names.index("lock") < names.index(words[0]) < names.index("unlock") == len(names) - 1
    project.drivers.clear()
    project.answer = lambda call: said("", 1, "ann@laptop is changing shop\n") if call.argv[0] == "lock" else said()
    assert main([*words, "--on", "production"]) == 1
    assert words[0] not in {command.partition(" ")[0] for command in project.commands}


@pytest.mark.parametrize("verb", ["restart", "stop", "start"])
def test_an_engine_gets_the_types_that_a_pattern_means(project: Project, verb: str) -> None:
    assert main([verb, "w*", "--on", "production"]) == 0
    assert f"{verb} web worker" in project.commands


def test_an_engine_gets_the_instances_that_a_pattern_with_a_dot_means(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scripted, "refuses", {})
    assert main(["restart", "*.2", "--on", "production"]) == 0
    assert "restart web.2" in project.commands


def test_deploy_prints_one_object(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--on", "production", "--version", "3", "--json"]) == 0
    out, err = capfd.readouterr()
    answer = json.loads(out)
    assert (answer["ok"], answer["version"], answer["before"], answer["image"]) == (True, "3", "1", "shop:3")
    assert [one["name"] for one in answer["instances"]] == ["web.1"]
    assert answer["said"] == ["web.1 is running on a (2)"]
    assert err == ""


def test_an_image_is_refused_where_none_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Scripted, "refuses", {"image": "it runs code"})
    assert main(["deploy", "--image", "shop:3"]) == 126
    assert "--image is not possible on script: it runs code" in capfd.readouterr().err
    assert project.commands == []
    assert main(["deploy"]) == 0


def test_a_dry_run_prints_the_difference(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--dry-run"]) == 0
    assert capfd.readouterr().out == "-1\n+2\n"
    assert "apply 2" not in project.commands


def test_a_failure_has_a_card_and_a_sentence(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.looks = [STARTING, BROKEN, UP]
    project.answer = lambda call: said("no table\n") if call.argv[0] == "last" else said()
    assert main(["deploy"]) == 1
    err = capfd.readouterr().err
    assert "web.1 FAILED: is failed\nits last line:\n  no table\n" in err
    assert err.endswith("procman: web.1 did not come up; 1 runs again\n")


def test_several_destinations_without_a_default(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project.write('[on.a]\nengine = "x"\n[on.b]\nengine = "x"\n', tmp_path)
    assert main(["deploy"]) == 2
    assert "choose one of a, b with --on" in capfd.readouterr().err
    assert main(["ps", "--on", "c"]) == 2
    assert 'unknown destination "c"' in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "command", "out"),
    [
        (("scale", "web=3", "worker+2"), "scale web=3 worker=2", "scaled: web=3, worker=2\n"),
        (("scale", "web-1"), "scale web=1", "scaled: web=1\n"),
        (("restart", "web"), "restart web", "restarted: web\n"),
        (("restart",), "restart", "restarted: all\n"),
        (("stop", "web"), "stop web", "stopped: web\n"),
        (("start", "web"), "start web", "started: web\n"),
        (("down",), "down", "is removed from production\n"),
        (("why",), "why", "web.1: it is up\n"),
        (("run", "web", "--all", "a b"), "run serve --all 'a b'", ""),
        (("run", "--", "web"), "run web", ""),
    ],
    ids=str,
)
def test_a_command_reaches_the_engine(
    project: Project, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], command: str, out: str
) -> None:
    assert main([words[0], "--on", "production", *words[1:]]) == 0
    assert command in project.commands
    assert capfd.readouterr().out.endswith(out)


def test_a_variable_names_the_destination(
    project: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCMAN_ON", "production")
    assert main(["ps", "web"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "NODE", "VERSION", "UP", "RESTARTS", "PORT", "LAST", "EXIT"]
    assert lines[1].split() == ["web.1", "running", "a", "2", "-", "-", "-", "-"]
    assert main(["pause", "web"]) == 2
    assert "pause is not possible at a destination, and PROCMAN_ON is production" in capfd.readouterr().err
    assert main(["check"]) in (0, 1), "what is about files stays here"


def test_ps_prints_records(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", "--on", "production", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)["instances"]
    assert {key: row[key] for key in ("name", "type", "number", "state", "node", "version")} == {
        "name": "web.1",
        "type": "web",
        "number": 1,
        "state": "running",
        "node": "a",
        "version": "2",
    }


def test_logs_have_the_form_of_the_local_ones(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "--on", "production"]) == 0
    assert capfd.readouterr().out.endswith(" web.1    | hello\n")
    assert main(["logs", "--on", "production", "--json"]) == 0
    record = json.loads(capfd.readouterr().out)
    assert (record["instance"], record["line"], record["node"]) == ("web.1", "hello", "a")
    assert main(["logs", "--on", "production", "--grep", "bye"]) == 1
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_what_does_not_happen_there_is_said_once(
    project: Project, capfd: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    with (project_folder() / "procman.toml").open("a") as overlay:
        overlay.write('[on]\nfailed = "page"\nended = "log"\n')
    assert main(["deploy", "--on", "production", "--version", "odd", *words]) == 0
    err = capfd.readouterr().err
    said = "warning: not exported: commands for events in [on]: failed, ended; only a session runs them\n"
    assert (err.count(said), err.count("warning: odd is a release of a script\n"), err.count("warning: ")) == (1, 1, 2)


def test_logs_that_are_followed_end_with_an_object(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "-f", "--on", "production", "--json"]) == 0
    *_, last = capfd.readouterr().out.splitlines()
    assert json.loads(last) == {"destination": "production", "state": "removed", "words": "shop has been removed"}


def test_live_lines_that_match_are_shown_as_they_come(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    shown: list[str] = []

    def look(call: Call) -> Outcome:
        if call.argv == ("logs",):
            shown.append(capfd.readouterr().out)
        return said()

    project.answer = look
    assert main(["logs", "--on", "production", "--follow", "--grep", "hello"]) == 0
    assert [text.endswith(" web.1    | hello\n") for text in shown] == [True]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        (("scale", "wbe=2"), 'there is no process "wbe" at production', 2),
        (("scale", "w*=2"), 'there is no process "w*" at production', 2),
        (("stop", "x*"), 'there is no process "x*" at production', 2),
        (("scale",), "missing process type and count", 2),
        (("restart", "web.1"), "naming single instances is not possible on script: it is a script", 126),
        (("ps", "mail"), 'there is no process "mail" at production', 2),
        (("down", "web"), "down removes everything at a destination", 2),
        (("ps", "--all"), "--all and --on contradict each other", 2),
        (("start", "-p", "80"), "--port is for the processes here", 2),
        (("pause",), "procman pause is not possible at a destination", 2),
    ],
    ids=str,
)
def test_what_is_refused(
    project: Project, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str, code: int
) -> None:
    project.write('[on.production]\nengine = "script"\n', project_folder())
    assert main([words[0], "--on", "production", *words[1:]]) == code
    assert sentence in capfd.readouterr().err


def project_folder() -> Path:
    from pathlib import Path

    return Path.cwd()


def test_nothing_is_deployed(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.before = None
    assert main(["scale", "--on", "production", "web=2"]) == 1
    assert "is not deployed to production" in capfd.readouterr().err


def test_an_error_is_an_object_with_json(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.answer = lambda call: EngineError("the engine sleeps", "wake it") if call.argv[0] == "instances" else said()
    assert main(["ps", "--on", "production", "--json"]) == 1
    answer = json.loads(capfd.readouterr().out)
    assert answer == {"ok": False, "error": "the engine sleeps", "hint": "wake it", "code": 1}


def test_start_prints_json_like_the_others_at_a_destination(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["start", "--on", "production", "--json", "web"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["ok"], answer["destination"]) == (True, "production")
    assert "start web" in project.commands
    assert main(["start", "--json", "--on", "elsewhere"]) == 2
    assert json.loads(capfd.readouterr().out)["error"] == 'unknown destination "elsewhere"'


def test_counts_are_kept_of_what_the_last_deployment_did_not_start(project: Project) -> None:
    project.before = Deployed("1", {"worker": 1}, has_run=False, asked={"web": 3, "worker": 4, "gone": 2})
    assert main(["deploy"]) == 0
    assert "look web=3 worker=1" in project.commands


def test_counts_are_kept_unless_they_are_given(project: Project, tmp_path: Path) -> None:
    assert main(["deploy"]) == 0
    assert "look web=2 worker=0" in project.commands
    assert main(["deploy", "-m", "web=1,worker=3"]) == 0
    assert "look web=1 worker=3" in project.commands
    project.write('[on.production]\nengine = "script"\nformation = "worker=1"\n', tmp_path)
    assert main(["deploy"]) == 0
    assert "look web=0 worker=1" in project.commands


def test_no_env_file_is_shipped_wherever_it_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".env", "given.env", "real.env", "own.env"):
        (tmp_path / name).write_text("KEY=secret\n")
    (tmp_path / "live.env").symlink_to("real.env")
    project.write(
        '[on.production]\nengine = "script"\nenv_file = "live.env"\n[on.staging]\nengine = "script"\n'
        'env_file = "staging.env"\n[process.web]\nenv_file = "own.env"\n',
        tmp_path,
    )
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["deploy", "--on=production", "-f", "../Procfile"]) == 0
    assert set(project.engines[-1].secret_files) == {".env", "live.env", "real.env", "staging.env", "own.env"}
    assert main(["deploy", "--on=production", "-f", "../Procfile", "-e", "../given.env"]) == 0
    assert "given.env" in project.engines[-1].secret_files


def test_a_deployment_is_completed_although_no_one_reads_its_progress(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    assert main(["deploy", "--on=production"]) == 0
    assert "prune" in project.commands


def test_an_empty_name_is_not_a_destination(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ps", "--on="]) == 2
    assert 'unknown destination ""' in capfd.readouterr().err


def test_check_reports_mistakes_in_destinations(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project.write('[on.production]\nengine = "swram"\nimgae = "x"\n', tmp_path)
    assert main(["check"]) == 1
    out = capfd.readouterr().out
    assert 'procman.toml:3: error: unknown key "imgae" in [on.production] (did you mean "image"?)' in out
    assert 'procman.toml:1: error: unknown engine "swram" (did you mean "swarm"?)' in out
