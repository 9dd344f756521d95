"""A reloaded plan: what changed is named, and secrets are not shown."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import pytest

from procman.config.plan_source import PlanSource, read_plan
from procman.core.lifecycle.supervisor import Supervisor
from procman.core.model.settings import Settings
from procman.errors import ConfigError, ProcfileError, UsageError
from procman.runtime import reload
from procman.runtime.reload import reload_plans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import InstancePlan, Plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("Procfile", "web: serve\ndb: keep\n")
    write(".env", "A=1\nAPI_KEY=old\n")
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).write_text(text)
    Path(path).chmod(0o600)


def planned() -> tuple[Plan, Settings]:
    settings = Settings()
    return read_plan(settings, {}, "s1"), settings


def refreshed(plan: Plan, settings: Settings) -> tuple[dict[str, InstancePlan], list[str]]:
    """What the next lives follow, by name, and what is said about it."""
    supervisor = Supervisor(plan.instances)
    sentences = reload_plans(supervisor, PlanSource(settings, plan, {}, os.getcwd()), supervisor.instances.values())
    return {instance.name: instance.plan for instance in supervisor.instances.values()}, sentences


def test_nothing_changed_is_nothing_said() -> None:
    assert refreshed(*planned())[1] == []


def test_variables_are_named_and_secrets_masked() -> None:
    plan, settings = planned()
    write(".env", "A=2\nB=3\nAPI_KEY=new\n")
    new, sentences = refreshed(plan, settings)
    assert sorted(sentences) == ["A changed: 1 → 2", "API_KEY changed: ******** → ********", "B is new: 3"]
    assert new["web.1"].env["A"] == "2"
    assert new["web.1"].env["PROCMAN_SESSION"] == "s1"


def test_a_variable_that_is_gone() -> None:
    plan, settings = planned()
    write(".env", "A=1\n")
    assert refreshed(plan, settings)[1] == ["API_KEY is gone"]


def test_an_overlay_that_was_not_there_at_the_start() -> None:
    plan, settings = planned()
    write("procman.toml", '[process.db]\nport = 5999\nstop_signal = "INT"\nready = { tcp = 5999 }\n')
    new, sentences = refreshed(plan, settings)
    assert "db: port is now 5999" in sentences
    assert {"db: stop changed", "db: ready changed"} <= set(sentences)
    assert new["db.1"].stop.signal_number == 2


def test_a_working_folder_that_is_gone_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, settings = planned()
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    supervisor = Supervisor(plan.instances)
    source = PlanSource(settings, plan, {}, str(gone))
    with pytest.raises(UsageError, match="gone: the folder that this session was started in is gone"):
        reload_plans(supervisor, source, supervisor.instances.values())


def test_a_working_folder_that_was_made_again_is_entered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = folder / "app"
    app.mkdir()
    monkeypatch.chdir(app)
    write("Procfile", "web: serve\n")
    plan, settings = planned()
    shutil.rmtree(app)
    app.mkdir()
    (app / "Procfile").write_text("web: serve --more\n")
    supervisor = Supervisor(plan.instances)
    source = PlanSource(settings, plan, {}, str(app))
    assert reload_plans(supervisor, source, supervisor.instances.values()) == ["web: command is now serve --more"]
    assert os.getcwd() == str(app)


def test_a_starting_folder_that_is_none_any_more_is_told(folder: Path) -> None:
    plan, settings = planned()
    write("was_a_folder", "")
    supervisor = Supervisor(plan.instances)
    with pytest.raises(UsageError, match=r"was_a_folder: the folder .* cannot be entered: not a directory"):
        reload_plans(
            supervisor, PlanSource(settings, plan, {}, str(folder / "was_a_folder")), supervisor.instances.values()
        )


def test_a_changed_command() -> None:
    plan, settings = planned()
    write("Procfile", "web: serve --more\ndb: keep\n")
    assert refreshed(plan, settings)[1] == ["web: command is now serve --more"]


def test_a_mistake_changes_nothing() -> None:
    plan, settings = planned()
    write("procman.toml", "[process.db]\nprot = 1\n")
    with pytest.raises(ConfigError, match='unknown key "prot"'):
        refreshed(plan, settings)


def test_nobody_concerned_means_no_file_is_read() -> None:
    plan, settings = planned()
    write("Procfile", "no procfile\n")
    assert reload_plans(Supervisor(plan.instances), PlanSource(settings, plan, {}, os.getcwd()), []) == []


def test_a_variable_of_one_instance_is_not_told() -> None:
    plan, settings = planned()
    write("procman.toml", "[process.db]\nport = 5999\n")
    sentences = refreshed(plan, settings)[1]
    assert [line for line in sentences if line.startswith("PORT")] == []
    assert "db: port is now 5999" in sentences


def test_a_command_that_holds_a_secret_is_not_shown() -> None:
    plan, settings = planned()
    write("Procfile", "web: serve --password=hunter2\ndb: keep\n")
    assert refreshed(plan, settings)[1] == ["web: command changed"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('log_file = "db.log"', "db: log_file is now "),
        ('watch = ["*.py", "*.js"]', "db: watch is now *.py, *.js"),
        ('groups = ["back"]', "db: groups is now back"),
        ("can_die = true", "db: can_die is now True"),
        ("pty = true", "db: pty is now True"),
        ('cwd = "/"', "db: cwd is now /"),
        ('restart = "always"', "db: restart changed"),
        ('stop_signal = "INT"', "db: stop changed"),
        ("ready = { tcp = 5999 }", "db: ready changed"),
        ("health = { tcp = 5999 }", "db: health changed"),
        ('depends_on = ["web"]', "db: depends_on changed"),
    ],
)
def test_every_key_that_changed_is_told(line: str, told: str) -> None:
    plan, settings = planned()
    write("procman.toml", f"[process.db]\n{line}\n")
    sentences = refreshed(plan, settings)[1]
    assert len(sentences) == 1
    assert sentences[0].startswith(told)


def test_as_many_instances_are_planned_as_there_are_and_only_of_the_chosen_types() -> None:
    plan, _ = planned()
    supervisor = Supervisor([*plan.instances, *numbered(plan, "web", 3), *numbered(plan, "web", 2)])
    asked: list[tuple[dict[str, int], set[str]]] = []

    class Source:
        def instances(self, counts: dict[str, int], wanted: set[str]) -> tuple[InstancePlan, ...]:
            asked.append((dict(counts), set(wanted)))
            return ()

    reload_plans(supervisor, Source(), [supervisor.instances["web.1"]])  # type: ignore[arg-type]
    assert asked == [({"web": 3, "db": 1}, {"web"})]


def numbered(plan: Plan, type_name: str, number: int) -> list[InstancePlan]:
    """Return one more instance of a type, with this number."""
    first = next(one for one in plan.instances if one.type == type_name)
    more = copy.copy(first)
    more.name, more.number = f"{type_name}.{number}", number
    return [more]


def running(plan: Plan) -> Supervisor:
    supervisor = Supervisor(plan.instances)
    for number, instance in enumerate(supervisor.instances.values(), 100):
        instance.pid = number
    return supervisor


def test_a_port_of_an_instance_that_runs_is_refused_and_nothing_is_changed() -> None:
    plan, settings = planned()
    supervisor = running(plan)
    write("Procfile", "css: build\nweb: serve\ndb: keep\n")
    with pytest.raises(UsageError, match=r"^the Procfile now gives web.1 port 5100, which db.1 is using$") as caught:
        reload_plans(supervisor, PlanSource(settings, plan, {}, os.getcwd()), [supervisor.instances["web.1"]])
    assert caught.value.hint == "procman restart without names restarts all, with their new ports"
    assert supervisor.instances["web.1"].plan.port == 5000


def test_together_their_ports_may_move() -> None:
    plan, settings = planned()
    supervisor = running(plan)
    write("Procfile", "css: build\nweb: serve\ndb: keep\n")
    source = PlanSource(settings, plan, {}, os.getcwd())
    with pytest.raises(UsageError):
        reload_plans(supervisor, source, supervisor.instances.values(), one_by_one=True)
    reload_plans(supervisor, source, supervisor.instances.values())
    assert [instance.plan.port for instance in supervisor.instances.values()] == [5100, 5200]


def test_the_port_of_one_that_does_not_run_is_free() -> None:
    plan, settings = planned()
    supervisor = running(plan)
    supervisor.instances["db.1"].pid = None
    write("Procfile", "css: build\nweb: serve\ndb: keep\n")
    reload_plans(supervisor, PlanSource(settings, plan, {}, os.getcwd()), [supervisor.instances["web.1"]])
    assert supervisor.instances["web.1"].plan.port == 5100


# Ports that other processes have ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The ports that are taken, whatever listens on this machine."""
    ports: set[int] = set()
    monkeypatch.setattr(reload, "busy_ports", ports.intersection)
    monkeypatch.setattr(reload, "owners", lambda ports: {port: f"pid {port}" for port in ports})
    return ports


def ports(supervisor: Supervisor) -> list[int | None]:
    return [instance.plan.port for instance in supervisor.instances.values()]


@pytest.mark.parametrize("rule", ["warn", "fail", "bump"])
def test_a_port_that_is_taken_is_treated_as_the_user_wants(taken: set[int], rule: str) -> None:
    plan, settings = planned()
    settings.port_conflict = rule
    supervisor = Supervisor(plan.instances)
    source = PlanSource(settings, plan, {}, os.getcwd())
    taken |= {5000, 5001}
    chosen = [supervisor.instances["web.1"]]
    if rule == "fail":
        with pytest.raises(UsageError, match=r"^port 5000 of web.1 is taken by pid 5000$"):
            reload_plans(supervisor, source, chosen)
        assert ports(supervisor) == [5000, 5100]
        return
    sentences = reload_plans(supervisor, source, chosen)
    if rule == "warn":
        assert sentences == ["warning: port 5000 of web.1 is taken by pid 5000"]
        assert ports(supervisor) == [5000, 5100]
    else:
        moved = ports(supervisor)[0]
        assert sentences[0] == f"warning: port 5000 of web.1 is taken by pid 5000; web.1 gets port {moved}"
        assert moved not in (5000, 5001, 5100, None)


def test_a_port_that_the_instance_itself_has_is_not_taken(taken: set[int]) -> None:
    plan, settings = planned()
    settings.port_conflict = "fail"
    supervisor = running(plan)
    taken |= {5000, 5100}
    source = PlanSource(settings, plan, {}, os.getcwd())
    assert reload_plans(supervisor, source, supervisor.instances.values()) == []
    supervisor.instances["db.1"].pid = None
    with pytest.raises(UsageError, match=r"^port 5100 of db.1"):
        reload_plans(supervisor, source, supervisor.instances.values())


def test_only_the_ports_of_those_that_begin_anew_matter(taken: set[int]) -> None:
    plan, settings = planned()
    settings.port_conflict = "fail"
    supervisor = Supervisor(plan.instances)
    taken.add(5100)
    source = PlanSource(settings, plan, {}, os.getcwd())
    assert reload_plans(supervisor, source, [supervisor.instances["web.1"]]) == []


def test_a_moved_port_is_none_that_another_instance_has(taken: set[int]) -> None:
    plan, settings = planned()
    settings.port_conflict = "bump"
    supervisor = running(plan)
    supervisor.instances["web.1"].pid = None
    supervisor.instances["db.1"].plan.port = 5001
    taken |= {5000, 5002}
    source = PlanSource(settings, plan, {}, os.getcwd())
    reload_plans(supervisor, source, [supervisor.instances["web.1"]])
    assert ports(supervisor) == [5003, 5001]


def test_a_newcomer_has_the_count_that_a_start_would_give_it() -> None:
    plan, settings = planned()
    source = PlanSource(settings, plan, {}, os.getcwd())
    assert source.newcomers() == {}
    write("Procfile", "web: serve\nqueue: work\ndb: keep\nmanual: x\nlate: y\n")
    write("procman.toml", "process.queue.formation = 2\nprocess.manual.autostart = false\n")
    settings.exclude = ("late",)
    assert source.newcomers() == {"queue": 2}
    source.note(["queue"])
    assert source.newcomers() == {}


def test_there_is_no_newcomer_if_names_or_a_formation_chose_what_runs() -> None:
    for settings in (Settings().but(names=("web",)), Settings().but(formation="web=2")):
        write("Procfile", "web: serve\ndb: keep\n")
        source = PlanSource(settings, read_plan(settings, {}, "s1"), {}, os.getcwd())
        write("Procfile", "web: serve\ndb: keep\nqueue: work\n")
        assert source.newcomers() == {}


def test_a_line_that_is_wrong_now_is_not_one_that_is_gone() -> None:
    plan, settings = planned()
    write("Procfile", "web: serve\ndb keep\n")
    supervisor = Supervisor(plan.instances)
    with pytest.raises(ProcfileError, match=r"^Procfile:2:3: expected"):
        reload_plans(supervisor, PlanSource(settings, plan, {}, os.getcwd()), supervisor.instances.values())


def test_what_is_gone_from_the_procfile_can_be_removed_from_the_session() -> None:
    plan, settings = planned()
    write("Procfile", "web: serve\n")
    supervisor = Supervisor(plan.instances)
    with pytest.raises(UsageError, match=r'^Procfile has no process type "db"$') as refused:
        reload_plans(supervisor, PlanSource(settings, plan, {}, os.getcwd()), supervisor.instances.values())
    assert refused.value.hint == "`procman scale db=0` removes it from this session"
