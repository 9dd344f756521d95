"""Manifests for Kubernetes: a Deployment or a Job per process type, and the environment as a ConfigMap and Secrets."""

from __future__ import annotations

from procman.export.application import LASTING, RELEASE, application, starts_allowed
from procman.export.container.check_commands import KUBERNETES, check_warnings, startup
from procman.export.container.containers import image_warnings, labels_of, log_warning
from procman.export.container.first_process import signal_warnings
from procman.export.container.manifests import CONTENT, content_hash, document, labels_for, manifest, name_of
from procman.export.container.pods import SINGLE, TERM, is_numbered, is_single, pod, selector
from procman.export.file import SECRET, ExportFile, ExportWarning, header
from procman.export.grammar import Plain, variables
from procman.export.overlay import HEALTH, READY, STOP_COMMAND, STOP_TO, by_hand_warnings, overlay_warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.model.plan import Plan
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

    Manifest = dict[str, Yaml]

SUMMARY = "manifests for Kubernetes: Deployments, Jobs, Services, a ConfigMap and a Secret"

_DAY = 86400  # seconds after which a release's Job and its log are deleted
_PROGRESS = 600  # seconds that Kubernetes gives a rollout
_RELEASE_NOTE = (
    "Apply it before the rest of a new version, and wait for its success.",
    "Its name is a hash of what it runs, so that each version has a Job of its own.",
)
_SINGLE_NOTE = "Two would do everything twice, so the old one ends before the new one starts."
_NUMBERED_NOTE = "Numbers from 1 on, as in web.1. All start at the same time, and the highest goes first."
_HEADLESS_NOTE = "# The pods of a StatefulSet have names in DNS, which need a Service without an address of its own.\n"
_ROLLING_NOTE = "A new one has to be ready before an old one ends."


def render(plan: Plan, options: ExportOptions) -> Iterator[ExportFile | ExportWarning]:
    """Yield the manifests: the environment, what runs, and in a folder of its own the release, which runs before."""
    app = application(plan, options)
    yield from image_warnings(app, options, "Kubernetes")
    yield from log_warning(options, "Kubernetes")
    yield from overlay_warnings(app, "Kubernetes", READY, HEALTH, STOP_COMMAND, STOP_TO)
    yield from check_warnings(app, KUBERNETES)
    yield from by_hand_warnings(app)
    yield from signal_warnings(app, TERM)
    yield from _limits(app, options)
    export = _Export(app, options)
    workloads = "".join(
        part for service in app.services if service.kind != RELEASE for part in export.workload(service)
    )
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


def _limits(app: Application, options: ExportOptions) -> Iterator[ExportWarning]:
    """Yield a warning for whatever `procman start` does and Kubernetes does not."""
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
    if any(is_single(service) and len(service.instances) > 1 for service in lasting):
        yield ExportWarning(f"{SINGLE} gets a single replica: two would do everything twice")
    if options.user and not options.user.isdecimal():
        yield ExportWarning(f"Kubernetes needs a numeric user: the image's USER applies instead of {options.user}")
    elif not options.user:
        yield ExportWarning('a namespace with the level "restricted" takes no pod without a number for --user')


class _Export:
    """The manifests of one export. What the environment holds is part of its name, so that a change reaches pods."""

    def __init__(self, app: Application, options: ExportOptions) -> None:
        self.app = app
        self.options = options
        self.labels = labels_of(app)
        self.contract = variables(app.contract, "Kubernetes")
        environments = [(None, app.secrets), *((service, service.env) for service in app.services)]
        self.secrets = {self._named(service, env): env for service, env in environments if env}

    def _named(self, service: Service | None, content: Mapping[str, str]) -> str:
        return name_of(self.app, service, content_hash(variables(content, "Kubernetes")))

    def _metadata(self, name: str, component: str = "", content: str = "") -> Manifest:
        labels = labels_for(self.app, self.options, component)
        return {"name": name, "labels": labels | ({CONTENT: Plain(content)} if content else {})}

    def contents(self) -> list[str]:
        """Return the hashes of all that is named by its content."""
        jobs = [self.job_name(service) for service in self.app.services if service.kind != LASTING]
        names = [*self.secrets, *([self._named(None, self.contract)] if self.contract else [])]
        return sorted({name.rpartition("-")[2] for name in [*names, *jobs]})

    def config_map(self) -> Manifest:
        """Return the variables that are not secret."""
        name = self._named(None, self.contract)
        metadata = self._metadata(name, content=name.rpartition("-")[2])
        return manifest("v1", "ConfigMap", metadata, immutable=True, data=self.contract)

    def secret(self, name: str) -> Manifest:
        """Return one of the Secrets."""
        data = variables(self.secrets[name], "Kubernetes")  # Kubernetes expands nothing in envFrom
        metadata = self._metadata(name, content=name.rpartition("-")[2])
        return manifest("v1", "Secret", metadata, type=Plain("Opaque"), immutable=True, stringData=data)

    def workload(self, service: Service) -> Iterator[str]:
        """Yield what runs a service, and what lets others connect to it."""
        if service.kind != LASTING:
            yield document(self.job(service))
            return
        metadata = self._metadata(name_of(self.app, service), self.labels[service.name])
        chosen = selector(self._labels(service))
        if is_numbered(service, self.options):
            yield document(manifest("apps/v1", "StatefulSet", metadata, spec=self._stateful_set(service)))
            headless: Manifest = {"clusterIP": Plain("None"), "selector": chosen}
            pods = self._metadata(name_of(self.app, service, "pods"), self.labels[service.name])
            yield document(manifest("v1", "Service", pods, spec=headless), _HEADLESS_NOTE)
        else:
            yield document(manifest("apps/v1", "Deployment", metadata, spec=self._deployment(service)))
        if service.serves:
            port = {"name": Plain("http"), "port": service.port, "targetPort": Plain("http")}
            yield document(manifest("v1", "Service", metadata, spec={"selector": chosen, "ports": [port]}))
        if service.replicas > 1 and not is_single(service):
            budget: Manifest = {"maxUnavailable": 1, "selector": {"matchLabels": chosen}}
            yield document(manifest("policy/v1", "PodDisruptionBudget", metadata, spec=budget))

    def job_name(self, service: Service) -> str:
        """Return the name of the Job of ``service``: it ends with a hash of what it runs."""
        return name_of(self.app, service, content_hash(self._job_spec(service)))

    def job(self, service: Service) -> Manifest:
        """Return the Job of what ends. A Job cannot be changed, so it is named by its content."""
        name = self.job_name(service)
        metadata = self._metadata(name, self.labels[service.name], name.rpartition("-")[2])
        return manifest("batch/v1", "Job", metadata, spec=self._job_spec(service))

    def _job_spec(self, service: Service) -> Manifest:
        tries = starts_allowed(service.restart) if service.is_restarted else 1
        by_hand = not service.starts and service.kind != RELEASE
        return {
            **({"autostart = false: it does not start by itself.": None, "suspend": True} if by_hand else {}),
            "backoffLimit": tries - 1,
            **({"ttlSecondsAfterFinished": _DAY} if service.kind == RELEASE else {}),
            "template": self._pod(service),
        }

    def _stateful_set(self, service: Service) -> Manifest:
        return {
            **self._replicas(service, "statefulset"),
            _NUMBERED_NOTE: None,
            "ordinals": {"start": 1},
            "podManagementPolicy": Plain("Parallel"),
            "serviceName": name_of(self.app, service, "pods"),
            "selector": {"matchLabels": selector(self._labels(service))},
            "template": self._pod(service),
        }

    def _replicas(self, service: Service, kind: str) -> Manifest:
        by_hand = f"autostart = false: kubectl scale {kind} {name_of(self.app, service)} --replicas=1 starts it."
        count = min(1, service.replicas) if is_single(service) else service.replicas
        return {**({} if service.starts else {by_hand: None}), "replicas": count}

    def _deployment(self, service: Service) -> Manifest:
        limit = round(startup(service))
        return {
            **self._replicas(service, "deployment"),
            **_strategy(service),
            **(
                {"progressDeadlineSeconds": limit + _PROGRESS} if limit > _PROGRESS // 2 and service.first.ready else {}
            ),
            "selector": {"matchLabels": selector(self._labels(service))},
            "template": self._pod(service),
        }

    def _pod(self, service: Service) -> Manifest:
        return pod(self.app, service, self._labels(service), self._sources(service), self.options)

    def _labels(self, service: Service) -> Manifest:
        return labels_for(self.app, self.options, self.labels[service.name])

    def _sources(self, service: Service) -> list[Yaml]:
        sources = [("configMapRef", self._named(None, self.contract))] if self.contract else []
        sources += [("secretRef", self._named(None, self.app.secrets))] if self.app.secrets else []
        sources += [("secretRef", self._named(service, service.env))] if service.env else []
        return [{kind: {"name": name}} for kind, name in sources]


def _strategy(service: Service) -> Manifest:
    if is_single(service):
        return {_SINGLE_NOTE: None, "strategy": {"type": Plain("Recreate")}}
    if not service.serves:
        return {}
    rolling: Manifest = {"maxUnavailable": 0, "maxSurge": 1}
    return {_ROLLING_NOTE: None, "strategy": {"type": Plain("RollingUpdate"), "rollingUpdate": rolling}}


def _comment(export: _Export, release: Service | None) -> str:
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
        f"kubectl delete deploy,sts,svc,pdb {where},{component},'{component} notin ({types})'",
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
