"""What kubectl complains about, as sentences for the user."""

from __future__ import annotations

import re

from procman.engines.interface import EXIT_TIMEOUT, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.calls import Outcome

_LOG_IN = "log in to the cluster again, and try kubectl get pods"
_REACH = "is the cluster up, and the context the right one?"
# What kubectl says, the message and the hint. {context} and {namespace} are ours, {0} … the groups.
_KNOWN = tuple(
    (re.compile(pattern), message, hint)
    for pattern, message, hint in (
        (
            r'(?:not found for specified context: |cannot locate context |context ")([^"\s]+)',
            'the context "{0}" is not in the kubeconfig',
            "kubectl config get-contexts lists those that are",
        ),
        (
            r"server localhost:8080 was refused|current-context must exist",
            "kubectl knows no cluster",
            'name a context in [on.NAME], with context = "…", or set KUBECONFIG',
        ),
        (r"error loading config file \"([^\"]+)\": (.*)", "the kubeconfig {0} cannot be read: {1}", ""),
        (r"The connection to the server (\S+) was refused", "the API server {0} refuses connections", _REACH),
        (
            r"logged in to the server|provide credentials|\bUnauthorized\b",
            "the cluster of {context} does not accept the credentials: they are wrong, or have expired",
            _LOG_IN,
        ),
        (
            r"getting credentials: (?:exec: )?(.*)",
            "the program that gets the credentials for {context} failed: {0}",
            _LOG_IN,
        ),
        (r"x509: (.*)", "the certificate of the API server of {context} is not accepted: {0}", ""),
        (
            r"Unable to connect to the server: (?:dial tcp:? ?|net/http: )?(.*)",
            "the API server of {context} cannot be reached: {0}",
            _REACH,
        ),
        (
            r"Client\.Timeout|context deadline exceeded|i/o timeout",
            "the API server of {context} does not answer",
            _REACH,
        ),
        (
            r'namespaces "([^"]+)" not found',
            'the namespace "{0}" does not exist in the cluster of {context}',
            "procman deploy creates it, or kubectl create namespace {0}",
        ),
        (
            r'no matches for kind "(\w+)" in version "([^"]+)"',
            "the cluster of {context} does not know {0} of {1}",
            "it is too old",
        ),
        (r'violates PodSecurity "([^"]+)": (.*)', "the namespace {namespace} ({0}) refuses the pods: {1}", ""),
        (r"exceeded quota: (.*)", "the quota of the namespace {namespace} is exceeded: {0}", ""),
        (r"unknown (?:shorthand )?flag: (.*)", "this kubectl is too old: it does not know {0}", "procman needs 1.24"),
        (
            r"is being (?:deleted|terminated)",
            "the namespace {namespace} is being deleted",
            "deploy again when it is gone",
        ),
        (
            r"\(ServiceUnavailable\)|\(InternalError\)|etcdserver: (.*)",
            "the API server of {context} is in trouble",
            "try again",
        ),
    )
)
_SHOWN = 60  # characters of unexpected output
_PREFIX = re.compile(r"^(?:error: |Error from server(?: \(\w+\))?: |The request is invalid: )+", re.IGNORECASE)
_NOISE = re.compile(r"^(?:[EWI]\d{4} |Warning: |WARNING: |See '|\s*$)")


_FORBIDDEN = re.compile(r'User "([^"]*)" cannot (\w+) resource "([^"]*)"(?:[^\n]*? in the namespace "([^"]*)")?')


def error_of(outcome: Outcome, context: str, namespace: str = "default") -> EngineError:
    """Return the error for a call that failed."""
    said = (outcome.err or outcome.out).decode("utf-8", "replace")
    names = {"context": context or "this machine", "namespace": namespace}
    if outcome.code == EXIT_TIMEOUT:
        return EngineError(f"the API server of {names['context']} does not answer", _REACH, EXIT_TIMEOUT)
    if forbidden := _FORBIDDEN.findall(said):
        return _refusal(forbidden, names["context"])
    for pattern, message, hint in _KNOWN:
        if found := pattern.search(said):
            groups = [(group or "").strip().rstrip(".,;") for group in found.groups()]
            return EngineError(message.format(*groups, **names), hint.format(*groups, **names))
    lines = [line for line in said.splitlines() if not _NOISE.match(line)]
    last = _PREFIX.sub("", lines[-1]).strip() if lines else f"exit code {outcome.code}"
    return EngineError(f"kubectl: {last}")


def _refusal(forbidden: list[tuple[str, str, str, str]], context: str) -> EngineError:
    """Return the error for what a user may not do: all of it, so that one Role can be written for it."""
    user, _, _, namespace = forbidden[0]
    rights = ", ".join(dict.fromkeys(f"{verb} {resource}" for _, verb, resource, _ in forbidden))
    where = f"the namespace {namespace}" if namespace else f"the cluster of {context}"
    kind = "Role" if namespace else "ClusterRole"
    return EngineError(f"{user} may not {rights} in {where}", f"the user needs a {kind} with these rights")


def unexpected(outcome: Outcome) -> EngineError:
    """Return the error for output that is not what kubectl prints."""
    first = next((line.strip() for line in outcome.text.splitlines() if line.strip()), "")
    said = f'prints "{first[:_SHOWN]}"' if first else "prints nothing"
    return EngineError(f"kubectl {said} where JSON is expected", "is it a wrapper that writes to its standard output?")


def is_missing_namespace(error: EngineError) -> bool:
    """Whether the error is about a namespace that does not exist."""
    return error.message.startswith("the namespace ") and "does not exist" in error.message


def is_conflict(outcome: Outcome) -> bool:
    """Whether another one was faster: the object is there already, or has changed."""
    return b"AlreadyExists" in outcome.err or b"(Conflict)" in outcome.err


def is_gone(outcome: Outcome) -> bool:
    """Whether what was to be deleted has been deleted or replaced by another one."""
    return b"(NotFound)" in outcome.err or b"(Conflict)" in outcome.err


def warnings_of(outcome: Outcome) -> list[str]:
    """Return what the cluster warns of, such as pods that a namespace will refuse."""
    lines = outcome.err.decode("utf-8", "replace").splitlines()
    return [line.removeprefix("Warning: ") for line in lines if line.startswith("Warning: ")]
