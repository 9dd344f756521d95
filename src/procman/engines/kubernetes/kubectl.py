"""Commands for kubectl: each names the context and the namespace, and may not wait forever for the cluster."""

from __future__ import annotations

import json
import re

from procman.engines.calls import Call, run, run_together
from procman.engines.kubernetes.kubectl_errors import error_of, unexpected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from procman.engines.calls import Outcome, Steps
    from procman.engines.interface import EngineError

    Object = dict[str, Any]  # as the API returns it

OWNER = "procman"  # who manages the fields of an object, for server-side apply
_NAMES = '{range .items[*]}{.apiVersion} {.kind} {.metadata.name} {.metadata.ownerReferences[0].kind}{"\\n"}{end}'
_OWNER = r"{.metadata.labels.app\.kubernetes\.io/managed-by}={.metadata.labels.app\.kubernetes\.io/name}"
_OWNERS = f'{{range .items[*]}}{{.apiVersion}} {{.kind}} {{.metadata.name}} {_OWNER}{{"\\n"}}{{end}}'
_WORDS = 4  # in a line of names
# kubectl would read the schema of the whole cluster for each call, some MB, to refuse what the server refuses anyway:
# it applies no field that it does not know.
_UNCHECKED = "--validate=false"
_READ = 10  # seconds that a request may take
_WRITE = 40  # seconds: the cluster may call others, which have 30 s
_LOGS = 30  # seconds, to read all of the output of a pod
_TRIES = 3  # requests that a command may make in vain, such as to find out what the cluster knows


class Kubectl:
    """kubectl for one namespace of one cluster."""

    def __init__(self, context: str, namespace: str) -> None:
        self.context = context
        self.namespace = namespace
        self._is_settled = bool(context and namespace)

    def settle(self) -> Steps[None]:
        """Find out which context and namespace apply if they are not given.

        The current context of a kubeconfig can change at any time, and a deployment must not end in another cluster.
        """
        if self._is_settled:
            return
        self._is_settled = True
        where = ("--context", self.context) if self.context else ()
        outcome = yield from run(Call(("kubectl", *where, "config", "view", "--minify", "-o", "json")))
        if not outcome.ok and self.context:
            raise error_of(outcome, self.context)
        if outcome.ok:
            config = parsed(outcome)
            used: Object = next(
                (one for one in config.get("contexts") or () if one["name"] == config["current-context"]), {}
            )
            self.context = self.context or used.get("name", "")
            self.namespace = self.namespace or used.get("context", {}).get("namespace", "")
        self.namespace = self.namespace or "default"

    def argv(self, *words: str) -> tuple[str, ...]:
        """Return a command in this namespace."""
        where = ("--context", self.context) if self.context else ()
        return ("kubectl", *where, "--namespace", self.namespace or "default", *words)

    def call(self, *words: str, stdin: bytes = b"") -> Call:
        """Return a call that requests something from the cluster."""
        seconds = {"get": _READ, "version": _READ, "logs": _LOGS}.get(words[0], _WRITE)
        argv = self.argv(f"--request-timeout={seconds}s", *words)
        return Call(argv, stdin, float(_TRIES * seconds), shown=f"kubectl {words[0]}")

    def error(self, outcome: Outcome) -> EngineError:
        """Return what went wrong, as an error for the user."""
        return error_of(outcome, self.context, self.namespace)

    def ask(self, *words: str, stdin: bytes = b"") -> Steps[Outcome]:
        """Run a command. Raises EngineError if it fails."""
        yield from self.settle()
        return self.checked((yield from run(self.call(*words, stdin=stdin))))

    def ask_together(self, commands: Iterable[Sequence[str]]) -> Steps[None]:
        """Run commands at the same time. Raises EngineError if one of them fails."""
        yield from self.settle()
        calls = [self.call(*words) for words in commands]
        for outcome in (yield from run_together(calls)) if calls else ():
            self.checked(outcome)

    def checked(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a call. Raises EngineError if it has failed."""
        if not outcome.ok:
            raise self.error(outcome)
        return outcome

    def listed(self, kinds: Sequence[str], selector: str) -> Steps[list[Object]]:
        """Return all objects of some kinds that have these labels, but for the Jobs that a CronJob makes."""
        yield from self.settle()
        return self.own((yield from run(self.listing(kinds, selector))))

    def listing(self, kinds: Sequence[str], selector: str) -> Call:
        """Return the call whose answer ``own`` reads."""
        return self.call("get", ",".join(kinds), "-l", selector, "-o", "json")

    def own(self, outcome: Outcome) -> list[Object]:
        """Return the objects in the answer of a call of ``listing``."""
        found = items_of(self.checked(outcome))
        return [one for one in found if one["kind"] != "Job" or not one["metadata"].get("ownerReferences")]

    def names(self, kinds: Sequence[str], selector: str) -> Steps[set[str]]:
        """Return the names of what ``listed`` returns, without the contents: they may be secret."""
        yield from self.settle()
        return self.named((yield from run(self.naming(kinds, selector))))

    def naming(self, kinds: Sequence[str], selector: str) -> Call:
        """Return the call whose answer ``named`` reads."""
        return self.call("get", ",".join(kinds), "-l", selector, "-o", f"jsonpath={_NAMES}")

    def named(self, outcome: Outcome) -> set[str]:
        """Return the names in the answer of a call of ``naming``."""
        rows = [line.split(" ") for line in self.checked(outcome).text.splitlines()]
        if any(len(row) != _WORDS for row in rows):
            raise unexpected(outcome)
        return {_named(version, kind, name) for version, kind, name, owner in rows if kind != "Job" or not owner}

    def owning(self, kinds: Sequence[str]) -> Call:
        """Return the call whose answer ``owners`` reads: about all objects of some kinds, ours and those of others."""
        return self.call("get", ",".join(kinds), "-o", f"jsonpath={_OWNERS}")

    def owners(self, outcome: Outcome) -> dict[str, str]:
        """Return who manages each object and what it is of, such as ``procman=shop``, by the name of the object."""
        rows = [line.split(" ") for line in self.checked(outcome).text.splitlines()]
        if any(len(row) != _WORDS for row in rows):
            raise unexpected(outcome)
        return {_named(version, kind, name): owner for version, kind, name, owner in rows}

    def found(self, name: str) -> Steps[Object | None]:
        """Return one object, called ``KIND/NAME``; None if it does not exist."""
        outcome = yield from self.ask("get", name, "--ignore-not-found", "-o", "json")
        return parsed(outcome) if outcome.text.strip() else None

    def apply(self, objects: Iterable[Object], *flags: str) -> Steps[Outcome]:
        """Apply objects. Their text goes through standard input, since it may hold secrets."""
        yield from self.settle()
        return self.checked((yield from run(self.applying(objects, *flags))))

    def applying(self, objects: Iterable[Object], *flags: str) -> Call:
        """Return the call that applies objects."""
        words = ("apply", "--server-side", "--force-conflicts", f"--field-manager={OWNER}", _UNCHECKED, *flags)
        return self.call(*words, "-f", "-", stdin=as_list(objects))

    def delete(self, names: Sequence[str]) -> Steps[None]:
        """Delete objects, called ``KIND/NAME``, without waiting for their end."""
        if names:
            yield from self.settle()
            self.checked((yield from run(self.deleting(names))))

    def deleting(self, names: Sequence[str]) -> Call:
        """Return the call that deletes objects."""
        return self.call("delete", *names, "--wait=false", "--ignore-not-found")


def parsed(outcome: Outcome) -> Object:
    """Return the object that a call has printed. A wrapper of kubectl may print something else."""
    try:
        found = json.loads(outcome.text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise unexpected(outcome)
    return found


def items_of(outcome: Outcome) -> list[Object]:
    """Return the items of the list that a call has printed."""
    items = parsed(outcome).get("items")
    if not isinstance(items, list):
        raise unexpected(outcome)
    return items


def as_list(objects: Iterable[Object]) -> bytes:
    """Return objects as one that kubectl reads."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}).encode()


def name_of(found: Object) -> str:
    """Return the name of an object for a command: ``deployment.apps/shop-web``."""
    return _named(found["apiVersion"], found["kind"], found["metadata"]["name"])


def _named(version: str, kind: str, name: str) -> str:
    group = version.rpartition("/")[0]
    return f"{kind.lower()}{f'.{group}' if group else ''}/{name}"


def minor_of(version: Object) -> int:
    """Return the minor version; clouds write ``29+``."""
    found = re.match(r"\d+", version.get("minor", ""))
    return int(found[0]) if found else 0
