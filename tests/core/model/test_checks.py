"""Checks: what they connect to, and which addresses and ports that is."""

from __future__ import annotations

import re

import pytest

from procman.core.model.checks import KINDS, Check, addresses, http_target, split_host, split_url, tcp_target


def test_a_check_that_says_nothing_more() -> None:
    check = Check("exec", "true")
    assert (check.interval, check.timeout, check.attempt) == (1.0, None, 5.0)
    assert (check.threshold, check.on_fail, check.anyone) == (3, "restart", False)


@pytest.mark.parametrize(
    ("kind", "target", "needs", "port"),
    [
        ("tcp", "localhost:$PORT", True, None),
        ("http", "http://localhost:${PORT}/", True, None),
        ("tcp", "localhost:5432", False, 5432),
        ("tcp", "[::1]:5432", False, 5432),
        ("http", "http://localhost:8080/x:1", False, 8080),
        ("http", "http://127.0.0.1/", False, 80),
        ("log", "listening on 8080", False, None),
        ("log", "ready$", False, None),
        ("exec", "curl localhost:$PORT", False, None),
        ("exec", "localhost:5432", False, None),
        ("delay", "2", False, None),
        ("tcp", "localhost:http", False, None),
    ],
)
def test_the_port_of_a_check_is_what_it_connects_to(kind: str, target: str, needs: bool, port: int | None) -> None:
    assert kind in KINDS
    check = Check(kind, target)
    assert (check.needs_port, check.port) == (needs, port)


def test_a_check_gets_the_port_of_its_instance() -> None:
    check = Check("http", "http://localhost:$PORT/${PORT}", 2.0, 3.0, 4.0, 5, "none", True)
    filled = check.on_port(5000)
    assert filled.target == "http://localhost:5000/5000"
    for name in ("kind", "interval", "timeout", "attempt", "threshold", "on_fail", "anyone"):
        assert getattr(filled, name) == getattr(check, name)
    assert check.on_port(None).target == "http://localhost:/"
    fixed = Check("tcp", "localhost:5432")
    assert fixed.on_port(5000) is fixed


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (True, "localhost:$PORT"),
        (5432, "localhost:5432"),
        (1, "localhost:1"),
        (65535, "localhost:65535"),
        (" 5432 ", "localhost:5432"),
        (":5432", "localhost:5432"),
        ("${PORT}", "localhost:${PORT}"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
    ],
)
def test_what_a_tcp_check_connects_to(value: object, target: str) -> None:
    assert tcp_target(value) == target


@pytest.mark.parametrize(
    "value", [False, 0, 65536, -1, None, 1.5, [], "", "localhost", "localhost:", "a:b:1x", "5432x", "\u0661", "$PORTS"]
)
def test_what_a_tcp_check_cannot_connect_to(value: object) -> None:
    with pytest.raises(ValueError, match=r"a port, or an address|localhost or an address"):
        tcp_target(value)


@pytest.mark.parametrize("value", ["example.com:80", "db:5432"])
def test_a_name_of_another_machine_is_refused(value: str) -> None:
    for convert, text in ((tcp_target, value), (http_target, f"http://{value}/")):
        with pytest.raises(ValueError, match=re.escape("localhost or an address | to check another machine")):
            convert(text)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (True, "http://localhost:$PORT/"),
        (8080, "http://localhost:8080/"),
        ("/", "http://localhost:$PORT/"),
        ("/a?b=c:d", "http://localhost:$PORT/a?b=c:d"),
        (":8080", "http://localhost:8080/"),
        (":8080/a", "http://localhost:8080/a"),
        ("http://127.0.0.1", "http://127.0.0.1:80/"),
        ("http://127.0.0.1:65535/a", "http://127.0.0.1:65535/a"),
        ("http://[::1]/a", "http://[::1]:80/a"),
        ("http://[::1]:81/a", "http://[::1]:81/a"),
    ],
)
def test_what_an_http_check_asks_for(value: object, target: str) -> None:
    assert http_target(value) == target


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (False, "a path or an address"),
        (None, "a path or an address"),
        ([], "a path or an address"),
        ("", "a path or an address"),
        ("health", "a path or an address"),
        ("/a b", "a path or an address"),
        ("/a\n", "a path or an address"),
        ("ftp://localhost/", "a path or an address"),
        ("http:localhost", "a path or an address"),
        ("https://localhost/", "use exec"),
        ("https:", "use exec"),
        (0, "with a port from 1 to 65535"),
        (65536, "with a port from 1 to 65535"),
        ("http://localhost:x/", "with a port from 1 to 65535"),
        ("http://localhost:/", "with a port from 1 to 65535"),
        ("http://localhost:000080/", "with a port from 1 to 65535"),
    ],
)
def test_what_an_http_check_cannot_ask_for(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        http_target(value)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://localhost", ("localhost", "80", "/")),
        ("http://localhost:81/a/b", ("localhost", "81", "/a/b")),
        ("http://[::1]", ("[::1]", "80", "/")),
        ("http://[::1]:81/", ("[::1]", "81", "/")),
        ("http://127.0.0.1/a:b", ("127.0.0.1", "80", "/a:b")),
    ],
)
def test_the_parts_of_a_url(url: str, parts: tuple[str, str, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("5432", ("localhost", "5432")),
        (" :1 ", ("localhost", "1")),
        ("[::1]:2", ("[::1]", "2")),
        ("", ("localhost", "")),
    ],
)
def test_a_port_alone_means_this_machine(text: str, parts: tuple[str, str]) -> None:
    assert split_host(text) == parts


def test_this_machine_has_two_addresses_and_any_other_one() -> None:
    assert addresses("localhost") == ("127.0.0.1", "::1")
    assert addresses("[::1]") == ("::1",)
    assert addresses("192.0.2.1") == ("192.0.2.1",)
