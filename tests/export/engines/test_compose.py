"""Docker Compose reads compose.yaml as intended. No daemon is needed for that."""

from __future__ import annotations

import json
import random
import shutil
import uuid
from pathlib import Path

import pytest

from export.engines.roots import root
from export.rig import Application, attempt, call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess

FORMATION = "web=2,worker=1,clock=1"


class Compose:
    """Compose 2 of this machine, or of the debootstrapped one, whose files this machine can read."""

    def __init__(self) -> None:
        program = shutil.which("docker-compose")
        is_new = program is not None and " v2" in f" v{call(program, 'version', '--short').lstrip('v')}"
        self.argv = [program] if program and is_new else ["chroot", str(root("trixie")), "docker-compose"]
        self.prefix = Path() if is_new else root("trixie")

    def __call__(self, folder: Path, *words: str, file: str = "") -> CompletedProcess[str]:
        """Run it in a copy of ``folder`` that it can see, with the default files or only ``file``."""
        if self.argv[0] != "chroot":
            named = ("-f", f"{folder}/{file}") if file else ()
            return attempt(*self.argv, *named, "--project-directory", folder, *words, cwd=folder)
        inside = f"/tmp/{uuid.uuid4().hex}"
        copy = self.prefix / inside[1:]
        shutil.copytree(folder, copy, symlinks=True)
        try:
            named = ("-f", f"{inside}/{file}") if file else ()
            return attempt(*self.argv, *named, "--project-directory", inside, *words)
        finally:
            shutil.rmtree(copy)


@pytest.fixture(scope="module")
def compose() -> Compose:
    return Compose()


def read(compose: Compose, folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    done = compose(folder, "config", "--format=json")
    assert done.returncode == 0, done.stdout
    services: dict[str, dict[str, dict[str, str]]] = json.loads(done.stdout[done.stdout.index("{") :])["services"]
    return services


def test_every_value_is_read_back(app: Application, compose: Compose, tmp_path: Path) -> None:
    out = tmp_path / "out"
    app.export("compose", out, "--image", "shop:1", "-m", FORMATION)
    assert (out / "compose.yaml").stat().st_mode & 0o077 == 0, "it holds what no env file can"
    services = read(compose, out)
    for name in ("web", "worker", "clock"):
        expected = app.expected(FORMATION)[f"{name}.1"]
        seen = {key: value.replace("$$", "$") for key, value in services[name]["environment"].items()}
        assert seen == expected


def test_any_values_are_read_back(tmp_path: Path, compose: Compose) -> None:
    source = random.Random(42)
    alphabet = "ab \t\n\x01\x1b\x7f\\\"'`$%#;=&{}()[]<>|*?~!^,.:@/äß€🚀\u2028"
    values = {f"V{n}": "".join(source.choices(alphabet, k=source.randrange(8))) for n in range(500)}
    app = Application(tmp_path / "shop", "web: ./witness\n", values)
    app.export("compose", tmp_path / "out", "--image", "shop:1")
    seen = read(compose, tmp_path / "out")["web"]["environment"]
    expected = app.expected("web=1")["web.1"]
    assert {name: value.replace("$$", "$") for name, value in seen.items()} == expected


def test_ordinary_values_stay_out_of_compose_yaml(tmp_path: Path, compose: Compose) -> None:
    app = Application(tmp_path / "shop", "web: ./witness\n", {"SECRET": "s3cret with blanks", "URL": "a://b:c@d/e?f=1"})
    out = tmp_path / "out"
    app.export("compose", out, "--image", "shop:1")
    assert "s3cret" not in (out / "compose.yaml").read_text()
    assert (out / "compose.yaml").stat().st_mode & 0o777 == 0o644
    assert (out / "shop.env").stat().st_mode & 0o777 == 0o600
    assert read(compose, out)["web"]["environment"] == app.expected("web=1")["web.1"]


def test_compose_takes_both_files_and_each_alone(app: Application, compose: Compose, tmp_path: Path) -> None:
    out = tmp_path / "out"
    app.export("compose", out, "--image", "shop:1", "-m", FORMATION)
    for file in ("", "compose.yaml"):
        done = compose(out, "config", "-q", file=file)
        assert done.returncode == 0, done.stdout
