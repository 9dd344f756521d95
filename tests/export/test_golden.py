"""Four applications in every format, as files to read. PROCMAN_GOLDEN=write writes them again."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path

import pytest

from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import Environment, RestartPolicy, StopPolicy
from procman.core.model.settings import Settings
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.export.file import ExportFile, ExportWarning
from procman.export.options import ExportOptions
from procman.export.registry import BUILT_IN, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import Plan

HOLDS_STOP_TO = ("systemd", "supervisord", "runit", "compose", "kubernetes", "quadlet", "nomad")
GOLDEN = Path(__file__).parent / "golden"


def shop() -> Plan:
    """Build a typical application, where web depends on worker and has a readiness check."""
    procfile = parse_procfile(
        b"web: gunicorn shop.wsgi --bind 0.0.0.0:$PORT\nworker: celery -A shop worker\n"
        b"clock: celery -A shop beat\nrelease: python manage.py migrate && python manage.py collectstatic\n"
    )
    values = {"DATABASE_URL": "postgres://shop:secret@db/shop", "SECRET_KEY": "s3cr3t"}
    settings = Settings(root="/srv/shop", formation="web=2,worker=1,clock=1,release=1")
    plan = make_plan(procfile, Environment(values, {}), settings)
    for instance in plan.instances:
        if instance.type == "web":
            instance.ready = Check("http", f"http://localhost:{instance.port}/health")
            instance.depends_on = (Dependency("worker", "started"),)
    return plan


def hostile() -> Plan:
    """Build an application that breaks the exports of other tools."""
    procfile = parse_procfile(
        rb"""web: sh -c 'echo "it'"'"'s 50% of $PS {{.Task.Slot}}"' && exec ./serve ~/x | tee "log;#"
long-worker_2: FOO='a b' ./work "$(date +%s)" \\ %h
"""
    )
    values = {
        "QUOTES": 'say "hi", it\'s',
        "DOLLAR": "$HOME ${X} %h",
        "LINES": "one\ntwo",
        "BRACES": "{{ x }}",
        "UID": "7",
    }
    return make_plan(procfile, Environment(values, {}), Settings(root="/srv/50% off", formation="all=1"))


def tuned() -> Plan:
    """Build an application without ports and env files, and with its own restart and stop policies, and limits."""
    plan = make_plan(parse_procfile(b"bot: ./bot\n"), Environment({}, {}), Settings(root="/opt/bot", port=0))
    for instance in plan.instances:
        instance.restart = RestartPolicy("always", max_restarts=3, backoff=0.5, success_codes=(0, 3))
        instance.stop = StopPolicy(3, 0.5)
        instance.memory_max, instance.cpu_max, instance.pids_max = 256 << 20, 1.5, 64
    return plan


def fleet() -> Plan:
    """Build an application whose meaning is in its overlay: checks, folders, what runs once, what waits for what."""
    procfile = parse_procfile(
        b"web: ./serve --port $PORT\nworker: ./work\napi: exec ./api\nmail: ./mail --listen\nonce: ./import --all\n"
        b"lazy: ./debug\ntick: ./tick\nrelease: ./migrate\nmulti: ./a & ./b & wait\nnpm: npm start\n"
    )
    values = {"DATABASE_URL": "postgres://fleet:secret@db/fleet"}
    plan = make_plan(procfile, Environment(values, {}), Settings(root="/srv/fleet", formation="all=1,web=2"))
    for instance in plan.instances:
        if instance.type == "web":
            instance.ready = Check("http", f"http://localhost:{instance.port}/health", timeout=60.0)
            instance.health = Check("http", f"http://localhost:{instance.port}/health", interval=3.0)
        elif instance.type == "worker":
            instance.restart = RestartPolicy("always")
            instance.depends_on = (Dependency("once", "completed_successfully"), Dependency("tick", "ready"))
        elif instance.type == "api":
            instance.cwd = "/srv/fleet/services/api"
        elif instance.type == "mail":
            instance.health = Check("tcp", "localhost:2525", interval=2.0, on_fail="none")
        elif instance.type == "once":
            instance.restart = RestartPolicy("never")
        elif instance.type == "lazy":
            instance.autostart = False
        elif instance.type == "tick":
            instance.ready = Check("log", "listening", timeout=60.0)
    return plan


APPLICATIONS = {"shop": shop, "hostile": hostile, "tuned": tuned, "fleet": fleet}


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.parametrize("format_name", BUILT_IN)
def test_the_files_are_those_in_golden(format_name: str, name: str) -> None:
    image = f"registry.example/{name}:1"
    options = ExportOptions(app=name, owner="deploy", image=image)
    rendered = list(find(format_name)(APPLICATIONS[name](), options))
    written = {item.path: item for item in rendered if isinstance(item, ExportFile)}
    texts = {path: f"-> {item.link}\n" if item.link else item.content for path, item in written.items()}
    texts["WARNINGS"] = "".join(f"{item.message}\n" for item in rendered if not isinstance(item, ExportFile))
    folder = GOLDEN / format_name / name
    if os.environ.get("PROCMAN_GOLDEN") == "write":
        for path, content in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content.encode())
    found = {str(path.relative_to(folder)): path.read_bytes().decode() for path in folder.rglob("*") if path.is_file()}
    assert texts == found


@pytest.mark.parametrize("format_name", BUILT_IN)
def test_no_secret_is_in_a_file_that_others_may_read(format_name: str) -> None:
    options = ExportOptions(app="shop", image="shop:1")
    for item in find(format_name)(shop(), options):
        if isinstance(item, ExportFile) and not item.is_secret:
            assert "secret@" not in item.content
            assert "s3cr3t" not in item.content


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("launchd/*/*.plist")), ids=lambda path: path.name)
def test_a_property_list_is_one_and_names_its_own_job(path: Path) -> None:
    job = plistlib.loads(path.read_bytes())
    assert path.name == f"{job['Label']}.plist"
    assert all(isinstance(word, str) for word in job["ProgramArguments"])


@pytest.mark.parametrize(("to", "alone"), [("group", False), ("program", True)])
def test_what_gets_the_stop_signal_first_is_exported_or_warned_of(to: str, alone: bool) -> None:
    plan = tuned()
    for instance in plan.instances:
        instance.stop = StopPolicy(to=to)
    options = ExportOptions(app="tuned", owner="deploy", image="registry.example/tuned:1")
    for name in BUILT_IN:
        rendered = list(find(name)(plan, options))
        told = any("stop_to" in str(item) for item in rendered if isinstance(item, ExportWarning))
        assert told == (name not in HOLDS_STOP_TO), name
        if name == "systemd":
            unit = next(item for item in rendered if isinstance(item, ExportFile) and item.path.endswith("@.service"))
            assert ("ExecStop=" in unit.content) == alone
