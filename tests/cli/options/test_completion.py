"""Completion, through the variables that the scripts of the shells set, and in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

import harness

SHELLS = ("bash", "zsh", "fish")


def completed(place: harness.Place, *words: str, env: dict[str, str] | None = None) -> list[str]:
    """Return the completions of the last word, in the form for bash: ``plain,web``."""
    variables = {"_PROCMAN_COMPLETE": "bash_complete", "COMP_CWORD": str(len(words) - 1)}
    env = {**variables, "COMP_WORDS": " ".join(words), **(env or {})}
    if words[-1] == "":
        env["COMP_WORDS"] = " ".join(words[:-1]) + " "
    done = place.call(env=env)
    assert done.code == 0, done
    return [line.partition(",")[2] or line for line in done.out.splitlines()]


@pytest.fixture
def bakery(place: harness.Place) -> harness.Place:
    place.procfile("web: true\nworker: true\nclock: true\n")
    place.write("Procfile.dev", "css: true\n")
    place.write("app/Procfile", "api: true\n")
    return place


def test_commands(bakery: harness.Place) -> None:
    assert set(completed(bakery, "procman", "")) >= {"start", "run", "check", "completion"}
    assert completed(bakery, "procman", "sta") == ["start"]


def test_process_names_of_the_procfile_at_hand(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "start", "") == ["web", "worker", "clock"]
    assert completed(bakery, "procman", "start", "web", "w") == ["web", "worker"]
    assert completed(bakery, "procman", "check", "c") == ["clock"]
    assert completed(bakery, "procman", "run", "wo") == ["worker"]
    for other in ("up", "down", "status", "env"):
        assert completed(bakery, "procman", other, "w") == ["web", "worker"]


def test_process_names_of_another_procfile(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "start", "-f", "Procfile.dev", "") == ["css"]
    assert completed(bakery, "procman", "start", "-d", "app", "") == ["api"]
    bakery.write("procman.toml", "procfile = 'Procfile.dev'\n")
    assert completed(bakery, "procman", "start", "") == ["css"]


def test_lists_of_names(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "start", "-x", "w") == ["web", "worker"]
    assert completed(bakery, "procman", "start", "-q", "web,") == ["web,worker", "web,clock", "web,system"]


def test_groups_are_names_too(bakery: harness.Place) -> None:
    bakery.write("procman.toml", '[process.web]\ngroups = ["wide"]\n')
    assert completed(bakery, "procman", "start", "w") == ["web", "worker", "wide"]
    assert completed(bakery, "procman", "restart", "wi") == ["wide"]
    assert completed(bakery, "procman", "start", "-x", "wi") == ["wide"]
    assert "wide" not in completed(bakery, "procman", "run", "w")
    assert "wide" not in completed(bakery, "procman", "start", "-m", "w")
    assert completed(bakery, "procman", "start", "--primary", "w") == ["web", "worker"]


def test_choices_and_flags(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "start", "--exit", "a") == ["all", "any"]
    assert completed(bakery, "procman", "completion", "z") == ["zsh"]
    assert "--formation" in completed(bakery, "procman", "start", "--form")


def test_the_words_of_a_command_are_files(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "run", "web", "Proc") == ["Proc"]


@pytest.mark.parametrize("broken", ["Procfile", "procman.toml"])
def test_a_broken_file_completes_nothing_and_says_nothing(bakery: harness.Place, broken: str) -> None:
    bakery.write(broken, b"\xff= =\n")
    done = bakery.call(env={"_PROCMAN_COMPLETE": "bash_complete", "COMP_WORDS": "procman start ", "COMP_CWORD": "2"})
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_its_shell_takes(bakery: harness.Place, shell: str) -> None:
    done = bakery.call("completion", shell)
    assert (done.code, done.err) == (0, "")
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([shell, "-n"], input=done.out, text=True, timeout=60, check=True)


def test_a_broken_config_does_not_break_the_start_of_a_shell(bakery: harness.Place) -> None:
    bakery.write("procman.toml", "= =\n")
    assert bakery.call("completion", "bash").code == 0


ASK = {
    "bash": 'eval "$(procman completion bash)"; COMP_WORDS=(procman start w); COMP_CWORD=2; '
    "$(complete -p procman | sed 's/.*-F \\([^ ]*\\) .*/\\1/') procman; printf '%s\\n' \"${COMPREPLY[@]}\"",
    "fish": "procman completion fish | source; complete -C 'procman start w'",
}


@pytest.mark.parametrize("shell", ASK)
def test_the_shell_itself_completes_a_process_name(bakery: harness.Place, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    path = f"{os.path.dirname(harness.PROCMAN)}:{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", ASK[shell]],
        cwd=bakery.folder,
        env=harness.environment({"PATH": path, "HOME": str(bakery.folder)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [line.split("\t")[0] for line in done.stdout.split("\n") if line] == ["web", "worker"], done.stderr


OPTIONS_OF_SESSIONS = [
    "logs -f",
    "logs -n 5",
    "logs --since 5m",
    "ps -w",
    "ps --json",
    "restart --rolling",
    "wait -t 3",
]


@pytest.mark.parametrize("words", [*OPTIONS_OF_SESSIONS, "stop --no-wait", "signal --json USR1", "scale --no-wait"])
def test_names_behind_every_option_of_a_command(bakery: harness.Place, words: str) -> None:
    assert [name.rstrip("=") for name in completed(bakery, "procman", *words.split(), "c")] == ["clock"]


def test_a_running_session_offers_its_instances(bakery: harness.Place) -> None:
    bakery.procfile("shop: sleep 600\nmill: sleep 600\n")
    session = bakery.start("-m", "shop=2,mill=1")
    session.wait_for("mill.1 started")
    assert completed(bakery, "procman", "restart", "shop.") == ["shop.1", "shop.2"]
    assert completed(bakery, "procman", "logs", "-f", "") == ["shop", "mill", "shop.1", "shop.2", "mill.1", "system"]
    assert completed(bakery, "procman", "signal", "USR1", "m") == ["mill", "mill.1"]
    assert completed(bakery, "procman", "start", "s") == ["shop"]


def test_destinations(bakery: harness.Place) -> None:
    bakery.write("procman.toml", '[on.staging]\nengine = "compose"\n[on.production]\nengine = "swarm"\n')
    assert completed(bakery, "procman", "deploy", "--on", "") == ["staging", "production"]
    assert completed(bakery, "procman", "ps", "--on", "p") == ["production"]
    assert completed(bakery, "procman", "logs", "--on", "staging", "w") == ["web", "worker"]
    assert completed(bakery, "procman", "deploy", "-d", "app", "--on", "") == [""]
    bakery.write("procman.toml", "[on.staging\n")
    assert completed(bakery, "procman", "ps", "--on", "") == [""]


def test_a_destination_does_not_offer_the_instances_of_the_session_here(bakery: harness.Place) -> None:
    bakery.procfile("web: sleep 600\nworker: sleep 600\n")
    bakery.write("procman.toml", '[on.staging]\nengine = "compose"\n')
    session = bakery.start()
    session.wait_for("worker.1 started")
    assert "worker.1" in completed(bakery, "procman", "logs", "w")
    assert completed(bakery, "procman", "logs", "--on", "staging", "w") == ["web", "worker"]
    assert completed(bakery, "procman", "logs", "w", env={"PROCMAN_ON": "staging"}) == ["web", "worker"]


def test_signals(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "signal", "us") == ["USR1", "USR2"]
    assert completed(bakery, "procman", "signal", "SIGHU") == ["SIGHUP"]


def test_formations(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "start", "-m", "") == ["web=", "worker=", "clock=", "all="]
    assert completed(bakery, "procman", "start", "-m", "web", "=", "2,w") == ["2,worker="], (
        "bash keeps what is before ="
    )


def test_programs_of_a_command(bakery: harness.Place) -> None:
    bakery.write("bin/clockwork", "#!/bin/sh\n", 0o700)
    bakery.write("bin/clocklist", "plain text\n")
    env = {"PATH": f"{bakery.folder}/bin:{os.environ['PATH']}"}
    assert completed(bakery, "procman", "run", "--", "clock", env=env) == ["clockwork"]
    assert completed(bakery, "procman", "test", "--", "clockw", env=env) == ["clockwork"]
    assert completed(bakery, "procman", "run", "clock", env=env) == ["clock", "clockwork"]


def test_options_before_the_command(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "-f", "Procfile.dev", "start", "") == ["css"]
    assert completed(bakery, "procman", "-d", "app", "restart", "") == ["api"]


def test_an_option_before_the_command_and_its_value(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "-f", "Proc") == ["Proc"]
    assert completed(bakery, "procman", "--exit", "a") == ["all", "any"]
    assert completed(bakery, "procman", "--exit", "=", "a") == ["all", "any"]
    assert completed(bakery, "procman", "-f", "Procfile.dev", "-m", "") == ["css=", "all="]
    assert completed(bakery, "procman", "-d", "app", "--only", "a") == ["api"]
    assert completed(bakery, "procman", "--no-color", "sta") == ["start"]
    assert completed(bakery, "procman", "-f", "Procfile.dev", "sta") == ["start"]


def test_every_option_before_the_command(bakery: harness.Place) -> None:
    offered = completed(bakery, "procman", "-")
    assert {"-f", "--procfile", "--rolling", "--follow", "--version", "--help"} <= set(offered)
    assert len(offered) == len(set(offered))


def test_the_values_of_a_switch(bakery: harness.Place) -> None:
    assert completed(bakery, "procman", "start", "--color", "=", "a") == ["auto", "always"]
    assert completed(bakery, "procman", "ps", "--color", "=") == ["auto", "always", "never"]
    assert completed(bakery, "procman", "--color", "=", "n") == ["never"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_value_behind_its_equals_sign_in_a_shell_that_keeps_words(bakery: harness.Place, shell: str) -> None:
    for words, whole in (
        ("start --exit=f", "--exit=failure"),
        ("--color=al", "--color=always"),
        ("start --procfile=Procfile.", "--procfile=Procfile.dev"),
        ("--procfile=app/", "--procfile=app/Procfile"),
        ("--root=a", "--root=app/"),
    ):
        last = words.split()[-1] if shell == "fish" else str(len(words.split()))
        env = {"_PROCMAN_COMPLETE": f"{shell}_complete", "COMP_WORDS": f"procman {words}", "COMP_CWORD": last}
        assert whole in bakery.call(env=env).out.replace(",", "\n").split("\n")


@pytest.mark.parametrize("words", ["start --nonsense ", "restart ", "-f /nowhere start ", "-x ", "no such "])
@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_but_completions_is_printed(bakery: harness.Place, shell: str, words: str) -> None:
    bakery.write("procman.toml", "unknown = 1\n")
    env = {"_PROCMAN_COMPLETE": f"{shell}_complete", "COMP_WORDS": f"procman {words}", "COMP_CWORD": "x"}
    done = bakery.call(env=env)
    assert (done.code, done.err) == (0, "")


def test_a_file_that_blocks_does_not_block_the_line(bakery: harness.Place) -> None:
    os.mkfifo(bakery.folder / "Pipe")
    assert completed(bakery, "procman", "start", "-f", "Pipe", "") == []
