"""Draws for a browser, in the process of a page. What the page sends is not trusted."""

from __future__ import annotations

import contextlib
import os
import threading

from textual import events, messages
from textual.drivers.web_driver import WebDriver
from textual.geometry import Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message

END_TIME = 2.0  # seconds for a page to end by itself
MAX_COLUMNS, MAX_ROWS = 500, 200  # memory grows with each cell


def bounded(width: int, height: int) -> Size:
    """Return the size that is drawn for a page that wants this one."""
    return Size(max(1, min(width, MAX_COLUMNS)), max(1, min(height, MAX_ROWS)))


class PageDriver(WebDriver):
    """Textual's driver for browsers, but for sizes that no screen has."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._size = bounded(*self._size) if self._size else None

    def run_input_thread(self) -> None:
        """Read what the page sends. Without a server, nothing else would end a page whose drawing is stuck."""
        super().run_input_thread()
        with contextlib.suppress(RuntimeError):  # its loop is closed
            self._app.post_message(messages.ExitApp())
        main = threading.main_thread()
        main.join(END_TIME)
        if main.is_alive():
            os._exit(1)

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        """Take a message of the server."""
        if packet_type == "resize":
            width, height = payload.get("width"), payload.get("height")
            if not isinstance(width, int) or not isinstance(height, int):
                return
            payload = dict(zip(("width", "height"), bounded(width, height), strict=True))
        super().on_meta(packet_type, payload)

    def process_message(self, message: Message) -> None:
        """Pass on what was typed. A terminal can tell its size there, too."""
        if isinstance(message, events.Resize):
            size = bounded(*message.size)
            message = events.Resize(size, size, None, message.pixel_size)
        super().process_message(message)
