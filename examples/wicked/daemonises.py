"""Starts a daemon in the classic way: fork, a session of its own, fork again. It left our group for good."""

from __future__ import annotations

import os
import sys
import time


def daemonise() -> None:
    """Leaves one process behind that nobody here is the parent of."""
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(3600)
    os._exit(0)


def main() -> None:
    daemonise()
    print("ready, with a daemon", flush=True)
    time.sleep(3600)
    sys.exit(1)


if __name__ == "__main__":
    main()
