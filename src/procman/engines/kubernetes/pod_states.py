"""Pods as instances: their numbers, their states, and why they are not up."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from procman.core.model.status import ExitStatus, signal_name
from procman.engines.records import BACKOFF, EXITED, FAILED, RUNNING, STARTING, STOPPING, WAITING, InstanceState
from procman.export.container.manifests import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    Object = dict[str, Any]

COMPONENT = "app.kubernetes.io/component"
_TAG = "app.kubernetes.io/version"
_INDEX = "apps.kubernetes.io/pod-index"
_JOB = "job-name"
_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_CREATE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_CANNOT_START = ("StartError", "ContainerCannotRun")
# What a registry says when trying again does not help.
_FINAL = re.compile(
    r"not found|manifest unknown|denied|unauthorized|authentication required|invalid reference", re.IGNORECASE
)


# What the scheduler adds: that neither waiting for devices nor the end of others would help.
_NO_HELP = re.compile(r" no new claims to deallocate,.*| preemption: .*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class State:
    """The state of a pod. It is ``final`` if it does not get better by itself, ``stuck`` if that is likely."""

    word: str
    since: str = ""
    exit: str = ""
    reason: str = ""
    final: bool = False
    stuck: bool = False


def state_of(pod: Object) -> State:
    """Return the state of a pod, in the words of the local commands."""
    status = pod.get("status", {})
    container = container_status(pod)
    last = _ended(container)
    ending = _ending(last)
    if pod["metadata"].get("deletionTimestamp"):
        lost = any(one.get("reason") == "DeletionByTaintManager" for one in status.get("conditions", ()))
        reason = f"its node {pod['spec'].get('nodeName', '')} does not answer" if lost else ""
        return State(STOPPING, pod["metadata"]["deletionTimestamp"], ending, reason)
    if status.get("phase") == "Succeeded":
        return State(EXITED, last.get("finishedAt", ""), ending)
    if status.get("phase") == "Failed":
        reason = status.get("message") or _why_ended(last) or status.get("reason", "")
        return State(FAILED, last.get("finishedAt", ""), ending, reason, final=True)
    current = container.get("state", {})
    if "running" in current:
        return _running(pod, current["running"].get("startedAt", ""), ending, _why_ended(last))
    if "terminated" in current and pod["spec"].get("restartPolicy") == "Never":  # the phase follows in a moment
        has_failed = last.get("exitCode") != 0
        word, why = (FAILED, _why_ended(last)) if has_failed else (EXITED, "")
        return State(word, last.get("finishedAt", ""), ending, why, final=has_failed)
    if "terminated" in current:
        return State(BACKOFF, last.get("finishedAt", ""), ending, _why_ended(last), final=_cannot_start(last))
    if current.get("waiting", {}).get("reason"):
        return _waiting(pod, current["waiting"], last)
    return _unscheduled(pod)


def _running(pod: Object, since: str, ending: str, why: str) -> State:
    ready = _condition(pod, "Ready")
    if ready.get("status") == "True":
        return State(RUNNING, since, ending)
    if ready.get("reason") == "NodeStatusUnknown" or _condition(pod, "Ready").get("status") == "Unknown":
        return State(STARTING, since, ending, f"its node {pod['spec'].get('nodeName', '')} does not answer")
    return State(STARTING, since, ending, f"{why} before" if why else "")


def _waiting(pod: Object, waiting: Mapping[str, str], last: Mapping[str, Any]) -> State:
    reason, message = waiting["reason"], waiting.get("message", "")
    ending = _ending(last)
    if reason in _PULL:
        final = reason in ("InvalidImageName", "ErrImageNeverPull") or (
            reason != "ErrImagePull" and bool(_FINAL.search(message))
        )
        image = pod["spec"]["containers"][0]["image"]
        return State(WAITING, "", ending, f"the image {image} cannot be pulled: {_pull_reason(message)}", final=final)
    if reason == "CrashLoopBackOff":
        return State(BACKOFF, last.get("finishedAt", ""), ending, _why_ended(last), final=_cannot_start(last))
    if reason in _CREATE:
        return State(WAITING, "", ending, f"its container cannot be created: {message or reason}", stuck=True)
    if reason in ("ContainerCreating", "PodInitializing"):
        return State(STARTING, pod.get("status", {}).get("startTime", ""), ending)
    return State(WAITING, "", ending, message or reason)


def _unscheduled(pod: Object) -> State:
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        message = _NO_HELP.sub("", scheduled.get("message", ""))
        return State(WAITING, scheduled.get("lastTransitionTime", ""), "", f"no node takes it: {message}")
    if pod["spec"].get("nodeName"):
        return State(STARTING, pod["metadata"].get("creationTimestamp", ""))
    return State(WAITING, pod["metadata"].get("creationTimestamp", ""))


def _pull_reason(message: str) -> str:
    """Return what went wrong, from a chain such as ``Back-off …: ErrImagePull: failed to …: IMAGE: not found``."""
    return message.rstrip().rpartition(": ")[2] or "unknown reason"


def _cannot_start(last: Mapping[str, Any]) -> bool:
    return last.get("reason") in _CANNOT_START


def _why_ended(last: Mapping[str, Any]) -> str:
    if not last:
        return ""
    if last.get("reason") == "OOMKilled":
        return "it ran out of memory"
    if _cannot_start(last):
        return f"it cannot be started: {last.get('message', '').strip()}"
    return f"it {ExitStatus(last.get('exitCode', 0)).words()}"


def _ended(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how the latest life of the container ended; empty if it never did."""
    for state in ("state", "lastState"):
        if found := container.get(state, {}).get("terminated"):
            return found  # type: ignore[no-any-return]
    return {}


def _ending(last: Mapping[str, Any]) -> str:
    if "exitCode" not in last:
        return ""
    code = int(last["exitCode"])
    name = signal_name(code - 128) if 128 < code <= 128 + 64 else ""  # as a shell reports signals
    return name if name.startswith("SIG") else str(code)


def ending_of(job: Object) -> str:
    """Return ``Complete`` or ``Failed`` if a Job has ended. Either may come, so both are looked at."""
    conditions = job.get("status", {}).get("conditions") or ()
    ends = (one["type"] for one in conditions if one["status"] == "True" and one["type"] in ("Complete", "Failed"))
    return next(ends, "")


def container_status(pod: Object) -> Object:
    """Return the status of the pod's own container: others may have been added by the cluster."""
    name = pod["spec"]["containers"][0]["name"]
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    found: Object = next((one for one in statuses if one["name"] == name), {})
    return found


def _condition(pod: Object, name: str) -> Object:
    conditions = pod.get("status", {}).get("conditions") or ()
    found: Object = next((one for one in conditions if one["type"] == name), {})
    return found


# Names and records ----------------------------------------------------------------------------------------------------


class TypeNames:
    """The process types by what the objects are labelled with, since labels take fewer characters."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._types = {label: name for name, label in labels.items()}

    def of(self, found: Object) -> str:
        """Return the process type of an object."""
        return self.of_label(found["metadata"].get("labels", {}).get(COMPONENT, ""))

    def of_label(self, label: str) -> str:
        """Return the process type that has this label."""
        return self._types.get(label, label)


def numbered(pods: Iterable[Object], types: TypeNames) -> Iterator[tuple[str, Object]]:
    """Yield pods with the names of instances.

    Those of a StatefulSet have numbers. Others are numbered by age: the oldest is 1, those that are about to end come
    last. What has been evicted is left out, since Kubernetes has replaced it; so are all but the latest pod of a Job.
    """
    groups: defaultdict[str, list[Object]] = defaultdict(list)
    for pod in pods:
        groups[types.of(pod)].append(pod)
    for name, group in groups.items():
        jobs = [pod for pod in group if _JOB in pod["metadata"]["labels"]]
        if jobs:
            yield f"{name}.1", max(jobs, key=_age)
            continue
        live = [pod for pod in group if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]
        for at, pod in enumerate(sorted(live, key=_age), 1):
            yield f"{name}.{_index(pod) or at}", pod


def _age(pod: Object) -> tuple[bool, str, str]:
    metadata = pod["metadata"]
    return "deletionTimestamp" in metadata, metadata["creationTimestamp"], metadata["name"]


def _index(pod: Object) -> str:
    labels = pod["metadata"]["labels"]
    if _INDEX in labels:
        return str(labels[_INDEX])
    is_set = "statefulset.kubernetes.io/pod-name" in labels
    return str(pod["metadata"]["name"]).rpartition("-")[2] if is_set else ""


def instance_of(name: str, pod: Object) -> InstanceState:
    """Return the record of a pod."""
    state = state_of(pod)
    container = pod["spec"]["containers"][0]
    ports: Sequence[Object] = container.get("ports") or ({},)
    return InstanceState(
        name,
        state.word,
        node=pod["spec"].get("nodeName", ""),
        version=version_of(pod["metadata"]),
        since=epoch(state.since),
        restarts=container_status(pod).get("restartCount", 0),
        port=ports[0].get("containerPort"),
        exit=state.exit,
        reason=state.reason,
        id=pod["metadata"]["name"],
    )


def version_of(metadata: Object) -> str:
    """Return the version that the metadata of a pod, or of its template, names."""
    return str(metadata.get("annotations", {}).get(VERSION) or metadata.get("labels", {}).get(_TAG, ""))


def epoch(time: str) -> float | None:
    """Return a time of the API in seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp() if time else None
