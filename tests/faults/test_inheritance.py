"""What we are given at birth, closed streams, ignored signals, blocked signals, open files, does not reach children."""

from __future__ import annotations

import os
import re
import signal

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

REPORT = """
import os, re, signal
status = open("/proc/self/status").read()
fields = dict(re.findall(r"^(Sig\\w+):\\s*(\\w+)$", status, re.M))
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
print("fds", [n for n in fds if os.path.exists(f"/proc/self/fd/{n}")], flush=True)
print("ignored", fields["SigIgn"], "blocked", fields["SigBlk"], flush=True)
print("stdin", os.readlink("/proc/self/fd/0"), flush=True)
"""
PYTHONS_OWN = (1 << (signal.SIGPIPE - 1)) | (1 << (signal.SIGXFSZ - 1))  # it ignores these itself

# Prepares a process as no shell can, then becomes procman.
PREPARE = """
import os, signal, sys
what = os.environ["WHAT"]
if what == "ignored":
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
if what == "sigchld":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if what == "blocked":
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
if what == "files":
    for fd in range(3, 10):
        os.dup2(2, fd, inheritable=True)
os.execv(os.environ["PROCMAN"], [os.environ["PROCMAN"], *sys.argv[1:]])
"""


def _prepared(place: Place, what: str) -> str:
    prepare = kit.script(place, "prepare.py", PREPARE)
    return kit.wrapper(place, f'WHAT={what} PROCMAN=$PROCMAN exec {prepare} "$@"')


@pytest.mark.parametrize("what", ["nothing", "ignored", "sigchld", "blocked", "files"])
def test_a_child_starts_clean(place: Place, what: str) -> None:
    kit.need_linux()
    place.procfile(f"web: {kit.script(place, 'report.py', REPORT)}; exec sleep {(argument := kit.sleep_time())}\n")
    session = place.session("start", program=_prepared(place, what))
    assert session.wait_for(r"fds \[([\d, ]*)\]").group(1) in ("0, 1, 2", "0, 1, 2, 3")  # 3: the folder being listed
    masks = session.wait_for(r"ignored (\w+) blocked (\w+)")
    assert int(masks.group(1), 16) & ~PYTHONS_OWN & 0x7FFFFFFF == 0
    assert int(masks.group(2), 16) == 0
    session.wait_for(r"stdin pipe:")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_signals_that_were_ignored_at_birth_are_obeyed(place: Place, number: int) -> None:
    kit.need_linux()
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    session = place.session("start", program=_prepared(place, "ignored"))
    kit.wait_running(1, argument)
    session.signal(number)
    session.wait()
    assert kit.running(argument) == []


def test_the_end_is_seen_although_sigchld_was_ignored(place: Place) -> None:
    place.procfile("web: exit 3\n")
    session = place.session("start", "--restart", "never", program=_prepared(place, "sigchld"))
    assert session.wait() == 3


def test_a_background_job_of_a_script_obeys_interrupts(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    program = kit.wrapper(place, '"$PROCMAN" "$@" & echo "job $!" >&2; wait $!; echo "code $?" >&2')
    session = place.session("start", program=program)
    pid = int(session.wait_for(r"job (\d+)", stream="err").group(1))
    kit.wait_running(1, argument)
    os.kill(pid, signal.SIGINT)
    session.wait_for("code 130", stream="err")
    assert kit.running(argument) == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_trap(place: Place, closed: str) -> None:
    argument = kit.sleep_time()
    seen = place.folder / "seen"
    place.procfile(f"web: echo out; echo err >&2; [ -p /dev/fd/0 ] && echo pipe > {seen}; exec sleep {argument}\n")
    session = place.session("start", program=kit.wrapper(place, f'exec "$PROCMAN" "$@" {closed}'))
    kit.wait_running(1, argument)
    assert seen.read_text() == "pipe\n"
    if ">&-" not in closed.replace("2>&-", ""):
        session.wait_for(r"\| err")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(argument) == []


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_run_and_check_bear_closed_streams(place: Place, closed: str) -> None:
    place.procfile("web: exit 5\n")
    program = kit.wrapper(place, f'exec "$PROCMAN" "$@" {closed}')
    assert place.session("run", "web", program=program).wait() == 5
    assert place.session("check", program=program).wait() == 0


def test_what_lived_before_us_in_our_process_is_left_alone(place: Place) -> None:
    """`other & exec procman start`: the other process is our child, but we have not started it."""
    other, ours = kit.sleep_time(), kit.sleep_time()
    place.procfile(f"web: exec sleep {ours}\n")
    session = place.session("start", program=kit.wrapper(place, f'sleep {other} & exec "$PROCMAN" "$@"'))
    kit.wait_running(2, other, ours)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(ours) == []
    assert len(kit.running(other)) == 1
    assert re.search(r"all stopped: 1 instance", session.text)


def test_without_a_guardian_what_lived_before_is_left_alone_too(place: Place) -> None:
    other, ours = kit.sleep_time(), kit.sleep_time()
    place.procfile(f"web: exec sleep {ours}\n")
    program = kit.wrapper(place, f'sleep {other} & exec "$PROCMAN" "$@"')
    session = place.session("start", "--no-guardian", program=program)
    kit.wait_running(2, other, ours)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert kit.running(ours) == []
    assert len(kit.running(other)) == 1
