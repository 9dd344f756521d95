"""Podman's own generator turns the container units into services that systemd accepts, and Podman runs them."""

from __future__ import annotations

import shlex
import shutil
import uuid

import pytest

from export.engines.docker import Container, image
from export.engines.roots import Machine, root
from export.plans import plan_of
from export.rig import HOSTILE, Application, attempt, wait_for
from procman.export.application import application
from procman.export.container.first_process import container_argv
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUADLET = "/usr/libexec/podman/quadlet"


def generated(out: Path, *words: str) -> str:
    """Return the output of a debootstrapped system's generator for ``out``."""
    debian = root("trixie")
    inside = f"/tmp/{uuid.uuid4().hex}"
    shutil.copytree(out, debian / inside[1:], symlinks=True)
    try:
        done = attempt("env", f"QUADLET_UNIT_DIRS={inside}", "chroot", debian, QUADLET, "-dryrun", *words)
    finally:
        shutil.rmtree(debian / inside[1:])
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("words", [(), ("-user",)], ids=["system", "user"])
def test_the_generator_makes_a_service_of_each_instance(
    app: Application, tmp_path: Path, words: tuple[str, ...]
) -> None:
    app.export(
        "quadlet",
        tmp_path / "out",
        "-m",
        "web=2,worker=1",
        "--image",
        "localhost/shop:1",
        *(["--user"] if words else []),
    )
    said = generated(tmp_path / "out", *words)
    for name in ("shop-web@.service", "shop-worker@.service"):
        assert f"---{name}---" in said
    assert "unsupported key" not in said.lower()
    assert "ExecStart=" in said


def test_the_release_is_a_service_that_has_started_when_it_has_ended(tmp_path: Path) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\nrelease: ./migrate && echo done\n", {})
    app.export("quadlet", tmp_path / "out", "--image", "localhost/shop:1")
    said = generated(tmp_path / "out")
    assert "unsupported" not in said.lower()
    release, web = said.index("---shop-release@.service---"), said.index("---shop-web@.service---")
    parts = {
        "release": said[release : web if web > release else None],
        "web": said[web : release if release > web else None],
    }
    assert "Type=oneshot" in parts["release"]
    assert "Type=oneshot" not in parts["web"]
    assert "Requires=shop-release@1.service" in parts["web"]


def test_the_command_arrives_as_it_is(app: Application, tmp_path: Path) -> None:
    app.export("quadlet", tmp_path / "out", "-m", "clock=1", "--image", "localhost/shop:1")
    line = next(line for line in generated(tmp_path / "out").splitlines() if line.startswith("ExecStart="))
    # For this line, systemd's quoting is close enough to a shell's, apart from two escapes.
    words = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line.partition("=")[2])]
    command = (app.folder / "Procfile").read_text().split("clock: ")[1].strip()
    script, line, *_ = words[-5:]
    assert line.replace("exec ", "") == command
    expected = container_argv(application(plan_of("clock: ./witness\n"), ExportOptions(app="shop")).services[0])[2]
    assert spoken(script.replace("\\n", "\n")) == spoken(expected)


def spoken(script: str) -> list[str]:
    """Return the lines without comments, which systemd leaves out, and without the blanks of an indent."""
    return [line.strip() for line in script.splitlines() if not line.strip().startswith("#")]


# A machine in a machine has fewer rights than a server: no overlay over an overlay, no keyring, no control groups.
STORAGE = '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "{folder}/storage"\n'
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
keyring = false
netns = "host"
seccomp_profile = "unconfined"
"""
LINES = """\
web: ./witness & ./witness & wait
mail: pwd; exec ../witness
release: sleep 1; echo migrated
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine("trixie", tmp_path)
    try:
        etc = machine.folder / "etc/containers"
        (etc / "storage.conf").write_text(STORAGE.format(folder=tmp_path))
        (etc / "containers.conf").write_text(CONTAINERS)
        limits = etc / "systemd/container.d/limits.conf"
        limits.parent.mkdir(parents=True)
        limits.write_text("[Container]\nPodmanArgs=--cgroups=disabled\n")
        (tmp_path / "image.tar").write_bytes(image())
        machine.call("podman", "import", "--change=WORKDIR=/app", f"{tmp_path}/image.tar", "localhost/shop:1")
        yield machine
    finally:
        machine.end()


def test_podman_starts_and_stops_as_start_does(machine: Machine, tmp_path: Path) -> None:
    values = {name: value for name, value in HOSTILE.items() if name not in ("H_LONG", "H_EMPTY")}  # lines are limited
    own = {"HOME": "/app", "NOTIFY_SOCKET": "/nowhere", "CONTAINER_HOST": "ssh://a b", "NOTHING": ""}
    app = Application(tmp_path / "shop", LINES, {**values, **own})
    (app.folder / "mail").mkdir()
    (app.folder / "procman.toml").write_text('[process.mail]\ncwd = "mail"\n')
    app.export("quadlet", machine.folder / "etc/containers/systemd", "--image", "localhost/shop:1")
    machine.call("systemctl", "daemon-reload")

    def said(name: str) -> list[str]:
        return machine.call("journalctl", "--output=cat", "--no-pager", f"--unit=shop-{name}@1").splitlines()

    machine.call("systemctl", "start", "shop-web@1", "shop-mail@1")
    wait_for(lambda: said("web").count("up") == 2 and "up" in said("mail"), "all are up")
    together = machine.call("journalctl", "--output=cat", "--no-pager", "--unit=shop-*").splitlines()
    assert together.index("migrated") < together.index("up"), "the release has ended before"
    assert "/app/mail" in said("mail")
    expected = app.expected("web=1,mail=1,release=1")
    for name in ("web", "mail"):
        environ = Container("\n".join(said(name))).environ
        assert {key: value for key, value in expected[f"{name}.1"].items() if environ.get(key) != value} == {}
    machine.call("systemctl", "stop", "shop-web@1", "shop-mail@1")
    wait_for(lambda: (said("web").count("bye"), said("mail").count("bye")) == (2, 1), "the journal has their ends")
    for name in ("web", "mail"):
        assert machine.attempt("systemctl", "is-active", f"shop-{name}@1").stdout.split()[-1] == "inactive"


def test_podman_kills_what_is_unhealthy_and_systemd_starts_it_again(machine: Machine, tmp_path: Path) -> None:
    lines = "web: ./witness\nsite: exec busybox httpd -f -p $PORT -h /app\n"
    app = Application(tmp_path / "shop", lines, {"SICK": 'say "%h" $HOME'})
    (app.folder / "procman.toml").write_text(
        "[process.web]\n"
        'health = { exec = \'[ ! -e /app/sick ] && [ "$SICK" = "say \\"%h\\" \\$HOME" ]\', interval = 1,'
        " failure_threshold = 2 }\n"
        '[process.site]\nhealth = { http = "/witness", interval = 1 }\n'
    )
    app.export(
        "quadlet", machine.folder / "etc/containers/systemd", "--image", "localhost/shop:1", "-m", "web=1,site=2"
    )
    machine.call("systemctl", "daemon-reload")
    machine.call("systemctl", "start", "shop-web@1", "shop-site@1", "shop-site@2")

    def lives() -> int:
        journal = machine.call("journalctl", "--output=cat", "--no-pager", "--unit=shop-web@1").splitlines()
        return journal.count("up")

    wait_for(lambda: lives() == 1, "it is up")
    wait_for(lambda: machine.call("podman", "ps", "--format={{.Status}}").count("(healthy)") == 3, "all checks pass")
    machine.call("podman", "exec", "shop-web-1", "touch", "/app/sick")
    wait_for(lambda: lives() > 1, "it has been restarted")
