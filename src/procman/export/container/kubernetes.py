"""Manifests for Kubernetes: a Deployment per process type, and the environment as a ConfigMap and Secrets."""

from __future__ import annotations

from procman.export.application import application, whole_seconds
from procman.export.container.containers import (
    check_action,
    dns_label,
    image_of,
    image_warnings,
    labels_of,
    log_warning,
    own_environment,
)
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import Plain, escaped, no_expansion, variables, yaml_lines
from procman.export.overlay import HEALTH, READY, overlay_warnings
from procman.export.shell import container_argv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.model.checks import Check
    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

    Manifest = dict[str, Yaml]

SUMMARY = "manifests for Kubernetes: Deployments, Services, a ConfigMap and a Secret"

_JOB, _SINGLE = "release", "clock"  # process types with a special meaning, as on Heroku
_TERM = 15
_POD_NAME: Manifest = {"valueFrom": {"fieldRef": {"fieldPath": Plain("metadata.name")}}}
_JOB_NOTE = "# Apply it before the rest of a new version. A Job cannot be changed, so it is deleted after 10 minutes.\n"
_SINGLE_NOTE = "Two would do everything twice, so the old one ends before the new one starts."


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the manifests without secrets as one file, and the secrets as another."""
    app = application(plan, options)
    yield from image_warnings(app, options, "Kubernetes")
    yield from log_warning(options, "Kubernetes")
    yield from overlay_warnings(app, "Kubernetes", READY, HEALTH)
    yield from _limits(app, options)
    secrets = [(_name(app), app.secrets), *((_name(app, service), service.env) for service in app.services)]
    parts = [_document(_config_map(app))] if app.contract else []
    labels = labels_of(app)
    for service in app.services:
        parts += _workload(app, service, labels[service.name], options)
    yield ExportFile(f"{app.name}.yaml", _comment(app) + "".join(parts))
    if any(env for _, env in secrets):
        found = "".join(_document(_secret(app, name, env)) for name, env in secrets if env)
        comment = header(
            "kubernetes",
            app.name,
            "These are secrets: keep the mode at 0600, and the file out of version control.",
        )
        yield ExportFile(f"{app.name}-secret.yaml", comment + found, SECRET)


def _limits(app: Application, options: ExportOptions) -> Iterator[ExportWarning]:
    """Yield a warning for whatever `procman start` does and Kubernetes does not."""
    lasting = [service for service in app.services if service.name != _JOB]
    strict = sorted({service.restart.mode for service in lasting} - {"always"})
    if strict:
        yield ExportWarning(
            f"Kubernetes always restarts a Deployment's containers: restart = {strict[0]} is not exported"
        )
    if any(len(service.instances) > 1 for service in lasting):
        yield ExportWarning("Kubernetes does not number pods: with several replicas, PS is the pod's name")
    if any(service.name == _SINGLE and len(service.instances) > 1 for service in lasting):
        yield ExportWarning("clock gets a single replica: two would do everything twice")
    if options.user and not options.user.isdecimal():
        yield ExportWarning(f"Kubernetes needs a numeric user: the image's USER applies instead of {options.user}")


def _name(app: Application, service: Service | None = None) -> str:
    return Plain(dns_label(f"{app.name}-{service.name}" if service else app.name))


def _comment(app: Application) -> str:
    where = f"-l app.kubernetes.io/name={app.name}"
    return header(
        "kubernetes",
        app.name,
        "",
        "Install:  kubectl apply -f .",
        f"Look:     kubectl get pods {where}",
        f"          kubectl logs -f {where} --prefix",
        f"Secrets:  kubectl rollout restart deployment {where}  (after changing only secrets)",
        "Remove:   kubectl delete -f .",
    )


def _document(manifest: Manifest, comment: str = "") -> str:
    return f"---\n{comment}" + "".join(f"{line}\n" for line in yaml_lines(manifest))


def _metadata(app: Application, name: str, component: str = "") -> Manifest:
    return {"name": name, "labels": _labels(app, component)}


def _labels(app: Application, component: str) -> Manifest:
    return {**_selector(app, component), "app.kubernetes.io/managed-by": Plain("procman")}


def _selector(app: Application, component: str) -> Manifest:
    labels: Manifest = {"app.kubernetes.io/name": Plain(app.name)}
    return labels | ({"app.kubernetes.io/component": Plain(component)} if component else {})


def _manifest(version: str, kind: str, metadata: Manifest, **more: Yaml) -> Manifest:
    return {"apiVersion": Plain(version), "kind": Plain(kind), "metadata": metadata, **more}


def _config_map(app: Application) -> Manifest:
    return _manifest("v1", "ConfigMap", _metadata(app, _name(app)), data=variables(app.contract, "Kubernetes"))


def _secret(app: Application, name: str, env: Mapping[str, str]) -> Manifest:
    data = variables(env, "Kubernetes")  # Kubernetes expands nothing in envFrom
    return _manifest("v1", "Secret", _metadata(app, name), type=Plain("Opaque"), stringData=data)


def _workload(app: Application, service: Service, label: str, options: ExportOptions) -> Iterator[str]:
    metadata = _metadata(app, _name(app, service), label)
    pod = _pod(app, service, label, options)
    if service.name == _JOB:
        spec: Manifest = {"backoffLimit": 0, "ttlSecondsAfterFinished": 600, "template": pod}
        yield _document(_manifest("batch/v1", "Job", metadata, spec=spec), _JOB_NOTE)
        return
    yield _document(_manifest("apps/v1", "Deployment", metadata, spec=_deployment(app, service, label, pod)))
    if service.serves:
        yield _document(_manifest("v1", "Service", metadata, spec=_service(app, service, label)))


def _deployment(app: Application, service: Service, label: str, pod: Manifest) -> Manifest:
    single = service.name == _SINGLE
    return {
        "replicas": 1 if single else len(service.instances),
        **({_SINGLE_NOTE: None, "strategy": {"type": Plain("Recreate")}} if single else {}),
        "selector": {"matchLabels": _selector(app, label)},
        "template": pod,
    }


def _service(app: Application, service: Service, label: str) -> Manifest:
    port = {"name": Plain("http"), "port": service.port, "targetPort": Plain("http")}
    return {"selector": _selector(app, label), "ports": [port]}


def _pod(app: Application, service: Service, label: str, options: ExportOptions) -> Manifest:
    spec: Manifest = {
        **({"restartPolicy": Plain("Never")} if service.name == _JOB else {}),
        "terminationGracePeriodSeconds": whole_seconds(service.stop.grace),
        "automountServiceAccountToken": False,
        "securityContext": {
            **({"runAsUser": int(options.user)} if options.user.isdecimal() else {}),
            "seccompProfile": {"type": Plain("RuntimeDefault")},
        },
        "containers": [_container(app, service, label, options)],
    }
    return {"metadata": {"labels": _labels(app, label)}, "spec": spec}


def _container(app: Application, service: Service, label: str, options: ExportOptions) -> Manifest:
    command = escaped(service.command, "Kubernetes", f"the command of {service.name}", str)
    argv = container_argv(command, service.stop.signal_number, sent_signal=_TERM)
    sources = _env_from(app, service)
    return {
        "name": Plain(label),
        "image": image_of(app, options),
        "command": tuple(no_expansion(argument) for argument in argv),
        **({"ports": [{"name": Plain("http"), "containerPort": service.port}]} if service.serves else {}),
        "env": _env(service),
        **({"envFrom": sources} if sources else {}),
        **_probe("readinessProbe", service.first.ready),
        **_probe("livenessProbe", service.first.health),
        "securityContext": {"allowPrivilegeEscalation": False},
    }


def _probe(name: str, check: Check | None) -> Manifest:
    action = check_action(check)
    if check is None or not action:
        return {}
    times = {"periodSeconds": whole_seconds(check.interval, 1), "timeoutSeconds": whole_seconds(check.attempt, 1)}
    return {name: {**action, **times, "failureThreshold": max(1, check.threshold)}}


def _env(service: Service) -> list[Yaml]:
    several = len(service.instances) > 1 and service.name not in (_JOB, _SINGLE)
    by_pod = ("PS", "PROCMAN_INSTANCE") if several else ()
    return [
        {"name": Plain(name), **(_POD_NAME if name in by_pod else {"value": no_expansion(value)})}
        for name, value in own_environment(service, service.first.name).items()
    ]


def _env_from(app: Application, service: Service) -> list[Yaml]:
    sources = [("configMapRef", _name(app))] if app.contract else []
    sources += [("secretRef", _name(app))] if app.secrets else []
    sources += [("secretRef", _name(app, service))] if service.env else []
    return [{kind: {"name": name}} for kind, name in sources]
