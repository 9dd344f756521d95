"""The docker command: its calls at a context, and its errors as sentences."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import wraps

from procman.engines.calls import TIMEOUT, Call
from procman.engines.interface import EngineError
from procman.export.grammar import no_expansion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import ParamSpec, TypeVar

    from procman.core.model.destination import Destination
    from procman.engines.calls import Outcome

    P = ParamSpec("P")
    T = TypeVar("T")

_TOO_NEW = "unset DOCKER_API_VERSION, or update the daemon"
_REFUSALS = (  # what docker says, what we say, a hint
    ("cannot connect to the docker daemon", "the Docker daemon {where} does not answer", "is it running?"),
    ("error during connect", "the Docker daemon {where} does not answer{why}", "check the address and the way to it"),
    ("permission denied while trying to connect", "you may not use the Docker daemon {where}", "join the group docker"),
    ("context not found", "docker has no context {context}", "docker context ls lists them"),
    ("this node is not a swarm manager", "the Docker daemon {where} is not a manager of a swarm", "docker swarm init"),
    ("too old. minimum supported api", "the docker command here is too old for the Docker daemon {where}", "update it"),
    ("too new. maximum supported api", "the docker command here is too new for the Docker daemon {where}", _TOO_NEW),
    ("the swarm does not have a leader", "the swarm has no leader", "more than half of its managers must be up"),
)
# What an error of the connection ends with: what ssh wrote, or what failed on the network.
_WHY = re.compile(r"stderr=(?:.*\n)*?(.*\S)\s*\Z|: ((?:dial|tls|x509)\b.*\S)\s*\Z")
_PORT = re.compile(
    r"port '?(\d+)'? is already in use|:(\d+)(?:: bind: address already in use| failed: port is already al)"
)
_NO_CONTEXT = ('context "', "not found")
_NO_CREDENTIALS = ("unauthorized", "no basic auth", "denied", "authentication required")
_BREAK = re.compile(r"[\r\n]")
_OF_DOCKER = ("PATH", "HOME")  # variables that docker itself reads
_SHOWN = 80  # characters
_NO_NETWORK = re.compile(r"network \S+ not found")
API_VERSION = ("version", "--format", "{{.Server.APIVersion}}")  # the words that print it
_OLDEST_API = (1, 41)  # Docker 20.10
_NOTHING: Mapping[str, str] = {}


class Docker:
    """Makes calls of the docker command for a destination, and errors of their outcomes.

    The context of the destination is the name of a context, or an address such as ssh://deploy@host.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        context = destination.context
        self._prefix = ("docker", "--host" if "://" in context else "--context", context) if context else ("docker",)

    def __call__(
        self, *words: str, stdin: bytes = b"", timeout: float | None = TIMEOUT, env: Mapping[str, str] = _NOTHING
    ) -> Call:
        """Return a call of docker with these words."""
        return Call((*self._prefix, *words), stdin, timeout, env, shown=" ".join(("docker", *words[:2])))

    def require(self, outcome: Outcome, what: str) -> Outcome:
        """Return the outcome. Raises EngineError if the call failed: ``what`` begins its sentence."""
        if outcome.ok:
            return outcome
        raise self.error(outcome, what)

    def error(self, outcome: Outcome, what: str) -> EngineError:
        """Return the error for a call that failed."""
        said = (outcome.err or outcome.out).decode("utf-8", "replace")
        text, why = said.lower(), _WHY.search(said)
        context = self._destination.context
        where = f"at {context}" if context else "here"
        because = f": {why[1] or why[2]}" if why else ""
        for sign, sentence, hint in _REFUSALS:
            if sign in text:
                return EngineError(sentence.format(where=where, context=context, why=because), hint)
        if port := _PORT.search(said):
            hint = "another application has it there; port in procman.toml gives this one others"
            return EngineError(f"the port {port[1] or port[2]} is already in use {where}", hint)
        if all(sign in text for sign in _NO_CONTEXT):
            return EngineError(f'docker has no context "{context}"', "docker context ls lists them")
        if _NO_NETWORK.search(text):
            hint = "restart this Docker daemon, or choose another name with app in the destination's table"
            return EngineError(f"the Docker daemon {where} has kept a network that the swarm does not have", hint)
        return EngineError(f"{what}: {outcome.complaint}", exit_code=124 if outcome.code == 124 else 1)


@dataclass(frozen=True, slots=True)
class Variables:
    """How docker learns the variables of a container: by options, and what its call gets. No value is an argument."""

    options: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str]


def variables(values: Mapping[str, str]) -> Variables:
    """Return how docker learns these variables: from its standard input, one a line.

    A value with a line break comes from docker's own environment. Raises EngineError if docker could not run with it.
    """
    broken = {name: value for name, value in values.items() if _BREAK.search(value)}
    for name in broken:
        if name in _OF_DOCKER or name.startswith(("DOCKER_", "LD_")):
            raise EngineError(f"{name} has a value with a line break, which docker cannot pass on")
    lines = "".join(f"{name}={value}\n" for name, value in values.items() if name not in broken)
    options = (*(("--env-file=/dev/stdin",) if lines else ()), *(f"--env={name}" for name in broken))
    return Variables(options, lines.encode(), broken)


def without_expansion(value: object) -> object:
    """Return part of a file of Compose or of a stack in which Docker expands no variable: each ``$`` is doubled."""
    if isinstance(value, str):
        return no_expansion(value)
    if isinstance(value, dict):
        return {key: without_expansion(one) for key, one in value.items()}
    return [without_expansion(one) for one in value] if isinstance(value, list) else value


def require_new_enough(version: str) -> None:
    """Raise EngineError if the daemon with this version of the API is too old."""
    found = tuple(int(part) for part in version.strip().split(".") if part.isdecimal())
    if found and found < _OLDEST_API:
        raise EngineError(f"Docker with the API {version.strip()} is too old", "20.10 is the oldest that works")


def pull_hint(complaint: str) -> str:
    """Return a hint for an image that cannot be pulled."""
    if any(sign in complaint.lower() for sign in _NO_CREDENTIALS):
        return "its registry wants other credentials: docker login"
    return "build and push it, or check its name"


def json_lines(text: str) -> Iterator[dict[str, object]]:
    """Yield the objects that docker prints, a line each, with ``--format {{json .}}``."""
    return (json.loads(line) for line in text.splitlines() if line.startswith("{"))


def understood(read: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that reads what docker prints: for anything else, it raises EngineError, which shows it."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
            first = next((line for line in str(args[0]).splitlines() if line.strip()), "").strip()
            shown = f"{first[:_SHOWN]}…" if len(first) > _SHOWN else first
            hint = "is the docker on PATH another program, or one that adds output of its own?"
            raise EngineError(f"docker printed what procman does not understand: {shown}", hint) from error

    return reading
