"""The fixture ``procman``: a session for the tests that use it, its reports, its end, and what it costs the others."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from procman.pytest_plugin import Procman

pytest_plugins = ("pytester",)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness

ROOT = Path(__file__).parents[1]
SERVER = """\
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        if self.path == "/die":
            os._exit(3)
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["PS"].encode())
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""
PROCFILE = f"web: exec {sys.executable} server.py\nworker: echo busy; exec sleep 1000\n"
GET = """\
import urllib.request
def get(url, path="/"):
    with urllib.request.urlopen(url + path) as answer:
        return answer.read().decode()
"""
BOTH = f"{GET}\ndef test_web(procman):\n    assert get(procman.url()) == 'web.1'\ndef test_two(procman): pass\n"


def is_installed() -> bool:
    """Whether pytest finds the plugin by itself, as for users."""
    return "procman" in {entry.name for entry in importlib.metadata.entry_points(group="pytest11")}


# Its own temporary files go where the calling test has its own, and no cache or other plugin matters.
PYTEST = ["-m", "pytest", *([] if is_installed() else ["-p", "procman.pytest_plugin"]), "-p", "no:cacheprovider"]


@pytest.fixture
def project(place: harness.Place) -> harness.Place:
    place.write("pytest.ini", "[pytest]\n")
    place.write("server.py", SERVER)
    place.procfile(PROCFILE)
    place.write("procman.toml", "[process.web]\nready = { http = '/' }\n")
    return place


def begun(place: harness.Place, *words: str, env: dict[str, str] | None = None) -> harness.Session:
    """Run pytest in the place."""
    return place.session(*PYTEST, *words, program=sys.executable, env=env)


def finished(place: harness.Place, text: str, *words: str, code: int = 0) -> str:
    """Run pytest with one file of tests to its end. Nothing of it may be left."""
    place.write("test_it.py", text)
    session = begun(place, *words)
    assert session.wait() == code, session
    session.wait_until_gone()
    return session.text


# What the fixture is


def test_the_processes_are_up_on_ports_of_their_own_and_end_with_the_tests(project: harness.Place) -> None:
    project.write(".env", "PORT=7000\nTOKEN=abc\n")
    text = f"""{GET}
def test_it(procman):
    assert get(procman.url()) == get(procman.env["PROCMAN_WEB_URL"]) == "web.1"
    assert procman.port("web.1") == procman.port() == int(procman.env["PROCMAN_WEB_PORT"]) >= 11000
    assert procman.env["TOKEN"] == "abc"
    assert [row["name"] for row in procman.status()] == ["web.1", "worker.1"]
    assert procman.trouble() == ""
"""
    assert "1 passed" in finished(project, text)


def test_a_test_can_stop_start_restart_and_scale_processes(project: harness.Place) -> None:
    text = f"""{GET}
import urllib.error
def pids(procman): return {{row["name"]: row["pid"] for row in procman.status()}}
def test_it(procman):
    before = pids(procman)
    procman.restart("web")
    after = pids(procman)
    assert before["web.1"] != after["web.1"] and before["worker.1"] == after["worker.1"]
    procman.stop("worker")
    assert pids(procman)["worker.1"] is None
    procman.start("worker")
    procman.wait("worker", timeout=30)
    procman.command("scale", "web=2")
    assert get(procman.url("web.2")) == "web.2"
    assert "busy" in procman.logs("worker", lines=5)
    assert "asked for" not in procman.logs("worker")
"""
    assert "1 passed" in finished(project, text)


def test_a_command_that_fails_raises_its_message(project: harness.Place) -> None:
    text = r"""
import pytest
from procman.pytest_plugin import CommandError
def test_it(procman):
    with pytest.raises(CommandError, match='no process "wbe" in this session\\nhint: did you mean "web"'):
        procman.restart("wbe")
    with pytest.raises(CommandError, match='^the session has no process "wbe"$'):
        procman.url("wbe")
"""
    assert "1 passed" in finished(project, text)


def test_settings_say_which_procfile_and_how_many(project: harness.Place) -> None:
    project.write("app/Procfile", "api: echo $GREETING; exec sleep 1000\njob: exec sleep 1000\n")
    project.write("app/hello.env", "GREETING=hello there\n")
    settings = ("procfile = app/Procfile", "formation = api=2", "timeout = 30", "args = -e app/hello.env")
    project.write("pytest.ini", "".join(("[pytest]\n", *(f"procman_{setting}\n" for setting in settings))))
    text = """
def test_it(procman):
    assert [row["name"] for row in procman.status()] == ["api.1", "api.2"]
    assert "hello there" in procman.logs("api.2")
"""
    assert "1 passed" in finished(project, text)


def test_a_project_may_have_a_fixture_of_that_name(project: harness.Place) -> None:
    text = "import pytest\n@pytest.fixture\ndef procman(): return 7\ndef test_it(procman): assert procman == 8\n"
    assert "- procman -" not in finished(project, text, code=1)


# Reports


def test_a_failure_shows_what_the_processes_wrote_during_that_test(project: harness.Place) -> None:
    text = f"""{GET}
def test_early(procman): get(procman.url(), "/early")
def test_late(procman):
    get(procman.url(), "/late")
    assert False
def test_without(): assert False
"""
    said = finished(project, text, code=1)
    (section,) = re.findall(r"^-+ procman -+\n(.*?)^_+ test_without _+", said, re.MULTILINE | re.DOTALL)
    assert "asked for /late" in section


def test_a_failure_does_not_show_what_was_written_long_before(project: harness.Place) -> None:
    text = f"""{GET}
import time
def test_early(procman):
    get(procman.url(), "/early")
    time.sleep(0.3)
def test_late(procman):
    get(procman.url(), "/late")
    assert False
"""
    (section,) = re.findall(r"^-+ procman -+\n(.*?)^=", finished(project, text, code=1), re.MULTILINE | re.DOTALL)
    assert "asked for /late" in section
    assert "asked for /early" not in section


def test_a_process_that_fails_is_named_in_the_report_and_at_the_end(project: harness.Place) -> None:
    project.write("procman.toml", "restart = 'never'\n[process.web]\nready = { http = '/' }\n")
    text = f"""{GET}
def test_die(procman): get(procman.url(), "/die")
"""
    said = finished(project, text, code=1)
    assert "\nweb.1 is down: exited with code 3\n" in said
    assert "PytestWarning: procman: web.1 ended while the command ran: exited with code 3\n" in said


def test_a_session_that_cannot_start_is_one_clear_error_for_each_test(project: harness.Place) -> None:
    project.procfile("web: echo no luck; exit 4\n")
    project.write("procman.toml", "restart = 'never'\n[process.web]\nready = { http = '/' }\n")
    said = finished(project, BOTH, code=1)
    assert said.count("\nthe session of procman has not started:\n") == 2
    assert "no luck" in said
    assert "Traceback" not in said


def test_without_a_procfile_the_reason_is_shown(place: harness.Place) -> None:
    place.write("pytest.ini", "[pytest]\nprocman_procfile = gone/Procfile\n")
    assert "gone/Procfile: no such file" in finished(place, "def test_it(procman): pass\n", code=1)


def test_a_session_that_dies_fails_the_tests_that_need_it(project: harness.Place) -> None:
    text = """
import os, signal
def test_kill(procman):
    while not procman.trouble():
        os.kill(procman._process.pid, signal.SIGKILL)
        procman._process.wait()
def test_next(procman): pass
def test_other(): pass
"""
    said = finished(project, text, code=1)
    assert "the session of procman has ended (exit status -9)" in said
    assert "2 passed, 1 error" in said


# Ends


def test_the_first_failure_ends_the_session_too(project: harness.Place) -> None:
    assert "1 failed" in finished(
        project, "def test_it(procman): assert False\ndef test_two(procman): pass\n", "-x", code=1
    )


WAIT = "import time\ndef test_wait(procman):\n    print('waits', flush=True)\n    time.sleep(1000)\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_pytest_is_interrupted_or_killed(project: harness.Place, number: int) -> None:
    project.write("test_it.py", WAIT)
    session = begun(project, "-s")
    session.wait_for("waits")
    session.signal(number)
    assert session.wait() == (2 if number == signal.SIGINT else -number)
    session.wait_until_gone()


def test_ctrl_c_on_a_terminal_ends_tests_and_session(project: harness.Place) -> None:
    project.write("test_it.py", WAIT)
    session = project.session(*PYTEST, "-s", program=sys.executable, pty=True)
    session.wait_for("waits")
    session.type(b"\x03")
    session.wait_for("KeyboardInterrupt")
    assert session.wait() == 2
    session.wait_until_gone()


def test_ctrl_c_while_the_session_starts_leaves_nothing(project: harness.Place) -> None:
    project.write("procman.toml", "[process.web]\nready = { exec = 'touch asked; false' }\n")
    project.write("test_it.py", "def test_it(procman): pass\n")
    session = begun(project)
    while not (project.folder / "asked").exists():
        assert session.process.poll() is None, session
        session._read(0.02)
    session.signal(signal.SIGINT)
    assert session.wait() == 2
    session.wait_until_gone()


def test_the_end_of_pytest_while_the_session_starts_ends_it(project: harness.Place) -> None:
    project.write("procman.toml", "[process.web]\nready = { exec = 'touch asked; false' }\n")
    project.write("test_it.py", "def test_it(procman): pass\n")
    project.write("pytest.ini", "[pytest]\nprocman_timeout = 1000\n")  # seconds that it must not wait
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:  # short enough for a socket
        session = begun(project, env={"TMPDIR": temporary})
        while not (project.folder / "asked").exists():
            assert session.process.poll() is None, session
            session._read(0.02)
        session.signal(signal.SIGKILL)
        assert session.wait() == -signal.SIGKILL
        session.wait_until_gone()
        assert [name for name in os.listdir(temporary) if name.startswith("procman-test-")] == []


def test_the_output_of_a_failed_test_is_shown_although_the_clock_was_set_back(project: harness.Place) -> None:
    text = f"""{GET}
import time
real = time.time
def test_it(procman):
    get(procman.url(), "/mark")
    time.time = lambda: real() - 3600
    assert False
"""
    assert "asked for /mark" in finished(project, text, code=1)


# Several at once


def test_each_worker_of_xdist_has_a_session_of_its_own(project: harness.Place) -> None:
    text = f"""{GET}
import pytest
@pytest.mark.parametrize("n", range(4))
def test_it(procman, n, tmp_path_factory, worker_id):
    assert get(procman.url()) == "web.1"
    with open("ports", "a") as file:
        file.write(f"{{worker_id}} {{procman.port()}}\\n")
"""
    assert "4 passed" in finished(project, text, "-n", "2")
    pairs = {tuple(line.split()) for line in (project.folder / "ports").read_text().splitlines()}
    assert len({worker for worker, _ in pairs}) == len({port for _, port in pairs}) == len(pairs) == 2


def test_under_procman_test_the_session_is_that_of_the_command(project: harness.Place) -> None:
    text = f"""{GET}
import os
def test_it(procman):
    assert procman.env["PROCMAN_WEB_URL"] == os.environ["PROCMAN_WEB_URL"] == procman.url()
    procman.restart("web")
    assert get(procman.url()) == "web.1"
    print(procman.logs("system"))
    assert False
"""
    project.write("test_it.py", text)
    session = project.session("test", "--isolated", "--", sys.executable, *PYTEST, "-n", "0")
    session.wait_for("started with pid")
    assert session.wait() == 1
    session.wait_until_gone()
    assert session.text.count("web.1 started with pid") >= 2  # by the command, and again by the test
    other = text.replace("os.environ", "{**os.environ, 'PROCMAN_WEB_URL': procman.url()}").replace("assert False", "")
    project.write("test_it.py", other)
    project.write("app/Procfile", PROCFILE.replace("server.py", "../server.py"))
    project.write("pytest.ini", "[pytest]\nprocman_procfile = app/Procfile\n")
    session = project.session("test", "--isolated", "--", sys.executable, *PYTEST, "-n", "0")
    assert session.wait() == 0, session


def test_the_page_about_tests_is_right(project: harness.Place) -> None:
    page = (ROOT / "docs/tests.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (settings,) = re.findall(r"^```ini\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    project.write("pytest.ini", settings)
    project.write(".env.test", "A=1\n")
    assert "2 passed" in finished(project, example)
    methods = set(re.findall(r"`(\w+)\(", page.partition("| | |")[2].partition("\n\n")[0]))
    assert methods | {"env", "trouble", "end"} == {name for name in vars(Procman) if name[0] != "_"} | {"env"}


# Costs


def test_unused_it_imports_nothing_and_adds_no_hook(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        def test_it(request):
            ours = {name for name in sys.modules if name.partition(".")[0] == "procman"}
            assert ours <= {"procman", "procman.pytest_plugin"}
            hooks = request.config.hook.pytest_runtest_makereport.get_hookimpls()
            assert not [hook for hook in hooks if "procman" in hook.plugin_name]
        """
    )
    result = pytester.runpytest_subprocess(*PYTEST[2:], "-n0")
    result.assert_outcomes(passed=1)
    assert "procman_procfile" in pytester.runpytest_subprocess(*PYTEST[2:], "--help").stdout.str()


def test_its_import_brings_in_no_other_module(tmp_path: Path) -> None:
    code = "import pytest, sys; before = {*sys.modules}; import procman.pytest_plugin; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} == {"procman", "procman.pytest_plugin"}


def test_the_package_names_it_as_a_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"procman": "procman.pytest_plugin"}
    assert os.path.exists(ROOT / "src/procman/pytest_plugin.py")
