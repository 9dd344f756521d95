"""System calls that a sandbox refuses: procman works without them, or says what is missing."""

from __future__ import annotations

import errno
import platform
import signal
import sys

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place

# Installs a seccomp filter that refuses some system calls with an error, then becomes another program.
FILTER = """
import ctypes, os, struct, sys
error, numbers, command = int(sys.argv[1]), [int(n) for n in sys.argv[2].split(",")], sys.argv[3:]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
code = [struct.pack("HBBI", LOAD, 0, 0, 0)]
for left, number in enumerate(reversed(numbers)):
    code.insert(1, struct.pack("HBBI", EQUAL, left + 1, 0, number))
code += [struct.pack("HBBI", RETURN, 0, 0, 0x7FFF0000), struct.pack("HBBI", RETURN, 0, 0, 0x00050000 | error)]
program = ctypes.create_string_buffer(b"".join(code))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(code), ctypes.addressof(program))), 0, 0) == 0
os.execv(command[0], command)
"""
CLONE3, PIDFD_OPEN, PIDFD_SEND_SIGNAL = 435, 434, 424  # the same on all architectures
PRCTL = 167 if platform.machine() == "aarch64" else 157


def _without(place: Place, error: int, *numbers: int) -> str:
    """A program that runs procman where these system calls are refused."""
    kit.need_linux()
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("the numbers of the system calls are not known here")
    words = f"{kit.script(place, 'filter.py', FILTER)} {error} {','.join(map(str, numbers))}"
    return kit.wrapper(place, f'exec {words} {sys.executable} "$PROCMAN" "$@"')


def test_children_are_forked_where_clone3_is_refused(place: Place) -> None:
    program = _without(place, errno.EPERM, CLONE3)
    place.write("bad", "#!/no/such/interpreter\n", mode=0o755)
    place.procfile("web: printenv PS; pwd\nbad: ./bad\n")
    (place.folder / "below").mkdir()
    place.write("procman.toml", "[process.web]\ncwd = 'below'\n")
    session = place.session("start", program=program)
    assert session.wait() == 127
    assert "web.1  | web.1" in session.text
    assert "/below" in session.text
    assert "bad.1 FAILED" in session.text
    assert "Operation not permitted" not in session.text
    session.wait_until_gone()


@pytest.mark.parametrize("words", [("--pty",), ("--no-pty",), ("--format", "json")], ids=["pty", "pipe", "json"])
def test_their_streams_are_those_of_other_children(place: Place, words: tuple[str, ...]) -> None:
    program = _without(place, errno.EPERM, CLONE3)
    place.procfile("web: ls -l /proc/self/fd /proc/self/fd/ | wc -l; [ $# = 0 ] && echo on both >&2\n")
    session = place.session("start", *words, program=program)
    assert session.wait() == 0
    assert "on both" in session.text


def test_run_works_where_clone3_and_pidfds_are_refused(place: Place) -> None:
    program = _without(place, errno.EPERM, CLONE3, PIDFD_OPEN, PIDFD_SEND_SIGNAL)
    session = place.session("run", "--", "sh", "-c", "echo here; exit 5", program=program)
    assert session.wait() == 5
    assert session.text == "here\n"
    assert place.session("run", "--", "./no/such", program=program).wait() == 127


def test_prune_works_without_pidfds(place: Place) -> None:
    program = _without(place, errno.ENOSYS, PIDFD_OPEN, PIDFD_SEND_SIGNAL)
    session = place.session("prune", "no-such-process", program=program)
    assert session.wait() == 0, session


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
def test_where_prctl_is_refused_a_warning_says_so_and_helpers_end_too(place: Place, error: int) -> None:
    program = _without(place, error, PRCTL)
    nap = kit.sleep_time()
    place.procfile(f"web: setsid sleep {nap} </dev/null >/dev/null 2>&1 & echo up; exec sleep {kit.sleep_time()}\n")
    session = place.session("start", program=program)
    session.wait_for("this system refuses prctl")
    session.wait_for("up")
    kit.wait_running(1, nap)
    session.signal(signal.SIGTERM)
    assert session.wait() == 0
    assert not kit.running(nap)
    assert session.text.count("refuses prctl") == 1
