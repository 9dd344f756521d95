"""Which commands need a shell, and how arguments are passed to one."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procman.core.procfile.command import argv, needs_shell, quoted, with_arguments


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
