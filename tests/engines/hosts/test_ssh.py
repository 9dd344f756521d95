"""The ssh command, and what its errors mean."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from procman.engines.calls import Outcome
from procman.engines.hosts.ssh import Ssh, UnreachableError, address, failure, node


def test_a_script_reaches_the_host_as_one_word_for_any_shell() -> None:
    script, word = 'echo "$1" "it\'s"; exit 3\n', "a b'c\n$HOME"
    call = Ssh("/run/user/1000/procman", as_user=True).call("deploy@a", script, word, stdin=b"secret")
    assert call.argv[call.argv.index("--") + 1 : -1] == ("deploy@a",)
    done = subprocess.run(["sh", "-c", call.argv[-1]], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, f"{word} it's\n".encode())
    assert "secret" not in " ".join(call.argv)


def test_one_connection_serves_all_calls_if_its_socket_has_a_safe_and_short_path() -> None:
    assert "ControlPath=/run/user/1000/procman/%C" in Ssh("/run/user/1000/procman").call("a", "true").argv
    for folder in ("", "/home/a/very/long/path/to/a/runtime/folder/procman"):
        assert not any("Control" in word for word in Ssh(folder).call("a", "true").argv)


def test_nothing_asks_a_question_and_the_configuration_may_be_another() -> None:
    argv = Ssh(config="/project/ssh_config").call("a", "true").argv
    assert "BatchMode=yes" in argv
    assert argv[2:4] == ("-F", "/project/ssh_config")
    assert "sudo -n" in argv[-1]
    assert "sudo" not in Ssh(as_user=True).call("a", "true").argv[-1]


@pytest.mark.parametrize(
    ("host", "word", "name"),
    [
        ("deploy@a", "deploy@a", "a"),
        ("a", "a", "a"),
        ("deploy@a:2222", "ssh://deploy@a:2222", "a"),
        ("ssh://deploy@a:2222", "ssh://deploy@a:2222", "a"),
        ("deploy@10.0.0.1", "deploy@10.0.0.1", "10.0.0.1"),
        ("deploy@fe80::1", "deploy@fe80::1", "fe80::1"),
    ],
)
def test_a_host_may_have_a_port(host: str, word: str, name: str) -> None:
    assert (address(host), node(host)) == (word, name)


# What OpenSSH 9.2 and sudo 1.9 wrote.
RECORDED = [
    ("ssh: Could not resolve hostname a: Name or service not known\r\n", "has a name that cannot be resolved"),
    ("deploy@a: Permission denied (publickey,password).\r\n", "refuses the login"),
    ("Connection timed out during banner exchange\r\nConnection to 10.9.9.9 port 22 timed out\r\n", "does not answer"),
    ("ssh: connect to host a port 22: No route to host\r\n", "does not answer"),
    ("ssh: connect to host a port 22: Connection refused\r\n", "refuses connections"),
    ("Host key verification failed.\r\n", "has a host key that is not known here"),
    (
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\r\n",
        "has another host key than before",
    ),
    ("Timeout, server a not responding.\r\n", "does not answer"),
    ("client_loop: send disconnect: Broken pipe\r\n", "the connection to deploy@a was lost: client_loop"),
    ("", "the connection to deploy@a was lost"),
]


@pytest.mark.parametrize(("said", "clause"), RECORDED)
def test_a_host_that_is_not_reached_is_named_with_the_reason(said: str, clause: str) -> None:
    error = failure("deploy@a", Outcome(255, b"", said.encode()), "the check")
    assert isinstance(error, UnreachableError)
    assert "deploy@a" in error.message
    assert clause in error.message
    assert "\n" not in error.message


def test_what_fails_on_the_host_is_named_by_its_last_line() -> None:
    noise = b"sudo: unable to resolve host vm: Temporary failure in name resolution\n"
    error = failure("deploy@a", Outcome(1, b"", b"tar: broken\n" + noise), "copying")
    assert error.message == "copying failed on deploy@a: tar: broken"
    full = Outcome(2, b"", noise + b"tar: app/x: Cannot write: No space left on device\ntar: Exiting\n")
    assert failure("deploy@a", full, "copying").message == "copying: the disk of deploy@a is full"
    asked = failure("deploy@a", Outcome(1, b"", noise + b"sudo: a password is required\n"), "the check")
    assert asked.message == "deploy@a may not use sudo without a password"
    assert "user_units = true" in asked.hint
    none = failure("deploy@a", Outcome(127, b"", b"sh: 1: exec: sudo: not found\n"), "the check")
    assert none.message == "deploy@a is not root, and a has no sudo"


def test_a_call_that_takes_too_long_is_a_lost_host() -> None:
    error = failure("deploy@a", Outcome(124, b"", b"\nssh deploy@a did not answer within 60 s\n"), "the check")
    assert isinstance(error, UnreachableError)


def test_the_words_of_the_command_survive_a_shell() -> None:
    command = Ssh().call("a", "true\n", "", "x y", "$(id)").argv[-1]
    assert shlex.split(command)[-3:] == ["", "x y", "$(id)"]
