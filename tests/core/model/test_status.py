"""Signals by name and number, and how an end is described."""

from __future__ import annotations

import signal

import pytest

from procman.core.model.status import HIGHEST_SIGNAL, ExitStatus, signal_name, signal_number


@pytest.mark.parametrize("known", list(signal.Signals), ids=lambda known: known.name)
def test_every_signal_of_this_system_has_its_name_and_number(known: signal.Signals) -> None:
    assert signal_name(known) == known.name
    assert signal_number(known.name) == known
    assert signal_number(known.name.removeprefix("SIG").lower()) == known
    assert signal_number(str(int(known))) == known


@pytest.mark.parametrize("name", [name for name in signal.Signals.__members__ if name.startswith("SIG")])
def test_a_second_name_of_a_signal_means_the_same_number(name: str) -> None:
    assert signal_number(name) == signal.Signals[name]


@pytest.mark.parametrize(
    "name", ["", "SIG", "FOO", "SIGSIGINT", "0", "65", "-1", "1.0", "²", "9" * 5000, "_UNBLOCK", "0015"]
)
def test_other_names_have_no_number(name: str) -> None:
    assert signal_number(name) is None


def test_a_signal_without_a_name_is_described_by_its_number() -> None:
    assert signal_name(42) == "signal 42"
    assert signal_number("42") == 42
    assert signal_name(HIGHEST_SIGNAL + 1) == "signal 65"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ExitStatus(code=3), "exited with code 3"),
        (ExitStatus(code=127), "exited with code 127 (command not found)"),
        (ExitStatus(code=137), "exited with code 137 (SIGKILL, perhaps out of memory)"),
        (ExitStatus(signal=11), "killed by SIGSEGV (segmentation fault)"),
        (ExitStatus(signal=15), "killed by SIGTERM"),
        (ExitStatus(code=170), "exited with code 170"),
        (ExitStatus(code=0), "exited with code 0"),
        (ExitStatus(code=126), "exited with code 126 (cannot be executed)"),
        (ExitStatus(code=125), "exited with code 125"),
        (ExitStatus(code=128), "exited with code 128"),
        (ExitStatus(code=129), "exited with code 129 (SIGHUP)"),
        (ExitStatus(code=193), "exited with code 193"),
        (ExitStatus(code=255), "exited with code 255"),
        (ExitStatus(signal=9), "killed by SIGKILL (perhaps out of memory)"),
        (ExitStatus(signal=42), "killed by signal 42"),
        (ExitStatus(), "killed by signal 0"),
    ],
)
def test_an_end_is_described(status: ExitStatus, words: str) -> None:
    assert status.words() == words


@pytest.mark.parametrize(("code", "words"), [(137, "exited with code 137"), (127, "exited with code 127")])
def test_no_reason_is_guessed_for_what_procman_has_done(code: int, words: str) -> None:
    assert ExitStatus(code=code).words(asked=True).startswith(words)
    assert "SIG" not in ExitStatus(code=code).words(asked=True)
    assert ExitStatus(signal=9).words(asked=True) == "killed by SIGKILL"


@pytest.mark.parametrize(
    ("status", "code", "ok"),
    [
        (ExitStatus(code=0), 0, True),
        (ExitStatus(code=1), 1, False),
        (ExitStatus(signal=15), 143, False),
        (ExitStatus(), 128, False),
    ],
)
def test_a_status_is_that_of_a_shell(status: ExitStatus, code: int, ok: bool) -> None:
    assert (status.shell_code, status.ok) == (code, ok)


def test_equal_ends_are_equal() -> None:
    assert ExitStatus(code=3) == ExitStatus(code=3)
    assert len({ExitStatus(code=3), ExitStatus(code=3), ExitStatus(signal=3)}) == 2
    assert ExitStatus(signal=3) not in (ExitStatus(signal=4), ExitStatus(code=3), (None, 3))
    assert repr(ExitStatus(signal=9)) == "ExitStatus(killed by SIGKILL)"
