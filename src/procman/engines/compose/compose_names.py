"""What an application is called at a Docker daemon, and the labels by which its containers are known."""

from __future__ import annotations

from procman.export.container.containers import dns_label

APP, TYPE, NUMBER, VERSION = "procman.app", "procman.type", "procman.number", "procman.version"  # labels
HASH = "procman.hash"  # of all that the instances of a type have in common
ENVIRONMENT = "/run/procman.env"  # in a container: a script that sets the variables that may be secret


def project_name(app: str) -> str:
    """Return Compose's name for an application."""
    return dns_label(app)


def volume_name(app: str) -> str:
    """Return the name of the volume that keeps what is deployed: `down` removes it last."""
    return f"{project_name(app)}_procman"
