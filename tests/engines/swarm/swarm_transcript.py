"""Answers the calls of the Swarm engine from what a real swarm of two nodes said, recorded in a file of swarm/."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from engines.driver import Driver, said
from engines.scripted import destination
from procman.engines.interface import Target
from procman.engines.swarm.swarm_engine import Swarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.calls import Call, Outcome

TYPES = ("web", "worker", "release", "clock")
FOLDER = Path(__file__).parent


class Transcript:
    """A docker command at one moment of a swarm. ``configs`` and ``secrets`` can be created and removed."""

    def __init__(self, name: str) -> None:
        self.state: dict[str, list[dict[str, Any]]] = json.loads((FOLDER / f"{name}.json").read_text())
        for service in self.state["services"]:
            service["Name"] = service["Spec"]["Name"]
        self.configs: dict[str, tuple[dict[str, str], bytes]] = {}
        self.secrets: dict[str, bytes] = {}
        self.ids: dict[str, str] = {}  # of configs: their names
        self.created = 0  # configs
        self.stdin: dict[str, bytes] = {}  # what commands were given, by their names

    def __call__(self, call: Call) -> Outcome:
        words = [word for word in call.argv[1:] if word != "--quiet"]
        if words[0] in ("--context", "--host"):
            words = words[2:]
        self.stdin[" ".join(words[:2])] = call.stdin
        match words:
            case ["stack", "ps", *_]:
                return said("".join(json.dumps(row) + "\n" for row in self.state["ps"]))
            case ["node", "ls", *_]:
                return said("".join(json.dumps(row) + "\n" for row in self.state["nodes"]))
            case ["service", "ls", *_]:
                return said("".join(f"{one['ID']}\n" for one in self.state["services"]))
            case ["service", "inspect", *names]:
                known = {one[key]: one for one in self.state["services"] for key in ("ID", "Name")}
                found = [known[name] for name in names if name in known]
                return said(json.dumps(found), int(len(found) < len(names)))
            case ["inspect", "--type", "task", *ids]:
                return said(json.dumps([one for one in self.state["tasks"] if one["ID"] in ids]))
            case ["version", *_]:
                return said("1.41\n")
            case [("config" | "secret") as kind, *rest]:
                return self._object(kind, rest, call.stdin)
        return said()

    def _object(self, kind: str, words: list[str], stdin: bytes) -> Outcome:
        names = list(self.configs if kind == "config" else self.secrets)
        if words[0] == "ls":
            return said("".join(f"{name}\n" for name in names))
        name = words[-2] if words[0] == "create" else words[-1]
        if words[0] == "create" and name in names:
            return said("", 1, f"Error response from daemon: config {name} already exists\n")
        if words[0] == "create":
            pairs = [word.partition("=")[2].partition("=") for word in words if word.startswith("--label=")]
            self.secrets[name] = stdin
            if kind == "config":
                del self.secrets[name]
                self.configs[name] = ({key: value for key, _, value in pairs}, stdin)
                self.created += 1
                self.ids = {number: one for number, one in self.ids.items() if one != name}
                self.ids[f"id{self.created}"] = name
                return said(f"id{self.created}\n")
        elif words[0] == "rm":
            for word in words[1:]:
                one = self.ids.pop(word, word)
                (self.configs if kind == "config" else self.secrets).pop(one, None)
        elif name not in self.configs:
            return said("", 1, f"Error: no such config: {name}\n")
        else:
            labels, data = self.configs[name]
            spec = {"Labels": labels, "Data": base64.b64encode(data).decode()}
            number = next(number for number, one in self.ids.items() if one == name)
            return said(json.dumps({"ID": number, "Spec": spec} if "{{json .}}" in words else spec))
        return said()


def swarm(name: str) -> tuple[Swarm, Driver, Transcript]:
    """Return the engine, a driver, and the swarm at that moment."""
    transcript = Transcript(name)
    engine = Swarm(Target(destination(engine="swarm", context="prod"), "fleet", TYPES, "/fleet"))
    return engine, Driver(transcript), transcript
