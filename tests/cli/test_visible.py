"""Control characters from files, folder names and command lines are made visible in all messages."""

from __future__ import annotations

import json
import os

import pytest

import harness

EVIL = "\x1b]0;PWNED\x07\x1b[2J\x9b2J\u202e\r\b\x7fx"
IN_TOML = "".join(char if char.isascii() and char.isprintable() else f"\\u{ord(char):04x}" for char in EVIL)
SEEN = "\\x1b]0;PWNED\\x07\\x1b[2J\\x9b2J\\u202e\\r\\x08\\x7fx"


def tame(done: harness.Finished) -> str:
    """Return all output, after a check that it has nothing that a terminal would act on."""
    said = done.out + done.err
    assert [char for char in said if not (char.isprintable() or char == "\n")] == []
    return said


FILES = {
    "PORT": (".env", f"PORT={EVIL}\n"),
    "a key": ("procman.toml", f'"{IN_TOML}" = 1\n'),
    "formation": ("procman.toml", f'formation = "web={IN_TOML}"\n'),
    "type of a formation": ("procman.toml", f'formation = {{"{IN_TOML}" = 1}}\n'),
    "port": ("procman.toml", f'port = "{IN_TOML}"\n'),
    "timestamps": ("procman.toml", f'timestamps = "{IN_TOML}"\n'),
    "exit": ("procman.toml", f'exit = "{IN_TOML}"\n'),
    "prefix": ("procman.toml", f'prefix = "{IN_TOML}{{name}}"\n'),
    "depends_on": ("procman.toml", f'[process.web]\ndepends_on = ["{IN_TOML}"]\n'),
    "stop_signal": ("procman.toml", f'[process.web]\nstop_signal = "{IN_TOML}"\n'),
    "color": ("procman.toml", f'[process.web]\ncolor = "{IN_TOML}"\n'),
    "cwd": ("procman.toml", f'[process.web]\ncwd = "{IN_TOML}"\n'),
    "groups": ("procman.toml", f'[process.web]\ngroups = ["{IN_TOML}"]\n'),
    "a key of a process": ("procman.toml", f'[process.web]\n"{IN_TOML}" = 1\n'),
    "a process": ("procman.toml", f'[process."{IN_TOML}"]\ncolor = "red"\n'),
    "no TOML": ("procman.toml", f"{EVIL} = \n"),
    "procfile of foreman": (".foreman", f"procfile: {EVIL}\n".replace("\r", "")),
}


@pytest.mark.parametrize("command", ["check", "start"])
@pytest.mark.parametrize("where", FILES)
def test_what_a_file_holds_is_quoted_so_that_it_can_be_seen(place: harness.Place, where: str, command: str) -> None:
    place.procfile("web: true\n")
    place.write(*FILES[where])
    done = place.call(command, *(["--restart", "never"] if command == "start" else []))
    said = tame(done)
    assert done.code in (1, 2), done
    assert "PWNED" in said or where in ("no TOML", "PORT")  # no text of an env file is shown


@pytest.mark.parametrize(
    "words",
    [
        [EVIL],
        ["start", f"--{EVIL}"],
        ["start", "--port", EVIL],
        ["start", "--prefix", EVIL],
        ["start", "--timestamps", f"%H{EVIL}"],
        ["start", "--exit", EVIL],
        ["start", "-m", EVIL],
        ["start", EVIL],
        ["check", EVIL],
        ["run", EVIL],
        ["completion", EVIL],
        ["export", EVIL, "-"],
        ["stop", "-f", EVIL],
        ["check", "-f", EVIL],
        ["check", "-e", EVIL],
    ],
    ids=lambda words: " ".join(words).replace(EVIL, "EVIL"),
)
def test_so_is_what_a_command_line_holds(place: harness.Place, words: list[str]) -> None:
    place.procfile("web: true\n")
    done = place.call(*words)
    assert done.code in (1, 2, 127), done
    assert SEEN in tame(done)


@pytest.mark.parametrize("name", ["PORT", "PROCMAN_EXIT", "PROCMAN_PREFIX", "PROCMAN_TIMESTAMPS", "PROCMAN_PORT"])
def test_so_is_a_variable(place: harness.Place, name: str) -> None:
    place.procfile("web: true\n")
    done = place.call("start", env={name: f"%{EVIL}"})
    assert done.code == 2, done
    assert f"%{SEEN}" in tame(done)


def test_so_is_what_check_shows(place: harness.Place) -> None:
    place.procfile("web: true\n")
    place.write("procman.toml", f'log_dir = "{IN_TOML}"\n')
    assert SEEN in tame(place.call("check", "--show-config"))
    place.write(".env", f'A="{EVIL}"\n')
    assert SEEN in tame(place.call("check", "--show-values", env={"A": None}))


def test_so_is_the_name_of_a_folder(place: harness.Place) -> None:
    place.write(f"{EVIL}/Procfile", "web: sleep 1000\n")
    there = harness.Place(place.folder / EVIL)
    nobody = there.call("stop")
    assert f"{SEEN}/Procfile is running" in tame(nobody)
    session = there.start("--no-status")
    session.wait_for("web.1")
    assert f"{SEEN}/Procfile is already running" in tame(there.call("start"))
    place.procfile("web: true\n")
    elsewhere = tame(place.call("ps"))
    assert "hint: running sessions: " in elsewhere
    assert f"{place.folder}/{SEEN}/Procfile" in elsewhere
    there.clear()


def test_a_prefix_that_speaks_to_the_terminal_is_refused_where_it_was_given(place: harness.Place) -> None:
    place.procfile("web: true\n")
    place.write("procman.toml", 'prefix = "\\u001b[1m{name} "\n')
    assert place.call("start").err.splitlines() == [
        'procman: procman.toml:1: prefix must be a template without control characters, not "\\x1b[1m{name} "'
    ]


def test_a_line_of_theirs_is_no_line_of_ours(place: harness.Place) -> None:
    place.procfile("web: true\n")
    done = place.call("start", "--port", "1\nhint: all is well")
    assert done.err.splitlines() == [
        'procman: --port must be a port from 1 to 65535, or 0 for none, not "1\\nhint: all is well"'
    ]
    place.write(".env", 'A="1\nProcfile: ok"\n')
    place.write("procman.toml", 'log_dir = "a\\nb"\n')
    assert "a\\nb" in place.call("check", "--show-config").out
    assert "1\\nProcfile: ok" in place.call("check", "--show-values", env={"A": None}).out


@pytest.mark.parametrize("word", ["größer", "日本　語", "می‌خواهم", "👩‍💻", "🏳️‍🌈", "1 000"])
def test_text_of_any_language_is_shown_as_it_is(place: harness.Place, word: str) -> None:
    assert f'unknown command "{word}"' in place.call(word).err


def test_bytes_that_are_no_text_crash_nothing(place: harness.Place) -> None:
    assert "\\udcff" in tame(place.call(os.fsdecode(b"a\xff\x9b")))


def test_json_is_as_it_was(place: harness.Place) -> None:
    place.procfile("web: true\n")
    place.write("procman.toml", f'log_dir = "{IN_TOML}"\n')
    report = json.loads(place.call("check", "--json", "--show-config").out)
    assert report["config"]["log_dir"]["value"].endswith(EVIL)
    assert json.loads(place.call("ps", "--json", "-f", EVIL).out)["error"].count(EVIL) == 1
