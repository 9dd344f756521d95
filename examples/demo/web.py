"""The shop: takes orders, hands them to the bakers, and shows a page that follows the work."""

from __future__ import annotations

import argparse
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import shop

PAGE = Path(__file__).with_name("page.html").read_bytes()


class Counter:
    """The shop's counter, with the latest orders first. They are kept in memory, so a new shop starts empty."""

    def __init__(self) -> None:
        self.orders: list[dict[str, object]] = []
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    def order(self, bread: str = "loaf", **_: object) -> dict[str, object]:
        """Take an order."""
        with self.lock:
            order: dict[str, object] = {"number": next(self.numbers), "bread": bread, "state": "ordered", "by": ""}
            self.orders = [order, *self.orders[:11]]
        return order

    def take(self, by: str = "", **_: object) -> dict[str, object]:
        """Give the oldest open order to a baker, or nothing if there is none."""
        with self.lock:
            for order in reversed(self.orders):
                if order["state"] == "ordered":
                    order.update(state="baking", by=by)
                    return order
        return {}

    def done(self, number: int = 0, state: str = "baked", **_: object) -> dict[str, object]:
        """Put a finished loaf on the shelf."""
        for order in self.orders:
            if order["number"] == number:
                order["state"] = state
                return order
        return {}


COUNTER = Counter()


class Shop(BaseHTTPRequestHandler):
    """GET / is the page, GET /orders its data; POST /order, /take and /done change it."""

    def do_GET(self) -> None:
        if self.path == "/":
            self.reply(200, PAGE, "text/html")
        elif self.path == "/orders":
            self.reply(200, json.dumps(COUNTER.orders).encode())
        else:
            self.reply(404, b"{}")

    def do_POST(self) -> None:
        action = {"/order": COUNTER.order, "/take": COUNTER.take, "/done": COUNTER.done}.get(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if action is None:
            self.reply(404, b"{}")
            return
        answer = action(**json.loads(body or b"{}"))
        if self.path == "/order":
            print(f"order {answer['number']}: {answer['bread']}")
        self.reply(200, json.dumps(answer).encode())

    def reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing, since the page sends two requests a second."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    shop.end_at_term()
    with ThreadingHTTPServer(("127.0.0.1", port), Shop) as server:
        print(f"open at \033[1mhttp://127.0.0.1:{port}/\033[0m")
        server.serve_forever(poll_interval=60)


if __name__ == "__main__":
    main()
