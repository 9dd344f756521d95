"""The keys listen, share, start_on and hold: what they may hold, what they change in a plan, and each mistake."""

from __future__ import annotations

import pytest

from core.overlay.test_tables import overlaid, planned, wrong
from procman.core.model.listen import Listen, ListeningSocket, listen_address
from procman.core.model.process_overlay import Table
from procman.core.overlay.tables import parse_overlay
from procman.core.procfile.parser import parse_procfile
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.core.model.plan import InstancePlan


def webs(formation: str = "web=2", **keys: object) -> list[InstancePlan]:
    return list(planned(overlaid(web=keys), formation=formation).instances)


def sockets(plan: InstancePlan) -> list[tuple[str, str]]:
    assert plan.listen is not None
    return [(one.name, one.address) for one in plan.listen.sockets]


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("127.0.0.1:$PORT", "127.0.0.1:$PORT"),
        ("localhost:80", "localhost:80"),
        ("[::]:8080", "[::]:8080"),
        (":::8080", "[::]:8080"),
        ("0.0.0.0:${PORT}", "0.0.0.0:${PORT}"),
        ("tmp/admin.sock", "tmp/admin.sock"),
        ("/run/a:1.sock", "/run/a:1.sock"),
        ("admin.sock", "./admin.sock"),
    ],
)
def test_an_address_is_a_host_with_a_port_or_a_path(value: str, address: str) -> None:
    assert listen_address(value) == address


@pytest.mark.parametrize("value", ["", " ", "tmp/", "8080:", "db:5432", "127.0.0.1:0", "127.0.0.1:70000", ":80", "x:y"])
def test_other_addresses_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="address"):
        listen_address(value)


def test_true_means_the_own_port_of_each_instance() -> None:
    assert [sockets(plan) for plan in webs(listen=True)] == [[("web", "127.0.0.1:5000")], [("web", "127.0.0.1:5001")]]
    assert webs(listen=False)[0].listen is None


def test_sockets_keep_their_order_and_names() -> None:
    one, _ = webs(listen={"http": "[::]:$PORT", "admin": "/run/{instance}.sock"})
    assert sockets(one) == [("http", "[::]:5000"), ("admin", "/run/web.1.sock")]
    assert [(s.is_path, s.host, s.port) for s in one.listen.sockets if not s.is_path] == [(False, "::", 5000)]  # type: ignore[union-attr]


def test_a_shared_socket_has_the_port_of_the_first_instance_and_so_has_each_variable() -> None:
    one, two, three = webs("web=3", listen=True, share=True)
    assert sockets(one) == sockets(two) == sockets(three) == [("web", "127.0.0.1:5000")]
    assert [plan.env["PORT"] for plan in (one, two, three)] == ["5000"] * 3
    assert [plan.own_port for plan in (one, two, three)] == [5000, None, None]
    assert [plan.shown_port for plan in (one, two, three)] == [5000] * 3


def test_checks_of_instances_that_share_a_socket_connect_to_that_port() -> None:
    plans = webs("web=3", listen=True, share=True, ready={"http": "/up"}, health={"http": ":$PORT/health"})
    assert {plan.ready.target for plan in plans if plan.ready} == {"http://localhost:5000/up"}
    assert {plan.health.target for plan in plans if plan.health} == {"http://localhost:5000/health"}
    assert {plan.url for plan in plans} == {"http://localhost:5000"}


def test_a_shared_path_leaves_the_ports_alone() -> None:
    one, two = webs(listen={"web": "/run/{instance}.sock"}, share=True)
    assert sockets(one) == sockets(two) == [("web", "/run/web.sock")]
    assert [one.own_port, two.own_port] == [5000, 5001]


def test_ports_of_other_types_do_not_move_when_one_is_shared() -> None:
    overlay = overlaid(web={"listen": True, "share": True})
    ports = {plan.name: plan.port for plan in planned(overlay, formation="web=3,worker=1", port_step=2).instances}
    assert ports == {"web.1": 5000, "web.2": 5000, "web.3": 5000, "worker.1": 5002}


def test_what_starts_on_a_connection_does_not_start_by_itself_even_if_it_is_named() -> None:
    overlay = overlaid(web={"listen": True, "start_on": "connection", "hold": "2s"})
    (web,) = planned(overlay, names=("web",)).instances
    assert not web.autostart
    assert web.listen is not None
    assert (web.listen.on_connection, web.listen.hold) == (True, 2.0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"listen": {}}, "listen must be true, or a table of names and addresses, not a table"),
        ({"listen": "8080"}, 'listen must be true, or a table of names and addresses, not "8080"'),
        ({"listen": {"a b": "x.sock"}}, "listen.a b is not a valid name for a socket"),
        ({"listen": {"http": "db:80"}}, "listen.http must be an address of this machine"),
        ({"listen": {"http": 80}}, "listen.http must be a string, not the number 80"),
        ({"listen": {f"s{n}": "a.sock" for n in range(17)}}, "listen has 17 sockets, and at most 16 are possible"),
        ({"share": True}, 'share belongs to a process with listen, which "web" does not have'),
        ({"listen": False, "hold": 1}, "hold belongs to a process with listen"),
        ({"listen": True, "start_on": "boot"}, "start_on must be connection or start"),
        ({"listen": True, "ready": {"tcp": True}}, "ready.tcp would always pass"),
        ({"listen": {"a": "0.0.0.0:8080"}, "health": {"tcp": 8080}}, "health.tcp would always pass"),
    ],
)
def test_mistakes_are_named(keys: dict[str, Any], message: str) -> None:
    (found,) = wrong(web=keys)
    assert message in found


def test_a_tcp_check_of_another_port_is_fine() -> None:
    assert wrong(web={"listen": True, "ready": {"tcp": 5432}, "health": {"http": "/"}}) == []


@pytest.mark.parametrize(
    ("command", "warns"),
    [
        ("gunicorn app", False),
        ("DEBUG=1 gunicorn app", False),
        ("cd src && gunicorn app", True),
        ("cd src && exec gunicorn app", False),
        ("gunicorn app | tee log", True),
    ],
)
def test_a_server_behind_a_shell_has_to_be_executed(command: str, warns: bool) -> None:
    procfile = parse_procfile(f"web: {command}\n".encode())
    found = parse_overlay([Table("procman.toml", "", {"web": {"listen": True}}, {})], procfile).problems
    assert [problem.severity for problem in found] == ["warning"] * warns


def test_two_instances_cannot_listen_on_one_address() -> None:
    with pytest.raises(ConfigError, match=r"web\.1 and web.2 cannot both listen on 127\.0\.0\.1:8080"):
        webs(listen={"http": "127.0.0.1:8080"})


def test_two_types_cannot_listen_on_one_address() -> None:
    tables = {name: {"listen": {"http": "127.0.0.1:8080"}} for name in ("web", "worker")}
    with pytest.raises(ConfigError, match=r'"web" and "worker" cannot both listen on 127\.0\.0\.1:8080'):
        planned(overlaid(**tables))


def test_a_path_has_at_most_as_many_bytes_as_the_kernel_holds() -> None:
    assert webs(listen={"web": f"/{'a' * 104}{{instance}}"[:101] + "{instance}"}, formation="web=1")
    with pytest.raises(ConfigError, match="at most 107 bytes, not 108"):
        webs(listen={"web": "/" + "a" * 107}, formation="web=1")


def test_its_own_port_has_to_exist() -> None:
    with pytest.raises(ConfigError, match='"web" would listen on its port, but it has none'):
        planned(overlaid(web={"listen": True, "port": False}))


def test_shared_ports_are_not_counted_twice() -> None:
    overlay = overlaid(web={"listen": True, "share": True})
    planned(overlay, formation="web=50,worker=1", port_step=10)
    with pytest.raises(UsageError, match="would both get port 5010"):
        planned(overlaid(web={"listen": True}), formation="web=50,worker=1", port_step=10)


def test_records_show_what_they_are() -> None:
    one = ListeningSocket("http", "127.0.0.1:80")
    assert repr(Listen((one,))) == "Listen(('127.0.0.1:80',))"
    assert one == ListeningSocket("http", "127.0.0.1:80")
    assert len({one, ListeningSocket("http", "127.0.0.1:80")}) == 1
    assert repr(one) == "ListeningSocket('http', '127.0.0.1:80')"


def test_what_listens_begins_without_being_named_and_what_is_scheduled_does_not() -> None:
    lazy = webs("web=1", listen=True, start_on="connection")[0]
    assert (lazy.autostart, lazy.begins) == (False, True)
    timed = webs("web=1", schedule={"every": 60})[0]
    assert (timed.autostart, timed.begins) == (False, False)
