"""The fake kernel, for every test of this folder that asks for one."""

from __future__ import annotations

import os
import stat

import pytest

from runtime.fakes import Kernel, open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """No port of this machine is taken, whatever else runs on it."""
    monkeypatch.setattr("procman.runtime.reload.busy_ports", lambda _ports: set[int]())


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel without processes, whose clock moves only during a wait."""
    before = _open_descriptors()
    kernel = Kernel(monkeypatch)
    yield kernel
    for epoll in kernel.epolls:
        epoll.close()
    for fd in _open_descriptors() - before:
        os.close(fd)


def _open_descriptors() -> set[int]:
    """All of ours but sockets, which Python closes by itself."""
    found = set()
    for fd in open_descriptors():
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                found.add(fd)
        except OSError:
            pass  # closed by a thread
    return found
