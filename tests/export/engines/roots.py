"""Debian systems in folders, built once by debootstrap and cached, and one of them booted with systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import harness
from export.engines.cgroups import ControlGroups
from export.rig import LIMIT, attempt, call, cannot, need, wait_for

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "procman-tests"
BUILD_LIMIT = 420.0  # seconds; it takes one minute with a fast mirror
PACKAGES = {
    "bookworm": "systemd,libpam-systemd,dbus,dbus-user-session,openssh-server,sudo",
    "trixie": "systemd,libpam-systemd,dbus,dbus-user-session,docker-compose,podman,crun,busybox-static,"
    "openssh-server,sudo",
}


def root(suite: str) -> Path:
    """Return the folder of a Debian system. Build it if it is not in the cache."""
    need("debootstrap", root=True)
    packages = PACKAGES[suite]
    folder = CACHE / suite
    CACHE.mkdir(parents=True, exist_ok=True)
    with harness.alone(CACHE / f"{suite}.lock"):
        if not _is_there(folder, packages):
            _build(suite, folder, packages)
    return folder / "root"


def _is_there(folder: Path, packages: str) -> bool:
    return (folder / "packages").is_file() and (folder / "packages").read_text() == packages


def _build(suite: str, folder: Path, packages: str) -> None:
    draft = CACHE / f"{suite}.{uuid.uuid4().hex}"
    try:
        # Without a mirror, debootstrap uses the suite's own.
        words = ("--variant=minbase", f"--include={packages}", suite, draft / "root")
        done = attempt("debootstrap", *words, limit=BUILD_LIMIT)
        if done.returncode:
            cannot(f"debootstrap {suite}: {done.stdout[-400:]}")
        (draft / "packages").write_text(packages)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class Machine:
    """A Debian system with systemd as PID 1 in its own namespaces. Its changes stay in memory and end with it."""

    def __init__(self, suite: str, shared: Path, bridge: str = "", suspended: int = 0) -> None:
        """Boot the system. ``shared`` is one of our folders, which the machine sees under the same name.

        With a ``bridge``, it has a network interface there, called host0 inside. ``suspended`` are the seconds that it
        seems to have slept since its boot, if the kernel has namespaces of time.
        """
        need("systemd-nspawn", "nsenter", root=True)
        self.console = shared / "console.log"
        self.grows = suite != "bookworm"  # whether its systemd (254 or later) can wait longer after each failure
        self.name = f"procman-{uuid.uuid4().hex[:12]}"
        clock = ["unshare", "--time", "--boottime", str(suspended)]
        argv = [
            *(clock if suspended and attempt(*clock, "true").returncode == 0 else ()),
            *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--volatile=overlay"),
            f"--network-bridge={bridge}" if bridge else "--private-network",
            *(f"--machine={self.name}", f"--directory={root(suite)}", f"--bind={shared}", "--boot"),
        ]
        with self.console.open("wb") as console:
            self._groups = ControlGroups(self.name, shared)
            self.process = subprocess.Popen(
                self._groups.within(argv), stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        try:
            wait_for(self._leader, "the machine has a PID 1")
            self.leader = self._leader()
            wait_for(self._is_up, "systemd is up")
        except BaseException as error:
            if hasattr(self, "leader"):
                for words in (("systemctl", "list-jobs"), ("systemctl", "is-system-running")):
                    error.add_note(self.attempt(*words).stdout)
            error.add_note(self.console.read_text(errors="replace")[-2000:])
            self.end()
            raise

    def _leader(self) -> int:
        """Return the machine's PID 1. At first, nspawn briefly has another child, which sets up the mounts."""
        assert self.process.poll() is None, f"systemd-nspawn: {self.console.read_text(errors='replace')[-800:]}"
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(child) for child in children if _is_pid_1(child)), 0)

    def _is_up(self) -> bool:
        """Return whether its own services are up, without the others that a bare machine lacks, such as a network."""
        return self.attempt("systemctl", "is-active", "basic.target").stdout.split()[-1:] == ["active"]

    @property
    def folder(self) -> Path:
        """Return the machine's root as we see it."""
        return Path(f"/proc/{self.leader}/root")

    def _inside(self, *argv: str) -> list[str]:
        return self._groups.within(["nsenter", "--target", str(self.leader), "--all", "--", *argv])

    def call(self, *argv: str) -> str:
        """Run a program in the machine, which must succeed."""
        return call(*self._inside(*argv), env=_ENVIRONMENT)

    def attempt(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the machine, which may fail."""
        return attempt(*self._inside(*argv), env=_ENVIRONMENT)

    def end(self) -> None:
        """Power off from inside, since nspawn cannot do it for a machine that is not registered."""
        if self.process.poll() is None and hasattr(self, "leader"):
            self.attempt("systemctl", "poweroff", "--no-wall")
            try:
                self.process.wait(LIMIT / 2)
            except subprocess.TimeoutExpired:
                pass
        if self.process.poll() is None:
            self.process.kill()  # this kills its PID 1, by --kill-on-death, and so the whole namespace
            self.process.wait(LIMIT)
        self._groups.remove()


def _is_pid_1(pid: str) -> bool:
    """Return whether it is the first process of a namespace other than ours."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(numbers) > 1 and numbers[-1] == "1"


_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
