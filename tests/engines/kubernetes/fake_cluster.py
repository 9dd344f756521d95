"""A cluster that answers like kubectl: it keeps objects, and each look at its pods lets them live on for a while.

What a container does is told by the tag of its image: `missing` cannot be pulled, `crash` ends with 7, `unready` never
becomes ready, `broken` lets the release end with 3. The forms of its answers are those of kubectl 1.32 and Kubernetes
1.36, as recorded.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from base64 import b64encode

from engines.driver import said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.calls import Call, Outcome

    Object = dict[str, Any]
    Key = tuple[str, str]

KINDS = {
    "deployments": "deployment.apps",
    "statefulsets": "statefulset.apps",
    "replicasets": "replicaset.apps",
    "jobs": "job.batch",
    "cronjobs": "cronjob.batch",
    "services": "service",
    "poddisruptionbudgets": "poddisruptionbudget.policy",
    "horizontalpodautoscalers.autoscaling": "horizontalpodautoscaler.autoscaling",
    "configmaps": "configmap",
    "secrets": "secret",
    "pods": "pod",
    "events": "event",
}
BEGINNING = 1_000_000  # seconds since the epoch, as in the driver


class FakeCluster:
    """One namespace of a cluster, reached by kubectl. ``refused`` maps a verb to what kubectl complains."""

    def __init__(self) -> None:
        self.namespaces = {"live"}
        self.objects: dict[Key, Object] = {}
        self.refused: dict[str, str] = {}
        self.logs: dict[str, list[str]] = {}
        self.commands: list[str] = []
        self.events: list[Object] = []
        self.takes_pods = True
        self._count = 0
        self._hashes: dict[str, str] = {}  # of the newest template, by Deployment
        self._is_watched = False
        self._is_presence_watched = False

    def __call__(self, call: Call) -> Outcome:
        """Answer a call."""
        assert call.argv[0] == "kubectl"
        words = [word for word in call.argv[1:] if not word.startswith("--request-timeout=")]
        if words[0] == "--context":
            del words[:2]
        if words[0] == "--namespace":
            del words[:2]
        verb, *words = words
        self.commands.append(" ".join([verb, *words]))
        if complaint := self.refused.get(verb) or self.refused.get(" ".join([verb, *words[:1]])):
            return said("", 1, f"{complaint}\n")
        answer = getattr(self, f"_{verb.replace('-', '_')}")
        result: Outcome = answer(words, call.stdin)
        return result

    # Verbs ------------------------------------------------------------------------------------------------------------

    def _version(self, _words: list[str], _stdin: bytes) -> Outcome:
        versions = {"clientVersion": {"minor": "32"}, "serverVersion": {"minor": "32+"}}
        return said(json.dumps(versions))

    def _config(self, _words: list[str], _stdin: bytes) -> Outcome:
        context = {"name": "prod", "context": {"cluster": "rig", "namespace": "live"}}
        return said(json.dumps({"contexts": [context], "current-context": "prod"}))

    def _create(self, words: list[str], stdin: bytes) -> Outcome:
        if words[0] == "namespace":
            self.namespaces.add(words[1])
            return said(f"namespace/{words[1]} created\n")
        return self._write(json.loads(stdin), new=True)

    def _replace(self, _words: list[str], stdin: bytes) -> Outcome:
        return self._write(json.loads(stdin), new=False)

    def _write(self, found: Object, *, new: bool) -> Outcome:
        key = key_of(found)
        if "live" not in self.namespaces:
            return said("", 1, 'Error from server (NotFound): namespaces "live" not found\n')
        if new and key in self.objects:
            message = f'leases.coordination.k8s.io "{key[1]}" already exists'
            return said("", 1, f'Error from server (AlreadyExists): error when creating "STDIN": {message}\n')
        if not new and found["metadata"]["resourceVersion"] != self.objects[key]["metadata"]["resourceVersion"]:
            return said("", 1, "Error from server (Conflict): the object has been modified\n")
        self._put(found)
        return said(json.dumps(found))

    def _apply(self, words: list[str], stdin: bytes) -> Outcome:
        assert words[0] == "--server-side"
        assert words[-2:] == ["-f", "-"], "secrets must not be arguments"
        items = json.loads(stdin)["items"]
        if "--dry-run=server" in words:
            merged = [self._merged(item) for item in items]
            return said(json.dumps({"kind": "List", "items": merged} if len(merged) > 1 else merged[0]))
        for item in items:
            self._put(self._merged(item))
        return said()

    def _get(self, words: list[str], _stdin: bytes) -> Outcome:
        if words[0] == "configmap":
            return self._watch_one("configmap", words[1])
        if "--watch" in words and self._is_watched:
            return said()
        if "--watch" in words:
            self._is_watched = True
            return said("".join(f"{self._row(pod)}\n" for (kind, _), pod in self.objects.items() if kind == "pod"))
        if "/" in words[0]:
            kind, _, name = words[0].partition("/")
            one = self.objects.get(({"lease": "lease.coordination.k8s.io"}.get(kind, kind), name))
            return said(json.dumps(one) if one else "")
        kinds = [KINDS[kind] for kind in words[0].split(",")]
        if "pod" in kinds:
            self._live()
        if kinds == ["event"] and "reason=FailedCreate" in words:
            return said(json.dumps({"kind": "List", "items": [event for event in self.events if "reason" in event]}))
        found = [one for (kind, _), one in self.objects.items() if kind in kinds and _matches(one, words)]
        if words[-1].startswith("jsonpath="):
            return said("".join(map(_owned if "managed-by" in words[-1] else _named, found)))
        return said(json.dumps({"kind": "List", "items": found}))

    def _watch_one(self, kind: str, name: str) -> Outcome:
        """Answer a watch of one object once; the next one says nothing."""
        if (kind, name) not in self.objects:
            return said("", 1, f'Error from server (NotFound): {kind}s "{name}" not found\n')
        is_first, self._is_presence_watched = not self._is_presence_watched, True
        return said(f"ADDED      {name}   2     0s\n" if is_first else "")

    def _delete(self, words: list[str], stdin: bytes) -> Outcome:
        if words[0] == "--raw":
            return self._delete_lease(words[1].rpartition("/")[2], json.loads(stdin))
        for word in words:
            if word.startswith("--"):
                continue
            kind, _, name = word.partition("/")
            key = ("lease.coordination.k8s.io" if kind == "lease" else kind, name)
            if key[0] == "pod" and key in self.objects:
                self.objects[key]["metadata"]["deletionTimestamp"] = self._now()
                continue
            self.objects.pop(key, None)
            for pod in self._pods_of(name):
                pod["metadata"]["deletionTimestamp"] = self._now()
        return said()

    def _delete_lease(self, name: str, options: Object) -> Outcome:
        key = ("lease.coordination.k8s.io", name)
        if key not in self.objects:
            return said("", 1, f'Error from server (NotFound): leases.coordination.k8s.io "{name}" not found\n')
        if options["preconditions"]["resourceVersion"] != self.objects[key]["metadata"]["resourceVersion"]:
            return said("", 1, "Error from server (Conflict): the ResourceVersion in the precondition does not match\n")
        del self.objects[key]
        return said('{"kind":"Status","status":"Success"}')

    def _scale(self, words: list[str], _stdin: bytes) -> Outcome:
        found = self.objects[tuple(words[0].split("/", 1))]  # type: ignore[index]
        found["spec"]["replicas"] = int(words[1].partition("=")[2])
        found["metadata"]["generation"] += 1
        return said()

    def _annotate(self, words: list[str], _stdin: bytes) -> Outcome:
        found = self.objects[tuple(words[0].split("/", 1))]  # type: ignore[index]
        annotations = found["metadata"].setdefault("annotations", {})
        name, equals, value = words[1].partition("=")
        if equals:
            annotations[name] = value
        else:
            annotations.pop(name.removesuffix("-"), None)
        return said()

    def _patch(self, words: list[str], _stdin: bytes) -> Outcome:
        self.objects[tuple(words[0].split("/", 1))]["spec"].update(json.loads(words[-1])["spec"])  # type: ignore[index]
        return said()

    def _rollout(self, words: list[str], _stdin: bytes) -> Outcome:
        assert words[0] == "restart"
        for word in words[1:]:
            found = self.objects[tuple(word.split("/", 1))]  # type: ignore[index]
            found["spec"]["template"]["metadata"].setdefault("annotations", {})["restartedAt"] = self._now()
            found["metadata"]["generation"] += 1
        return said()

    def _logs(self, words: list[str], _stdin: bytes) -> Outcome:
        if words[0] == "-l":
            return said("".join(f"[pod/{pod}/c] {line}\n" for pod, lines in self.logs.items() for line in lines))
        pod = next(word for word in words if word.startswith("pod/")).removeprefix("pod/")
        return said("".join(f"{line}\n" for line in self.logs.get(pod, ())))

    def _run(self, _words: list[str], _stdin: bytes) -> Outcome:
        return said("", 3)

    # Objects ----------------------------------------------------------------------------------------------------------

    def _now(self) -> str:
        """Return a time that differs from all before."""
        self._count += 1
        return f"2026-01-02T{self._count // 3600:02}:{self._count // 60 % 60:02}:{self._count % 60:02}Z"

    def _put(self, found: Object) -> None:
        metadata = found["metadata"]
        metadata.setdefault("creationTimestamp", self._now())
        metadata["resourceVersion"] = self._now()
        self.objects[key_of(found)] = found

    def _merged(self, item: Object) -> Object:
        """Return an object as the cluster keeps it: a Secret in base64, a spec that counts its generations."""
        found = copy.deepcopy(item)
        old = self.objects.get(key_of(found))
        if "stringData" in found:
            found["data"] = {key: b64encode(value.encode()).decode() for key, value in found.pop("stringData").items()}
        if old and found["kind"] == "CronJob" and "suspend" in old["spec"]:
            found["spec"]["suspend"] = old["spec"]["suspend"]  # what another manager has set, and this one leaves alone
        if old:
            found["metadata"] = {**old["metadata"], **found["metadata"]}
            found["status"] = old.get("status", {})
            changed = old["spec"] != found["spec"] if "spec" in found else False
            found["metadata"]["generation"] = old["metadata"].get("generation", 0) + changed
        else:
            found["metadata"]["generation"] = 1
        return found

    def pods(self) -> list[Object]:
        """Return the pods that are there."""
        return [one for (kind, _), one in self.objects.items() if kind == "pod"]

    def _pods_of(self, owner: str) -> list[Object]:
        return [pod for pod in self.pods() if pod["owner"] == owner]

    @staticmethod
    def _row(pod: Object) -> str:
        labels, state = pod["metadata"]["labels"], pod["status"]["containerStatuses"][0]["state"]
        started = state.get("running", {}).get("startedAt", "<none>")
        ending = pod["metadata"].get("deletionTimestamp", "<none>")
        return (
            f"{pod['metadata']['name']}   {labels['app.kubernetes.io/component']}   <none>   {started}   n1   {ending}"
        )

    # Life -------------------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        """Let everything take one step: pods end, begin and become ready, and workloads replace theirs."""
        for pod in self.pods():
            if "deletionTimestamp" in pod["metadata"]:
                del self.objects[key_of(pod)]
            else:
                self._step(pod)
        for found in [*self.objects.values()]:
            if found["kind"] == "Deployment":
                self._roll(found)
            elif found["kind"] == "Job":
                self._work(found)

    def _step(self, pod: Object) -> None:
        status = pod["status"]["containerStatuses"][0]
        tag = status["image"].rpartition(":")[2]
        job = "job-name" in pod["metadata"]["labels"]
        if tag == "missing":
            message = f'Back-off pulling image "{status["image"]}": ErrImagePull: {status["image"]}: not found'
            status["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
        elif "running" not in status["state"] and not (tag == "crash" and not job and status["restartCount"] % 2):
            status["state"] = {"running": {"startedAt": self._now()}}
        elif job:
            code = 3 if tag == "broken" else 0
            status["state"] = {"terminated": {"exitCode": code, "finishedAt": self._now()}}
            pod["status"]["phase"] = "Failed" if code else "Succeeded"
        elif tag == "crash":
            last = {"terminated": {"exitCode": 7, "reason": "Error", "finishedAt": self._now()}}
            status |= {"restartCount": status["restartCount"] + 1, "lastState": last}
            status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}
        elif tag != "unready":
            pod["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

    def _roll(self, found: Object) -> None:
        spec, metadata = found["spec"], found["metadata"]
        template = spec["template"]
        name = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:9]
        revisions = metadata.setdefault("annotations", {})
        labels = {**template["metadata"]["labels"], "pod-template-hash": name}
        key = ("replicaset.apps", f"{metadata['name']}-{name}")
        if self._hashes.get(metadata["name"]) != name:
            self._hashes[metadata["name"]] = name
            number = str(int(revisions.get("deployment.kubernetes.io/revision", "0")) + 1)
            revisions["deployment.kubernetes.io/revision"] = number
            about = {"name": key[1], "labels": labels, "annotations": {"deployment.kubernetes.io/revision": number}}
            self._put({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": about, "spec": {}})
        live = [pod for pod in self._pods_of(metadata["name"]) if "deletionTimestamp" not in pod["metadata"]]
        new = [pod for pod in live if pod["metadata"]["labels"]["pod-template-hash"] == name]
        for _ in range(len(new), spec["replicas"]):
            self._pod(metadata["name"], labels, template)
        ready = [pod for pod in new if pod["status"].get("conditions")]
        surplus = [pod for pod in live if pod not in new] if len(ready) >= spec["replicas"] else []
        for pod in [*surplus, *new[spec["replicas"] :]]:
            pod["metadata"]["deletionTimestamp"] = self._now()
        count = len([pod for pod in self._pods_of(metadata["name"]) if "deletionTimestamp" not in pod["metadata"]])
        found["status"] = {
            "observedGeneration": metadata["generation"],
            "replicas": count,
            "updatedReplicas": min(spec["replicas"], count),
            "availableReplicas": len(ready[: spec["replicas"]]),
        }

    def _work(self, job: Object) -> None:
        name = job["metadata"]["name"]
        phases = [pod["status"]["phase"] for pod in self._pods_of(name)]
        failures = phases.count("Failed")
        if "Succeeded" in phases or failures > job["spec"]["backoffLimit"]:
            kind = "Complete" if "Succeeded" in phases else "Failed"
            job["status"] = {"conditions": [{"type": kind, "status": "True"}], "completionTime": self._now()}
        elif failures == len(phases) and not job["spec"].get("suspend") and not job.get("status"):
            self._pod(
                name, {**job["spec"]["template"]["metadata"]["labels"], "job-name": name}, job["spec"]["template"]
            )

    def _pod(self, owner: str, labels: Object, template: Object) -> None:
        if not self.takes_pods:
            return
        self._count += 1
        container = template["spec"]["containers"][0]
        status = {"name": container["name"], "image": container["image"], "restartCount": 0}
        metadata = {"name": f"{owner}-{self._count:05}", "labels": labels, "creationTimestamp": self._now()}
        metadata["annotations"] = template["metadata"].get("annotations", {})
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "owner": owner}
        pod["spec"] = {**copy.deepcopy(template["spec"]), "nodeName": "n1"}
        pod["status"] = {
            "phase": "Pending",
            "containerStatuses": [{**status, "state": {"waiting": {"reason": "ContainerCreating"}}}],
        }
        self._put(pod)


def key_of(found: Object) -> Key:
    """Return how kubectl names an object."""
    group = found["apiVersion"].rpartition("/")[0]
    return f"{found['kind'].lower()}{f'.{group}' if group else ''}", found["metadata"]["name"]


def _named(found: Object) -> str:
    owners = found["metadata"].get("ownerReferences") or [{"kind": ""}]
    return f"{found['apiVersion']} {found['kind']} {found['metadata']['name']} {owners[0]['kind']}\n"


def _owned(found: Object) -> str:
    labels = found["metadata"].get("labels", {})
    manager, app = (labels.get(f"app.kubernetes.io/{what}", "") for what in ("managed-by", "name"))
    return f"{found['apiVersion']} {found['kind']} {found['metadata']['name']} {manager}={app}\n"


def _matches(found: Object, words: list[str]) -> bool:
    """Whether an object has the labels of ``-l``."""
    labels = found["metadata"].get("labels", {})
    for part in words[words.index("-l") + 1].split(",") if "-l" in words else ():
        negated = re.fullmatch(r"!(.*)", part)
        name, _, value = part.partition("=")
        if (negated and negated[1] in labels) or (not negated and labels.get(name) != value):
            return False
    return True
