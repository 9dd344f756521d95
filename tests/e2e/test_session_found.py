"""A session is found from wherever its user, or root, looks for it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import harness


@pytest.fixture
def runtime() -> Iterator[Path]:
    """Provide a runtime folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="procman-runtime-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("there", [True, False])
def test_with_and_without_a_runtime_folder(place: harness.Place, runtime: Path, there: bool) -> None:
    place.procfile("web: sleep 1000\n")
    with_one, without = {"XDG_RUNTIME_DIR": str(runtime)}, {"XDG_RUNTIME_DIR": None}
    session = place.start(env=with_one if there else without)
    session.wait_for("web.1 started")
    other = without if there else with_one
    assert "web.1" in place.call("ps", env=other).out
    second = place.call("start", env=other)
    assert (second.code, "is already running" in second.err) == (2, True)
    assert place.call("stop", env=other).code == 0
    assert session.wait() == 0


def test_a_runtime_folder_with_too_long_a_path_is_no_obstacle(place: harness.Place, tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir(mode=0o700)
    place.procfile("web: sleep 1000\n")
    session = place.start(env={"XDG_RUNTIME_DIR": str(long)})
    session.wait_for("web.1 started")
    assert place.call("stop", env={"XDG_RUNTIME_DIR": None}).code == 0
    assert session.wait() == 0
    assert "socket" not in session.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_after_su_the_runtime_folder_of_the_other_user_is_no_obstacle(place: harness.Place, runtime: Path) -> None:
    os.chown(runtime, 54321, 54321)
    place.procfile("web: sleep 1000\n")
    session = place.start(env={"XDG_RUNTIME_DIR": str(runtime)})
    session.wait_for("web.1 started")
    assert place.call("stop", env={"XDG_RUNTIME_DIR": None}).code == 0
    assert session.wait() == 0
    assert "socket" not in session.text
