"""What the exports make of sockets that procman keeps open."""

from __future__ import annotations

import pytest

from export.plans import Export, plan_of
from procman.core.model.listen import Listen, ListeningSocket
from procman.export.init.systemd import stop_commands
from procman.export.options import ExportOptions
from procman.export.registry import BUILT_IN

HTTP = ListeningSocket("http", "127.0.0.1:5000")
ADMIN = ListeningSocket("admin", "/srv/app/tmp/admin.sock")


def systemd(listen: Listen, formation: str = "web=1", **options: object) -> Export:
    plan = plan_of("web: gunicorn app\n", {"web": {"listen": listen, "autostart": not listen.on_connection}}, formation)
    return Export("systemd", plan, **options)


def test_each_socket_is_a_unit_that_the_service_names() -> None:
    export = systemd(Listen((HTTP, ADMIN)), target_dir="/opt/shop")
    http, admin = export.files["app-web.http@1.socket"], export.files["app-web.admin@1.socket"]
    assert "ListenStream=127.0.0.1:5000\nFileDescriptorName=http\n" in http
    assert "Service=app-web@1.service\n" in http
    assert "PartOf=app-web.target\n" in http
    assert "ListenStream=/opt/shop/tmp/admin.sock\n" in admin
    assert "SocketUser=me\nSocketMode=0660\nRemoveOnStop=yes\n" in admin
    assert "SocketMode" not in http
    assert "Sockets=app-web.http@%i.socket app-web.admin@%i.socket\n" in export.files["app-web@.service"]
    assert "app-web.target.wants/app-web@1.service" in export.links
    assert any("LISTEN_FDNAMES" in warning for warning in export.warnings)


def test_a_shared_socket_is_one_unit_for_all_instances() -> None:
    export = systemd(Listen((HTTP,), is_shared=True), "web=3")
    assert [path for path in export.files if path.endswith(".socket")] == ["app-web.http.socket"]
    assert "Sockets=app-web.http.socket\n" in export.files["app-web@.service"]
    assert [path for path in export.links if path.startswith("app-web.")] == [
        f"app-web.target.wants/app-web@{number}.service" for number in (1, 2, 3)
    ]


def test_a_first_connection_starts_the_service_by_its_socket() -> None:
    export = systemd(Listen((HTTP,), on_connection=True))
    assert export.links["app-web.target.wants/app-web.http@1.socket"] == "../app-web.http@1.socket"
    assert "app-web.target.wants/app-web@1.service" not in export.links
    assert "app.target.wants/app-web.target" in export.links
    assert export.warnings == []


def test_what_systemd_does_differently_is_said() -> None:
    warnings = systemd(Listen((HTTP,), is_shared=True, on_connection=True, hold=2.0), "web=2").warnings
    assert warnings == [
        "not exported to systemd: hold of web; its sockets stay open in each pause",
        "at the first connection, systemd starts web.1 alone, not all 2",
    ]


def test_sockets_of_a_user_have_no_owner() -> None:
    admin = systemd(Listen((ADMIN,)), user_units=True).files["app-web.admin@1.socket"]
    assert "SocketUser" not in admin


def test_a_socket_elsewhere_stays_there() -> None:
    export = systemd(Listen((ListeningSocket("web", "/run/50%.sock"),)), target_dir="/opt/shop")
    assert "ListenStream=/run/50%%.sock\n" in export.files["app-web.web@1.socket"]


def test_removed_sockets_are_stopped() -> None:
    removed = ["app-web.http.socket", "app-web.target.wants/app-web.http@1.socket", "app-web.http@1.socket"]
    assert stop_commands(removed, ExportOptions("app")) == ["systemctl stop app-web.http.socket app-web.http@1.socket"]


@pytest.mark.parametrize("target", [name for name in BUILT_IN if name != "systemd"])
def test_every_other_target_says_that_the_command_must_listen_itself(target: str) -> None:
    plan = plan_of("web: gunicorn app\n", {"web": {"listen": Listen((HTTP,))}})
    warnings = [warning for warning in Export(target, plan).warnings if "kept sockets of web" in warning]
    assert len(warnings) == 1
    assert "has to open them itself there" in warnings[0]
