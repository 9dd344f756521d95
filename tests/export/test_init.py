"""What the targets of init systems make of a policy, an overlay and a release: read from the files, run by none."""

from __future__ import annotations

import os
import plistlib
import socket
import subprocess
from configparser import ConfigParser

import pytest
import yaml

import harness
from export.plans import Export, plan_of
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.listen import Listen, ListeningSocket
from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.errors import UsageError
from procman.export.application import average_backoff, budget_window, patience
from procman.export.options import ExportOptions
from procman.export.registry import BUILT_IN, stop_commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from procman.core.model.plan import Plan


def unit(export: Export, type_: str = "web") -> dict[str, list[str]]:
    """Return the keys of a unit for systemd with their values, whatever the section."""
    found: dict[str, list[str]] = {}
    for line in export.files[f"app-{type_}@.service"].splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def failing(**policy: object) -> Plan:
    return plan_of("web: ./web\n", {"web": {"restart": RestartPolicy(**policy)}})  # type: ignore[arg-type]


# Restarts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "window", "outage", "average"),
    [
        (RestartPolicy(), 5 * 10 + 1 + 2 + 4 + 8 + 16, 15, 15 / 4),
        (RestartPolicy(max_restarts=1), 11, 0, 1),
        (RestartPolicy(max_restarts=3, backoff=10, min_uptime=2), 6 + 10 + 20 + 30, 30, 15),
        (RestartPolicy(max_restarts=4, backoff=0, min_uptime=1), 4, 0, 0),
    ],
)
def test_a_target_gives_up_when_start_would(policy: RestartPolicy, window: int, outage: int, average: float) -> None:
    assert budget_window(policy) == window
    assert patience(policy) == outage
    assert average_backoff(policy) == average


@pytest.mark.parametrize(
    ("policy", "keys"),
    [
        ({}, {"RestartSec": ["1"], "RestartSteps": ["5"], "RestartMaxDelaySec": ["30"]}),
        ({"backoff": 2, "backoff_max": 16}, {"RestartSec": ["2"], "RestartSteps": ["3"], "RestartMaxDelaySec": ["16"]}),
        ({"backoff": 0}, {"RestartSec": ["0"], "RestartSteps": None}),
        ({"backoff": 30}, {"RestartSec": ["30"], "RestartSteps": None}),
        ({"mode": "never"}, {"Restart": ["no"], "RestartSec": None, "StartLimitBurst": None}),
    ],
)
def test_systemd_waits_longer_after_each_failure(policy: dict[str, object], keys: dict[str, list[str] | None]) -> None:
    found = unit(Export("systemd", failing(**policy)))
    assert {key: found.get(key) for key in keys} == keys


@pytest.mark.parametrize(("number", "name"), [(3, "SIGQUIT"), (10, "SIGUSR1"), (37, "SIGRTMIN+3")])
def test_a_death_by_its_own_stop_signal_is_a_success_only_if_it_was_stopped(number: int, name: str) -> None:
    found = unit(Export("systemd", plan_of("web: ./web\n", {"web": {"stop": StopPolicy(number)}})))
    assert found["SuccessExitStatus"] == [f"{128 + number} {name}"]
    assert found["RestartForceExitStatus"][0].split()[-2:] == [name, str(128 + number)]
    assert found["KillSignal"] == [name]


@pytest.mark.parametrize("format_name", ["systemd", "quadlet"])
def test_units_can_try_for_ever(format_name: str) -> None:
    export = Export(format_name, plan_of("web: ./web\n"), keep_trying=True)
    content = next(content for path, content in export.files.items() if "@" in path)
    assert "\nStartLimitIntervalSec=0\n" in content
    assert "StartLimitBurst" not in content


@pytest.mark.parametrize("format_name", ["systemd", "supervisord", "runit", "s6", "launchd", "upstart"])
def test_a_stop_command_is_exported_or_warned_of(format_name: str) -> None:
    plan = plan_of("web: ./web\n", {"web": {"stop": StopPolicy(command="./ask --nicely")}})
    export = Export(format_name, plan)
    assert any("./ask --nicely" in content for content in export.files.values()) == (
        "not exported to" not in "".join(export.warnings)
    )
    assert [warning for warning in export.warnings if "stop command of web" in warning] or format_name in (
        *("systemd", "supervisord", "runit"),
    )


# Folders -------------------------------------------------------------------------------------------------------------


def test_the_folder_at_the_target_may_be_another() -> None:
    plan = plan_of(
        "web: ./web\nmail: ./mail\nout: ./out\n", {"mail": {"cwd": "/srv/app/services/mail"}, "out": {"cwd": "/opt"}}
    )
    export = Export("systemd", plan, target_dir="/home/shop/current")
    folders = {type_: unit(export, type_)["WorkingDirectory"] for type_ in ("web", "mail", "out")}
    assert folders == {"web": ["/home/shop/current"], "mail": ["/home/shop/current/services/mail"], "out": ["/opt"]}


def test_nobody_owns_a_folder_that_is_elsewhere() -> None:
    export = Export("systemd", plan_of("web: ./web\n"), target_dir="/srv/shop", owner="")
    assert "systemd will run the application as root; choose another with --user" in export.warnings
    assert "User" not in unit(export)


# What does not start by itself ---------------------------------------------------------------------------------------


TYPES = ("web", "lazy", "release")


def mixed() -> Plan:
    """Build an application with a release, and a type that starts by hand."""
    return plan_of("web: ./web\nlazy: ./debug\nrelease: ./migrate\n", {"lazy": {"autostart": False}})


@pytest.mark.parametrize("format_name", ["systemd", "supervisord", "runit", "s6", "launchd", "upstart"])
def test_what_starts_by_hand_is_warned_of(format_name: str) -> None:
    assert "lazy is exported, but starts only by hand: autostart = false" in Export(format_name, mixed()).warnings


def test_supervisord_starts_neither_a_release_nor_what_starts_by_hand() -> None:
    configuration = ConfigParser(interpolation=None)
    export = Export("supervisord", mixed())
    configuration.read_string(export.files["app.conf"])
    starts = {name: section.get("autostart", "true") for name, section in configuration.items() if ":" in name}
    assert [name for name, value in starts.items() if value == "false"] == [
        "program:app.lazy.1",
        "program:app.release.1",
    ]
    assert configuration["program:app.release.1"]["autorestart"] == "false"
    assert "sh /etc/supervisor/conf.d/app/release.1.sh &&\n" in export.files["app.conf"]


@pytest.mark.parametrize("format_name", ["runit", "s6"])
def test_a_down_file_keeps_a_directory_from_starting(format_name: str) -> None:
    files = Export(format_name, mixed()).files
    assert [path for path in files if path.endswith("/down")] == ["app-lazy.1/down", "app-release.1/down"]
    assert "\nrest\n" in files["app-release.1/finish"]


@pytest.mark.parametrize(
    ("policy", "retries"),
    [({}, 5), ({"max_restarts": 1}, 0), ({"max_restarts": 3}, 2), ({"backoff": 0.5, "max_restarts": 4}, 3)],
)
def test_supervisord_is_as_patient_as_start(policy: dict[str, object], retries: int) -> None:
    content = Export("supervisord", failing(**policy)).files["app.conf"]
    assert f"\nstartretries={retries}\n" in content
    assert "\nstartretries=1000000\n" in Export("supervisord", failing(**policy), keep_trying=True).files["app.conf"]


@pytest.mark.parametrize("format_name", ["runit", "s6"])
def test_a_finish_script_without_a_budget_never_gives_up(format_name: str) -> None:
    plan = failing(max_restarts=1)
    assert "gave up" in Export(format_name, plan).files["app-web.1/finish"]
    assert "gave up" not in Export(format_name, plan, keep_trying=True).files["app-web.1/finish"]


def test_systemd_starts_the_release_before_the_rest_and_leaves_out_what_starts_by_hand() -> None:
    export = Export("systemd", mixed())
    assert [path for path in export.links if path.startswith("app.target.wants")] == [
        "app.target.wants/app-web.target",
        "app.target.wants/app-release.target",
    ]
    release = unit(export, "release")
    assert (release["Type"], release["Restart"], release["RemainAfterExit"]) == (["oneshot"], ["no"], ["yes"])
    for gated in (unit(export), {"Requires": _requires(export.files["app-web.target"])}):
        assert gated["Requires"] == ["app-release@1.service"]
    assert _requires(export.files["app.target"]) == ["app-release@1.service"]
    assert "Requires" not in release


def _requires(content: str) -> list[str]:
    return [line.partition("=")[2] for line in content.splitlines() if line.startswith("Requires=")]


@pytest.mark.parametrize(
    ("condition", "requires", "wants", "type_"),
    [
        ("completed_successfully", ["app-build@1.service"], None, "oneshot"),
        ("completed", None, ["app-build.target"], "oneshot"),
        ("started", None, ["app-build.target"], "exec"),
        ("ready", None, ["app-build.target"], "exec"),
    ],
)
def test_systemd_waits_for_an_end_where_the_overlay_does(
    condition: str, requires: list[str] | None, wants: list[str] | None, type_: str
) -> None:
    overlay: dict[str, dict[str, object]] = {"web": {"depends_on": (Dependency("build", condition),)}}
    export = Export("systemd", plan_of("web: ./web\nbuild: ./build\n", overlay))
    assert (unit(export).get("Requires"), unit(export).get("Wants")) == (requires, wants)
    build = unit(export, "build")
    assert build["Type"] == [type_]
    assert ("RestartForceExitStatus" in build) == (type_ == "exec")  # systemd 252 refuses it for a oneshot
    assert not export.warnings


@pytest.mark.parametrize(
    ("check", "in_script"),
    [
        (Check("http", "http://localhost:5000/up", interval=2.0, timeout=90.0), "http://localhost:5000/up"),
        (Check("tcp", "localhost:5000", timeout=90.0), "':1388 [^ ]* 0A '"),
        (Check("exec", "./is-up 'now'", timeout=90.0), "\n./is-up 'now'\n"),
        (Check("delay", "3", timeout=90.0), "\nsleep 3\n"),
    ],
)
def test_a_unit_has_started_when_it_is_ready(check: Check, in_script: str) -> None:
    export = Export("systemd", plan_of("web: ./web $PORT\n", {"web": {"ready": check}}))
    assert unit(export)["ExecStartPost"] == ["/bin/sh /etc/systemd/system/app/web.%i.ready"]
    assert unit(export)["TimeoutStartSec"] == ["90"]
    assert unit(export)["StartLimitIntervalSec"] == [str(5 * 90 + 1 + 2 + 4 + 8 + 16)]
    assert in_script in export.files["app/web.1.ready"]
    subprocess.run(["sh", "-n"], input=export.files["app/web.1.ready"], text=True, check=True)
    assert not export.warnings


@pytest.mark.parametrize(
    ("check", "command", "is_looked_up"),
    [
        (Check("http", "http://localhost:5000/up"), "./web", True),
        (Check("tcp", "127.0.0.1:5000"), "./web", True),
        (Check("tcp", "[::1]:5000", successes=2), "./web", True),
        (Check("exec", "curl localhost:$PORT"), "./web", True),
        (Check("exec", "./is-up"), "./web", False),
        (Check("tcp", "10.0.0.1:5000"), "./web", False),
        (Check("tcp", "localhost:5000", anyone=True), "./web", False),
        (Check("tcp", "localhost:5000"), "FOO=1 exec docker run -p $PORT:80 shop", False),
        (Check("delay", "5000"), "./web", False),
    ],
)
def test_a_script_of_systemd_looks_up_who_listens(check: Check, command: str, is_looked_up: bool) -> None:
    export = Export("systemd", plan_of(f"web: {command}\n", {"web": {"ready": check}}))
    script = export.files["app/web.1.ready"]
    assert (":1388 " in script.replace("':1388 [^ ]* 0A '", "")) is is_looked_up
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_what_listens_itself_is_ready_in_the_eyes_of_the_script(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check = Check("tcp", f"localhost:{server.getsockname()[1]}")
        script = Export("systemd", plan_of("web: ./web\n", {"web": {"ready": check}})).files["app/web.1.ready"]
        env = {**os.environ, "MAINPID": str(os.getpid())}
        subprocess.run(["sh", "-c", script], env=env, check=True, timeout=30)


@pytest.mark.parametrize(
    ("socket_of_file", "has_root", "state", "is_own"),
    [
        ("socket:[77]", True, "S", True),
        ("socket:[777]", True, "S", False),
        (None, False, "S", True),  # its files may be listed, but not read
        (None, False, "Z", False),
        (None, True, "S", False),
    ],
)
def test_the_script_of_systemd_is_in_doubt_where_files_cannot_be_read(
    tmp_path: Path, socket_of_file: str | None, has_root: bool, state: str, is_own: bool
) -> None:
    process = tmp_path / "812"
    (process / "fd").mkdir(parents=True)
    (tmp_path / "net").mkdir()
    row = "   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 77 1\n"
    (tmp_path / "net/tcp").write_text(row)
    (process / "cgroup").write_text("0::/system.slice/app-web@1.service\n")
    (process / "stat").write_text(f"812 (web) {state} 1\n")
    (process / "fd/3").symlink_to(socket_of_file or "pipe:[5]")
    if has_root:
        (process / "root").mkdir()
    export = Export("systemd", plan_of("web: ./web\n", {"web": {"ready": Check("tcp", "localhost:5000")}}))
    functions = export.files["app/web.1.ready"].partition("\nwhile ")[0].replace("/proc/", f"{tmp_path}/")
    done = subprocess.run(["sh", "-c", f"{functions}\nown || own"], env={**os.environ, "MAINPID": "812"}, check=False)
    assert (done.returncode == 0) is is_own


def test_systemd_is_told_by_the_service_itself() -> None:
    ready, health = Check("notify", "", timeout=90.0), Check("notify", "", interval=10.0, threshold=3)
    export = Export("systemd", plan_of("web: ./web $PORT\n", {"web": {"ready": ready, "health": health}}))
    found = unit(export)
    assert (found["Type"], found["NotifyAccess"], found["WatchdogSec"]) == (["notify"], ["all"], ["30"])
    assert found["TimeoutStartSec"] == ["90"]
    assert "ExecStartPost" not in found
    assert "app/web.1.ready" not in export.files
    assert not export.warnings
    for target in ("compose", "kubernetes", "nomad", "quadlet", "supervisord", "fly"):
        plan = plan_of("web: ./web $PORT\n", {"web": {"ready": ready, "health": health}})
        assert any("notify" in one or "check" in one for one in Export(target, plan).warnings), target


def test_a_restart_that_follows_another_is_what_the_target_calls_it_or_a_warning() -> None:
    overlay: dict[str, dict[str, object]] = {"web": {"depends_on": (Dependency("api", restart=True), Dependency("db"))}}
    plan = plan_of("web: ./web\napi: ./api\ndb: ./db\n", overlay)
    assert unit(Export("systemd", plan))["PartOf"] == ["app-web.target", "app-api@1.service"]
    services = yaml.safe_load(Export("compose", plan).files["compose.override.yaml"])["services"]
    started = {"condition": "service_started"}
    assert services["web"]["depends_on"] == {"api": {**started, "restart": True}, "db": started}
    for target in ("kubernetes", "nomad", "supervisord", "runit", "upstart"):  # they have no such thing
        warnings = Export(target, plan).warnings
        assert any("restarts with its dependencies" in one for one in warnings), target


def test_a_script_of_systemd_counts_successes_in_a_row(tmp_path: Path) -> None:
    results = tmp_path / "results"  # of the attempts to come: one is used up by each
    results.write_text("0\n1\n0\n0\n0\n")
    command = f'read -r result < {results}; sed -i 1d {results}; exit "$result"'
    check = Check("exec", command, interval=0.05, successes=2, initial_delay=0.1)
    script = Export("systemd", plan_of("web: ./web $PORT\n", {"web": {"ready": check}})).files["app/web.1.ready"]
    assert "\nsleep 0.1\n" in script
    env = {**os.environ, "MAINPID": str(os.getpid())}
    subprocess.run(["sh", "-c", script], env=env, check=True, timeout=30)
    assert results.read_text() == "0\n"


def test_a_script_of_systemd_fails_at_once_for_what_has_already_ended() -> None:
    plan = plan_of("web: ./web\n", {"web": {"ready": Check("exec", "false", timeout=300.0)}})
    script = Export("systemd", plan).files["app/web.1.ready"]
    env = {name: value for name, value in os.environ.items() if name != "MAINPID"}
    assert subprocess.run(["sh", "-c", script], env=env, timeout=30, check=False).returncode == 1


def test_readiness_by_a_line_of_the_log_is_warned_of_with_what_waits_for_it() -> None:
    overlay: dict[str, dict[str, object]] = {
        "tick": {"ready": Check("log", "listening")},
        "web": {"depends_on": (Dependency("tick", "ready"),)},
    }
    export = Export("systemd", plan_of("web: ./web\ntick: ./tick\n", overlay))
    assert "ExecStartPost" not in unit(export, "tick")
    assert export.warnings == [
        "on systemd, web only waits until tick has started",
        "not exported to systemd: readiness by log of tick",
    ]


@pytest.mark.parametrize("mode", ["always", "on-failure", "never"])
def test_systemd_is_never_given_a_oneshot_that_is_always_restarted(mode: str) -> None:
    overlay: dict[str, dict[str, object]] = {
        "web": {"depends_on": (Dependency("build", "completed"),)},
        "build": {"restart": RestartPolicy(mode)},
    }
    build = unit(Export("systemd", plan_of("web: ./web\nbuild: ./build\n", overlay)), "build")
    assert build["Restart"] == ["no" if mode == "never" else "on-failure"]


def test_launchd_and_upstart_leave_the_rest_to_a_person() -> None:
    jobs = {type_: plistlib.loads(Export("launchd", mixed()).files[f"app.{type_}.1.plist"].encode()) for type_ in TYPES}
    assert {type_: job["RunAtLoad"] for type_, job in jobs.items()} == {"web": True, "lazy": False, "release": False}
    assert [type_ for type_, job in jobs.items() if job["KeepAlive"]] == ["web"]
    upstart = Export("upstart", mixed())
    assert [type_ for type_ in TYPES if "\nstart on starting app\n" in upstart.files[f"app-{type_}.conf"]] == ["web"]
    assert "release starts only by hand, before each new version: start app-release" in upstart.warnings
    assert "respawn" not in upstart.files["app-release-1.conf"]


def test_a_home_in_the_env_files_wins_over_that_of_the_account() -> None:
    for format_name, path in (("supervisord", "app/web.1.sh"), ("runit", "app-web.1/run"), ("s6", "app-web.1/run")):
        own = Export(format_name, plan_of("web: ./web\n", HOME="/srv/home"), user="games").files[path]
        assert "HOME=" not in own
        assert "/usr/bin/env USER=games LOGNAME=games" in own
        assert 'HOME="$(getent passwd games' in Export(format_name, plan_of("web: ./web\n"), user="games").files[path]


# Scaling down --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_name", "commands"),
    [
        ("systemd", ["systemctl stop app-web@2.service app-worker@1.service"]),
        ("supervisord", ["supervisorctl stop app:web.2", "supervisorctl stop app:worker.1"]),
        ("runit", ["sv stop app-web.2", "rm /etc/service/app-web.2", "rm -r /etc/sv/app-web.2"]),
        (
            "s6",
            [
                "s6-svc -wD -d /run/service/app-web.2",
                "s6-svunlink /run/service app-web.2",
                "rm -r /etc/s6/sv/app-web.2",
            ],
        ),
        ("launchd", ["launchctl bootout system/app.web.2", "launchctl bootout system/app.worker.1"]),
        ("upstart", ["stop app-web-2", "stop app-worker-1"]),
        ("app-json", []),
        ("of-a-plug-in", []),
    ],
)
def test_an_export_knows_how_to_stop_what_it_removes(format_name: str, commands: list[str]) -> None:
    removed = _removed(format_name) if format_name in BUILT_IN else ["app/web.2"]
    assert stop_commands(format_name, removed, ExportOptions("app"))[: len(commands) or 1] == commands


def _removed(format_name: str) -> list[str]:
    larger, smaller = (
        Export(format_name, plan_of("web: ./web\nworker: ./work\n", formation=formation))
        for formation in ("web=2,worker=1", "web=1")
    )
    return [path for path in (*larger.links, *larger.files) if path not in {*smaller.links, *smaller.files}]


def test_the_commands_come_with_the_changes(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: ./web\n")
    said = []
    for words in (("web=2",), ("web=1", "--dry-run"), ("web=1",), ("web=1",)):
        done = harness.call("export", "supervisord", "out", "--app", "shop", "-m", *words, cwd=tmp_path)
        said.append("stop what was removed, before anything else:\n    supervisorctl stop shop:web.2\n" in done.out)
    assert said == [False, True, True, False]


def test_stop_scripts_stay_while_a_supervisor_may_need_them(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("web: ./web\n")
    folder = tmp_path / "out" / "shop-web.2"

    def export(count: int) -> list[str]:
        done = harness.call("export", "s6", "out", "--app", "shop", "-m", f"web={count}", cwd=tmp_path)
        assert done.code == 0, done
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    assert "run" in export(2)
    (folder / "supervise").mkdir()
    stay = ["down-signal", "finish", "supervise", "timeout-finish", "timeout-kill"]
    assert export(1) == stay
    assert export(1) == stay
    assert "run" in export(2)
    assert export(1) == stay
    (folder / "supervise").rmdir()
    assert export(1) == []


def test_a_program_of_supervisord_has_the_name_of_no_other_application() -> None:
    shop = Export("supervisord", plan_of("web-api: ./a\n"), app="shop").files["shop.conf"]
    other = Export("supervisord", plan_of("api: ./b\n"), app="shop-web").files["shop-web.conf"]
    sections = [line for line in (shop + other).splitlines() if line.startswith("[program:")]
    assert sections == ["[program:shop.web-api.1]", "[program:shop-web.api.1]"]
    assert "programs=shop.web-api.1\n" in shop


@pytest.mark.parametrize("format_name", ["systemd", "quadlet"])
def test_an_account_is_one_line_and_nothing_in_it_is_expanded(format_name: str) -> None:
    listen = Listen((ListeningSocket("a", "/srv/app/a.sock"),))
    plan = plan_of("web: ./web\n", {"web": {"listen": listen}})
    export = Export(format_name, plan, user="a%h")
    assert "User=a%%h\n" in "".join(export.files.values())
    assert "User=a%h\n" not in "".join(export.files.values())
    with pytest.raises(UsageError, match="it contains a control character"):
        Export(format_name, plan, user="a\nExecStartPre=/bin/true")
