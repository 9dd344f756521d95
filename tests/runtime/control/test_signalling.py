"""Signals from clients: to the program behind a shell, or to the whole process group; pausing and resuming."""

from __future__ import annotations

import signal

import pytest

from procman.runtime.control import signalling
from procman.runtime.control.verbs import MAX_MESSAGE_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.control.rig import World

LEADER, PROGRAM, OTHER = 101, 201, 202


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Records each signal instead of sending it."""
    calls: list[tuple[str, int, int]] = []
    monkeypatch.setattr(signalling, "send", lambda pid, number: calls.append(("process", pid, number)))
    monkeypatch.setattr(signalling, "send_group", lambda pid, number: calls.append(("group", pid, number)))
    return calls


class Shell:
    """A leader that is a shell, what it runs, and which processes handle signals."""

    def __init__(self) -> None:
        self.children = {LEADER: [PROGRAM, OTHER]}
        self.shells = {LEADER}
        self.handling: set[int] = set()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    monkeypatch.setattr(signalling, "is_shell", lambda pid: pid in shell.shells)
    monkeypatch.setattr(signalling, "living_children", lambda pid: shell.children.get(pid, []))
    monkeypatch.setattr(signalling, "handles", lambda pid, _number: pid in shell.handling)
    return shell


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT])
def test_a_signal_that_ends_or_stops_goes_to_the_whole_group(
    sent: list[tuple[str, int, int]], shell: Shell, number: int
) -> None:
    signalling.send_to_program(LEADER, number)
    assert sent == [("group", LEADER, number)]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH])
def test_any_other_signal_goes_past_the_shell(sent: list[tuple[str, int, int]], shell: Shell, number: int) -> None:
    signalling.send_to_program(LEADER, number)
    assert sent == [("process", PROGRAM, number), ("process", OTHER, number)]


def test_a_shell_without_children_gets_it_itself(sent: list[tuple[str, int, int]], shell: Shell) -> None:
    shell.children.clear()
    signalling.send_to_program(LEADER, signal.SIGUSR1)
    assert sent == [("process", LEADER, signal.SIGUSR1)]


def test_a_program_without_a_shell_gets_it_itself(sent: list[tuple[str, int, int]], shell: Shell) -> None:
    signalling.send_to_program(LEADER + 1, signal.SIGUSR1)
    assert sent == [("process", LEADER + 1, signal.SIGUSR1)]


def test_a_shell_that_catches_the_signal_is_the_program(sent: list[tuple[str, int, int]], shell: Shell) -> None:
    shell.handling = {LEADER}
    assert signalling.send_to_program(LEADER, signal.SIGUSR1) == [LEADER]
    assert sent == [("process", LEADER, signal.SIGUSR1)]


def test_in_a_pipeline_it_is_for_the_one_that_handles_it(sent: list[tuple[str, int, int]], shell: Shell) -> None:
    shell.handling = {OTHER}
    assert signalling.send_to_program(LEADER, signal.SIGUSR1) == [OTHER]
    assert sent == [("process", OTHER, signal.SIGUSR1)]


def test_a_shell_in_a_shell_is_looked_behind(sent: list[tuple[str, int, int]], shell: Shell) -> None:
    shell.children = {LEADER: [PROGRAM], PROGRAM: [OTHER]}
    shell.shells.add(PROGRAM)
    assert signalling.send_to_program(LEADER, signal.SIGUSR1) == [OTHER]


def test_signal_names_every_instance_that_got_it(world: World, sent: list[tuple[str, int, int]]) -> None:
    client = world.request("signal", "web", text="hup")
    pids = [world[name].pid for name in ("web.1", "web.2")]
    assert [pid for _, pid, _ in sent] == pids
    assert client.said == [f"SIGHUP sent to web.{number} (pid {pid})" for number, pid in enumerate(pids, 1)]
    assert client.answer == {"done": True, "code": 0}


@pytest.mark.parametrize("text", ["STOP", "CONT", "USR1"])
@pytest.mark.parametrize("paused", [False, True])
def test_stop_and_cont_pause_and_resume_whoever_sends_them(
    world: World, sent: list[tuple[str, int, int]], text: str, paused: bool
) -> None:
    if paused:
        world.request("pause", "web.1")
    world.request("signal", "web.1", text=text)
    assert world.supervisor.is_paused(world["web.1"]) is {"STOP": True, "CONT": False, "USR1": paused}[text]


def test_a_signal_for_several_programs_names_them_all(
    world: World, sent: list[tuple[str, int, int]], shell: Shell
) -> None:
    pid = world["web.1"].pid
    assert pid is not None
    shell.shells, shell.children = {pid}, {pid: [PROGRAM, OTHER]}
    assert world.request("signal", "web.1", text="USR1").said == ["SIGUSR1 sent to web.1 (pids 201, 202)"]


@pytest.mark.parametrize("text", ["", "0", "-1", "HUPS", "SIG", "65", "9" * 5000])
def test_an_unknown_signal_is_refused(world: World, sent: list[tuple[str, int, int]], text: str) -> None:
    answer = world.request("signal", "web", text=text).answer
    assert answer is not None
    assert answer["error"] == f'"{text}" is not a signal' or len(text) > MAX_MESSAGE_LENGTH
    assert sent == []


@pytest.mark.parametrize("more", [0, 1, MAX_MESSAGE_LENGTH])
def test_a_message_that_quotes_too_much_is_cut_in_the_middle(
    world: World, sent: list[tuple[str, int, int]], more: int
) -> None:
    text = "x" * (MAX_MESSAGE_LENGTH - len('"" is not a signal') + more)
    answer = world.request("signal", "web", text=text).answer
    assert answer is not None
    if more:
        half = MAX_MESSAGE_LENGTH // 2
        assert answer["error"] == f'"{text}'[:half] + "…" + f'{text}" is not a signal'[-half:]
    else:
        assert answer["error"] == f'"{text}" is not a signal'


def test_a_signal_needs_a_process(world: World, sent: list[tuple[str, int, int]]) -> None:
    answer = world.request("signal", text="USR1").answer
    assert answer is not None
    assert answer["error"] == "missing process"


def test_pause_and_resume_signal_the_group_and_are_remembered(world: World, sent: list[tuple[str, int, int]]) -> None:
    pid = world["web.1"].pid
    client = world.request("pause", "web.1")
    assert (client.said, client.answer) == (["web.1 paused"], {"done": True, "code": 0})
    assert world.supervisor.is_paused(world["web.1"])
    client = world.request("resume", "web.1")
    assert (client.said, client.answer) == (["web.1 resumed"], {"done": True, "code": 0})
    assert not world.supervisor.is_paused(world["web.1"])
    assert sent == [("group", pid, signal.SIGSTOP), ("group", pid, signal.SIGCONT)]


def test_what_is_stopping_is_not_paused_but_the_others_are(world: World, sent: list[tuple[str, int, int]]) -> None:
    world.request("stop", "web.1", wait=False)
    client = world.request("pause", "web")
    assert client.said == ["web.2 paused"]
    assert client.answer is not None
    assert (client.answer["error"], client.answer["code"]) == ("not paused, because it is stopping: web.1", 1)
    assert sent == [("group", world["web.2"].pid, signal.SIGSTOP)]


def test_what_is_not_running_cannot_be_signalled(world: World, sent: list[tuple[str, int, int]]) -> None:
    world.request("stop", "web.1", wait=False)
    world.end("web.1")
    answer = world.request("pause", "web.1").answer
    assert answer is not None
    assert (answer["error"], answer["code"]) == ("none of them is running", 1)
    assert world.request("pause", "web").said == ["web.2 paused"]
