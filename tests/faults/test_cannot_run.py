"""What cannot be run, and folders and files that vanish: a message, and the code that a shell would give."""

from __future__ import annotations

import shutil
import signal

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

GARBAGE = b"\x7fELF\x02\x01\x01" + bytes(200)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("no-such-program-anywhere", 127),
        ("./no/such/file", 127),
        ("no-such-program-anywhere | cat; exit 127", 127),
        ("/tmp", 126),
        ("./folder", 126),
        ("./plain-file", 126),
        ("./no-interpreter", 127),
    ],
)
def test_what_cannot_be_run_fails_at_once(place: Place, line: str, code: int) -> None:
    (place.folder / "folder").mkdir()
    place.write("plain-file", "echo never\n", mode=0o644)
    place.write("no-interpreter", "#!/no/such/interpreter\n", mode=0o755)
    place.procfile(f"bad: {line}\n")
    session = place.start()
    assert session.wait() == code
    assert "restarting" not in session.text
    assert "bug in procman" not in session.err.decode()


@pytest.mark.parametrize("line", ["./garbage", "./garbage with words"])
def test_a_file_of_no_known_format_is_a_failure_in_words(place: Place, line: str) -> None:
    place.write("garbage", GARBAGE, mode=0o755)
    place.procfile(f"bad: {line}\n")
    session = place.start("--restart", "never")
    assert session.wait() in (2, 126, 127)
    assert "bug in procman" not in session.err.decode()
    assert place.call("run", "bad").code in (2, 126, 127)


def test_a_script_without_a_first_line_is_run_by_the_shell(place: Place) -> None:
    place.write("script", "echo hello from $PS\n", mode=0o755)
    place.procfile("web: ./script\n")
    session = place.start()
    assert session.wait() == 0
    assert "hello from web.1" in session.text


def test_others_go_on_beside_what_cannot_be_run(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"bad: no-such-program-anywhere\ngood: exec sleep {argument}\n")
    session = place.start()
    kit.wait_running(1, argument)
    session.wait_for("bad.1 .*(not found|127)")
    session.signal(signal.SIGTERM)
    session.wait()
    assert kit.running(argument) == []


@pytest.mark.parametrize("words", [("start",), ("start", "-f", "{folder}/Procfile"), ("run", "web"), ("check",)])
def test_a_current_folder_that_is_gone_gives_a_sentence(place: Place, words: tuple[str, ...]) -> None:
    gone = place.folder / "gone"
    gone.mkdir()
    place.procfile("web: echo up\n")
    program = kit.wrapper(place, f'cd {gone} && rmdir {gone} && exec "$PROCMAN" "$@"')
    session = place.session(*(word.format(folder=place.folder) for word in words), program=program)
    assert session.wait() == 2
    assert b"the current folder no longer exists" in session.err


def test_a_root_that_vanishes_during_the_run_stops_nothing(place: Place) -> None:
    argument = kit.sleep_time()
    root = place.folder / "app"
    root.mkdir()
    (root / "Procfile").write_text(f"web: exec sleep {argument}\nflaky: echo again; exec false\n")
    session = place.session("start", "-f", str(root / "Procfile"))
    session.wait_for("again")
    shutil.rmtree(root)
    session.wait_for("attempt 2 of")
    session.signal(signal.SIGTERM)
    session.wait()
    assert b"bug in procman" not in session.err
    assert kit.running(argument) == []


def test_a_root_that_is_removed_and_made_again_is_used(place: Place) -> None:
    root = place.folder / "app"
    root.mkdir()
    (root / "Procfile").write_text("web: cat version; exec sleep 1000\n")
    (root / "version").write_text("one\n")
    program = kit.wrapper(place, f'cd {root} && exec "$PROCMAN" "$@"')
    session = place.session("start", program=program)
    session.wait_for(r"\| one")
    shutil.copytree(root, place.folder / "new")
    shutil.rmtree(root)
    (place.folder / "new").rename(root)
    (root / "version").write_text("two\n")
    assert place.call("signal", "-d", str(root), "KILL", "web").code == 0
    session.wait_for(r"\| two")
    (root / "version").write_text("three\n")
    assert place.call("restart", "-d", str(root), "web").code == 0
    session.wait_for(r"\| three")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0


@pytest.mark.parametrize("line", ["sleep 1000", "echo up; sleep 1000"])
def test_a_folder_of_a_process_that_vanishes_is_named(place: Place, line: str) -> None:
    folder = place.folder / "app"
    folder.mkdir()
    place.procfile(f"other: {line}\nweb: echo first; exec sleep 1000\n")
    place.write("procman.toml", 'process.web = { cwd = "app", backoff = 0.1 }\nprocess.other.cwd = "app"\n')
    session = place.start()
    session.wait_for(r"\| first")
    folder.rmdir()
    for name in ("web", "other"):
        assert place.call("signal", "KILL", name).code == 0
        session.wait_for(rf"{name}\.1 FAILED: {folder}: no such folder")
    session.wait()
    assert session.text.count("and printed nothing") == 2
    assert "not found" not in session.text


def test_a_procfile_that_is_deleted_during_the_run_is_not_missed(place: Place) -> None:
    path = place.procfile("flaky: echo again; exit 1\n")
    session = place.start()
    session.wait_for(r"\| again")
    path.unlink()
    session.wait_for(r"\| again")
    session.signal(signal.SIGTERM)
    session.wait()


PASTED = "#!/bin/sh\r\necho up\r\n"


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("bin/pasted", ["bin/pasted has Windows line endings", "sed -i"]),
        ("bin/pasted --port $PORT", ["bin/pasted has Windows line endings; convert it"]),
        ("bin/orphan", ["bin/orphan: the interpreter that its first line names does not exist", "#! line: /no/such"]),
        ("knead --all", [".venv/bin/knead exists: activate the virtual environment, or write .venv/bin/knead"]),
    ],
)
def test_start_run_and_check_give_the_same_reason(place: Place, line: str, messages: list[str]) -> None:
    place.write("bin/pasted", PASTED, mode=0o755)
    place.write("bin/orphan", "#!/no/such/oven\n", mode=0o755)
    place.write(".venv/bin/knead", "#!/bin/sh\n", mode=0o755)
    place.procfile(f"bad: {line}\n")
    session = place.start()
    assert session.wait() == 127
    checked = place.call("check")
    assert checked.code == 0
    run = place.call("run", line.split(maxsplit=1)[0])
    assert run.code == 127
    for message in messages:
        assert message in session.text
    assert messages[0] in checked.out
    assert messages[0].partition(";")[0] in run.err
    assert all(part in checked.out for part in messages)


@pytest.mark.parametrize("command", ["start", "up"])
def test_what_a_fresh_checkout_lacks_is_named(place: Place, command: str) -> None:
    place.procfile("web: .venv/bin/python manage.py runserver $PORT\n")
    done = place.call(command)
    place.call("down")
    assert done.code == 127
    assert "there is no folder .venv here: install what the project needs first" in done.out + done.err
    run = place.call("run", "--", ".venv/bin/python", "manage.py", "migrate")
    assert (run.code, "there is no folder .venv here" in run.err) == (127, True), run


def test_a_path_of_the_env_file_is_named(place: Place) -> None:
    place.write(".env", "A=1\nPATH=/nowhere\n", mode=0o600)
    place.procfile("bad: sort --help\n")
    where = "PATH comes from .env:2, which leaves out its folder"
    session = place.start()
    assert session.wait() == 127
    assert where in session.text
    assert where in place.call("check").out
    assert where in place.call("run", "sort").err
    assert where in place.call("run", "bad").err
    assert where in place.call("test", "--", "true").err


def test_a_path_of_the_overlay_is_named(place: Place) -> None:
    place.procfile("bad: sort --help\n")
    place.write("bad.env", "PATH=/nowhere\n", mode=0o600)
    where = "PATH comes from an env file or the overlay, which leaves out its folder"
    for line in ("env = { PATH = '/nowhere' }", "env_file = 'bad.env'"):
        place.write("procman.toml", f"[process.bad]\n{line}\n")
        assert where in place.call("start").out
        assert where in place.call("check").out
        assert where in place.call("run", "bad").err
        assert where in place.call("test", "--", "true").err


@pytest.mark.parametrize(
    ("words", "on_terminal"),
    [(("--pty",), False), ((), True), (("--primary", "bad"), True)],
    ids=["pty", "terminal", "primary"],
)
def test_on_a_terminal_others_go_on_too(place: Place, words: tuple[str, ...], on_terminal: bool) -> None:
    place.write("bad", "#!/no/such/interpreter\n", mode=0o755)
    place.procfile(f"bad: ./bad\nok: echo here; exec sleep {kit.sleep_time()}\n")
    session = place.session("start", *words, pty=on_terminal)
    session.wait_for(r"bad\.1 FAILED")
    assert place.call("restart", "bad").code != 0
    assert place.call("ps", "ok", "--json").out.count('"running"') == 1
    session.signal(signal.SIGTERM)
    assert session.wait() in (0, 127)
    assert "bug in procman" not in session.text + session.err.decode()


@pytest.mark.parametrize("words", [("--pty",), ("--no-pty",)], ids=["pty", "pipes"])
def test_a_program_that_is_being_written_is_started_later(place: Place, words: tuple[str, ...]) -> None:
    shutil.copy("/bin/sleep", place.folder / "fresh")
    (place.folder / "fresh").chmod(0o755)
    place.procfile(f"fresh: ./fresh {kit.sleep_time()}\n")
    with (place.folder / "fresh").open("ab"):
        session = place.start(*words)
        session.wait_for("Text file busy")
    session.wait_for(r"fresh\.1 started")
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
