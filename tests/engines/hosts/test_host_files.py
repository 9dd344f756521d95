"""The files of a host: what is the same as in the export, and what is left out."""

from __future__ import annotations

import pytest

from engines.hosts.fake_hosts import release
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.listen import Listen, ListeningSocket
from procman.core.model.schedule import Schedule
from procman.engines.hosts.host_files import checked, lasting_application, needs, render_host


@pytest.mark.parametrize(
    ("check", "is_enough"),
    [
        (Check("http", "http://localhost:5000/up"), True),
        (Check("exec", "curl localhost:$PORT"), True),
        (Check("notify", ""), True),
        (Check("exec", "[ -e ready ]"), False),
        (Check("delay", "1"), False),
        (Check("tcp", "localhost:5000", anyone=True), False),
        (None, False),
    ],
)
def test_only_a_check_that_the_instance_itself_answers_is_enough(check: Check | None, is_enough: bool) -> None:
    wanted = release()
    for instance in wanted.plan.instances:
        instance.ready = check if instance.type == "web" else None
    assert checked(lasting_application(wanted)) == (("web",) if is_enough else ())


def test_the_record_has_what_each_type_depends_on() -> None:
    wanted = release()
    for instance in wanted.plan.instances:
        if instance.type == "web":
            instance.depends_on = (Dependency("worker", "started"), Dependency("release", "completed_successfully"))
    assert needs(lasting_application(wanted)) == {"web": ["worker"]}


def test_the_timers_of_spares_are_there_and_not_linked() -> None:
    wanted = release()
    for instance in wanted.plan.instances:
        if instance.type == "job":
            instance.schedule = Schedule("0 2 * * *")
    host = render_host(wanted, ["web.1", "job.1"], wanted.options, "a")
    assert "shop-job@.service" in [file.path for file in host.files]
    timers = [file.path for file in host.files if file.path.endswith(".timer")]
    assert timers == ["shop-job@1.timer"]
    assert not [file for file in host.files if file.link]
    assert not [file for file in host.files if file.path == "shop-job@.service" and "RemainAfterExit" in file.content]


def test_a_kept_socket_is_opened_by_the_service_that_gets_it() -> None:
    wanted = release()
    for instance in wanted.plan.instances:
        if instance.type == "web":
            instance.listen = Listen((ListeningSocket("web", f"127.0.0.1:{instance.port}"),))
    host = render_host(wanted, ["web.1", "web.2"], wanted.options, "a")
    files = {file.path: file.content for file in host.files}
    assert "Sockets=shop-web.web@%i.socket" in files["shop-web@.service"]
    assert {"shop-web.web@1.socket", "shop-web.web@2.socket"} <= files.keys()
