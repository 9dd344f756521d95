"""systemd as PID 1 runs its export, in the oldest and the newest version available."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from export.engines.roots import Machine
from export.rig import LAUNCHER, POOL, PROCFILE, Application, attempt, need, wait_for
from procman.runtime.system.scopes import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATION = "web=2,worker=1,clock=1"
INSTANCES = ("web.1", "web.2", "worker.1", "clock.1")
UNITS = "etc/systemd/system"


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """Yield a folder that the machines see, too. It is not below /tmp, since they have their own."""
    folder = Path(tempfile.mkdtemp(prefix="procman-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def machine(request: pytest.FixtureRequest, shared: Path) -> Iterator[Machine]:
    machine = Machine(request.param, shared)
    yield machine
    machine.end()


@pytest.fixture
def place(machine: Machine, shared: Path) -> Iterator[Path]:
    """Yield an empty folder that the machine sees, and remove the test's units."""
    folder = Path(tempfile.mkdtemp(dir=shared))
    folder.chmod(0o755)
    yield folder
    machine.attempt("systemctl", "stop", "shop.target", "shop-*.target", "shop-*.service")
    for entry in (machine.folder / UNITS).glob("shop*"):
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    machine.call("systemctl", "daemon-reload")
    machine.attempt("systemctl", "reset-failed")


def install(machine: Machine, app: Application, *words: str) -> None:
    app.seen.chmod(0o777)
    app.export("systemd", machine.folder / UNITS, "--user", "daemon", *words)
    machine.call("systemctl", "daemon-reload")
    machine.call("systemctl", "enable", "--now", "shop.target")


UNKNOWN = re.compile(r"Unknown key( name)? 'Restart(Steps|MaxDelaySec|Mode)'")


def state(machine: Machine, instance: str) -> str:
    type_, _, number = instance.rpartition(".")
    return machine.attempt("systemctl", "is-active", f"shop-{type_}@{number}.service").stdout.strip()


def is_active(machine: Machine, unit: str) -> bool:
    return machine.attempt("systemctl", "is-active", unit).stdout.strip() == "active"


def is_logged(machine: Machine, name: str) -> bool:
    log = machine.attempt("journalctl", "--no-pager", "-o", "cat", "-t", f"shop-{name}")
    return f"up {name}" in log.stdout


def wanted(machine: Machine, unit: str) -> list[str]:
    return machine.call("systemctl", "show", "--value", "--property=Wants", unit).split()


def outside(machine: Machine, pid: int) -> int:
    """Return our pid of a process that is ``pid`` in the machine."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            numbers = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()[1:]
            same = os.readlink(status.parent / "ns/pid") == os.readlink(f"/proc/{machine.leader}/ns/pid")
        except (OSError, StopIteration):
            continue
        if same and int(numbers[-1]) == pid:
            return int(numbers[0])
    raise AssertionError(f"the machine has no process {pid}")


def test_everything_arrives_comes_back_and_ends(machine: Machine, place: Path) -> None:
    app = Application(place / "shop")
    install(machine, app, "-m", FORMATION)
    for name, env in app.expected(FORMATION).items():
        app.pid(name)
        assert app.environ(name).items() >= env.items()
        assert "PROCMAN_SESSION" not in app.environ(name)
        wait_for(partial(is_logged, machine, name), f"the journal of {name}")
    for type_ in ("web", "worker", "clock"):
        assert (app.seen / f"{type_}.1.args").read_bytes().split(b"\0")[:-1] == app.arguments(type_)

    killed = app.pid("web.2")
    app.forget("web.2")
    os.kill(outside(machine, killed), signal.SIGKILL)
    assert app.pid("web.2") != killed

    machine.call("systemctl", "stop", "shop.target")
    wait_for(lambda: all(state(machine, name) == "inactive" for name in INSTANCES), "every instance is inactive")
    assert {path.name for path in app.seen.glob("*.bye")} >= {f"{name}.bye" for name in ("web.1", "web.2", "clock.1")}
    assert (app.seen / "worker.1.bye").exists()
    app.wait_until_gone()


def test_any_values_arrive(machine: Machine, place: Path) -> None:
    source = random.Random(4711)
    alphabet = "ab \t\n\r\x01\x1b\x7f\\\"'`$%#;=&{}()[]<>|*?~!^,.:@/äß€🚀\u0085\u2028\ufeff"
    values = {f"V{n}": "".join(source.choices(alphabet, k=source.randrange(12))) for n in range(500)}
    app = Application(place / "shop", "web: ./witness\n", values)
    install(machine, app)
    app.pid("web.1")
    seen = app.environ("web.1")
    assert {name: value for name, value in app.expected("web=1")["web.1"].items() if seen.get(name) != value} == {}


def test_what_dies_at_once_is_given_up_and_what_is_done_rests(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "crash: echo x >>seen/crashes; exit 3\nonce: echo x >>seen/once\nno: nowhere\n")
    install(machine, app, "--max-restarts", "2")
    wait_for(lambda: state(machine, "crash.1") == "failed", "systemd gives up")
    wait_for(lambda: state(machine, "no.1") == "failed", "systemd does not try again what cannot be run")
    wait_for(lambda: state(machine, "once.1") == "inactive", "what is done rests")
    assert (app.seen / "crashes").read_text() == "x\n" * 2
    assert (app.seen / "once").read_text() == "x\n"
    assert "NRestarts=0" in machine.call("systemctl", "show", "shop-no@1.service")


def test_a_signal_that_systemd_calls_clean_is_a_failure(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: ./witness\nworker: echo >>seen/lives; sleep 0.1; kill -HUP $$; sleep 9\n")
    install(machine, app)
    lives = app.seen / "lives"
    wait_for(lambda: lives.exists() and len(lives.read_text()) > 1, "a second life")


def test_what_ignores_the_signal_is_killed_after_the_grace(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: trap '' TERM; echo > seen/web.1.pid; sleep 1000; sleep 1000\n")
    install(machine, app, "-t", "1")
    wait_for((app.seen / "web.1.pid").exists, "the process is up")
    machine.call("systemctl", "stop", "shop.target")
    wait_for(lambda: state(machine, "web.1") == "failed", "systemd has killed it")
    app.wait_until_gone()


def test_a_launcher_that_dies_leaves_its_program_the_grace(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: ./launcher\n")
    app.add("launcher", LAUNCHER)
    install(machine, app)
    app.pid("web.1")
    machine.call("systemctl", "stop", "shop.target")
    wait_for(lambda: state(machine, "web.1") == "inactive", "the unit is inactive")
    assert (app.seen / "web.1.bye").exists()
    app.wait_until_gone()


@pytest.mark.parametrize("command", ["./pool", "true && ./pool"])
def test_a_pool_finishes_the_job_of_its_worker(machine: Machine, place: Path, command: str) -> None:
    app = Application(place / "shop", f"pool: {command}\n")
    app.add("pool", POOL)
    (app.folder / "procman.toml").write_text('[process.pool]\nstop_to = "program"\nstop_timeout = 30\n')
    install(machine, app)
    app.pid("pool.1")
    machine.call("systemctl", "stop", "shop-pool@1.service")
    assert (app.seen / "pool.job").exists()
    assert (app.seen / "pool.bye").exists()
    assert state(machine, "pool.1") == "inactive"


def test_a_stop_command_runs_instead_of_the_signal(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: ./witness\n")
    command = 'echo "$PROCMAN_PID $PS" >seen/command; sleep 0.1; kill $PROCMAN_PID # and no more'
    (app.folder / "procman.toml").write_text(f"[process.web]\nstop_command = '{command}'\n")
    install(machine, app)
    pid = app.pid("web.1")
    machine.call("systemctl", "stop", "shop-web@1.service")
    assert (app.seen / "command").read_text() == f"{pid} web.1\n"
    assert (app.seen / "web.1.bye").exists()
    assert state(machine, "web.1") == "inactive"


@pytest.mark.parametrize("command", ["true && sleep 1000", "sleep 1000"])
def test_what_is_stopped_by_its_own_signal_has_not_failed(machine: Machine, place: Path, command: str) -> None:
    app = Application(place / "shop", f"web: echo >seen/up; {command}\n" if "&" in command else f"web: {command}\n")
    (app.folder / "procman.toml").write_text('[process.web]\nstop_signal = "QUIT"\n')
    install(machine, app)
    machine.call("systemctl", "stop", "shop-web@1.service")
    assert state(machine, "web.1") == "inactive"


def test_an_outage_is_survived_with_growing_pauses(machine: Machine, place: Path) -> None:
    app = Application(
        place / "shop", 'web: date +%s.%N >>seen/tries; [ "$(wc -l <seen/tries)" -gt 6 ] && exec ./witness\n'
    )
    (app.folder / "procman.toml").write_text("[process.web]\nbackoff = { initial = 0.2, max = 10 }\n")
    install(machine, app, *(("--max-restarts", "7") if machine.grows else ("--keep-trying",)))
    app.pid("web.1")
    assert "NRestarts=6" in machine.call("systemctl", "show", "shop-web@1.service")
    starts = [float(line) for line in (app.seen / "tries").read_text().split()]
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert not machine.grows or pauses[-1] > 2 * pauses[0]


def test_the_release_runs_first_and_nothing_starts_if_it_fails(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: ./witness\nrelease: echo x >>seen/release; sleep 0.5; [ -e seen/fixed ]\n")
    with pytest.raises(AssertionError, match="failed"):
        install(machine, app)
    assert (state(machine, "release.1"), state(machine, "web.1")) == ("failed", "inactive")
    (app.seen / "fixed").touch()
    machine.call("systemctl", "start", "shop.target")
    killed = app.pid("web.1")
    app.forget("web.1")
    os.kill(outside(machine, killed), signal.SIGKILL)
    app.pid("web.1")
    assert (app.seen / "release").read_text() == "x\n" * 2
    machine.call("systemctl", "restart", "shop.target")
    assert (app.seen / "release").read_text() == "x\n" * 3
    wait_for(lambda: state(machine, "web.1") == "active", "the application is up again")


def test_what_waits_for_a_success_starts_after_it(machine: Machine, place: Path) -> None:
    retry = "[ -e seen/tried ] || { touch seen/tried; exit 1; }; " if machine.grows else ""
    lines = f"web: [ -e seen/done ] && exec ./witness\nbuild: {retry}sleep 0.5; touch seen/done\nlazy: ./witness\n"
    app = Application(place / "shop", lines)
    (app.folder / "procman.toml").write_text(
        '[process.web]\nrestart = "never"\ndepends_on = { build = "completed_successfully" }\n'
        "[process.lazy]\nautostart = false\n"
    )
    install(machine, app)
    app.pid("web.1")
    assert (state(machine, "build.1"), state(machine, "lazy.1")) == ("active", "inactive")
    machine.call("systemctl", "start", "shop-lazy.target")
    app.pid("lazy.1")


def test_what_waits_for_readiness_starts_after_it(machine: Machine, place: Path) -> None:
    lines = "web: sleep 0.5; touch seen/listens; exec ./witness\nworker: [ -e seen/listens ] && exec ./witness\n"
    app = Application(place / "shop", lines)
    (app.folder / "procman.toml").write_text(
        '[process.web]\nready = { exec = "[ $PS = web.1 ] && [ -e seen/listens ]", interval = 0.2 }\n'
        '[process.worker]\nrestart = "never"\ndepends_on = ["web"]\n'
    )
    install(machine, app)
    app.pid("worker.1")
    assert state(machine, "web.1") == "active"


def test_a_crash_restarts_the_dependent_that_wants_it(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "api: ./witness\nweb: ./witness\nother: ./witness\n")
    (app.folder / "procman.toml").write_text(
        "[process.api]\nbackoff = 0.2\n"
        "[process.web]\ndepends_on = { api = { restart = true } }\n[process.other]\ndepends_on = ['api']\n"
    )
    install(machine, app)
    before = {name: app.pid(f"{name}.1") for name in ("api", "web", "other")}
    os.kill(outside(machine, before["api"]), signal.SIGKILL)
    wait_for(lambda: app.pid("api.1") != before["api"] and app.pid("web.1") != before["web"], "both are up again")
    assert app.pid("other.1") == before["other"]


@pytest.mark.parametrize(("command", "timeout"), [("exit 0", 300), ("exec sleep 1000", 0.5)])
def test_what_is_never_ready_has_failed(machine: Machine, place: Path, command: str, timeout: float) -> None:
    app = Application(place / "shop", f"web: {command}\n")
    (app.folder / "procman.toml").write_text(
        f'[process.web]\nready = {{ exec = "false", timeout = {timeout} }}\nmax_restarts = 2\nbackoff = 0.2\n'
    )
    install(machine, app)
    wait_for(lambda: state(machine, "web.1") == "failed", "systemd gives up")
    # The second restart is refused. A life may be too short for the program to write anything.
    assert "NRestarts=2" in machine.call("systemctl", "show", "shop-web@1.service").split()


@pytest.fixture
def stranger(machine: Machine, place: Path) -> Iterator[str]:
    """Yield the port of an application's first process, on which a program of another unit listens."""
    program = place / "stranger"
    program.write_text(LISTENING)
    program.chmod(0o755)
    machine.call("systemd-run", "--quiet", "--unit=stranger", "--setenv=PORT=5000", str(program))
    wait_for(lambda: machine.attempt("grep", "-q", ":1388 .* 0A ", "/proc/net/tcp").returncode == 0, "it listens")
    yield "5000"
    machine.call("systemctl", "stop", "stranger.service")


@pytest.mark.parametrize("check", ["tcp = true", "exec = 'true $PORT'", "exec = 'exit 0 # $PORT'"])
def test_another_program_on_the_port_makes_nothing_ready(
    machine: Machine, place: Path, stranger: str, check: str
) -> None:
    zombie = "perl -e 'fork or exit; sleep 2' & "  # no one else may see its files
    app = Application(place / "shop", f"web: {zombie}sleep 1; exec ./listening\n")
    app.add("listening", LISTENING)
    (app.folder / "procman.toml").write_text(f"[process.web]\nready = {{ {check} }}\nmax_restarts = 2\nbackoff = 0.2\n")
    install(machine, app)
    assert app.expected("web=1")["web.1"]["PORT"] == stranger
    wait_for(lambda: state(machine, "web.1") == "failed", "systemd gives up")
    shown = machine.call("systemctl", "show", "shop-web@1.service").split()
    assert "ActiveEnterTimestampMonotonic=0" in shown, "it has never counted as started"
    assert "ExecMainStatus=3" in shown


def test_another_program_makes_ready_what_says_so(machine: Machine, place: Path, stranger: str) -> None:
    app = Application(place / "shop", "web: ./witness\n")
    (app.folder / "procman.toml").write_text(f"[process.web]\nready = {{ tcp = {stranger}, anyone = true }}\n")
    install(machine, app)
    assert state(machine, "web.1") == "active"


@pytest.mark.parametrize("command", ["exec ./listening", "(sleep 0.3; exec ./listening) & ./witness"])
def test_any_process_of_an_instance_makes_it_ready(machine: Machine, place: Path, command: str) -> None:
    app = Application(place / "shop", f"web: {command}\n")
    app.add("listening", LISTENING)
    (app.folder / "procman.toml").write_text("[process.web]\nready = { tcp = true, interval = 0.2 }\n")
    install(machine, app)
    assert state(machine, "web.1") == "active"


def test_each_instance_has_the_limits_of_the_overlay(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: ./witness\n", {})
    (app.folder / "procman.toml").write_text("[process.web]\nmemory_max = '256m'\ncpu_max = 1.5\npids_max = 64\n")
    install(machine, app)
    app.pid("web.1")
    names = ("MemoryMax", "CPUQuotaPerSecUSec", "TasksMax", "OOMPolicy")
    shown = machine.call("systemctl", "show", *(f"--property={name}" for name in names), "shop-web@1.service")
    found = set(shown.split())
    assert found == {"MemoryMax=268435456", "CPUQuotaPerSecUSec=1.500000s", "TasksMax=64", "OOMPolicy=kill"}


def test_systemd_grants_the_scope_that_start_requests(machine: Machine, place: Path) -> None:
    unit = "procman-test-web.1-7.scope"
    pid = machine.call("sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!").strip()
    line = request("--system", unit, [int(pid)], 256 << 20, 1.5, 64)
    machine.call("sh", "-c", line)
    names = ("ActiveState", "MemoryMax", "CPUQuotaPerSecUSec", "TasksMax", "CollectMode")
    wait_for(lambda: is_active(machine, unit), "the scope is active")
    found = set(machine.call("systemctl", "show", *(f"--property={name}" for name in names), unit).split())
    limits = {"MemoryMax=268435456", "CPUQuotaPerSecUSec=1.500000s", "TasksMax=64"}
    assert found == {"ActiveState=active", "CollectMode=inactive-or-failed", *limits}
    assert unit in machine.call("cat", f"/proc/{pid}/cgroup")
    machine.call("kill", pid)
    wait_for(lambda: not is_active(machine, unit), "the end of the scope")


def test_a_smaller_formation_takes_its_units_away(machine: Machine, place: Path) -> None:
    app = Application(place / "shop")
    install(machine, app, "-m", "web=2,worker=1")
    app.pid("web.2")
    app.pid("worker.1")
    done = app.export("systemd", machine.folder / UNITS, "--user", "daemon", "-m", "web=1")
    assert "remove shop-web.target.wants/shop-web@2.service" in done.out
    stop = next(line.split() for line in done.out.splitlines() if line.startswith("    systemctl stop "))
    assert stop[2:] == ["shop-web@2.service", "shop-worker@1.service"]
    machine.call(*stop)
    assert all((app.seen / f"{name}.bye").exists() for name in ("web.2", "worker.1"))
    machine.call("systemctl", "daemon-reload")
    assert wanted(machine, "shop.target") == ["shop-web.target"]
    assert wanted(machine, "shop-web.target") == ["shop-web@1.service"]
    assert not list((machine.folder / UNITS / "shop").glob("w*.[02].env"))


def test_what_is_scaled_away_does_not_start_again(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "web: ./witness\n")
    install(machine, app, "-m", "web=2")
    first = app.pid("web.1")
    app.pid("web.2")
    app.export("systemd", machine.folder / UNITS, "--user", "daemon", "-m", "web=1")
    machine.call("systemctl", "daemon-reload")
    app.forget("web.1")
    machine.call("systemctl", "restart", "shop.target")
    assert app.pid("web.1") != first
    wait_for(lambda: state(machine, "web.2") == "inactive", "web.2 is down, and has not failed")
    assert (app.seen / "web.2.bye").exists()


def test_the_verifier_has_nothing_to_say(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", f"{PROCFILE}build: ./build\nlazy: ./debug\nrelease: ./migrate && ./collect\n")
    (app.folder / "procman.toml").write_text(
        '[process.web]\nstop_command = "./stop $PROCMAN_PID # 50% {{ it\'s }}"\n'
        '[process.worker]\nrestart = "always"\nstop_signal = "QUIT"\nstop_to = "program"\n'
        'depends_on = { build = "completed_successfully" }\n'
        "[process.lazy]\nautostart = false\n"
    )
    app.export("systemd", machine.folder / UNITS, "--user", "daemon", "-m", "all=1,web=2")
    machine.call("systemctl", "daemon-reload")
    units = [path.name for path in (machine.folder / UNITS).glob("shop*") if path.is_file()]
    found = machine.call("systemd-analyze", "verify", "--man=no", *(f"/{UNITS}/{unit}" for unit in units))
    assert [line for line in found.splitlines() if machine.grows or not UNKNOWN.search(line)] == []


def test_units_of_a_user_run_in_the_users_own_manager(machine: Machine, place: Path) -> None:
    app = Application(place / "shop")
    app.seen.chmod(0o777)
    if machine.attempt("id", "alice").returncode:
        machine.call("useradd", "--create-home", "--shell", "/bin/sh", "alice")
    machine.call("loginctl", "enable-linger", "alice")
    uid = machine.call("id", "-u", "alice").strip()
    units = "home/alice/.config/systemd/user"
    machine.call("runuser", "-u", "alice", "--", "mkdir", "-p", f"/{units}")
    app.export("systemd", machine.folder / units, "-m", FORMATION, "--user")
    machine.call("chown", "-R", "alice:alice", f"/{units}")
    bus = ("env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "systemctl", "--user")
    manager = ("runuser", "-u", "alice", "--", *bus)
    wait_for(lambda: machine.attempt(*manager, "daemon-reload").returncode == 0, "the user's manager is up")
    machine.call(*manager, "enable", "--now", "shop.target")
    for name, env in app.expected(FORMATION).items():
        app.pid(name)
        assert app.environ(name).items() >= env.items()
    machine.call(*manager, "stop", "shop.target")
    app.wait_until_gone()


def test_the_verifier_of_this_machine_is_asked_by_check(app: Application) -> None:
    need("systemd-analyze")
    out = app.folder.parent / "out"
    done = app.export("systemd", out, "-m", FORMATION, "--check")
    assert "systemd-analyze verify: no problems found" in done.err
    service = out / "shop-web@.service"
    service.write_text(service.read_text().replace("KillMode=", "KilMode="))
    assert attempt("systemd-analyze", "verify", "--man=no", service).stdout


# Perl is in every Debian. It answers each connection with its instance, and needs a moment to start.
ACCEPTING = r"""#!/usr/bin/perl
use Socket;
exit 9 unless $ENV{LISTEN_PID} == $$ && $ENV{LISTEN_FDS} == 1 && $ENV{LISTEN_FDNAMES} eq "web";
select(undef, undef, undef, 0.3);
my $over = 0;
$SIG{TERM} = sub { $over = 1; exit 0 unless $busy };
open(my $server, "+<&=", 3) or exit 8;
while (!$over) {
    accept(my $client, $server) or next;
    local $busy = 1;
    syswrite($client, "$ENV{PS} $$");
    close($client);
}
"""


# Listens on its port, and ends with 3 if another program does.
LISTENING = r"""#!/usr/bin/perl
use Socket;
socket(my $server, PF_INET, SOCK_STREAM, 0);
bind($server, sockaddr_in($ENV{PORT}, INADDR_ANY)) or exit 3;
listen($server, 5) or exit 4;
sleep 1000;
"""


def answer(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        return client.recv(100).decode()


def listening(place: Path, overlay: str) -> tuple[Application, Path]:
    app = Application(place / "shop", "web: ./accepting\n")
    app.add("accepting", ACCEPTING)
    (app.folder / "procman.toml").write_text(f"[process.web]\nlisten = {{ web = 'web.sock' }}\n{overlay}\n")
    return app, app.folder / "web.sock"


def test_the_start_of_everything_waits_for_each_instance(machine: Machine, place: Path) -> None:
    app, path = listening(place, "")
    slow = machine.folder / UNITS / "shop-web.web@1.socket.d/slow.conf"
    slow.parent.mkdir()
    slow.write_text("[Socket]\nExecStartPre=/bin/sleep 1\n")
    install(machine, app)
    assert state(machine, "web.1") == "active"
    assert answer(path).startswith("web.1 ")


def test_a_socket_stays_open_over_restarts_and_crashes(machine: Machine, place: Path) -> None:
    app, path = listening(place, "backoff = 0.2")
    install(machine, app)
    first = answer(path)
    assert first.startswith("web.1 ")
    machine.call("systemctl", "restart", "--no-block", "shop-web@1.service")
    answers = {first}
    while len(answers) < 2:
        answers.add(answer(path))  # never refused
    wait_for(lambda: state(machine, "web.1") == "active", "the service is active again")
    current = answer(path)
    machine.call("systemctl", "kill", "--signal=KILL", "shop-web@1.service")
    # What was killed may already have accepted a connection. It closes that without an answer.
    wait_for(lambda: answer(path) not in {*answers, current, ""}, "another process answers")
    machine.call("systemctl", "stop", "shop.target")
    wait_for(lambda: not path.exists(), "the socket is gone with the target")


def test_a_shared_socket_goes_to_every_instance(machine: Machine, place: Path) -> None:
    app, path = listening(place, "share = true")
    install(machine, app, "-m", "web=3")
    seen: set[str] = set()
    while len(seen) < 3:
        seen.add(answer(path).split()[0])
    assert seen == {"web.1", "web.2", "web.3"}


def test_the_first_connection_starts_the_service(machine: Machine, place: Path) -> None:
    app, path = listening(place, 'start_on = "connection"')
    install(machine, app)
    assert state(machine, "web.1") == "inactive"
    assert answer(path).startswith("web.1 ")
    wait_for(lambda: state(machine, "web.1") == "active", "systemd has noticed that it runs")


def test_a_timer_runs_it_by_the_clock(machine: Machine, place: Path) -> None:
    app = Application(place / "shop", "tick: echo x >>seen/runs\nnightly: echo x >>seen/nights; sleep 1000\n")
    hour = (time.gmtime().tm_hour + 12) % 24  # by the clock of Berlin, this is 10 or 11 hours away
    (app.folder / "procman.toml").write_text(
        '[process.tick]\nschedule = { every = "1s" }\n'
        f'[process.nightly]\nschedule = {{ cron = "0 {hour} * * mon-fri", tz = "Europe/Berlin", timeout = "5s" }}\n'
    )
    install(machine, app)
    wait_for(lambda: (app.seen / "runs").exists() and len((app.seen / "runs").read_text()) > 3, "two runs")
    timers = machine.call("systemctl", "list-timers", "--no-pager", "--all")
    assert "shop-nightly@1.timer" in timers
    assert not (app.seen / "nights").exists()
    machine.call("systemctl", "start", "shop-nightly@1.service")
    wait_for((app.seen / "nights").exists, "it runs by hand, too")
    wait_for(lambda: state(machine, "nightly.1") == "failed", "a run that lasts too long has failed")
    machine.call("systemctl", "stop", "shop.target")
    assert "shop-tick@1.timer" not in machine.call("systemctl", "list-timers", "--no-pager")
