"""Two Debian systems with sshd on a bridge, and a key, a known_hosts file and an ``ssh`` that belong to the test."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import uuid
from pathlib import Path

from export.engines.roots import Machine
from export.rig import attempt, call, cannot, need, wait_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The first ``ssh`` in PATH: it reads the test's own configuration, never that of the user.
SSH = '#!/bin/sh\nexec {ssh} -F {folder}/ssh_config "$@"\n'
CONFIG = """\
Host {names}
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    LogLevel ERROR
"""


class Host:
    """A machine that ssh reaches by a name."""

    def __init__(self, name: str, address: str, machine: Machine) -> None:
        self.name = name
        self.address = address
        self.machine = machine

    @property
    def root(self) -> Path:
        """Return the machine's root as we see it."""
        return self.machine.folder

    def plug(self) -> None:
        """Give the machine its address. Its system has no program for that, so ours enters its network."""
        inside = ("nsenter", f"--net=/proc/{self.machine.leader}/ns/net", "ip")
        call(*inside, "addr", "add", f"{self.address}/24", "dev", "host0")
        call(*inside, "link", "set", "host0", "up")

    def unplug(self) -> None:
        """Cut the machine off the network."""
        call("nsenter", f"--net=/proc/{self.machine.leader}/ns/net", "ip", "link", "set", "host0", "down")

    def plug_in(self) -> None:
        """Connect it to the network again."""
        call("nsenter", f"--net=/proc/{self.machine.leader}/ns/net", "ip", "link", "set", "host0", "up")

    def add_user(self, name: str, key: str, sudo: bool) -> None:
        """Add an account that the key opens."""
        if name != "root":
            self.machine.call("useradd", "--create-home", "--shell", "/bin/sh", name)
        home = self.root / ("root" if name == "root" else f"home/{name}")
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        (home / ".ssh/authorized_keys").write_text(key)
        self.machine.call("chown", "-R", f"{name}:", f"/{home.relative_to(self.root)}/.ssh")
        if sudo:
            (self.root / "etc/sudoers.d" / name).write_text(f"{name} ALL=(ALL) NOPASSWD: ALL\n")

    def answers(self) -> bool:
        """Return whether sshd listens, and lets in more than root: while the system boots, pam_nologin(8) does not."""
        is_active = self.machine.attempt("systemctl", "is-active", "ssh.service").stdout.strip() == "active"
        return is_active and not (self.root / "run/nologin").exists()

    def key_line(self) -> str:
        """Return the line of known_hosts."""
        kind, key = (self.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
        return f"{self.name},{self.address} {kind} {key}\n"


class Machines:
    """The hosts ``a``, with the newest systemd, and ``b``, with the oldest, which has been suspended for a while.

    Only deploy may use sudo there.
    """

    def __init__(self) -> None:
        need("ip", "ssh", "ssh-keygen", "nsenter", root=True)
        self.folder = Path(tempfile.mkdtemp(prefix="procman-ssh-", dir="/var/tmp"))
        self.bridge = f"pm{uuid.uuid4().hex[:8]}"
        self.subnet = _free_subnet()
        self.hosts: list[Host] = []
        try:
            self._network()
            call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "key")
            for number, (name, suite) in enumerate({"a": "trixie", "b": "bookworm"}.items(), 1):
                self._boot(number, name, suite)
            self._let_in()
        except BaseException:
            self.end()
            raise

    def _network(self) -> None:
        if attempt("ip", "link", "add", self.bridge, "type", "bridge").returncode:
            cannot("a bridge cannot be made here")
        call("ip", "addr", "add", f"{self.subnet}.254/24", "dev", self.bridge)
        call("ip", "link", "set", self.bridge, "up")

    def _boot(self, number: int, name: str, suite: str) -> None:
        shared = self.folder / name
        shared.mkdir()
        host = Host(name, f"{self.subnet}.{number}", Machine(suite, shared, self.bridge, suspended=1000 * (number - 1)))
        self.hosts.append(host)
        host.plug()
        (host.root / "etc/hosts").write_text("127.0.0.1 localhost vm\n")
        (host.root / "etc/hostname").write_text("vm\n")
        key = (self.folder / "key.pub").read_text()
        for user in ("root", "deploy", "alice"):
            host.add_user(user, key, sudo=user == "deploy")

    def _let_in(self) -> None:
        for host in self.hosts:
            wait_for(host.answers, f"sshd of {host.name} is up")
        (self.folder / "known_hosts").write_text("".join(host.key_line() for host in self.hosts))
        names = " ".join(host.name for host in self.hosts)
        addresses = "".join(f"Host {host.name}\n    HostName {host.address}\n" for host in self.hosts)
        (self.folder / "ssh_config").write_text(CONFIG.format(names=names, folder=self.folder) + addresses)
        wrapper = self.folder / "bin/ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(SSH.format(ssh=shutil.which("ssh"), folder=self.folder))
        wrapper.chmod(0o755)

    @property
    def env(self) -> Mapping[str, str | None]:
        """Return the variables for a command that is to reach the hosts. No agent may open them."""
        (self.folder / "r").mkdir(mode=0o700, exist_ok=True)
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return {"PATH": path, "SSH_AUTH_SOCK": None, "XDG_RUNTIME_DIR": str(self.folder / "r")}

    def disconnect(self) -> None:
        """End the connections that wait for the next command."""
        for socket in (self.folder / "r").glob("procman/*"):
            attempt("ssh", "-S", socket, "-O", "exit", "any")

    def end(self) -> None:
        """Power the machines off, and remove everything again."""
        self.disconnect()
        for host in self.hosts:
            host.machine.end()
        attempt("ip", "link", "delete", self.bridge)
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_subnet() -> str:
    """Return the beginning of addresses that no other run of these tests uses."""
    routes = attempt("ip", "route").stdout
    free = [subnet for number in range(1, 255) if f"{(subnet := f'10.214.{number}')}.0/24" not in routes]
    return random.choice(free)
