"""The files of a host: what is the same as in the export, and what is left out."""

from __future__ import annotations

from engines.hosts.fake_hosts import release
from procman.core.model.listen import Listen, ListeningSocket
from procman.core.model.schedule import Schedule
from procman.engines.hosts.host_files import render_host


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
