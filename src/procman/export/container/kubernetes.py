"""Writes manifests for Kubernetes: a Deployment per process type, and the environment as a ConfigMap and Secrets."""

from __future__ import annotations

from urllib.parse import urlsplit

from procman.export.application import application, whole_seconds
from procman.export.container.containers import (
    dns_label,
    image_of,
    labels_of,
    log_warning,
    own_environment,
    warnings_of,
)
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import assignments, kubernetes, text, yaml, yaml_list, yaml_name
from procman.export.overlay import HEALTH, READY, left_out, probe_command
from procman.export.shell import container_argv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.model.checks import Check
    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.options import ExportOptions

SUMMARY = "manifests for Kubernetes: Deployments, Services, a ConfigMap and a Secret"

_JOB, _SINGLE = "release", "clock"  # by the names that Heroku gave them
_TERM = 15
_POD = "fieldRef"


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the manifests without secrets as one file, and the secrets as another."""
    app = application(plan, options)
    yield from warnings_of(app, options, "Kubernetes")
    yield from log_warning(options, "Kubernetes")
    yield from left_out(app, "Kubernetes", READY, HEALTH)
    yield from _limits(app, options)
    secrets = [(_name(app), app.secrets), *((_name(app, service), service.env) for service in app.services)]
    parts = [_config_map(app)] if app.contract else []
    labels = labels_of(app)
    for service in app.services:
        parts += _workload(app, service, labels[service.name], options)
    yield ExportFile(f"{app.name}.yaml", _comment(app) + "".join(parts))
    if any(env for _, env in secrets):
        found = "".join(_secret(app, name, env) for name, env in secrets if env)
        comment = header("kubernetes", app.name, "Secrets: keep this file at mode 0600, and out of version control.")
        yield ExportFile(f"{app.name}-secret.yaml", comment + found, SECRET)


def _limits(app: Application, options: ExportOptions) -> Iterator[ExportWarning]:
    """What procman start does and Kubernetes does not."""
    lasting = [service for service in app.services if service.name != _JOB]
    strict = sorted({service.restart.mode for service in lasting} - {"always"})
    if strict:
        yield ExportWarning(f"Kubernetes restarts a Deployment's container after any end, for ever, not {strict[0]}")
    if any(len(service.instances) > 1 for service in lasting):
        yield ExportWarning("Kubernetes does not number pods: where there are several, PS is the pod's name")
    if any(service.name == _SINGLE and len(service.instances) > 1 for service in lasting):
        yield ExportWarning("clock gets one replica: two would do everything twice")
    if options.user and not options.user.isdigit():
        yield ExportWarning(f"Kubernetes takes users by number: {options.user} is left to the image's USER")


def _name(app: Application, service: Service | None = None) -> str:
    return dns_label(f"{app.name}-{service.name}" if service else app.name)


def _comment(app: Application) -> str:
    where = f"-l app.kubernetes.io/name={app.name}"
    return header(
        "kubernetes",
        app.name,
        "",
        "Install:  kubectl apply -f .",
        f"Look:     kubectl get pods {where}",
        f"          kubectl logs -f {where} --prefix",
        f"Secrets:  kubectl rollout restart deployment {where}  (after a change of theirs alone)",
        "Remove:   kubectl delete -f .",
    )


def _metadata(app: Application, name: str, component: str = "", indent: str = "") -> str:
    return f"{indent}metadata:\n{indent}  name: {yaml_name(name)}\n" + _labels(app, component, f"{indent}  ")


def _labels(app: Application, component: str, indent: str) -> str:
    lines = [f"labels:\n  app.kubernetes.io/name: {yaml_name(app.name)}\n"]
    if component:
        lines.append(f"  app.kubernetes.io/component: {yaml_name(component)}\n")
    lines.append("  app.kubernetes.io/managed-by: procman\n")
    return _indented("".join(lines), indent)


def _indented(lines: str, indent: str) -> str:
    return "".join(indent + line for line in lines.splitlines(keepends=True))


def _config_map(app: Application) -> str:
    data = _data(app.contract)
    return f"---\napiVersion: v1\nkind: ConfigMap\n{_metadata(app, _name(app))}data:\n{data}"


def _secret(app: Application, name: str, env: Mapping[str, str]) -> str:
    return f"---\napiVersion: v1\nkind: Secret\n{_metadata(app, name)}type: Opaque\nstringData:\n{_data(env)}"


def _data(env: Mapping[str, str]) -> str:
    """Through envFrom nothing is expanded, so nothing is escaped but for YAML."""
    return assignments(env, "Kubernetes", lambda name, value: f"  {name}: {yaml(value)}")


def _workload(app: Application, service: Service, label: str, options: ExportOptions) -> list[str]:
    pod = _pod(app, service, label, options)
    name = _name(app, service)
    if service.name == _JOB:
        return [_job(app, name, label, pod)]
    single = service.name == _SINGLE
    deployment = (
        f"---\napiVersion: apps/v1\nkind: Deployment\n{_metadata(app, name, label)}spec:\n"
        f"  replicas: {1 if single else len(service.instances)}\n"
        + ("  # Two of them would do everything twice: the old one ends before the new one begins.\n" if single else "")
        + ("  strategy:\n    type: Recreate\n" if single else "")
        + f"  selector:\n    matchLabels:\n      app.kubernetes.io/name: {yaml_name(app.name)}\n"
        f"      app.kubernetes.io/component: {yaml_name(label)}\n"
        f"  template:\n{pod}"
    )
    return [deployment, *([_service(app, service, name, label)] if service.serves else [])]


def _job(app: Application, name: str, label: str, pod: str) -> str:
    return (
        f"---\n# Run it before the rest of a new version: a Job cannot be changed, so it goes away by itself.\n"
        f"apiVersion: batch/v1\nkind: Job\n{_metadata(app, name, label)}spec:\n"
        f"  backoffLimit: 0\n  ttlSecondsAfterFinished: 600\n  template:\n{pod}"
    )


def _service(app: Application, service: Service, name: str, label: str) -> str:
    return (
        f"---\napiVersion: v1\nkind: Service\n{_metadata(app, name, label)}spec:\n  selector:\n"
        f"    app.kubernetes.io/name: {yaml_name(app.name)}\n    app.kubernetes.io/component: {yaml_name(label)}\n"
        f"  ports:\n    - name: http\n      port: {service.port}\n      targetPort: http\n"
    )


def _pod(app: Application, service: Service, label: str, options: ExportOptions) -> str:
    """The pod template, as it stands below ``template:``."""
    job = "  restartPolicy: Never\n" if service.name == _JOB else ""
    account = f"    runAsUser: {options.user}\n" if options.user.isdigit() else ""
    return _indented(
        f"metadata:\n{_labels(app, label, '  ')}spec:\n{job}"
        f"  terminationGracePeriodSeconds: {whole_seconds(service.stop.grace)}\n"
        "  automountServiceAccountToken: false\n"
        f"  securityContext:\n{account}    seccompProfile:\n      type: RuntimeDefault\n"
        f"  containers:\n{_indented(_container(app, service, label, options), '    ')}",
        "    ",
    )


def _container(app: Application, service: Service, label: str, options: ExportOptions) -> str:
    argv = container_argv(service.command, service.stop.signal_number, asked_by=_TERM)
    command = text(
        service.command, "Kubernetes", f"the command of {service.name}", lambda _: yaml_list(argv, kubernetes)
    )
    ports = f"  ports:\n    - name: http\n      containerPort: {service.port}\n" if service.serves else ""
    return (
        f"- name: {yaml_name(label)}\n  image: {yaml(image_of(app, options))}\n  command: {command}\n{ports}"
        f"  env:\n{_env(service)}{_env_from(app, service)}"
        f"{_probe('readinessProbe', service.first.ready)}{_probe('livenessProbe', service.first.health)}"
        "  securityContext:\n    allowPrivilegeEscalation: false\n"
    )


def _probe(name: str, check: Check | None) -> str:
    """A probe; the kubelet asks from outside, so a check of the process itself is one of its pod's address."""
    if check is None or not (how := _how(check)):
        return ""
    return (
        f"  {name}:\n{how}    periodSeconds: {whole_seconds(check.interval, 1)}\n"
        f"    timeoutSeconds: {whole_seconds(check.attempt, 1)}\n    failureThreshold: {max(1, check.threshold)}\n"
    )


def _how(check: Check) -> str:
    if check.kind == "http":
        address = urlsplit(check.target)
        path = yaml(address.path + (f"?{address.query}" if address.query else "") or "/")
        return f"    httpGet:\n      path: {path}\n      port: {address.port or 80}\n"
    if check.kind == "tcp":
        return f"    tcpSocket:\n      port: {check.target.rpartition(':')[2]}\n"
    command = probe_command(check)
    argv = yaml_list(["/bin/sh", "-c", command], kubernetes)
    return f"    exec:\n      command: {argv}\n" if command else ""


def _env(service: Service) -> str:
    several = len(service.instances) > 1 and service.name not in (_JOB, _SINGLE)
    lines = []
    for name, value in own_environment(service, _POD if several else service.first.name).items():
        lines.append(f"    - name: {name}\n")
        is_pod = value == _POD
        lines.append("      valueFrom:\n        fieldRef:\n          fieldPath: metadata.name\n" if is_pod else "")
        lines.append("" if is_pod else f"      value: {kubernetes(value)}\n")
    return "".join(lines)


def _env_from(app: Application, service: Service) -> str:
    sources = [("configMapRef", _name(app))] if app.contract else []
    sources += [("secretRef", _name(app))] if app.secrets else []
    sources += [("secretRef", _name(app, service))] if service.env else []
    lines = "".join(f"    - {kind}:\n        name: {yaml_name(name)}\n" for kind, name in sources)
    return f"  envFrom:\n{lines}" if lines else ""
