"""Which commands are one simple command of a program, and where in them the program's name is."""

from __future__ import annotations

import pytest

from procman.core.procfile.command import direct, is_simple, program_at


@pytest.mark.parametrize(
    ("command", "at"),
    [
        ("web", 0),
        ("  web", 2),
        ("\tweb --port $PORT", 1),
        ("A=1 web", 4),
        ("A=1 B='x y' web", 12),
        ('A="x y" web', 8),
        ('A="it\'s" web', 9),
        ("A=x\\ y web", 7),
        ("1A=2 web", None),
        ("=1 web", None),
        ("É=1 web", None),
        ("web A=1", 0),
        ("web 'a;b' \"c|d\"", 0),
        ("web a\\;b", 0),
        ("web $PORT ${PORT:-5000}", 0),
        ("web > out 2>&1", 0),
        ("web 2>&1 <&3", 0),
        ("web *.py", 0),
        ("web # a; comment", 0),
        ("web a#b", 0),
        ("'web' it", 0),
        ("web 'a`b'", 0),
        ("web '$(a)'", 0),
        ("web 'a\\' b", 0),
    ],
)
def test_the_program_of_a_simple_command_stands_behind_its_assignments(command: str, at: int | None) -> None:
    assert program_at(command) == at


@pytest.mark.parametrize(
    "command",
    [
        "",
        "  ",
        "A=1",
        "# web",
        "web; other",
        "web | other",
        "web && other",
        "web & other",
        "& web",
        "(web)",
        "web\nother",
        "web << END",
        "web `id`",
        "web $(id)",
        'web "$(id)"',
        'web "`id`"',
        "web 'open",
        'web "open',
        "web \\",
        "cd /srv",
        "exec web",
        "A=1 cd /srv",
        "if web",
        "$WEB it",
        "~/web",
        '"$WEB" it',
        "web*",
    ],
)
def test_all_else_is_no_simple_command_of_a_program(command: str) -> None:
    assert program_at(command) is None
    assert direct(command) == command


@pytest.mark.parametrize(
    ("command", "simple"), [("web", True), ("exec web", True), ("exec cd", False), ("web; x", False), ("A=1 web", True)]
)
def test_a_simple_command_can_be_preceded_by_exec(command: str, simple: bool) -> None:
    assert is_simple(command) is simple


@pytest.mark.parametrize(
    ("command", "better"),
    [("web --fast", "exec web --fast"), ("A=1 web", "A=1 exec web"), ("  web", "  exec web"), ("web; x", "web; x")],
)
def test_exec_saves_the_shell_that_would_only_wait(command: str, better: str) -> None:
    assert direct(command) == better
