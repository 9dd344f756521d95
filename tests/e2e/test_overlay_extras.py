"""What follows from events: commands, restarts of dependents, and the number of instances, on the installed command."""

from __future__ import annotations

import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

FOREVER = "exec sleep 1000"
NOTE = "echo $PROCMAN_EVENT ${PROCMAN_INSTANCE:--} ${PROCMAN_EXIT_STATUS:--} >> seen"


def test_commands_run_for_events(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\njob: until [ -e go ]; do sleep 0.05; done; exit 4\n")
    place.write(
        "procman.toml",
        f"[on]\nfailed = '{NOTE}'\nready = '{NOTE}; echo told >&2; exit 1'\nended = '{NOTE}'\n"
        "[process.job]\nrestart = 'never'\n",
    )
    session = place.start()
    session.wait_for("the command for ready exited with code 1: told")
    place.write("go", "")
    session.wait_for(r"job\.1 .*code 4")
    session.signal(signal.SIGTERM)
    code = session.wait()
    lines = (place.folder / "seen").read_text().splitlines()
    assert lines == ["ready - -", "failed job.1 4", f"ended - {code}"]


NOTIFY = """
import os, socket, sys, time
def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.sendto(text.encode(), chr(0) + os.environ["NOTIFY_SOCKET"][1:])
tell("STATUS=loading the model")
while not os.path.exists("go"):
    time.sleep(0.05)
tell("READY=1")
while not os.path.exists("hang"):
    tell("WATCHDOG=1")
    time.sleep(int(os.environ["WATCHDOG_USEC"]) / 1e6 / 10)
os.remove("hang")
time.sleep(1000)
"""


def test_a_process_tells_that_it_is_ready_and_that_it_lives(place: Place) -> None:
    place.write("app.py", NOTIFY)
    place.procfile(f"web: {sys.executable} app.py\nnext: {FOREVER}\n")
    place.write(
        "procman.toml",
        "[process.web]\nready = { notify = true }\nhealth = { notify = true, interval = 1, failure_threshold = 2 }\n"
        "[process.next]\ndepends_on = ['web']\n",
    )
    session = place.start()
    session.wait_for(r"web\.1 started")
    while "loading the model" not in place.call("why", "web").out:
        pass
    assert "next.1" not in session.text.partition("next.1 started")[1]
    place.write("go", "")
    session.wait_for(r"next\.1 started")
    place.write("hang", "")
    session.wait_for(r"web\.1 is unhealthy: no WATCHDOG=1 within 1 s")
    session.wait_for(r"web\.1 started")
    session.signal(signal.SIGTERM)
    session.wait()


def test_a_mistake_in_an_event_is_found_by_check_and_by_start(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\n")
    place.write("procman.toml", '[on]\nfialed = "x"\n')
    for command, code in (("check", 1), ("start", 2)):
        done = place.call(command)
        assert done.code == code
        assert "procman.toml:2: " in done.out + done.err
        assert 'did you mean "failed"?' in done.out + done.err


def test_a_crash_restarts_the_dependent(place: Place) -> None:
    place.procfile(f"db: [ -e again ] || {{ touch again; sleep 0.5; exit 1; }}; {FOREVER}\nweb: {FOREVER}\n")
    place.write(
        "procman.toml", "[process.db]\nbackoff = 0.1\n[process.web]\ndepends_on = { db = { restart = true } }\n"
    )
    session = place.start()
    session.wait_for(r"web\.1 restarts, because db\.1 was restarted")
    session.wait_for(r"web\.1 started with pid")
    session.signal(signal.SIGTERM)
    session.wait()


LONG = "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo"  # more than a pipe holds, before the last line


def test_commands_beside_the_processes_may_print_a_lot(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\nworker: {FOREVER}\n")
    place.write("long.sh", f"{LONG} $1; touch done-$1\n")
    place.write(
        "procman.toml",
        "[on]\nready = 'sh long.sh ready'\nended = 'sh long.sh ended'\n"
        "[process.web]\nready = { exec = 'sh long.sh check' }\nstop_command = 'sh long.sh stop; kill $PROCMAN_PID'\n"
        "[process.worker]\nautoscale = { exec = 'sh long.sh 15', per_instance = 10, max = 2, interval = 1 }\n",
    )
    session = place.start()
    session.wait_for_all(r"web\.1 is ready", r"worker: 15, 10 per instance: scaling from 1 to 2")
    while not (place.folder / "done-ready").exists():
        place.call("ps")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert (place.folder / "done-stop").exists()
    assert (place.folder / "done-ended").exists()
    assert "warning: the command" not in session.text


def test_the_number_of_workers_follows_what_a_command_prints(place: Place) -> None:
    place.procfile(f"worker: {FOREVER}\n")
    place.write("length", "25\n")
    rule = '{ exec = "cat length", per_instance = 10, max = 4, cooldown = 0, interval = 0.2 }'
    place.write("procman.toml", f"[process.worker]\nautoscale = {rule}\n")
    session = place.start()
    session.wait_for(r"worker: 25, 10 per instance: scaling from 1 to 3")
    session.wait_for(r"worker\.3 started")
    place.write("length", "many\n")
    session.wait_for(r'worker is not scaled, because its command printed "many"')
    place.write("length", "0\n")
    session.wait_for(r"scaling from 3 to 1")
    session.wait_for(r"worker\.3 stopped")
    session.signal(signal.SIGTERM)
    session.wait()
