"""The guides work: every command of them is run, one after the other, in an empty folder.

In a page, a comment before a block says what is special about it: `file: NAME` writes the block to a file,
`not run: WHY` leaves its commands out, and `before: COMMAND` is run before the block.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE = tomllib.loads((DOCS / "site/zensical.toml").read_text())["project"]
(GUIDES,) = (
    [Path(page).stem for entry in part for page in entry.values()]
    for row in SITE["nav"]
    for name, part in row.items()
    if name == "Guides"
)
BLOCK = re.compile(r"((?:^<!-- .*? -->\n)*)^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"<!-- (file|not run|before): (.*?) -->")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
INSTALLS = ("pip install", "npm install")  # they need a network
NEEDS = {"django": ("redis-server",), "node": ("npm",)}
LIMIT = 180.0  # seconds for one command; some of them install packages
LIFETIME = "2s"  # of a session in the foreground, which a reader would end by Ctrl-C


class Step:
    """A command of a guide, or a file that it shows."""

    def __init__(self, text: str, file: str = "") -> None:
        self.text = text
        self.file = file


def steps(page: str) -> Iterator[Step]:
    """Yield what a reader of the page does."""
    for comments, language, body in BLOCK.findall((DOCS / f"{page}.md").read_text()):
        notes = dict(NOTE.findall(comments))
        if "before" in notes:
            yield Step(notes["before"])
        if "file" in notes:
            yield Step(body, notes["file"])
        elif language == "console" and "not run" not in notes:
            yield from map(Step, COMMAND.findall(body))


class Reader:
    """Follows a guide in a folder, each command in a shell of its own; `cd` lasts."""

    def __init__(self, place: harness.Place) -> None:
        self.folder = place.folder
        self.pwd = place.folder / ".pwd"
        changes = {
            "PATH": f"{Path(harness.PROCMAN).parent}:{os.environ['PATH']}",
            "PROCMAN_ISOLATED": "1",  # ports that are free
            "XDG_STATE_HOME": f"{place.folder}/.state",
            "npm_config_update_notifier": "false",
        }
        self.env = harness.environment({**changes, "VIRTUAL_ENV": None})

    def follow(self, step: Step) -> None:
        """Write the file, or run the command, which has to succeed."""
        if step.file:
            path = self.folder / step.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text)
            return
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{step.text}\npwd >{self.pwd}"],
            cwd=self.folder,
            env={**self.env, **self._lifetime(step)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode and any(word in step.text for word in INSTALLS):
            pytest.skip(f"no network: {step.text}")
        assert done.returncode == 0, f"$ {step.text}\n{done.stdout}{done.stderr}"
        self.folder = Path(self.pwd.read_text().strip())

    @staticmethod
    def _lifetime(step: Step) -> dict[str, str]:
        return {"PROCMAN_FOR": LIFETIME} if step.text.startswith("procman start") else {}


@pytest.fixture
def reader(place: harness.Place) -> Iterator[Reader]:
    reader = Reader(place)
    yield reader
    subprocess.run([harness.PROCMAN, "down"], cwd=reader.folder, env=reader.env, capture_output=True, check=False)


@pytest.mark.parametrize("page", GUIDES)
def test_every_command_of_a_guide_works(page: str, reader: Reader) -> None:
    for program in NEEDS.get(page, ()):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if page == "node" and _version_of_node() < (20, 19):
        pytest.skip("Vite needs a newer Node")
    for step in steps(page):
        reader.follow(step)


def _version_of_node() -> tuple[int, ...]:
    text = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in text.strip().lstrip("v").split("."))


def test_what_is_not_run_says_why() -> None:
    skipped = {
        (page, why)
        for page in GUIDES
        for kind, why in NOTE.findall((DOCS / f"{page}.md").read_text())
        if kind == "not run"
    }
    assert skipped
    assert all(len(why) > 4 for _, why in skipped)
