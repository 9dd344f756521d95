"""The worker process: takes jobs until it gets TERM, then finishes the current one."""

from __future__ import annotations

import os
import signal
import time

import queue_jobs

stopping = False


def stop(*_: object) -> None:
    """Remember TERM; the loop checks between two jobs."""
    global stopping  # noqa: PLW0603 -- a signal handler has no other place to write
    stopping = True


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    database = queue_jobs.connect()
    me = os.environ.get("PS", "worker")
    print("ready for work")
    while not stopping:
        job = queue_jobs.take(database, me)
        if job is None:
            time.sleep(0.1)
            continue
        time.sleep(0.3)  # the hard work
        queue_jobs.finish(database, job["number"], job["text"].upper())
        print(f"job {job['number']} is done")
    print("no job is left half done")


if __name__ == "__main__":
    main()
