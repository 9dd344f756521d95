"""The control socket: only the user may enter its folder, a stale socket is replaced, a living one is not."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from procman.runtime.control import endpoint
from procman.runtime.control.endpoint import (
    Endpoint,
    EndpointError,
    SessionRunningError,
    _user_of,
    claim,
    connect,
    find,
    folders,
    peer_is_allowed,
    session_name,
    socket_paths,
)
from runtime.fakes import open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "procman" / "0123.sock")


def take(path: str) -> Endpoint:
    return claim([path], given=False)


def test_folder_and_socket_are_for_the_owner_alone(path: str) -> None:
    place = take(path)
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    assert os.stat(path).st_mode & 0o777 == 0o600
    place.close()
    assert not os.path.exists(path)


def test_a_second_session_meets_the_first(path: str) -> None:
    place = take(path)
    with pytest.raises(SessionRunningError) as caught:
        take(path)
    caught.value.connection.close()
    place.close()
    take(path).close()


def test_a_stale_socket_is_replaced(path: str) -> None:
    take(path).socket.close()  # as after a kill: the file stays
    assert os.path.exists(path)
    assert connect(path) is None
    take(path).close()


def test_sockets_of_killed_sessions_are_swept(path: str) -> None:
    other = path.replace("0123", "4567")
    living = take(path.replace("0123", "89ab"))
    take(other).socket.close()
    place = take(path)
    assert not os.path.exists(other)
    assert os.path.exists(living.path)
    place.close()
    living.close()


def test_leaving_spares_the_socket_of_a_successor(path: str) -> None:
    first = take(path)
    first.socket.close()
    second = take(path)
    first.close()
    assert os.path.exists(path)
    second.close()


def test_a_folder_that_others_may_enter_is_refused(path: str) -> None:
    os.mkdir(os.path.dirname(path))
    os.chmod(os.path.dirname(path), 0o755)
    with pytest.raises(EndpointError):
        take(path)


def test_a_link_to_a_folder_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    os.symlink(tmp_path / "elsewhere", os.path.dirname(path))
    with pytest.raises(EndpointError):
        take(path)
    assert find([path], given=False) is None


def test_a_file_in_the_way_is_left_alone(path: str) -> None:
    os.mkdir(os.path.dirname(path), mode=0o700)
    Path(path).write_text("mine")
    with pytest.raises(EndpointError):
        take(path)
    assert Path(path).read_text() == "mine"


def test_a_path_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="too long"):
        claim([str(tmp_path / ("x" * 120))], given=True)


def test_a_folder_that_cannot_be_made_is_no_reason_to_fail_otherwise() -> None:
    with pytest.raises(EndpointError, match="no control socket"):
        claim(["/proc/procman/0123.sock"], given=False)


def test_the_runtime_folder_is_preferred_and_the_other_is_known(tmp_path: Path) -> None:
    usual = folders({})
    assert usual[-1] == f"/tmp/procman-{os.geteuid()}"
    assert folders({"XDG_RUNTIME_DIR": str(tmp_path)}) == [f"{tmp_path}/procman", *usual]
    assert folders({"XDG_RUNTIME_DIR": str(tmp_path / "gone")}) == usual


def test_the_runtime_folder_of_another_user_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert folders({"XDG_RUNTIME_DIR": str(tmp_path)}) == ["/tmp/procman-54321"]


def test_a_file_is_no_runtime_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert folders({"XDG_RUNTIME_DIR": f"{tmp_path}/file"}) == folders({})


@pytest.mark.parametrize(
    ("user", "owner", "folder", "safe"),
    [
        (1000, 1000, "/run/user/1000/procman", True),
        (1000, 1000, "/srv/sockets", True),
        (1000, 1001, "/tmp/procman-1001", False),
        (1000, 0, "/tmp/procman-1000", False),
        (0, 1001, "/tmp/procman-1001", True),
        (0, 1001, "/run/user/1001/procman", True),
        (0, 1001, "/tmp/procman-1002", False),
        (0, 1001, "/srv/sockets", False),
    ],
)
def test_only_root_trusts_a_folder_of_another_user_and_only_that_users_own(
    monkeypatch: pytest.MonkeyPatch, user: int, owner: int, folder: str, safe: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "lstat", lambda _path: SimpleNamespace(st_uid=owner, st_mode=0o040700))
    assert endpoint.is_safe(folder) is safe


def test_the_next_place_is_taken_where_the_first_will_not_do(tmp_path: Path) -> None:
    long, usable = f"{tmp_path}/{'x' * 100}/1.sock", f"{tmp_path}/procman/1.sock"
    endpoint = claim([long, usable], given=False)
    assert (endpoint.path, endpoint.link) == (usable, "")
    endpoint.close()


def test_a_link_leads_to_the_socket_as_long_as_it_is_there(tmp_path: Path) -> None:
    ours, shared = f"{tmp_path}/own/1.sock", f"{tmp_path}/shared/1.sock"
    endpoint = claim([ours, shared], given=False)
    found = find([shared], given=False)
    assert found is not None
    found.close()
    with pytest.raises(SessionRunningError) as caught:
        claim([f"{tmp_path}/third/1.sock", shared], given=False)
    caught.value.connection.close()
    endpoint.close()
    assert not os.path.lexists(shared)


def test_a_stale_link_is_replaced(tmp_path: Path) -> None:
    ours, shared = f"{tmp_path}/own/1.sock", f"{tmp_path}/shared/1.sock"
    claim([ours, shared], given=False).socket.close()
    endpoint = claim([shared], given=False)
    assert (endpoint.path, os.path.islink(shared)) == (shared, False)
    endpoint.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="it is what root does")
def test_root_finds_the_session_of_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 54321, -1)
    paths = socket_paths(f"{tmp_path}/Procfile", str(tmp_path), None, {})
    assert [os.path.dirname(path) for path in paths][-2:] == ["/run/user/54321/procman", "/tmp/procman-54321"]
    assert _user_of("/tmp/procman-54321") == _user_of("/run/user/54321/procman") == 54321
    assert _user_of("/tmp/procman-") is _user_of("/tmp/procman-1/x") is None


def test_one_procfile_has_one_place_however_it_is_named(tmp_path: Path) -> None:
    os.symlink(tmp_path, tmp_path / "link")
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    straight = socket_paths(f"{tmp_path}/Procfile", str(tmp_path), None, environ)
    assert socket_paths(f"{tmp_path}/link/./Procfile", f"{tmp_path}/link", None, environ) == straight
    assert socket_paths(f"{tmp_path}/Procfile.dev", str(tmp_path), None, environ) != straight


def test_we_may_speak_to_ourselves() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_is_allowed(ours)


def test_a_socket_that_cannot_be_made_is_said_with_its_reason(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(EndpointError, match=f"no control socket at {path}: permission denied"):
        take(path)


def test_sessions_differ_by_folder_and_procfile() -> None:
    names = {
        session_name("/a", "/a/Procfile"),
        session_name("/a", "/a/Procfile.dev"),
        session_name("/", "a/a/Procfile"),
    }
    assert len(names) == 3
    assert all(len(name) == 16 for name in names)


def test_other_versions_of_procman_find_the_session_too() -> None:
    assert session_name("/srv/app", "/srv/app/Procfile") == "b016e46f882fb816"


def test_only_sockets_and_links_to_nothing_are_swept(path: str) -> None:
    folder = os.path.dirname(path)
    living = take(f"{folder}/1.sock")
    os.symlink(living.path, f"{folder}/2.sock")
    os.symlink(f"{folder}/nothing", f"{folder}/3.sock")
    Path(f"{folder}/notes").write_text("mine")
    place = take(path)
    assert sorted(os.listdir(folder)) == ["0123.sock", "1.sock", "2.sock", "notes"]
    place.close()
    living.close()


def test_leaving_spares_the_link_of_another_session(tmp_path: Path) -> None:
    ours, shared = f"{tmp_path}/own/1.sock", f"{tmp_path}/shared/1.sock"
    endpoint = claim([ours, shared], given=False)
    assert endpoint.link == shared
    os.unlink(shared)
    os.symlink("elsewhere", shared)
    endpoint.close()
    assert os.readlink(shared) == "elsewhere"


def test_of_several_refusals_the_first_is_told(tmp_path: Path) -> None:
    paths = [f"{tmp_path}/{letter * 120}" for letter in "ab"]
    with pytest.raises(EndpointError, match="/aaa"):
        claim(paths, given=True)


@pytest.mark.parametrize(("size", "fits"), [(endpoint._MAX_PATH, True), (endpoint._MAX_PATH + 1, False)])
def test_a_path_may_have_as_many_bytes_as_the_system_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, fits: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = "x" * size
    if fits:
        claim([path], given=True).close()
    else:
        with pytest.raises(EndpointError, match="too long"):
            claim([path], given=True)


def test_a_path_that_the_user_gives_may_be_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    (path,) = socket_paths("Procfile", ".", "open/1.sock", {})
    assert path == f"{tmp_path}/open/1.sock"
    place = claim([path], given=True)
    found = find([path], given=True)
    assert found is not None
    found.close()
    assert find([path], given=False) is None
    place.close()


@pytest.mark.parametrize(
    ("mode", "safe"), [(0o700, True), (0o500, True), (0o750, False), (0o710, False), (0o701, False)]
)
def test_a_safe_folder_is_for_its_owner_alone(tmp_path: Path, mode: int, safe: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    assert endpoint.is_safe(str(folder)) is safe


@pytest.mark.parametrize(("peer", "allowed"), [((1, 1000), True), ((1, 0), True), ((1, 1001), False), (None, True)])
def test_only_the_user_and_root_may_be_on_the_other_side(
    monkeypatch: pytest.MonkeyPatch, peer: tuple[int, int] | None, allowed: bool
) -> None:
    monkeypatch.setattr(endpoint, "peer_of", lambda _connection: peer)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    connection: Any = None
    assert peer_is_allowed(connection) is allowed


def test_a_full_queue_is_tried_again_until_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def connect_to(_path: str) -> None:
        if clock[0] < 1.0:
            raise BlockingIOError

    connection: Any = SimpleNamespace(connect=connect_to)
    monkeypatch.setattr(endpoint, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    with pytest.raises(BlockingIOError):
        endpoint._connect(connection, "x", 0.5)
    assert 0.5 <= clock[0] < 0.6
    before = clock[0]
    with pytest.raises(BlockingIOError):
        endpoint._connect(connection, "x", 0.0)
    assert clock[0] == before
    endpoint._connect(connection, "x", 5.0)
    assert 1.0 <= clock[0] < 1.1


def test_a_new_socket_never_blocks_and_the_umask_is_as_before(path: str) -> None:
    before = os.umask(0o022)
    try:
        place = take(path)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert place.socket.gettimeout() == 0.0
    place.close()


def test_the_owners_of_files_are_listed_once_and_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: str) -> Any:
        if path == "gone":
            raise FileNotFoundError
        return SimpleNamespace(st_uid={"a": 0, "b": 5, "c": 5, "d": 7}[path])

    monkeypatch.setattr(os, "stat", stat)
    assert endpoint._owners("a", "b", "gone", "c", "d") == [5, 7]


def opened() -> list[int]:
    """Return our descriptors."""
    return open_descriptors()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[str]:
    """A socket whose queue has no room."""
    path = f"{tmp_path}/1.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen(0)
        client.connect(path)
        yield path


def test_a_session_whose_queue_is_full_cannot_be_connected_to(full: str) -> None:
    before = opened()
    with pytest.raises(EndpointError) as caught:
        connect(full, 0.0)
    assert caught.value.message == f"cannot connect to {full}: resource temporarily unavailable"
    assert opened() == before


def test_a_connection_has_a_limit_of_time(path: str) -> None:
    place = take(path)
    connection = connect(path)
    assert connection is not None
    assert connection.gettimeout() == endpoint.CONNECT_TIMEOUT
    connection.close()
    place.close()
    assert place.socket.fileno() == -1


@pytest.mark.parametrize(
    ("user", "allowed", "refused"), [(1000, False, True), (1000, True, False), (0, False, False), (0, True, False)]
)
def test_only_root_talks_to_the_session_of_another_user(
    path: str, monkeypatch: pytest.MonkeyPatch, user: int, allowed: bool, refused: bool
) -> None:
    place = take(path)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(endpoint, "peer_is_allowed", lambda _connection: allowed)
    before = opened()
    if refused:
        with pytest.raises(EndpointError) as caught:
            connect(path)
        assert caught.value.message == f"{path} belongs to another user, so procman does not connect to it"
        assert opened() == before
    else:
        connection = connect(path)
        assert connection is not None
        connection.close()
    monkeypatch.undo()
    place.close()


def test_a_busy_session_neither_delays_the_sweep_nor_ends_it(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, listdir = os.path.dirname(full), os.listdir
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(f"{folder}/2.sock")

    def sleep(_seconds: float) -> None:
        raise AssertionError("a sweep does not wait")

    monkeypatch.setattr(endpoint, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))
    monkeypatch.setattr(os, "listdir", lambda path: sorted(listdir(path)))
    endpoint._sweep(folder)
    assert listdir(folder) == ["1.sock"]


def test_nobody_else_makes_a_socket_in_the_folder_meanwhile(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listen, refused = endpoint._listen, []

    def meanwhile(path: str) -> Endpoint:
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refused.append(path)
        os.close(folder)
        return listen(path)

    monkeypatch.setattr(endpoint, "_listen", meanwhile)
    take(path).close()
    assert refused == [path]


def test_where_the_shared_folder_cannot_be_used_every_other_place_is_tried(tmp_path: Path) -> None:
    (tmp_path / "shared").touch()
    long, usable = f"{tmp_path}/{'x' * 100}/1.sock", f"{tmp_path}/own/1.sock"
    place = claim([long, usable, f"{tmp_path}/shared/1.sock"], given=False)
    assert (place.path, place.link) == (usable, "")
    place.close()


def test_a_link_of_a_killed_session_is_replaced_by_our_link(tmp_path: Path) -> None:
    ours, shared = f"{tmp_path}/own/1.sock", f"{tmp_path}/shared/1.sock"
    (tmp_path / "shared").mkdir(mode=0o700)
    os.symlink(f"{tmp_path}/gone", shared)
    place = claim([ours, shared], given=False)
    assert (place.link, os.readlink(shared)) == (shared, ours)
    place.close()


def test_the_other_side_is_who_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def getsockopt(level: int, option: int, size: int) -> bytes:
        assert (level, option, size) == (socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.pack("=iII", 4711, 65537, 258)

    connection: Any = SimpleNamespace(getsockopt=getsockopt)
    assert endpoint.peer_of(connection) == (4711, 65537)
    monkeypatch.delattr("_socket.SO_PEERCRED")
    assert endpoint.peer_of(connection) is None
