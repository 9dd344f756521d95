"""What children get from the environment that procman runs in."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness

NOT_UTF_8 = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}  # there Python's encoding is ASCII


@pytest.mark.parametrize("locale", [NOT_UTF_8, {"LC_ALL": "C"}, {"LC_ALL": None, "LANG": None}])
def test_commands_and_values_are_utf_8_in_every_locale(place: harness.Place, locale: dict[str, str | None]) -> None:
    place.procfile("web: echo é-日本; printenv GREETING\n")
    place.write(".env", "GREETING=grüße\n")
    session = place.start("--no-timestamp", env=locale)
    session.wait()
    lines = [line.partition("| ")[2] for line in session.text.splitlines() if line.startswith("web.1")]
    assert lines == ["é-日本", "grüße"]
    assert place.call("run", "printenv", "GREETING", env=locale).out == "grüße\n"


@pytest.mark.skipif(sys.platform != "linux", reason="without /proc it cannot be told from a choice of the user")
@pytest.mark.parametrize("chosen", [None, "C", "C.UTF-8"])
def test_children_have_the_locale_of_the_user_not_that_of_python(place: harness.Place, chosen: str | None) -> None:
    place.procfile("web: true\n")
    done = place.call("run", "printenv", "LC_CTYPE", env={"LC_ALL": None, "LANG": None, "LC_CTYPE": chosen})
    assert done.out == (f"{chosen}\n" if chosen else "")


def test_the_size_of_the_users_terminal_is_not_that_of_a_child(place: harness.Place) -> None:
    place.procfile("web: echo size=${COLUMNS-none},${LINES-none}\n")
    sizes = {"COLUMNS": "80", "LINES": "24"}
    session = place.start("--pty", env=sizes)
    session.wait()
    assert "size=none,none" in session.text
    session = place.start("--no-pty", env=sizes)
    session.wait()
    assert "size=80,24" in session.text


@pytest.mark.parametrize("module", ["re", "tomllib", "click", "json"])
def test_python_m_procman_runs_no_module_of_the_current_folder(place: harness.Place, module: str) -> None:
    place.procfile("web: true\n")
    place.write("procman.toml", "port = 7000\n")
    place.write(f"{module}.py", "open('hijacked', 'w')\n")
    words = [sys.executable, "-m", "procman", "check", "--json"]
    done = subprocess.run(
        words, cwd=place.folder, env=harness.environment(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (
        subprocess.run(
            [*words[:3], "start", "--help"],
            cwd=place.folder,
            env=harness.environment(),
            timeout=60,
            check=False,
            stdout=subprocess.DEVNULL,
        ).returncode
        == 0
    )
    assert not (place.folder / "hijacked").exists()
