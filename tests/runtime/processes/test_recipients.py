"""Which processes of an instance get the stop signal, and which of them get it only at half of the grace."""

from __future__ import annotations

import signal

import pytest

from procman.core.model.plan import StopPolicy
from procman.runtime.processes.children import Child, Children
from procman.runtime.processes.recipients import (
    handles,
    ignores,
    is_launcher,
    is_shell,
    living_children,
    others_of,
    programs_of,
)
from procman.runtime.processes.session_leader import SessionLeaders
from runtime.fakes import Kernel, Process, a_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GONE = 4_100_000_000  # no process has such a number
TERM, INT, CONT, STOP = signal.SIGTERM, signal.SIGINT, signal.SIGCONT, signal.SIGSTOP


@pytest.fixture
def children(kernel: Kernel) -> Children:
    return Children("s1", 1)


def spawned(kernel: Kernel, children: Children, command: str = "serve", *caught: int) -> tuple[Child, Process]:
    child = children.spawn(a_plan("web.1", command))
    process = kernel.process("web.1")
    process.caught.update(caught)
    return child, process


def test_a_program_that_handles_the_signal_gets_it_alone_and_the_rest_later(kernel: Kernel, children: Children) -> None:
    child, leader = spawned(kernel, children, "serve", TERM)
    worker = leader.fork()
    worker.caught.add(TERM)
    stray = leader.fork(own_session=True)
    plan = a_plan("web.1")
    children.stop(child, plan)
    assert kernel.sent == [(leader.pid, TERM), (-leader.pid, CONT)]
    assert (child.asked, child.group_asked) == ([leader.pid], False)
    children.stop_orphans(TERM)
    kernel.sent.clear()
    children.stop_rest(child, plan)
    assert kernel.sent == [(worker.pid, TERM), (worker.pid, CONT)]
    assert stray.alive  # still a child of the leader, which looks after it
    kernel.sent.clear()
    children.stop_rest(child, plan)
    assert kernel.sent == []


def test_orphans_of_a_program_that_was_signalled_alone_wait_like_its_group(kernel: Kernel, children: Children) -> None:
    child, leader = spawned(kernel, children, "serve", TERM)
    between = leader.fork(own_session=True)
    orphan = between.fork(own_session=True)
    between.exit()
    children.stop(child, a_plan("web.1"))
    children.stop_orphans(TERM)
    assert orphan.got == []
    children.stop_rest(child, a_plan("web.1"))
    assert TERM in orphan.got


@pytest.mark.parametrize(("caught", "to"), [((), ""), ((TERM,), "group"), ((), "program")])
def test_otherwise_the_whole_group_gets_it_at_once(
    kernel: Kernel, children: Children, caught: tuple[int, ...], to: str
) -> None:
    child, leader = spawned(kernel, children, "serve", *caught)
    plan = a_plan("web.1", stop=StopPolicy(to=to))
    children.stop(child, plan)
    assert kernel.sent == [(-leader.pid, TERM), (-leader.pid, CONT)]
    assert child.group_asked
    kernel.sent.clear()
    children.stop_rest(child, plan)
    assert kernel.sent == []


def test_behind_a_shell_the_program_gets_it_if_the_user_wants_that(kernel: Kernel, children: Children) -> None:
    _, shell = spawned(kernel, children, "sh -c x")
    shell.command = "sh -c x"
    program, ended = shell.fork("serve"), shell.fork("old")
    ended.state = "Z"
    wanted = a_plan("web.1", stop=StopPolicy(to="program"))
    assert programs_of(shell.pid, TERM, wanted, on_terminal=False) == [program.pid]
    assert programs_of(shell.pid, TERM, a_plan("web.1"), on_terminal=False) == []
    assert living_children(shell.pid) == [program.pid]


def test_a_program_that_ignores_the_signal_gets_it_alone_only_if_the_user_wants_that(
    kernel: Kernel, children: Children
) -> None:
    _, leader = spawned(kernel, children)
    leader.ignores.add(TERM)
    wanted = a_plan("web.1", stop=StopPolicy(to="program"))
    assert programs_of(leader.pid, TERM, wanted, on_terminal=False) == [leader.pid]
    assert programs_of(leader.pid, TERM, a_plan("web.1"), on_terminal=False) == []


def test_an_interrupt_is_not_for_a_shell_alone(kernel: Kernel, children: Children) -> None:
    _, shell = spawned(kernel, children, "sh -c x", INT, TERM)
    shell.command = "sh -c x"
    wanted = a_plan("web.1", stop=StopPolicy(to="program"))
    assert programs_of(shell.pid, INT, a_plan("web.1"), on_terminal=False) == []
    assert programs_of(shell.pid, TERM, a_plan("web.1"), on_terminal=False) == [shell.pid]
    assert programs_of(shell.pid, INT, wanted, on_terminal=False) == [shell.pid]


def test_a_launcher_on_a_terminal_shares_the_signal_with_its_group(kernel: Kernel, children: Children) -> None:
    _, npm = spawned(kernel, children, "npm start", TERM)
    npm.command = "npm start"
    shell = npm.fork("sh -c serve")
    assert is_launcher(npm.pid, TERM)
    assert programs_of(npm.pid, TERM, a_plan("web.1"), on_terminal=True) == []
    assert programs_of(npm.pid, TERM, a_plan("web.1"), on_terminal=False) == [npm.pid]
    shell.caught.add(TERM)
    assert not is_launcher(npm.pid, TERM)
    shell.exit()
    assert not is_launcher(npm.pid, TERM)
    npm.command = "/usr/bin/go run ."
    assert is_launcher(npm.pid, TERM)


def test_each_signal_is_handled_by_itself(kernel: Kernel, children: Children) -> None:
    _, leader = spawned(kernel, children, "serve", INT)
    assert handles(leader.pid, INT)
    assert not handles(leader.pid, TERM)
    assert not handles(leader.pid, INT + 1)
    assert not handles(4711, INT)
    assert not is_shell(leader.pid)


def test_the_others_of_a_group_are_its_living_members_wherever_they_hang(kernel: Kernel, children: Children) -> None:
    _, leader = spawned(kernel, children)
    worker = leader.fork()
    grandchild = worker.fork()
    other = leader.fork(own_session=True)
    below = other.fork()
    below.group = leader.pid
    ended = leader.fork()
    ended.state = "Z"
    assert sorted(others_of(leader.pid, [])) == sorted([worker.pid, grandchild.pid, below.pid])
    adopted = other.fork()
    adopted.group, adopted.parent = leader.pid, kernel.us
    assert adopted.pid in others_of(leader.pid, [adopted.pid])


# Leaders that are kept until their group has ended --------------------------------------------------------------------


def test_a_leader_that_would_end_first_is_kept_until_the_others_have_ended(kernel: Kernel, children: Children) -> None:
    _, leader = spawned(kernel, children)
    worker = leader.fork()
    worker.caught.add(TERM)
    leaders = SessionLeaders(children.orphans)
    assert leaders.hold(leader.pid, TERM)
    assert kernel.sent == [(-leader.pid, CONT), (leader.pid, STOP), (-leader.pid, TERM)]
    assert leader.alive
    due = leaders.next_deadline()
    assert due is not None
    leaders.tick(due - 0.0001)
    leaders.tick(due)
    later = leaders.next_deadline()
    assert later is not None
    assert later > due
    worker.exit()
    leaders.tick(later)
    assert not leader.alive
    assert leaders.next_deadline() is None


def test_the_programs_behind_a_kept_leader_alone_get_the_signal(kernel: Kernel, children: Children) -> None:
    _, leader = spawned(kernel, children)
    program, other = leader.fork(), leader.fork()
    assert SessionLeaders(children.orphans).hold(leader.pid, TERM, [program.pid])
    assert TERM in program.got
    assert TERM not in other.got
    assert (leader.pid, TERM) in kernel.sent


def test_a_leader_is_kept_only_if_it_would_end_and_others_would_live(kernel: Kernel, children: Children) -> None:
    _, leader = spawned(kernel, children)
    leaders = SessionLeaders(children.orphans)
    assert not leaders.hold(leader.pid, TERM)
    leader.fork()
    leader.caught.add(TERM)
    assert not leaders.hold(leader.pid, TERM)
    assert not leaders.hold(leader.pid, signal.SIGWINCH)  # does not end a process
    assert kernel.sent == []
    assert leaders.hold(leader.pid, TERM, force=True)


# Where /proc does not show what a process handles (macOS) ------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "to", "alone"),
    [
        ("serve --port 1", "", True),
        ("/usr/bin/serve", "", True),
        ("sh serve", "", False),
        ("/bin/bash -c serve", "", False),
        ("serve && other", "", False),
        ("serve && other", "program", True),
        ("serve", "group", False),
    ],
)
def test_the_command_says_whether_its_leader_is_a_program(command: str, to: str, alone: bool) -> None:
    plan = a_plan("web.1", command, stop=StopPolicy(to=to))
    assert programs_of(GONE, TERM, plan, on_terminal=False) == ([GONE] if alone else [])


@pytest.mark.parametrize("answer", [handles, is_launcher, ignores])
def test_what_is_gone_does_nothing_with_a_signal(answer: Callable[[int, int], bool]) -> None:
    assert not answer(GONE, TERM)


@pytest.mark.parametrize(
    ("command", "launcher"),
    [
        ("go run .", True),
        ("/usr/bin/go run", True),
        ("npm start", True),
        ("node npm-cli.js", False),
        ("node x npm", False),
        ("", False),
    ],
)
def test_a_launcher_is_known_by_its_first_words(kernel: Kernel, command: str, launcher: bool) -> None:
    leader = Process(kernel, kernel.us, command or "x", {})
    leader.fork("sh")
    if not command:
        leader.command = "\0"
    assert is_launcher(leader.pid, TERM) is launcher


def test_signals_above_nine_are_read_as_hexadecimal(kernel: Kernel) -> None:
    leader = Process(kernel, kernel.us, "serve", {})
    leader.ignores = {signal.SIGUSR1, signal.SIGTERM}
    assert [ignores(leader.pid, number) for number in (signal.SIGUSR1, TERM, signal.SIGHUP, INT)] == [
        True,
        True,
        False,
        False,
    ]
    assert not handles(leader.pid, TERM)


@pytest.mark.parametrize("state", ["R", "D"])
def test_a_signal_that_is_blocked_for_a_moment_is_not_handled(kernel: Kernel, state: str) -> None:
    leader = Process(kernel, kernel.us, "serve", {})
    leader.blocked, leader.state = {TERM, INT}, state

    def unblock() -> None:
        leader.blocked, leader.state = set(), "S"

    kernel.after(0.0005, unblock)
    assert not handles(leader.pid, TERM)


@pytest.mark.parametrize("state", ["S", "R"])
def test_a_program_that_blocks_a_signal_waits_for_it_but_a_shell_does_not(kernel: Kernel, state: str) -> None:
    server, shell = (Process(kernel, kernel.us, command, {}) for command in ("serve", "sh -c list"))
    for one in (server, shell):
        one.blocked, one.state = {TERM, INT}, state
    assert handles(server.pid, TERM)
    assert not handles(shell.pid, TERM)
    shell.caught.add(TERM)
    assert handles(shell.pid, TERM)
