"""``procman env``: what a process gets from procman, as lines, for a shell, or as JSON."""

from __future__ import annotations

import json
import subprocess

import pytest

import harness


def lines(finished: harness.Finished) -> list[str]:
    assert finished.code == 0, finished
    return finished.out.splitlines()


def test_without_a_name_it_prints_what_all_have_in_common(place: harness.Place) -> None:
    place.write("bakery/Procfile", "web: sleep 1000\ndb: sleep 1000\n")
    place.write("bakery/.env", "GREETING='good morning'\nHOME_TOWN=Ulm\n")
    bakery = harness.Place(place.folder / "bakery")
    assert lines(bakery.call("env", "-p", "7000", env={"HOME_TOWN": "Ulm", "PYTHONUNBUFFERED": "1"})) == [
        "GREETING=good morning",  # HOME_TOWN is in the caller's environment already
        "PROCMAN_CHECKOUT=bakery",
        "PROCMAN_DB_PORT=7100",
        "PROCMAN_WEB_PORT=7000",
        "PROCMAN_DB_URL=http://localhost:7100",
        "PROCMAN_WEB_URL=http://localhost:7000",
    ]


def test_with_a_name_it_prints_what_that_one_gets(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\ndb: sleep 1000\n")
    place.write("procman.toml", "[process.db.env]\nLEVEL = 'high'\n")
    record = json.loads(place.call("env", "db", "--json", "-p", "7000").out)
    assert (record["PORT"], record["PS"], record["LEVEL"]) == ("7100", "db.1", "high")
    assert "LEVEL" not in json.loads(place.call("env", "web.1", "--json").out)
    assert "PROCMAN_SESSION" not in record
    wrong = place.call("env", "bd")
    assert wrong.code == 2
    assert ['Procfile has no process "bd"' in wrong.err, 'did you mean "db"?' in wrong.err] == [True, True]


def test_a_shell_reads_the_exports(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    place.write(".env", """QUOTED="it's $5"\n""")
    exports = place.call("env", "--export").out
    script = f'{exports}\nprintf "%s %s" "$QUOTED" "$PROCMAN_WEB_URL"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "it's $5 http://localhost:5000"


def test_a_shell_gets_every_value_byte_for_byte(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    place.write(".env", "ROW='a\tb\033[2J'\nSOFT='x\u00ady'\n")
    exports = place.call("env", "--export").out
    done = subprocess.run(["sh", "-c", f'{exports}\nprintf %s "$ROW$SOFT"'], capture_output=True, text=True, check=True)
    assert done.stdout == "a\tb\033[2Jx\u00ady"
    assert "ROW=a\tb\033[2J" in lines(place.call("env"))


@pytest.mark.parametrize("name", ["", "web"])
def test_the_folder_of_the_processes_is_not_that_of_the_reader(place: harness.Place, name: str) -> None:
    place.procfile("web: sleep 1000\n")
    below = place.folder / "below"
    below.mkdir()
    printed = lines(harness.call("env", "-d", "..", *filter(None, [name]), cwd=below, env={"PWD": str(below)}))
    assert "PROCMAN_WEB_PORT=5000" in printed
    assert not [line for line in printed if line.startswith("PWD=")]


def test_a_name_that_is_none_to_a_shell_is_left_out_of_the_exports(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    place.write(".env", '$(touch${IFS}made)=1\nX;touch${IFS}made=1\nFOO-BAR=1\n"=1\n1ST=1\nGOOD=1\n')
    exports = place.call("env", "--export")
    script = f'{exports.out}\nprintf "%s %s" "$GOOD" "$PROCMAN_WEB_PORT"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, cwd=place.folder)
    assert (done.stdout, done.stderr) == ("1 5000", "")
    assert not (place.folder / "made").exists()
    assert "FOO-BAR" in exports.err
    assert "FOO-BAR=1" in lines(place.call("env"))


def test_a_running_session_decides_the_ports(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    session = place.start("-p", "7300")
    session.wait_for("hello")
    record = json.loads(place.call("env", "web", "--json").out)
    assert (record["PORT"], record["PROCMAN_WEB_URL"]) == ("7300", "http://localhost:7300")
    assert record["PROCMAN_SESSION"] == json.loads(place.call("ps", "--json").out)["session"]


@pytest.mark.parametrize("words", [("--json", "--export"), ("web", "db")], ids=" ".join)
def test_what_contradicts_itself_is_refused(place: harness.Place, words: tuple[str, ...]) -> None:
    place.procfile("web: sleep 1000\ndb: sleep 1000\n")
    assert place.call("env", *words).code == 2


def test_an_address_is_in_no_export(place: harness.Place) -> None:
    place.procfile("web: sleep 1000\n")
    done = place.call("export", "systemd", "-o", "-", "-a", "bakery", "-u", "ada")
    assert (done.code, "PROCMAN_WEB_PORT" in done.out, "PROCMAN_WEB_URL" in done.out) == (0, True, False)
