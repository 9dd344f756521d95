"""``procman init``: a first Procfile from the files of other tools, on the installed command."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness

PYTHON = "python" if shutil.which("python") or not shutil.which("python3") else "python3"
SCHEMA = Path(__file__).parents[2] / "src" / "procman" / "cli" / "options" / "procman.schema.json"


def _schema_of(overlay: str) -> bytes:
    """What an editor of TOML finds by the first line of the file."""
    directive, _, address = overlay.splitlines()[0].partition(" ")
    assert directive == "#:schema"
    return Path(unquote(urlsplit(address).path)).read_bytes()


def names(place: harness.Place) -> list[str]:
    return sorted(path.name for path in place.folder.iterdir())


def test_it_writes_a_procfile_that_starts(place: harness.Place) -> None:
    place.write(
        "process-compose.yaml",
        "processes:\n  one: {command: echo I am one, working_dir: sub}\n  two: {command: echo two}\n",
    )
    (place.folder / "sub").mkdir()
    done = place.call("init")
    assert done.code == 0, done
    assert "Procfile: ok — 2 process types (one, two)" in done.out
    assert "# from process-compose.yaml: processes.one\none: echo I am one\n" in (place.folder / "Procfile").read_text()
    assert '[process.one]\ncwd = "sub"\n' in (place.folder / "procman.toml").read_text()
    assert _schema_of((place.folder / "procman.toml").read_text()) == SCHEMA.read_bytes()
    started = place.call("start")
    assert (started.code, "I am one" in started.out) == (0, True), started


@pytest.mark.parametrize("folder", [".venv", "venv", "env"])
def test_the_programs_of_a_virtual_environment_start(place: harness.Place, folder: str) -> None:
    place.write("manage.py", "")
    place.write("shop/celery.py", "app = Celery('shop')\n")
    for program in ("python", "celery"):
        place.write(f"{folder}/bin/{program}", f'#!/bin/sh\necho "{program} of {folder} gets $1"\n', mode=0o755)
    done = place.call("init")
    assert (done.code, "not found" in done.out + done.err) == (0, False), done
    started = place.call("start")
    assert (started.code, f"python of {folder} gets manage.py" in started.out) == (0, True), started
    assert f"celery of {folder} gets -A" in started.out, started


def test_a_system_without_python_has_python3(place: harness.Place) -> None:
    place.write("manage.py", "")
    for program in ("sh", "python3"):
        place.write(f"bin/{program}", "#!/bin/sh\n", mode=0o755)
    done = place.call("init", "--dry-run", env={"PATH": f"{place.folder}/bin"})
    assert "\nweb: python3 manage.py runserver $PORT\n" in done.out, done


def test_a_dry_run_writes_nothing(place: harness.Place) -> None:
    place.write("package.json", json.dumps({"scripts": {"dev": "vite", "worker": "node w.js"}}))
    place.write("manage.py", "")
    done = place.call("init", "--dry-run")
    assert (done.code, done.err, names(place)) == (0, "", ["manage.py", "package.json"])
    lines = [line for line in done.out.splitlines() if line and not line.startswith("#")]
    assert lines == [
        f"web: {PYTHON} manage.py runserver $PORT",
        "dev: npm run dev -- --port $PORT --strictPort",
        "worker: npm run worker",
    ]
    assert "# from package.json: scripts.dev\n" in done.out


@pytest.mark.parametrize("name", ["Procfile", "Procfile.dev"])
def test_it_never_replaces_a_procfile(place: harness.Place, name: str) -> None:
    place.write("manage.py", "")
    place.write(name, "web: mine\n")
    done = place.call("init")
    assert (done.code, done.out, name in done.err) == (2, "", True), done
    assert (place.folder / name).read_text() == "web: mine\n"
    assert names(place) == sorted(["manage.py", name])


def test_a_broken_link_is_not_replaced_either(place: harness.Place) -> None:
    place.write("manage.py", "")
    (place.folder / "Procfile").symlink_to("elsewhere")
    assert place.call("init").code == 2
    assert names(place) == ["Procfile", "manage.py"]


def test_a_configuration_file_stays_as_it_is(place: harness.Place) -> None:
    place.write("procman.toml", "port = 7000\n")
    place.write("mprocs.yaml", "procs:\n  web: {shell: echo hi, autostart: false}\n")
    done = place.call("init")
    assert (done.code, "    [process.web]\n    autostart = false\n" in done.out) == (0, True), done
    assert (place.folder / "procman.toml").read_text() == "port = 7000\n"


def test_tables_for_pyproject_have_its_names(place: harness.Place) -> None:
    place.write("pyproject.toml", "[tool.procman]\nport = 7000\n")
    place.write("mprocs.yaml", "procs:\n  web: {shell: echo hi, autostart: false}\n")
    done = place.call("init")
    assert (done.code, "    [tool.procman.process.web]\n" in done.out) == (0, True), done
    assert names(place) == ["Procfile", "mprocs.yaml", "pyproject.toml"]


def test_of_many_at_the_same_time_one_writes(place: harness.Place) -> None:
    place.write("manage.py", "")
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(done.code for done in pool.map(lambda _: place.call("init"), range(8)))
    assert codes == [0] + [2] * 7
    assert names(place) == ["Procfile", "manage.py"]


def test_a_folder_that_shows_nothing(place: harness.Place) -> None:
    place.write("README.md", "hello\n")
    done = place.call("init")
    assert (done.code, done.out, names(place)) == (1, "", ["README.md"])
    assert "no file in this folder shows what to run" in done.err


def test_only_images_are_nothing_to_start(place: harness.Place) -> None:
    place.write("compose.yaml", "services:\n  db: {image: 'postgres:16'}\n")
    done = place.call("init")
    assert (done.code, "postgres:16" in done.err, names(place)) == (1, True, ["compose.yaml"])


def test_what_cannot_be_read_does_not_hide_the_rest(place: harness.Place) -> None:
    place.write("package.json", "{" + " " * (50 << 20))
    place.write("Cargo.toml", "[[[")
    place.write("compose.yaml", "a: [")
    place.write("go.mod", b"\xff\xfe")
    place.write("mprocs.yaml", "[" * 50_000)
    place.write("app.py", "app = Flask(__name__)\n")
    (place.folder / "main.py").symlink_to("main.py")
    (place.folder / "Gemfile").mkdir()
    os.mkfifo(place.folder / "process-compose.yaml")
    done = place.call("init")
    assert (done.code, "Traceback" in done.err) == (0, False), done
    for file in ("package.json", "Cargo.toml", "compose.yaml", "go.mod", "mprocs.yaml", "Gemfile", "process-compose"):
        assert f"warning: {file}" in done.err
    assert "web: flask --app app run --debug --port $PORT\n" in (place.folder / "Procfile").read_text()


def test_objects_in_yaml_are_not_made(place: harness.Place) -> None:
    place.write("mprocs.yaml", "procs:\n  web: !!python/object/apply:os.system ['touch evil']\n  b: {shell: echo b}\n")
    done = place.call("init")
    assert (done.code, names(place)) == (0, ["Procfile", "mprocs.yaml"]), done


def test_without_pyyaml_it_says_what_is_missing(place: harness.Place) -> None:
    place.write("lib/yaml.py", "raise ImportError\n")
    place.write("compose.yaml", "services: {}\n")
    place.write("manage.py", "")
    done = place.call("init", env={"PYTHONPATH": str(place.folder / "lib")})
    assert (done.code, "PyYAML" in done.err, "pyyaml` installs it" in done.err) == (0, True, True), done


def test_the_files_have_the_usual_mode(place: harness.Place) -> None:
    place.write("manage.py", "")
    mask = os.umask(0o027)
    try:
        assert place.call("init").code == 0
    finally:
        os.umask(mask)
    assert (place.folder / "Procfile").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_cannot_be_written(place: harness.Place) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    place.write("manage.py", "")
    place.folder.chmod(0o500)
    done = place.call("init")
    place.folder.chmod(0o700)
    assert (done.code, "cannot be written" in done.err, names(place)) == (2, True, ["manage.py"]), done


def test_it_takes_no_names(place: harness.Place) -> None:
    done = place.call("init", "web")
    assert (done.code, "takes no names" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("package.json", '{"workspaces": ["apps/*"]}'),
        ("pnpm-workspace.yaml", "packages: [apps/*]"),
        ("pyproject.toml", '[tool.uv.workspace]\nmembers = ["apps/*"]'),
        ("Cargo.toml", '[workspace]\nmembers = ["apps/*"]'),
        ("go.work", "use ./apps/api"),
    ],
)
def test_a_workspace_without_programs_of_its_own_is_named(place: harness.Place, file: str, text: str) -> None:
    place.write(file, text)
    done = place.call("init")
    assert (done.code, f"{file} is a workspace: run procman init in the folder of a member" in done.err) == (1, True), (
        done
    )
