"""Manifests for Kubernetes: a Deployment or a Job per process type, and the environment as a ConfigMap and Secrets."""

from __future__ import annotations

from procman.export.application import LASTING, RELEASE, application
from procman.export.container.check_commands import KUBERNETES, check_warnings
from procman.export.container.containers import image_warnings
from procman.export.container.first_process import signal_warnings
from procman.export.container.kubernetes_objects import Objects, is_autoscaled
from procman.export.container.manifests import CONTENT, document
from procman.export.container.pods import SINGLE, TERM, is_single
from procman.export.cron import schedule_warnings
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.overlay import (
    AUTOSCALE,
    CPU_MAX,
    HEALTH,
    MEMORY_MAX,
    READY,
    SCHEDULE,
    STOP_COMMAND,
    STOP_TO,
    by_hand_warnings,
    overlay_warnings,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "manifests for Kubernetes: Deployments, Jobs, Services, a ConfigMap and a Secret"

_RELEASE_NOTE = (
    "Apply it before the rest of a new version, and wait for its success.",
    "Its name is a hash of what it runs, so that each version has a Job of its own.",
)


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the manifests: the environment, what runs, and in a folder of its own the release, which runs before."""
    app = application(plan, options)
    yield from image_warnings(app, options, "Kubernetes")
    yield from lost_features(app, options)
    yield from by_hand_warnings(app)
    yield from _differences(app, options)
    export = Objects(app, options)
    workloads = "".join(map(document, export.workloads()))
    release = next((service for service in app.services if service.kind == RELEASE), None)
    yield ExportFile(f"{app.name}.yaml", _comment(export, release) + workloads)
    if export.contract:
        comment = header("kubernetes", app.name, "Variables that are not secret.")
        yield ExportFile(f"{app.name}-config.yaml", comment + document(export.config_map()))
    if export.secrets:
        found = "".join(document(export.secret(name)) for name in export.secrets)
        comment = header(
            "kubernetes",
            app.name,
            "These are secrets: keep the mode at 0600, and the file out of version control.",
        )
        yield ExportFile(f"{app.name}-secret.yaml", comment + found, SECRET)
    if release:
        comment = header("kubernetes", app.name, *_RELEASE_NOTE)
        yield ExportFile(f"{app.name}-release/job.yaml", comment + document(export.job(release)))


def lost_features(app: Application, options: ExportOptions, *held: str) -> Iterator[ExportWarning]:
    """Yield a warning for whatever the user has written and Kubernetes does not do.

    ``held`` are features that are seen to by other means.
    """
    held = (READY, HEALTH, STOP_COMMAND, STOP_TO, MEMORY_MAX, CPU_MAX, AUTOSCALE, SCHEDULE, *held)
    yield from overlay_warnings(app, "Kubernetes", *held)
    yield from schedule_warnings(
        app, "Kubernetes", "the time zone of its control plane, usually UTC", "replace", "catch_up", "timeout", "tz"
    )
    yield from check_warnings(app, KUBERNETES)
    yield from signal_warnings(app, TERM)
    for service in app.services:
        if service.first.autoscale and not (service.kind == LASTING and is_autoscaled(service)):
            yield ExportWarning(f"not exported to Kubernetes: autoscale of {service.name}, which it cannot measure")
    if any(is_single(service) and len(service.instances) > 1 for service in app.services):
        yield ExportWarning(f"{SINGLE} gets a single replica: two would do everything twice")
    if app.name[0].isdecimal() and any(service.serves for service in app.services):
        yield ExportWarning("Kubernetes before 1.36 takes no Service whose name begins with a digit: see --app")
    if options.user and not options.user.isdecimal():
        yield ExportWarning(f"Kubernetes needs a numeric user: the image's USER applies instead of {options.user}")


def _differences(app: Application, options: ExportOptions) -> Iterator[ExportWarning]:
    """Yield a warning for what differs from `procman start` for everyone, or depends on the cluster."""
    lasting = [service for service in app.services if service.kind == LASTING]
    strict = sorted({service.restart.mode for service in lasting} - {"always"})
    if strict:
        yield ExportWarning(
            f"Kubernetes always restarts a Deployment's containers: restart = {strict[0]} is not exported"
        )
    if not options.numbered and any(len(service.instances) > 1 for service in lasting):
        yield ExportWarning(
            "Kubernetes does not number pods: with several replicas, PS is the pod's name (or --numbered)"
        )
    if not options.user:
        yield ExportWarning('a namespace with the level "restricted" takes no pod without a number for --user')


def _comment(export: Objects, release: Service | None) -> str:
    app = export.app
    where = f"-l app.kubernetes.io/name={app.name}"
    apply = "kubectl apply --server-side"
    environment = [
        *([f"-f {app.name}-config.yaml"] if export.contract else []),
        *([f"-f {app.name}-secret.yaml"] if export.secrets else []),
    ]
    steps = [f"{apply} {' '.join(environment)}"] if release and environment else []
    if release:
        job = f"job/{export.job_name(release)}"
        steps += [
            f"{apply} -f {app.name}-release/",
            f"kubectl logs -f {job} --pod-running-timeout=5m    (until it ends)",
            f"kubectl wait {job} --for=condition=complete --timeout=10s && \\",
        ]
    steps += [f"{apply} -f ."]
    contents = ", ".join(export.contents())
    types = ", ".join(export.labels[service.name] for service in app.services)
    component = "app.kubernetes.io/component"
    old = (
        f"kubectl delete configmap,secret,job {where},{CONTENT},'{CONTENT} notin ({contents})'",
        f"kubectl delete deploy,sts,cronjob,svc,pdb,hpa {where},{component},'{component} notin ({types})'",
    )
    return header(
        "kubernetes",
        app.name,
        "",
        *(f"{'Install:  ' if not at else '          '}{step}" for at, step in enumerate(steps)),
        f"Look:     kubectl get pods {where}",
        f"          kubectl logs -f {where} --prefix --max-log-requests=50",
        "Clean up: (after a rollout: older values and Jobs, then types that are no longer exported)",
        *(f"          {command}" for command in old[0 if contents else 1 :]),
        f"Remove:   kubectl delete all,configmap,secret,pdb {where}",
    )
