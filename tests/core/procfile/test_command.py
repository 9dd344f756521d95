"""Which commands need a shell, how arguments are passed to one, and where in a simple command the program is."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.core.procfile.command import argv, direct, is_simple, needs_shell, program_at, quoted, with_arguments


@pytest.mark.parametrize(
    "command",
    [
        "python app.py",
        "bin/web --port=5000 -v",
        "/usr/bin/env  node\tserver.js",
        "gunicorn app:main -b 0.0.0.0:8000",
        "a@b c+d e%f x,y",
        "./web",
        "java -Dfile.encoding=UTF-8 -jar app.jar",
    ],
)
def test_plain_words_need_no_shell(command: str) -> None:
    assert not needs_shell(command)
    assert argv(command) == shlex.split(command)


@pytest.mark.parametrize("char", "$`\"'\\|&;<>()*?[]{}~#!^\n\r\v\f\0\x01\x7f\u00a0\u2028\u3000éß😀")
def test_any_other_character_is_for_the_shell(char: str) -> None:
    assert needs_shell(f"web a{char}b")
    assert argv(f"web a{char}b") == ["/bin/sh", "-c", f"web a{char}b"]


@pytest.mark.parametrize(
    "command", ["A=1 web", "PATH=/bin web", "cd /tmp", "exec web", "echo hi", "test -f x", ". env.sh", ": x"]
)
def test_assignments_and_builtins_are_for_the_shell(command: str) -> None:
    assert needs_shell(command)


@pytest.mark.parametrize("command", ["", " ", "\t"])
def test_a_command_of_blanks_is_not_split_into_nothing(command: str) -> None:
    assert needs_shell(command)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_quoted_word_is_read_back_unchanged(word: str) -> None:
    assert shlex.split(quoted(word)) == [word]


def test_the_shell_itself_reads_arguments_back_unchanged() -> None:
    words = ("a b", "it's", '"', "$HOME", "`id`", "\\", "", "*", "-n", "~", "é", "a\nb", "#", "!")
    line = with_arguments("printf '<%s>'", words)
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "".join(f"<{word}>" for word in words)


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


@pytest.mark.parametrize(
    ("command", "at"),
    [
        ("A=b=c web", 6),
        ("web a\\b'c", None),
        ("web a\\'b", 0),
        ("web '&' \"|\" \\;", 0),
        ("web >&2", 0),
        ("web &>x", None),
        ("A='b", None),
        ("A=b\\", None),
    ],
)
def test_quotes_and_backslashes_hide_one_character_or_a_word(command: str, at: int | None) -> None:
    assert program_at(command) == at


@pytest.mark.parametrize(
    ("word", "text"), [("a-b", "a-b"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\"'\"'s'"), ("$x", "'$x'")]
)
def test_only_a_word_that_needs_it_is_quoted(word: str, text: str) -> None:
    assert quoted(word) == text
