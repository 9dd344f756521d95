"""Writes `[project.urls]` of a package: the addresses of the repository that releases it.

The release workflow runs on GitHub, which names its repository in the environment (GITHUB_SERVER_URL and
GITHUB_REPOSITORY: "Default environment variables" in GitHub's documentation of Actions). So a fork's package leads to
the fork, and one that is built elsewhere has no addresses.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

SERVER_WITH_PAGES = "https://github.com"  # the site of any other server has an address that cannot be known here


class ProjectUrls(MetadataHookInterface):
    """Hatchling calls it for each build. It finds the class by its base."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the addresses, if the environment names the repository."""
        server, repository = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
        if server and repository:
            metadata["urls"] = urls(server, repository)


def urls(server: str, repository: str) -> dict[str, str]:
    """Return the addresses by their names on PyPI. ``repository`` is OWNER/NAME."""
    source = f"{server}/{repository}"
    owner, name = repository.split("/")
    pages = {"Documentation": f"https://{owner.lower()}.github.io/{name}/"} if server == SERVER_WITH_PAGES else {}
    return {
        "Homepage": source,
        **pages,
        "Source": source,
        "Changelog": f"{source}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{source}/issues",
    }
