"""What follows from events: commands, restarts of dependents, and the number of instances, on the installed command."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

FOREVER = "exec sleep 1000"
NOTE = "echo $PROCMAN_EVENT ${PROCMAN_INSTANCE:--} ${PROCMAN_EXIT_STATUS:--} >> seen"


def test_commands_run_for_events(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\njob: until [ -e go ]; do sleep 0.05; done; exit 4\n")
    place.write(
        "procman.toml",
        f"[on]\nfailed = '{NOTE}'\nready = '{NOTE}; touch go; echo told >&2; exit 1'\nended = '{NOTE}'\n"
        "[process.job]\nrestart = 'never'\n",
    )
    session = place.start()
    session.wait_for("the command for ready exited with code 1: told")
    session.wait_for(r"job\.1 .*code 4")
    session.signal(signal.SIGTERM)
    code = session.wait()
    lines = (place.folder / "seen").read_text().splitlines()
    assert lines == ["ready - -", "failed job.1 4", f"ended - {code}"]


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
