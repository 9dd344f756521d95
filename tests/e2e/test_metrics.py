"""``procman metrics`` of a running session."""

from __future__ import annotations

import re
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness


def samples(text: str) -> dict[tuple[str, str], float]:
    found = re.findall(r'^(procman_\w+)\{(?:process="([^"]*)",)?[^}]*\} (\S+)$', text, re.MULTILINE)
    return {(name, process): float(value) for name, process, value in found}


def test_they_say_what_runs_and_how_much_it_wrote(place: harness.Place) -> None:
    place.procfile("web: echo hello; echo again; exec sleep 1000\nbad: exit 3\n")
    place.write("procman.toml", "max_restarts = 1\n")
    session = place.start()
    session.wait_for("again")
    session.wait_for("bad.1 FAILED")
    done = place.call("metrics")
    assert (done.code, done.err) == (0, ""), done
    found = samples(done.out)
    assert found["procman_session_up", ""] == 1
    assert (found["procman_up", "web.1"], found["procman_up", "bad.1"]) == (1, 0)
    assert found["procman_last_exit_code", "bad.1"] == 3
    assert (found["procman_output_lines_total", "web.1"], found["procman_output_bytes_total", "web.1"]) == (2, 12)
    assert found["procman_memory_bytes", "web.1"] > 0
    assert done.out.endswith("# EOF\n")
    assert {process for _, process in samples(place.call("metrics", "web").out)} == {"", "web.1"}
    session.signal(signal.SIGINT)
    session.wait()


def test_the_file_says_whether_the_session_is_there(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    path = place.folder / "shop.prom"
    session = place.start()
    session.wait_for("hello")
    done = place.call("metrics", "--textfile", "shop.prom")
    assert (done.code, done.out) == (0, ""), done
    assert samples(path.read_text())["procman_session_up", ""] == 1
    session.signal(signal.SIGINT)
    session.wait()
    gone = place.call("metrics", "--textfile", "shop.prom")
    assert (gone.code, "no session" in gone.err) == (1, True), gone
    assert samples(path.read_text()) == {("procman_session_up", ""): 0}
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_unknown_name_leaves_the_file_as_it_is(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    path = place.write("shop.prom", "old\n")
    session = place.start()
    session.wait_for("hello")
    done = place.call("metrics", "wbe", "--textfile", "shop.prom")
    assert (done.code, path.read_text()) == (2, "old\n"), done
    session.signal(signal.SIGINT)
    session.wait()
