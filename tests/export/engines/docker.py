"""Docker daemons in network namespaces joined by a bridge, and an image with the witness."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import uuid
from http import HTTPStatus
from pathlib import Path

from export.rig import LIMIT, attempt, call, cannot, need, parse_environ, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "procman-witness:1"
BUSYBOX = "/bin/busybox"

WITNESS = r"""#!/bin/sh
# Log what it is given, and run until TERM, which it answers after a while.
echo "environ $(base64 /proc/self/environ | tr -d '\n')"
echo "arguments $(printf '%s\0' "$@" | base64 | tr -d '\n')"
trap 'sleep 0.3; echo bye >&2; exit 0' TERM
echo up
while :; do sleep 0.1 & wait $!; done
"""


def image() -> bytes:
    """Return a tar file of a root with busybox and the witness. ``docker import`` makes an image of it."""
    programs = attempt(BUSYBOX, "--list").stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "app", "app/mail"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        tar.add(BUSYBOX, "bin/busybox")
        for program in programs:
            link = tarfile.TarInfo(f"bin/{program}")
            if program != "busybox":
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        _add(tar, "app/witness", WITNESS.encode(), 0o755)
        _add(tar, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n", 0o644)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


# For each container, the daemon first looks for the image in the registry, and uses its own copy if that fails. Without
# this mount, that takes 20 seconds if no name server answers.
OFFLINE = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class Container:
    """A container as its log shows it."""

    def __init__(self, log: str) -> None:
        self.lines = log.splitlines()

    @property
    def is_up(self) -> bool:
        return "up" in self.lines

    @property
    def said_bye(self) -> bool:
        return "bye" in self.lines

    @property
    def environ(self) -> dict[str, str]:
        return parse_environ(self._told("environ"))

    @property
    def arguments(self) -> list[bytes]:
        return self._told("arguments").split(b"\0")[:-1]

    def _told(self, what: str) -> bytes:
        line = next(line for line in self.lines if line.startswith(f"{what} "))
        return base64.b64decode(line.split()[1])


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a daemon's own socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Node:
    """A dockerd in its own network and mount namespaces."""

    def __init__(self, folder: Path, network: Network, number: int) -> None:
        self.address = f"{network.subnet}.{number}"
        self.name = f"{network.name}{number}"
        network.plug(self.name, self.address)
        self.folder = folder / str(number)
        self.folder.mkdir(parents=True)
        self.socket = f"unix://{self.folder}/sock"
        places = ("--data-root", "data", "--exec-root", "run", "--pidfile", "pid")
        argv = [
            *("nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "--"),
            *("sh", "-c", OFFLINE, self._names_from_nobody(), "dockerd", "-H", self.socket),
            *(str(self.folder / word) if at % 2 else word for at, word in enumerate(places)),
        ]
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _names_from_nobody(self) -> str:
        path = self.folder / "resolv.conf"
        path.write_text("nameserver 127.0.0.1\n")
        return str(path)

    def wait(self) -> None:
        """Wait until the daemon answers."""

        def answers() -> bool:
            assert self.process.poll() is None, f"dockerd ended: {self.log.read_text(errors='replace')[-800:]}"
            try:
                return self._ask("/_ping") == b"OK"
            except OSError:
                return False

        wait_for(answers, "dockerd answers")

    def call(self, *words: str | Path) -> str:
        """Run the docker command, which must succeed, against this daemon."""
        return call(self._program, "-H", self.socket, *words)

    def attempt(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the docker command, which may fail, against this daemon."""
        return attempt(self._program, "-H", self.socket, *words)

    @property
    def _program(self) -> Path:
        """Return the docker command of the same package, since PATH may have another version first."""
        return Path(shutil.which("dockerd") or "").resolve().parents[1] / "bin" / "docker"

    def load(self, tar: bytes) -> None:
        """Import the image with the witness."""
        argv = [str(self._program), "-H", self.socket, "import", "--change", "WORKDIR /app", "-", IMAGE]
        subprocess.run(argv, input=tar, check=True, timeout=LIMIT, stdout=subprocess.DEVNULL)

    def containers(self, every: bool = False, of: str = "") -> Iterator[Container]:
        """Return the running containers; with ``every``, also those that have ended; with ``of``, those of a stack."""
        for number in self.running(every, of):
            yield Container(self._log(number))

    def running(self, every: bool = False, of: str = "") -> list[str]:
        """Return the IDs of the running containers; the arguments are those of `containers`."""
        found = json.loads(self._ask(f"/containers/json?all={str(every).lower()}"))
        return [str(one["Id"]) for one in found if not of or any(name.startswith(f"/{of}") for name in one["Names"])]

    def _log(self, number: str) -> str:
        """Return what a container wrote: frames of both streams, with the length in the last 4 of 8 header bytes."""
        data, text = self._ask(f"/containers/{number}/logs?stdout=true&stderr=true"), b""
        while data:
            end = 8 + int.from_bytes(data[4:8], "big")
            text, data = text + data[8:end], data[end:]
        return text.decode(errors="replace")

    def _ask(self, path: str) -> bytes:
        """Query the daemon directly, since the tests poll and the docker command takes 0.1 seconds."""
        connection = _UnixConnection(self.socket.removeprefix("unix://"))
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read() if answer.status == HTTPStatus.OK else b"" if "/logs" in path else b"[]"
        finally:
            connection.close()

    def end(self) -> None:
        """Stop the daemon, which stops its containers, and whatever still uses its folder."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(LIMIT / 2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(LIMIT)
        for pid in self._left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it has just ended
        shutil.rmtree(self.folder, ignore_errors=True)

    def _left(self) -> list[int]:
        """Return our processes by network namespace or command line: containerd, its shims, and containers."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


class Network:
    """A bridge and a network namespace for each node."""

    def __init__(self) -> None:
        need("ip", "nsenter", "unshare", root=True)
        self.name = f"pm{uuid.uuid4().hex[:8]}"
        self.subnet = "10.213.77"
        self.namespaces: list[str] = []
        if attempt("ip", "link", "add", self.name, "type", "bridge").returncode:
            cannot("a bridge cannot be made here")
        call("ip", "link", "set", self.name, "up")

    def plug(self, name: str, address: str) -> None:
        """Create a namespace with a link to the bridge."""
        outer, inside = f"{name}o", ("ip", "-n", name)
        call("ip", "netns", "add", name)
        self.namespaces.append(name)
        call("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
        call("ip", "link", "set", outer, "master", self.name, "up")
        call(*inside, "link", "set", "lo", "up")
        call(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
        call(*inside, "link", "set", "eth0", "up")
        call(*inside, "route", "add", "default", "via", f"{self.subnet}.254")

    def end(self) -> None:
        """Remove everything again."""
        for name in self.namespaces:
            attempt("ip", "netns", "delete", name)
            attempt("ip", "link", "delete", f"{name}o")
        attempt("ip", "link", "delete", self.name)


class Cluster:
    """A number of nodes. With several, they are a Swarm managed by the first."""

    def __init__(self, count: int) -> None:
        need("dockerd", BUSYBOX, root=True)
        self.folder = Path(tempfile.mkdtemp(prefix="procman-docker-", dir="/var/tmp"))
        self.nodes: list[Node] = []
        self.network = Network()
        try:
            self.nodes += [Node(self.folder, self.network, number) for number in range(1, count + 1)]
            for node in self.nodes:
                node.wait()
                node.load(image())
            if count > 1:
                self._join()
        except BaseException:
            self.end()
            raise

    def _join(self) -> None:
        manager, *workers = self.nodes
        manager.call("swarm", "init", "--advertise-addr", manager.address)
        token = manager.call("swarm", "join-token", "-q", "worker").strip()
        for worker in workers:
            worker.call("swarm", "join", "--token", token, "--advertise-addr", worker.address, manager.address)
        # A node that has joined gets no task before its manager knows that it is ready.
        ready = ["Ready"] * len(self.nodes)
        wait_for(lambda: manager.call("node", "ls", "--format={{.Status}}").split() == ready, "all nodes are ready")

    def end(self) -> None:
        """Stop everything, in whatever state it is."""
        for node in self.nodes:
            node.end()
        self.network.end()
        shutil.rmtree(self.folder, ignore_errors=True)
