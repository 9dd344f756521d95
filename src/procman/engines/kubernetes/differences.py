"""What a deployment would change, as a unified diff that a person can read."""

from __future__ import annotations

import base64
from difflib import unified_diff

from procman.engines.kubernetes.deployment_notes import NOTES
from procman.engines.kubernetes.kubectl import name_of
from procman.engines.kubernetes.pod_states import COMPONENT
from procman.export.container.manifests import CONTENT
from procman.export.grammar import Block, yaml_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from procman.export.grammar import Yaml

    Object = dict[str, Any]

_MASK = "***"
_NOTED = ("name", "labels", "annotations")  # of the metadata; the rest is the cluster's
# Parts of labels and annotations that are not shown: the cluster's, and what the image and the names say already.
_LEFT_OUT = (
    "controller-uid",
    "job-name",
    "deployment.kubernetes.io/",
    "kubectl.kubernetes.io/",
    "app.kubernetes.io/version",
    CONTENT,
)


def difference(live: Iterable[Object], wanted: Iterable[Object], merged: Iterable[Object]) -> str:
    """Return what has to change so that ``live`` becomes ``wanted``. ``merged`` is what the cluster makes of that.

    What is named by its content is compared with its predecessor, since it would be new as a whole otherwise.
    """
    there = {name_of(one): one for one in live if NOTES not in one["metadata"].get("labels", {})}
    akin = {_key(one): one for one in there.values()}
    becomes = {name_of(one): one for one in merged}
    lines: list[str] = []
    for one in wanted:
        name = name_of(one)
        old = there.get(name) or akin.get(_key(one))
        lines += _changes(old, becomes.get(name, one) if old else one)
        there.pop(name, None)
    for one in there.values():
        lines += [] if CONTENT in one["metadata"].get("labels", {}) else _changes(one, None)
    return "".join(f"{line}\n" for line in lines)


def _key(found: Object) -> tuple[str, str]:
    labels = found["metadata"].get("labels", {})
    is_by_type = CONTENT in labels and found["kind"] == "Job"
    return found["kind"], str(labels.get(COMPONENT, "")) if is_by_type else _stem(found)


def _stem(found: Object) -> str:
    """Return the name without the hash of the content."""
    name, labels = str(found["metadata"]["name"]), found["metadata"].get("labels", {})
    return name.removesuffix(f"-{labels[CONTENT]}") if CONTENT in labels else name


def _changes(old: Object | None, new: Object | None) -> Iterator[str]:
    names = [name_of(one) if one else "/dev/null" for one in (old, new)]
    if old and new and CONTENT in new["metadata"].get("labels", {}) and names[0] == names[1]:
        return  # the same content; at most the version is another one
    before, after = (_values(one) if one else {} for one in (old, new))
    texts = []
    for one, values, others, which in ((old, before, after, "old"), (new, after, before, "new")):
        masked = {
            key: _MASK if others.get(key, value) == value else f"{_MASK} ({which})" for key, value in values.items()
        }
        texts.append(list(yaml_lines(_plain(one, masked))) if one else [])
    yield from unified_diff(texts[0], texts[1], names[0], names[1], lineterm="")


def _values(found: Object) -> Mapping[str, str]:
    """Return the values of a Secret."""
    if found["kind"] != "Secret":
        return {}
    given = found.get("stringData") or {}
    coded = {
        key: base64.b64decode(value).decode("utf-8", "replace") for key, value in (found.get("data") or {}).items()
    }
    return {**coded, **given}


def _plain(found: Object, masked: Mapping[str, str]) -> Object:
    """Return an object without what the cluster adds, and with ``masked`` values if it is a Secret."""
    left_out = ("metadata", "status", "stringData", "data")
    data = masked if found["kind"] == "Secret" else found.get("data")
    plain = {
        "metadata": {key: found["metadata"][key] for key in _NOTED if key in found["metadata"]},
        **{key: value for key, value in found.items() if key not in left_out},
        **({"data": data} if data else {}),
    }
    if found["kind"] == "Job":
        plain["spec"] = {key: value for key, value in plain["spec"].items() if key != "selector"}
    shown = _shown(plain)
    assert isinstance(shown, dict)
    return shown


def _shown(value: object) -> Yaml:
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if not any(part in key for part in _LEFT_OUT)}
        return {key: _shown(one) for key, one in kept.items() if one not in ({}, None)}
    if isinstance(value, list):
        return [Block(one) if isinstance(one, str) and "\n" in one else _shown(one) for one in value]
    return value  # type: ignore[return-value]
