"""The limit of descriptors: raised for us, the old one for each child."""

from __future__ import annotations

import importlib.util
import os
import resource
import sys

import pytest

from procman.runtime.system import descriptors
from procman.runtime.system.descriptors import (
    OWN,
    PER_INSTANCE,
    DescriptorLimit,
    Spare,
    close_inherited_on_exec,
    open_null,
    replace_by_null,
)
from runtime.fakes import Kernel, Process, open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NOFILE = resource.RLIMIT_NOFILE
INFINITY = resource.RLIM_INFINITY


@pytest.fixture
def null() -> int:
    return os.open(os.devnull, os.O_RDWR)


def test_without_dev_null_there_is_something_that_is_always_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "devnull", "/nonexistent/null")
    null = open_null()
    assert os.read(null, 10) == b""
    os.close(null)


def limit(kernel: Kernel, null: int, soft: int, hard: int, instances: int = 100) -> DescriptorLimit:
    kernel.limits[NOFILE] = (soft, hard)
    return DescriptorLimit(instances, null)


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (300, 4096, OWN + PER_INSTANCE * 100),
        (300, 400, 400),
        (300, INFINITY, OWN + PER_INSTANCE * 100),
        (OWN + PER_INSTANCE * 100, 4096, OWN + PER_INSTANCE * 100),
        (4000, 4096, 4000),
        (INFINITY, INFINITY, INFINITY),
        (300, 300, 300),
    ],
)
def test_it_is_raised_as_far_as_is_needed_and_allowed(
    kernel: Kernel, null: int, soft: int, hard: int, raised: int
) -> None:
    limit(kernel, null, soft, hard)
    assert kernel.limits[NOFILE] == (raised, hard)


def test_more_instances_raise_it_further_and_children_still_get_the_first(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 300, 4096)
    limits.make_room(500)
    assert kernel.limits[NOFILE][0] == OWN + PER_INSTANCE * 500
    assert limits.spawn(lambda: kernel.limits[NOFILE][0]) == 300  # what a child is started with
    assert kernel.limits[NOFILE] == (OWN + PER_INSTANCE * 500, 4096)


def test_a_limit_that_was_not_raised_is_not_touched_for_children(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 4000, 4096)
    assert limits.spawn(lambda: kernel.limits[NOFILE][0]) == 4000
    assert limits.lower_numbers((5, 6)) == (5, 6)


def test_a_spawn_that_fails_leaves_our_limit_as_it_was(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 300, 4096)

    def fail() -> int:
        raise OSError(1, "refused")

    with pytest.raises(OSError, match="refused"):
        limits.spawn(fail)
    assert kernel.limits[NOFILE][0] == OWN + PER_INSTANCE * 100


def test_a_limit_that_was_lowered_since_holds_for_children_too(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 300, 4096)
    kernel.limits[NOFILE] = (200, 4096)
    assert limits.spawn(lambda: kernel.limits[NOFILE][0]) == 200


def test_a_childs_streams_go_through_low_numbers_and_are_not_kept(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 300, 4096)
    reader, writer = os.pipe()
    (low,) = limits.lower_numbers((writer,))
    assert low != writer
    os.close(writer)
    os.write(low, b"x")
    limits.release()
    os.set_blocking(reader, False)
    assert os.read(reader, 10) == b"x"
    assert os.read(reader, 10) == b""  # the other end is closed


def test_one_stream_twice_takes_one_number_each(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 300, 4096)
    first, second = os.pipe()
    assert len(set(limits.lower_numbers((first, second)))) == 2
    limits.release()


def test_without_low_numbers_the_child_is_limited_a_moment_later(
    kernel: Kernel, null: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dup(fd: int) -> int:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", dup)
        limits = limit(kernel, null, 300, 4096)
        assert not limits.has_room(1)
        assert limits.has_room(0)
    child = Process(kernel, kernel.us, "x", {})
    assert limits.spawn(lambda: child.pid) == child.pid
    assert child.env["limited"] == f"{NOFILE} (300, 4096)"
    assert limits.lower_numbers((5,)) == (5,)


def test_room_is_found_by_trying_and_given_back(kernel: Kernel, null: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = limit(kernel, null, 4000, 4096)
    before = open_number()
    assert limits.has_room(10)
    real, left = os.dup, 3

    def dup(fd: int) -> int:
        nonlocal left
        if not left:
            raise OSError
        left -= 1
        return real(fd)

    monkeypatch.setattr(os, "dup", dup)
    assert limits.has_room(3)
    left = 3
    assert not limits.has_room(4)
    assert open_number() == before


def test_what_was_inherited_is_closed_in_children() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    standard = [os.get_inheritable(fd) for fd in (0, 1, 2)]
    close_inherited_on_exec()
    assert not os.get_inheritable(writer)
    assert [os.get_inheritable(fd) for fd in (0, 1, 2)] == standard
    os.close(reader)
    os.close(writer)


def open_number() -> int:
    return len(open_descriptors())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_of_two_low_numbers_both_are_reserved_or_none(
    kernel: Kernel, null: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.dup, 1

    def dup(fd: int) -> int:
        nonlocal left
        if not left:
            raise OSError
        left -= 1
        return real(fd)

    before = open_number()
    monkeypatch.setattr(os, "dup", dup)
    limits = limit(kernel, null, 300, 4096)
    assert left == 0
    assert limits.lower_numbers((5,)) == (5,)
    assert open_number() == before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_a_descriptor_that_becomes_null_takes_no_further_one() -> None:
    reader, writer = os.pipe()
    before = open_number()
    replace_by_null(reader)
    assert os.read(reader, 10) == b""
    assert not os.get_inheritable(reader)
    descriptors._take_lowest(writer)
    assert open_number() == before
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("scarce", [False, True])
def test_our_streams_are_given_up_even_without_a_descriptor_to_put_there(
    monkeypatch: pytest.MonkeyPatch, scarce: bool
) -> None:
    done: list[tuple[int, int]] = []

    def null() -> int:
        if scarce:
            raise OSError
        return os.open(os.devnull, os.O_RDWR)

    monkeypatch.setattr(descriptors, "open_null", null)
    monkeypatch.setattr(os, "closerange", lambda first, end: done.append((first, end)))
    monkeypatch.setattr(os, "dup2", lambda _null, fd: done.append((fd, fd)))
    descriptors.close_streams()
    assert done == ([(0, 3)] if scarce else [(0, 0), (1, 1), (2, 2)])


def test_a_childs_streams_go_through_numbers_that_other_children_do_not_get(kernel: Kernel, null: int) -> None:
    limits = limit(kernel, null, 300, 4096)
    reader, writer = os.pipe()
    (low,) = limits.lower_numbers((writer,))
    assert not os.get_inheritable(low)
    limits.release()
    assert not os.get_inheritable(low)
    for fd in (reader, writer):
        os.close(fd)


def test_a_limit_that_cannot_be_raised_is_not_lowered_for_children(
    kernel: Kernel, null: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    limits = limit(kernel, null, 300, 4096)
    assert kernel.limits[NOFILE] == (300, 4096)
    monkeypatch.setattr(resource, "setrlimit", kernel._setrlimit)
    assert limits.spawn(lambda: 77) == 77
    assert kernel.limits[NOFILE] == (300, 4096)
    assert not descriptors._set_soft(5000) or kernel.limits[NOFILE] == (4096, 4096)


@pytest.mark.parametrize("proc", [True, False])
def test_inherited_descriptors_are_found_in_proc_or_dev(monkeypatch: pytest.MonkeyPatch, proc: bool) -> None:
    looked: list[str] = []
    marked: list[int] = []

    def listing(folder: str) -> list[str]:
        looked.append(folder)
        return ["0", "1", "2", "3", "17", "x"]

    monkeypatch.setattr(os.path, "isdir", lambda _path: proc)
    monkeypatch.setattr(descriptors, "listing", listing)
    monkeypatch.setattr(os, "set_inheritable", lambda fd, _inheritable: marked.append(fd))
    close_inherited_on_exec()
    assert (looked, marked) == (["/proc/self/fd" if proc else "/dev/fd"], [3, 17])


def test_the_descriptor_that_our_streams_get_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_number()
    monkeypatch.setattr(os, "dup2", lambda _null, _fd: None)
    descriptors.close_streams()
    assert open_number() == before


@pytest.mark.parametrize("closed", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_standard_descriptors_that_are_closed_become_null(
    monkeypatch: pytest.MonkeyPatch, closed: tuple[int, ...]
) -> None:
    taken: list[int] = []
    fstat = os.fstat

    def missing(fd: int) -> os.stat_result:
        if fd in closed:
            raise OSError
        return fstat(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", missing)
        patch.setattr(descriptors, "_take_lowest", taken.append)
        descriptors.open_standard_descriptors()
    assert taken == list(closed)


@pytest.mark.parametrize(("lowest", "moved"), [(1, False), (5, True)])
def test_null_is_put_at_the_number_that_was_closed(monkeypatch: pytest.MonkeyPatch, lowest: int, moved: bool) -> None:
    calls: list[tuple[int, ...]] = []
    monkeypatch.setattr(descriptors, "open_null", lambda: lowest)
    monkeypatch.setattr(os, "dup2", lambda fd, to: calls.append((fd, to)))
    monkeypatch.setattr(os, "close", lambda fd: calls.append((fd,)))
    descriptors._take_lowest(1)
    assert calls == ([(5, 1), (5,)] if moved else [])


@pytest.fixture
def spare(null: int) -> Iterator[Spare]:
    spare = Spare(null)
    spare.guard_imports()
    yield spare
    sys.meta_path.remove(spare)
    spare.find_spec("any")


def test_a_descriptor_is_kept_for_imports_and_taken_back(spare: Spare) -> None:
    before = open_number()
    for _ in range(2):
        assert importlib.util.find_spec("procman.no_such_module") is None
        assert open_number() == before - 1
    for _ in range(2):
        spare.take_back()
        assert open_number() == before


def test_a_descriptor_that_is_lost_is_taken_back_later(spare: Spare, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_number()
    spare.find_spec("any")
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", lambda _fd: os.open("/nonexistent", 0))
        spare.take_back()
    assert open_number() == before - 1
    spare.take_back()
    assert open_number() == before


def test_a_fork_leaves_the_number_alone(spare: Spare, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_number()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        spare.find_spec("any")
    assert open_number() == before


def test_before_it_guards_imports_it_keeps_nothing(null: int) -> None:
    before = open_number()
    Spare(null).take_back()
    assert open_number() == before
