"""The Debian package: what is in it, that lintian accepts it, and that procman works from it."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "packaging" / "debian"
LIMIT = 300.0  # seconds; the build installs packages


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    folder = tmp_path_factory.mktemp("deb")
    env = harness.environment({"PYTHON": sys.executable})
    done = subprocess.run(
        [SOURCE / "build", folder], env=env, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def unpacked(package: Path) -> Path:
    """Return the folder of what the package would install."""
    folder = package.parent / "unpacked"
    subprocess.run(["dpkg-deb", "-x", package, folder], timeout=LIMIT, check=True)
    return folder


def test_it_has_the_command_its_page_and_its_completion(unpacked: Path) -> None:
    assert os.access(unpacked / "usr/bin/procman", os.X_OK)
    with gzip.open(unpacked / "usr/share/man/man1/procman.1.gz", "rt") as page:
        assert page.read() == (ROOT / "man/procman.1").read_text()
    for script in (
        "usr/share/bash-completion/completions/procman",
        "usr/share/zsh/vendor-completions/_procman",
        "usr/share/fish/vendor_completions.d/procman.fish",
    ):
        assert "_PROCMAN_COMPLETE" in (unpacked / script).read_text()
    assert (unpacked / "usr/share/doc/procman-cli/copyright").is_file()


def test_each_package_in_it_has_its_license(unpacked: Path) -> None:
    named = (unpacked / "usr/share/doc/procman-cli/copyright").read_text()
    private = unpacked / "usr/lib/procman"
    packages = [path.name for path in private.iterdir() if path.is_dir() and not path.name.endswith(".dist-info")]
    assert len(packages) > 5
    assert [name for name in packages if name != "procman" and f"usr/lib/procman/{name}/*" not in named] == []
    assert [path for path in private.glob("*.dist-info") if not list(path.rglob("LICENSE*"))] == []


def test_it_works_with_each_python(unpacked: Path) -> None:
    compiled = [path.name for path in unpacked.rglob("*.so")]
    assert compiled
    assert [name for name in compiled if not name.endswith(".abi3.so")] == []


def test_the_command_runs_and_looks_nowhere_else(unpacked: Path, place: harness.Place) -> None:
    script = (unpacked / "usr/bin/procman").read_text()
    assert script.startswith("#!/usr/bin/python3 -I\n")
    program = place.write("command", script.replace("/usr/lib/procman", str(unpacked / "usr/lib/procman")))
    place.procfile("web: echo up\n")
    place.write("click.py", "raise SystemExit('a module of the user')\n")

    def call(*words: str) -> str:
        env = {"PYTHONPATH": str(place.folder)}
        command = (sys.executable, "-I", str(program))
        done = harness.call(*words, cwd=place.folder, env=env, limit=LIMIT, program=command)
        assert done.code == 0, done
        return done.out

    assert "ok" in call("check")
    assert "Usage: procman start" in call("start", "--help")
    assert "up" in call("start", "--restart", "never", "--no-port")
    assert "depends_on" in call("help", "overlay")


def test_lintian_accepts_it(package: Path) -> None:
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    words = ["lintian", "--allow-root", "--info", "--display-info", "--fail-on", "error,warning,info", str(package)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout


def test_scripts_of_maintainers_are_sound() -> None:
    for name in ("build", "postinst", "prerm", "try", "try-inside"):
        assert subprocess.run(["sh", "-n", SOURCE / name], check=False).returncode == 0, name
