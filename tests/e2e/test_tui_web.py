"""`procman tui --web`: the screen in a browser, at an address that only those find who were given it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

import harness
from e2e.browser import Browser
from procman.runtime.system.procfs import children_of

aiohttp = pytest.importorskip("aiohttp", reason="the extra tui-web is not installed")
pytest.importorskip("textual_serve", reason="the extra tui-web is not installed")

STUCK = """
import os
from textual.app import App
from procman.cli.tui.web_driver import PageDriver

class Page(App):
    def on_mount(self):
        os.write(1, b"drawing\\n")
        while True: pass

Page(driver_class=PageDriver).run()
"""
PROCFILE = "web: echo hello; exec sleep 1000\nworker: exec sleep 1000\n"


class Served:
    """The screen of a session, served to browsers."""

    def __init__(self, place: harness.Place, procfile: str = PROCFILE) -> None:
        place.procfile(procfile)
        self.session = place.start()
        self.session.wait_for("hello")
        self.server = place.session("tui", "--web")
        self.address = self.server.wait_for(r"^http://127\.0\.0\.1:\d+/\S{40,}/$")[0]
        self.port = int(re.findall(r":(\d+)/", self.address)[0])
        self.path = self.address.partition(str(self.port))[2]

    def answer(self, request: str) -> bytes:
        """What a request gets, to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=harness.LIMIT) as client:
            answer = b""
            try:
                client.sendall(request.encode("latin-1"))
                while chunk := client.recv(65536):
                    answer += chunk
            except ConnectionError:  # cut off
                pass
            return answer

    def end(self) -> None:
        """End it as a user does."""
        self.server.signal(signal.SIGINT)
        assert self.server.wait() == 0
        self.server.wait_until_gone()
        assert self.session.process.poll() is None


@pytest.fixture
def served(place: harness.Place) -> Served:
    return Served(place)


def test_only_the_token_opens_the_page_which_shows_the_session_and_takes_keys(served: Served) -> None:
    host = f"Host: 127.0.0.1:{served.port}\r\n"
    wrong = served.path[:-2] + ("x/" if served.path[-2] != "x" else "y/")
    for path in ("/", wrong, "/ws", "/static/js/textual.js", served.path[1:]):
        assert served.answer(f"GET {path} HTTP/1.1\r\n{host}\r\n") == b""
    assert served.answer(f"GET {served.path} HTTP/1.1\r\nHost: evil.example\r\n\r\n") == b""
    assert served.answer(f"GET {served.path} HTTP/1.1\r\n{host}Origin: http://evil.example\r\n\r\n") == b""
    assert served.answer("\x16\x03\x01\x02\r\n\r\n") == b""
    assert served.answer("A" * 100_000) == b""
    page = served.answer(f"GET {served.path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n")
    assert page.startswith(b"HTTP/1.1 200")
    assert b"Content-Security-Policy: default-src 'none'" in page
    two = f"GET {served.path} HTTP/1.1\r\n{host}\r\nGET / HTTP/1.1\r\n{host}\r\n"
    assert served.answer(two).count(b"HTTP/1.1") == 1

    async def visit() -> None:
        address = f"{served.address}ws?width=90&height=20"
        async with aiohttp.ClientSession() as client, client.ws_connect(address) as page:
            await receive(page, "worker.1", "hello")
            await page.send_json(["stdin", "?"])
            await receive(page, "the session continues")

    asyncio.run(visit())
    until(lambda: len(served.server.survivors()) == 1, "the end of the page's process")
    served.end()


def test_a_page_ends_with_its_server_even_if_that_is_killed(served: Served) -> None:
    async def visit() -> None:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{served.address}ws") as page:
            await receive(page, "worker.1")
            served.server.signal(signal.SIGKILL)

    asyncio.run(visit())
    served.server.wait_until_gone()
    assert served.session.process.poll() is None


def test_a_page_that_is_drawing_ends_with_its_server(place: harness.Place) -> None:
    """What it draws meets a pipe that nothing reads."""
    served = Served(place, "web: echo hello; while :; do echo more; sleep 0.05; done\n")

    async def visit() -> None:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{served.address}ws") as page:
            await receive(page, "more")
            served.server.signal(signal.SIGKILL)

    asyncio.run(visit())
    served.server.wait_until_gone()
    assert served.session.process.poll() is None


def test_a_page_whose_drawing_does_not_end_ends_with_its_input() -> None:
    command = [sys.executable, "-c", STUCK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as page:
        assert page.stdin is not None
        assert page.stdout is not None
        while b"drawing" not in (line := page.stdout.readline()):
            assert line
        page.stdin.close()
        assert page.wait(harness.LIMIT) == 1


def test_a_page_that_is_suspended_does_not_keep_its_server(served: Served) -> None:
    async def visit() -> None:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{served.address}ws") as page:
            await receive(page, "worker.1")
            (drawing,) = children_of(served.server.process.pid)
            os.kill(drawing, signal.SIGSTOP)
            served.server.signal(signal.SIGINT)
            await asyncio.to_thread(served.server.wait_until_gone)

    asyncio.run(visit())
    assert served.session.process.poll() is None


def test_a_port_that_is_taken_is_named_in_one_sentence(served: Served, place: harness.Place) -> None:
    done = place.call("tui", "--web", f"--web-port={served.port}")
    assert done.code == 2
    assert done.err.splitlines()[0] == f"procman: cannot listen on port {served.port}: address already in use"


def test_a_page_cannot_have_a_size_that_no_screen_has(served: Served) -> None:
    async def visit() -> None:
        address = f"{served.address}ws?width=1000000000&height=1000000000"
        async with aiohttp.ClientSession() as client, client.ws_connect(address) as page:
            await receive(page, "worker.1", "hello")
            await page.send_json(["resize", {"width": 1 << 70, "height": 1 << 70}])
            await page.send_json(["stdin", "\x1b[48;999999999;999999999;1;1t"])
            await page.send_json(["resize", {"width": -3, "height": 0}])
            await page.send_json(["resize", {"width": 90, "height": 30}])
            await page.send_json(["stdin", "?"])
            await receive(page, "the session continues")

    asyncio.run(visit())
    served.end()
    assert served.server.err.count(b"\n") == 1


def test_odd_messages_of_a_page_are_one_sentence_and_change_nothing(served: Served) -> None:
    async def visit() -> None:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{served.address}ws") as page:
            await receive(page, "worker.1", "hello")
            for text in (
                "{",
                "7",
                "[]",
                "[[]]",
                '["stdin"]',
                '["stdin", 5]',
                '["resize", {"width": "8"}]',
                "[" * 90_000,
            ):
                await page.send_str(text)
            await page.send_bytes(b"\x00\xff")
            await page.send_json(["stdin", "\ud800"])
            await page.send_json(["stdin", ""])
            await page.send_json(["ping", "7"])
            await receive(page, '["pong", "7"]')
            await page.send_json(["stdin", "?"])
            await receive(page, "the session continues")

    asyncio.run(visit())
    served.end()
    assert served.server.err.decode().splitlines()[1:] == [
        "procman: a page has sent what procman's own page does not send; that has no effect"
    ]


def test_a_page_without_a_session_is_one_sentence(served: Served, place: harness.Place) -> None:
    assert place.call("down").code == 0

    async def visit() -> None:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{served.address}ws") as page:
            while (await page.receive(timeout=harness.LIMIT)).type is not aiohttp.WSMsgType.CLOSED:
                pass

    asyncio.run(visit())
    served.server.signal(signal.SIGINT)
    assert served.server.wait() == 0
    assert "Traceback" not in served.server.err.decode()
    assert f"procman: a page has ended: no session of {place.folder}/Procfile is running" in served.server.err.decode()
    assert served.server.text.count("\n") == 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_browser_draws_it_and_types(served: Served) -> None:
    async def visit() -> None:
        async with Browser.open(served.address) as browser:
            await browser.wait_for("document.body.classList.contains('-first-byte')")
            await browser.wait_for("document.querySelectorAll('canvas').length > 0")
            assert browser.errors == []
            await browser.type("q")
            await browser.wait_for("document.body.classList.contains('-closed')")

    asyncio.run(visit())
    served.end()


async def receive(page: Any, *parts: str) -> None:
    """Wait until all of this was drawn, for a limited time in all: the page draws its clock each second."""
    drawn = ""
    async with asyncio.timeout(harness.LIMIT):
        while not all(part in drawn for part in parts):
            message = await page.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), (message, drawn)
            drawn += message.data.decode() if isinstance(message.data, bytes) else message.data


def until(true: Any, what: str) -> None:
    end = time.monotonic() + harness.LIMIT
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)
