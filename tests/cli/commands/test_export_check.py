"""``procman export --check``: which validators run, on what, and what they say."""

from __future__ import annotations

import os

import pytest

from export.plans import plan_of
from procman.cli.commands.export_check import ValidatorError, check
from procman.export.file import ExportFile
from procman.export.options import ExportOptions
from procman.export.registry import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

LINES = "web: ./serve\nonce: ./import\nrelease: ./migrate\n"


class Programs:
    """Programs on PATH that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        folder.mkdir()

    def add(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.log}\n{body}\n')
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    found = Programs(tmp_path / "bin")
    for tool in ("sh", "cat", "grep"):
        os.symlink(
            next(f"{place}/{tool}" for place in ("/bin", "/usr/bin") if os.path.exists(f"{place}/{tool}")),
            found.folder / tool,
        )
    monkeypatch.setenv("PATH", str(found.folder))
    return found


def files(format_name: str, lines: str = LINES) -> list[ExportFile]:
    overlay = {"once": {"restart": _never()}}
    rendered = find(format_name)(plan_of(lines, overlay, TOKEN="s3cr3t"), ExportOptions(app="app", image="app:1"))
    return [item for item in rendered if isinstance(item, ExportFile)]


def _never() -> object:
    from procman.core.model.plan import RestartPolicy

    return RestartPolicy("never")


def test_without_a_validator_there_is_a_warning(programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    check("compose", files("compose"), user_units=False)
    assert capsys.readouterr().err == "warning: no validator for compose is installed\n"


def test_a_docker_without_the_plug_in_of_compose_is_no_validator(
    programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.add("docker", 'echo "unknown command: docker $1" >&2; exit 1')
    check("compose", files("compose"), user_units=False)
    assert programs.calls == ["docker compose version", "docker stack config --help"]
    assert "no validator for compose" in capsys.readouterr().err


def test_compose_yaml_is_read_by_compose_and_by_swarm(programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    programs.add("docker", 'case $* in *--help) echo "Usage:  docker stack config [OPTIONS]" ;; esac')
    check("compose", files("compose"), user_units=False)
    assert programs.calls[2:] == ["docker compose config -q", "docker stack config -c compose.yaml"]
    said = capsys.readouterr().err
    assert said == "docker compose config: no problems found\ndocker stack config: no problems found\n"


def test_what_only_swarm_refuses_is_found(programs: Programs) -> None:
    programs.add("docker-compose", "")
    programs.add("docker", 'case $* in *--help) echo "docker stack config" ;; *) echo no >&2; exit 1 ;; esac')
    with pytest.raises(ValidatorError, match="docker stack config reports"):
        check("compose", files("compose"), user_units=False)
    assert "docker-compose config -q" in programs.calls


def test_each_job_of_nomad_is_validated(programs: Programs) -> None:
    programs.add("nomad", "")
    check("nomad", files("nomad"), user_units=False)
    names = ["app.nomad.hcl", "app-once.nomad.hcl", "app-release.nomad.hcl"]
    assert programs.calls == [f"nomad job validate {name}" for name in names]


def test_every_manifest_is_validated(programs: Programs) -> None:
    programs.add("kubeconform", "")
    check("kubernetes", files("kubernetes"), user_units=False)
    (call,) = programs.calls
    assert set(call.split()[2:]) == {"./app.yaml", "./app-config.yaml", "./app-secret.yaml", "./app-release/job.yaml"}


@pytest.mark.parametrize("format_name", ["supervisord", "runit", "s6"])
def test_environment_files_are_scripts_too(format_name: str, programs: Programs) -> None:
    broken = [
        ExportFile(file.path, f"{file.content}echo 'open\n", file.mode) if file.path.endswith("env") else file
        for file in files(format_name)
    ]
    check(format_name, files(format_name), user_units=False)
    with pytest.raises(ValidatorError, match="sh -n reports"):
        check(format_name, broken, user_units=False)
