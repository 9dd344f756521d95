"""Error messages and exit codes of the ``procman`` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import harness
from procman import __version__
from procman.cli.failures import safely
from procman.cli.main import main
from procman.errors import UsageError


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["strat"], 'unknown command "strat"', 'did you mean "start"?'),
        (["start", "--prot", "1"], "procman start has no option --prot", 'did you mean "--port"?'),
        (["check", "-z"], "procman check has no option -z", "procman check --help lists all options"),
        (["start", "-p"], "option '-p' requires an argument", "see procman start --help"),
        (["run"], "missing argument 'COMMAND'", "see procman run --help"),
        (["start", "--raw=yes"], "option '--raw' does not take a value", "see procman start --help"),
        (["check", "-p", "http"], '--port must be a port from 1 to 65535, or 0 for none, not "http"', None),
        (["check", "-p", "1", "-p", "2"], "--port is given twice, but takes one value", None),
        (["start", "-p", "-1"], '--port must be a port from 1 to 65535, or 0 for none, not "-1"', None),
        (
            ["completion", "tcsh"],
            'completion takes bash, zsh or fish, not "tcsh"',
            'for example: eval "$(procman completion bash)"',
        ),
        (["quit"], 'unknown command "quit"', 'did you mean "stop"?'),
        (["completion"], "completion takes bash, zsh or fish", 'for example: eval "$(procman completion bash)"'),
        (["export", "systemdd"], 'unknown export format "systemdd"', 'did you mean "systemd"?'),
        (["check", "--color=red"], '--color must be auto, always or never, not "red"', None),
        (["-f", "My File"], "missing command", "for example: procman -f 'My File' start"),
        (["-f"], "option '-f' requires an argument", "see procman start --help"),
        (["--no-pty", "-p"], "option '-p' requires an argument", "see procman start --help"),
        (["-f", "-", "check"], "-: no such file", None),
        (["--verison"], "procman has no option --verison", 'did you mean "--version"?'),
    ],
    ids=str,
)
def test_wrong_usage_gets_one_sentence_and_a_hint(
    place: harness.Place, words: list[str], message: str, hint: str | None
) -> None:
    done = place.call(*words)
    first, *more = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert first.startswith("procman: ")
    assert message in first
    assert len(more) <= 1
    assert hint is None or more == [f"hint: {hint}"]


@pytest.mark.parametrize("word", ["", " ", ","])
@pytest.mark.parametrize("command", ["start", "up", "stop", "restart", "ps", "logs", "check", "wait", "scale"])
def test_an_empty_name_is_not_everything(place: harness.Place, command: str, word: str) -> None:
    place.procfile("web: sleep 1000\n")
    done = place.call(command, "web=1" if command == "scale" else "web", word)
    assert (done.code, done.out) == (2, "")
    assert "an empty string is not the name of a process" in done.err


def test_an_empty_name_is_an_object_with_json(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    done = place.call("stop", "", "--json")
    assert json.loads(done.out)["code"] == done.code == 2


@pytest.mark.parametrize("word", ["--version", "version", "-v", "-V"])
def test_version(place: harness.Place, word: str) -> None:
    assert place.call(word).out == f"procman {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["-f", "Other", "check"],
        ["--procfile=Other", "check"],
        ["-fOther", "-p", "7000", "check", "--json"],
        ["--color=never", "-f", "Other", "run", "one"],
    ],
    ids=str,
)
def test_options_may_stand_before_the_command(place: harness.Place, words: list[str]) -> None:
    place.write("Other", "one: echo found\n")
    done = place.call(*words)
    if words[-2:] == ["run", "one"]:
        assert (done.code, done.err.splitlines()[0]) == (2, "procman: procman run has no option --color")
    else:
        assert done.code == 0
        assert "one" in done.out


def test_an_option_before_the_command_keeps_its_meaning(place: harness.Place) -> None:
    """``-f`` of ``logs`` follows; before the command it names the Procfile, as everywhere."""
    place.write("Other", "one: echo found\n")
    assert "session of " + str(place.folder / "Other") in place.call("-f", "Other", "logs").err


COLORED = "\x1b[1;31mprocman:\x1b[0m "


@pytest.mark.parametrize(
    ("words", "env", "colored"),
    [
        (["check"], {}, False),
        (["check", "--color=always"], {}, True),
        (["check", "--color"], {}, True),
        (["check"], {"FORCE_COLOR": "1"}, True),
        (["check", "--no-color"], {"FORCE_COLOR": "1"}, False),
        (["check"], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
    ids=str,
)
def test_errors_have_colors_where_the_user_wants_them(
    place: harness.Place, words: list[str], env: dict[str, str], colored: bool
) -> None:
    assert place.call(*words, env=env).err.startswith(COLORED if colored else "procman: ")


def test_all_that_was_said_is_there_when_the_process_ends(place: harness.Place) -> None:
    """The output is more than a pipe holds. The process ends itself, but not before everything is written."""
    place.procfile("".join(f"web{number}: echo {'x' * 100}\n" for number in range(2000)))
    shown = json.loads(place.call("check", "-p", "0", "--json").out)
    assert "web1999" in str(shown)


def test_python_m_procman_is_the_same_command(place: harness.Place) -> None:
    python = os.path.join(os.path.dirname(harness.PROCMAN), "python")
    done = subprocess.run([python, "-m", "procman", "strat"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, 'procman: unknown command "strat"')


def test_procman_cli_is_the_same_command(place: harness.Place) -> None:
    done = subprocess.run(
        [harness.PROCMAN + "-cli", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"procman {__version__}\n"


def test_a_bug_of_ours_asks_for_a_report(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.delenv("PROCMAN_DEBUG", raising=False)
    assert safely(fail) == 70
    told = capsys.readouterr().err
    assert told.splitlines()[0] == "procman: this is a bug in procman: ZeroDivisionError: division by zero"
    assert "report" in told
    assert "Traceback" not in told
    monkeypatch.setenv("PROCMAN_DEBUG", "1")
    assert safely(fail) == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert safely(interrupted) == 130
    assert capsys.readouterr() == ("", "")


def test_windows_is_shown_the_way_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["start"]) == UsageError.exit_code
    told = capsys.readouterr().err
    assert "inside WSL" in told
    assert "WSL" in told


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["check"], ["completion", "bash"]], ids=" ".join)
def test_a_reader_that_went_away_is_no_news(place: harness.Place, words: list[str]) -> None:
    place.procfile("web: true\n")
    reader, writer = os.pipe()
    os.close(reader)
    session = place.session(*words, stdout=writer)
    os.close(writer)
    assert session.wait() == 141
    assert session.err == b""


def test_a_full_disk_is_told_in_a_sentence(place: harness.Place) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as full:
        session = place.session("--version", stdout=full.fileno())
    assert session.wait() == 70
    assert session.err == b"procman: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", [None, "1"])
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["check"], ["completion", "bash"]], ids=" ".join)
def test_a_full_disk_is_told_whoever_meets_it(place: harness.Place, words: list[str], unbuffered: str | None) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    place.procfile("web: true\n")
    with open("/dev/full", "wb") as full:
        session = place.session(*words, stdout=full.fileno(), env={"PYTHONUNBUFFERED": unbuffered})
    assert session.wait() == 70
    assert session.err == b"procman: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_standard_descriptors_do_not_matter(place: harness.Place, closed: str) -> None:
    place.procfile("web: true\n")
    session = place.session(
        "-c", f'"{harness.PROCMAN}" check {closed}; "{harness.PROCMAN}" strat {closed}', program="/bin/sh"
    )
    assert session.wait() == 2
    assert b"Traceback" not in session.err
    assert b"bug" not in session.err


def test_names_that_are_no_text_are_shown_escaped(place: harness.Place) -> None:
    done = subprocess.run(
        [harness.PROCMAN.encode(), b"check", b"-f", b"Proc\xfffile"],
        cwd=place.folder,
        env=harness.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"Proc\\udcfffile" in done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_our_own_words_are_ascii_where_stdout_is_not_utf_8(place: harness.Place, env: dict[str, str]) -> None:
    place.procfile("web: true\n")
    done = place.call("check", env=env)
    assert (done.code, done.err) == (0, "")
    assert done.out == "Procfile: ok - 1 process type (web)\n"
    assert place.call("check", "-m", "web=x", env=env).err.startswith(
        'procman: invalid count "x" for "web": it must be 0, 1, 2 ...'
    )


def test_what_others_wrote_is_escaped_where_stdout_is_not_utf_8(place: harness.Place) -> None:
    place.procfile("w\u00e9b: true\n")
    assert '"\\xe9" cannot be' in place.call("check", env={"PYTHONIOENCODING": "ascii"}).out


def test_our_own_words_are_ascii_on_a_terminal_that_is_not_utf_8(place: harness.Place) -> None:
    place.procfile("web: true\n")
    session = place.session("check", env={"LC_ALL": "C"}, pty=True)  # Python itself treats C as UTF-8
    session.wait_for("ok - 1 process type")
    assert session.wait() == 0


def test_a_printed_export_is_utf_8_as_a_written_one(place: harness.Place) -> None:
    place.procfile("web: echo \u2026\n")
    assert "echo \u2026" in place.call("export", "supervisord", "-", env={"PYTHONIOENCODING": "ascii"}).out
