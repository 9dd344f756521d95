"""No descriptors, no processes, no memory: a sentence and a state, never a traceback, a hang or an orphan."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import sys
import uuid
from pathlib import Path

import pytest

import harness
from faults import kit
from procman.runtime.control.endpoint import socket_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Place, Session


def _no_traceback(session: Session) -> None:
    for text in (session.text, session.err.decode()):
        assert "Traceback" not in text
        assert "bug in procman" not in text


def test_forty_processes_with_forty_descriptors(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    program = kit.wrapper(place, 'ulimit -n 40; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=40", program=program)
    session.wait_for(r"cannot start: Too many open files; restarting in")
    assert kit.running(argument)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    _no_traceback(session)
    assert kit.running(argument) == []


@pytest.mark.parametrize("limit", [38, 39, 40, 41])
def test_who_asks_a_session_without_descriptors_does_not_end_it(place: Place, limit: int) -> None:
    """What a first answer needs is imported when it is asked for, which takes a descriptor."""
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    program = kit.wrapper(place, f'ulimit -n {limit}; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=40", program=program)
    session.wait_for(r"cannot start: Too many open files; restarting in")
    for path in socket_paths(f"{place.folder}/Procfile", str(place.folder), None, harness.environment()):
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(path) == 0:
                client.settimeout(0.2)  # it may not answer
                client.sendall(b'{"verb": "ps"}\n')
                with contextlib.suppress(TimeoutError):
                    assert b"this is a bug" not in client.recv(100_000)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    _no_traceback(session)
    assert kit.running(argument) == []


@pytest.mark.parametrize("stop", ["signal", "command"])
def test_a_stop_works_while_a_client_has_the_last_descriptor(place: Place, stop: str) -> None:
    """What is needed to stop is imported only then, and a module is a file."""
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    if stop == "command":
        place.write("procman.toml", 'process.web.stop_command = "kill $PROCMAN_PID"\n')
    program = kit.wrapper(place, 'ulimit -n 40; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=40", program=program)
    session.wait_for(r"cannot start: Too many open files; restarting in")
    (path,) = socket_paths(f"{place.folder}/Procfile", str(place.folder), None, harness.environment())[:1]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        kit.wait_until(lambda: any(kit.descriptors(pid) == 40 for pid in kit.all_pids(session)), "no room")
        session.signal(signal.SIGTERM)
        assert session.wait() == 0
    _no_traceback(session)
    assert kit.running(argument) == []


def test_forty_processes_with_a_soft_limit_of_forty_all_run_with_that_limit(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: ulimit -n; exec sleep {argument}\n")
    program = kit.wrapper(place, 'ulimit -S -n 40; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=40", program=program)
    kit.wait_running(40, argument)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    limits = re.findall(r"web\.\d+ +\| (\d+)$", session.text, re.MULTILINE)
    assert limits == ["40"] * 40


def test_commands_of_checks_have_the_limit_that_we_were_given(place: Place) -> None:
    place.procfile("web: exec sleep 1000\n")
    place.write("procman.toml", '[process.web]\nready = { exec = "ulimit -n >limit" }\n')
    program = kit.wrapper(place, 'ulimit -S -n 40; exec "$PROCMAN" "$@"')
    session = place.session("start", program=program)
    session.wait_for(r"web\.1 is ready")
    assert (place.folder / "limit").read_text() == "40\n"


@pytest.mark.parametrize(("given", "soft", "hard"), [(40, 262, 1000), (300, 200, 1000), (300, 200, 200)])
def test_a_limit_that_the_administrator_lowers_meanwhile_is_kept(
    place: Place, given: int, soft: int, hard: int
) -> None:
    """Ours is changed around each spawn: that must not undo anything, nor fail because it is not allowed."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f'web: echo "$(ulimit -S -n) $(ulimit -H -n)"; exec sleep {argument}\n')
    program = kit.wrapper(place, f'ulimit -S -n {given}; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=20", program=program)
    kit.wait_running(20, argument)
    manager = kit.roles(session)["manager"]
    resource.prlimit(manager, resource.RLIMIT_NOFILE, (soft, hard))
    for _ in range(2):  # the second one finds ours as the first one has left it
        assert place.call("restart", "web.1").code == 0
        session.wait_for(rf"\| {min(given, soft)} {hard}$")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    _no_traceback(session)


def test_descriptors_that_run_out_later_fail_one_by_one(place: Place) -> None:
    """A daemon must not survive even if we can no longer open anything, not even /proc."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: setsid env -i sleep {argument} & exec sleep {argument}\n")
    program = kit.wrapper(place, 'ulimit -n 24; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=30", "--timeout", "1", program=program)
    session.wait_for(r"Too many open files")
    session.signal(signal.SIGTERM)
    session.wait()
    _no_traceback(session)
    assert kit.running(argument) == []


@pytest.mark.parametrize("descriptors", range(5, 17))
def test_next_to_no_descriptors_give_a_sentence(place: Place, descriptors: int) -> None:
    """Too few for the guardian, the watchdog, the engine, or a module of Python's: whichever runs out reports it."""
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    program = kit.wrapper(place, f'ulimit -n {descriptors}; exec "$PROCMAN" "$@"')
    session = place.session("start", "--max-restarts", "1", program=program)
    kit.wait_until(lambda: kit.running(argument) or kit.is_over(session), "a process, or an end")
    session.signal(signal.SIGTERM)
    code = session.wait()
    _no_traceback(session)
    assert code in (0, 70, 126)  # 126: we came up, but had none for the process
    assert code == 0 or "too many open files" in (session.text + session.err.decode()).lower()
    assert kit.running(argument) == []


CROWDED = """import os, resource, sys
limit, free = 270, int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
for fd in range(3, limit - free):
    os.dup2(0, fd)
os.closerange(limit - free, limit)
os.execv({procman!r}, sys.argv)
"""


@pytest.mark.parametrize("free", [*range(5, 13), 16, 20, 24])
def test_descriptors_that_we_inherited_leave_too_few_for_us(place: Place, free: int) -> None:
    """The limit alone looks as if there were plenty."""
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    place.write("crowded.py", CROWDED.format(procman=harness.PROCMAN))
    words = ["start", "--no-guardian", "--max-restarts", "1"]
    session = place.session("crowded.py", str(free), *words, program=sys.executable)
    kit.wait_until(lambda: kit.running(argument) or kit.is_over(session), "a process, or an end")
    session.signal(signal.SIGTERM)
    code = session.wait()
    _no_traceback(session)
    assert code in (0, 70, 126)
    assert kit.running(argument) == []


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 6, 12])
def test_a_user_without_processes_gets_a_sentence(place: Place, processes: int) -> None:
    """Down to one that can never fork: then there is no guardian and no watchdog."""
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.session("start", "-m", "web=20", program=kit.as_nobody(place, f"--nproc={processes}"))
    session.wait_for(r"cannot start: Resource temporarily unavailable; restarting in")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    _no_traceback(session)
    assert kit.running(argument) == []


@pytest.fixture
def pids_group() -> Iterator[Path]:
    """A control group that can be limited."""
    kit.need_root()
    group = _limitable_group()
    if group is None:
        pytest.skip("there is no pids controller here; RLIMIT_NPROC is tested in its place")
    yield group
    kit.wait_until(lambda: not (group / "cgroup.procs").read_text().strip(), "an empty group")
    group.rmdir()


def _limitable_group() -> Path | None:
    for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
        group = root / f"procman-test-{uuid.uuid4().hex[:8]}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "pids.max").exists():
            return group
        group.rmdir()
    return None


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10])
def test_a_pids_limit_gives_a_sentence(place: Place, pids_group: Path, limit: int) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    (pids_group / "pids.max").write_text(str(limit))
    program = kit.wrapper(place, f'echo $$ > {pids_group}/cgroup.procs; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=20", program=program)
    session.wait_for(r"cannot start: Resource temporarily unavailable; restarting in")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    _no_traceback(session)
    assert kit.running(argument) == []


@pytest.mark.parametrize("megabytes", [16, 24, 32, 48])
def test_too_little_memory_leaves_nothing(place: Place, megabytes: int) -> None:
    """Where the interpreter can start at all; whatever then happens to us, no child is left."""
    argument = kit.sleep_time()
    place.procfile(f"web: setsid sleep {argument} & exec sleep {argument}\n")
    program = kit.wrapper(place, f'ulimit -v {megabytes * 1024}; exec "$PROCMAN" "$@"')
    session = place.session("start", "-m", "web=10", program=program)
    kit.wait_until(lambda: session.process.poll() is not None or kit.running(argument), "an end or a beginning")
    kit.kill(session.pid, number=signal.SIGTERM)
    session.wait()
    session.wait_until_gone()
    assert kit.running(argument) == []


def test_a_full_process_table_is_borne_by_run(place: Place) -> None:
    program = kit.as_nobody(place, "--nproc=1")
    session = place.session("run", "--", "sleep", "0", program=program)
    assert session.wait() == 126
    assert b"Traceback" not in session.err
    assert os.path.exists(program)
