"""What [process.NAME] of procman.toml says holds: every key, seen from outside on the installed command."""

from __future__ import annotations

import re
import signal
import socket
import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

FOREVER = "exec sleep 1000"
# A program that listens on $PORT after a moment, and answers every request with the status in the file `status`.
SERVER = """
import http.server, os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
time.sleep(float(os.environ.get("LATE", "0.3")))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = pathlib.Path("status")
        self.send_response(int(file.read_text()) if file.exists() else 200)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
print("listening", flush=True)
server.serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def served(place: Place, overlay: str, more: str = "") -> str:
    """A Procfile with a server and others; returns the base port as text."""
    place.write("server.py", SERVER)
    place.procfile(f"web: {sys.executable} server.py\n{more}")
    place.write("procman.toml", overlay)
    return str(free_port())


def finish(session: Session) -> int:
    session.signal(signal.SIGTERM)
    return session.wait()


def order(session: Session, *patterns: str) -> None:
    """The lines come in this order."""
    for pattern in patterns:
        session.wait_for(pattern)


# Readiness and dependencies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ready",
    [
        '{ http = "/" }',
        "{ tcp = true, interval = 0.2 }",
        '{ log = "^listen" }',
        '{ exec = "grep -q 0050 /proc/net/tcp || exec 3<>/dev/tcp/127.0.0.1/$PORT" }',
        "{ delay = 0.4 }",
    ],
)
def test_a_dependant_starts_when_the_check_passes_and_not_before(place: Place, ready: str) -> None:
    if "exec" in ready:
        program = 'import os, socket; socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))'
        place.write("try.py", program)
        ready = f'{{ exec = "{sys.executable} try.py", interval = "200ms" }}'
    overlay = f'[process.web]\nready = {ready}\n[process.worker]\ndepends_on = ["web"]\n'
    port = served(place, overlay, f"worker: echo at work; {FOREVER}\n")
    session = place.start("-p", port)
    order(
        session,
        r"web\.1 started",
        r"web\.1 is ready after",
        r"worker\.1 started",
        "at work",
    )
    assert finish(session) == 0


def test_a_migration_runs_to_its_end_first(place: Place) -> None:
    place.procfile(f"web: echo serving; {FOREVER}\nmigrate: echo migrating; sleep 0.3; echo migrated\n")
    place.write("procman.toml", '[process.web]\ndepends_on = { migrate = "service_completed_successfully" }\n')
    session = place.start()
    order(session, r"\| migrated", r"migrate\.1 exited with code 0", r"web\.1 started", "serving")
    assert finish(session) == 0


def test_a_failed_dependency_leaves_its_dependants_down_and_they_say_why(place: Place) -> None:
    place.procfile("web: echo never\nmigrate: exit 3\n")
    overlay = '[process.migrate]\nrestart = "never"\n'
    overlay += '[process.web]\ndepends_on = { migrate = "completed_successfully" }\n'
    place.write("procman.toml", overlay)
    session = place.start()
    assert session.wait() == 3
    assert "web.1 FAILED: not started because migrate.1 failed: exited with code 3" in session.text
    assert "| never" not in session.text


def test_why_tells_whom_an_instance_waits_for(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\ndb: {FOREVER}\n")
    place.write("procman.toml", '[process.web]\ndepends_on = ["db"]\n[process.db]\nready = { tcp = true }\n')
    session = place.start("-p", str(free_port()))
    session.wait_for(r"web\.1 is waiting")
    told = ""
    while "connection refused" not in told:
        told = place.call("why", "web").out
    assert "db.1" in told
    assert finish(session) == 0


def test_what_never_becomes_ready_is_restarted_with_a_budget_and_fails(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\n")
    overlay = '[process.web]\nready = { exec = "echo no such table; exit 1", timeout = 2 }\n'
    place.write("procman.toml", overlay + "max_restarts = 2\nbackoff = 0.1\n")
    session = place.start()
    order(session, r"web\.1 is not ready after 2 s: no such table; stopping it", r"restarting", "FAILED")
    assert session.wait() == 1


def test_a_shutdown_goes_in_reverse_order(place: Place) -> None:
    slow = "trap 'sleep 0.4; echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    place.procfile(f"web: {slow}\napi: {slow}\ndb: {slow}\n")
    place.write("procman.toml", '[process.web]\ndepends_on = ["api"]\n[process.api]\ndepends_on = ["db"]\n')
    session = place.start()
    order(session, r"\| up", r"\| up", r"\| up")
    session.signal(signal.SIGTERM)
    order(session, r"web\.1 stopped", r"api\.1 .*\| bye", r"api\.1 stopped", r"db\.1 .*\| bye", r"db\.1 stopped")
    assert session.wait() == 0


def test_a_shutdown_in_order_has_one_deadline(place: Place) -> None:
    stubborn = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    place.procfile(f"web: {stubborn}\ndb: {stubborn}\n")
    place.write("procman.toml", '[process.web]\ndepends_on = ["db"]\n')
    session = place.start("-t", "2")
    order(session, r"\| up", r"\| up")
    session.signal(signal.SIGTERM)
    assert session.wait() == 143
    assert session.text.count("stopped (killed by SIGKILL)") == 2
    asked = [line for line in session.text.splitlines() if "KILL in" in line]
    assert not [line for line in asked if "KILL in 2" in line], "one deadline, counted from the first signal"


def test_who_is_named_brings_along_what_it_depends_on(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\ndb: {FOREVER}\ncss: {FOREVER}\n")
    place.write("procman.toml", '[process.web]\ndepends_on = ["db"]\n')
    session = place.start("web")
    order(session, r"db\.1 started", r"web\.1 started")
    finish(session)
    assert "css.1" not in session.text


def test_what_is_left_out_is_not_waited_for(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\ndb: {FOREVER}\n")
    place.write("procman.toml", '[process.web]\ndepends_on = ["db"]\n')
    session = place.start("-x", "db")
    order(session, r'procman\.toml:2: "web" depends on "db", which is left out', r"web\.1 started")
    finish(session)


# Health ---------------------------------------------------------------------------------------------------------------


def test_an_unhealthy_process_is_restarted(place: Place) -> None:
    overlay = '[process.web]\nready = { http = "/" }\n'
    overlay += 'health = { http = "/", interval = 0.1, failure_threshold = 2 }\nmin_uptime = 0\n'
    session = place.start("-p", served(place, overlay))
    session.wait_for(r"web\.1 is ready")
    place.write("status", "500")
    session.wait_for(r"web\.1 is unhealthy: HTTP 500 Internal Server Error; stopping it")
    place.write("status", "204")
    order(session, r"web\.1 started", r"web\.1 is ready")
    assert finish(session) == 0


def test_a_line_that_takes_for_ever_to_find_is_not_looked_for_any_more(place: Place) -> None:
    place.procfile(f"web: printf '{'a' * 60}b\\nup\\n'; exec sleep 1000\n")
    place.write("procman.toml", '[process.web]\nready = { log = "(a+)+$", timeout = 3 }\n')
    session = place.start()
    session.wait_for(r"web\.1  \| up")  # the loop continues
    session.wait_for(r"web\.1 .*the pattern '\(a\+\)\+\$' is too slow")
    session.signal(signal.SIGINT)
    session.wait()


@pytest.mark.parametrize(
    ("on_fail", "said"), [("fail", r"web\.1 FAILED: unhealthy: HTTP 503"), ("none", "is unhealthy: HTTP 503")]
)
def test_on_fail_can_be_the_end_or_only_a_word(place: Place, on_fail: str, said: str) -> None:
    overlay = (
        '[process.web]\nready = { log = "listening" }\n'
        f'health = {{ http = "/", interval = 0.1, failure_threshold = 2, on_fail = "{on_fail}" }}\n'
    )
    place.write("status", "503")
    session = place.start("-p", served(place, overlay), env={"LATE": "0"})
    session.wait_for(said)
    if on_fail == "none":
        assert finish(session) == 0
        assert "stopping it" not in session.text
    else:
        assert session.wait() == 1


# Restarts -------------------------------------------------------------------------------------------------------------


def test_each_type_has_its_own_rule_of_restart(place: Place) -> None:
    place.procfile("a: exit 0\nb: sleep 0.1; exit 1\nc: exit 4\n")
    overlay = '[process.a]\nrestart = "always"\nbackoff = 0.05\n[process.b]\nrestart = "no"\n'
    overlay += "[process.c]\nsuccess_exit_codes = [4]\n"
    place.write("procman.toml", overlay)
    session = place.start()
    order(session, r"a\.1 restarting in 0\.[01] s", r"b\.1 FAILED: exited with code 1")
    session.wait_for(r"a\.1 restarting")
    finish(session)
    assert "c.1 exited with code 4" in session.text
    assert "c.1 restarting" not in session.text


def test_the_budget_and_the_delay_of_restarts(place: Place) -> None:
    place.procfile("a: exit 1\n")
    place.write("procman.toml", "[process.a]\nmax_restarts = 3\nbackoff = { initial = 0.01, max = 0.02 }\n")
    session = place.start()
    assert session.wait() == 1
    assert session.text.count("a.1 started") == 3


def test_a_life_of_min_uptime_is_no_quick_death(place: Place) -> None:
    place.procfile("a: sleep 0.2; exit 1\n")
    place.write("procman.toml", "[process.a]\nmin_uptime = 0.1\nmax_restarts = 1\n")
    session = place.start()
    for _ in range(3):
        session.wait_for(r"a\.1 restarting now")
    finish(session)


def test_what_can_die_does_not_end_the_run(place: Place) -> None:
    place.procfile(f"css: exit 1\nweb: {FOREVER}\n")
    place.write("procman.toml", "[process.css]\ncan_die = true\n")
    session = place.start("--foreman")
    session.wait_for(r"css\.1 FAILED")
    assert place.call("ps").out.count("running") == 1
    assert finish(session) == 0


# Stopping -------------------------------------------------------------------------------------------------------------


def test_the_stop_signal_of_the_overlay_and_of_the_flag(place: Place) -> None:
    trap = "trap 'echo got INT; exit 0' INT; trap 'echo got TERM; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    place.procfile(f"a: {trap}\nb: {trap}\nc: {trap}\n")
    place.write("procman.toml", '[process.a]\nstop_signal = "SIGINT"\n[process.b]\nstop_signal = "INT"\n')
    session = place.start("-i", "b=TERM,c=INT")
    for _ in range(3):
        session.wait_for(r"\| up")
    finish(session)
    said = {line.split()[1]: line.split()[-1] for line in session.text.splitlines() if "| got" in line}
    assert said == {"a.1": "INT", "b.1": "TERM", "c.1": "INT"}


def test_the_grace_of_the_overlay(place: Place) -> None:
    place.procfile("a: trap '' TERM; echo up; while :; do sleep 0.05; done\n")
    place.write("procman.toml", '[process.a]\nstop_timeout = "200ms"\n')
    session = place.start()
    session.wait_for(r"\| up")
    assert finish(session) == 143
    assert "still waiting" not in session.text


def test_a_stop_command_is_run_in_place_of_the_signal(place: Place) -> None:
    place.procfile("a: trap 'echo got USR1; exit 0' USR1; echo up; while :; do sleep 0.05; done\n")
    place.write("procman.toml", '[process.a]\nstop_command = "kill -USR1 $PROCMAN_PID"\n')
    session = place.start()
    session.wait_for(r"\| up")
    assert finish(session) == 0
    assert "got USR1" in session.text


def test_a_stop_command_that_fails_is_followed_by_the_signal(place: Place) -> None:
    place.procfile("a: trap 'echo got TERM; exit 0' TERM; echo up; while :; do sleep 0.05; done\n")
    place.write("procman.toml", '[process.a]\nstop_command = "echo no admin; exit 9"\n')
    session = place.start()
    session.wait_for(r"\| up")
    assert finish(session) == 0
    assert "the stop command of a.1 exited with code 9: no admin; sending the signal instead" in session.text
    assert "got TERM" in session.text


# What it gets ---------------------------------------------------------------------------------------------------------


def test_environment_folder_and_port(place: Place) -> None:
    show = 'echo "$A/$B/$C port=$PORT in=$(basename $PWD) $(basename $(pwd)) web=$PROCMAN_WEB_PORT"'
    place.procfile(f"web: {show}\nother: {show}\n")
    place.write("sub/x", "")
    place.write(".env", "A=env\nB=env\nC=env\n")
    place.write("web.env", "B=file\nC=file\n")
    overlay = 'env_file = "web.env"\nenv = { C = "table", D = 1 }\ncwd = "sub"\nport = 6123\n'
    place.write("procman.toml", f"[process.web]\n{overlay}[process.other]\nport = false\n")
    done = place.call("start", "--no-timestamp")
    assert "web.1   | env/file/table port=6123 in=sub sub web=6123" in done.out
    assert f"other.1 | env/env/env port= in={place.folder.name} {place.folder.name} web=6123" in done.out


def test_how_many_and_who_does_not_start_by_itself(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\nconsole: {FOREVER}\n")
    place.write("procman.toml", "[process.web]\nformation = 2\n[process.console]\nautostart = false\n")
    session = place.start()
    order(session, r"web\.1 started", r"web\.2 started")
    assert place.call("start", "console").code == 0
    session.wait_for(r"console\.1 started")
    assert finish(session) == 0
    session = place.start("console")
    session.wait_for(r"console\.1 started")
    finish(session)
    assert place.call("check", "--json", "-m", "web=3").out.count('"name": "web.') == 3


def test_a_terminal_for_one_process_only(place: Place) -> None:
    tty = "test -t 1 && echo terminal || echo pipe"
    place.procfile(f"a: {tty}\nb: {tty}\n")
    place.write("procman.toml", "[process.a]\npty = true\n")
    out = place.call("start", "--no-timestamp").out
    assert "a.1    | terminal" in out
    assert "b.1    | pipe" in out


def test_a_color_and_a_log_file(place: Place) -> None:
    place.procfile("a: echo one\nb: echo two\n")
    overlay = (
        '[process.a]\ncolor = "bright-red"\nlog_file = "logs/a.log"\n[process.b]\nlog_file = "logs/{instance}.txt"\n'
    )
    place.write("procman.toml", overlay)
    out = place.call("start", "--color", "--no-timestamp").out
    assert "\x1b[91ma.1" in out
    assert (place.folder / "logs/a.log").read_text() == "one\n"
    assert (place.folder / "logs/b.1.txt").read_text() == "two\n"


def test_groups_stand_for_their_processes(place: Place) -> None:
    place.procfile("web: echo 1\napi: echo 2\ncss: echo 3\n")
    place.write("procman.toml", '[process.web]\ngroups = ["back"]\n[process.api]\ngroups = "back"\n')
    assert place.call("start", "back").out.count("started with") == 2
    assert place.call("start", "-l", "back,css").out.count("started with") == 3
    assert place.call("start", "-x", "back").out.count("started with") == 1
    for flag, shown in (("--only", {"1", "2"}), ("-q", {"3"})):
        assert set(re.findall(r"\| (\d)$", place.call("start", flag, "back").out, re.MULTILINE)) == shown


def test_a_changed_file_restarts_who_watches_it(place: Place) -> None:
    pytest.importorskip("watchfiles")
    place.procfile(f"web: cat app.py; {FOREVER}\nother: {FOREVER}\n")
    place.write("app.py", "print(1)\n")
    place.write(".gitignore", "generated.py\n")
    place.write("procman.toml", '[process.web]\nwatch = ["*.py", "!test_*.py"]\n')
    session = place.start()
    order(session, r"\| print\(1\)")
    for number in range(2, 60):  # the watcher needs a moment before it sees anything
        place.write("generated.py", "")
        place.write("notes.txt", "")
        place.write("test_app.py", "")
        place.write("app.py", f"print({number})\n")
        try:
            session.wait_for(r"web\.1: app\.py has changed", limit=1.0)
            break
        except AssertionError:
            continue
    session.wait_for(rf"\| print\({number}\)")
    finish(session)
    assert "stopping other.1" not in session.text
    assert "generated.py has" not in session.text
    assert "test_app.py has" not in session.text


def changed(place: Place, session: Session, name: str) -> None:
    """Change a file until the watcher sees it: it needs a moment before it sees anything."""
    for number in range(60):
        place.write(name, f"# {number}\n")
        try:
            session.wait_for(rf"web\.1: {name} has changed", limit=1.0)
            return
        except AssertionError:
            continue
    raise AssertionError(f"nobody watches {name}:\n{session!r}")


WATCHED = '[process.web]\nwatch = ["*.py", ".env"]\n'


def test_a_restart_by_a_change_reads_the_files_again_and_names_what_changed(place: Place) -> None:
    pytest.importorskip("watchfiles")
    place.procfile(f'web: echo "it is $GREETING"; {FOREVER}\n')
    place.write(".env", "GREETING=hello\nAPI_KEY=one\n")
    place.write("procman.toml", WATCHED)
    session = place.start()
    session.wait_for("it is hello")
    changed(place, session, "app.py")
    session.wait_for("it is hello")
    place.write(".env", "GREETING=hallo\nAPI_KEY=two\n")
    session.wait_for(r"system +\| GREETING changed: hello → hallo")
    session.wait_for("it is hallo")
    assert "two" not in session.text
    assert finish(session) == 0


def test_a_restart_by_a_change_goes_on_with_what_is_known_when_the_files_are_wrong(place: Place) -> None:
    pytest.importorskip("watchfiles")
    place.procfile(f'web: echo "it is $GREETING"; {FOREVER}\n')
    place.write(".env", "GREETING=hello\n")
    place.write("procman.toml", WATCHED)
    session = place.start()
    session.wait_for("it is hello")
    place.write("procman.toml", WATCHED + 'retsart = "always"\n')
    changed(place, session, "app.py")
    session.wait_for(
        r'warning: procman\.toml:3: unknown key "retsart" in \[process\.[a-z]+\]; restarting with the previous settings'
    )
    session.wait_for("it is hello")
    assert finish(session) == 0


# Reloading ------------------------------------------------------------------------------------------------------------


def test_a_restart_reads_the_files_again_and_names_what_changed(place: Place) -> None:
    place.procfile(f'web: echo "it is $GREETING, $EXTRA"; {FOREVER}\n')
    place.write(".env", "GREETING=hello\nAPI_KEY=one\n")
    session = place.start()
    session.wait_for("it is hello, ")
    place.write(".env", "GREETING=hallo\nAPI_KEY=two\n")
    place.write("procman.toml", '[process.web]\nenv = { EXTRA = "new" }\n')
    told = place.call("restart", "web")
    assert "GREETING changed: hello → hallo" in told.out + told.err
    assert "API_KEY changed" in told.out + told.err
    assert "EXTRA is new: new" in told.out + told.err
    assert "two" not in told.out + told.err
    session.wait_for("it is hallo, new")
    assert finish(session) == 0


def test_a_start_of_what_is_down_reads_them_too(place: Place) -> None:
    place.procfile(f'web: echo "it is $GREETING"; {FOREVER}\n')
    place.write(".env", "GREETING=hello\n")
    session = place.start()
    session.wait_for("it is hello")
    assert place.call("stop", "web").code == 0
    place.write(".env", "GREETING=hallo\n")
    assert "GREETING changed: hello → hallo" in place.call("start", "web").out
    session.wait_for("it is hallo")
    place.write(".env", "GREETING=salut\n")
    assert "changed" not in place.call("start", "web").out  # it runs already, and stays as it is
    assert finish(session) == 0


def test_a_type_that_is_gone_from_the_procfile_is_no_hindrance_for_the_others(place: Place) -> None:
    place.procfile(f"web: echo one; {FOREVER}\nold: {FOREVER}\n")
    session = place.start()
    session.wait_for(r"\| one")
    place.procfile(f"web: echo two; {FOREVER}\n")
    assert place.call("restart", "web").code == 0
    session.wait_for(r"\| two")
    refused = place.call("restart", "old")
    assert (refused.code, 'procman: Procfile has no process type "old"' in refused.err) == (2, True)
    assert place.call("ps").out.count("running") == 2
    assert place.call("scale", "web=2").code == 0
    assert place.call("stop", "old").code == 0
    assert finish(session) == 0


def test_a_restart_does_not_name_what_did_not_change(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\nlate: {FOREVER}\ndb: {FOREVER}\n")
    place.write("procman.toml", "[process.late]\nautostart = false\ndepends_on = ['db']\n")
    session = place.start("late", "-x", "db")
    session.wait_for("late.1 started")
    told = place.call("restart")
    assert [line for line in told.out.splitlines() if not line.startswith(("late.1 ", "stopping late.1"))] == []
    assert finish(session) == 0


def test_a_check_that_was_written_while_it_runs_is_asked(place: Place) -> None:
    port = served(place, "")
    session = place.start("-p", port)
    session.wait_for("listening")
    place.write("procman.toml", '[process.web]\nready = { http = "/" }\n')
    assert place.call("restart", "web").code == 0
    session.wait_for(r"web\.1 is ready after")
    assert finish(session) == 0


def test_run_has_the_surroundings_of_its_process(place: Place) -> None:
    place.procfile("web: echo $A $(basename $PWD)\n")
    place.write("sub/x", "")
    place.write("procman.toml", '[process.web]\nenv = { A = "own" }\ncwd = "sub"\n')
    assert place.call("run", "web").out == "own sub\n"


# Mistakes -------------------------------------------------------------------------------------------------------------


MISTAKES = """\
timeout = 3

[process.web]
depends_on = { db = "redy", migrat = "completed" }
restrat = "always"
stop_signal = "SIGNIT"
ready = { http = "/health", intervall = 3 }
cwd = "nowhere"

[process.dbb]
restart = "never"

[process.db]
depends_on = ["db"]
max_restarts = -1
"""


def test_check_names_every_mistake_with_its_line_and_a_suggestion(place: Place) -> None:
    place.procfile("web: x\ndb: x\nmigrate: x\n")
    place.write("procman.toml", MISTAKES)
    done = place.call("check")
    assert done.code == 1
    expected = (
        'procman.toml:4: error: depends_on.db must be started, ready, completed or completed_successfully, not "redy"',
        'procman.toml:5: error: unknown key "restrat" in [process.web] (did you mean "restart"?)',
        'procman.toml:6: error: stop_signal must be the name of a signal, not "SIGNIT" (did you mean "INT"?)',
        'procman.toml:7: error: ready.intervall is not a known key (did you mean "interval"?)',
        f"procman.toml:8: error: cwd: {place.folder}/nowhere: no such folder",
        'procman.toml:10: error: Procfile has no process type "dbb" (did you mean "db"?)',
        "procman.toml:14: error: these wait for one another: db → db",
        "procman.toml:15: error: max_restarts must be a number from 0 to 1000000, not the number -1",
    )
    for line in expected:
        assert line in done.out, line


def test_start_refuses_mistakes_with_the_first_of_them(place: Place) -> None:
    place.procfile("web: x\n")
    place.write("pyproject.toml", '[project]\nname = "x"\n\n[tool.procman.process.web]\nrestrat = "always"\n')
    done = place.call("start")
    assert done.code == 2
    assert 'pyproject.toml:5: unknown key "restrat" in [process.web]' in done.err
    assert 'did you mean "restart"?' in done.err


def test_the_local_file_wins_key_by_key(place: Place) -> None:
    place.procfile("web: echo $A $B\n")
    place.write("procman.toml", '[process.web]\nport = 6001\nenv = { A = "1", B = "1" }\n')
    place.write("procman.local.toml", '[process.web]\nenv = { B = "2" }\n')
    out = place.call("start", "--no-timestamp").out
    assert "web.1  | 1 2" in out
    assert "on port 6001" in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("-i", "web"), '"web" does not name a process'),
        (("-i", "web=FOO"), "must be the name of a signal"),
        (("-i", "wbe=INT"), 'no process type "wbe"'),
        (("-r", "wbe"), 'no process type "wbe"'),
        (("--can-die", "x"), 'no process type "x"'),
    ],
)
def test_flags_with_mistakes_are_refused(place: Place, flags: tuple[str, ...], message: str) -> None:
    place.procfile("web: x\n")
    done = place.call("start", *flags)
    assert done.code == 2
    assert message in done.err


def test_auto_restart_restarts_also_after_success(place: Place) -> None:
    place.procfile("web: exit 0\njob: exit 0\n")
    session = place.start("-r", "web")
    session.wait_for(r"web\.1 restarting")
    finish(session)
    assert "job.1 restarting" not in session.text


def test_nothing_is_left_behind_by_checks_and_commands(place: Place) -> None:
    place.procfile(f"web: {FOREVER}\n")
    check = "sleep 1000 & exec sleep 1000"
    place.write(
        "procman.toml", f'[process.web]\nready = {{ exec = "{check}" }}\nstop_command = "sleep 1000 & exit 1"\n'
    )
    session = place.start("-t", "1")
    session.wait_for(r"web\.1 started")
    finish(session)
    session.wait_until_gone()
