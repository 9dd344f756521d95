"""procman closes what it opens, and uses nothing deprecated: none of its processes causes a warning."""

from __future__ import annotations

import sys

import pytest

from e2e.screen import on_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    import harness

PROCFILE = "web: echo up; exec sleep 1000\nonce: echo done\n"
OVERLAY = """[process.once]
restart = 'never'
[process.web]
ready = { log = 'up' }
depends_on = { once = 'completed' }
"""


# In each Python that is started below, the manager of a session in the background included. Libraries may have
# deprecations of their own, which come and go with their versions; what is left open is ours.
NOTES = """import os, sys, warnings

def note(text):
    with open(os.environ["NOTES"], "a") as file:
        file.write(f"{sys.argv}: {text}\\n")

def noted(message, category, filename, lineno, file=None, line=None):
    if issubclass(category, ResourceWarning) or f"{os.sep}procman{os.sep}" in filename:
        note(f"{filename}:{lineno}: {category.__name__}: {message}")

warnings.showwarning = noted
sys.unraisablehook = lambda found: note(f"{found.exc_value!r} in {found.object!r}")
"""


class Shop:
    """A place with a Procfile, in which every warning is noted."""

    def __init__(self, place: harness.Place, folder: Path) -> None:
        self.place = place
        folder.joinpath("sitecustomize.py").write_text(NOTES)
        self._notes = folder / "notes"
        self.env = {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "always", "NOTES": str(self._notes)}

    def call(self, *words: str, stdin: bytes = b"") -> harness.Finished:
        """Run a command to its end."""
        return self.place.call(*words, env=self.env, stdin=stdin)

    def warnings(self) -> str:
        """Return what was noted."""
        return self._notes.read_text() if self._notes.exists() else ""


@pytest.fixture
def shop(place: harness.Place, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    place.procfile(PROCFILE)
    place.write(".env", "A=1\nB=${A}\n")
    place.write("procman.toml", OVERLAY)
    return Shop(place, tmp_path_factory.mktemp("notes"))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("open('/dev/null')", "ResourceWarning: unclosed file"),
        ("class A:\n __del__ = lambda self: 1 / 0\nA()", "ZeroDivisionError"),
    ],
)
def test_the_notes_work(shop: Shop, code: str, expected: str) -> None:
    done = shop.place.session("-c", code, env=shop.env, program=sys.executable)
    assert done.wait() == 0
    assert expected in shop.warnings()


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
def test_a_command_causes_no_warning(shop: Shop, words: tuple[str, ...]) -> None:
    done = shop.call(*words)
    assert "Warning" not in done.err + done.out
    assert shop.warnings() == ""


def test_the_server_of_tools_causes_no_warning(shop: Shop) -> None:
    pytest.importorskip("mcp.client.client", reason="the extra mcp is not installed")
    assert shop.call("mcp").code == 0
    assert shop.warnings() == ""


def test_a_session_and_its_clients_cause_no_warning(shop: Shop) -> None:
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
        done = shop.call(*words)
        assert done.code == 0, done
        assert "Warning" not in done.err + done.out
    assert shop.warnings() == ""


def test_a_session_in_the_foreground_causes_no_warning(shop: Shop) -> None:
    session = shop.place.start("--no-port", env=shop.env)
    session.wait_for("web.1 is ready")
    assert shop.call("restart", "web").code == 0
    shop.place.procfile(PROCFILE.replace("echo up", "echo up again"))
    assert shop.call("restart", "web").code == 0
    assert shop.call("stop").code == 0
    session.wait()
    assert b"Warning" not in session.out + session.err
    assert shop.warnings() == ""


def test_the_full_screen_view_causes_no_warning(shop: Shop) -> None:
    pytest.importorskip("textual", reason="the extra tui is not installed")
    terminal = on_terminal(shop.place, "tui", "--start", env=shop.env)
    terminal.see(lambda: any("● web.1" in row for row in terminal.rows), "the list")
    terminal.type(b"w")
    terminal.see(lambda: any("web.1: up for" in row for row in terminal.rows), "a card")
    terminal.type(b"q")
    terminal.see(lambda: not any("web.1: up for" in row for row in terminal.rows), "the list again")
    terminal.type(b"q")
    assert terminal.wait() == 0
    assert shop.call("down").code == 0
    assert shop.warnings() == ""
