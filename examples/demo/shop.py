"""What worker and clock share: one small request to the shop, and a quick exit at TERM."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time


def end_at_term() -> None:
    """Exit successfully at TERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def ask(path: str, **fields: object) -> dict[str, object]:
    """Post the fields to the shop and return its answer. Wait until the shop is open."""
    port = int(os.environ["PROCMAN_WEB_PORT"])  # procman gives every process the ports of the others
    while True:
        try:
            return post(port, path, fields)
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)


def post(port: int, path: str, fields: dict[str, object]) -> dict[str, object]:
    """Send one request. Raises OSError or HTTPException if the shop is not open."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, json.dumps(fields))
        answer: dict[str, object] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer
