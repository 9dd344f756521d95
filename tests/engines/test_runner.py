"""The runner: commands, streams, time limits, Ctrl-C, and what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from procman.engines.calls import Call, Follow, Interactive, Now, Outcome, Pause, Report, Stop, Together, now, run
from procman.engines.ending_signals import EndedError
from procman.engines.interface import EngineError
from procman.engines.records import LogLine
from procman.engines.runner import Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from procman.engines.calls import Step, Steps

shown: list[object] = []


def perform(step: Step) -> object:
    """Perform a single step."""

    def steps() -> Steps[object]:
        answer: object = yield step
        return answer

    shown.clear()
    return Runner(shown.append).perform(steps())


def shell(script: str, **more: object) -> Call:
    return Call(("/bin/sh", "-c", script), **more)  # type: ignore[arg-type]


def test_a_call_has_its_input_its_output_and_its_code() -> None:
    outcome = perform(shell("cat; echo no >&2; exit 3", stdin=b"x" * 300_000))
    assert outcome == Outcome(3, b"x" * 300_000, b"no\n")


def test_input_that_is_not_wanted_is_not_an_error() -> None:
    assert perform(shell("exit 0", stdin=b"x" * 300_000)) == Outcome(0)


def test_a_signal_has_the_code_of_a_shell() -> None:
    assert perform(shell("kill -9 $$")) == Outcome(128 + 9)


def test_variables_and_the_folder_are_those_of_the_call(tmp_path: object) -> None:
    outcome = perform(shell("echo $A; pwd", env={"A": "b c"}, cwd=str(tmp_path)))
    assert outcome == Outcome(0, f"b c\n{os.path.realpath(str(tmp_path))}\n".encode())


def test_what_takes_too_long_is_killed_with_all_that_it_has_started() -> None:
    outcome = perform(shell("sleep 600 & sleep 600", timeout=0.2, shown="docker service ls"))
    assert isinstance(outcome, Outcome)
    assert outcome.code == 124
    assert outcome.complaint == "docker service ls did not answer within 0.2 s"


def test_calls_together_run_at_the_same_time(tmp_path: object) -> None:
    one, other = f"{tmp_path}/one", f"{tmp_path}/other"
    meet = "mkfifo %s; : > %s"
    os.mkfifo(one)
    os.mkfifo(other)
    outcomes = perform(Together((shell(f": >{one}; cat {other}"), shell(f"cat {one}; echo hi >{other}"))))
    assert outcomes == [Outcome(0, b"hi\n"), Outcome(0)], meet


def test_many_calls_together_are_a_few_at_a_time(tmp_path: Path) -> None:
    # Each one counts those that have begun and not ended, itself included.
    script = f"mkdir {tmp_path}/$$; ls {tmp_path} | wc -l; sleep 0.05; rmdir {tmp_path}/$$"
    outcomes = perform(Together((shell(script),) * 20))
    assert isinstance(outcomes, list)
    assert len(outcomes) == 20
    assert max(int(one.text) for one in outcomes) <= 8, "sshd refuses some of more than 10"


def test_a_missing_command_is_said_in_a_sentence_where_it_was_called() -> None:
    def steps() -> Steps[str]:
        try:
            yield from run(Call(("no-such-engine", "ps")))
        except EngineError as error:
            return error.message
        return ""

    assert Runner(shown.append).perform(steps()) == '"no-such-engine" is not installed, or not on PATH'


def test_an_interrupt_ends_the_command_and_lets_the_work_clean_up() -> None:
    seen = []

    def steps() -> Steps[None]:
        try:
            yield shell(f"trap 'exit 0' TERM; kill -INT {os.getpid()}; sleep 600 & wait")
        except KeyboardInterrupt:
            seen.append((yield from run(shell("echo cleaned"))).text)
            raise

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Runner(shown.append).perform(steps())
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["cleaned\n"]


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_an_impatient_second_signal_does_not_interrupt_the_cleaning_up(name: str) -> None:
    seen = []

    def steps() -> Steps[None]:
        try:
            yield shell(f"kill -{name} {os.getpid()}; sleep 600 & wait")
        except KeyboardInterrupt:
            seen.append((yield from run(shell(f"kill -{name} {os.getpid()}; sleep 0.1; echo cleaned"))).text)
            raise

    with pytest.raises(KeyboardInterrupt):
        Runner(shown.append).perform(steps())
    assert seen == ["cleaned\n"]


def test_a_signal_between_two_steps_lets_the_work_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def steps() -> Steps[None]:
        try:
            yield Pause(0.0)
        finally:
            seen.append((yield from run(shell("echo cleaned"))).text)

    def interrupted(_runner: Runner, _step: Step) -> object:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(Runner, "_perform", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Runner(shown.append).perform(steps())
    assert seen == ["cleaned\n"]


def test_a_long_line_takes_no_longer_for_each_byte_than_a_short_one() -> None:
    def read(call: Call, stream: str, line: bytes) -> Iterator[LogLine]:
        yield LogLine("web.1", line, stream=stream)

    def cost(size: int) -> float:
        began = time.process_time()
        perform(Follow((shell(f"head -c {size} /dev/zero | tr '\\0' x; printf '\\nend'"),), read))
        assert [len(line.line) for line in shown if isinstance(line, LogLine)] == [size, 3]
        return time.process_time() - began

    short, long = 1 << 20, 1 << 25
    assert cost(long) < 8 * long / short * max(0.001, cost(short)), (
        "8 times as much is noise; 64 times is a search again"
    )


def test_a_signal_while_a_command_starts_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = subprocess.Popen

    class Slow(started):  # type: ignore[misc,valid-type]
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            (tmp_path / "pid").write_text(str(self.pid))
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)  # where the handler runs

    monkeypatch.setattr(subprocess, "Popen", Slow)
    for step in (shell("sleep 600"), Follow((shell("sleep 600"),), lambda *_: ()), Interactive(shell("sleep 600"))):
        with pytest.raises(EndedError):
            perform(step)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_signal_ends_the_work_like_ctrl_c_and_cleans_up() -> None:
    seen = []

    def steps() -> Steps[None]:
        try:
            yield shell(f"kill -TERM {os.getpid()}; sleep 600 & wait")
        except KeyboardInterrupt:
            seen.append((yield from run(shell("echo cleaned"))).text)
            raise

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(EndedError) as caught:
        Runner(shown.append).perform(steps())
    assert (caught.value.number, seen) == (signal.SIGTERM, ["cleaned\n"])
    assert signal.getsignal(signal.SIGTERM) == before


def test_lines_are_followed_and_may_name_more_to_follow() -> None:
    def read(call: Call, stream: str, line: bytes) -> Iterator[LogLine | Call]:
        yield LogLine("web.1", line, stream=stream)
        if line == b"more":
            yield shell("printf 'no newline'")

    perform(Follow((shell("echo one; echo two >&2; echo more"),), read))
    assert sorted((line.stream, line.line) for line in shown if isinstance(line, LogLine)) == [
        ("stderr", b"two"),
        ("stdout", b"more"),
        ("stdout", b"no newline"),
        ("stdout", b"one"),
    ]


def test_what_has_ended_may_be_followed_again() -> None:
    more = [shell("echo again")]

    def read(call: Call, stream: str, line: bytes) -> Iterator[LogLine]:
        yield LogLine(" ".join(call.argv), line, stream=stream)

    perform(Follow((shell("echo once; echo no >&2"),), read, lambda _: [more.pop()] if more else []))
    lines = [line.line for line in shown if isinstance(line, LogLine) and line.stream == "stdout"]
    assert lines == [b"once", b"again"]


def test_what_does_not_end_by_itself_is_stopped_after_what_it_has_written() -> None:
    ended: list[Call] = []
    endless = shell("printf 'first\\nsecond\\n'; while :; do sleep 0.05; done")

    def read(call: Call, stream: str, line: bytes) -> Iterator[LogLine | Report | Stop]:
        yield LogLine("web.1", line, stream=stream)
        if line == b"first":
            yield Report("that is enough")
            yield Stop(call)

    def note(call: Call) -> Iterator[Call]:
        ended.append(call)
        yield from ()

    perform(Follow((endless,), read, note))
    assert [line.line for line in shown if isinstance(line, LogLine)] == [b"first", b"second"]
    assert Report("that is enough") in shown
    assert ended == [], "it has not ended by itself"


def test_what_was_said_about_an_end_is_read_before_it() -> None:
    said: list[bytes] = []

    def read(_call: Call, _stream: str, line: bytes) -> Iterator[LogLine]:
        said.append(line)
        yield from ()

    def ended(_call: Call) -> Iterator[Report]:
        yield Report(said[-1].decode())

    perform(Follow((shell("exec >&-; sleep 0.1; echo the reason >&2"),), read, ended))
    assert Report("the reason") in shown


def test_a_terminal_is_passed_on_and_the_code_returned() -> None:
    assert perform(Interactive(Call((sys.executable, "-c", "raise SystemExit(7)")))) == 7


@pytest.mark.parametrize("trap", ["exit 0", ""])
def test_a_signal_ends_what_has_the_terminal(trap: str, tmp_path: Path) -> None:
    script = f"trap '{trap}' TERM; echo $$ >{tmp_path}/pid; kill -TERM {os.getpid()}; while :; do sleep 0.05; done"
    with pytest.raises(EndedError):
        perform(Interactive(shell(script)))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_clock_that_is_set_back_does_not_make_a_limit_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps() -> Steps[float]:
        before = yield from now()
        monkeypatch.setattr("time.time", lambda: before - 3600)
        return (yield from now()) - before

    assert Runner(shown.append).perform(steps()) >= 0


def test_pauses_and_reports() -> None:
    assert perform(Pause(0.0)) is None
    assert isinstance(perform(Now()), float)
    report = Report("pushing")
    assert perform(report) is None
    assert shown == [report]
