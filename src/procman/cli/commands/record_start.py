"""Begins the record of a session, if its settings ask for one."""

from __future__ import annotations

import os
import time

from procman import __version__
from procman.config.state_folder import make_private, state_folder
from procman.output.sinks.record import Record
from procman.output.sinks.record_files import FOLDER, next_files, record_name, recorded, remove_drafts
from procman.runtime.control.endpoint import session_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings
    from procman.output.hub import Hub

MEBIBYTE = 1 << 20  # bytes
KEPT_WITHOUT_FOLDER = 30 * 86400.0  # seconds; checkouts come and go


def begin(plan: Plan, settings: Settings, hub: Hub, here: str) -> tuple[Record | None, str]:
    """Record everything from now on. Return the record; or None, and a warning why there is none.

    ``here`` is the folder that relative paths in the settings start from.
    """
    about = {
        "session": plan.session,
        "procfile": plan.procfile_path,
        "root": plan.root,
        "socket": settings.socket and os.path.join(here, settings.socket),
        "began": round(time.time(), 3),
        "version": __version__,
        "names": [instance.name for instance in plan.instances],
        "groups": {instance.type: list(instance.groups) for instance in plan.instances if instance.groups},
    }
    try:
        folder = f"{state_folder(os.environ)}/{FOLDER}"
        make_private(folder)
        name = session_name(os.path.realpath(plan.root), os.path.realpath(plan.procfile_path))
        remove_drafts(folder)
        files = next_files(folder, record_name(name, bool(settings.socket)), plan.session, settings.record_keep)
        limit = settings.record_limit * MEBIBYTE
        record = Record(files, hub.history, about, limit, hub.announce)
    except OSError as error:
        return None, f"the output of this session is not recorded: {(error.strerror or str(error)).lower()}"
    _forget_the_gone(folder)
    hub.add(record)
    return record, ""


def _forget_the_gone(folder: str) -> None:
    """Remove the old records of checkouts that are not there any more."""
    before = time.time() - KEPT_WITHOUT_FOLDER
    for files in recorded(folder):
        if 0.0 < files.changed < before:
            from procman.cli.control.recorded import Recording

            root = Recording(files).head.get("root")
            if isinstance(root, str) and not os.path.lexists(root) and not files.is_running():
                files.remove()
