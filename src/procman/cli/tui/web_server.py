"""Serves the screen to a browser of this machine, at an address with a token.

Each page is a process of its own, which draws for the browser and is a client of the session like any other. It ends
with its page, at the latest with this server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shlex
import signal
import socket
import sys
from functools import partial

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from procman.cli.tui.page_messages import UNKNOWN, FailureLog, LastWords, complain, read
from procman.cli.tui.web_gate import WebGate, accepts
from procman.cli.tui.web_page import page, policy
from procman.runtime.system.procfs import own_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
TOKEN_SIZE = 32  # bytes
SHUTDOWN_TIME = 1.0  # seconds for open pages to end; to kill their processes later harms nothing
HEARTBEAT = 15.0  # seconds between signs of life that a page has to answer
DEFAULT_SIZE = {"width": 80, "height": 24}
MAX_PAGES = 20  # at a time; each is a process


def _kill_pages() -> None:
    """Kill the processes of pages that have not ended, for example since they are suspended: they would stay."""
    for pid in own_children():
        os.kill(pid, signal.SIGKILL)


class PageProcess(AppService):
    """The process of a page. If it ends, for example since the session has, so does the page."""

    async def run(self) -> None:
        """Pass on what it draws, until it ends."""
        await super().run()
        await self.remote_close()

    async def take(self, kind: str, said: Any) -> None:
        """Take a message of the page."""
        if kind == "resize":
            await self.set_terminal_size(*said)
        elif kind != "stdin":
            await self.send_meta({"type": kind})
        elif typed := said.encode("utf-8", "ignore"):  # nothing would be the end of its input
            await self.send_bytes(typed)


async def _close(websocket: web.WebSocketResponse) -> None:
    await websocket.close()


async def _pass_on(websocket: web.WebSocketResponse, process: PageProcess) -> None:
    """Pass the messages of a page on to its process; what is not one is left out."""
    complained = False
    async for message in websocket:
        kind, said = read(message.data) if message.type == WSMsgType.TEXT else UNKNOWN
        if kind == "ping":
            await websocket.send_json(["pong", said])
        elif kind:
            await process.take(kind, said)
        elif not complained:
            complain("a page has sent what procman's own page does not send; that has no effect")
            complained = True


class WebServer(Server):
    """Draws with ``command``. Listens on a free port, or on ``port``. Raises OSError if that is taken."""

    def __init__(self, command: Sequence[str], port: int = 0) -> None:
        self._listener = socket.create_server((HOST, port))
        self._pages = 0
        self._token = secrets.token_urlsafe(TOKEN_SIZE)
        super().__init__(f"exec {shlex.join(command)}", HOST, self._listener.getsockname()[1], title="procman")
        self._authority = f"{HOST}:{self.port}"
        self.address = f"http://{self._authority}/{self._token}/"

    async def run(self) -> None:
        """Serve until a signal ends it."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, ended.set)
        application = web.Application(middlewares=[self._guard])
        application.add_subapp(f"/{self._token}/", await self._make_app())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_TIME)
        await runner.setup()
        assert runner.server is not None
        accepted = partial(accepts, token=self._token, host=self._authority)
        server = await loop.create_server(partial(WebGate, accepted, runner.server), sock=self._listener)
        self._announce()
        logging.getLogger().addHandler(FailureLog(logging.ERROR))
        with contextlib.redirect_stdout(LastWords()):
            await ended.wait()
            server.close()
            await asyncio.wait([asyncio.create_task(runner.cleanup())], timeout=2 * SHUTDOWN_TIME)
            _kill_pages()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """Hang up on a later request of a connection that is not for a path below the token."""
        if not request.path.startswith(f"/{self._token}/") and request.transport is not None:
            request.transport.abort()
        return await handler(request)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a page, unless there are very many."""
        if self._pages >= MAX_PAGES:
            complain(f"a page was refused: {MAX_PAGES} are open")
            raise web.HTTPServiceUnavailable
        websocket = web.WebSocketResponse(timeout=SHUTDOWN_TIME, heartbeat=HEARTBEAT)
        await websocket.prepare(request)
        process = PageProcess(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=partial(_close, websocket),
            download_manager=self.download_manager,
        )
        self._pages += 1
        try:
            await process.start(*(to_int(request.query.get(key, ""), size) for key, size in DEFAULT_SIZE.items()))
            await _pass_on(websocket, process)
        except asyncio.CancelledError:  # the server ends
            await websocket.close()
        finally:
            self._pages -= 1
            await process.stop()
        return websocket

    def _announce(self) -> None:
        sys.stdout.write(f"{self.address}\n")
        sys.stdout.flush()
        sys.stderr.write("procman: open this address in a browser; Ctrl-C ends it, and the session continues\n")

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing of Textual's."""

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page."""
        text = page(self.title, f"/{self._token}/static/", f"ws://{self._authority}/{self._token}/ws")
        headers = {
            "Content-Security-Policy": policy(f"ws://{self._authority}"),
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(text=text, content_type="text/html", headers=headers)
