"""Hosts for the engine systemd that answer with recorded output, by the script that they are given."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from engines.driver import Driver, said
from export.plans import plan_of
from procman.core.model.destination import Destination
from procman.core.model.plan import RestartPolicy
from procman.engines.calls import Outcome
from procman.engines.hosts import host_scripts
from procman.engines.hosts.systemd_engine import Systemd
from procman.engines.interface import Release, Target
from procman.export.options import ExportOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.calls import Call

HERE = Path(__file__).parent
PROBED = "login=deploy\nhome=/home/deploy\nsystemd=257\ntar=yes\nfolder=link\nlinger=no\n"
LOST = Outcome(255, b"", b"ssh: connect to host b port 22: No route to host\r\n")
SCRIPTS = {
    script: name
    for name, script in vars(host_scripts).items()
    if name.isupper() and not name.startswith("_") and isinstance(script, str) and "\n" in script
}
TYPES = ("web", "worker", "clock", "release", "sick", "job")  # as in the recorded record
LINES = "web: ./web\nworker: ./worker\nclock: ./clock\nrelease: ./migrate\nsick: ./sick\njob: ./job\n"


@dataclass
class FakeHosts:
    """Answers each script: with what ``answers`` has for (script, host) or for the script, else like hosts that work.

    Two hosts run what was recorded: web.1 and sick.1 on a, web.2, worker.1 and job.1 on b.
    """

    answers: dict[object, Outcome] = field(default_factory=dict)
    log: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    inputs: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def __call__(self, call: Call) -> Outcome:
        if call.argv[0] != "ssh":
            return self._here(call)
        found = self._there(call)
        return replace(found, out=f"{host_scripts.MARK}\n".encode() + found.out) if found.ok else found

    def _there(self, call: Call) -> Outcome:
        host = call.argv[call.argv.index("--") + 1]
        name, words = script_of(call)
        self.log.append((name, host, words))
        self.inputs[name, host] = call.stdin
        found = self.answers.get((name, host), self.answers.get(name))
        if found is not None:
            return found
        if name == "SHOW":
            return Outcome(0, (HERE / f"show_{host[-1]}.txt").read_bytes())
        return said(
            {"PROBE": PROBED, "LAUNCH": "25100.5 1796009360\n", "TARGETS": "25100.5 1796009360\n"}.get(name, "")
        )

    @staticmethod
    def _here(call: Call) -> Outcome:
        if call.argv[:2] == ("git", "ls-files"):
            tracked, others = "Procfile\0web\0.env\0.env.example\0", ".env.production\0procman.local.toml\0vendor/\0"
            return said({"--cached": tracked, "--others": others}.get(call.argv[3], ""))
        return Outcome(0, archive_of()) if call.argv[0] == "tar" else said()

    def scripts(self, *but: str) -> list[str]:
        """Return the scripts in the order in which they ran, one after the other on all hosts."""
        names = [name for name, _, _ in self.log if name not in but]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]

    def words(self, script: str, host: str) -> tuple[str, ...]:
        """Return the arguments of the last call of a script on a host, without the application and its folder."""
        return next(words for name, other, words in reversed(self.log) if (name, other) == (script, host))


def archive_of(**members: tuple[bytes, int, str]) -> bytes:
    """Return an archive of members: their type as in ``tarfile``, mode and link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, (kind, mode, link) in members.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.type, entry.mode, entry.linkname = kind, mode, link
            archive.addfile(entry)
    return buffer.getvalue()


def script_of(call: Call) -> tuple[str, tuple[str, ...]]:
    """Return the name of a call's script, and its arguments."""
    import shlex

    words = shlex.split(call.argv[-1])
    text = words[5]
    name = SCRIPTS[max((script for script in SCRIPTS if text.endswith(script)), key=len)]
    return name, tuple(words[9:])


def engine(**keys: object) -> Systemd:
    """Return the engine for two hosts."""
    destination = Destination("lan", "procman.toml:1")
    vars(destination).update({"engine": "systemd", "hosts": ("deploy@a", "deploy@b"), "folder": "/srv/shop"}, **keys)
    return Systemd(Target(destination, "shop", TYPES, "/home/me/shop"))


def release(counts: dict[str, int] | None = None, **values: str) -> Release:
    """Return version 2, which has room for four instances of each type."""
    wanted = {name: 0 for name in TYPES if name != "release"} | (counts or {"web": 2, "worker": 1, "job": 1})
    plan = plan_of(LINES, {"job": {"restart": RestartPolicy("never")}}, "all=4,release=1", **values)
    options = ExportOptions("shop", target_dir="/srv/shop", replicas=wanted)
    return Release("lan", "v2", "", plan, options, wanted, 60.0)


def driver(hosts: FakeHosts) -> Driver:
    """Return a driver whose clock is that of the recording."""
    return Driver(hosts, time=1796009370.0)
