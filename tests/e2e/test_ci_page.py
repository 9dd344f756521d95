"""The workflow of the page about CI works, step by step."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

import harness

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
TESTS = """
import os, urllib.request

def test_the_shop_is_open():
    with urllib.request.urlopen(os.environ["PROCMAN_WEB_URL"], timeout=30) as answer:
        assert answer.status == 200
"""


class Step:
    """One `run` of the workflow, and the condition for it."""

    def __init__(self, command: str, condition: str) -> None:
        self.command = command
        self.condition = condition


def steps() -> list[Step]:
    (workflow,) = re.findall(r"```yaml\n(name: tests\n.*?)```", PAGE.read_text(), re.DOTALL)
    found = re.findall(r"- run: (.*)\n(?: +if: (.*)\n)?", workflow)
    return [Step(command.partition("  #")[0], condition) for command, condition in found]


class Job:
    """Runs the steps as a runner does: each in a shell of its own, whose process group is killed after it."""

    def __init__(self, place: harness.Place) -> None:
        self.place = place
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = os.path.dirname(harness.PROCMAN)
        changes = {
            "PROCMAN_PORT": str(port),
            "PATH": f"{folder}:{os.environ['PATH']}",
            "XDG_STATE_HOME": f"{place.folder}/s",
        }
        self.env = harness.environment({**changes, "PYTEST_ADDOPTS": "-p no:cacheprovider"})
        self.codes: dict[str, int] = {}
        self.out = ""

    def run(self) -> None:
        failed = False
        for step in steps():
            if step.command.startswith("pip install"):
                continue
            if step.condition in ("always()", "failure()" if failed else "", "" if not failed else "always()"):
                failed = self._perform(step.command) != 0 or failed

    def _perform(self, command: str) -> int:
        log = self.place.folder / "log"
        with log.open("ab") as out:
            shell = subprocess.Popen(
                ["bash", "-e", "-c", command],
                cwd=self.place.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            self.codes[command] = shell.wait(timeout=harness.LIMIT)
        try:
            os.killpg(shell.pid, 9)
        except ProcessLookupError:
            pass
        self.out = log.read_text(errors="replace")
        return self.codes[command]


@pytest.fixture
def job(place: harness.Place) -> Job:
    place.write("test_shop.py", TESTS)
    place.write("procman.toml", '[process.web]\nready = { http = "/" }\n')
    return Job(place)


def test_the_workflow_succeeds(job: Job) -> None:
    job.place.procfile("web: python3 -m http.server --bind 127.0.0.1 $PORT\n")
    job.run()
    assert list(job.codes.values()) == [0, 0, 0], job.out
    assert "1 passed" in job.out
    assert not any(command.startswith("procman logs") for command in job.codes)


def test_it_shows_what_failed_and_stops_all(job: Job) -> None:
    job.place.procfile("web: echo no database; exit 3\n")
    job.run()
    assert job.codes.pop("procman up --timeout 120") == 3, job.out
    assert list(job.codes.values()) == [0, 0], job.out
    assert not any("pytest" in command for command in job.codes)
    assert job.out.count("no database") >= 2  # by up, and by logs
