"""The JSON Schema of procman.toml is current, has every key, and agrees with what procman itself accepts."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest

from procman.cli.options import precedence
from procman.cli.options.precedence import CONFIG_KEYS, settle
from procman.cli.options.reader import read
from procman.cli.options.schema import PATH, rendered, schema
from procman.config.configfiles import ConfigFile
from procman.core.model.checks import KINDS
from procman.core.overlay.converters import WrongValueError
from procman.core.overlay.keys import COLOR_NAMES, KEYS, RESTARTS
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import harness

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
BLOCKS = [
    pytest.param(block, id=f"{document.relative_to(ROOT)}-{number}")
    for document in sorted(DOCUMENTS)
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL))
]
FILES = sorted(ROOT.glob("examples/**/*.toml"))
VALIDATOR = jsonschema.Draft7Validator(schema())
VALUES: list[object] = [
    *(True, False, -1, 0, 1, 64, 255, 5432, 70_000, 2_000_000_000, -0.5, 0.01, 0.5, 1e9),
    *("", " ", "x", "15", "30", ".5", "500ms", "1m30s", "5m 3s", "1mm", "s", "%H:%M", "INT", "sigterm"),
    *("always", "unless-stopped", "sometimes", "red", "bright_red", "group", "json", "bump", "elapsed", "yes"),
    *([], ["x"], ["x", "y-1"], ["a b"], [1], ["INT", 3], [300], [[]], [True], ["x", {"path": "y", "required": False}]),
    *({}, {"x": 1}, {"path": "x"}, {"path": "x", "required": 0}, {"PORT": "1"}, {"A=B": "1"}, {"A": []}),
    *({"initial": 1, "max": "1m"}, {"initial": "soon"}, {"maximum": 1}),
    *({"db": "ready"}, {"db": "service_healthy"}, {"db": "soon"}, {"db": {"condition": "started", "timeout": 3}}),
    *({"db": {"timeout": 0.01}}, {"db": {"timeout": "3s", "after": 1}}),
    *({"tcp": 1}, {"tcp": True}, {"tcp": False}, {"tcp": 0}, {"tcp": "127.0.0.1:80"}, {"tcp": "x"}, {"tcp": []}),
    *({"http": "/"}, {"http": ":80/x"}, {"http": "http://localhost:80/"}, {"http": "https://localhost"}, {"http": 1.5}),
    *({"exec": "x"}, {"exec": 1}, {"log": "x"}, {"log": ""}, {"delay": "2s"}, {"delay": "x"}, {"tcp": 1, "exec": "x"}),
    *({"http": "/", "anyone": True}, {"exec": "x", "anyone": True}, {"log": "x", "anyone": True}),
    *({"tcp": 1, "interval": 0.01}, {"delay": 1, "anyone": True}),
    *({"tcp": 1, "timeout": False}, {"tcp": 1, "timeout": True}, {"tcp": 1, "on_fail": "stop"}),
    *({"tcp": 1, "on_fail": "x"}, {"tcp": 1, "failure-threshold": 5}, {"tcp": 1, "failure_threshold": 0}),
    *({"http": "/", "status": [200, 401]}, {"http": "/", "status": []}, {"http": "/", "status": 99}),
    *({"tcp": 1, "status": 200}, {"http": "/", "headers": {"A-b": "x"}}, {"http": "/", "headers": {"A b": "x"}}),
    *({"http": "/", "headers": {"A": "\n"}}, {"http": "/", "headers": {"A": 1}}, {"log": "x", "success_threshold": 2}),
    *({"exec": "x", "per_instance": 5, "max": 3}, {"cpu": 80, "max": 4, "min": 2, "cooldown": "5m"}, {"cpu": 80}),
    *({"exec": "x", "per_instance": 0, "max": 3}, {"cpu": 1, "exec": "x", "per_instance": 1, "max": 2}, {"max": 2}),
    *({"notify": True}, {"notify": False}, {"notify": True, "tcp": 1}, {"notify": True, "success_threshold": 2}),
    *({"exec": "x", "success_threshold": 2}, {"exec": "x", "success_threshold": 0}, {"delay": 1, "initial_delay": 1}),
]

UNKNOWN_SIGNALS = ("x", "s", "always", "sometimes", "red", "group", "json", "bump", "elapsed", "yes", ["x"])


def is_valid(values: object) -> bool:
    return bool(VALIDATOR.is_valid(values))


def is_refused_by_the_overlay(key: str, value: object) -> bool:
    try:
        KEYS[key](value)
    except WrongValueError:
        return True
    return False


def test_the_file_in_the_package_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == rendered(), "run: make schema"


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


def test_it_has_every_key_each_with_its_meaning() -> None:
    root = json.loads(rendered())
    process = root["properties"]["process"]["additionalProperties"]
    assert set(root["properties"]) == {*CONFIG_KEYS, "process", "on"}
    assert list(process["properties"]) == list(KEYS)
    assert all(form["description"] for form in (*root["properties"].values(), *process["properties"].values()))
    assert set(KINDS) <= set(process["properties"]["ready"]["properties"])


def test_it_offers_the_words_of_a_key_before_those_of_other_tools() -> None:
    properties = schema()["properties"]["process"]["additionalProperties"]["properties"]  # type: ignore[index]
    assert properties["restart"]["anyOf"][0]["anyOf"][0] == {"enum": list(RESTARTS)}
    assert properties["color"]["anyOf"][0] == {"enum": list(COLOR_NAMES)}


@pytest.mark.parametrize("key", KEYS)
def test_it_refuses_the_values_that_the_overlay_refuses_and_no_others(key: str) -> None:
    for value in VALUES:
        if key in ("stop_signal", "success_exit_codes") and value in UNKNOWN_SIGNALS:
            continue  # which signals there are depends on the system
        refused = is_refused_by_the_overlay(key, value)
        assert is_valid({"process": {"web": {key: value}}}) is not refused, value
        dashed = key.replace("_", "-")
        assert is_valid({"process": {"web": {dashed: value}}}) is not refused, value


@pytest.mark.parametrize("setting", sorted(CONFIG_KEYS))
def test_it_refuses_the_values_that_a_setting_refuses_and_no_others(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    invocation = read(("start",))
    assert invocation is not None
    for value in VALUES:
        if setting == "formation" and isinstance(value, dict):
            continue  # the counts are read later
        if setting == "color" and value in ("", "yes"):
            continue  # a variable's values, which a file may have as well
        file = ConfigFile("procman.toml", {setting: value})
        monkeypatch.setattr(precedence, "read_config_files", lambda *_, file=file: [file])
        try:
            settle(invocation, {})
        except UsageError:
            assert not is_valid({setting: value}), value
        else:
            assert is_valid({setting: value}), value


def test_a_formation_may_be_a_table() -> None:
    assert is_valid({"formation": {"web": 2, "all": 1}})
    assert not is_valid({"formation": {"web": []}})
    assert not is_valid({"formation": 2})


@pytest.mark.parametrize(
    "values",
    [
        {"prot": 5000},
        {"process": []},
        {"process": {"web": "restart"}},
        {"process": {"web": {"stop_signl": "INT"}}},
        {"process": {"web": {"stop_signal": ["INT"]}}},
        {"process": {"web": {"success_exit_codes": [1.5]}}},
    ],
)
def test_unknown_keys_and_wrong_tables_are_refused(values: dict[str, object]) -> None:
    assert not is_valid(values)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_the_documents_show_is_valid(block: str) -> None:
    assert errors_of(tomllib.loads(block)) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_files_of_the_examples_are_valid(file: Path) -> None:
    assert errors_of(tomllib.loads(file.read_text(encoding="utf-8"))) == []


def errors_of(values: dict[str, object]) -> list[str]:
    """The mistakes in a procman.toml, or in the table tool.procman of a pyproject.toml."""
    tool = values.get("tool")
    settings = tool.get("procman", {}) if isinstance(tool, dict) else {} if "project" in values else values
    return [error.message for error in VALIDATOR.iter_errors(settings)]


def test_help_schema_prints_the_line_for_an_editor(place: harness.Place) -> None:
    done = place.call("help", "schema")
    assert (done.code, done.err) == (0, "")
    directive, _, address = done.out.strip().partition(" ")
    assert directive == "#:schema"
    file = Path(unquote(urlsplit(address).path))
    assert file.read_bytes() == PATH.read_bytes()
