"""The clock process: queues a heartbeat every HEARTBEAT seconds. Run only one."""

from __future__ import annotations

import os
import signal
import sys
import time

import queue_jobs


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    database = queue_jobs.connect()
    while True:
        number = queue_jobs.add(database, "heartbeat")
        print(f"heartbeat is job {number}")
        time.sleep(float(os.environ.get("HEARTBEAT", "10")))


if __name__ == "__main__":
    main()
