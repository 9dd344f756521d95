"""What every manifest of Kubernetes has: a kind, a name, labels, and for what is named by its content, a hash."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from procman.errors import UsageError
from procman.export.container.containers import MAX_LABEL_LENGTH, dns_label, image_of
from procman.export.grammar import Plain, yaml_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.export.application import Application, Service
    from procman.export.grammar import Yaml
    from procman.export.options import ExportOptions

    Manifest = dict[str, Yaml]

VERSION = "procman/version"  # the annotation of a pod with the version that it runs, if the image's tag need not say so
CONTENT = "procman/content"  # the label of what is named by its content, so that older ones can be found
_MAX_SHORT_NAME = 52  # characters: 11 of the 63 of a label are for a hash or a time
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


def document(manifest: Manifest) -> str:
    """Write one document of a file."""
    return "---\n" + "".join(f"{line}\n" for line in yaml_lines(manifest))


def manifest(version: str, kind: str, metadata: Manifest, **more: Yaml) -> Manifest:
    """Return a manifest with its parts in the usual order."""
    return {"apiVersion": Plain(version), "kind": Plain(kind), "metadata": metadata, **more}


def name_of(app: Application, service: Service | None = None, content: str = "") -> str:
    """Return the name of an object, from those of the application and the service and the hash of its content."""
    label = dns_label(f"{app.name}-{service.name}" if service else app.name)
    return Plain(f"{label[: MAX_LABEL_LENGTH - len(content) - 1].rstrip('-')}-{content}" if content else label)


def short_name_of(app: Application, service: Service, kind: str) -> str:
    """Return the name of an object whose pods or Jobs get a label with more than the name.

    Raises UsageError if that would be too long: Kubernetes would refuse the object, or take it and make no pods.
    """
    name = name_of(app, service)
    if len(name) > _MAX_SHORT_NAME:
        message = f'Kubernetes cannot hold a {kind} called "{name}": {_MAX_SHORT_NAME} characters are the most'
        raise UsageError(message, "use a shorter name for the application or for the process type")
    return name


def labels_for(app: Application, options: ExportOptions, component: str = "") -> Manifest:
    """Return the labels that Kubernetes recommends."""
    version = _version(image_of(app, options))
    return {
        "app.kubernetes.io/name": Plain(app.name),
        **({"app.kubernetes.io/component": Plain(component)} if component else {}),
        "app.kubernetes.io/instance": Plain(app.name),
        "app.kubernetes.io/part-of": Plain(app.name),
        **({"app.kubernetes.io/version": Plain(version)} if _LABEL.fullmatch(version) else {}),
        "app.kubernetes.io/managed-by": Plain("procman"),
    }


def _version(image: str) -> str:
    """Return the tag of an image; empty if it has none, or a digest."""
    return "" if "@" in image else image.rpartition("/")[2].partition(":")[2]


def content_hash(content: Yaml) -> str:
    """Return a hash of content, the same for the same content. It names what must be new whenever the content is."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
