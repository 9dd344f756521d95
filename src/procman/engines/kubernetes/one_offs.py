"""The pod of a one-off command: image, environment and rights of what is deployed, without its checks."""

from __future__ import annotations

import json

from procman.engines.calls import Call, interact, now, run
from procman.engines.kubernetes.deployed_objects import ONE_OFF
from procman.export.grammar import kubelet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procman.engines.calls import Steps
    from procman.engines.kubernetes.kubectl import Kubectl

    Object = dict[str, Any]

_KILLED = 128  # exit codes from here on: kubectl has perhaps not removed the pod
_OF_AN_INSTANCE = ("PORT", "PS", "PROCMAN_INSTANCE", "PROCMAN_PROCESS", "PROCMAN_INDEX")
_KEPT = ("image", "imagePullPolicy", "envFrom", "resources", "securityContext", "volumeMounts", "workingDir")
_NOT_KEPT = ("containers", "topologySpreadConstraints", "tolerations", "terminationGracePeriodSeconds", "restartPolicy")


def run_once(
    kubectl: Kubectl, label: str, labels: Object, template: Object, command: str, *, terminal: bool
) -> Steps[int]:
    """Run a shell command in a pod of its own, and return its exit code. ``template`` is that of a pod."""
    moment = yield from now()
    name = f"{label[:40]}-run-{round(moment * 1000) % 0x1_0000_0000:08x}"
    pod = {
        "metadata": {"labels": {**labels, ONE_OFF: "yes"}},
        "spec": _spec(template, name, command, terminal=terminal),
    }
    words = (
        "run",
        name,
        "--rm",
        "--quiet",
        "--stdin",
        *(("--tty",) if terminal else ()),
        "--restart=Never",
        "--pod-running-timeout=2m",
        f"--image={pod['spec']['containers'][0]['image']}",
        f"--overrides={json.dumps(pod)}",  # it has names of Secrets, but no values
    )
    yield from kubectl.settle()
    removal = kubectl.call("delete", f"pod/{name}", "--wait=false", "--ignore-not-found")
    try:
        code = yield from interact(Call(kubectl.argv(*words), timeout=None))
    except KeyboardInterrupt:
        yield from run(removal)
        raise
    if code >= _KILLED:
        yield from run(removal)
    return code


def _spec(template: Object, name: str, command: str, *, terminal: bool) -> Object:
    spec = template["spec"]
    model = spec["containers"][0]
    container = {
        "name": name,
        **{key: model[key] for key in _KEPT if key in model},
        "command": ["/bin/sh", "-c", kubelet(command)],
        "env": [one for one in model.get("env", ()) if one["name"] not in _OF_AN_INSTANCE],
        "stdin": True,
        "stdinOnce": True,
        "tty": terminal,
    }
    kept = {key: value for key, value in spec.items() if key not in _NOT_KEPT}
    return {**kept, "restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [container]}
