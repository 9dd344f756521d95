"""Secrets stay in the environment; values never become commands; what others could change is not trusted."""

from __future__ import annotations

import contextlib
import signal

import psutil

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

SECRET = "hunter2-f00dcafe"


def test_secrets_are_in_no_argument_and_in_no_line_of_ours(place: Place) -> None:
    argument = kit.sleep_time()
    place.write(".env", f"API_SECRET={SECRET}\n")
    place.procfile(f'web: test "$API_SECRET" && exec sleep {argument}\nbad: no-such-program "$API_SECRET"\n')
    session = place.start("--restart", "never", "--exit", "never")
    kit.wait_running(1, argument)
    session.wait_for(r"bad\.1 .*(not found|127)")
    seen = 0
    for pid in kit.all_pids(session):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie counts as none
            assert SECRET not in " ".join(psutil.Process(pid).cmdline())
            seen += 1
    assert seen
    session.signal(signal.SIGUSR1)
    session.wait_for(r"web\.1 running", stream="err")
    session.signal(signal.SIGTERM)
    session.wait()
    assert SECRET not in session.text + session.err.decode()
    for words in (("check",), ("check", "--json"), ("check", "--show-env")):
        done = place.call(*words)
        assert SECRET not in done.out + done.err


def test_values_are_never_run(place: Place) -> None:
    place.write(".env", "NAME='x; touch pwned; $(touch pwned) `touch pwned`'\nPORT=5000\n")
    place.procfile('web: echo "got $NAME"; sleep 0\nplain: echo $NAME\n')
    session = place.start()
    assert session.wait() == 0
    place.call("run", "plain", "; touch pwned", "$(touch pwned)")
    assert "got x; touch pwned" in session.text
    assert not (place.folder / "pwned").exists()


def test_no_line_of_an_env_file_is_shown(place: Place) -> None:
    place.write(
        ".env",
        f"API_SECRET=-----BEGIN PRIVATE KEY-----\n{SECRET}\n{SECRET}x==\n-----END PRIVATE KEY-----\n",
        mode=0o644,
    )
    place.procfile("web: echo up\n")
    session = place.start()
    assert session.wait() == 0
    assert '.env:2: lines 2 to 4 have no "="' in session.text
    checked = place.call("check", "--show-env")
    assert "lines 2 to 4" in checked.err
    assert SECRET not in session.text + checked.out + checked.err


def test_root_does_not_run_what_everybody_can_write(place: Place) -> None:
    kit.need_root()
    place.write("Procfile", "web: echo up\n", mode=0o666)
    session = place.start()
    assert session.wait() == 2
    assert "up" not in session.text
    place.write("Procfile", "web: echo up\n", mode=0o644)
    place.write(".env", "A=1\n", mode=0o666)
    session = place.start()
    assert session.wait() == 2
    assert "up" not in session.text


def test_root_is_warned_once_and_others_are_not(place: Place) -> None:
    kit.need_root()
    place.procfile("web: echo up\n")
    session = place.start()
    session.wait()
    assert session.text.count("running as root") == 1
    session = place.session("start", program=kit.as_nobody(place))
    assert session.wait() == 0
    assert "running as root" not in session.text
