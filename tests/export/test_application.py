"""What a plan means at a target: which kind of service a process type is, how many start, where, and after what."""

from __future__ import annotations

import pytest

from export.plans import Export, plan_of
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy
from procman.export.application import LASTING, ONCE, RELEASE, Application, application, gate
from procman.export.options import ExportOptions

LINES = "web: ./serve $PORT\nworker: ./work\ndb: ./db\nrelease: ./migrate\n"


def built(**overlay: dict[str, object]) -> Application:
    return application(plan_of(LINES, overlay, "all=2,release=1"), ExportOptions(app="app"))


def after(name: str, condition: str) -> dict[str, object]:
    return {"depends_on": (Dependency(name, condition),)}


@pytest.mark.parametrize(
    ("overlay", "kind"),
    [
        ({}, LASTING),
        ({"db": {"restart": RestartPolicy("never")}}, ONCE),
        ({"worker": after("db", "completed")}, ONCE),
        ({"worker": after("db", "completed_successfully")}, ONCE),
        ({"worker": after("db", "ready")}, LASTING),
        ({"worker": after("db", "started")}, LASTING),
    ],
)
def test_what_is_not_restarted_or_awaited_to_its_end_runs_once(
    overlay: dict[str, dict[str, object]], kind: str
) -> None:
    kinds = {service.name: service.kind for service in built(**overlay).services}
    assert kinds == {"web": LASTING, "worker": LASTING, "db": kind, "release": RELEASE}


@pytest.mark.parametrize(
    ("overlay", "replicas"),
    [
        ({}, 2),
        ({"db": {"autostart": False}}, 0),
        ({"db": {"autostart": False}, "worker": after("db", "started")}, 2),
        ({"db": {"autostart": False}, "worker": {**after("db", "started"), "autostart": False}}, 0),
    ],
)
def test_what_start_would_not_start_has_no_replicas(overlay: dict[str, dict[str, object]], replicas: int) -> None:
    assert {service.name: service.replicas for service in built(**overlay).services}["db"] == replicas


@pytest.mark.parametrize(
    ("cwd", "folder"),
    [("/srv/app", ""), ("/srv/app/services/mail", "services/mail"), ("/srv/apple", "/srv/apple"), ("/opt", "/opt")],
)
def test_a_folder_is_known_below_the_one_of_the_application(cwd: str, folder: str) -> None:
    assert {service.name: service.folder for service in built(db={"cwd": cwd}).services}["db"] == folder


def test_the_release_comes_before_all_but_what_it_needs_itself() -> None:
    app = built(release=after("db", "ready"))
    before = {service.name: gate(app, service) for service in app.services}
    assert [name for name, release in before.items() if release] == ["web", "worker"]
    assert {release.name for release in before.values() if release} == {"release"}


def test_a_release_that_start_would_not_start_gates_nothing() -> None:
    app = built(release={"autostart": False})
    assert not any(gate(app, service) for service in app.services)


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("web: uvicorn web:app --host 127.0.0.1 --port $PORT", "127.0.0.1"),
        ("web: uvicorn web:app --host=localhost", "localhost"),
        ("web: gunicorn shop:app --bind 127.0.0.1:$PORT", "127.0.0.1"),
        ("web: gunicorn shop:app -b localhost:${PORT}", "localhost"),
        ("web: puma -b tcp://127.0.0.1:$PORT", "127.0.0.1"),
        ("web: ./manage.py runserver 127.0.0.1:$PORT", "127.0.0.1"),
        ("web: ./web --listen '[::1]:8000'", "[::1]"),
        ("web: uvicorn web:app --host 0.0.0.0 --port $PORT", ""),
        ("web: ./web --port $PORT --api http://localhost:$PORT/api", ""),
        ("web: ./web --host 127.0.0.1.example", ""),
        ("web: ./web --redis localhost:6379", ""),
        ("worker: ./work --host 127.0.0.1", ""),
    ],
)
def test_an_address_of_this_machine_alone_is_recognized(line: str, address: str) -> None:
    (service,) = application(plan_of(f"{line}\n"), ExportOptions("app")).services
    assert service.loopback == address


@pytest.mark.parametrize("target", ["compose", "kubernetes", "nomad", "quadlet", "fly", "kamal", "render", "railway"])
def test_what_no_request_can_reach_is_warned_of(target: str) -> None:
    warnings = Export(target, plan_of("web: ./web --host 127.0.0.1\nbot: ./bot --host 127.0.0.1\n")).warnings
    assert len([warning for warning in warnings if "cannot reach web, which listens on 127.0.0.1" in warning]) == 1
    assert not [warning for warning in warnings if "reach bot" in warning]
