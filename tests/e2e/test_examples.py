"""The examples do what their READMEs say: each is started by the installed command, used, and stopped."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import venv
from contextlib import nullcontext
from pathlib import Path

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CACHE = ROOT / "build" / "examples"  # the environments of the examples; safe to delete
LIMIT = 60.0


def free_base(types: int) -> int:
    """A base port such that the first two instances of so many types find their ports free."""
    own = (
        24_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8 * 1000
    )  # other workers ask at the same time
    for base in range(own + os.getpid() % 700, own + 1000 - 100 * types + 100 - 2, 7):
        if all(is_free(base + 100 * index + number) for index in range(types) for number in (0, 1)):
            return base
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ask(port: int, path: str = "/", body: str | None = None) -> tuple[int, str]:
    """One HTTP request to this machine: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def settle_in(place: Place, name: str) -> None:
    """Copy an example to the place, as a user would."""
    leftovers = shutil.ignore_patterns(".venv", "__pycache__", "*.sqlite3*", "node_modules")
    shutil.copytree(EXAMPLES / name, place.folder, dirs_exist_ok=True, ignore=leftovers)


def path_with(name: str) -> str:
    """PATH with the example's own virtual environment in front; made at the first use, then kept."""
    home = CACHE / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    requirements = EXAMPLES / name / "requirements.txt"
    stamp = home / "requirements.txt"

    def is_there() -> bool:
        return stamp.exists() and stamp.read_bytes() == requirements.read_bytes()

    if not is_there():
        CACHE.mkdir(parents=True, exist_ok=True)
    with nullcontext() if is_there() else harness.alone(CACHE / f"{home.name}.lock"):
        if not is_there():
            venv.create(home, clear=True, with_pip=True, symlinks=True)
            pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, "-r", str(requirements)], check=True, timeout=600)
            shutil.copy(requirements, stamp)
    return f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"


def stop(session: Session, number: int = signal.SIGTERM) -> int:
    """Stop it, see that nothing is left, and return the exit status."""
    session.signal(number)
    status = session.wait()
    session.wait_until_gone()
    return status


def finish(place: Place, *names: str) -> Session:
    """Run wicked children that end by themselves to their end."""
    settle_in(place, "wicked")
    session = place.start(*names, "--restart", "never", "--no-timestamp")
    session.wait()
    session.wait_until_gone()
    return session


def lines_of(session: Session, instance: str) -> list[str]:
    """What was shown of an instance, without the prefix."""
    found = re.findall(rf"^{re.escape(instance)} +\| ?(.*)$", session.text.replace("\r\n", "\n"), re.MULTILINE)
    return [str(line) for line in found]


# The demo: Procfile.example ------------------------------------------------------------------------------------------


@pytest.fixture
def bakery(place: Place) -> Place:
    shutil.copy(ROOT / "Procfile.example", place.folder)
    shutil.copytree(EXAMPLES / "demo", place.folder / "examples" / "demo")
    return place
    return place


def test_demo_bakes_what_is_ordered_over_http(bakery: Place) -> None:
    port = free_base(3)
    session = bakery.start("-f", "Procfile.example", "-p", str(port), "-m", "all=1,worker=2")
    session.wait_for(rf"web\.1 .*\| open at .*http://127\.0\.0\.1:{port}/")
    assert "The bakery" in ask(port)[1]
    status, order = ask(port, "/order", json.dumps({"bread": "a very special bread"}))
    assert (status, json.loads(order)["state"]) == (200, "ordered")
    session.wait_for(r"worker\.[12] +\| .*ready.*a very special bread")
    assert {"bread": "a very special bread", "state": "baked"}.items() <= next(
        loaf for loaf in json.loads(ask(port, "/orders")[1]) if loaf["number"] == json.loads(order)["number"]
    ).items()
    assert stop(session) == 0


def test_demo_ends_at_ctrl_c_with_130(bakery: Place) -> None:
    session = bakery.start("-f", "Procfile.example", "-p", str(free_base(3)))
    session.wait_for(r"worker\.1 +\| .*ready")
    assert stop(session, signal.SIGINT) == 130


def test_demo_gets_a_new_baker_when_one_burned_the_bread(bakery: Place) -> None:
    session = bakery.start("-f", "Procfile.example", "-p", str(free_base(3)), env={"BURN": "1"})
    session.wait_for(r"worker\.1 +\| smoke!")
    session.wait_for(r"worker\.1 +\| the oven is hot")
    assert stop(session) == 0


# Real servers --------------------------------------------------------------------------------------------------------


def test_python_web_does_a_job_that_came_over_http(place: Place) -> None:
    path, port = path_with("python-web"), free_base(3)
    settle_in(place, "python-web")
    session = place.start("-p", str(port), "-m", "all=1,worker=2", env={"PATH": path})
    session.wait_for(r"Uvicorn running on")
    status, accepted = ask(port, "/jobs", "hello world")
    number = json.loads(accepted)["number"]
    assert status == 202
    session.wait_for(rf"worker\.[12] +\| job {number} is done")
    job = json.loads(ask(port, f"/jobs/{number}")[1])
    assert (job["state"], job["result"]) == ("done", "HELLO WORLD")
    assert job["by"] in {"worker.1", "worker.2"}
    assert json.loads(ask(port)[1]) == {"process": "web.1", "port": str(port)}
    assert stop(session) == 0
    assert session.text.count("no job is left half done") == 2


def test_python_web_takes_a_job_by_hand_through_run(place: Place) -> None:
    path, port = path_with("python-web"), free_base(3)
    settle_in(place, "python-web")
    session = place.start("-p", str(port), env={"PATH": path})
    session.wait_for(r"Uvicorn running on")
    by_hand = place.call("run", "--", "python", "queue_jobs.py", "add", "by hand", env={"PATH": path})
    assert (by_hand.code, by_hand.err) == (0, "")
    session.wait_for(rf"{by_hand.out.strip()} is done")
    assert json.loads(ask(port, f"/jobs/{by_hand.out.split()[1]}")[1])["result"] == "BY HAND"
    assert stop(session, signal.SIGINT) == 130


def test_twisted_carries_a_line_from_the_chat_to_the_page(place: Place) -> None:
    path, port = path_with("twisted"), free_base(2)
    settle_in(place, "twisted")
    session = place.start("-p", str(port), env={"PATH": path})
    session.wait_for(r"web\.1 +\| listening to the chat")
    with socket.create_connection(("127.0.0.1", port + 100), timeout=LIMIT) as visitor:
        visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read_until(visitor, b"listening\n")
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as talker:
            talker.sendall(b"good morning\n")
            read_until(talker, b"good morning\n")
        read_until(visitor, b"good morning\n")
    assert stop(session) == 0


def read_until(connection: socket.socket, end: bytes) -> None:
    data = b""
    while not data.endswith(end):
        chunk = connection.recv(1)
        assert chunk, f"{end!r} did not come: {data!r}"
        data += chunk


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node_counts_and_answers_on_two_ports(place: Place) -> None:
    port = free_base(2)
    settle_in(place, "node")
    session = place.start("-p", str(port), "-m", "web=2,worker=1")
    session.wait_for_all(r"web\.1 +\| open at", r"web\.2 +\| open at")
    session.wait_for(r"worker\.1 +\| counted to \d+$")
    assert json.loads(ask(port)[1])["count"] > 0
    assert json.loads(ask(port + 1)[1]) == {"process": "web.2", "port": port + 1, "count": 0}
    assert stop(session) == 0
    assert session.text.count("| closed") == 2


# Wicked children: stopping -------------------------------------------------------------------------------------------


def test_child_that_ignores_term_is_killed_after_the_grace(place: Place) -> None:
    settle_in(place, "wicked")
    session = place.start("ignores-term", "-t", "1")
    session.wait_for("ready")
    assert stop(session) == 143


def test_second_ctrl_c_kills_a_child_that_ignores_the_first(place: Place) -> None:
    settle_in(place, "wicked")
    session = place.start("ignores-term", "-t", "600")
    session.wait_for("ready")
    session.signal(signal.SIGINT)
    session.wait_for(r"system.*waiting")
    assert stop(session, signal.SIGINT) == 130


def test_suspended_child_is_woken_up_and_stops(place: Place) -> None:
    settle_in(place, "wicked")
    session = place.start("stops-itself", "-t", "600")
    session.wait_for("ready")
    assert stop(session) == 0
    assert "woken up and told to stop" in session.text


@pytest.mark.parametrize("name", ["forks", "daemonises"])
def test_no_helper_outlives_the_session(place: Place, name: str) -> None:
    settle_in(place, "wicked")
    session = place.start(name)
    session.wait_for("ready, with")
    assert stop(session) == 0


def test_run_ends_though_a_helper_holds_the_pipe(place: Place) -> None:
    session = finish(place, "holds-the-pipe")
    assert session.process.returncode == 0
    assert lines_of(session, "holds-the-pipe.1") == ["gone, but my helper holds the pipe"]


def test_nearly_all_of_them_at_once_are_stopped_and_nothing_is_left(place: Place) -> None:
    settle_in(place, "wicked")
    session = place.start("-t", "2", "-x", "long-line", env={"FLOOD_LINES": "1000"})
    for name in ("ignores-term", "stops-itself", "forks", "daemonises"):
        while not re.search(rf"{name}\.1 +\| ready", session.text):
            session.wait_for(r"\| ready")
    assert stop(session) == 143


# Wicked children: output ---------------------------------------------------------------------------------------------


def test_flood_arrives_whole_and_in_order(place: Place) -> None:
    session = finish(place, "floods")
    assert lines_of(session, "floods.1") == [f"flood {number:08d} {'~' * 60}" for number in range(50_000)]


def test_last_words_are_not_lost(place: Place) -> None:
    assert lines_of(finish(place, "last-words"), "last-words.1") == ["last words on stdout", "last words on stderr"]


def test_characters_cut_in_the_middle_arrive_whole(place: Place) -> None:
    assert lines_of(finish(place, "splits-utf8"), "splits-utf8.1") == ["split: ä € 🍞 done"]


def test_half_lines_are_shown(place: Place) -> None:
    text = finish(place, "half-lines").text
    assert "your name?" in text
    assert "nobody answered" in text
    assert "the end has no newline" in text


def test_long_line_loses_no_character(place: Place) -> None:
    session = finish(place, "long-line")
    shown = "".join(lines_of(session, "long-line.1"))
    assert shown.startswith("begin x")
    assert shown.endswith("x end")
    assert shown.count("x") == 5_000_000


def test_bytes_that_are_no_text_arrive_as_they_are(place: Place) -> None:
    session = finish(place, "not-text")
    for line in (b"nul:\0:nul", b"broken:\xc3:broken", b"latin-1: caf\xe9"):
        assert line in session.out


def test_progress_bar_is_reduced_to_its_last_state(place: Place) -> None:
    assert lines_of(finish(place, "progress"), "progress.1") == ["downloading 100%", "downloaded"]


def test_escape_sequences_do_not_reach_the_screen_but_colors_do(place: Place) -> None:
    session = finish(place, "escapes")
    assert b"\x1b[31mred" in session.out
    for sequence in (b"\x1b[2J", b"\x1b[H", b"\x1b]0;", b"\x1b[?1049h", b"\r"):
        assert sequence not in session.out


# Wicked children: ends -----------------------------------------------------------------------------------------------


def test_crash_gives_its_code_to_the_run(place: Place) -> None:
    session = finish(place, "crashes")
    assert session.process.returncode == 3
    assert lines_of(session, "crashes.1") == ["working", "something is wrong"]


def test_crash_is_followed_by_another_life(place: Place) -> None:
    settle_in(place, "wicked")
    session = place.start("crashes")
    session.wait_for(r"crashes\.1 +\| working")
    session.wait_for(r"crashes\.1 +\| working")
    assert stop(session) == 0


@pytest.mark.parametrize(("name", "code"), [("crashes-by-signal", 128 + 11), ("cannot-run", 127)])
def test_end_without_a_code_of_its_own_gives_the_code_of_a_shell(place: Place, name: str, code: int) -> None:
    assert finish(place, name).process.returncode == code
