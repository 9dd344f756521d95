"""SIGKILL hits procman itself: whichever of its processes dies, nothing of the session lives on."""

from __future__ import annotations

import os
import signal
import time
from itertools import permutations

import pytest

import harness
from faults import kit

pytestmark = pytest.mark.alone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

TREES = 10

# A leader, a helper in its group, and a daemon which has left group, session and environment behind.
TREE = "sleep {a} & {daemon} {b} & exec sleep {c}\n"

VICTIMS = {
    "visible": ("guardian",),
    "manager": ("manager",),
    "watchdog": ("watchdog",),
    "visible and manager": ("guardian", "manager"),
    "visible and watchdog": ("guardian", "watchdog"),
    "watchdog and manager": ("watchdog", "manager"),
}


class Forest:
    """A session of ten trees of three processes, all of them up."""

    def __init__(self, place: Place, program: str = harness.PROCMAN, trees: int = TREES) -> None:
        kit.need_linux()
        self.times = [kit.sleep_time() for _ in range(3)]
        daemon = kit.script(place, "daemon.py", kit.DAEMON.replace("time.sleep", "sys.exit"))
        line = TREE.format(a=self.times[0], b=self.times[1], c=self.times[2], daemon=daemon)
        place.procfile(f"tree: {line}")
        self.session = place.session("start", "-m", f"tree={trees}", program=program)
        kit.wait_running(3 * trees, *self.times)
        kit.wait_until(lambda: len(kit.roles(self.session)) == 3, "guardian, watchdog and manager")
        self.roles = kit.roles(self.session)

    def ends(self) -> None:
        """All of it, our own processes included."""
        kit.wait_gone(*self.times)
        self.session.wait()
        self.session.wait_until_gone()


@pytest.mark.parametrize("victims", VICTIMS.values(), ids=VICTIMS)
def test_nothing_outlives_sigkill_of_our_own_processes(place: Place, victims: tuple[str, ...]) -> None:
    forest = Forest(place)
    kit.kill(*(forest.roles[role] for role in victims))
    forest.ends()


@pytest.mark.parametrize("victims", list(permutations(("guardian", "watchdog", "manager"), 2)), ids=" then ".join)
def test_nothing_outlives_two_of_us_killed_one_after_the_other(place: Place, victims: tuple[str, str]) -> None:
    """The second dies while the third, or it itself, is busy with the end of the first."""
    for milliseconds in (0.3, 1, 3, 8):
        forest = Forest(place, trees=4)
        kit.kill(forest.roles[victims[0]])
        end = time.monotonic() + milliseconds / 1000
        while time.monotonic() < end:
            pass
        kit.kill(forest.roles[victims[1]])
        forest.ends()


def test_nothing_outlives_sigkill_of_the_whole_process_group(place: Place) -> None:
    forest = Forest(place)
    os.killpg(os.getpgid(forest.session.pid), signal.SIGKILL)
    forest.ends()


@pytest.mark.parametrize("victim", ["guardian", "manager", "group"])
def test_nothing_outlives_sigkill_for_an_ordinary_user(place: Place, victim: str) -> None:
    forest = Forest(place, kit.as_nobody(place))
    if victim == "group":
        os.killpg(os.getpgid(forest.session.pid), signal.SIGKILL)
    else:
        kit.kill(forest.roles[victim])
    forest.ends()


def test_a_killed_manager_shows_in_the_exit_status(place: Place) -> None:
    forest = Forest(place)
    kit.kill(forest.roles["manager"])
    assert forest.session.wait() == 137


def test_two_hundred_daemons_do_not_outlive_the_visible_process(place: Place) -> None:
    kit.need_linux()
    number, argument = 200, kit.sleep_time()
    place.write("many.sh", f"for i in $(seq {number}); do setsid env -i sleep {argument} & done; exec sleep 100000\n")
    place.procfile("many: sh many.sh\n")
    session = place.start()
    kit.wait_running(number, argument)
    session.signal(signal.SIGKILL)
    kit.wait_gone(argument)
    session.wait_until_gone()
