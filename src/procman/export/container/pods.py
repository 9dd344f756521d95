"""The pods of Kubernetes: a container with its environment and probes, and what a restricted namespace demands."""

from __future__ import annotations

from procman.export.application import LASTING, whole_seconds
from procman.export.container.check_commands import probes
from procman.export.container.containers import image_of, own_environment
from procman.export.container.first_process import container_argv
from procman.export.grammar import Plain, escaped, kubelet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

    Manifest = dict[str, Yaml]

TERM = 15  # what Kubernetes sends
SINGLE = "clock"  # a process type of which there must not be two, as on Heroku

# A pod that ends is taken out of its Service at the same time as it gets TERM: for a moment, requests still come in.
_DRAIN = 2  # seconds
_LOST_NODE = 30  # seconds
_LOST_NOTE = f"A node that does not answer for {_LOST_NODE} s is given up, and its pods start elsewhere."
_FIRST_FREE_PORT = 1024
_INDEX = "PROCMAN_INDEX"
_POD_INDEX: Manifest = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}}
_POD_NAME: Manifest = {"valueFrom": {"fieldRef": {"fieldPath": Plain("metadata.name")}}}


def pod(app: Application, service: Service, labels: Manifest, sources: list[Yaml], options: ExportOptions) -> Manifest:
    """Return the template of a pod. ``labels`` are the pod's own, ``sources`` say where its environment comes from."""
    drain = _DRAIN if _drains(service) else 0
    spec: Manifest = {
        **({"restartPolicy": Plain("Never")} if service.kind != LASTING else {}),
        "terminationGracePeriodSeconds": whole_seconds(service.stop.grace) + drain,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(service, options),
        **(_spread(labels, numbered=is_numbered(service, options)) if has_several(service, options) else {}),
        **_tolerance(service),
        "containers": [_container(app, service, str(labels["app.kubernetes.io/component"]), sources, options)],
    }
    return {"metadata": {"labels": labels}, "spec": spec}


def is_single(service: Service) -> bool:
    """Whether there must not be two instances at any time."""
    return service.name == SINGLE and service.kind == LASTING


def is_numbered(service: Service, options: ExportOptions) -> bool:
    """Whether the pods have the numbers of instances."""
    return options.numbered and service.kind == LASTING and not is_single(service)


def _drains(service: Service) -> bool:
    return service.serves and service.kind == LASTING


def _pod_security(service: Service, options: ExportOptions) -> Manifest:
    """Return what a namespace with the level "restricted" asks for; a user has to be given for that."""
    low = service.serves and service.port is not None and service.port < _FIRST_FREE_PORT
    free: Manifest = {"name": Plain("net.ipv4.ip_unprivileged_port_start"), "value": "0"}
    return {
        **({"runAsUser": int(options.user), "runAsNonRoot": True} if _is_restricted(options) else {}),
        **({"runAsUser": 0} if options.user == "0" else {}),
        "seccompProfile": {"type": Plain("RuntimeDefault")},
        **({"sysctls": [free]} if low and _is_restricted(options) else {}),
    }


def _is_restricted(options: ExportOptions) -> bool:
    return options.user.isdecimal() and int(options.user) > 0


def has_several(service: Service, options: ExportOptions) -> bool:
    """Whether there are, or can be, several instances.

    What is deployed with ``options.replicas`` is scaled later, and must not change with its count.
    """
    can_be = service.kind == LASTING and not is_single(service)
    return can_be and (len(service.instances) > 1 or service.name in options.replicas)


def _spread(labels: Manifest, *, numbered: bool) -> Manifest:
    """Spread several instances over the nodes, so that the end of one node does not end all of them.

    Old pods must not count: new ones would all go to where no old one is.
    """
    by_version: Manifest = {} if numbered else {"matchLabelKeys": (Plain("pod-template-hash"),)}
    spread: Manifest = {
        "maxSkew": 1,
        "topologyKey": Plain("kubernetes.io/hostname"),
        "whenUnsatisfiable": Plain("ScheduleAnyway"),
        "labelSelector": {"matchLabels": selector(labels)},
        **by_version,
    }
    return {"topologySpreadConstraints": [spread]}


def _tolerance(service: Service) -> Manifest:
    """Start another pod soon after a node is lost. Kubernetes' own default is 300 s."""
    if service.kind != LASTING:
        return {}
    taints = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
    tolerations: list[Yaml] = [
        {
            "key": Plain(taint),
            "operator": Plain("Exists"),
            "effect": Plain("NoExecute"),
            "tolerationSeconds": _LOST_NODE,
        }
        for taint in taints
    ]
    return {_LOST_NOTE: None, "tolerations": tolerations}


def selector(labels: Manifest) -> Manifest:
    """Return the labels that select the pods of a service: they never change."""
    return {name: labels[name] for name in ("app.kubernetes.io/name", "app.kubernetes.io/component")}


def _container(app: Application, service: Service, label: str, sources: list[Yaml], options: ExportOptions) -> Manifest:
    escaped(service.command, "Kubernetes", f"the command of {service.name}", str)
    return {
        "name": Plain(label),
        "image": image_of(app, options),
        "command": [kubelet(argument) for argument in container_argv(service, TERM)],
        **({"ports": [{"name": Plain("http"), "containerPort": service.port}]} if service.serves else {}),
        "env": _env(service, options),
        **({"envFrom": sources} if sources else {}),
        **(probes(service) if service.kind == LASTING else {}),
        **(_drain_hook() if _drains(service) else {}),
        **_limits(service),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            **({"capabilities": {"drop": (Plain("ALL"),)}} if _is_restricted(options) else {}),
        },
    }


def _limits(service: Service) -> Manifest:
    """Return the limits. Kubernetes reserves as much on a node unless something else says less."""
    memory, cpus = service.first.memory_max, service.first.cpu_max
    limits: Manifest = {
        **({"cpu": Plain(f"{round(cpus * 1000)}m")} if cpus is not None else {}),
        **({"memory": str(memory)} if memory is not None else {}),
    }
    return {"resources": {"limits": limits}} if limits else {}


def _drain_hook() -> Manifest:
    note = f"Requests still come in for a moment after the pod has been told to end: TERM follows {_DRAIN} s later."
    return {note: None, "lifecycle": {"preStop": {"exec": {"command": ("/bin/sh", "-c", f"sleep {_DRAIN}")}}}}


def _env(service: Service, options: ExportOptions) -> list[Yaml]:
    if is_numbered(service, options):
        # The kubelet expands $(…), so this is not doubled.
        names: dict[str, str] = own_environment(service, f"{service.name}.$({_INDEX})")
        values = {name: value if value.endswith(f"$({_INDEX})") else kubelet(value) for name, value in names.items()}
        return [{"name": Plain(_INDEX), **_POD_INDEX}, *({"name": Plain(n), "value": v} for n, v in values.items())]
    by_pod = ("PS", "PROCMAN_INSTANCE") if has_several(service, options) else ()
    return [
        {"name": Plain(name), **(_POD_NAME if name in by_pod else {"value": kubelet(value)})}
        for name, value in own_environment(service, service.first.name).items()
    ]
