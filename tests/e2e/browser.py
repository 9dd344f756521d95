"""A headless Chromium that a test drives by the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import tempfile
import time
from typing import Any

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--hide-scrollbars")
LISTENING = re.compile(r"DevTools listening on ws://([^/]+)/")


class Browser:
    """One page. ``errors`` are what its console has complained about."""

    def __init__(self, socket: Any) -> None:
        self.errors: list[str] = []
        self._socket = socket
        self._number = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, address: str, size: str = "1000,500") -> AsyncIterator[Browser]:
        """Start a browser that shows a page; it ends with the block."""
        import aiohttp

        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            flags = (*FLAGS, f"--window-size={size}", "--remote-debugging-port=0", f"--user-data-dir={profile}")
            process = await asyncio.create_subprocess_exec("chromium", *flags, stderr=asyncio.subprocess.PIPE)
            try:
                host = await cls._listening(process)
                async with aiohttp.ClientSession() as client:
                    async with client.get(f"http://{host}/json") as answer:
                        pages = await answer.json(content_type=None)
                    page = next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page")
                    async with client.ws_connect(page, max_msg_size=0) as socket:
                        browser = cls(socket)
                        for method in ("Runtime.enable", "Log.enable", "Page.enable"):
                            await browser.call(method)
                        await browser.call("Page.navigate", url=address)
                        yield browser
            finally:
                process.kill()
                await process.wait()

    @staticmethod
    async def _listening(process: asyncio.subprocess.Process) -> str:
        assert process.stderr is not None
        while line := await asyncio.wait_for(process.stderr.readline(), harness.LIMIT):
            if found := LISTENING.search(line.decode(errors="replace")):
                return found[1]
        raise AssertionError("Chromium has ended")

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=harness.LIMIT)
            if message.get("id") == self._number:
                result: dict[str, Any] = message.get("result", {})
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        entry = message.get("params", {}).get("entry", {})
        if message["method"] == "Runtime.exceptionThrown" or entry.get("level") == "error":
            self.errors.append(str(message["params"]))

    async def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + harness.LIMIT
        while not (await self.call("Runtime.evaluate", expression=condition))["result"].get("value"):
            assert time.monotonic() < end, (condition, self.errors)
            await asyncio.sleep(0.05)

    async def type(self, text: str) -> None:
        """Press keys."""
        await self.call("Runtime.evaluate", expression="document.querySelector('.xterm-helper-textarea').focus()")
        for char in text:
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=char, key=char)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=char)

    async def picture(self) -> bytes:
        """Return what it shows, as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])
