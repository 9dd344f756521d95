"""Podman's own generator turns the container units into services that systemd accepts."""

from __future__ import annotations

import shlex
import shutil
import uuid

import pytest

from export.engines.roots import root
from export.plans import plan_of
from export.rig import Application, attempt
from procman.export.application import application
from procman.export.container.first_process import container_argv
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
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
