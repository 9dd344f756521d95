"""Only a request that knows the token, for this host and from no other site's page, gets an answer."""

from __future__ import annotations

import pytest

from procman.cli.tui.web_gate import accepts
from procman.cli.tui.web_page import page, policy

HOST = "Host: 127.0.0.1:5000"


def head(first: str, *fields: str) -> bytes:
    return "\r\n".join((first, *fields)).encode()


@pytest.mark.parametrize(
    "fields", [(HOST,), ("Accept: */*", HOST.lower(), "Origin: http://127.0.0.1:5000"), (f"{HOST}  ",)]
)
def test_the_token_opens_it(fields: tuple[str, ...]) -> None:
    assert accepts(head("GET /secret/ws?width=80 HTTP/1.1", *fields), "secret", "127.0.0.1:5000")


@pytest.mark.parametrize(
    ("first", "fields"),
    [
        ("GET / HTTP/1.1", (HOST,)),
        ("GET /secre/ HTTP/1.1", (HOST,)),
        ("GET /secret2/ HTTP/1.1", (HOST,)),
        ("GET secret/ HTTP/1.1", (HOST,)),
        ("GET //secret/ HTTP/1.1", (HOST,)),
        ("GET /?token=secret HTTP/1.1", (HOST,)),
        ("GET http://127.0.0.1:5000/secret/ HTTP/1.1", (HOST,)),
        ("GET /secret/ HTTP/1.1", ()),
        ("GET /secret/ HTTP/1.1", ("Host: evil.example:5000",)),
        ("GET /secret/ HTTP/1.1", (HOST, "Host: evil.example")),
        ("GET /secret/ HTTP/1.1", (HOST, "Origin: http://evil.example")),
        ("GET /secret/ HTTP/1.1", (HOST, "Origin: null")),
        ("GET /secret/", (HOST,)),
        ("", ()),
        ("\x16\x03\x01", ()),
    ],
)
def test_nothing_else_does(first: str, fields: tuple[str, ...]) -> None:
    assert not accepts(head(first, *fields), "secret", "127.0.0.1:5000")


def test_bytes_of_any_kind_do_no_harm() -> None:
    assert not accepts(bytes(range(256)), "secret", "127.0.0.1:5000")


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = page("<shop>", "/secret/static/", "ws://127.0.0.1:5000/secret/ws")
    assert "http" not in text
    assert "&lt;shop&gt;" in text
    assert "default-src 'none'" in policy("ws://127.0.0.1:5000")
