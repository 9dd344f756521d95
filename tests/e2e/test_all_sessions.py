"""``ps --all`` and ``stop --all``: the sessions of all folders, without those of the machine that runs the tests."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# procman with a folder of its own for the sockets of all terminals: others must not see these sessions, nor end with
# them.
CODE = """
import os, sys
from procman.runtime.control import endpoint
endpoint._shared_folder = lambda user: os.environ["TEST_FOLDER"]
endpoint._belongs_to = lambda folder, user: False
from procman.cli.main import main
sys.exit(main())
"""


class World:
    """A folder for sockets, and applications whose sessions listen there."""

    def __init__(self, place: harness.Place, sockets: str) -> None:
        self.place = place
        self.env = {"TEST_FOLDER": f"{sockets}/procman", "XDG_RUNTIME_DIR": None}

    def call(self, *words: str, folder: str = ".") -> harness.Session:
        """Run a command to its end; what it leaves in the background ends with the test."""
        cwd = self.place.folder / folder
        session = harness.Session("-c", CODE, *words, cwd=cwd, env=self.env, program=sys.executable)
        self.place.sessions.append(session)
        session.wait()
        return session

    def up(self, folder: str, procfile: str, *words: str) -> harness.Session:
        self.place.write(f"{folder}/Procfile", procfile)
        session = self.call("up", *words, folder=folder)
        assert session.process.returncode == 0, session
        return session


@pytest.fixture
def world(place: harness.Place) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="procman-all-", dir="/tmp") as folder:
        yield World(place, folder)


def test_without_any_session_there_is_nothing_to_do(world: World) -> None:
    for command in ("ps", "stop"):
        done = world.call(command, "--all")
        assert (done.process.returncode, done.text) == (0, "")
        assert "no session is running" in done.err.decode()
    assert json.loads(world.call("ps", "--all", "--json").text) == {"sessions": []}


def test_all_are_listed_and_all_are_stopped(world: World) -> None:
    bakery = world.up("bakery", "web: echo $PORT; exec sleep 1000\ndb: sleep 1000\n", "-p", "7300")
    shop = world.up("shop", "worker: sleep 1000\n")
    listed = world.call("ps", "--all")
    assert listed.process.returncode == 0
    title, first, second = [line.split() for line in listed.text.splitlines()]
    assert title == ["FOLDER", "PID", "AGE", "PROCESSES", "PORTS"]
    assert (first[0], first[-4:]) == (str(world.place.folder / "bakery"), ["2", "of", "2", "7300"])
    assert (second[0], second[-4:]) == (str(world.place.folder / "shop"), ["1", "of", "1", "-"])
    row = json.loads(world.call("ps", "--all", "--json").text)["sessions"][0]
    assert (row["running"], row["processes"], row["ports"], row["failed"]) == (2, 2, [7300], [])
    assert row["pid"] == int(first[1])
    stopped = world.call("stop", "--all")
    assert stopped.process.returncode == 0
    assert stopped.text.count("has ended") == 2
    bakery.wait_until_gone()
    shop.wait_until_gone()
    left = os.listdir(world.env["TEST_FOLDER"] or "")
    assert [name for name in left if not name.startswith("ports-")] == []  # that file only holds locks


def test_a_folder_with_line_breaks_is_one_line(world: World) -> None:
    odd = world.up("two\nlines", "web: sleep 1000\n")
    assert "two\\nlines" in world.call("ps", "--all").text
    stopped = world.call("stop", "--all").text
    assert (stopped.count("\n"), "two\\nlines/Procfile has ended" in stopped) == (1, True)
    odd.wait_until_gone()


def test_the_ports_of_what_listens_are_shown(world: World) -> None:
    world.place.write("shop/server.py", harness.LISTENER)
    world.place.write("shop/procman.toml", "process.web.ready = { log = 'listening' }\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:  # its neighbor is free
        words = ("-p", str(taken.getsockname()[1]), "--port-conflict", "bump")
        shop = world.up("shop", f"web: exec {sys.executable} server.py\n", *words)
    assert len(json.loads(world.call("ps", "--all", "--json").text)["sessions"][0]["ports"]) == 1
    assert world.call("stop", "--all").process.returncode == 0
    shop.wait_until_gone()


def test_a_stale_socket_and_a_stranger_are_no_obstacle(world: World) -> None:
    shop = world.up("shop", "worker: sleep 1000\n")
    folder = Path(world.env["TEST_FOLDER"] or "")
    (folder / "0000.sock").write_text("not a socket")
    (folder / "0001.sock").symlink_to("nowhere")
    assert "shop" in world.call("ps", "--all").text
    record = json.loads(world.call("stop", "--all", "--json").text)
    assert (record["ok"], len(record["stopped"])) == (True, 1)
    shop.wait_until_gone()


@pytest.mark.parametrize(
    "words", [("ps", "--all", "web"), ("ps", "--all", "--watch"), ("stop", "--all", "-f", "Procfile")], ids=" ".join
)
def test_all_goes_with_no_choice_of_one(world: World, words: tuple[str, ...]) -> None:
    done = world.call(*words)
    assert (done.process.returncode, "--all means every session" in done.err.decode()) == (2, True)
