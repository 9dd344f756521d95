"""The verbs of the engine systemd on recorded hosts."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import time
from dataclasses import replace

import pytest

from engines.driver import Driver, said
from engines.hosts.fake_hosts import HERE, LOST, PROBED, FakeHosts, driver, engine, release, script_of
from export.plans import plan_of
from procman.core.model.schedule import Schedule
from procman.engines.calls import Outcome
from procman.engines.deployment import Order, deploy, difference
from procman.engines.hosts import host_scripts
from procman.engines.hosts.host_files import render_host
from procman.engines.interface import EngineError
from procman.engines.waiting import wait
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from procman.engines.calls import Call
    from procman.engines.hosts.systemd_engine import Systemd
    from procman.engines.interface import Release


def order(system: Systemd, new: Release) -> Order:
    destination = system._machines.target.destination
    return Order(destination, lambda before, version: new, "/home/me/shop", "me@here", "v2")


def test_a_deployment_takes_its_steps_in_the_safe_order() -> None:
    hosts = FakeHosts()
    system = engine()
    work = driver(hosts)
    work.perform(deploy(system, order(system, release({"web": 2, "worker": 1, "job": 1}, SECRET="hush"))))
    assert hosts.scripts("SHOW") == [
        *("PROBE", "LOCK", "UNPACK_CODE", "UNPACK_UNITS", "EXECUTE", "STOP", "INSTALL", "TARGETS"),
        *("LAUNCH", "PRUNE", "UNLOCK"),
    ]
    assert hosts.words("STOP", "deploy@a") == ("shop-sick@1.service", "shop-sick.*.socket", "shop-sick@1.time[r]")
    name = hosts.words("INSTALL", "deploy@a")[0]
    assert name.endswith("-v2")
    assert hosts.words("INSTALL", "deploy@b")[1:] == ("web@2.service", "worker@1.service", "job@1.service")
    assert hosts.words("PRUNE", "deploy@a") == (name, "20261130T032921-v1")
    launched = [words for script, _, words in hosts.log if script in ("TARGETS", "LAUNCH")]
    assert launched == [
        ("shop-web@1.service",),
        ("shop-worker@1.service shop-job@1.service",),
        ("restart", "shop-web@2.service"),
    ]


def test_secrets_travel_as_files_that_only_the_service_manager_reads() -> None:
    hosts = FakeHosts()
    system = engine()
    work = driver(hosts)
    work.perform(deploy(system, order(system, release(None, SECRET="hush"))))
    assert not [command for command in work.commands if "hush" in command]
    with tarfile.open(fileobj=io.BytesIO(hosts.inputs["UNPACK_UNITS", "deploy@a"])) as archive:
        modes = {member.name: member.mode for member in archive.getmembers()}
        found = {name: archive.extractfile(name) for name in modes if name.endswith(".env")}
        secret = {name for name, file in found.items() if file and b"hush" in file.read()}
    assert secret == {"shop/shared.env", "shop/release.env", "shop/run.env"}
    assert {modes[name] for name in found} == {0o600}
    assert "shop/web.1.env" in modes
    assert "shop/web.2.env" not in modes
    tar = next(call for call in work.calls if call.argv[0] == "tar")
    assert tar.stdin == b"./Procfile\0./web\0./.env.example\0"
    assert "warning: vendor/ is a repository of its own, and is not shipped" in work.said
    left_out = ".env, .env.production, procman.local.toml"
    assert f"ship: 3 files, as git lists them, without {left_out}, to deploy@a, deploy@b" in work.said


@pytest.mark.parametrize(
    ("keys", "name", "message", "places"),
    [
        ({}, "release.1", "the release phase did not end within 60 s on deploy@a; v1 still runs", ["deploy@a"]),
        ({"setup": "make"}, "setup", "setup did not end within 60 s on deploy@a; v1 still", ["deploy@a", "deploy@b"]),
    ],
)
def test_what_runs_before_the_switch_has_a_time_limit(
    keys: dict[str, object], name: str, message: str, places: list[str]
) -> None:
    late = Outcome(124, b"", b"\nssh deploy@a did not answer within 60 s\n")
    hosts = FakeHosts({"EXECUTE": late, "LAST_LINES": said("waiting for a lock\n")})
    system, work = engine(**keys), driver(hosts)
    with pytest.raises(EngineError, match=message) as caught:
        work.perform(deploy(system, order(system, release())))
    assert (caught.value.exit_code, caught.value.hint) == (124, "allow it more with -t, or timeout in [on.lan]")
    assert [host for script, host, _ in hosts.log if script == "END"] == places
    shown = [(card.instance.name, card.lines) for card in work.cards]
    assert shown == [(name, ("waiting for a lock",))] * len(places)
    assert {call.timeout for call in work.calls if "RuntimeMaxSec" in call.argv[-1]} == {60.0}


def test_a_type_called_as_another_environment_has_its_own() -> None:
    release_ = release(SHARED="everywhere")
    plan = plan_of("run: ./a\nshared: ./b\n", SHARED="everywhere")
    for instance in plan.instances:
        instance._own = {**instance._own, "ONLY": instance.type}
    hosts = {"deploy@a": {"run": 1, "shared": 1}}
    new = replace(release_, plan=plan, counts={"run": 1, "shared": 1}, hosts=hosts)
    files = render_host(new, ["run.1", "shared.1"], new.options, "deploy@a").files
    paths = [file.path for file in files]
    assert sorted(paths) == sorted(set(paths))
    assert [file.path for file in files if "ONLY=run\n" in file.content] == ["shop/run.all.env"]


def test_what_has_the_port_of_another_is_stopped_before_that_one_starts() -> None:
    new = release({"web": 2, "worker": 1, "job": 1})
    for instance in new.plan.instances:  # on b, web.2 gets what worker.1 had
        instance.port = {"web": 5098, "worker": 5600}.get(instance.type, 6000) + instance.number
        instance.command = f"{instance.command} $PORT"
    hosts, system = FakeHosts(), engine()
    driver(hosts).perform(deploy(system, order(system, new)))
    on_b = [(script, words) for script, host, words in hosts.log if host == "deploy@b"]
    changes = [(script, words) for script, words in on_b if script in ("STOP", "INSTALL", "TARGETS", "LAUNCH")]
    assert [script for script, _ in changes] == ["INSTALL", "STOP", "TARGETS", "LAUNCH"]
    assert changes[1][1] == ("shop-worker@1.service", "shop-worker.*.socket", "shop-worker@1.time[r]")
    assert changes[2][1] == ("shop-job@1.service", "shop-worker@1.service")
    assert changes[3][1] == ("restart", "shop-web@2.service")


def test_an_image_is_refused() -> None:
    system = engine(image="shop:1")
    with pytest.raises(EngineError, match=r"^procman.toml:1: \[on\.lan\] has an image$"):
        driver(FakeHosts()).perform(deploy(system, order(system, release())))
    assert "image" in system.refuses


def test_a_failed_release_has_a_card_and_nothing_is_installed() -> None:
    hosts = FakeHosts({"EXECUTE": Outcome(7, b"migrating\nno such table\n", b"noise\n")})
    system = engine()
    work = driver(hosts)
    with pytest.raises(EngineError, match="release failed with exit code 7; v1 still runs"):
        work.perform(deploy(system, order(system, release())))
    assert work.cards[0].lines == ("migrating", "no such table")
    assert hosts.scripts("SHOW")[-2:] == ["EXECUTE", "UNLOCK"]
    assert hosts.words("EXECUTE", "deploy@a")[1:] == (
        "release.env",
        "",
        "shop-release.1",
        "deploy",
        "",
        "--quiet",
        "90",
        "./migrate",
    )


def test_an_interrupt_ends_the_release() -> None:
    hosts = FakeHosts()
    system = engine()

    def answer(call: object) -> Outcome | BaseException:
        outcome = hosts(call)  # type: ignore[arg-type]
        return KeyboardInterrupt() if hosts.log and hosts.log[-1][0] == "EXECUTE" else outcome

    with pytest.raises(KeyboardInterrupt):
        Driver(answer).perform(deploy(system, order(system, release())))
    assert hosts.scripts()[-2:] == ["END", "UNLOCK"]
    assert hosts.words("END", "deploy@a") == ("shop-release.1.service",)


def test_what_fails_is_taken_back_with_the_units_of_before() -> None:
    hosts = FakeHosts()
    system = engine()
    work = driver(hosts)
    with pytest.raises(EngineError, match=r"sick.1 did not come up; v1 was restored, but sick.1 did not come up"):
        work.perform(deploy(system, order(system, release({"web": 2, "sick": 1}))))
    installed = [words[0] for script, host, words in hosts.log if (script, host) == ("INSTALL", "deploy@a")]
    assert [name.partition("-")[2] for name in installed] == ["v2", "v1"]
    assert json.loads(hosts.inputs["INSTALL", "deploy@a"])["version"] == "v1"
    assert [card.instance.name for card in work.cards] == ["sick.1"]


def test_a_lost_host_in_the_middle_is_an_error_with_a_name() -> None:
    hosts = FakeHosts({("INSTALL", "deploy@b"): LOST})
    system = engine()
    with pytest.raises(EngineError, match="deploy@b does not answer"):
        driver(hosts).perform(deploy(system, order(system, release())))
    assert hosts.scripts()[-1] == "UNLOCK"


def test_the_instances_of_a_lost_host_are_unknown() -> None:
    hosts = FakeHosts({("SHOW", "deploy@b"): LOST})
    work = driver(hosts)
    states = {one.name: (one.state, one.node) for one in work.perform(engine().instances())}
    assert states == {
        "web.1": ("running", "a"),
        "web.2": ("unknown", "b"),
        "worker.1": ("unknown", "b"),
        "sick.1": ("failed", "a"),
        "job.1": ("unknown", "b"),
    }
    assert work.said == ["warning: deploy@b does not answer"]
    why = {one.name: one.why for one in work.perform(engine().why(()))}
    assert why["web.2"] == "its state is unknown, since deploy@b does not answer"
    assert why["sick.1"] == "it exited with code 3"
    assert why["web.1"] == "it runs"


def test_if_no_host_answers_that_is_an_error() -> None:
    with pytest.raises(EngineError, match="deploy@a does not answer"):
        driver(FakeHosts({"SHOW": LOST})).perform(engine().instances())


@pytest.mark.parametrize(
    ("probed", "message"),
    [
        (PROBED.replace("systemd=257\n", ""), "deploy@a does not run systemd"),
        (PROBED.replace("257", "239"), "systemd 239 on deploy@a is too old"),
        (PROBED.replace("tar=yes\n", ""), "deploy@a has no tar"),
        (f"{PROBED}account=missing\n", 'deploy@a has no account ""'),
        (PROBED.replace("folder=link", "folder=full"), "/srv/shop on deploy@a exists, and procman has not made it"),
    ],
)
def test_a_host_that_cannot_be_used_is_refused(probed: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        driver(FakeHosts({"PROBE": said(probed)})).perform(engine().check())


def test_mistakes_in_the_table_have_their_place() -> None:
    for keys, message in (
        ({"hosts": ()}, "has no hosts"),
        ({"hosts": ("a", "a")}, "hosts names a twice"),
        ({"host_formations": {"c": "web=1"}}, "formation names c, which is not in hosts"),
        ({"folder": "srv"}, "folder must be absolute"),
    ):
        with pytest.raises(EngineError, match=f"procman.toml:1: .*{message}"):
            driver(FakeHosts()).perform(engine(**keys).check())


def test_processes_of_a_user_have_to_stay_after_the_last_session() -> None:
    with pytest.raises(EngineError, match="would end with its last session"):
        driver(FakeHosts()).perform(engine(user_units=True).check())
    hosts = FakeHosts({"PROBE": said(PROBED.replace("linger=no", "linger=yes"))})
    driver(hosts).perform(engine(user_units=True, folder="").check())


def test_the_lock_names_its_owner() -> None:
    hosts = FakeHosts({"LOCK": said("bob@there, process 7\n230\n", 3)})
    with pytest.raises(
        EngineError, match=r"^bob@there, process 7 is changing shop; the lock expires in 230 s$"
    ) as raised:
        driver(hosts).perform(engine().lock("me@here", 300))
    assert "procman deploy --unlock --on lan" in raised.value.hint
    work = driver(FakeHosts({"LOCK": said("bob@there\n")}))
    work.perform(engine().lock("me@here", 300))
    assert work.said == ["the lock of bob@there has expired, and is taken over"]


def test_nothing_is_removed_while_another_command_has_the_lock() -> None:
    hosts = FakeHosts({"REQUIRE_FREE": said("bob@there\n230\n", 3)})
    with pytest.raises(EngineError, match=r"^bob@there is changing shop; the lock expires in 230 s$"):
        driver(hosts).perform(engine().down())
    assert hosts.scripts() == ["SHOW", "REQUIRE_FREE"]
    hosts = FakeHosts({("SHOW", "deploy@a"): LOST})
    with pytest.raises(EngineError, match="what is deployed there stays"):
        driver(hosts).perform(engine().down())
    assert hosts.scripts() == ["SHOW", "REMOVE"], "no one can know the lock of a host that is lost"


@pytest.mark.parametrize("verb", ["stop", "down"])
def test_what_depends_on_another_stops_before_it_on_whichever_host(verb: str) -> None:
    needs = '"needs": {"job": ["web"], "web": ["worker"]}, "serial": 4'
    shown = {host: (HERE / f"show_{host[-1]}.txt").read_text() for host in ("deploy@a", "deploy@b")}
    hosts = FakeHosts({("SHOW", host): said(text.replace('"serial": 3', needs)) for host, text in shown.items()})
    driver(hosts).perform(engine().stop(()) if verb == "stop" else engine().down())
    stops = [
        {word for word in words if word.endswith(".service")} for script, _, words in hosts.log if script == "STOP"
    ]
    assert sorted(map(sorted, stops[:2])) == [["shop-job@1.service"], ["shop-sick@1.service"]]
    assert sorted(map(sorted, stops[2:4])) == [["shop-web@1.service"], ["shop-web@2.service"]]
    assert stops[4:] == [{"shop-worker@1.service"}]
    assert hosts.scripts()[-1] == ("LINK" if verb == "stop" else "REMOVE")


@pytest.mark.parametrize("clock", ["~99999.5", "~0.5"])
def test_a_clock_that_differs_from_that_of_systemd_does_not_count(clock: str) -> None:
    answers: dict[object, Outcome] = {"LAUNCH": said(f"{clock} 1796009360\n")}
    for host in "ab":
        text = (HERE / f"show_{host}.txt").read_text()
        answers["SHOW", f"deploy@{host}"] = said(re.sub(r"\n--\n\d+\.\d+ ", f"\n--\n{clock} ", text, count=1))
    hosts = FakeHosts(answers)
    system, run = engine(), driver(hosts)
    run.perform(system.restart(["web"], rolling=False))
    begin = run.time
    run.perform(wait(system, {"web": 2}, 60.0))
    assert 1.0 <= run.time - begin < 5.0, "it has to run for a second by our clock"


def test_what_another_command_has_changed_before_the_lock_is_seen_under_it() -> None:
    hosts = FakeHosts()
    system, run = engine(), driver(hosts)
    run.perform(system.deployed())
    for host in "ab":
        text = (HERE / f"show_{host}.txt").read_text()
        head, _, rest = text.partition("\n--\n")
        record = {**json.loads(head), "version": "v9", "serial": 99}
        hosts.answers["SHOW", f"deploy@{host}"] = said(f"{json.dumps(record)}\n--\n{rest}")
    run.perform(system.lock("me", 60))
    run.perform(system.scale({"web": 1}))
    assert json.loads(hosts.inputs["LINK", "deploy@a"])["version"] == "v9"


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock, which util-linux has")
def test_of_two_that_find_a_lock_expired_one_leaves_the_new_lock_of_the_other(tmp_path: Path) -> None:
    script = host_scripts.script(host_scripts.LOCK, as_user=False, marked=False)
    command = ["sh", "-c", script, "sh", "shop", str(tmp_path / "shop")]
    lock = tmp_path / "shop.releases/lock"
    lock.mkdir(parents=True)
    (lock / "owner").write_text("killed\n1\n2\n")
    # The first one lets the second one begin just before it removes the lock, and gives it a second to come so far.
    (tmp_path / "mv").write_text(
        "#!/bin/sh\nexec 9>&-\nPATH=${PATH#*:}; export PATH\n"
        f"{shlex.join([*command, 'second', '600'])} >second &\n"
        'n=10; while [ $n -gt 0 ] && kill -0 $! 2>/dev/null; do sleep 0.1; n=$((n - 1)); done\nexec mv "$@"\n'
    )
    (tmp_path / "mv").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    words = [*command, "first", "600"]
    first = subprocess.run(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=env, check=True).stdout
    assert first == "killed\n"
    end = time.monotonic() + 60
    while not (refused := (tmp_path / "second").read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    assert refused.startswith("first\n")
    assert (lock / "owner").read_text().startswith("first\n")


@pytest.mark.skipif(not os.path.exists("/proc/uptime"), reason="needs the /proc of Linux")
@pytest.mark.parametrize("account", ["root", "nobody"])
def test_a_host_says_the_time_of_systemd_if_it_may(account: str) -> None:
    script = host_scripts.script(host_scripts.LAUNCH, as_user=False, marked=False)
    words = ["sh", "-c", script, "sh", "shop", "/srv/shop", "start"]
    if os.geteuid() == 0 and account == "nobody":
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
    elif account == "root" and not os.access("/proc/timer_list", os.R_OK):
        pytest.skip("only root can read the clock")
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.fullmatch(r"(~?)(\d+\.\d\d) \d+\n", output)
    assert found is not None, output
    assert found[1] == ("" if account == "root" else "~")
    assert found[1] or 0 <= time.monotonic() - float(found[2]) < 60


def test_scaling_uses_the_files_that_are_there() -> None:
    hosts = FakeHosts()
    driver(hosts).perform(engine().scale({"web": 3, "worker": 0}))
    assert hosts.scripts() == ["SHOW", "STOP", "LINK", "LAUNCH"]
    down = driver(FakeHosts())
    down.perform(engine().scale({"web": 1}))
    assert down.time == driver(FakeHosts()).time, "nothing new has to be waited for"
    assert hosts.words("STOP", "deploy@b") == ("shop-worker@1.service", "shop-worker.*.socket", "shop-worker@1.time[r]")
    assert hosts.words("LINK", "deploy@a") == ("web@1.service", "web@3.service", "sick@1.service")
    assert json.loads(hosts.inputs["LINK", "deploy@b"])["counts"]["web"] == 3
    with pytest.raises(EngineError, match="web has files for 16 instances"):
        driver(FakeHosts()).perform(engine().scale({"web": 17}))


def test_a_rolling_restart_waits_for_each() -> None:
    hosts = FakeHosts()
    system, work = engine(), driver(hosts)
    work.perform(system.restart(["web"], rolling=True))
    assert hosts.words("LAUNCH", "deploy@a") == ("restart", "shop-web@1.service")
    look = work.perform(system.look({"web": 2}))
    assert (look.is_done, look.groups) == (False, 0)
    assert hosts.words("LAUNCH", "deploy@b") == ("restart", "shop-web@2.service")
    assert work.perform(system.look({"web": 2})).is_done


def test_the_next_look_comes_when_an_instance_has_run_long_enough() -> None:
    young = (HERE / "show_b.txt").read_text()
    started = re.search(r"ExecMainStartTimestampMonotonic=(\d+)", young)
    assert started
    clock = re.search(r"\n--\n([\d.]+) ", young)
    assert clock
    hosts = FakeHosts({("SHOW", "deploy@b"): said(young.replace(clock[1], f"{int(started[1]) / 1e6 + 0.4:.2f}"))})
    look = driver(hosts).perform(engine().look({"web": 2}))
    assert (look.is_done, round(look.pause, 1)) == (False, 0.6)


def test_what_has_just_been_looked_at_is_changed_without_another_look() -> None:
    hosts = FakeHosts()
    system, work = engine(), driver(hosts)
    work.perform(system.deployed())
    work.perform(system.restart(["web"], rolling=False))
    assert hosts.scripts() == ["SHOW", "LAUNCH"]


def test_the_next_group_is_given_its_time_once() -> None:
    hosts = FakeHosts()
    system, work = engine(), driver(hosts)
    work.perform(system.restart(["web"], rolling=True))
    began = work.time
    look = work.perform(system.look({"web": 2}))
    assert hosts.words("LAUNCH", "deploy@b") == ("restart", "shop-web@2.service")
    assert (work.time - began, round(look.pause, 2)) == (0, 1.15), "who waits for it makes the only pause"


def test_the_life_before_a_restart_does_not_count() -> None:
    hosts = FakeHosts({"LAUNCH": said("25200.0 1796009460\n")})
    system, work = engine(), driver(hosts)
    work.perform(system.restart(["web.1"], rolling=False))
    assert not work.perform(system.look({"web": 2})).is_done


def test_logs_are_followed_after_the_last_line_of_each_host() -> None:
    recorded: dict[object, Outcome] = {
        ("JOURNAL", f"deploy@{node}"): Outcome(0, (HERE / f"journal_{node}.txt").read_bytes()) for node in "ab"
    }
    hosts = FakeHosts(recorded)
    lines = driver(hosts).perform(engine().logs((), follow=False, lines=2, since=None))
    assert [line.instance for line in lines] == ["sick.1", "web.1"]
    assert "SYSLOG_IDENTIFIER=shop-web.1" in hosts.words("JOURNAL", "deploy@a")
    work = driver(hosts)
    with pytest.raises(EngineError, match="no host sends its journal any more"):
        work.perform(engine().logs(("web",), follow=True, lines=1, since=None))
    assert [line.instance for line in work.lines] == ["web.1"]
    words = hosts.words("JOURNAL", "deploy@a")
    assert "--since=@1796009372.650765" in words
    assert not [word for word in words if "shop-worker" in word]


STOPPED = '{"MESSAGE_ID":"9d1aaa27d60140bd96365438aad20286","MESSAGE":"Stopped target shop.target"}\n'


def test_a_host_that_is_lost_is_named_and_the_others_are_followed() -> None:
    lost = said("", 255, "Timeout, server b not responding.\n")
    hosts = FakeHosts({"JOURNAL": said(STOPPED), ("JOURNAL", "deploy@b"): lost, "GONE": said("gone\n")})
    work = driver(hosts)
    with pytest.raises(EngineError, match="no host sends its journal any more"):
        work.perform(engine().logs((), follow=True, lines=0, since=None))
    assert [text for text in work.said if "followed" in text] == [
        "warning: deploy@b does not answer; its output is no longer followed"
    ]
    assert ("GONE", "deploy@a", ()) in hosts.log, "it was still followed, and would have ended well"


def test_what_is_followed_ends_when_the_application_is_removed_from_all_hosts() -> None:
    hosts = FakeHosts({"JOURNAL": said(STOPPED), "GONE": said("gone\n")})
    work = driver(hosts)
    assert work.perform(engine().logs((), follow=True, lines=0, since=None)) == ()
    assert work.said[-1] == "shop has been removed from lan"
    assert {call.argv[call.argv.index("--") + 1] for call in work.stopped} == {"deploy@a", "deploy@b"}
    assert "UNIT=shop.target" in hosts.words("JOURNAL", "deploy@a")
    hosts = FakeHosts({"JOURNAL": said(STOPPED)})
    with pytest.raises(EngineError):  # it is still there: only its target was stopped
        driver(hosts).perform(engine().logs((), follow=True, lines=0, since=None))


def test_a_command_has_the_environment_of_what_is_deployed() -> None:
    hosts = FakeHosts({"EXECUTE": said("", 3)})
    assert driver(hosts).perform(engine().run("env", terminal=False)) == 3
    words = hosts.words("EXECUTE", "deploy@a")
    assert (words[:3], words[4:]) == (("", "run.env", ""), ("deploy", "", "--pipe", "", "env"))
    hosts = FakeHosts({"EXECUTE": said("", 255)})
    assert driver(hosts).perform(engine(user="shop").run("env", terminal=True)) == 255
    assert hosts.words("EXECUTE", "deploy@a")[4:] == ("shop", "", "--pty", "", "env")
    assert hosts.words("END", "deploy@a")[0].startswith("shop-run-")


@pytest.mark.parametrize(
    ("folder", "user_units", "meant"),
    [("/srv/shop/", False, "/srv/shop"), ("apps/shop/", True, "apps/shop"), ("~/shop", True, "shop")],
)
def test_a_folder_may_end_in_a_slash(folder: str, user_units: bool, meant: str) -> None:
    assert engine(folder=folder, user_units=user_units)._machines.folder == meant


def test_a_host_that_runs_something_else_is_said_in_a_sentence() -> None:
    work = Driver(lambda call: said("Welcome to the git server\n"))
    with pytest.raises(EngineError, match="it does not run what ssh is given"):
        work.perform(engine().instances())
    with pytest.raises(EngineError, match="it does not run what ssh is given"):
        work.perform(engine().check())


def test_a_lock_on_a_host_that_is_lost_is_not_removed() -> None:
    with pytest.raises(EngineError, match="deploy@a does not answer"):
        driver(FakeHosts({"UNLOCK": LOST})).perform(engine().unlock(""))


def test_a_command_does_not_outlive_the_one_who_runs_it() -> None:
    hosts = FakeHosts()
    work = driver(hosts)

    def answer(call: Call) -> Outcome | BaseException:
        is_command = call.argv[0] == "ssh" and script_of(call)[0] == "EXECUTE"
        return KeyboardInterrupt() if is_command else hosts(call)

    work.answer = answer
    with pytest.raises(KeyboardInterrupt):
        work.perform(engine().run("env", terminal=False))
    assert hosts.words("END", "deploy@a")[0].startswith("shop-run-")


def test_a_line_of_the_procfile_runs_where_its_type_does_with_its_variables() -> None:
    hosts = FakeHosts()
    driver(hosts).perform(engine().run("./worker --once", terminal=False, process="worker"))
    assert hosts.words("EXECUTE", "deploy@b")[:3] == ("", "run.env", "worker")


def test_what_would_change_is_shown_without_secrets() -> None:
    installed = said("abc  shop.target\ndef  shop/shared.env\nfed  shop-old@.service\n")
    hosts = FakeHosts({"INSTALLED": installed, "READ": said("4\nold\n")})
    system = engine()
    text = driver(hosts).perform(difference(system, order(system, release({"web": 1}, SECRET="hush"))))
    assert "-version v1\n+version v2\n" in text
    assert "-web.2 on deploy@b\n" in text
    assert "--- a, b: shop.target\n+++ a, b: shop.target\n" in text
    assert "a, b: shop/shared.env would change (secret: not shown)" in text
    assert "a, b: shop-old@.service would be removed" in text
    assert "hush" not in text
    assert "web.3.env" not in text


def test_down_empties_the_hosts_that_it_reaches() -> None:
    hosts = FakeHosts({("SHOW", "deploy@b"): LOST})
    with pytest.raises(EngineError, match="deploy@b does not answer; what is deployed there stays"):
        driver(hosts).perform(engine().down())
    assert hosts.words("REMOVE", "deploy@a") == ("shop-web@1.service", "shop-sick@1.service")


def test_a_host_that_left_is_emptied() -> None:
    hosts = FakeHosts()
    system = engine(hosts=("deploy@a",))
    driver(hosts).perform(deploy(system, order(system, release({"web": 1}))))
    assert hosts.words("REMOVE", "deploy@b") == ("shop-web@2.service", "shop-worker@1.service", "shop-job@1.service")


def test_nothing_deployed_is_an_error_that_says_so() -> None:
    nothing = FakeHosts({"SHOW": Outcome(0, b"\n--\n100.5 1796009370\n\n--\n")})
    with pytest.raises(EngineError, match="shop is not deployed to lan"):
        driver(nothing).perform(engine().instances())
    assert driver(nothing).perform(engine().deployed()) is None


def test_down_removes_what_a_deployment_that_was_cut_off_has_left() -> None:
    nothing = FakeHosts({"SHOW": Outcome(0, b"\n--\n100.5 1796009370\n\n--\n")})
    work = driver(nothing)
    work.perform(engine().down())
    assert work.said == ["shop is not deployed to lan, so there is nothing to stop"]
    assert [host for script, host, words in nothing.log if script == "REMOVE"] == ["deploy@a", "deploy@b"]


def test_a_host_lost_in_the_middle_does_not_keep_the_others_from_the_old_version() -> None:
    hosts = FakeHosts({("LAUNCH", "deploy@b"): LOST})
    system = engine()

    def answer(call: Call) -> Outcome:
        outcome = hosts(call)
        if hosts.log and hosts.log[-1][:2] == ("LAUNCH", "deploy@b"):
            hosts.answers.update({(script, "deploy@b"): LOST for script in ("SHOW", "INSTALL", "TARGETS")})
        return outcome

    work = Driver(answer, time=1796009370.0)
    with pytest.raises(EngineError, match="deploy@b does not answer; v1 was restored, but deploy@b does not answer"):
        work.perform(deploy(system, order(system, release())))
    assert hosts.words("INSTALL", "deploy@a")[0] == "20261130T032921-v1"
    assert hosts.words("LAUNCH", "deploy@a") == ("restart", "shop-sick@1.service")
    assert "warning: deploy@b does not answer; it keeps what it has" in work.said


def test_what_a_login_shell_writes_is_no_answer() -> None:
    shown = b"Welcome to a!\nlogin=mallory\nprocman:begin\n" + (HERE / "show_a.txt").read_bytes()
    hosts = FakeHosts({("SHOW", "deploy@a"): Outcome(0, shown)})
    assert driver(hosts).perform(engine().instances())[0].name == "web.1"


def test_an_unknown_name_is_an_error_in_each_verb() -> None:
    for steps in (
        engine().logs(("wob",), follow=False, lines=1, since=None),
        engine().restart(("wob",), rolling=False),
        engine().stop(("web.9",)),
    ):
        with pytest.raises(UsageError, match=r'there is no process "w[eo]b(\.9)?" at lan$'):
            driver(FakeHosts()).perform(steps)


def test_what_a_cut_off_change_has_left_is_stopped() -> None:
    text = (HERE / "show_b.txt").read_text()
    stray = text[text.index("\n\n", text.index("--")) :].replace("worker@1", "worker@7").partition("\n--\n")[0]
    shown = text.replace("\n--\n3474", f"\n{stray}\n--\n3474")
    hosts = FakeHosts({("SHOW", "deploy@b"): said(shown)})
    system = engine()
    driver(hosts).perform(deploy(system, order(system, release())))
    stopped = [words for script, host, words in hosts.log if (script, host) == ("STOP", "deploy@b")]
    assert stopped == [("shop-worker@7.service", "shop-worker.*@7.socket", "shop-worker@7.time[r]")]


def test_what_still_runs_the_old_version_is_not_restarted_on_the_way_back() -> None:
    hosts = FakeHosts()
    system = engine()
    with pytest.raises(EngineError, match=r"sick.1 did not come up"):
        driver(hosts).perform(deploy(system, order(system, release({"web": 2, "sick": 1}))))
    launched = [words for script, host, words in hosts.log if script in ("LAUNCH", "TARGETS")]
    assert launched[-1] == ("restart", "shop-sick@1.service")
    assert [words for words in launched if words[0] == "restart"] == launched[-1:]


def test_a_version_that_never_came_up_is_not_installed_again() -> None:
    noted = (HERE / "show_a.txt").read_text()
    hosts = FakeHosts({"SHOW": said(noted.replace(" up\n", "\n", 1))})  # web.1 runs, and sick.1 has failed
    system = engine(hosts=("deploy@a",))
    with pytest.raises(EngineError, match="did not come up; v1 never came up, so what was started stays"):
        driver(hosts).perform(deploy(system, order(system, release({"web": 1, "sick": 1}))))
    assert [script for script, _, _ in hosts.log].count("INSTALL") == 1
    before = driver(FakeHosts({"SHOW": said(noted)})).perform(engine().deployed())
    assert before is not None
    assert before.has_run


def interrupted() -> FakeHosts:
    """Return hosts on which v1 has come up, and an interrupted deployment of v2 has been installed after it."""
    hosts = FakeHosts()
    for host in ("a", "b"):
        text, separator, shown = (HERE / f"show_{host}.txt").read_text().partition("\n--\n")
        before = json.loads(text)
        record = {**before, "version": "v2", "release": "20261130T040000-v2", "serial": 4, "before": before}
        record["counts"] = {**before["counts"], "web": 3, "worker": 4, "clock": 1}
        hosts.answers["SHOW", f"deploy@{host}"] = said(f"{json.dumps(record)}{separator}{shown.replace(' up', '', 1)}")
    return hosts


def test_after_a_version_that_never_came_up_the_one_before_it_is_restored() -> None:
    hosts, system = interrupted(), engine()
    before = driver(hosts).perform(system.deployed())
    assert before is not None
    assert (before.version, before.has_run, before.unfinished) == ("v1", True, "v2")
    assert before.counts == {"web": 3, "worker": 4, "clock": 1, "sick": 1, "job": 1}, "what v2 was given"
    with pytest.raises(EngineError, match=r"did not come up; v1 was restored"):
        driver(hosts).perform(deploy(system, order(system, release({"web": 3, "sick": 1}))))
    installed = [words[0] for script, host, words in hosts.log if (script, host) == ("INSTALL", "deploy@a")]
    assert [name.partition("-")[2] for name in installed] == ["v2", "v1"]
    record = json.loads(hosts.inputs["INSTALL", "deploy@a"])
    assert (record["version"], record["counts"]["web"], record["has_come_up"]) == ("v1", 3, True)
    assert record["serial"] > 5, "newer than what has failed"
    found = driver(FakeHosts({"SHOW": said(f"{json.dumps(record)}\n--\n1 2\n\n--\n")})).perform(engine().deployed())
    assert found is not None
    assert (found.version, found.has_run, found.unfinished) == ("v1", True, "")


def test_the_release_that_had_come_up_is_kept_and_not_the_one_that_never_did() -> None:
    hosts, system = interrupted(), engine()
    driver(hosts).perform(deploy(system, order(system, release())))
    kept = hosts.words("PRUNE", "deploy@a")
    assert [name.partition("-")[2] for name in kept] == ["v2", "v1"]
    assert "20261130T040000-v2" not in kept, "the new one is of the same version"


def test_what_runs_by_the_clock_is_started_by_its_timer() -> None:
    hosts = FakeHosts()
    system, new = engine(), release({"web": 2, "worker": 1, "clock": 1, "job": 1})
    for instance in new.plan.instances:
        if instance.type == "clock":
            instance.schedule = Schedule(every=60.0)
    timer = "Id=shop-clock@1.timer\nActiveState=active\nSubState=waiting\nResult=success\nJob=\n"
    head, _, places = (HERE / "show_a.txt").read_text().rpartition("\n--\n")
    hosts.answers["SHOW", "deploy@a"] = said(f"{head}\n\n{timer}\n--\n{places}")
    done = driver(hosts).perform(deploy(system, order(system, new)))
    assert "clock@1.timer" in hosts.words("INSTALL", "deploy@a")
    assert hosts.words("TARGETS", "deploy@a") == ("shop-web@1.service", "shop-clock@1.timer")
    assert {one.name: one.state for one in done.instances}["clock.1"] == "waiting"
