"""The commands work in the folders below the Procfile, too."""

from __future__ import annotations

import json

import harness


def below(place: harness.Place) -> str:
    (place.folder / "below").mkdir()
    place.procfile("web: echo in $PWD; sleep 1000\n")
    place.write(".env", "COLOR=blue\n")
    place.write("procman.toml", "port = 7000\n[process.web]\nenv = { SHAPE = 'round' }\n")
    return str(place.folder / "below")


def call(place: harness.Place, *words: str) -> harness.Finished:
    from pathlib import Path

    return harness.call(*words, cwd=Path(place.folder / "below"))


def test_start_and_all_that_talk_to_the_session(place: harness.Place) -> None:
    folder = below(place)
    session = harness.Session("start", "--no-timestamp", cwd=place.folder / "below")
    try:
        session.wait_for(f"in {place.folder}$")
        listed = call(place, "ps")
        assert "web.1" in listed.out
        assert listed.err == f"procman: using {place.folder}/Procfile\n"
        assert "web.1" in place.call("ps").out
        assert call(place, "restart", "web").code == 0
        assert call(place, "logs").err.count("using") == 1
        assert call(place, "stop").code == 0
        assert session.wait() == 0
        assert session.err.decode() == f"procman: using {place.folder}/Procfile\n"
    finally:
        session.kill()
    assert folder.endswith("below")


def test_run_has_the_environment_of_the_project_and_stays_in_its_folder(place: harness.Place) -> None:
    folder = below(place)
    done = call(place, "run", "--", "sh", "-c", "echo $COLOR in $PWD, $(pwd)")
    assert (done.code, done.out) == (0, f"blue in {folder}, {folder}\n")
    assert done.err == f"procman: using {place.folder}/Procfile\n"


def test_check_uses_the_config_files_there(place: harness.Place) -> None:
    below(place)
    report = json.loads(call(place, "check", "--json").out)
    assert [(one["name"], one["port"]) for one in report["instances"]] == [("web.1", 7000)]
    assert list(report["env"]) == ["COLOR"]


def test_a_named_procfile_is_not_looked_for(place: harness.Place) -> None:
    below(place)
    assert call(place, "check", "-f", "Procfile").code == 2
