"""The lock of deployments: a Lease, which the cluster creates for one of several at the same time."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from procman.engines.calls import Report, now, run
from procman.engines.common_messages import locked, taken_over
from procman.engines.interface import EngineError
from procman.engines.kubernetes.kubectl import parsed
from procman.engines.kubernetes.kubectl_errors import is_conflict, is_gone, is_missing_namespace
from procman.engines.kubernetes.pod_states import epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.calls import Outcome, Steps
    from procman.engines.interface import Target
    from procman.engines.kubernetes.kubectl import Kubectl

    Object = dict[str, Any]


class Lock:
    """The lock of one application in one namespace."""

    def __init__(self, kubectl: Kubectl, target: Target, label: str) -> None:
        self._kubectl = kubectl
        self._target = target
        self._app = target.app
        self._name = f"{label}-deploy"
        self._written = ""  # the version of our own lock, as the cluster counts them

    def take(self, owner: str, valid: float) -> Steps[None]:
        """Take the lock. Raises EngineError if another owner has it. Creates the namespace if there is none."""
        moment = yield from now()
        lease = self._lease(owner, moment, valid)
        outcome = yield from self._write("create", lease)
        if not outcome.ok and is_missing_namespace(self._kubectl.error(outcome)):
            yield from self._kubectl.ask("create", "namespace", self._kubectl.namespace)
            yield Report(f"the namespace {self._kubectl.namespace} is created")
            outcome = yield from self._write("create", lease)
        if outcome.ok:
            return
        if not is_conflict(outcome):
            raise self._kubectl.error(outcome)
        yield from self._take_over(lease, moment)

    def _take_over(self, lease: Object, moment: float) -> Steps[None]:
        """Replace a lock that has expired, unless another one does so first."""
        found = yield from self._found()
        if found is None:  # it has just been released
            outcome = yield from self._write("create", lease)
        else:
            self._require_expired(found, moment)
            yield taken_over(_holder(found))
            lease["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
            outcome = yield from self._write("replace", lease)
        if not outcome.ok and is_conflict(outcome):
            raise EngineError(f"another command has just begun to change {self._app}", "wait for its end")
        if not outcome.ok:
            raise self._kubectl.error(outcome)

    def require_free(self) -> Steps[None]:
        """Raise EngineError if someone has the lock."""
        found = yield from self._found()
        if found is not None:
            self._require_expired(found, (yield from now()))

    def _found(self) -> Steps[Object | None]:
        return (yield from self._kubectl.found(f"lease/{self._name}"))

    def _require_expired(self, found: Object, moment: float) -> None:
        began = epoch(found["spec"].get("acquireTime", "")) or 0.0
        left = began + found["spec"].get("leaseDurationSeconds", 0) - moment
        if left > 0:
            raise locked(self._target, _holder(found), left)

    def release(self, owner: str) -> Steps[None]:
        """Delete the lock if it is the owner's; of any owner, if none is given."""
        if owner and self._written:
            yield from self._delete_written()
            return
        found = yield from self._found()
        if found and owner in ("", found["spec"].get("holderIdentity")):
            yield from self._kubectl.delete([f"lease/{self._name}"])

    def _write(self, verb: str, lease: Object) -> Steps[Outcome]:
        yield from self._kubectl.settle()
        call = self._kubectl.call(verb, "-f", "-", "-o", "json", stdin=json.dumps(lease).encode())
        outcome = yield from run(call)
        if outcome.ok:
            self._written = parsed(outcome).get("metadata", {}).get("resourceVersion", "")
        return outcome

    def _delete_written(self) -> Steps[None]:
        """Delete the lock as we have written it, in one request: one that has been taken over differs, and stays."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._kubectl.namespace}/leases/{self._name}"
        conditions = {"preconditions": {"resourceVersion": self._written}}
        options = json.dumps({"apiVersion": "v1", "kind": "DeleteOptions", **conditions}).encode()
        outcome = yield from run(self._kubectl.call("delete", "--raw", path, "-f", "-", stdin=options))
        if not outcome.ok and not is_gone(outcome):
            raise self._kubectl.error(outcome)

    def _lease(self, owner: str, moment: float, valid: float) -> Object:
        time = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        labels = {"app.kubernetes.io/name": self._app, "app.kubernetes.io/managed-by": "procman"}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "labels": labels},
            "spec": {
                "holderIdentity": owner,
                "acquireTime": time,
                "renewTime": time,
                "leaseDurationSeconds": max(1, round(valid)),
            },
        }


def _holder(lease: Object) -> str:
    return lease["spec"].get("holderIdentity") or "another command"
