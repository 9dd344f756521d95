"""How the container engines run a check, kind by kind."""

from __future__ import annotations

import pytest

from procman.core.model.checks import DELAY, EXEC, HTTP, KINDS, LOG, TCP, Check
from procman.export.container.containers import check_action, check_command

# For each kind: a target, its shell command, and the action of a Kubernetes probe.
FORMS = {
    HTTP: (
        "http://localhost:5000/health?full=1",
        "wget -q -O /dev/null 'http://localhost:5000/health?full=1' || "
        "curl -fsS -o /dev/null 'http://localhost:5000/health?full=1'",
        {"httpGet": {"path": "/health?full=1", "port": 5000}},
    ),
    TCP: ("[::1]:5432", "nc -z ::1 5432", {"tcpSocket": {"port": 5432}}),
    EXEC: ("./check $X", "./check $X", {"exec": {"command": ("/bin/sh", "-c", "./check $$X")}}),
    LOG: ("listening", "", {}),  # only procman reads the output
    DELAY: ("3", "", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_check_has_its_forms_or_none(kind: str) -> None:
    target, command, action = FORMS[kind]
    assert check_command(Check(kind, target)) == command
    assert check_action(Check(kind, target)) == action


def test_without_a_check_there_is_nothing_to_run() -> None:
    assert (check_command(None), check_action(None)) == ("", {})
