"""Serves the screen to a browser of this machine, at an address with a token.

Each page is a process of its own, which draws for the browser and is a client of the session like any other. It ends
with its page, at the latest with this server.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import signal
import socket
import sys
from functools import partial

from aiohttp import web
from textual_serve.server import Server

from procman.cli.tui.web_gate import WebGate, accepts
from procman.cli.tui.web_page import page, policy
from procman.runtime.system.procfs import own_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
TOKEN_SIZE = 32  # bytes
SHUTDOWN_TIME = 3.0  # seconds for open pages to end


def _kill_pages() -> None:
    """Kill the processes of pages that do not end, for example since they are suspended: we would wait for them."""
    for pid in own_children():
        os.kill(pid, signal.SIGKILL)


class WebServer(Server):
    """Draws with ``command``. Listens on a free port, or on ``port``. Raises OSError if that is taken."""

    def __init__(self, command: Sequence[str], port: int = 0) -> None:
        self._listener = socket.create_server((HOST, port))
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
        await ended.wait()
        server.close()
        _, late = await asyncio.wait([asyncio.create_task(runner.cleanup())], timeout=2 * SHUTDOWN_TIME)
        if late:
            _kill_pages()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        """Hang up on a later request of a connection that is not for a path below the token."""
        if not request.path.startswith(f"/{self._token}/") and request.transport is not None:
            request.transport.abort()
        return await handler(request)

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
