"""What an overlay and a Procfile mean in Compose, Swarm and Kubernetes, read from what is written for them."""

from __future__ import annotations

import pytest

from export.plans import Export, plan_of
from procman.core.model.checks import Check
from procman.core.model.dependency import Dependency
from procman.core.model.plan import RestartPolicy, StopPolicy
from procman.core.model.schedule import Schedule
from procman.errors import UsageError
from procman.export.application import application
from procman.export.container.manifests import name_of
from procman.export.options import ExportOptions
from procman.export.registry import stop_commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from export.plans import Overlay

LINES = "web: ./serve\nworker: ./work\nrelease: ./migrate\n"


def compose(lines: str = LINES, overlay: Overlay | None = None, file: str = "compose.yaml", **options: Any) -> Any:
    """Return the services of one of Compose's files."""
    import yaml

    return yaml.safe_load(Export("compose", plan_of(lines, overlay), **options).files[file])["services"]


class Kubernetes:
    """The objects of an export for Kubernetes, by kind and component."""

    def __init__(
        self, lines: str = LINES, overlay: Overlay | None = None, formation: str = "all=1", **options: object
    ) -> None:
        import yaml

        values = options.pop("values", {"KEY": "secret"})
        self.export = Export("kubernetes", plan_of(lines, overlay, formation, **values), **options)  # type: ignore[arg-type]
        self.header = [line[2:] for line in self.export.files["app.yaml"].splitlines() if line.startswith("#")]
        self.parts = {
            path: [part for part in yaml.safe_load_all(content) if part] for path, content in self.export.files.items()
        }

    def objects(self, kind: str) -> dict[str, Any]:
        found = [part for parts in self.parts.values() for part in parts if part["kind"] == kind]
        return {part["metadata"]["labels"].get("app.kubernetes.io/component", ""): part for part in found}

    def spec(self, kind: str, name: str) -> Any:
        return self.objects(kind)[name]["spec"]

    def pod(self, name: str) -> Any:
        for kind in ("Deployment", "StatefulSet", "Job"):
            if name in self.objects(kind):
                return self.spec(kind, name)["template"]["spec"]
        raise KeyError(name)


# Lost nodes -----------------------------------------------------------------------------------------------------------


def test_kubernetes_gives_up_a_lost_node_after_half_a_minute() -> None:
    found = Kubernetes()
    times = {one["key"]: one["tolerationSeconds"] for one in found.pod("web")["tolerations"]}
    assert times == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}
    assert "tolerations" not in found.pod("release"), "a release must not run twice"


# Restarts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "options", "expected"),
    [
        (RestartPolicy("always", backoff=0.5), {}, {"condition": "any", "delay": "1.875s"}),
        (RestartPolicy("never"), {}, {"condition": "none"}),
        (
            RestartPolicy(),
            {},
            {"condition": "on-failure", "delay": "3.75s", "max_attempts": 4, "window": "81s"},
        ),
        (RestartPolicy(), {"keep_trying": True}, {"condition": "on-failure", "delay": "3.75s"}),
    ],
)
def test_compose_restarts_by_the_policy(
    policy: RestartPolicy, options: dict[str, Any], expected: dict[str, object]
) -> None:
    found = compose(overlay={"worker": {"restart": policy}}, **options)
    assert found["worker"]["deploy"]["restart_policy"] == expected


@pytest.mark.parametrize(
    ("overlay", "tries"),
    [
        ({"worker": {"restart": RestartPolicy("never")}}, 0),
        ({"web": {"depends_on": (Dependency("worker", "completed_successfully"),)}}, 4),
    ],
)
def test_what_ends_is_a_job_of_kubernetes(overlay: Overlay, tries: int) -> None:
    found = Kubernetes(overlay=overlay)
    assert set(found.objects("Deployment")) == {"web"}
    assert found.spec("Job", "worker")["backoffLimit"] == tries
    assert found.pod("worker")["restartPolicy"] == "Never"
    assert not any("restart = never" in warning for warning in found.export.warnings)


def test_what_start_leaves_alone_is_not_started() -> None:
    overlay: Overlay = {"worker": {"autostart": False}, "web": {"autostart": False, "restart": RestartPolicy("never")}}
    assert compose(overlay=overlay)["worker"]["deploy"]["replicas"] == 0
    found = Kubernetes(overlay=overlay)
    assert found.spec("Deployment", "worker")["replicas"] == 0
    assert found.spec("Job", "web")["suspend"] is True
    assert "[Install]" not in Export("quadlet", plan_of(LINES, overlay)).files["app-worker@.container"]
    assert "count = 0 " in Export("nomad", plan_of(LINES, overlay)).files["app.nomad.hcl"]
    assert '"worker": {\n      "quantity": 0' in Export("app-json", plan_of(LINES, overlay)).files["app.json"]


# Folders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["compose", "kubernetes", "quadlet", "nomad"])
def test_a_folder_of_the_overlay_is_the_one_below_the_folder_of_the_image(target: str) -> None:
    export = Export(target, plan_of("mail: ./mail --all\n", {"mail": {"cwd": "/srv/app/services/mail"}}))
    assert any("cd services/mail || exit 126; exec ./mail --all" in content for content in export.files.values())
    outside = Export(target, plan_of("mail: ./mail\n", {"mail": {"cwd": "/opt/mail"}}))
    assert any("cd /opt/mail || " in content for content in outside.files.values())
    assert "mail runs in /opt/mail, which the image needs to have" in outside.warnings


@pytest.mark.parametrize("target", ["compose", "kubernetes", "quadlet", "nomad"])
def test_a_stop_command_runs_in_the_container(target: str) -> None:
    overlay = {"web": {"stop": StopPolicy(command="./drain --now", grace=4.0), "cwd": "/srv/app/site"}}
    export = Export(target, plan_of("web: ./serve\n", overlay))
    assert any("cd site || exit 126; ./drain --now" in content for content in export.files.values())
    assert not any("stop command" in warning for warning in export.warnings)


# The release ----------------------------------------------------------------------------------------------------------


def test_compose_runs_the_release_before_all_but_what_it_needs() -> None:
    lines = f"{LINES}db: ./db\n"
    overlay = {"release": {"depends_on": (Dependency("db", "started"),)}}
    here = compose(lines, overlay, "compose.override.yaml")
    succeeded = {"release": {"condition": "service_completed_successfully"}}
    assert {name: one.get("depends_on") for name, one in here.items()} == {
        "web": succeeded,
        "worker": succeeded,
        "release": {"db": {"condition": "service_started"}},
        "db": None,
    }
    assert here["release"]["deploy"] == {"replicas": 1}
    deploy = compose(lines, overlay)["release"]["deploy"]
    assert deploy == {"replicas": 0, "restart_policy": {"condition": "none"}}, "Swarm does not keep it as a service"


def test_kubernetes_gets_a_release_for_each_version() -> None:
    one, again, two = Kubernetes(), Kubernetes(), Kubernetes(image="app:2")
    assert list(one.parts) == ["app.yaml", "app-config.yaml", "app-secret.yaml", "app-release/job.yaml"]
    (job,) = one.parts["app-release/job.yaml"]
    name = job["metadata"]["name"]
    assert job["spec"]["backoffLimit"] == 0
    assert [again.objects("Job")["release"]["metadata"]["name"] == name, two.objects("Job")["release"] == job] == [
        True,
        False,
    ]
    assert two.objects("Job")["release"]["metadata"]["name"] != name
    steps = [line[10:] for line in one.header if "kubectl" in line][:5]
    assert steps == [
        "kubectl apply --server-side -f app-config.yaml -f app-secret.yaml",
        "kubectl apply --server-side -f app-release/",
        f"kubectl logs -f job/{name} --pod-running-timeout=5m    (until it ends)",
        f"kubectl wait job/{name} --for=condition=complete --timeout=10s && \\",
        "kubectl apply --server-side -f .",
    ]


def test_quadlet_starts_the_release_and_other_dependencies_first() -> None:
    overlay = {"worker": {"depends_on": (Dependency("web", "ready"),)}}
    export = Export("quadlet", plan_of(LINES, overlay))
    worker, release = export.files["app-worker@.container"], export.files["app-release@.container"]
    assert "Requires=app-release@1.service\nAfter=app-release@1.service\n" in worker
    assert "Wants=app-web@1.service\nAfter=app-web@1.service\n" in worker
    assert "Type=oneshot\nRemainAfterExit=yes\n" in release
    assert "Restart=no" in release
    assert any("worker only waits until web has started" in warning for warning in export.warnings)


def test_what_podman_would_take_for_its_own_goes_past_its_environment() -> None:
    values = {"CONTAINER_HOST": "ssh://a b", "HOME": "/app", "NOTIFY_SOCKET": "/x", "GOOD": "yes", "KEY": "s"}
    export = Export("quadlet", plan_of("web: ./serve\n", None, "web=1", **values))
    unit, kept = export.files["app-web@.container"], export.files["app/web.podman.env"]
    assert "EnvironmentFile=/etc/containers/systemd/app/web.podman.env\nPodmanArgs=--env=GOOD\n" in unit
    assert "CONTAINER_HOST=ssh://a b\nHOME=/app\nNOTIFY_SOCKET=/x\n" in kept
    shared = export.files["app/shared.env"]
    assert "GOOD=yes" in shared
    assert not any(f"{name}=" in shared for name in ("CONTAINER_HOST", "HOME", "NOTIFY_SOCKET"))
    with pytest.raises(UsageError, match="cannot hold the value of HOME: a line cannot hold a newline"):
        Export("quadlet", plan_of("web: ./serve\n", None, "web=1", HOME="a\nb"))


def test_quadlet_says_how_to_stop_what_is_removed() -> None:
    removed = ["app-web@2.container", "app/web.2.env", "app-old@.container", "app-old@1.container"]
    options = ExportOptions(app="app")
    assert stop_commands("quadlet", removed, options) == ["systemctl stop app-web@2.service app-old@1.service"]
    assert stop_commands("quadlet", [], options) == []


def test_nomad_has_a_job_of_its_own_for_each_process_that_ends() -> None:
    export = Export("nomad", plan_of(LINES, {"worker": {"restart": RestartPolicy("never")}}))
    assert list(export.files) == ["app.nomad.hcl", "app-worker.nomad.hcl", "app-release.nomad.hcl"]
    assert 'type = "batch"' in export.files["app-release.nomad.hcl"]
    assert "attempts = 0" in export.files["app-worker.nomad.hcl"]
    assert 'group "release"' not in export.files["app.nomad.hcl"]
    first = export.files["app.nomad.hcl"].index("nomad job run app-release.nomad.hcl")
    assert first < export.files["app.nomad.hcl"].index("nomad job run app.nomad.hcl")


def test_a_job_has_another_name_whenever_it_would_be_another() -> None:
    patient = {"worker": {"depends_on": (Dependency("web", "completed"),), "restart": RestartPolicy()}}
    overlays: list[Overlay] = [{"web": {"restart": RestartPolicy(max_restarts=count)}, **patient} for count in (3, 4)]
    jobs = [Kubernetes(overlay=overlay).objects("Job")["web"] for overlay in overlays]
    assert [job["spec"]["backoffLimit"] for job in jobs] == [2, 3]
    assert jobs[0]["metadata"]["name"] != jobs[1]["metadata"]["name"]


# What is named by its content -----------------------------------------------------------------------------------------


def references(found: Kubernetes, name: str = "web") -> list[str]:
    sources = found.pod(name)["containers"][0]["envFrom"]
    return [source[kind]["name"] for source in sources for kind in source]


def test_a_changed_value_changes_the_names_that_pods_refer_to() -> None:
    one, again, other = Kubernetes(), Kubernetes(), Kubernetes(values={"KEY": "changed"})
    assert references(one) == references(again)
    assert references(one)[0] == references(other)[0]
    assert references(one)[1] != references(other)[1]
    for found in (one, other):
        names = [found.objects(kind)[""]["metadata"]["name"] for kind in ("ConfigMap", "Secret")]
        assert references(found) == names
        assert all(found.objects(kind)[""]["immutable"] for kind in ("ConfigMap", "Secret"))


def test_a_long_name_leaves_room_for_the_hash() -> None:
    app = application(plan_of("release: ./migrate\n"), ExportOptions(app="a" * 55))
    assert name_of(app, app.services[0]) == f"{'a' * 55}-release"
    assert name_of(app, app.services[0], "0123abcd") == f"{'a' * 54}-0123abcd"


def test_a_name_that_kubernetes_would_refuse_is_refused_here() -> None:
    name = "a-report-of-all-that-has-happened-since-the-last-one"
    plan = plan_of(f"web: ./web $PORT\n{name}: ./x\n", {name: {"schedule": Schedule("0 2 * * *")}})
    with pytest.raises(UsageError, match=f'a CronJob called "app-{name}": 52 characters are the most'):
        Export("kubernetes", plan)
    plan = plan_of(f"{name}: ./x\n")
    assert f"name: app-{name}\n" in Export("kubernetes", plan).files["app.yaml"]
    with pytest.raises(UsageError, match=f'a StatefulSet called "app-{name}"'):
        Export("kubernetes", plan, numbered=True)
    digit = "Kubernetes before 1.36 takes no Service whose name begins with a digit: see --app"
    assert digit in Export("kubernetes", plan_of(LINES), app="7up").warnings
    assert digit not in Export("kubernetes", plan_of("worker: ./x\n"), app="7up").warnings


def test_what_swarm_would_refuse_is_said_for_compose() -> None:
    name = "a-report-of-all-that-has-happened-since-the-last-one"
    export = Export("compose", plan_of(f"{name}: ./x\n"), app="my.application")
    long = f"Swarm takes no service called my-application_{name}: 63 characters are the most"
    assert long in export.warnings
    assert "docker stack deploy --prune -c compose.yaml my-application\n" in export.files["compose.yaml"]


def test_the_header_deletes_what_is_named_by_older_content() -> None:
    found = Kubernetes()
    (line,) = (line for line in found.header if "kubectl delete configmap" in line)
    current = {
        part["metadata"]["labels"]["procman/content"]
        for parts in found.parts.values()
        for part in parts
        if part["kind"] in ("ConfigMap", "Secret", "Job")
    }
    assert f"'procman/content notin ({', '.join(sorted(current))})'" in line


# Rollouts, drains, restricted namespaces ------------------------------------------------------------------------------


def test_a_rollout_of_what_serves_loses_no_request() -> None:
    found = Kubernetes()
    container = found.pod("web")["containers"][0]
    assert container["readinessProbe"]["tcpSocket"] == {"port": 5000}
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["/bin/sh", "-c", "sleep 2"]
    assert found.pod("web")["terminationGracePeriodSeconds"] == 7
    assert found.spec("Deployment", "web")["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "50%"}
    assert "lifecycle" not in found.pod("worker")["containers"][0]
    services = compose()
    assert services["web"]["deploy"]["update_config"]["order"] == "start-first"
    assert "grep -q ':1388 " in services["web"]["healthcheck"]["test"][1]
    assert services["worker"]["deploy"]["update_config"]["order"] == "stop-first"


def test_several_replicas_are_spread_and_drained_one_at_a_time() -> None:
    found = Kubernetes(formation="web=3,worker=1")
    assert found.pod("web")["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    assert found.pod("web")["topologySpreadConstraints"][0]["matchLabelKeys"] == ["pod-template-hash"]
    assert set(found.objects("PodDisruptionBudget")) == {"web"}
    assert found.pod("web")["enableServiceLinks"] is False


def test_numbered_pods_have_the_names_of_instances() -> None:
    found = Kubernetes(f"{LINES}clock: ./tick\n", formation="web=3,worker=1,clock=1", numbered=True)
    assert set(found.objects("StatefulSet")) == {"web", "worker"}
    assert set(found.objects("Deployment")) == {"clock"}
    spec = found.spec("StatefulSet", "web")
    assert (spec["replicas"], spec["ordinals"], spec["podManagementPolicy"]) == (3, {"start": 1}, "Parallel")
    names = {part["metadata"]["name"]: part["spec"] for part in found.parts["app.yaml"] if part["kind"] == "Service"}
    assert names[spec["serviceName"]]["clusterIP"] == "None"
    assert names["app-web"]["ports"]
    env = found.pod("web")["containers"][0]["env"]
    assert env[0]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}
    values = {one["name"]: one["value"] for one in env[1:]}
    assert (values["PS"], values["PROCMAN_INSTANCE"]) == ("web.$(PROCMAN_INDEX)", "web.$(PROCMAN_INDEX)")
    assert not any("number" in warning for warning in found.export.warnings if "user" not in warning)


def test_a_number_as_user_is_enough_for_a_restricted_namespace() -> None:
    found = Kubernetes(user="1000")
    assert found.pod("web")["securityContext"]["runAsNonRoot"] is True
    security = found.pod("web")["containers"][0]["securityContext"]
    assert security == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert not any("restricted" in warning for warning in found.export.warnings)
    assert any("restricted" in warning for warning in Kubernetes().export.warnings)
    assert compose(user="1000")["web"]["cap_drop"] == ["ALL"]


def test_a_long_start_gets_a_rollout_of_its_length() -> None:
    found = Kubernetes(overlay={"web": {"ready": Check("tcp", "localhost:5000", timeout=900.0)}})
    assert found.spec("Deployment", "web")["progressDeadlineSeconds"] == 1500
    assert "progressDeadlineSeconds" not in Kubernetes().spec("Deployment", "web")


def test_the_commands_of_the_headers_show_and_remove_everything() -> None:
    header = Kubernetes().header
    assert any("--max-log-requests=50" in line for line in header)
    assert any("'app.kubernetes.io/component notin (web, worker, release)'" in line for line in header)
    comment = Export("compose", plan_of(LINES)).files["compose.yaml"]
    assert "docker stack deploy --prune -c compose.yaml app" in comment
    assert "docker compose up -d --remove-orphans" in comment


def test_a_value_too_long_for_a_line_of_dockers_goes_into_compose_yaml() -> None:
    files = Export("compose", plan_of(LINES, SHORT="x", LONG="x" * 70_000)).files
    assert files["app.env"].splitlines()[-1] == "SHORT=x"
    assert f'LONG: "{"x" * 70_000}"' in files["compose.yaml"]


def test_nomad_makes_the_checks_of_a_port_that_is_served() -> None:
    lines = "web: ./serve $PORT\nworker: ./work\n"
    overlay: Overlay = {
        "web": {
            "ready": Check("http", "http://localhost:5000/up?deep=1", timeout=30.0),
            "health": Check("tcp", "localhost:5000", interval=0.2, threshold=4),
        },
        "worker": {"health": Check("exec", "./healthy")},
    }
    export = Export("nomad", plan_of(lines, overlay))
    web = " ".join(export.files["app.nomad.hcl"].split())
    assert 'name = "health" type = "tcp" interval = "1s"' in web, "Nomad takes no shorter interval"
    assert 'check_restart { limit = 4 grace = "30s" }' in web
    assert 'name = "ready" type = "http" path = "/up?deep=1"' in web
    assert web.count("check_restart") == 1, "what is not ready is not restarted"
    assert web.count("service {") == 1
    assert any("health check of worker" in warning for warning in export.warnings)


def test_a_health_check_that_only_reports_restarts_nothing_on_nomad() -> None:
    overlay: Overlay = {"web": {"health": Check("tcp", "localhost:5000", on_fail="none")}}
    assert "check_restart" not in Export("nomad", plan_of(LINES, overlay)).files["app.nomad.hcl"]


@pytest.mark.parametrize("command", ["echo '<<procman:'", "true"])
def test_a_template_of_nomad_has_delimiters_that_occur_in_no_value(command: str) -> None:
    plan = plan_of(f"web: {command}\n", None, "all=1", A="<<procman: x :procman>>", B="<<procman1:")
    (content,) = (text for path, text in Export("nomad", plan).files.items() if path.endswith(".hcl"))
    assert '"<<procman2:"' in content
    assert 'left_delimiter  = "<<procman:"' not in content


def test_quadlet_has_the_health_check_but_not_one_that_only_reports() -> None:
    check = Check("exec", "./healthy %h", interval=2.0, threshold=5)
    export = Export("quadlet", plan_of(LINES, {"web": {"health": check}}, "all=1,web=2"))
    unit = export.files["app-web@.container"]
    assert "HealthCmd=${PROCMAN_HEALTH_CHECK}\n" in unit
    assert "--env=PROCMAN_HEALTH_CHECK" not in unit
    assert "HealthInterval=2s\nHealthTimeout=5s\nHealthRetries=5\nHealthOnFailure=kill\n" in unit
    assert "./healthy %h" in export.files["app/web.2.env"]
    silent = Export("quadlet", plan_of(LINES, {"web": {"health": Check("exec", "./healthy", on_fail="none")}}))
    assert "Health" not in silent.files["app-web@.container"]
    assert any("on_fail = none" in warning for warning in silent.warnings)
