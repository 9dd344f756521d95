"""``procman agents``, and the hint of ``start`` for coding agents, on the installed command."""

from __future__ import annotations

import pytest

import harness

HINT = "procman: hint: procman up returns when everything is ready"


def test_it_names_the_process_types_of_the_procfile_here(place: harness.Place) -> None:
    place.procfile("web: true\nworker: true\n")
    done = place.call("agents")
    assert (done.code, done.err) == (0, ""), done
    assert "the Procfile: `web`, `worker`.\n" in done.out
    assert "`procman up --json`" in done.out
    assert "--procfile" not in done.out


def test_it_works_without_a_procfile_and_with_an_invalid_one(place: harness.Place) -> None:
    without = place.call("agents")
    assert (without.code, without.err) == (0, ""), without
    assert "the Procfile.\n" in without.out
    place.procfile("not a line\nweb: true\n")
    invalid = place.call("agents")
    assert (invalid.code, invalid.err) == (0, ""), invalid
    assert "the Procfile: `web`.\n" in invalid.out


def test_a_procfile_that_is_named_is_named_in_the_text(place: harness.Place) -> None:
    place.write("Procfile.dev", "web: true\n")
    done = place.call("agents", "-f", "Procfile.dev")
    assert "Add `--procfile Procfile.dev` to each of these commands." in done.out, done
    missing = place.call("agents", "-f", "Procfile.none")
    assert (missing.code, missing.out) == (2, ""), missing
    assert "Procfile.none: no such file" in missing.err


def test_it_takes_no_names(place: harness.Place) -> None:
    done = place.call("agents", "web")
    assert (done.code, done.out, "agents takes no names" in done.err) == (2, "", True), done


@pytest.mark.parametrize("name", ["AGENT", "CLAUDECODE", "CODEX_THREAD_ID", "CURSOR_AGENT", "GEMINI_CLI"])
def test_start_prints_the_hint_once_for_an_agent(place: harness.Place, name: str) -> None:
    place.procfile("web: echo hello\n")
    done = place.call("start", env={name: "1", "CI": None})
    assert (done.code, done.err.count(HINT), HINT in done.out) == (0, 1, False), done
    assert "hello" in done.out


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("start",), {}),
        (("start",), {"AGENT": ""}),
        (("start",), {"CLAUDECODE": "1", "CI": "true"}),
        (("start",), {"CODEX_HOME": "/elsewhere"}),
        (("start", "--no-control"), {"CLAUDECODE": "1"}),
        (("start", "--detach", "--exit", "all"), {"CLAUDECODE": "1"}),
        (("test", "--", "true"), {"CLAUDECODE": "1"}),
        (("run", "web"), {"CLAUDECODE": "1"}),
    ],
    ids=str,
)
def test_it_prints_none_otherwise(place: harness.Place, words: tuple[str, ...], env: dict[str, str]) -> None:
    place.procfile("web: echo hello\n")
    session = place.session(*words, env={"CI": None, **env})
    session.wait()
    session.wait_until_gone()
    assert b"hint: procman up" not in session.err + session.out, session


def test_it_prints_none_on_a_terminal(place: harness.Place) -> None:
    place.procfile("web: echo hello\n")
    session = place.start(env={"CLAUDECODE": "1", "CI": None}, pty=True)
    session.wait_for("hello")
    session.wait()
    assert "hint: procman up" not in session.text


def test_it_prints_none_in_a_process_of_another_session(place: harness.Place) -> None:
    place.write("inner", "job: echo inside\n")
    place.procfile(f"web: {harness.PROCMAN} start -f inner >inner.log 2>&1; cat inner.log\n")
    done = place.call("start", env={"CLAUDECODE": "1", "CI": None})
    assert (done.code, done.err.count(HINT)) == (0, 1), done
    assert "inside" in done.out
    assert HINT not in done.out


def test_a_start_that_cannot_print_the_hint_runs_all_the_same(place: harness.Place) -> None:
    place.procfile("web: echo hello\n")
    env = {"CLAUDECODE": "1", "CI": None}
    session = place.session("-c", f"{harness.PROCMAN} start 2>/dev/full", env=env, program="/bin/sh")
    assert session.wait() == 0, session
    assert "hello" in session.text
