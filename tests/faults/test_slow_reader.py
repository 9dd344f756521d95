"""One process floods a slow reader: what happens to the others is noticed all the same."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Place, Session

FLOOD = """
import os
line = b"y" * 99 + b"\\n"
while True:
    os.write(1, line * 600)
"""
LIVES = 4
BITE = 20_000  # bytes of a read of the slow reader, fifty times a second


@pytest.fixture(params=["slow", "stuck"])
def session(place: Place, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A run whose output is read at 1 MB/s, or not at all."""
    kit.need_linux()
    crash = "echo born >>lives; exit 1"
    crash = f'[ "$(wc -l <lives)" -lt {LIVES} ] || exec sleep 100000; echo dying; {crash}'
    place.write("lives", "")
    flood = kit.script(place, "flood.py", FLOOD)
    place.procfile(f"flood: {flood}\nidle: exec sleep 100000\ncrash: {crash}\n")
    place.write("procman.toml", "[process.crash]\nbackoff = 0.001\n")
    reader, writer = kit.full_pipe()
    over = threading.Event()

    def read_slowly() -> None:
        while request.param == "slow" and not over.wait(0.02) and os.read(reader, BITE):
            pass

    thread = threading.Thread(target=read_slowly)
    thread.start()
    yield place.session("start", stdout=writer)
    os.close(writer)
    over.set()
    thread.join()
    os.close(reader)


def test_a_crash_is_noticed_and_restarted(session: Session, place: Place) -> None:
    lives = place.folder / "lives"
    kit.wait_until(lambda: lives.read_text().count("born") == LIVES, "the restarts")
    session.signal(signal.SIGTERM)
    session.wait()


def test_commands_come_to_their_end_and_tell_what_is_so(session: Session, place: Place) -> None:
    kit.wait_until(lambda: place.call("ps").code == 0, "the session")
    for words in (("restart", "idle"), ("scale", "idle=2"), ("scale", "idle=1"), ("stop", "idle")):
        assert place.session(*words).wait() == 0
    answer = json.loads(place.call("ps", "--json").out)
    states = {one["name"]: one["state"] for one in answer["instances"]}
    assert (states["idle.1"], states["flood.1"]) == ("exited", "running")
    asked = time.monotonic()
    session.signal(signal.SIGTERM)
    session.wait()
    assert time.monotonic() - asked < 20
