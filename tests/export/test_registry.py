"""Formats by name: the built-in ones, found without a search for plug-ins, and those of plug-ins."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import harness
from export.plans import Export, plan_of
from procman.cli.commands.export_folder import Folder
from procman.errors import ProcmanError, UsageError
from procman.export.file import ExportFile
from procman.export.options import ExportOptions
from procman.export.registry import BUILT_IN, find, unused_options

PLUGIN = Path(__file__).parents[2] / "examples" / "exporter-plugin"


@pytest.fixture
def with_plugin(tmp_path: Path) -> dict[str, str | None]:
    """Return an environment in which the example looks installed: its source and its wheel's metadata."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / "procman_digitalocean-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["procman.exporters"]
    lines = [f"{name} = {value}\n" for name, value in points.items()]
    (info / "entry_points.txt").write_text("[procman.exporters]\n" + "".join(lines) + "broken = nowhere:render\n")
    return {"PYTHONPATH": os.pathsep.join((str(PLUGIN / "src"), str(tmp_path / "site")))}


def test_the_example_of_a_plugin_writes_its_file(tmp_path: Path, with_plugin: dict[str, str | None]) -> None:
    (tmp_path / "Procfile").write_text('web: ./web "$PORT"\nworker: ./work\n')
    done = harness.call("export", "digitalocean", "out", "-a", "shop", cwd=tmp_path, env=with_plugin)
    assert done.code == 0, done
    yaml = pytest.importorskip("yaml")
    written = yaml.safe_load((tmp_path / "out" / "app.yaml").read_text())
    web = {"name": "web", "run_command": './web "$PORT"', "instance_count": 1, "http_port": 5000}
    worker = {"name": "worker", "run_command": "./work", "instance_count": 1}
    assert written == {"name": "shop", "services": [web], "workers": [worker]}


def test_list_shows_plugins_broken_ones_too(tmp_path: Path, with_plugin: dict[str, str | None]) -> None:
    done = harness.call("export", "--list", cwd=tmp_path, env=with_plugin)
    assert done.code == 0, done
    assert "app.yaml for DigitalOcean" in done.out
    assert "the exporter broken (nowhere:render) cannot be loaded" in done.out


def test_a_broken_plugin_is_told_in_a_sentence(tmp_path: Path, with_plugin: dict[str, str | None]) -> None:
    (tmp_path / "Procfile").write_text("web: ./web\n")
    done = harness.call("export", "broken", "-", cwd=tmp_path, env=with_plugin)
    assert done.code == 70
    assert "Traceback" not in done.err
    assert "cannot be loaded" in done.err


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_format_needs_no_search_for_plugins(name: str) -> None:
    code = f"import sys; from procman.export.registry import find; find({name!r})"
    code += "; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="sytemd") as caught:
        find("sytemd")
    assert "systemd" in caught.value.hint


GIVEN = {"user": "1000", "image": "shop:2", "log": "/var/log/shop", "target_dir": "/opt/shop"}
SWITCHES = {"keep_trying": True, "numbered": True}
ALWAYS = {("kubernetes", "keep_trying"), ("launchd", "keep_trying")}  # they do it anyway


@pytest.mark.parametrize("option", [*GIVEN, *SWITCHES])
@pytest.mark.parametrize("name", BUILT_IN)
def test_an_option_either_changes_the_files_or_is_warned_of(name: str, option: str) -> None:
    plan = plan_of("web: ./serve $PORT\nworker: ./work\n", formation="all=2")
    given = {**GIVEN, **SWITCHES}[option]
    without, with_it = Export(name, plan), Export(name, plan, **{option: given})
    changed = without.files != with_it.files
    warned = unused_options(name, ExportOptions("app", **{option: given}))  # type: ignore[arg-type]
    flag = option.replace("_", "-")
    assert warned == ([] if changed or (name, option) in ALWAYS else [f"--{flag} has no effect for {name}"])


def test_an_unused_option_is_a_warning_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: ./web\n")
    done = harness.call("export", "fly", "-", "--user", "me", "--numbered", "--log", "logs", cwd=tmp_path)
    assert done.code == 0
    for flag in ("--user", "--numbered", "--log"):
        assert f"warning: {flag} has no effect for fly\n" in done.err


@pytest.mark.parametrize("app", ["web", "run", "release", "shared", "all", "web.1", "web.all", "shop"])
@pytest.mark.parametrize("format_name", BUILT_IN)
def test_no_two_files_have_the_same_path_whatever_the_application_is_called(format_name: str, app: str) -> None:
    types = ("release", "web", "run", "shared", "all", "config", "secret", "podman")
    plan = plan_of("".join(f"{name}: ./{name}\n" for name in types), EVERY="1")
    for instance in plan.instances:
        instance._own = {**instance._own, "OF_TYPE": instance.type, "HOME": instance.type}
    given = ExportOptions(app, image="app:1", owner="me")
    paths = [item.path for item in find(format_name)(plan, given) if isinstance(item, ExportFile)]
    assert sorted(paths) == sorted(set(paths))


def test_a_plugin_that_writes_a_file_twice_is_told_so(tmp_path: Path) -> None:
    twice = [ExportFile("a", "1"), ExportFile("a", "2")]
    with pytest.raises(ProcmanError, match='the exporter writes "a" twice'):
        Folder(str(tmp_path), "x", "shop").changes(twice)
