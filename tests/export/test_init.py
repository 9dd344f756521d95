"""What the targets of init systems make of a policy, an overlay and a release: read from the files, run by none."""

from __future__ import annotations

import pytest

from export.plans import Export, plan_of
from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.export.application import average_backoff, budget_window, patience

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    assert "systemd will run the application as root: --user names another" in export.warnings
    assert "User" not in unit(export)
