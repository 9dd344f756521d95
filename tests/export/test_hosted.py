"""Hosted platforms: their files have the right syntax, name secrets only, and say what they leave out."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib

import pytest

from export.plans import Export, plan_of
from procman.core.model.checks import Check
from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.errors import UsageError
from procman.export.application import application
from procman.export.hosted.procfile_platforms import procfile_warnings
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.core.model.plan import Plan

LINES = "web: ./web 'it'\"'\"'s' \"$PORT\"\nworker: true && ./work\nrelease: ./migrate\nlazy: ./debug\n"
OVERLAY: dict[str, dict[str, object]] = {
    "web": {
        "health": Check("http", "http://localhost:5000/up?x=1", interval=7.0),
        "ready": Check("http", "http://localhost:5000/up?x=1", timeout=90.0),
        "stop": StopPolicy(grace=30),
    },
    "worker": {"restart": RestartPolicy("always"), "cwd": "/srv/app/jobs"},
    "lazy": {"autostart": False},
}
FORMATS = ("fly", "kamal", "render", "railway")
COMMAND = "exec ./web 'it'\"'\"'s' \"$PORT\""


FAULTS: dict[str, object] = {"health": Check("exec", "true"), "stop": StopPolicy(2, command="true")}


def shop() -> Plan:
    return plan_of(LINES, OVERLAY, "all=1,web=2", SECRET="s3cr3t")


def yaml_of(content: str) -> Any:
    return pytest.importorskip("yaml").safe_load(content)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_platform_gets_names_of_secrets_and_says_what_it_leaves_out(format_name: str) -> None:
    export = Export(format_name, shop())
    assert "s3cr3t" not in "".join(export.files.values())
    assert all("SECRET" in content for content in export.files.values())
    assert [warning for warning in export.warnings if "lazy" in warning]
    assert [warning for warning in export.warnings if "has not been deployed" in warning]
    assert not [warning for warning in export.warnings if "check of web" in warning]


def test_fly_has_a_process_group_for_each_type() -> None:
    fly = tomllib.loads(Export("fly", shop()).files["fly.toml"])
    assert (fly["app"], fly["kill_signal"], fly["kill_timeout"]) == ("app", "SIGTERM", 30)
    assert list(fly["processes"]) == ["web", "worker"]
    assert shlex.split(fly["processes"]["web"]) == ["/bin/sh", "-c", f"export PORT=5000 PROCMAN_PROCESS=web; {COMMAND}"]
    assert shlex.split(fly["deploy"]["release_command"]) == ["/bin/sh", "-c", "exec ./migrate"]
    (check,) = fly["http_service"]["checks"]
    assert (check["path"], check["interval"], check["grace_period"]) == ("/up?x=1", "7s", "90s")
    assert [restart["policy"] for restart in fly["restart"]] == ["on-failure", "always"]


def test_kamal_has_a_role_for_each_type_and_a_machine_for_each_instance() -> None:
    export = Export("kamal", shop(), image="ghcr.io/me/app:2")
    kamal = yaml_of(export.files["config/deploy.yml"])
    assert (kamal["image"], kamal["registry"]["server"], kamal["drain_timeout"]) == ("me/app", "ghcr.io", 30)
    assert {name: len(role["hosts"]) for name, role in kamal["servers"].items()} == {"web": 2, "worker": 1}
    assert shlex.split(kamal["servers"]["web"]["cmd"]) == ["/bin/sh", "-c", COMMAND]
    assert "cd jobs || exit 126; true && ./work" in kamal["servers"]["worker"]["cmd"]
    assert kamal["proxy"] == {"app_port": 5000, "healthcheck": {"path": "/up?x=1", "interval": 7}}
    assert kamal["env"]["secret"] == ["SECRET"]
    assert [warning for warning in export.warnings if "Kamal has no release" in warning]


@pytest.mark.parametrize(
    ("image", "server", "name"),
    [
        ("ghcr.io/me/app:2", "ghcr.io", "me/app"),
        ("ghcr.io/me/app", "ghcr.io", "me/app"),
        ("localhost:5000/app", "localhost:5000", "app"),
        ("localhost/app:1", "localhost", "app"),
        ("me/app:2", None, "me/app"),
        ("app", None, "app"),
        (f"ghcr.io/me/app@sha256:{'a' * 64}", "ghcr.io", "me/app"),
        ("ghcr.io:443/me/app:2@sha256:0", "ghcr.io:443", "me/app"),
        ("", None, "my-app"),
    ],
)
def test_kamal_gets_the_registry_and_the_name_of_the_image(image: str, server: str | None, name: str) -> None:
    kamal = yaml_of(Export("kamal", shop(), app="My.App", image=image).files["config/deploy.yml"])
    assert (kamal["image"], kamal["registry"].get("server"), kamal["service"]) == (name, server, "my-app")


def test_kamal_runs_nothing_of_a_command_as_ruby() -> None:
    lines = "web: ./web '<%= `id` %>' <%% $PORT\n"
    content = Export("kamal", plan_of(lines)).files["config/deploy.yml"]
    cmd = yaml_of(content)["servers"]["web"]["cmd"]
    assert shlex.split(cmd.replace("<%%", "<%"))[2] == "exec ./web '<%= `id` %>' <%% $PORT"
    assert not re.search(r"<%(?!%)", content)


@pytest.mark.parametrize(
    ("lines", "role"),
    [("web: ./web\nbot: ./bot\n", None), ("bot: ./bot\napi: ./api $PORT\n", "api"), ("bot: ./bot\n", "bot")],
)
def test_kamal_knows_its_primary_role(lines: str, role: str | None) -> None:
    kamal = yaml_of(Export("kamal", plan_of(lines)).files["config/deploy.yml"])
    assert kamal.get("primary_role") == role


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_is_not_exported_has_no_part_in_secrets_and_warnings(format_name: str) -> None:
    plan = plan_of("web: ./web\nlazy: ./debug\n", {"lazy": {"autostart": False, **FAULTS}})
    plan.instances[1].lay_under({"DEBUG": "1"})
    export = Export(format_name, plan)
    assert "DEBUG" not in "".join(export.files.values())
    (warning,) = [warning for warning in export.warnings if "lazy" in warning]
    assert "lazy, which does not run all the time" in warning


@pytest.mark.parametrize("format_name", [*FORMATS, "app-json"])
@pytest.mark.parametrize("name", ["A-B", "a.b", '"', "X;touch${IFS}made", "1ST"])
def test_a_name_that_is_no_variable_is_refused_though_its_value_is_not_written(format_name: str, name: str) -> None:
    with pytest.raises(UsageError, match="cannot hold a variable called"):
        Export(format_name, plan_of("web: ./web\n", None, "all=1", **{name: "1"}))


@pytest.mark.parametrize("format_name", ["fly", "kamal"])
def test_the_name_of_the_application_is_one_that_the_platform_accepts(format_name: str) -> None:
    (content,) = Export(format_name, shop(), app="My.App_2").files.values()
    assert re.search(r"^(app|service)\W+my-app-2\W?$", content, re.MULTILINE)


def test_render_has_a_service_for_each_type_and_one_runs_the_release() -> None:
    web, worker = yaml_of(Export("render", shop()).files["render.yaml"])["services"]
    assert (web["type"], worker["type"]) == ("web", "worker")
    assert (web["numInstances"], web["healthCheckPath"], web["maxShutdownDelaySeconds"]) == (2, "/up?x=1", 30)
    assert shlex.split(web["dockerCommand"]) == ["/bin/sh", "-c", COMMAND]
    assert ("preDeployCommand" in web, "preDeployCommand" in worker) == (True, False)
    variables = {entry["key"]: entry.get("value", entry.get("sync")) for entry in web["envVars"]}
    assert variables == {"PYTHONUNBUFFERED": "1", "PORT": "5000", "PROCMAN_PROCESS": "web", "SECRET": False}


def test_railway_has_a_file_for_each_type() -> None:
    files = Export("railway", shop()).files
    assert list(files) == ["railway.web.toml", "railway.worker.toml"]
    web, worker = (tomllib.loads(content)["deploy"] for content in files.values())
    assert (web["numReplicas"], web["healthcheckPath"], web["healthcheckTimeout"]) == (2, "/up?x=1", 90)
    assert (web["restartPolicyType"], worker["restartPolicyType"]) == ("ON_FAILURE", "ALWAYS")
    assert "preDeployCommand" in web
    assert "preDeployCommand" not in worker


def test_a_line_runs_with_or_without_a_shell_around_it() -> None:
    line = tomllib.loads(Export("fly", plan_of('web: printf \'%s|\' "it\'s" "$PORT"\n')).files["fly.toml"])[
        "processes"
    ]["web"]
    for argv in (shlex.split(line), ["/bin/sh", "-c", line]):
        assert subprocess.run(argv, capture_output=True, check=True).stdout == b"it's|5000|"


# Platforms that read the Procfile -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "overlay", "sentence"),
    [
        ("web: ./web --port 8000\n", {}, "its line has port 8000 instead of $PORT"),
        ("web: ./web -b 0.0.0.0:8000\n", {}, "its line has port 8000 instead of $PORT"),
        ("api: ./api $PORT\n", {}, "sends requests to web only: api has no port there"),
        ("web: ./web --host 127.0.0.1 --port $PORT\n", {}, "cannot reach web, which listens on 127.0.0.1"),
        ("bot: ./bot ${PS}\n", {}, "does not set PS, which bot uses"),
        ("bot: ./bot $PROCMAN_INSTANCE\n", {}, "does not set PROCMAN_INSTANCE, which bot uses"),
        ("bot: ./bot\n", {"bot": {"cwd": "/srv/app/bots"}}, "begin its line with cd bots &&"),
        ("bot: ./bot\n", {"bot": {"stop": StopPolicy(2)}}, "stops bot with TERM, not with INT"),
        ("bot: ./bot\n", {"bot": {"stop": StopPolicy(grace=45)}}, "kills bot after 30 s, before its 45 s are over"),
        ("bot: ./bot\n", {"bot": {"restart": RestartPolicy("never")}}, "starts bot again whenever it ends"),
        ("bot: ./bot\n", {"bot": {"ready": Check("exec", "true")}}, "not exported to Dokku: readiness check of bot"),
    ],
)
def test_a_platform_that_reads_the_procfile_does_not_hold_everything(
    lines: str, overlay: dict[str, dict[str, object]], sentence: str
) -> None:
    app = application(plan_of(lines, overlay), ExportOptions("app"))
    (warning,) = procfile_warnings(app, "Dokku")
    assert sentence in warning.message
    assert "Dokku" in warning.message


@pytest.mark.parametrize("lines", ["web: ./web --port $PORT\nworker: ./work\nrelease: ./migrate\n", "web: ./web\n"])
def test_what_it_holds_is_not_mentioned(lines: str) -> None:
    assert not list(procfile_warnings(application(plan_of(lines), ExportOptions("app")), "Heroku"))
