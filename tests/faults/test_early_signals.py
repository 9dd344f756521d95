"""A signal at any moment of the start: an end follows, and nothing is left."""

from __future__ import annotations

import contextlib
import signal
import sys
import time

import pytest

from faults import kit
from procman.runtime.processes.launcher import BATCH_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, pytest.param(signal.SIGKILL, marks=pytest.mark.alone)]
)
def test_a_signal_at_any_moment_of_the_start_ends_all(place: Place, number: int) -> None:
    """Before the interpreter has come to our first line, a KeyboardInterrupt is its own to show."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: setsid sleep {argument} & exec sleep {argument}\n")
    for milliseconds in range(0, 150, 10):
        session = place.start("-m", "web=3")
        time.sleep(milliseconds / 1000)  # each moment is as good as another
        session.signal(number)
        while number == signal.SIGINT and _interpreter_continues(session):
            session.signal(number)
        session.wait()
        session.wait_until_gone()
        assert kit.running(argument) == []
        assert b"bug in procman" not in session.err


def _interpreter_continues(session: Session) -> bool:
    """Wait for the end, or for Python to print the KeyboardInterrupt and continue; tell whether it continues.

    Python does so while it checks whether our command is a zip file (pymain_get_importer in its Modules/main.c), and in
    the callback of a weak reference, which each import has. After the last line that it prints it has left that place.
    """
    with contextlib.suppress(AssertionError):
        places = r"Failed checking if argv\[0\] is an import path entry$|Exception ignored in: <function _WeakValue"
        pattern = rf"^({places})[\s\S]*?^KeyboardInterrupt(: )?$"
        return bool(session.wait_for(pattern, stream="err"))
    return False


BETWEEN = """import os, signal, sys, time
from procman.cli.commands import start
begin = start.StartedRun.begin
def begin_and_then(self):
    begin(self)
    while not os.path.exists("up"):
        time.sleep(0.01)
    {then}
start.StartedRun.begin = begin_and_then
from procman.cli.main import main
sys.exit(main())
"""


def test_a_signal_before_anybody_hears_the_first_instances_stops_them_with_grace(place: Place) -> None:
    place.write("start.py", BETWEEN.format(then="os.kill(os.getpid(), signal.SIGINT)"))
    place.procfile("web: trap 'echo goodbye; exit 0' TERM; touch up; while :; do sleep 0.1; done\n")
    session = place.session("start.py", "start", program=sys.executable)
    assert session.wait() == 130
    assert b"| goodbye\n" in session.out


def test_a_signal_before_anybody_hears_it_keeps_the_rest_from_being_started(place: Place) -> None:
    place.write("start.py", BETWEEN.format(then="os.kill(os.getpid(), signal.SIGINT)"))
    place.procfile(f"web: touch up; exec sleep {kit.sleep_time()}\n")
    session = place.session("start.py", "start", "-m", f"web={BATCH_SIZE + 8}", program=sys.executable)
    assert session.wait() == 130
    assert session.text.count("started with pid") == BATCH_SIZE


@pytest.mark.parametrize("guardian", [[], ["--no-guardian"]], ids=["guardian", "alone"])
@pytest.mark.parametrize(
    ("then", "error"),
    [
        ("sys.modules['procman.cli.commands.wiring'] = None", b"ModuleNotFoundError"),
        ("raise ValueError", b"ValueError"),
    ],
    ids=["what hears them cannot be had", "one of them cannot be begun"],
)
def test_if_the_beginning_fails_the_first_instances_do_not_stay(
    place: Place, guardian: list[str], then: str, error: bytes
) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.write("start.py", BETWEEN.format(then=then))
    place.procfile(f"web: touch up; setsid sleep {argument} & exec sleep {argument}\n")
    session = place.session("start.py", "start", *guardian, program=sys.executable)
    assert session.wait() == 70
    assert b"this is a bug in procman: " + error in session.err
    assert kit.running(argument) == []


LOST = """import os, signal, sys
class Weak:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            Weak()
sys.meta_path.insert(0, Finder)
from procman.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "status"), [("procman.runtime.guardian.guardian", -signal.SIGINT), ("procman.cli.commands.start", 130)]
)
def test_an_interrupt_that_cannot_be_raised_ends_the_start_all_the_same(place: Place, module: str, status: int) -> None:
    """While one of the modules is imported, in the process that will be the guardian and in the manager."""
    kit.need_linux()
    place.write("start.py", LOST.format(module=module))
    place.procfile("web: exec sleep 1000\n")
    session = place.session("start.py", "start", program=sys.executable)
    assert session.wait() == status
    session.wait_until_gone()
    assert session.err == b""


FORK = """import os, signal, sys, time
fork, left = os.fork, [{before}]
def fork_when_asked(*_):
    left[0] -= 1
    if left[0] == 0:
        print("now", flush=True)
        while not signal.sigpending():
            time.sleep(0.01)
    return fork()
from procman.runtime.guardian import guardian
guardian.os.fork = fork_when_asked
from procman.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("before", [1, 2], ids=["guardian", "watchdog"])
def test_a_key_that_comes_before_the_manager_is_there_reaches_it(place: Place, before: int) -> None:
    kit.need_linux()
    place.write("start.py", FORK.format(before=before))
    place.procfile("web: exec sleep 1000\n")
    session = place.session("start.py", "start", program=sys.executable, pty=True)
    session.wait_for("now")
    session.type(b"\x03")
    assert session.wait() == 130
    session.wait_until_gone()


AT_A_CALL = """import os, sys
from procman.cli.main import main
from procman.runtime.guardian import guardian
calls, where, number = int(sys.argv.pop(1)), sys.argv.pop(1), int(sys.argv.pop(1))
def count(frame, event, _argument):
    global calls, where
    if not where or (event == "call" and frame.f_code.co_name == where):
        where = ""
        calls -= 1
        if calls < 0:
            sys.setprofile(None)
            os.kill(guardian.visible_pid or os.getpid(), number)
sys.setprofile(count)
sys.exit(main())
"""


@pytest.mark.parametrize("function", ["open_all", "stop_all"])
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.alone)]
)
def test_a_signal_at_any_moment_leaves_no_socket_that_hinders_the_next_start(
    place: Place, number: int, function: str
) -> None:
    """The moments are calls of functions after the first one of ``function``."""
    kit.need_linux()
    place.write("start.py", AT_A_CALL)
    place.write("procman.toml", '[process.web]\nlisten = { web = "run/web.sock" }\n')
    place.procfile(f"web: exec sleep {kit.sleep_time()}\n")
    path = place.folder / "run" / "web.sock"
    for calls in (0, 10, 100, 1000):
        session = place.session("start.py", str(calls), function, str(int(number)), "start", program=sys.executable)
        if function == "stop_all":
            session.wait_for(r"web\.1 started")
            session.signal(signal.SIGTERM)
        session.wait()
        session.wait_until_gone()
        assert b"bug in procman" not in session.err
        if number != signal.SIGKILL:
            assert not path.exists(), calls
    session = place.start()
    session.wait_for(r"web\.1 started")
    assert path.is_socket()
