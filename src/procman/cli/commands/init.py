"""``procman init``: write a first Procfile, and an overlay if it helps, from what the folder shows."""

from __future__ import annotations

import os
import sys

from procman.cli.commands.check import check
from procman.cli.options.option import Invocation
from procman.cli.options.precedence import settle
from procman.cli.options.table import OPTIONS
from procman.config.project_files import draft_of, procfiles
from procman.core.text.printable import visible
from procman.errors import EXIT_OK, EXIT_PROBLEMS, ConfigError, ProcmanError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.core.detection.proposal import Draft

PROCFILE = "Procfile"
OVERLAY = "procman.toml"
PYPROJECT = "pyproject.toml"


class NothingFoundError(ProcmanError):
    """The folder shows no process."""

    exit_code = EXIT_PROBLEMS


def perform(invocation: Invocation) -> int:
    """Write the files and check them, or with ``--dry-run`` print them. Return the exit code."""
    if invocation.words:
        raise UsageError("init takes no names", "it looks at all files of the current folder")
    _require_none()
    draft = draft_of("")
    for note in draft.notes:
        sys.stderr.write(f"warning: {visible(note)}\n")
    if not draft.started and not draft.proposals:
        hint = "a Procfile has lines such as `web: python app.py`; write one by hand"
        raise NothingFoundError("no file in this folder shows what to run", hint)
    if not draft.started:
        reasons = "; ".join(f"{one.name} ({one.source}): {one.reason}" for one in draft.proposals[:3])
        raise NothingFoundError(f"nothing can be started from this folder: {reasons}")
    if any(option.setting == "dry_run" for option in invocation.given):
        _print(draft)
        return EXIT_OK
    _write(draft)
    given = {next(option for option in OPTIONS if option.setting == "procfile"): [PROCFILE]}
    return check(settle(Invocation("check", given, ()), mistakes=[]))


def _require_none() -> None:
    """Raise UsageError if the folder has a Procfile, by this or a similar name."""
    if os.path.lexists(PROCFILE):
        raise UsageError(f"{PROCFILE} exists, and init never overwrites a file", "procman check reports mistakes in it")
    others = procfiles("")
    if others:
        raise UsageError(f"{others[0]} is a Procfile already", f"procman start -f {others[0]}")


def _print(draft: Draft) -> None:
    """Print the bytes that the files would have."""
    overlay = _new_overlay(draft)
    sys.stdout.flush()
    sys.stdout.buffer.write(_encoded(draft.procfile()))
    if overlay:
        sys.stdout.buffer.write(_encoded(f"\n# ==> {OVERLAY}\n{overlay}"))


def _new_overlay(draft: Draft) -> str:
    """Return the content of a new overlay: first a line by which an editor of TOML finds the schema."""
    tables = draft.overlay()
    if not tables:
        return ""
    from procman.cli.options.schema import line

    note = "# Editors of TOML check this file by the line above. It is about this machine: do not share it."
    return f"{line()}\n{note}\n\n{tables}"


def _write(draft: Draft) -> None:
    overlay = draft.overlay()
    existing = _configuration() if overlay else ""
    with_overlay = bool(overlay) and not existing
    _create(PROCFILE, draft.procfile())
    if with_overlay:
        try:
            _create(OVERLAY, _new_overlay(draft))
        except ProcmanError:
            os.unlink(PROCFILE)  # one without the other would not be what the folder shows
            raise
    sys.stdout.write(f"wrote {PROCFILE}\n")
    for proposal in draft.started:
        sys.stdout.write(f"    {proposal.name}: from {visible(proposal.source)}\n")
    for proposal in draft.proposals:
        if proposal.reason:
            sys.stdout.write(f"    not started: {visible(proposal.name)}, because {visible(proposal.reason)}\n")
    if with_overlay:
        sys.stdout.write(f"wrote {OVERLAY}\n")
    elif overlay:
        _print_tables(overlay, existing)


def _configuration() -> str:
    """Return the file that configures procman here; beside a procman.toml, pyproject.toml would be ignored."""
    from procman.config.configfiles import read_config_files

    if os.path.lexists(OVERLAY):
        return OVERLAY
    return next((PYPROJECT for file in read_config_files("", []) if os.path.basename(file.path) == PYPROJECT), "")


def _print_tables(overlay: str, existing: str) -> None:
    """Print the tables for a configuration file that is the user's own."""
    if existing == PYPROJECT:
        overlay = overlay.replace("\n[process.", "\n[tool.procman.process.")
    sys.stdout.write(f"{existing} stays as it is; add these tables to it:\n")
    sys.stdout.write("".join(f"    {line}".rstrip() + "\n" for line in overlay.splitlines()))


def _create(path: str, text: str) -> None:
    """Create a file with its whole content, or none: a link appears at once, and fails if the name is taken."""
    draft = f".{path}.{os.getpid()}.procman"
    try:
        try:
            _remove(draft)
            with open(draft, "xb") as file:
                file.write(_encoded(text))
            _publish(draft, path, text)
        finally:
            _remove(draft)
    except FileExistsError:
        raise UsageError(f"{path} exists, and init never overwrites a file") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", "check that you may write here") from None


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _publish(draft: str, path: str, text: str) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with open(path, "xb") as file:
            file.write(_encoded(text))


def _encoded(text: str) -> bytes:
    return text.encode(errors="replace")
