"""The objects of an application on Kubernetes: what runs, its environment, and the release, as data."""

from __future__ import annotations

from procman.core.model.schedule import REPLACE
from procman.export.application import LASTING, RELEASE, starts_allowed, whole_seconds
from procman.export.container.check_commands import startup
from procman.export.container.containers import labels_of
from procman.export.container.manifests import (
    CONTENT,
    VERSION,
    content_hash,
    labels_for,
    manifest,
    name_of,
    short_name_of,
)
from procman.export.container.pods import has_several, is_numbered, is_single, pod, selector
from procman.export.cron import crontab_of
from procman.export.grammar import Plain, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

    Manifest = dict[str, Yaml]

_DAY = 86400  # seconds after which a release's Job and its log are deleted
_LONGEST_WINDOW = 3600  # seconds; Kubernetes refuses more
_AUTOSCALED_NOTE = "No number of replicas: each new version would set it back, and the autoscaler decides."
_LATEST = 60  # seconds; Kubernetes looks every 10 s, and refuses less than that
_LATE_NOTE = "A run that is missed is not made up for: catch_up."
_PROGRESS = 600  # seconds that Kubernetes gives a rollout
_SINGLE_NOTE = "Two would do everything twice, so the old one ends before the new one starts."
_NUMBERED_NOTE = "Numbers from 1 on, as in web.1. All start at the same time, and the highest goes first."
_HEADLESS_NOTE = "The pods of a StatefulSet have names in DNS, which need a Service without an address of its own."
_ROLLING_NOTE = "A new one has to be ready before an old one ends."


class Objects:
    """The objects of one application. What the environment holds is part of its name, so that a change reaches pods.

    ``version`` is noted in each pod, so that each version has pods of its own, and a Job for its release.
    """

    def __init__(self, app: Application, options: ExportOptions, version: str = "") -> None:
        self.app = app
        self.options = options
        self.version = version
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
        jobs = [self.job_name(one) for one in self.app.services if one.kind != LASTING and not one.first.schedule]
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

    def environment(self) -> Iterator[Manifest]:
        """Yield what holds the variables."""
        if self.contract:
            yield self.config_map()
        yield from map(self.secret, self.secrets)

    def workloads(self) -> Iterator[Manifest]:
        """Yield what runs all services but the release, and what lets others connect to them."""
        for service in self.app.services:
            if service.kind == LASTING:
                yield from self._lasting(service)
            elif service.first.schedule is not None:
                yield from self._timed(service)
            elif service.kind != RELEASE:
                yield self.job(service)

    def release(self) -> Manifest | None:
        """Return the Job of the release; None if the Procfile has none."""
        found = next((service for service in self.app.services if service.kind == RELEASE), None)
        return self.job(found) if found else None

    def _lasting(self, service: Service) -> Iterator[Manifest]:
        numbered = is_numbered(service, self.options)
        name = short_name_of(self.app, service, "StatefulSet") if numbered else name_of(self.app, service)
        metadata = self._metadata(name, self.labels[service.name])
        chosen = selector(self._labels(service))
        if numbered:
            yield manifest("apps/v1", "StatefulSet", metadata, spec=self._stateful_set(service))
            headless: Manifest = {"clusterIP": Plain("None"), "selector": chosen}
            pods = self._metadata(name_of(self.app, service, "pods"), self.labels[service.name])
            yield {_HEADLESS_NOTE: None, **manifest("v1", "Service", pods, spec=headless)}
        else:
            yield manifest("apps/v1", "Deployment", metadata, spec=self._deployment(service))
        if service.serves:
            port = {"name": Plain("http"), "port": service.port, "targetPort": Plain("http")}
            yield manifest("v1", "Service", metadata, spec={"selector": chosen, "ports": [port]})
        if has_several(service, self.options):
            budget: Manifest = {"maxUnavailable": 1, "selector": {"matchLabels": chosen}}
            yield manifest("policy/v1", "PodDisruptionBudget", metadata, spec=budget)
        if is_autoscaled(service):
            kind = "StatefulSet" if numbered else "Deployment"
            yield manifest("autoscaling/v2", "HorizontalPodAutoscaler", metadata, spec=self._autoscaler(service, kind))

    def _autoscaler(self, service: Service, kind: str) -> Manifest:
        rule = service.first.autoscale
        assert rule is not None
        cpu: Manifest = {"type": Plain("AverageValue"), "averageValue": f"{round(rule.per_instance * 1000)}m"}
        return {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": Plain(kind), "name": name_of(self.app, service)},
            "minReplicas": rule.lowest,
            "maxReplicas": rule.highest,
            "metrics": [{"type": Plain("Resource"), "resource": {"name": Plain("cpu"), "target": cpu}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": min(round(rule.cooldown), _LONGEST_WINDOW)}},
        }

    def _timed(self, service: Service) -> Iterator[Manifest]:
        """Yield the CronJob of what runs by the clock, if a cron expression can say when."""
        rule, times = service.first.schedule, crontab_of(service)
        if rule is None or times is None:
            return
        limit: Manifest = {} if rule.timeout is None else {"activeDeadlineSeconds": whole_seconds(rule.timeout, 1)}
        spec: Manifest = {
            "schedule": times,
            **({"timeZone": rule.timezone} if rule.timezone else {}),
            "concurrencyPolicy": Plain("Replace" if rule.overlap == REPLACE else "Forbid"),
            **({} if rule.catch_up else {_LATE_NOTE: None, "startingDeadlineSeconds": _LATEST}),
            "jobTemplate": {"spec": {**limit, **self._job_spec(service)}},
        }
        metadata = self._metadata(short_name_of(self.app, service, "CronJob"), self.labels[service.name])
        yield manifest("batch/v1", "CronJob", metadata, spec=spec)

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
        by_hand = not service.replicas and service.kind != RELEASE and service.first.schedule is None
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
        if is_autoscaled(service):
            return {_AUTOSCALED_NOTE: None}
        by_hand = f"autostart = false: kubectl scale {kind} {name_of(self.app, service)} --replicas=1 starts it."
        count = min(1, service.replicas) if is_single(service) else service.replicas
        return {**({} if service.starts or self.options.replicas else {by_hand: None}), "replicas": count}

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
        found = pod(self.app, service, self._labels(service), self._sources(service), self.options)
        if self.version:
            assert isinstance(found["metadata"], dict)
            found["metadata"]["annotations"] = {VERSION: self.version}
        return found

    def _labels(self, service: Service) -> Manifest:
        return labels_for(self.app, self.options, self.labels[service.name])

    def _sources(self, service: Service) -> list[Yaml]:
        sources = [("configMapRef", self._named(None, self.contract))] if self.contract else []
        sources += [("secretRef", self._named(None, self.app.secrets))] if self.app.secrets else []
        sources += [("secretRef", self._named(service, service.env))] if service.env else []
        return [{kind: {"name": name}} for kind, name in sources]


def is_autoscaled(service: Service) -> bool:
    """Whether Kubernetes can follow the rule of its overlay: it measures CPU time, and runs no command."""
    rule = service.first.autoscale
    return rule is not None and not rule.exec and service.starts and not is_single(service)


def _strategy(service: Service) -> Manifest:
    if is_single(service):
        return {_SINGLE_NOTE: None, "strategy": {"type": Plain("Recreate")}}
    if not service.serves:
        return {}
    rolling: Manifest = {"maxUnavailable": 0, "maxSurge": "50%"}
    return {_ROLLING_NOTE: None, "strategy": {"type": Plain("RollingUpdate"), "rollingUpdate": rolling}}
