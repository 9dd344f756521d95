"""The files of packaging/: the shell steps of the action, the formula, the feature, and the hook of pre-commit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import harness

ROOT = Path(__file__).parents[1]
PACKAGING = ROOT / "packaging"
FILES = sorted(
    path
    for path in PACKAGING.rglob("*")
    if path.is_file() and "__pycache__" not in path.parts  # of the build's hook
)
LIMIT = 300.0  # seconds; the hook installs packages
ACTION = yaml.safe_load((PACKAGING / "github-action/action.yml").read_text())


class Runner:
    """Runs the steps of the action as GitHub's runner does: each in a bash that ends at the first error."""

    def __init__(self, place: harness.Place) -> None:
        self.place = place
        # The package is here already: the step that installs it only has to say which one.
        place.write("bin/pipx", '#!/bin/sh\necho "pipx $*" >>"$PIPX_LOG"\n', 0o700)
        self.output = place.write("output", "")
        self.log = place.folder / "pipx.log"

    def run(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run all steps with these inputs; return what the last one did."""
        values = {name: inputs.get(name.replace("-", "_"), row["default"]) for name, row in ACTION["inputs"].items()}
        done: subprocess.CompletedProcess[str] | None = None
        for step in ACTION["runs"]["steps"]:
            assert step["shell"] == "bash"
            own = {key: _filled(text, values) for key, text in step["env"].items()}
            folder = self.place.folder / _filled(step.get("working-directory", "."), values)
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=folder,
                env=self._environment(own),
                capture_output=True,
                text=True,
                timeout=harness.LIMIT,
                check=False,
            )
            if done.returncode:
                break
        assert done is not None
        return done

    def _environment(self, own: dict[str, str]) -> dict[str, str]:
        path = f"{self.place.folder / 'bin'}:{Path(harness.PROCMAN).parent}:{os.environ['PATH']}"
        changes = {"PATH": path, "GITHUB_OUTPUT": str(self.output), "PIPX_LOG": str(self.log), "CI": "true"}
        return harness.environment({**changes, **own})


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{{ inputs.{name} }}}}", value)
    assert "${{" not in text
    return text


def test_the_action_starts_what_is_named_and_returns_where_it_is(place: harness.Place) -> None:
    place.write("shop/Procfile", "web: echo up; exec sleep 1000\nother: exec sleep 1000\n")
    runner = Runner(place)
    try:
        done = runner.run(package="procman-cli==1.0", working_directory="shop", names="web", arguments="--no-port")
        assert done.returncode == 0, done.stderr
        assert runner.log.read_text() == "pipx install --quiet procman-cli==1.0\n"
        name, _, answer = runner.output.read_text().partition("=")
        assert name == "json"
        assert [row["name"] for row in json.loads(answer)["instances"]] == ["web.1"]
    finally:
        harness.call("down", cwd=place.folder / "shop")


def test_the_action_prints_the_logs_of_what_fails_and_leaves_nothing(place: harness.Place) -> None:
    place.procfile("web: echo the last words; exit 3\n")
    done = Runner(place).run(arguments="--no-port --restart never")
    assert done.returncode == 3
    assert "::group::procman logs" in done.stdout
    assert "| the last words" in done.stdout
    assert done.stdout.endswith("::error::procman up: exit status 3\n")
    assert place.call("ps").code == 1


def test_the_formula_is_ruby(tmp_path: Path) -> None:
    words = [str(PACKAGING / "homebrew/formula"), "https://example.org", "https://example.org/procman.tar.gz", "0" * 64]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert text.startswith("class Procman < Formula\n")
    assert "@" not in text.replace("python@", "")
    if shutil.which("ruby") is None:
        pytest.skip("ruby is not installed")
    assert subprocess.run(["ruby", "-c"], input=text, text=True, capture_output=True, check=False).returncode == 0


def test_the_formula_has_its_addresses_as_they_are() -> None:
    words = [str(PACKAGING / "homebrew/formula"), "https://example.org/?a=1&b", "https://example.org/x|y\\1", "0" * 64]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert 'homepage "https://example.org/?a=1&b"' in text
    assert 'url "https://example.org/x|y\\1"' in text


def test_scripts_that_make_folders_remove_them_at_an_interrupt_too() -> None:
    made = [path for path in FILES if "$(mktemp" in path.read_text()]
    assert len(made) >= 4
    assert [path for path in made if "trap 'exit 130' HUP INT TERM" not in path.read_text()] == []


def test_the_feature_passes_its_options_to_its_script() -> None:
    folder = PACKAGING / "devcontainer/src/procman"
    feature = json.loads((folder / "devcontainer-feature.json").read_text())
    assert feature["id"] == folder.name
    script = (folder / "install.sh").read_text()
    for option, row in feature["options"].items():  # each is a variable in upper case
        assert f"${{{option.upper()}:-{row['default']}}}" in script


@pytest.mark.parametrize("script", [path for path in FILES if os.access(path, os.X_OK)], ids=str)
def test_every_script_is_sound(script: Path) -> None:
    text = script.read_text()
    if text.startswith("#!/usr/bin/python3"):
        compile(text, str(script), "exec")
    else:
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


def test_every_file_is_named_in_the_table() -> None:
    table = (PACKAGING / "README.md").read_text()
    folders = {path.relative_to(PACKAGING).parts[0] for path in FILES if path.parent != PACKAGING}
    assert folders
    assert [name for name in folders if f"packaging/{name}" not in table] == []


def test_pre_commit_runs_the_hook(place: harness.Place, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("pre-commit")
    if not program.exists():
        pytest.skip("pre-commit is not installed (PyPI)")
    env = harness.environment({"PRE_COMMIT_HOME": str(tmp_path / "home"), "SKIP": None})

    def call(*words: str | Path, expected: int = 0) -> str:
        done = subprocess.run(
            [*map(str, words)], cwd=place.folder, env=env, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        if done.returncode == 3 and "pip" in done.stdout:  # it could not set up the hook
            pytest.skip(f"no network: {done.stdout[-300:]}")
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    place.procfile("web: true\nweb: true\n")
    call("git", "init", "--quiet")
    call("git", "add", "Procfile")
    trying = (program, "try-repo", ROOT, "procman-check", "--all-files")
    assert 'Procfile:2:1: error: "web"' in call(*trying, expected=1)
    place.procfile("web: true\n")
    call("git", "add", "Procfile")
    assert "Passed" in call(*trying)


@pytest.mark.parametrize(
    ("server", "documentation"),
    [("https://github.com", "https://an-org.github.io/Proc"), ("https://git.example", None)],
)
def test_a_package_names_the_repository_that_releases_it(
    monkeypatch: pytest.MonkeyPatch, server: str, documentation: str | None
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", server)
    monkeypatch.setenv("GITHUB_REPOSITORY", "An-Org/Proc")
    source = f"{server}/An-Org/Proc"
    pages = {"Documentation": f"{documentation}/"} if documentation else {}
    assert _metadata().urls == {
        "Homepage": source,
        **pages,
        "Source": source,
        "Changelog": f"{source}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{source}/issues",
    }
    assert (ROOT / "CHANGELOG.md").is_file()


def test_a_package_built_elsewhere_has_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert _metadata().urls == {}


def test_the_image_is_built_with_what_the_build_reads() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())
    read = {build["tool"]["hatch"]["metadata"]["hooks"]["custom"]["path"], build["project"]["readme"]}
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (PACKAGING / "container/Dockerfile").read_text(), re.MULTILINE)
    assert read <= set(" ".join(copied).split())


def _metadata() -> Any:
    """What the build tells PyPI of this package."""
    metadata = pytest.importorskip("hatchling.metadata.core", reason="hatchling is not installed (PyPI)")
    plugins = pytest.importorskip("hatchling.plugin.manager")
    return metadata.ProjectMetadata(str(ROOT), plugins.PluginManager()).core
