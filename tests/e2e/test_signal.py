"""`procman signal`: which process gets a signal that does not usually end programs."""

from __future__ import annotations

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

SCRIPT = "trap 'echo trapped by $$' USR1\necho ready\nwhile :; do sleep 0.05; done\n"
SERVER = """
import os, signal, time
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"trapped by %d\\n" % os.getpid()))
os.write(1, b"ready\\n")
while True: time.sleep(0.1)  # a signal that comes just before pause() is not seen
"""


@pytest.mark.parametrize(
    "line",
    ["sh script.sh", "bash ./script.sh", "sh -c '. ./script.sh'", ". ./script.sh", "cd . && sh script.sh; true"],
)
def test_a_script_with_a_trap_gets_it(place: Place, line: str) -> None:
    kit.need_linux()
    place.write("script.sh", SCRIPT)
    _check(place, line)


@pytest.mark.parametrize("line", ["{} | tee log", "{}; true", "cd . && {} | tee log | cat", "exec {}"])
def test_a_server_behind_a_shell_gets_it_alone(place: Place, line: str) -> None:
    kit.need_linux()
    _check(place, line.format(kit.script(place, "server.py", SERVER)))


def _check(place: Place, line: str) -> None:
    place.procfile(f"web: {line}\n")
    session = place.start()
    session.wait_for("ready")
    for _ in range(2):
        told = place.call("signal", "USR1", "web").out
        pid = session.wait_for(r"trapped by (\d+)").group(1)
        assert told == f"SIGUSR1 sent to web.1 (pid {pid})\n"
    assert "User defined" not in session.text
