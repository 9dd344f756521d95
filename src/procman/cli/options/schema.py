"""The JSON Schema of procman.toml, for editors: ``python -m procman.cli.options.schema > FILE`` (see `make schema`).

It is made from the tables of options and of keys, in draft 7: TOML editors do not read all of the later ones. What is
documented is valid by it. It finds wrong keys and types, and leaves to `check` what depends on the Procfile or has to
be parsed, such as a regular expression.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from procman.cli.options.overlay_reference import KEYS_EXPLAINED
from procman.cli.options.precedence import CONFIG_KEYS
from procman.cli.options.table import OPTIONS
from procman.config import destinations
from procman.config.event_commands import EVENTS_EXPLAINED
from procman.core.model.checks import DELAY, HTTP, KINDS, LOG, NOTIFY, TCP
from procman.core.model.dependency import CONDITIONS
from procman.core.model.listen import MOST_SOCKETS
from procman.core.model.status import HIGHEST_SIGNAL
from procman.core.overlay import converters
from procman.core.overlay.autoscaling import AUTOSCALE_KEYS
from procman.core.overlay.keys import (
    BELONGS_TO,
    COLOR_ALIASES,
    COLOR_NAMES,
    CONDITION_ALIASES,
    FEWEST_CPUS,
    HEALTH_KEYS,
    HIGHEST_PORT,
    KEYS,
    LARGEST_MEMORY,
    MOST_CPUS,
    READY_KEYS,
    RESTART_ALIASES,
    RESTARTS,
    SMALLEST_MEMORY,
    signal,
)
from procman.core.overlay.scheduling import NICKNAMES, SCHEDULE_KEYS, SHORTEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from procman.cli.options.option import Option

    Form = dict[str, object]  # a schema of JSON Schema

PATH = Path(__file__).absolute().with_name("procman.schema.json")

_NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)"
_DURATION = rf"^({_NUMBER}(ms|s|m|h|d))*{_NUMBER}(ms|s|m|h|d)?$"
_SOCKET = (  # a path that has a slash or no colon, or an address with a port
    r"/.*[^/\s]\s*$|^\s*[^:/\s]([^:/]*[^:/\s])?\s*$"
    r"|^\s*(localhost|\[?[0-9A-Fa-f.:]+\]?):([0-9]{1,5}|\$PORT|\$\{PORT\})\s*$"
)
_SIZE = rf"^\s*({_NUMBER}\s*[KkMmGgTt]([Ii]?[Bb])?|[0-9]{{7,15}}\s*[Bb]?)\s*$"
_CRON_PATTERN = rf"^\s*(({'|'.join(NICKNAMES)})|[^@\s]\S*(\s+\S+){{4}})\s*$"
_MOST_WHOLE = 999_999_999  # of a setting: nine digits


def line() -> str:
    """Return the line that tells an editor of TOML where the schema is, for ``procman help schema``."""
    return f"#:schema {PATH.as_uri()}"


def rendered() -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> Form:
    """Return the schema."""
    settings = {setting: {"description": _help(setting), **_setting(option)} for setting, option in _options().items()}
    keys = {key: {"description": KEYS_EXPLAINED[key][1], **_key(key, convert)} for key, convert in KEYS.items()}
    process = {"description": "how one process of the Procfile runs", **_table(keys)}
    processes: Form = {
        "type": "object",
        "description": "the overlay: how each process runs",
        "additionalProperties": process,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "procman.toml",
        "description": "Settings of procman, and how the processes of the Procfile run.",
        **_table({**settings, "process": processes, destinations.KEY: _destinations()}),
    }


def _destinations() -> Form:
    forms = {key: _DESTINATION.get(key) or _OF_CONVERTERS[convert] for key, convert in destinations.KEYS.items()}
    keys = {key: {"description": destinations.KEYS_EXPLAINED[key], **form} for key, form in forms.items()}
    table = {"description": "a destination of deploy", **_table(keys, required=["engine"])}
    either = _any({"type": "string", "minLength": 1}, table)
    events = {event: {"description": text, **either} for event, text in EVENTS_EXPLAINED.items()}
    description = "where deploy brings the application, and commands for events"
    return {"type": "object", "description": description, "properties": events, "additionalProperties": table}


# Parts ----------------------------------------------------------------------------------------------------------------


def _any(*forms: Form) -> Form:
    return {"anyOf": list(forms)}


def _words(words: Iterable[str], aliases: Iterable[str] = ()) -> Form:
    """Return the form of a choice. Completion offers the words, not the aliases."""
    others = [alias for alias in aliases if alias not in words]
    own: Form = {"enum": list(words)}
    return _any(own, {"enum": others, "x-taplo": {"hidden": True}}) if others else own


def _whole(lowest: int, highest: int) -> Form:
    return {"type": "integer", "minimum": lowest, "maximum": highest}


def _time(lowest: float = 0) -> Form:
    limits = {"minimum": lowest, "exclusiveMaximum": 1e9}  # of a number; the pattern is that of a string
    return {"type": ["number", "string"], **limits, "pattern": _DURATION}


def _one_or_more(entry: Form) -> Form:
    return _any(entry, {"type": "array", "items": entry})


def _table(keys: Mapping[str, Form], **more: object) -> Form:
    """Return the form of a table with these keys only; a dash in a key equals an underscore."""
    dashed = {f"^({'|'.join(others)})$": form for key, form in keys.items() if (others := _with_dashes(key))}
    patterns = {pattern: {k: v for k, v in form.items() if k != "description"} for pattern, form in dashed.items()}
    also = {"patternProperties": patterns} if patterns else {}
    return {"type": "object", "properties": dict(keys), **also, **more, "additionalProperties": False}


def _with_dashes(key: str) -> list[str]:
    parts = key.split("_")
    ways = itertools.product("-_", repeat=len(parts) - 1)
    spelled = ("".join(itertools.chain(*zip(parts, (*way, ""), strict=True))) for way in ways)
    return [other for other in spelled if other != key]


_STRING: Form = {"type": "string"}
_TEXT: Form = {"type": "string", "pattern": r"\S"}
_PATH: Form = {"type": "string", "minLength": 1}
_FALSE: Form = {"const": False}
_TRUE: Form = {"const": True}
_SWITCH: Form = {"type": "boolean"}
_PORT = _whole(0, HIGHEST_PORT)
_ENV_FILE = _any(_TEXT, _table({"path": _TEXT, "required": _SWITCH}, required=["path"]))
_SIGNAL_NAME = _any(
    _words(("TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL")),  # what completion offers
    {"type": "string", "pattern": r"^\s*[A-Za-z][A-Za-z0-9]*\s*$"},
)

# Settings -------------------------------------------------------------------------------------------------------------


def _options() -> dict[str, Option]:
    return {option.setting: CONFIG_KEYS[option.setting] for option in OPTIONS if option.setting in CONFIG_KEYS}


def _help(setting: str) -> str:
    option = next(option for option in OPTIONS if option.setting == setting and option.help)
    return option.help if option.value else f"if false: {option.help}"


def _setting(option: Option) -> Form:
    if option.setting == "env":
        return _any(_PATH, {"type": "array", "items": _ENV_FILE})
    if option.setting == "formation":
        return _any(_STRING, {"type": "object", "additionalProperties": {"type": ["integer", "string"]}})
    if option.kind == "choice":
        return _words(option.choices)
    if option.kind == "switch":
        return _any(_SWITCH, _words(option.choices)) if option.choices else _SWITCH
    form = _OF_KINDS[option.kind]
    switches = [row for row in OPTIONS if row.setting == option.setting and row.kind == "switch" and row.config]
    return _any(form, _FALSE) if switches else form


_OF_KINDS: dict[str, Form] = {
    "whole": _whole(0, _MOST_WHOLE),
    "port": _PORT,
    "offset": _any(_words(("none", "worktree")), _whole(0, _MOST_WHOLE), {"type": "string", "pattern": "^[0-9]{1,9}$"}),
    "seconds": _time(),
    "list": _one_or_more(_STRING),
    "path": _PATH,
    "text": _STRING,
    "regex": _STRING,
    "template": _STRING,
    "stamp": _any(_words(("off", "iso", "elapsed"), ("none", "")), {"type": "string", "pattern": "%"}),
}

# Keys of the overlay --------------------------------------------------------------------------------------------------


def _key(key: str, convert: Callable[[object], object]) -> Form:
    """Return the form of a value: that of the key if it has one of its own, else that of its converter."""
    if key in _OF_KEYS:
        return _OF_KEYS[key]
    if isinstance(convert, converters.WholeNumber):
        return _whole(convert.lowest, convert.highest)
    if isinstance(convert, converters.Word):
        return _words(convert.words, convert.aliases)
    return _OF_CONVERTERS[convert]


_OF_CONVERTERS: dict[Callable[[object], object], Form] = {
    converters.truth: _SWITCH,
    converters.text: _TEXT,
    converters.texts: _one_or_more(_TEXT),
    converters.seconds: _time(),
    converters.period: _time(converters.MIN_PERIOD),
    converters.env_files: _one_or_more(_ENV_FILE),
    signal: _any(_whole(1, HIGHEST_SIGNAL), _SIGNAL_NAME),
}

_ADDRESSES: dict[str, Form] = {
    HTTP: _any(_TRUE, _whole(1, HIGHEST_PORT), {"type": "string", "pattern": r"^(/|:|http://)\S*$"}),
    TCP: _any(_TRUE, _whole(1, HIGHEST_PORT), {"type": "string", "pattern": r"(^|:)([0-9]{1,5}|\$PORT|\$\{PORT\})$"}),
    LOG: _TEXT,
    DELAY: _time(),
    NOTIFY: _TRUE,
}


def _check(keys: Mapping[str, Callable[[object], object]], own: Mapping[str, Form]) -> Form:
    """Return the form of a check: one of the kinds, and what goes with it."""
    forms = {key: own.get(key) or _key(key, convert) for key, convert in keys.items()}
    one_kind = [{"required": [kind]} for kind in KINDS if kind in keys]
    kinds = {key: {"anyOf": [{"required": [kind]} for kind in BELONGS_TO[key]]} for key in BELONGS_TO if key in keys}
    return _table(forms, oneOf=one_kind, dependencies=kinds)


_CONDITION = _words(CONDITIONS, CONDITION_ALIASES)
_CODE = _any(_whole(0, 255), _SIGNAL_NAME)
_DEPENDENCY = _any(
    _CONDITION,
    _table({"condition": _CONDITION, "timeout": _time(converters.MIN_PERIOD), "restart": _SWITCH}),
)
_VARIABLES: Form = {
    "type": "object",
    "propertyNames": {"pattern": "^[^=]+$", "not": {"const": "PORT"}},
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}

_STATUS = _whole(100, 599)
_HEADERS: Form = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
    "additionalProperties": {"type": "string", "not": {"pattern": "[^ -~]"}},
}

_OF_KEYS: dict[str, Form] = {
    "status": _one_or_more(_STATUS),
    "headers": _HEADERS,
    "restart": _any(_words(RESTARTS, RESTART_ALIASES), _FALSE),
    "backoff": _any(_time(), _table({"initial": _time(), "max": _time()})),
    "success_exit_codes": _one_or_more(_CODE),
    "depends_on": _any(_one_or_more(_TEXT), {"type": "object", "additionalProperties": _DEPENDENCY}),
    "port": _any(_PORT, _FALSE),
    "listen": _any(
        _SWITCH,
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MOST_SOCKETS,
            "propertyNames": {"pattern": "^[_-]*[A-Za-z0-9][A-Za-z0-9_-]*$"},
            "additionalProperties": {"type": "string", "pattern": _SOCKET},
        },
    ),
    "env": _VARIABLES,
    "color": _words(COLOR_NAMES, COLOR_ALIASES),
    "groups": _one_or_more({"type": "string", "pattern": "^[_-]*[A-Za-z0-9][A-Za-z0-9_-]*$"}),
    "primary": _SWITCH,
    "memory_max": {
        "type": ["integer", "string"],
        "minimum": SMALLEST_MEMORY,
        "maximum": LARGEST_MEMORY,
        "pattern": _SIZE,
    },
    "cpu_max": {"type": "number", "minimum": FEWEST_CPUS, "maximum": MOST_CPUS},
}
_OF_KEYS["per_instance"] = {"type": "number", "exclusiveMinimum": 0}
_OF_KEYS["autoscale"] = _table(
    {key: _key(key, convert) for key, convert in AUTOSCALE_KEYS.items()},
    required=["max"],
    oneOf=[{"required": ["exec"]}, {"required": ["cpu"]}],
)
_CRON: Form = {"type": "string", "pattern": _CRON_PATTERN}
_OF_KEYS["cron"] = _CRON
_OF_KEYS["every"] = _OF_KEYS["run_timeout"] = _time(SHORTEST)
_OF_KEYS["schedule"] = _any(
    _CRON,
    _table(
        {key: _key("run_timeout" if key == "timeout" else key, convert) for key, convert in SCHEDULE_KEYS.items()},
        oneOf=[{"required": ["cron"]}, {"required": ["every"]}],
        dependencies={"tz": ["cron"]},
    ),
)
_OF_KEYS["ready"] = _check(READY_KEYS, {**_ADDRESSES, "timeout": _any(_time(converters.MIN_PERIOD), _FALSE)})
_OF_KEYS["health"] = _check(HEALTH_KEYS, _ADDRESSES)
_DESTINATION: dict[str, Form] = {
    "formation": _any(_STRING, {"type": "object", "additionalProperties": {"type": ["integer", "string"]}}),
}


if __name__ == "__main__":
    print(rendered(), end="")
