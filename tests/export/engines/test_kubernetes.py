"""The manifests match Kubernetes' own schemas, of an old version and of the newest."""

from __future__ import annotations

import random
from importlib import import_module

import pytest

from export.rig import HOSTILE, Application, cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType
    from typing import Any

FORMATION = "web=2,worker=1,clock=1"


@pytest.fixture(scope="module")
def validator() -> ModuleType:
    try:
        return import_module("kubernetes_validate")
    except ImportError:
        cannot("kubernetes-validate is not installed (PyPI)")


def manifests(folder: Path) -> list[dict[str, Any]]:
    import yaml

    return [part for path in sorted(folder.rglob("*.yaml")) for part in yaml.safe_load_all(path.read_text())]


def expanded(text: str, env: dict[str, str]) -> str:
    """Expand a string in ``command`` or ``env`` with the kubelet's algorithm."""
    out, at = "", 0
    while at < len(text):
        if text.startswith("$$", at):
            out, at = out + "$", at + 2
        elif text.startswith("$(", at) and ")" in text[at:]:
            end = text.index(")", at)
            name = text[at + 2 : end]
            out, at = out + env.get(name, f"$({name})"), end + 1
        else:
            out, at = out + text[at], at + 1
    return out


def environment(parts: list[dict[str, Any]], name: str) -> dict[str, str]:
    """Return the environment of a workload's container, as the kubelet assembles it."""
    container = next(
        part for part in parts if part["metadata"]["name"] == name and part["kind"] in ("Deployment", "Job")
    )
    container = container["spec"]["template"]["spec"]["containers"][0]
    env: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        ((_, wanted),) = source.items()
        kind = "ConfigMap" if "configMapRef" in source else "Secret"
        found = next(part for part in parts if part["kind"] == kind and part["metadata"]["name"] == wanted["name"])
        env |= found.get("data", {}) | found.get("stringData", {})
    for entry in container["env"]:
        env[entry["name"]] = (
            expanded(entry["value"], env) if "value" in entry else entry["valueFrom"]["fieldRef"]["fieldPath"]
        )
    return env


@pytest.mark.parametrize("which", ["an old version", "the newest version"])
def test_the_schemas_have_no_complaint(validator: ModuleType, app: Application, tmp_path: Path, which: str) -> None:
    with (app.folder / "Procfile").open("a") as procfile:
        procfile.write("release: ./migrate && echo done\n")
    app.export("kubernetes", tmp_path / "out", "--image", "shop:1", "-m", f"{FORMATION},release=1")
    version = "1.25" if which == "an old version" else validator.latest_version()
    parts = manifests(tmp_path / "out")
    assert {part["kind"] for part in parts} == {
        *("ConfigMap", "Secret", "Deployment", "Service", "Job", "PodDisruptionBudget"),
    }
    for part in parts:
        validator.validate(part, version, strict=True)


@pytest.mark.parametrize("which", ["1.31", "the newest version"])
def test_the_schemas_know_numbered_pods(validator: ModuleType, app: Application, tmp_path: Path, which: str) -> None:
    app.export("kubernetes", tmp_path / "out", "--image", "shop:1", "-m", FORMATION, "--numbered", "--user", "1000")
    parts = manifests(tmp_path / "out")
    assert {part["kind"] for part in parts} >= {"StatefulSet", "Service", "PodDisruptionBudget"}
    for part in parts:
        validator.validate(part, validator.latest_version() if which != "1.31" else which, strict=True)


def test_every_value_and_command_is_read_back(app: Application, tmp_path: Path) -> None:
    app.export("kubernetes", tmp_path / "out", "--image", "shop:1", "-m", "web=1,worker=1,clock=1")
    parts = manifests(tmp_path / "out")
    for name in ("web", "worker", "clock"):
        assert environment(parts, f"shop-{name}") == app.expected(f"{name}=1")[f"{name}.1"]
    lines = dict(line.split(": ", 1) for line in (app.folder / "Procfile").read_text().strip().splitlines())
    for part in parts:
        if part["kind"] == "Deployment":
            argv = part["spec"]["template"]["spec"]["containers"][0]["command"]
            command = expanded(argv[3], {**HOSTILE, "PORT": "no", "PS": "no"})
            assert argv[:2] == ["/bin/sh", "-c"]
            line = lines[part["metadata"]["labels"]["app.kubernetes.io/component"]]
            assert command.replace("exec ", "").endswith(line)


def test_any_values_are_read_back(tmp_path: Path) -> None:
    source = random.Random(42)
    alphabet = "ab \t\n\r\x01\x1b\x7f\\\"'`$%#;=&{}()[]<>|*?~!^,.:@/äß€🚀\u0085\u2028\ufeff\ufdd0"
    values = {f"V{n}": "".join(source.choices(alphabet, k=source.randrange(8))) for n in range(500)}
    app = Application(tmp_path / "shop", "web: ./witness\n", values)
    app.export("kubernetes", tmp_path / "out", "--image", "shop:1")
    assert environment(manifests(tmp_path / "out"), "shop-web") == app.expected("web=1")["web.1"]


def test_secrets_are_in_the_secret_alone(app: Application, tmp_path: Path) -> None:
    app.export("kubernetes", tmp_path / "out", "--image", "shop:1", "-m", FORMATION)
    assert "postgres" not in (tmp_path / "out" / "shop.yaml").read_text()
    assert (tmp_path / "out" / "shop-secret.yaml").stat().st_mode & 0o777 == 0o600
