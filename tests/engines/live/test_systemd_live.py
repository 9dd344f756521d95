"""``procman deploy`` and its fellows with the engine systemd, on two machines that ssh reaches."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

import harness
from engines.live.machines import Host, Machines
from engines.live.python_image import put_python
from export.rig import HOSTILE, LIMIT, PROCFILE, WITNESS, Application, parse_environ, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

EXAMPLE = Path(__file__).parents[3] / "examples" / "deploy"
UNITS = "etc/systemd/system"
TABLE = """
[on.lan]
engine = "systemd"
hosts = ["deploy@a", "deploy@b"]
timeout = 60
"""

# Says what it is given, and runs until TERM. It fails if a file says so.
SERVE = r"""#!/bin/sh
trap 'echo "bye $PS"; exit 0' TERM
echo "up $PS port $PORT version $VERSION"
[ ! -e broken ] || { echo "no flux today"; exit 3; }
while :; do sleep 0.1 & wait $!; done
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    found = Machines()
    yield found
    found.end()


class Shop:
    """A project called shop in a git repository, and the hosts that it is deployed to."""

    def __init__(self, folder: Path, machines: Machines, procfile: str, table: str = TABLE) -> None:
        self.folder = folder
        self.machines = machines
        self.a, self.b = machines.hosts
        self.sessions: list[harness.Session] = []
        folder.mkdir()
        self.write("Procfile", procfile)
        self.write("serve", SERVE, 0o755)
        self.write(".env", "VERSION=one\n", 0o600)
        self.write(".gitignore", ".env\n")
        self.write("procman.toml", table)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the project."""
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(mode)

    def call(self, *words: str, code: int = 0, stdin: bytes = b"") -> harness.Finished:
        """Run a command, which must end with this exit code. Its words come before ``--on lan``."""
        first, *others = words
        argv = (first, "--on", "lan", *others)
        done = harness.call(*argv, cwd=self.folder, env=self.machines.env, stdin=stdin, limit=2 * LIMIT)
        assert done.code == code, done
        return done

    def deploy(self, version: str, *words: str, code: int = 0) -> harness.Finished:
        """Deploy with a value in the environment that tells versions apart."""
        self.write(".env", f"VERSION={version}\n", 0o600)
        return self.call("deploy", "--version", version, *words, code=code)

    def session(self, *words: str, pty: bool = False) -> harness.Session:
        """Start a command that the test speaks with."""
        argv = (words[0], "--on", "lan", *words[1:])
        self.sessions.append(harness.Session(*argv, cwd=self.folder, env=self.machines.env, pty=pty))
        return self.sessions[-1]

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return what ps says about each instance."""
        return {row["name"]: row for row in json.loads(self.call("ps", "--json").out)["instances"]}

    def ps(self) -> dict[str, tuple[str, str, str]]:
        """Return node, state and version of each instance."""
        return {name: (row["node"], row["state"], row["version"]) for name, row in self.rows().items()}

    def active(self, host: Host) -> list[str]:
        """Return the active instances on a host."""
        shown = host.machine.call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "shop-*@*")
        units = (line.split()[0].removesuffix(".service") for line in shown.splitlines())
        return sorted(unit.removeprefix("shop-").replace("@", ".") for unit in units)

    def clear(self) -> None:
        """Remove everything from the hosts, whatever a test has left."""
        for session in self.sessions:
            session.kill()
        for host in self.machines.hosts:
            host.machine.attempt("systemctl", "kill", "-s", "KILL", "shop-*.service")
            host.machine.attempt("systemctl", "stop", "shop.target", "shop-*.target", "shop-*.service")
            call = "rm -rf /etc/systemd/system/*shop* /etc/systemd/system/.shop* /srv/shop /srv/shop.releases"
            host.machine.call("sh", "-c", call)
            host.machine.call("systemctl", "daemon-reload")
            host.machine.attempt("systemctl", "reset-failed")


@pytest.fixture
def shop(machines: Machines, tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path / "shop", machines, "web: ./serve\nworker: ./serve\n")
    yield found
    found.clear()


def test_every_instance_gets_the_environment_of_start_byte_for_byte(machines: Machines, tmp_path: Path) -> None:
    app = Application(tmp_path / "app", PROCFILE.replace("LONG", "long"))
    app.add("witness", WITNESS)
    (app.seen / "keep").touch()
    (app.folder / "procman.toml").write_text(TABLE + 'app = "shop"\n')
    shop = Shop.__new__(Shop)
    shop.folder, shop.machines, shop.sessions, (shop.a, shop.b) = app.folder, machines, [], machines.hosts
    try:
        shop.call("deploy", "-m", "web=3,worker=1,clock=1")
        where = {"web.1": shop.a, "web.2": shop.b, "web.3": shop.a, "worker.1": shop.b, "clock.1": shop.a}
        assert {name: row[0] for name, row in shop.ps().items()} == {name: host.name for name, host in where.items()}
        for name, env in app.expected("web=3,worker=1,clock=1").items():
            seen = where[name].root / "srv/shop/seen"
            wait_for((seen / f"{name}.pid").exists, f"{name} is up")
            found = parse_environ((seen / f"{name}.environ").read_bytes())
            assert {key: value for key, value in env.items() if found.get(key) != value} == {}
        assert shop.call("run", "--", "sh", "-c", 'printf %s "$H_QUOTES|$H_NEWLINE"; exit 7', code=7).out == (
            f"{HOSTILE['H_QUOTES']}|{HOSTILE['H_NEWLINE']}"
        )
        assert not [path for path in (shop.a.root / UNITS / "shop").glob("*.env") if path.stat().st_mode & 0o077]
        assert not (shop.a.root / "srv/shop/.env").exists()
    finally:
        shop.clear()


def test_the_counts_stay_and_what_goes_is_the_highest(shop: Shop) -> None:
    done = shop.deploy("v1", "-m", "web=2,worker=1")
    assert "ship: " in done.err
    assert "files, as git lists them" in done.err
    assert "lan: v1 is deployed: web 2, worker 1" in done.out
    assert shop.b.machine.call("systemctl", "is-enabled", "shop.target") == "enabled\n"
    shop.call("scale", "web=5")
    assert (shop.active(shop.a), shop.active(shop.b)) == (["web.1", "web.3", "web.5"], ["web.2", "web.4", "worker.1"])
    shop.call("scale", "web-4", "worker+1")
    assert (shop.active(shop.a), shop.active(shop.b)) == (["web.1", "worker.2"], ["worker.1"])
    assert "with the formation web=99" in shop.call("scale", "web=99", code=1).err
    assert "is deployed (was v1): web 1, worker 2" in shop.deploy("v2").out
    assert shop.ps() == {
        "web.1": ("a", "running", "v2"),
        "worker.1": ("b", "running", "v2"),
        "worker.2": ("a", "running", "v2"),
    }
    releases = shop.a.machine.call("ls", "/srv/shop.releases").split()
    assert [name.partition("-")[2] for name in releases] == ["v1", "v2"]


def test_what_is_stopped_stays_so_until_start(shop: Shop) -> None:
    shop.deploy("v1", "-m", "web=1,worker=2")
    shop.call("stop", "worker")
    assert {name: row[1] for name, row in shop.ps().items()} == {
        "web.1": "running",
        "worker.1": "exited",
        "worker.2": "exited",
    }
    assert "procman stop has stopped it" in shop.call("why", "worker").out
    shop.deploy("v2")
    assert shop.ps()["worker.1"][1] == "exited"
    shop.call("start", "worker")
    assert {row[1:] for row in shop.ps().values()} == {("running", "v2")}


def test_a_failed_release_changes_nothing(shop: Shop) -> None:
    shop.write("Procfile", 'web: ./serve\nrelease: echo "migrates $VERSION as $PS"; [ ! -e broken ]\n')
    shop.deploy("v1")
    shop.write("broken", "")
    done = shop.deploy("v2", code=1)
    assert "release.1 FAILED: ended with 1" in done.err
    assert "  migrates v2 as release.1\n" in done.err
    assert "release failed with exit code 1; v1 still runs" in done.err
    assert shop.ps() == {"web.1": ("a", "running", "v1")}
    assert "version one" not in shop.call("logs", "web").out
    assert "migrates v1 as release.1" in shop.call("logs", "release").out


def test_what_does_not_come_up_leaves_half_of_each_type_alone_and_is_taken_back(shop: Shop) -> None:
    shop.write("procman.toml", f"{TABLE}[process.web]\nmax_restarts = 2\nbackoff = 0.2\n")
    shop.deploy("v1", "-m", "web=2,worker=1")
    shop.write("broken", "")
    done = shop.deploy("v2", "-m", "web=2,worker=1", code=1)
    assert "web.1 FAILED: " in done.err
    assert "  no flux today\n" in done.err
    assert "did not come up; v1 runs again" in done.err
    assert shop.ps() == {
        "web.1": ("a", "running", "v1"),
        "web.2": ("b", "running", "v1"),
        "worker.1": ("b", "running", "v1"),
    }
    log = shop.call("logs", "web.2").out
    assert "version v2" not in log
    assert shop.a.machine.call("cat", "/srv/shop/.gitignore") == ".env\n"
    assert not (shop.a.root / "srv/shop/broken").exists()


def test_a_check_decides_when_it_is_ready_and_the_time_limit_is_an_exit_code(shop: Shop) -> None:
    shop.write(
        "procman.toml",
        f'{TABLE}[process.web]\nready = {{ exec = "[ ! -e never ]", interval = 0.2, timeout = 90 }}\n',
    )
    shop.deploy("v1", "-m", "web=1,worker=0")
    shop.write("never", "")
    done = shop.deploy("v2", "-t", "5", code=124)
    assert "web.1 did not come up within 5 s; v1 runs again" in done.err


# Listens on its port, and ends if another program does. Perl is in every Debian.
LISTEN = r"""#!/usr/bin/perl
use Socket;
socket(my $server, PF_INET, SOCK_STREAM, 0);
bind($server, sockaddr_in($ENV{PORT}, INADDR_ANY)) or die "port $ENV{PORT}: $!\n";
listen($server, 5) or die $!;
print STDERR "listens\n";
sleep 1000;
"""


def test_a_port_that_another_program_has_makes_nothing_ready(shop: Shop) -> None:
    shop.write("Procfile", "web: sleep 1; exec ./listen\n")
    shop.write("listen", LISTEN, 0o755)
    shop.write("procman.toml", f"{TABLE}[process.web]\nready = {{ tcp = true }}\nmax_restarts = 2\nbackoff = 0.2\n")
    shop.deploy("v1", "-m", "web=1")
    shop.call("down")
    stranger = shop.a.root / "root/listen"
    stranger.write_text(LISTEN)
    stranger.chmod(0o755)
    run = ("systemd-run", "--quiet", "--unit=stranger", "--setenv=PORT=5000", "/root/listen")
    shop.a.machine.call(*run)
    try:
        listens = ("grep", "-q", ":1388 .* 0A ", "/proc/net/tcp")
        wait_for(lambda: shop.a.machine.attempt(*listens).returncode == 0, "the other program listens")
        done = shop.deploy("v2", "-m", "web=1", code=1)
        assert re.search(r"web\.1 FAILED: .*\n(.*\n)*  port 5000: Address already in use\n", done.err)
    finally:
        shop.a.machine.call("systemctl", "stop", "stranger.service")


def test_ctrl_c_lets_the_next_deploy_mend_it(shop: Shop) -> None:
    shop.write("procman.toml", f'{TABLE}[process.web]\nready = {{ exec = "[ ! -e never ]", interval = 0.2 }}\n')
    shop.write("never", "")
    session = shop.session("deploy", "--version", "v1", "-m", "web=2")
    session.wait_for("web.1 is starting", stream="err")
    session.signal(signal.SIGINT)
    assert session.wait() == 130
    assert "interrupted while v1 is rolled out" in session.err.decode()
    (shop.folder / "never").unlink()
    shop.deploy("v2", "-m", "web=2")
    assert {row[1:] for row in shop.ps().values()} == {("running", "v2")}

    shop.write("never", "")
    session = shop.session("deploy", "--version", "v3")
    session.wait_for("web.1 is starting", stream="err")
    session.signal(signal.SIGINT)
    assert session.wait() == 130
    done = shop.deploy("v4", "-t", "5", code=124)
    assert "did not come up within 5 s; v2 runs again" in done.err, "v3 never came up"
    assert {row[1:] for row in shop.ps().values()} == {("running", "v2")}


def moment(host: Host, instance: str, what: str) -> int:
    words = ("systemctl", "show", "--value", f"--property={what}TimestampMonotonic", f"shop-{instance}.service")
    return int(host.machine.call(*words))


def last_words(shop: Shop, count: int) -> list[str]:
    """Return the first word of each of the last lines of web, sorted."""
    lines = shop.call("logs", "-n", str(count), "web").out.splitlines()
    return sorted(line.split("| ")[1].split()[0] for line in lines)


def test_a_rolling_restart_takes_one_after_the_other(shop: Shop) -> None:
    shop.deploy("v1", "-m", "web=2")
    done = shop.call("restart", "--rolling", "web")
    assert "restarted: web" in done.out
    # Both machines have the clock of our kernel.
    assert moment(shop.a, "web@1", "ActiveEnter") < moment(shop.b, "web@2", "ActiveExit")
    wait_for(lambda: last_words(shop, 4) == ["bye", "bye", "up", "up"], "the journals have both restarts")


def test_logs_of_all_hosts_are_followed_together(shop: Shop) -> None:
    shop.deploy("v1", "-m", "web=2")
    wait_for(lambda: last_words(shop, 2) == ["up", "up"], "the journals have both starts")
    session = shop.session("logs", "-f", "-n", "1")
    try:
        session.wait_for(r"web\.\d +\| up web")
        shop.call("restart", "web")
        seen = {session.wait_for(r"(web\.\d) +\| bye (web\.\d)")[1] for _ in range(2)}
        assert seen == {"web.1", "web.2"}
        shop.call("down")
        assert session.wait() == 0
        assert "shop has been removed from lan" in session.err.decode()
    finally:
        session.kill()


def test_run_has_the_input_or_the_terminal(shop: Shop) -> None:
    shop.write("Procfile", 'web: ./serve\ntask: echo "$KIND $PROCMAN_PROCESS $VERSION"; pwd\n')
    (shop.folder / "sub").mkdir()
    shop.write("sub/file", "")
    shop.write("procman.toml", f'{TABLE}[process.task]\nenv = {{ KIND = "once" }}\ncwd = "sub"\n')
    shop.deploy("v1", "-m", "web=1,task=0")
    assert re.fullmatch(r"once task v1\n/srv/shop.releases/[^/]+/app/sub\n", shop.call("run", "task").out)
    done = shop.call("run", "--", "sh", "-c", "cat; pwd; id -un; echo $VERSION; exit 3", code=3, stdin=b"in\n")
    assert re.fullmatch(r"in\n/srv/shop.releases/[^/]+/app\ndeploy\nv1\n", done.out)
    assert shop.call("run", "--", "sh", "-c", "kill -KILL $$", code=137).out == ""
    session = shop.session("run", "--", "sh", "-c", "tty; read answer; exit $answer", pty=True)
    session.wait_for("/dev/pts/")
    session.type(b"5\r")
    assert session.wait() == 5


def test_timers_run_what_has_a_schedule(shop: Shop) -> None:
    shop.write("Procfile", "web: ./serve\nclock: echo tick $VERSION\n")
    shop.write("procman.toml", f'{TABLE}[process.clock]\nschedule = {{ every = "1s" }}\n')
    shop.deploy("v1", "-m", "web=1,clock=1")
    assert shop.ps()["clock.1"][0] == "b"
    wait_for(lambda: shop.call("logs", "clock").out.count("tick v1") > 1, "two runs")
    shop.deploy("v2")
    wait_for(lambda: "tick v2" in shop.call("logs", "clock").out, "a run of the new version")
    shop.call("stop", "clock")
    assert shop.b.machine.attempt("systemctl", "is-active", "shop-clock@1.timer").stdout == "inactive\n"
    assert shop.ps()["clock.1"][1] == "exited"


def test_a_dry_run_shows_what_would_change_without_secrets(shop: Shop) -> None:
    shop.deploy("v1", "-m", "web=2")
    assert "lan: nothing would change" in shop.call("deploy", "--dry-run", "--version", "v1").out
    shop.write(".env", "VERSION=v1\nSECRET=hush\n", 0o600)
    shop.write("Procfile", "web: ./serve now\nworker: ./serve\n")
    out = shop.call("deploy", "--dry-run", "--version", "v2", "-m", "web=1").out
    assert "-version v1\n+version v2\n" in out
    assert "-web.2 on deploy@b\n" in out
    assert '-ExecStart=/bin/sh -c "exec ./serve"\n+ExecStart=/bin/sh -c "exec ./serve now"\n' in out
    assert "a, b: shop/shared.env would change (secret: not shown)" in out
    assert "hush" not in out


def test_one_deploys_at_a_time(shop: Shop) -> None:
    lock = shop.a.root / "srv/shop.releases/lock"
    lock.mkdir(parents=True)
    (lock / "owner").write_text("bob@elsewhere, process 1\n1000000000\n9999999999\n")
    assert "bob@elsewhere, process 1 is changing shop; the lock expires in " in shop.deploy("v1", code=1).err
    assert "bob@elsewhere, process 1 is changing shop; the lock expires in " in shop.call("down", code=1).err
    shop.call("deploy", "--unlock")
    assert not lock.exists()
    lock.mkdir()
    (lock / "owner").write_text("bob@elsewhere, process 1\n1000000000\n1000000001\n")
    assert "the lock of bob@elsewhere, process 1 has expired, and is taken over" in shop.deploy("v1").err
    assert not lock.exists()


def test_a_lost_machine_stays_lost(shop: Shop) -> None:
    shop.deploy("v1", "-m", "web=2")
    shop.machines.disconnect()
    shop.b.unplug()
    try:
        done = shop.call("ps")
        assert "deploy@b does not answer" in done.err
        assert re.search(r"web\.1 +running +a", done.out)
        assert re.search(r"web\.2 +unknown +b", done.out)
    finally:
        shop.b.plug_in()
    wait_for(lambda: shop.ps()["web.2"] == ("b", "running", "v1"), "b is there again")


def test_a_full_disk_changes_nothing(shop: Shop) -> None:
    shop.deploy("v1", "-m", "web=2")
    releases = "/srv/shop.releases"
    shop.write("large", "x" * 3_000_000)
    shop.b.machine.call(
        "sh", "-c", "mkdir /full && mount -t tmpfs -o size=1m full /full && mv /srv/shop.releases /full/r"
    )
    shop.b.machine.call("ln", "-s", "/full/r", releases)
    try:
        assert "the disk of deploy@b is full" in shop.deploy("v2", code=1).err
        assert {row[1:] for row in shop.ps().values()} == {("running", "v1")}
        assert shop.b.machine.call("ls", "/full/r").split() == [shop.b.machine.call("ls", "/full/r").split()[0]]
    finally:
        shop.b.machine.call("sh", "-c", "rm /srv/shop.releases && mv /full/r /srv/shop.releases && umount /full")


def test_a_host_that_cannot_be_used_is_named_with_the_reason(shop: Shop) -> None:
    shop.write("procman.toml", TABLE.replace("deploy@b", "alice@b"))
    assert "alice@b may not use sudo without a password" in shop.deploy("v1", code=1).err
    shop.write("procman.toml", TABLE.replace("deploy@b", "mallory@b"))
    assert "mallory@b refuses the login" in shop.deploy("v1", code=1).err
    shop.write("procman.toml", TABLE.replace("deploy@b", "deploy@nowhere.invalid"))
    assert "deploy@nowhere.invalid has a name that cannot be resolved" in shop.deploy("v1", code=1).err
    config, known = shop.machines.folder / "ssh_config", shop.machines.folder / "known_hosts"
    (shop.folder / "ssh_config").write_text(config.read_text().replace(str(known), str(shop.folder / "known")))
    (shop.folder / "known").write_text("")
    shop.write("procman.toml", f'{TABLE}ssh_config = "ssh_config"\n')
    shop.machines.disconnect()
    assert "deploy@a has a host key that is not known here" in shop.deploy("v1", code=1).err
    other = known.read_text().split()[2]
    (shop.folder / "known").write_text(known.read_text().replace(other, other[:-4] + "AAAA"))
    assert "deploy@a has another host key than before" in shop.deploy("v1", code=1).err
    (shop.a.root / "srv/shop").mkdir()
    (shop.a.root / "srv/shop/file").touch()
    shop.write("procman.toml", TABLE)
    assert "/srv/shop on deploy@a exists, and procman has not made it" in shop.deploy("v1", code=1).err


def test_counts_for_each_host_and_a_host_that_leaves(shop: Shop) -> None:
    shop.write("procman.toml", f'{TABLE}[on.lan.formation]\n"deploy@a" = "web=2"\n"deploy@b" = "web=1,worker=1"\n')
    shop.deploy("v1")
    assert {name: row[0] for name, row in shop.ps().items()} == {
        "web.1": "a",
        "web.2": "a",
        "web.3": "b",
        "worker.1": "b",
    }
    shop.write("procman.toml", TABLE.replace(', "deploy@b"', ""))
    shop.deploy("v2")
    assert (shop.active(shop.a), shop.active(shop.b)) == (["web.1", "web.2", "web.3", "worker.1"], [])
    assert not (shop.b.root / "srv/shop").is_symlink()


def test_setup_prepares_the_code_on_each_host(shop: Shop) -> None:
    shop.write("procman.toml", f'{TABLE}setup = "id -un >made; [ ! -e broken ]"\n')
    shop.deploy("v1", "-m", "web=2")
    assert [host.machine.call("cat", "/srv/shop/made") for host in (shop.a, shop.b)] == ["deploy\n"] * 2
    shop.write("broken", "")
    assert "setup failed on deploy@a with exit code 1; v1 still runs" in shop.deploy("v2", code=1).err


def test_units_of_a_user_need_no_root(shop: Shop) -> None:
    shop.write("procman.toml", TABLE.replace("deploy@", "alice@") + "user_units = true\n")
    assert "sudo loginctl enable-linger alice" in shop.deploy("v1", code=1).err
    for host in (shop.a, shop.b):
        host.machine.call("loginctl", "enable-linger", "alice")
        (host.root / "var/log/journal").mkdir(exist_ok=True)
        host.machine.call("systemctl", "restart", "systemd-journald")
    shop.deploy("v1", "-m", "web=2")
    assert shop.ps() == {"web.1": ("a", "running", "v1"), "web.2": ("b", "running", "v1")}
    assert re.fullmatch(r"/home/alice/shop.releases/.*\n", shop.call("run", "pwd").out)
    wait_for(lambda: "up web.2" in shop.call("logs").out, "the journal of the user")
    shop.call("scale", "web=1")
    session = shop.session("logs", "-f", "-n", "1")
    try:
        session.wait_for(r"web\.\d +\| (bye|up) web")
        shop.call("down")
        assert session.wait() == 0
        assert "shop has been removed from lan" in session.err.decode()
    finally:
        session.kill()
    assert not (shop.a.root / "home/alice/shop.releases").exists()


@pytest.fixture
def notes(machines: Machines, tmp_path: Path) -> Iterator[Shop]:
    """Yield the example of docs/deploy.md as a project that is deployed to the two machines."""
    notes = Shop.__new__(Shop)
    notes.sessions = []
    notes.folder, notes.machines, (notes.a, notes.b) = tmp_path / "deploy", machines, machines.hosts
    shutil.copytree(EXAMPLE, notes.folder)
    table = (EXAMPLE / "procman.toml").read_text().replace("[on.machines", "[on.lan").replace(".example", "")
    notes.write("procman.toml", table.replace('app = "notes"', 'app = "shop"').replace('"/srv/notes"', '"/srv/shop"'))
    for host in machines.hosts:
        host.machine.attempt("useradd", "--system", "notes")
        put_python(host.root)
    yield notes
    notes.clear()


def test_the_example_works_over_two_machines_and_is_kept_when_a_version_fails(notes: Shop) -> None:
    settings = f"STORE_HOST={notes.a.address}\nSTORE_BIND=0.0.0.0\nTICK=3600\n"
    notes.write(".env.machines", f"{settings}SECRET_KEY=s3cr3t\n", 0o600)
    done = notes.call("deploy", "--version", "1")
    assert "lan: 1 is deployed: web 2, worker 4, clock 1, store 1\n" in done.out
    ports = {name: row["port"] for name, row in notes.rows().items()}
    queue = f"urllib.request.urlopen('http://{notes.b.address}:{ports['web.2']}/jobs', b'hello').status"
    assert notes.call("run", "--", "python", "-c", f"import urllib.request; print({queue})").out == "202\n"
    wait_for(lambda: "has done 'hello'" in notes.call("logs", "worker").out, "the job is done")

    notes.write(".env.machines", settings, 0o600)
    done = notes.call("deploy", "--version", "2", code=1)
    assert "missing in the env file: SECRET_KEY" in done.err
    assert {row[1:] for row in notes.ps().values()} == {("running", "1")}
    notes.call("stop")
    ends = {f"worker.{number} leaves no job behind" for number in (1, 2, 3, 4)}
    wait_for(
        lambda: ends <= {line.split("| ")[1] for line in notes.call("logs", "worker").out.splitlines()}, "it is so"
    )
    notes.call("down")


def is_silent(host: Host, *argv: str) -> bool:
    return host.machine.call(*argv) == ""


def test_down_leaves_nothing_of_the_application_and_everything_of_another(shop: Shop) -> None:
    shop.write("procman.toml", f'{TABLE}app = "shop.eu"\n')
    shop.deploy("v1", "-m", "web=2,worker=0")
    shop.write("procman.toml", TABLE)
    shop.deploy("v1", "-m", "web=2,worker=2")
    assert "shop is removed from lan" in shop.call("down").out
    shop.write("procman.toml", f'{TABLE}app = "shop.eu"\n')
    assert shop.ps() == {"web.1": ("a", "running", "v1"), "web.2": ("b", "running", "v1")}
    shop.call("down")
    shop.write("procman.toml", TABLE)
    for host in (shop.a, shop.b):
        assert shop.active(host) == []
        assert host.machine.call("find", "/etc/systemd", "/srv", "-name", "*shop*") == ""
        listed = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "shop*")
        wait_for(partial(is_silent, host, *listed), "systemd has forgotten all units")
    assert "shop is not deployed to lan" in shop.call("ps", code=1).err


def test_a_port_can_move_to_another_type_of_a_new_version(machines: Machines, shop: Shop) -> None:
    for host in machines.hosts:
        put_python(host.root)
    serve = "exec python -m http.server $PORT"
    shop.write("Procfile", f"web: {serve}\nworker: {serve}\n")
    ports = (
        "[process.web]\nready = {{ tcp = true }}\nport = {}\n[process.worker]\nready = {{ tcp = true }}\nport = {}\n"
    )
    shop.write("procman.toml", TABLE + ports.format(5000, 5100))
    shop.deploy("v1", "-m", "web=4,worker=4")
    assert shop.rows()["worker.4"]["port"] == 5103
    shop.write("procman.toml", TABLE + ports.format(5103, 5300))  # web.1 and worker.4 are on the same machine
    assert "v2 is deployed (was v1)" in shop.deploy("v2").out
    assert {(row["state"], row["version"]) for row in shop.rows().values()} == {("running", "v2")}
    assert shop.rows()["web.1"]["port"] == 5103
