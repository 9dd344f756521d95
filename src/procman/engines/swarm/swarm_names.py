"""What an application is called in a swarm, and the labels by which its parts are known."""

from __future__ import annotations

from procman.export.container.containers import dns_label

NAMESPACE = "com.docker.stack.namespace"  # the label by which Docker knows the parts of a stack
# Labels. APP is Swarm's name for the application, which my_app and my-app share, and NAME its own.
APP, NAME, TYPE = "procman.app", "procman.name", "procman.type"
VERSION, STOPPED, FOLDER = "procman.version", "procman.stopped", "procman.folder"
FILE = "procman.file"  # the file that a service was deployed from


def stack_name(app: str) -> str:
    """Return Swarm's name for an application."""
    return dns_label(app)
