"""The workflows of CI and releases call what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_of_a_workflow_exists(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {target for line in lines for target in re.findall(r"\bmake ([a-z]+)", line)} <= TARGETS
    for script in (found for line in lines for found in re.findall(r"\bbash (\S+)", line)):
        assert (ROOT / script).is_file()
    for folder in (found for line in lines for found in re.findall(r"--ignore=(\S+?)[\"\s]", line)):
        assert (ROOT / folder).is_dir()


def test_ci_runs_every_version_of_python_that_the_package_names() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    tested = {
        version for job in jobs.values() for version in job.get("strategy", {}).get("matrix", {}).get("python", ())
    }
    tested |= {step["with"]["python-version"] for job in jobs.values() for step in job["steps"] if "with" in step}
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    named = {found[1] for one in classifiers if (found := re.fullmatch(r".*:: (3\.\d+)", one))}
    assert named <= tested


def test_every_issue_form_is_valid() -> None:
    forms = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert forms
    for path in forms:
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= form.keys()
        assert all(part["type"] in ("textarea", "input", "dropdown", "markdown") for part in form["body"])
