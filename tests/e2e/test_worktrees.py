"""Linked worktrees of one repository: their ports, their names, and every command agrees about both."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PROCFILE = "web: echo on $PORT of $PROCMAN_CHECKOUT; exec sleep 1000\nworker: sleep 1000\n"
as_linked = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


class Checkouts:
    """A repository with a Procfile, and linked worktrees of it; each is a Place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: dict[str, str | None] = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)}
        self.main = harness.Place(folder / "shop")
        self.places = [self.main]

    def write(self, procfile: str = PROCFILE) -> None:
        self.main.procfile(procfile)
        git = self.main.folder / ".git"
        git.mkdir()
        (git / "HEAD").write_text("ref: refs/heads/main\n")

    def worktree(self, name: str, branch: str) -> harness.Place:
        """Write what `git worktree add` would, with the Procfile."""
        own = self.main.folder / ".git/worktrees" / name
        own.mkdir(parents=True)
        (own / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
        (own / "commondir").write_text("../..\n")
        place = harness.Place(self.folder / name)
        place.write(".git", f"gitdir: {own}\n")
        shutil.copy(self.main.folder / "Procfile", place.folder / "Procfile")
        self.places.append(place)
        return place

    def json(self, place: harness.Place, *words: str) -> dict[str, object]:
        done = place.call(*words, "--json", env=self.env)
        assert done.code == 0, done
        record = json.loads(done.out)
        assert isinstance(record, dict)
        return record


@pytest.fixture
def checkouts(place: harness.Place) -> Iterator[Checkouts]:
    made = Checkouts(place.folder)
    made.write()
    yield made
    for other in made.places:
        other.clear()


def test_every_command_has_the_same_ports_in_a_worktree(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    port = str(checkouts.json(linked, "env", "web")["PORT"])
    assert int(port) % 1000 == 0
    assert port != "5000"
    report = checkouts.json(linked, "check")
    instances = report["instances"]
    assert isinstance(instances, list)
    assert (instances[0]["port"], report["checkout"], report["port_offset"]) == (
        int(port),
        "feat_login",
        int(port) - 5000,
    )
    checked = linked.call("check", env=checkouts.env).out
    assert f"feat_login: a linked worktree, so its ports are moved by {int(port) - 5000}\n" in checked
    printed = linked.call("run", "--", "sh", "-c", "echo $PROCMAN_WEB_PORT $PROCMAN_CHECKOUT", env=checkouts.env).out
    assert printed == f"{port} feat_login\n"
    words = ("test", "--port-conflict", "warn", "--", "sh", "-c", "echo $PROCMAN_WEB_PORT $PROCMAN_CHECKOUT")
    tested = linked.call(*words, env=checkouts.env).out  # even if another program of this machine has the port
    assert tested == printed
    session = linked.session("start", "--no-color", env=checkouts.env)
    session.wait_for(f"on {port} of feat_login")


def test_the_main_checkout_keeps_its_ports(checkouts: Checkouts) -> None:
    checkouts.worktree("login", "feat/login")
    env = checkouts.json(checkouts.main, "env", "web")
    assert (env["PORT"], env["PROCMAN_CHECKOUT"]) == ("5000", "main")
    assert not (checkouts.folder / "state").exists()
    assert set(checkouts.json(checkouts.main, "check")) & {"checkout", "port_offset"} == set()


def test_a_session_keeps_name_and_ports_whatever_happens_to_the_checkout(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    session = linked.session("start", "--no-color", env=checkouts.env)
    port = session.wait_for(r"on (\d+) of feat_login")[1]
    (checkouts.main.folder / ".git/worktrees/login/HEAD").write_text("ref: refs/heads/other\n")
    shutil.rmtree(checkouts.folder / "state")
    linked.write(".env", "LATE=1\n")
    assert linked.call("restart", "web", env=checkouts.env).code == 0
    session.wait_for(rf"on {port} of feat_login")
    assert linked.call("scale", "web=2", env=checkouts.env).code == 0
    session.wait_for(rf"on {int(port) + 1} of feat_login")
    assert checkouts.json(linked, "env", "web")["PROCMAN_CHECKOUT"] == "feat_login"
    printed = linked.call("run", "--", "sh", "-c", "echo $PROCMAN_CHECKOUT", env=checkouts.env).out
    assert printed == "feat_login\n"


def test_an_export_is_the_same_from_everywhere(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    words = ("export", "compose", "-o", "-", "-a", "shop", "-i", "shop:1", "--target-dir", "/srv/shop")
    main, other = (place.call(*words, env=checkouts.env) for place in (checkouts.main, linked))
    assert main.code == 0, main
    assert other.out == main.out
    assert "5000" in main.out
    assert "PROCMAN_CHECKOUT=" not in main.out
    linked.write("procman.toml", "port_offset = 300\n")
    assert linked.call(*words, env=checkouts.env).out == main.out


def test_env_files_can_name_the_checkout(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    linked.write(".env", "DATABASE_URL=postgres://localhost/shop_${PROCMAN_CHECKOUT}\n")
    done = linked.call("env", "--env-interpolate", env=checkouts.env)
    assert "DATABASE_URL=postgres://localhost/shop_feat_login\n" in done.out
    done = linked.call("run", "--env-interpolate", "--", "sh", "-c", "echo $DATABASE_URL", env=checkouts.env)
    assert done.out == "postgres://localhost/shop_feat_login\n"


def test_check_names_the_ports_that_stay(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    for place in (linked, checkouts.main):
        place.write("procman.toml", "[process.worker]\nport = 5432\n")
    hint = 'procman.toml:2: port 5432 of "worker" is the same in all worktrees; --port-conflict bump moves it'
    assert f"hint: {hint}" in linked.call("check", env=checkouts.env).err
    assert "hint" not in checkouts.main.call("check", env=checkouts.env).err
    linked.write(".env", "PORT=7000\n")
    checked = linked.call("check", env=checkouts.env)
    assert "warning: .env:1: PORT gives this worktree the ports of the other checkouts" in checked.err
    assert "are moved by" not in checked.out


def test_check_names_the_sockets_that_stay(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    linked.write("procman.toml", "[process.web]\nlisten = { a = '127.0.0.1:8080', b = '127.0.0.1:$PORT', c = './x' }\n")
    hints = [line for line in linked.call("check", env=checkouts.env).err.splitlines() if "worktree" in line]
    sentence = '"web" listens on port 8080 in all worktrees; $PORT would be another one in each of them'
    assert hints == [f"hint: procman.toml:2: {sentence}"]


def test_check_names_the_checks_that_ask_the_main_checkout(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    checks = "ready = { http = 'http://localhost:5000/' }\nhealth = { exec = 'curl localhost:$PORT' }\n"
    linked.write("procman.toml", f"[process.web]\n{checks}[process.worker]\nready = {{ tcp = 5000 }}\n")
    port = checkouts.json(linked, "env", "web")["PORT"]
    (hint,) = [line for line in linked.call("check", env=checkouts.env).err.splitlines() if line.startswith("hint:")]
    assert hint == (
        f'hint: procman.toml:2: the check of "web" names port 5000, but in this worktree its port is {port}; '
        "leave the port out, or write $PORT"
    )


def test_without_a_place_to_remember_it_in_the_ports_are_those_of_the_path(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    port = checkouts.json(linked, "env", "web")["PORT"]
    (checkouts.folder / "file").write_text("")
    env = {**checkouts.env, "XDG_STATE_HOME": str(checkouts.folder / "file")}
    checked = linked.call("check", env=env)
    assert checked.code == 0
    assert "warning: the ports of this worktree are not remembered, so another one may get them: " in checked.err
    session = linked.session("start", "--no-color", env=env)
    session.wait_for("warning: the ports of this worktree are not remembered")
    session.wait_for(f"on {port} of feat_login")


def test_an_offset_of_the_user_counts_everywhere(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    linked.write("procman.toml", "port_offset = 300\n")
    assert checkouts.json(linked, "env", "web")["PORT"] == "5300"
    assert checkouts.json(linked, "env", "web", "--port-offset", "none")["PORT"] == "5000"
    checkouts.main.write("procman.toml", "port_offset = '20'\n")
    assert checkouts.json(checkouts.main, "env", "web")["PORT"] == "5020"
    assert not (checkouts.folder / "state").exists()
    refused = linked.call("check", "--port-offset", "some", env=checkouts.env)
    assert refused.code == 2
    assert '--port-offset must be none, worktree or a whole number, not "some"' in refused.err


def test_a_session_of_systemd_keeps_the_ports_that_others_know(checkouts: Checkouts) -> None:
    linked = checkouts.worktree("login", "feat/login")
    script = f"SYSTEMD_EXEC_PID=$$ exec {harness.PROCMAN} start --no-color"
    session = linked.session("-c", script, env=checkouts.env, program="/bin/sh")
    session.wait_for("on 5000 of feat_login")


def test_two_starts_at_once_get_different_ports(checkouts: Checkouts) -> None:
    places = [checkouts.worktree(f"w{number}", f"b{number}") for number in range(4)]
    sessions = [place.session("start", "--no-color", env=checkouts.env) for place in places]
    ports = [session.wait_for(r"on (\d+) of b\d")[1] for session in sessions]
    assert len({*ports}) == 4


def git_in(checkouts: Checkouts) -> dict[str, str]:
    """Return an environment for git that does not depend on the user's."""
    identity = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    env = harness.environment({**checkouts.env, **identity})
    return {name: text for name, text in env.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}


@as_linked
def test_what_the_page_about_worktrees_shows_is_true(checkouts: Checkouts) -> None:
    page = (Path(__file__).parents[2] / "docs/worktrees.md").read_text(encoding="utf-8")
    block = page.partition("```console\n")[2].partition("```")[0]
    shop = checkouts.folder / "git/shop"
    shop.mkdir(parents=True)
    (shop / "Procfile").write_text("web: echo $PORT; exec sleep 1000\nworker: exec sleep 1000\n")
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    script = f"PATH={Path(harness.PROCMAN).parent}:$PATH; set -e\n" + "\n".join(
        ("git init -q", "git add .", "git commit -q -m x", *commands, "procman down >/dev/null")
    )
    done = subprocess.run(
        ["sh", "-c", script], cwd=shop, env=git_in(checkouts), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    shown = [line for line in block.splitlines() if not line.startswith("$ ")]
    assert without_numbers(done.stdout.splitlines()[-len(shown) :]) == without_numbers(shown)


def without_numbers(lines: list[str]) -> list[str]:
    return [re.sub(r"[ -]+", " ", re.sub(r"\b\d{4,5}\b", "N", line)) for line in lines]


@as_linked
def test_what_git_writes_is_understood(checkouts: Checkouts) -> None:
    def git(*words: str, cwd: Path) -> None:
        subprocess.run(["git", *words], cwd=cwd, env=git_in(checkouts), check=True, capture_output=True)

    top = checkouts.folder / "real"
    top.mkdir()
    (top / "Procfile").write_text(PROCFILE)
    git("init", "-q", cwd=top)
    git("checkout", "-q", "-b", "trunk", cwd=top)
    git("add", ".", cwd=top)
    git("commit", "-q", "-m", "x", cwd=top)
    git("worktree", "add", "-q", "../one", "-b", "größe/1", cwd=top)
    git("worktree", "add", "-q", "--detach", "../two", cwd=top)
    named = {
        name: checkouts.json(harness.Place(checkouts.folder / name), "env", "web") for name in ("real", "one", "two")
    }
    assert (named["real"]["PROCMAN_CHECKOUT"], named["real"]["PORT"]) == ("trunk", "5000")
    assert re.fullmatch(r"gr__e_1_[0-9a-f]{8}", str(named["one"]["PROCMAN_CHECKOUT"]))
    assert named["two"]["PROCMAN_CHECKOUT"] == "two"
    assert len({env["PORT"] for env in named.values()}) == 3
