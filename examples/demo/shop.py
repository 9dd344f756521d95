"""What worker and clock share: one small request to the shop, and a quick end at TERM."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time


def end_at_term() -> None:
    """Makes TERM an ordinary, successful end of this process."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def ask(path: str, **fields: object) -> dict[str, object]:
    """Posts the fields to the shop and returns its answer; waits patiently until the shop is open."""
    port = int(os.environ["PROCMAN_WEB_PORT"])  # procman tells every process where the others listen
    while True:
        try:
            return post(port, path, fields)
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)


def post(port: int, path: str, fields: dict[str, object]) -> dict[str, object]:
    """Sends one request; raises OSError or HTTPException when the shop is not there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", path, json.dumps(fields))
        answer: dict[str, object] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer
