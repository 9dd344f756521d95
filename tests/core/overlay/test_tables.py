"""The keys of [process.NAME]: their values, what they change in a plan, and the message for each mistake."""

from __future__ import annotations

import pytest

from procman.core.model.plan import InstancePlan, Layer, Plan, merge
from procman.core.model.process_overlay import Overlay, ProcessOverlay, Table
from procman.core.model.settings import Settings
from procman.core.overlay.converters import WrongValueError, seconds
from procman.core.overlay.keys import COLORS, KEYS, signal
from procman.core.overlay.tables import parse_overlay
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.errors import ConfigError
from procman.output.palette import ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROCFILE = parse_procfile(b"web: serve\nworker: work\ndb: keep\n")


def overlaid(**processes: object) -> Overlay:
    return parse_overlay([Table("procman.toml", "", processes, {})], PROCFILE)


def planned(overlay: Overlay, **given: Any) -> Plan:
    assert not overlay.errors, overlay.errors
    return make_plan(PROCFILE, merge([Layer("environment", {})]), Settings(root="/app", **given), overlay)


def web(overlay: Overlay, **given: Any) -> InstancePlan:
    return next(instance for instance in planned(overlay, **given).instances if instance.type == "web")


def wrong(**processes: object) -> list[str]:
    return [f"{problem.message} ({problem.hint})" for problem in overlaid(**processes).problems]


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "meant"),
    [(3, 3), (0.5, 0.5), ("3", 3), ("500ms", 0.5), ("1m30s", 90), ("2h", 7200), ("1.5s", 1.5), (" 1s ", 1)],
)
def test_times_are_numbers_or_texts_with_units(value: object, meant: float) -> None:
    assert seconds(value) == pytest.approx(meant)


@pytest.mark.parametrize("value", [-1, True, "", "s", "1x", "1 s", "1ss", "..", "1.2.3", "m5", [], None, "1e3", 1e12])
def test_other_times_are_refused(value: object) -> None:
    with pytest.raises(WrongValueError, match="must be a duration"):
        seconds(value)


@pytest.mark.parametrize(("value", "number"), [("INT", 2), ("sigterm", 15), ("SIGHUP", 1), (9, 9), ("WINCH", 28)])
def test_signals_have_names_and_numbers(value: object, number: int) -> None:
    assert signal(value) == number


@pytest.mark.parametrize("value", ["", "SIGFOO", 0, 65, -1, True, 2.0, [], "RT", "15"])
def test_other_signals_are_refused(value: object) -> None:
    with pytest.raises(WrongValueError):
        signal(value)


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("started", "started"),
        ("ready", "ready"),
        ("completed", "completed"),
        ("completed_successfully", "completed_successfully"),
        ("service_started", "started"),
        ("service_healthy", "ready"),
        ("service_completed_successfully", "completed_successfully"),
        ("process_started", "started"),
        ("process_healthy", "ready"),
        ("process_log_ready", "ready"),
        ("process_completed", "completed"),
        ("process_completed_successfully", "completed_successfully"),
    ],
)
def test_conditions_have_the_words_of_compose_and_process_compose(word: str, condition: str) -> None:
    for how in (word, {"condition": word}):
        (dependency,) = overlaid(web={"depends_on": {"db": how}}).processes["web"].depends_on
        assert dependency.condition == condition


def test_a_list_of_dependencies_means_ready() -> None:
    depends_on = overlaid(web={"depends_on": ["db", "worker", "db"]}).processes["web"].depends_on
    assert [(one.type, one.condition) for one in depends_on] == [("db", "ready"), ("worker", "ready")]


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (5432, "localhost:5432"),
        ("5432", "localhost:5432"),
        (True, "localhost:$PORT"),
        ("$PORT", "localhost:$PORT"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_what_tcp_connects_to(value: object, target: str) -> None:
    check = overlaid(web={"ready": {"tcp": value}}).processes["web"].ready
    assert getattr(check, "target", None) == target


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("/health", "http://localhost:$PORT/health"),
        (":8080/x?y=1", "http://localhost:8080/x?y=1"),
        (8080, "http://localhost:8080/"),
        ("http://127.0.0.1/x", "http://127.0.0.1:80/x"),
        ("http://[::1]:8/x", "http://[::1]:8/x"),
        ("http://localhost:${PORT}/x", "http://localhost:${PORT}/x"),
    ],
)
def test_what_http_asks_for(value: object, target: str) -> None:
    check = overlaid(web={"ready": {"http": value}}).processes["web"].ready
    assert getattr(check, "target", None) == target


def test_the_port_is_filled_in_for_each_instance() -> None:
    plan = planned(overlaid(web={"ready": {"http": "/"}, "formation": 2, "port": 7000}))
    targets = [instance.ready.target for instance in plan.instances if instance.ready]
    assert targets == ["http://localhost:7000/", "http://localhost:7001/"]


def test_a_check_of_a_port_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match='the check of "web" needs its port, but it has none'):
        planned(overlaid(web={"ready": {"tcp": True}, "port": False}))


def test_who_waits_for_the_health_of_one_waits_for_its_health_check() -> None:
    health = {"tcp": 5432}
    borrowed = overlaid(web={"depends_on": {"db": "service_healthy"}}, db={"health": health})
    assert borrowed.processes["db"].ready
    not_borrowed = overlaid(web={"depends_on": {"db": "ready"}}, db={"health": health})
    assert not_borrowed.processes["db"].ready is None


def test_the_colors_are_those_of_the_palette() -> None:
    assert tuple(color.upper() for color in COLORS) == ORDER


# Mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("restart", "sometimes", "restart must be on-failure, always or never"),
        ("restart", "alwys", 'did you mean "always"?'),
        ("restart", True, "not true"),
        ("max_restarts", -1, "from 0 to 1000000"),
        ("max_restarts", 1.5, "not the number 1.5"),
        ("backoff", {"first": 1}, "backoff.first is not a known key"),
        ("success_exit_codes", [256], "exit codes from 0 to 255"),
        ("success_exit_codes", ["TERMM"], 'did you mean "TERM"?'),
        ("can_die", "yes", "true or false"),
        ("depends_on", 5, "a list of strings"),
        ("depends_on", ["nobody"], 'depends on "nobody", which Procfile does not have'),
        ("depends_on", ["wrker"], 'did you mean "worker"?'),
        ("depends_on", {"db": "redy"}, 'did you mean "ready"?'),
        ("depends_on", {"db": {"conditon": "ready"}}, "depends_on.db.conditon is not a known key"),
        ("ready", "http://x", "a table with http, tcp, log, exec, delay or notify"),
        ("ready", {}, "needs exactly one of http, tcp, log, exec, delay, notify, but has none of them"),
        ("ready", {"tcp": 1, "http": "/"}, "but has http and tcp"),
        ("ready", {"tcp": "example.com:80"}, "to check another machine by its name, use exec"),
        ("ready", {"tcp": 99999}, "a port"),
        ("ready", {"http": "https://localhost/"}, "curl"),
        ("ready", {"log": "("}, "not a regular expression"),
        ("ready", {"log": "a{99999999999}"}, "not a regular expression"),
        ("ready", {"tcp": 1, "interval": 0}, "0.05 seconds or more"),
        ("ready", {"tcp": 1, "retries": 3}, 'the key is "failure_threshold"'),
        ("health", {"delay": 1}, "is not a known key"),
        ("health", {"tcp": 1, "on_fail": "explode"}, "restart, fail or none"),
        ("health", {"tcp": 1, "failure_threshold": 0}, "from 1 to 1000"),
        ("stop_signal", "SIGNIT", 'did you mean "INT"?'),
        ("stop_timeout", "soon", "a duration such as"),
        ("stop_command", "", "a string"),
        ("stop_to", "leader", "program or group"),
        ("watch", 5, "a list of strings"),
        ("env", ["A=1"], "a table of variables"),
        ("env", {"PORT": 80}, "use the key port"),
        ("env", {"A": [1]}, "must be a string"),
        ("env", {"A=B": "1"}, "is not a valid name for a variable"),
        ("env_file", [1], "a string"),
        ("port", 70000, "a port"),
        ("port", True, "a port"),
        ("formation", -1, "from 0"),
        ("color", "purple", "cyan, green"),
        ("color", "cian", 'did you mean "cyan"?'),
        ("groups", ["a b"], "not a valid name for a group"),
        ("groups", ["db"], "has the name of a process type"),
        ("restrat", 1, 'did you mean "restart"?'),
        ("command", "x", "commands belong in the Procfile"),
        ("environment", {}, 'the key is "env"'),
        ("cron", "* * * * *", "schedule"),
    ],
)
def test_each_mistake_has_its_sentence(key: str, value: object, message: str) -> None:
    (problem,) = wrong(web={key: value})
    assert message in problem


def test_every_key_refuses_what_makes_no_sense() -> None:
    for key in KEYS:
        assert wrong(web={key: object()}), key


def test_a_dash_is_as_good_as_an_underscore() -> None:
    assert web(overlaid(web={"stop-signal": "INT"})).stop.signal_number == 2


def test_cycles_are_shown_whole() -> None:
    overlay = {"web": {"depends_on": ["worker"]}, "worker": {"depends_on": ["db"]}, "db": {"depends_on": ["web"]}}
    assert wrong(**overlay) == ["these wait for one another: web → worker → db → web (one of them must start first)"]


def test_two_cannot_be_primary() -> None:
    (problem,) = wrong(web={"primary": True}, db={"primary": True})
    assert '"db" cannot be primary: "web" is' in problem


def test_who_is_always_restarted_never_completes() -> None:
    (problem,) = wrong(web={"depends_on": {"db": "completed"}}, db={"restart": "always"})
    assert '"web" waits for "db" to complete, which is always restarted' in problem


def test_a_table_that_is_none() -> None:
    assert wrong(web="x") == ["process.web is not a table (write [process.web])"]


# What it changes --------------------------------------------------------------------------------------------------


def test_the_nearer_file_wins_key_by_key_and_variable_by_variable() -> None:
    far = Table("procman.toml", "", {"web": {"port": 1, "env": {"A": "1", "B": "1"}}}, {})
    near = Table("procman.local.toml", "", {"web": {"port": 2, "env": {"B": "2"}}}, {})
    web = parse_overlay([near, far], PROCFILE).processes["web"]
    assert (web.port, web.env) == (2, {"A": "1", "B": "2"})


def test_rules_of_restart_and_stop() -> None:
    keys = {
        "restart": "always",
        "max_restarts": 7,
        "backoff": 2,
        "min_uptime": "1m",
        "success_exit_codes": [3, "TERM"],
        "stop_signal": "QUIT",
        "stop_timeout": 9,
        "stop_command": "bye",
        "stop_to": "program",
    }
    plan = web(overlaid(web=keys))
    restart, stop = plan.restart, plan.stop
    assert (restart.mode, restart.max_restarts, restart.backoff, restart.min_uptime) == ("always", 7, 2, 60)
    assert restart.success_codes == (0, 3, 143)
    assert (stop.signal_number, stop.grace, stop.command, stop.to) == (3, 9, "bye", "program")


def test_without_a_word_everything_is_as_usual() -> None:
    usual = make_plan(PROCFILE, merge([Layer("environment", {})]), Settings(root="/app"))
    for one, other in zip(usual.instances, planned(overlaid(web={})).instances, strict=True):
        for name in InstancePlan.__slots__:
            mine, theirs = getattr(one, name), getattr(other, name)
            if hasattr(mine, "__slots__"):
                mine, theirs = ([getattr(x, slot) for slot in x.__slots__] for x in (mine, theirs))
            assert mine == theirs, name


@pytest.mark.parametrize(
    ("given", "running"),
    [
        ({}, ["web.1", "worker.1", "db.1"]),
        ({"names": ("web",)}, ["web.1", "worker.1", "db.1"]),
        ({"names": ("worker",)}, ["worker.1", "db.1"]),
        ({"names": ("web",), "exclude": ("db",)}, ["web.1", "worker.1"]),
        ({"names": ("back",)}, ["worker.1", "db.1"]),
        ({"exclude": ("back",)}, ["web.1"]),
    ],
)
def test_who_runs(given: dict[str, Any], running: list[str]) -> None:
    overlay = overlaid(
        web={"depends_on": ["worker"]},
        worker={"depends_on": ["db"], "groups": ["back"]},
        db={"groups": ["back"]},
    )
    assert [instance.name for instance in planned(overlay, **given).instances] == running


def test_who_is_named_starts_although_it_does_not_start_by_itself() -> None:
    overlay = overlaid(web={"autostart": False})
    assert web(overlay).autostart is False
    assert web(overlay, names=("web",)).autostart is True


def test_every_key_is_an_attribute_of_the_record() -> None:
    assert set(KEYS) <= set(vars(ProcessOverlay("web")))


def test_a_table_of_an_unknown_process_type_is_a_mistake_where_it_is() -> None:
    near = Table("procman.local.toml", "", {"web": {"port": 1}}, {("web",): 1})
    far = Table("procman.toml", "", {"wbe": {"port": 1}, "nobody": {}}, {("wbe",): 7, ("nobody",): 9})
    overlay = parse_overlay([near, far], PROCFILE)
    assert list(overlay.processes) == ["web"]
    assert [(problem.location, problem.message, problem.hint) for problem in overlay.problems] == [
        ("procman.toml:7", 'Procfile has no process type "wbe"', 'did you mean "web"?'),
        ("procman.toml:9", 'Procfile has no process type "nobody"', overlay.problems[1].hint),
    ]


def test_mistakes_of_unknown_process_types_come_first() -> None:
    overlay = overlaid(web={"restrat": 1}, wbe={"restrat": 1})
    assert ["wbe" in problem.message for problem in overlay.problems] == [True, True, False]
    assert list(overlaid(db={}, web={}).processes) == ["web", "db"]
