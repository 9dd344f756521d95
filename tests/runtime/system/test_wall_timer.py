"""A descriptor that is readable at a moment of the wall clock."""

from __future__ import annotations

import select
import sys
import time

import pytest

from procman.runtime.system import wall_timer
from procman.runtime.system.wall_timer import WallTimer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has timerfd_create(2)")


@pytest.fixture
def timer() -> Iterator[WallTimer]:
    timer = WallTimer()
    yield timer
    timer.close()


def is_readable(timer: WallTimer, seconds: float = 0.0) -> bool:
    return bool(select.select([timer.fd], [], [], seconds)[0])


def test_it_is_readable_at_its_moment_and_not_before(timer: WallTimer) -> None:
    moment = time.time() + 0.1
    timer.set(moment)
    assert not is_readable(timer)
    assert is_readable(timer, 60)
    assert time.time() >= moment
    timer.acknowledge()
    assert not is_readable(timer)


def test_a_moment_in_the_past_is_now(timer: WallTimer) -> None:
    timer.set(-5.0)
    assert is_readable(timer, 60)


def test_it_can_be_taken_back(timer: WallTimer) -> None:
    timer.set(time.time() - 1)
    timer.set(None)
    timer.acknowledge()
    assert not is_readable(timer)


def test_children_do_not_get_it(timer: WallTimer) -> None:
    import os

    assert not os.get_inheritable(timer.fd)


def test_without_the_call_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall_timer, "call_libc", lambda *_: -1)
    timer = WallTimer()
    timer.set(5.0)
    timer.close()
    assert timer.fd == -1
