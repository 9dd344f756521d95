"""Start a daemon in the classic way: fork, setsid, fork again. It leaves its process group for good."""

from __future__ import annotations

import os
import sys
import time


def daemonise() -> None:
    """Leave one process behind, with no parent here."""
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
