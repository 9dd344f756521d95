"""Orphans that end: outside of containers they are reaped as well, all of them, soon."""

from __future__ import annotations

import signal

import psutil

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

MAKER = """
import os, time
for _ in range(300):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os._exit(7)
        os._exit(0)
    os.wait()
print("made", flush=True)
time.sleep(1000)
"""


def _zombies_of(pid: int) -> int:
    count = 0
    for child in psutil.Process(pid).children():
        try:
            count += child.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue
    return count


def test_orphans_that_end_do_not_stay_as_zombies(place: Place) -> None:
    kit.need_linux()
    place.procfile(f"web: {kit.script(place, 'maker.py', MAKER)}\n")
    session = place.start()
    session.wait_for(r"\| made")
    manager = kit.roles(session)["manager"]
    kit.wait_until(lambda: _zombies_of(manager) == 0, "the zombies to be reaped")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert "web.1 exited" not in session.text
