"""procman closes what it opens: with ResourceWarning switched on, no command prints one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness

WARN = {"PYTHONWARNINGS": "always::ResourceWarning"}
PROCFILE = "web: echo up; exec sleep 1000\nonce: echo done\n"
OVERLAY = "[process.once]\nrestart = 'never'\n[process.web]\nready = { log = 'up' }\ndepends_on = ['once']\n"


@pytest.fixture
def shop(place: harness.Place) -> harness.Place:
    place.procfile(PROCFILE)
    place.write(".env", "A=1\nB=${A}\n")
    place.write("procman.toml", OVERLAY.replace("depends_on = ['once']", "depends_on = { once = 'completed' }"))
    return place


def test_the_switch_works() -> None:
    code = "open('/dev/null')"
    done = subprocess.run([sys.executable, "-c", code], env=harness.environment(WARN), capture_output=True, check=True)
    assert b"ResourceWarning" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "--json", "--show-env"),
        ("export", "systemd", "-o", "out"),
        ("export", "compose", "-o", "-", "-i", "x"),
        ("run", "once"),
        ("run", "--env-interpolate", "--", "sh", "-c", "echo $B"),
        ("env", "web"),
        ("start", "--no-port", "--for", "2s"),
        ("start", "--no-port", "once", "--format", "json"),
        ("test", "--", "true"),
        ("help", "overlay"),
        ("completion", "bash"),
        ("init",),
        ("agents",),
        ("ps", "--all"),
        ("sessions",),
        ("prune",),
    ],
    ids=" ".join,
)
def test_a_command_leaves_nothing_open(shop: harness.Place, words: tuple[str, ...]) -> None:
    done = shop.call(*words, env=WARN)
    assert "ResourceWarning" not in done.err + done.out


def test_a_session_and_its_clients_leave_nothing_open(shop: harness.Place) -> None:
    said = ""
    for words in (
        ("up", "--no-port"),
        ("ps",),
        ("logs", "-n", "10"),
        ("why", "web"),
        ("restart", "web"),
        ("scale", "web=2"),
        ("signal", "CONT", "web"),
        ("metrics",),
        ("wait",),
        ("down",),
        ("logs",),
    ):
        done = shop.call(*words, env=WARN)
        assert done.code == 0, done
        said += done.err + done.out
    assert "ResourceWarning" not in said


def test_a_session_in_the_foreground_leaves_nothing_open(shop: harness.Place) -> None:
    session = shop.start("--no-port", env=WARN)
    session.wait_for("web.1 is ready")
    assert Path(shop.folder, "Procfile").exists()
    assert shop.call("restart", "web").code == 0
    shop.procfile(PROCFILE.replace("echo up", "echo up again"))
    assert shop.call("restart", "web").code == 0
    assert shop.call("stop").code == 0
    session.wait()
    assert b"ResourceWarning" not in session.out + session.err
