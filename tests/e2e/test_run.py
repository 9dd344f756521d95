"""``procman run``: as if the command had been started by hand, in the environment of the formation."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Says that it is there, and each signal that it gets; ends on TERM.
LISTENER = """
import os, signal, sys, time
def say(text): os.write(1, (text + "\\n").encode())
def heard(number, frame):
    say(signal.Signals(number).name)
    if number == signal.SIGTERM: sys.exit(3)
for name in "HUP INT QUIT USR1 USR2 TERM WINCH ALRM CONT".split():
    signal.signal(getattr(signal, "SIG" + name), heard)
say("ready")
while True: time.sleep(0.1)  # pause() would miss what comes just before it
"""


@pytest.fixture
def bakery(place: harness.Place) -> harness.Place:
    place.procfile(
        "web: printf '<%s>' $PORT\nplain: printenv\nlisten: python3 listener.py\nslow: sleep 1000 && echo\n"
        "fails: exit 7\n"
    )
    place.write("listener.py", LISTENER)
    return place


def wait_until(holds: Callable[[], object], limit: float = harness.LIMIT) -> None:
    end = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_exit_codes_are_the_childs_own(place: harness.Place) -> None:
    """A few, as a shell sees them; tests/faults/test_exit_codes.py has all 256."""
    some = (0, 1, 2, 64, 126, 127, 128, 143, 255)
    place.write(
        "all.sh",
        f'for i in {" ".join(map(str, some))}; do "{harness.PROCMAN}" run sh -c "exit $i"; echo "$i $?"; done\n',
    )
    session = place.session("all.sh", program="/bin/sh")
    assert session.wait() == 0
    assert session.text.split("\n")[:-1] == [f"{code} {code}" for code in some]


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "SEGV", "PIPE", "USR1"])
def test_a_signal_makes_128_more(place: harness.Place, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    assert place.call("run", "sh", "-c", f"ulimit -c 0; kill -{name} $$").code == 128 + number


def test_a_line_of_the_procfile_takes_arguments(bakery: harness.Place) -> None:
    done = bakery.call("run", "web", "a b", "it's", "$HOME", "*", env={"PORT": "80"})
    assert (done.code, done.out, done.err) == (0, "<80><a b><it's><$HOME><*>", "")
    assert bakery.call("run", "plain", "PROCMAN_PROCESS").out == "plain\n"
    assert bakery.call("run", "fails").code == 7


def test_any_other_word_is_a_command(bakery: harness.Place) -> None:
    assert bakery.call("run", "echo", "$HOME", "-n", "--help").out == "$HOME -n --help\n"
    assert bakery.call("run", "--", "echo", "web").out == "web\n"
    assert bakery.call("run", "./listener.py").code == 126


def test_no_procfile_is_needed_for_a_command(place: harness.Place) -> None:
    place.write(".env", "A=1\n")
    assert place.call("run", "sh", "-c", "echo $A").out == "1\n"
    assert place.call("run", "-f", "Procfile", "true").code == 2


def test_a_procfile_with_errors_is_refused(place: harness.Place) -> None:
    place.procfile("web: a\nweb: b\n")
    done = place.call("run", "true")
    assert (done.code, done.out) == (2, "")
    assert "Procfile:2:1" in done.err


def test_the_environment_is_that_of_start(bakery: harness.Place) -> None:
    bakery.write(".env", "A=from env\nPATHS=\nB=${A}\n")
    bakery.write("other", "A=from other\n")
    done = bakery.call("run", "printenv", "A", "B", "PYTHONUNBUFFERED", env={"A": "real"})
    assert done.out == "from env\n${A}\n1\n"
    assert bakery.call("run", "-e", "other", "printenv", "A").out == "from other\n"
    assert bakery.call("run", "--os-env-wins", "printenv", "A", env={"A": "real"}).out == "real\n"
    assert bakery.call("run", "--env-interpolate", "printenv", "B").out == "from env\n"
    assert bakery.call("run", "printenv", "PORT").code == 1
    assert bakery.call("run", "printenv", "PORT", env={"PORT": "80"}).out == "80\n"


def test_a_program_is_found_on_the_path_of_the_env_file(place: harness.Place) -> None:
    place.write("tools/mine", "#!/bin/sh\necho mine $1\n", mode=0o700)
    place.write(".env", f"PATH={place.folder}/tools:{os.environ['PATH']}\n")
    place.procfile("web: mine\n")
    assert place.call("run", "mine", "a").out == "mine a\n"
    assert place.call("run", "web", "b").out == "mine b\n"


def test_a_line_runs_in_its_root_and_a_command_where_the_user_is(place: harness.Place) -> None:
    place.write("app/Procfile", "where: pwd\n")
    inside, outside = f"{place.folder}/app\n", f"{place.folder}\n"
    assert place.call("run", "-f", "app/Procfile", "where").out == inside
    assert place.call("run", "-f", "app/Procfile", "pwd", env={"PWD": str(place.folder)}).out == outside
    assert place.call("run", "-d", "app", "pwd").out == inside


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (["wbe"], 127, '"wbe": command not found', 'did you mean "web"?'),
        (["no-such-thing"], 127, '"no-such-thing": command not found', "not a program on PATH"),
        (["echo hi; ls"], 127, '"echo hi; ls": command not found', "leave out its quotes"),
        (["web.1"], 127, '"web.1": command not found', 'did you mean "web"? run takes a process type'),
        (["web.x"], 127, '"web.x": command not found', "not a program on PATH"),
        (["./missing"], 127, '"./missing": command not found', "no such file"),
        ([""], 127, '"": command not found', ""),
        (["cd", "/"], 127, '"cd": command not found', "sh -c 'cd"),
        (["./listener.py"], 126, "./listener.py: permission denied", "chmod +x"),
        (["/"], 126, "/ is a folder", ""),
        (["./interpreter"], 127, "interpreter", "#!"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_told_as_a_shell_would(
    bakery: harness.Place, words: list[str], code: int, message: str, hint: str
) -> None:
    bakery.write("interpreter", "#!/no/such/thing\n", mode=0o700)
    done = bakery.call("run", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("procman: ")
    assert message in done.err.splitlines()[0]
    assert hint in done.err


def test_a_script_without_interpreter_is_run_by_the_shell(place: harness.Place) -> None:
    place.write("script", "echo from $0 $1\n", mode=0o700)
    assert place.call("run", "./script", "a").out == "from ./script a\n"


def test_standard_input_is_the_childs(place: harness.Place) -> None:
    assert place.call("run", "cat", stdin=b"a\0b\xff").out == "a\0b\ufffd"


def test_signals_sent_to_us_reach_the_child(bakery: harness.Place) -> None:
    session = bakery.session("run", "listen")
    session.wait_for("ready")
    for name in ("HUP", "USR1", "USR2", "INT", "QUIT", "WINCH", "ALRM", "TERM"):
        session.signal(getattr(signal, f"SIG{name}"))
        session.wait_for(f"^SIG{name}$")
    assert session.wait() == 3
    session.wait_until_gone()


def test_the_child_starts_with_default_signals_and_an_empty_mask(place: harness.Place) -> None:
    place.write("ignoring.sh", f"trap '' INT QUIT TERM USR1; exec '{harness.PROCMAN}' run grep Sig /proc/self/status\n")
    session = place.session("ignoring.sh", program="/bin/sh")
    assert session.wait() == 0
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc")
    masks = dict(line.split(":\t") for line in session.text.splitlines())
    of_glibc = 0b11 << 31  # 32 and 33, which cannot be changed; some containers pass them on ignored
    assert int(masks["SigIgn"], 16) & ~of_glibc == int(masks["SigBlk"], 16) == 0


def test_nohup_is_respected(bakery: harness.Place) -> None:
    bakery.write("nohup.sh", f"trap '' HUP; exec '{harness.PROCMAN}' run sh -c 'kill -HUP $$; echo lives'\n")
    session = bakery.session("nohup.sh", program="/bin/sh")
    assert session.wait() == 0
    assert session.text == "lives\n"


def test_the_child_gets_the_descriptors_that_we_were_given_and_none_of_ours(place: harness.Place) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    place.write("fds.sh", f"exec '{harness.PROCMAN}' run sh -c 'echo /proc/$$/fd/*' 7</dev/null\n")
    session = place.session("fds.sh", program="/bin/sh")
    assert session.wait() == 0
    assert [path.rpartition("/")[2] for path in session.text.split()] == [
        "0",
        "1",
        "2",
        "3",
        "7",
    ]  # 3: the folder itself


def test_the_terminal_is_the_childs(bakery: harness.Place) -> None:
    session = bakery.session(
        "run", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size; read x; echo got $x", pty=True
    )
    session.wait_for("24 80")
    session.type(b"some words\n")
    session.wait_for("got some words")
    assert session.wait() == 0


def test_ctrl_c_reaches_the_child_once(bakery: harness.Place) -> None:
    session = bakery.session("run", "listen", pty=True)
    session.wait_for("ready")
    session.type(b"\x03")
    session.wait_for("SIGINT")
    session.signal(signal.SIGUSR1)  # handled after everything that came before it
    session.wait_for("SIGUSR1")
    assert session.text.count("SIGINT") == 1
    session.signal(signal.SIGTERM)
    assert session.wait() == 3


def test_ctrl_c_ends_with_130_when_the_child_dies_of_it(place: harness.Place) -> None:
    # Not a shell: dash forgets a Ctrl-C that comes between its output and the start of the next program.
    words = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); print('ready', flush=True); signal.pause()"
    session = place.session("run", "python3", "-c", words, pty=True)
    session.wait_for("ready")
    session.type(b"\x03")
    assert session.wait() == 130
    session.wait_until_gone()


def test_a_job_can_be_stopped_and_brought_back(place: harness.Place) -> None:
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    shell = place.session("--norc", "--noprofile", "-i", program="bash", env={"PS1": "$ ", "TERM": "dumb"}, pty=True)
    shell.wait_for(r"\$ ")
    shell.type(f"'{harness.PROCMAN}' run sh -c 'echo ready; read x; echo got $x; read y; exit 9'\n".encode())
    shell.wait_for("^ready")
    shell.type(b"\x1a")
    shell.wait_for("Stopped")
    shell.type(b"fg\n")
    shell.wait_for("^.*procman.* run sh -c")
    shell.type(b"one\n")
    shell.wait_for("^got one")
    shell.type(b"two\necho code=$?\n")
    shell.wait_for("^code=9")
    shell.type(b"exit\n")
    shell.wait()


def test_a_child_stopped_for_its_own_sake_does_not_stop_us(bakery: harness.Place) -> None:
    session = bakery.session("run", "sh", "-c", "echo $$; sleep 0.1; echo on; read x")
    child = int(session.wait_for(r"^(\d+)$")[1])
    os.kill(child, signal.SIGSTOP)
    os.kill(child, signal.SIGCONT)
    session.wait_for("^on$")
    assert session.wait() == 1  # read at the end of input


@pytest.mark.alone
def test_killing_us_leaves_nothing_of_the_child(bakery: harness.Place) -> None:
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("needs /proc")
    session = bakery.session("run", "slow")
    wait_until(lambda: len(session.survivors()) == 4)  # we, our watcher, the shell, sleep
    session.signal(signal.SIGKILL)
    session.wait_until_gone()


def test_what_the_child_leaves_on_purpose_is_left(place: harness.Place) -> None:
    session = place.session("run", "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo ready")
    assert session.wait() == 0
    assert len(session.survivors()) == 1


def test_warnings_of_the_line_go_to_standard_error_only(place: harness.Place) -> None:
    place.procfile("web: echo hello &\nworker: echo hi\n")
    done = place.call("run", "worker")
    assert (done.code, done.out, done.err) == (0, "hi\n", "")
    assert "Procfile:1" in place.call("run", "web").err


PID_1 = f"""
import os, subprocess, sys, time
# Fifty orphans, each left by a shell that ends at once, become children of PID 1.
for _ in range(50): subprocess.run(["sh", "-c", "sh -c 'exit 0' &"])
end = time.monotonic() + {harness.LIMIT}
def others(): return {{pid for pid in os.listdir("/proc") if pid.isdigit()}} - {{"1", str(os.getpid())}}
while others() and time.monotonic() < end: time.sleep(0.01)
print("parent", os.getppid(), "others", others())
sys.exit(5)
"""


def in_own_namespace() -> list[str]:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        command += ["--user", "--map-current-user"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs a PID namespace of its own: root or user namespaces, and unshare")
    return command


def test_as_pid_1_strangers_are_reaped(place: harness.Place) -> None:
    command = in_own_namespace()
    place.write("pid1.py", PID_1)
    session = place.session(*command[1:], harness.PROCMAN, "run", "python3", "pid1.py", program=command[0])
    assert session.wait() == 5
    assert session.text == "parent 1 others set()\n"


def test_as_pid_1_signals_reach_the_child(bakery: harness.Place) -> None:
    command = in_own_namespace()
    session = bakery.session(*command[1:], harness.PROCMAN, "run", "listen", program=command[0])
    session.wait_for("ready")
    (pid_1,) = [pid for pid in session.survivors() if _parent(pid) == session.pid]
    os.kill(pid_1, signal.SIGTERM)
    session.wait_for("SIGTERM")
    assert session.wait() == 3


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[1])
