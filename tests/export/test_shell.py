"""How a command is passed to a shell: with `exec` only where that changes nothing."""

from __future__ import annotations

import pytest

from procman.core.procfile.command import direct, is_simple
from procman.export.shell import trap_stop_signal


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("gunicorn app -b 0.0.0.0:$PORT", "exec gunicorn app -b 0.0.0.0:$PORT"),
        ("A=1 B='x y' foo", "A=1 B='x y' exec foo"),
        ("./run 2>&1", "exec ./run 2>&1"),
        ("foo 'a && b; c'", "exec foo 'a && b; c'"),
        ("foo # and a note; with (everything)", "exec foo # and a note; with (everything)"),
        ("'my prog' y", "exec 'my prog' y"),
    ],
)
def test_one_simple_command_takes_the_shells_place(command: str, expected: str) -> None:
    assert is_simple(command)
    assert direct(command) == expected


@pytest.mark.parametrize(
    "command",
    [
        *("a && b", "a | b", "a; b", "a & b", "(a)", "{ a; }", "! a", "cd x", "echo hi", "$CMD x", "A=1", "foo `x`"),
        *('foo "$(x)"', "foo 'open", "foo \\", "if a; then b; fi", "cat <<E", "~/bin/x", "foo &> x", "# only a note"),
    ],
)
def test_anything_else_stays_as_it_is(command: str) -> None:
    assert direct(command) == command


def test_what_is_executed_already_is_simple_and_stays() -> None:
    assert is_simple("exec foo")
    assert direct("exec foo") == "exec foo"


def test_a_compound_command_is_waited_for() -> None:
    assert trap_stop_signal("a && b", 15) == "trap 'exit 143' TERM; a && b"
    assert trap_stop_signal("a b", 15) == "exec a b"
