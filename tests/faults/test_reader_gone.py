"""`procman start | head -1`: a reader that goes away ends everything, quietly, with 141."""

from __future__ import annotations

import os
import socket

import pytest

from faults import kit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place


def test_head_ends_everything(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"chatty: while echo hello; do sleep 0.05; done\nhelper: sleep {argument} & sleep {argument}\n")
    program = kit.wrapper(place, '{ "$PROCMAN" "$@"; echo "code $?" >&2; } | head -1; exec true')
    session = place.session("start", program=program)
    session.wait_for("code 141", stream="err")
    session.wait()
    session.wait_until_gone()
    assert kit.running(argument) == []
    assert session.err.decode() == "code 141\n"


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_reader_that_goes_while_nobody_speaks_ends_everything_too(place: Place, kind: str) -> None:
    argument = kit.sleep_time()
    place.procfile(f"silent: exec sleep {argument}\n")
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        reader, writer = (end.detach() for end in socket.socketpair())
    session = place.session("start", stdout=writer)
    os.close(writer)
    kit.wait_running(1, argument)
    os.close(reader)
    assert session.wait() == 141
    assert kit.running(argument) == []
    assert session.err == b""


def test_a_reader_that_is_gone_before_the_start_leaves_nothing(place: Place) -> None:
    argument = kit.sleep_time()
    place.procfile(f"web: exec sleep {argument}\n")
    reader, writer = os.pipe()
    os.close(reader)
    session = place.session("start", stdout=writer)
    os.close(writer)
    assert session.wait() == 141
    assert kit.running(argument) == []
