"""``procman export FORMAT``: write an application for another process manager."""

from __future__ import annotations

import os
import sys

from procman.cli.commands.export_folder import Folder
from procman.cli.options.precedence import settle
from procman.config.files import read_env_files, read_procfile, require_sound
from procman.config.plan_source import plan_for
from procman.core.model.plan import REAL, Layer, merge
from procman.core.text.printable import visible
from procman.errors import EXIT_OK, ConfigError, UsageError
from procman.export.application import app_name
from procman.export.file import ExportFile
from procman.export.options import ExportOptions
from procman.export.registry import find, stop_commands, summaries, unused_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procman.cli.commands.export_folder import Change
    from procman.cli.options.option import Invocation
    from procman.core.model.plan import Plan
    from procman.core.model.settings import Settings

PRINT = "-"
_USER_FORMATS = ("systemd", "quadlet", "launchd")  # formats with units of a user, for which no root is needed
_SHOWN = {"create": "write", "update": "change", "remove": "remove"}


def perform(invocation: Invocation) -> int:
    """Perform ``procman export``."""
    return export(settle(invocation), invocation.words)


def export(settings: Settings, words: tuple[str, ...]) -> int:
    """Write, print, check or compare the files of one format. Returns the exit code.

    Raises UsageError and ConfigError for wrong input, ProcmanError if a folder cannot be written.
    """
    if settings.list_formats:
        _print_formats()
        return EXIT_OK
    format_name, out = _format_and_folder(settings, words)
    render = find(format_name)
    plan = read_plan(settings, os.environ)
    options = _options(settings, plan, format_name, out)
    rendered = list(render(plan, options))
    files = [item for item in rendered if isinstance(item, ExportFile)]
    lacks = [item.message for item in rendered if not isinstance(item, ExportFile)]
    for warning in (*plan.warnings, *hook_warnings(settings), *unused_options(format_name, options), *lacks):
        sys.stderr.write(f"warning: {visible(warning)}\n")
    _require_utf_8(files)
    if settings.check_files:
        from procman.cli.commands.export_check import check

        check(format_name, files, user_units=options.user_units)
    if out == PRINT:
        _print("".join(_printed(files)))
    elif out:
        folder = _folder(out, format_name, options.app)
        removed = _write(folder, files, dry_run=settings.dry_run)
        commands = stop_commands(format_name, removed, options)
        if commands:
            sys.stdout.write("stop what was removed, before anything else:\n")
            sys.stdout.write("".join(f"    {command}\n" for command in commands))
    return EXIT_OK


def hook_warnings(settings: Settings) -> list[str]:
    """Return a warning for the commands for events. Other process managers have such things for themselves."""
    if not settings.on:
        return []
    from procman.config.event_commands import sound_hooks

    events = ", ".join(sound_hooks(settings))
    return [f"not exported: commands for events in [on]: {events}; only a session runs them"] if events else []


def _folder(path: str, format_name: str, app: str) -> Folder:
    if sys.platform != "win32":
        return Folder(path, format_name, app)
    from procman.cli.commands.export_folder_by_path import FolderByPath

    return FolderByPath(path, format_name, app)


def read_plan(settings: Settings, environ: Mapping[str, str]) -> Plan:
    """Read what ``start`` would read, except that only PORT is taken from the real environment.

    The ports are those of every checkout, wherever the export is made.
    """
    settings = settings.but(port_offset=0)
    settings.checkout = ""
    procfile = read_procfile(settings.procfile)
    require_sound(procfile)
    layers, warnings = read_env_files(settings, environ, procfile)
    if "PORT" in environ and not settings.no_port:
        base = Layer(REAL, {"PORT": environ["PORT"]})
        layers = [*layers, base] if settings.os_env_wins else [base, *layers]
    plan = plan_for(settings, procfile, merge(layers), warnings=tuple(warnings))
    if not plan.instances:
        raise UsageError("there is nothing to export", "the formation has no instances")
    return plan


def _format_and_folder(settings: Settings, words: tuple[str, ...]) -> tuple[str, str]:
    """Return the format and the folder (a second word, as in Foreman). The folder is empty for ``--check`` alone."""
    if not words or len(words) > 2:
        raise UsageError("export takes a format and a folder", "procman export --list shows the formats")
    find(words[0])  # an unknown format is reported first
    out = settings.out or ""
    if len(words) == 2:
        if out and out != words[1]:
            raise UsageError(f'"{words[1]}" and --out {out} contradict each other', "leave one of them out")
        out = words[1]
    if not out and not settings.check_files:
        raise UsageError("missing output folder", f"procman export {words[0]} --out DIR, or - to print the files")
    return words[0], out


def _options(settings: Settings, plan: Plan, format_name: str, out: str) -> ExportOptions:
    user_units = settings.user == ""
    if user_units and format_name not in _USER_FORMATS:
        raise UsageError(f"--user needs the name of an account for {format_name}")
    return ExportOptions(
        app=settings.app or app_name(os.path.basename(plan.root)),
        user=settings.user or "",
        owner="" if settings.target_dir else _owner(plan.root),
        image=settings.image or "",
        location="" if out in ("", PRINT) else os.path.abspath(out),
        log=os.path.abspath(settings.log) if settings.log else "",
        user_units=user_units,
        target_dir=_target_dir(settings.target_dir),
        keep_trying=settings.keep_trying,
        numbered=settings.numbered,
    )


def _target_dir(folder: str | None) -> str:
    if folder and not folder.startswith("/"):
        raise UsageError(f'--target-dir must be an absolute path, not "{folder}"', "for example --target-dir /srv/shop")
    return os.path.normpath(folder) if folder else ""


def _owner(folder: str) -> str:
    """Return the owner of the folder, or an empty string if it is root or unknown on this machine."""
    if sys.platform == "win32":
        return ""
    import pwd

    uid = os.stat(folder).st_uid
    try:
        return pwd.getpwuid(uid).pw_name if uid else ""
    except KeyError:
        return ""


def _print_formats() -> None:
    formats = list(summaries())
    width = max(len(name) for name, _ in formats)
    sys.stdout.write("".join(f"{name:<{width}}  {summary}\n" for name, summary in formats))


def _require_utf_8(files: list[ExportFile]) -> None:
    """Raise ConfigError for bytes that are not UTF-8: no target can take them.

    The name of a folder may have such bytes.
    """
    for file in files:
        try:
            file.content.encode()
        except UnicodeEncodeError as error:
            line = file.content.count("\n", 0, error.start) + 1
            raise ConfigError(
                f"line {line} of {file.path} would not be valid UTF-8",
                "check the name of the folder and the values in .env",
            ) from None


def _print(content: str) -> None:
    """Print the bytes that the files would have, whatever the locale: a program will read them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content.encode())


def _printed(files: list[ExportFile]) -> Iterable[str]:
    """Return one file unchanged, or several, each below a line with its name (a comment in most formats)."""
    if len(files) == 1:
        return [files[0].content]
    return (_headline(file) + file.content for file in files)


def _headline(file: ExportFile) -> str:
    return f"# ==> {file.path} -> {file.link}\n" if file.link else f"# ==> {file.path} (mode {file.mode:04o})\n"


def _write(folder: Folder, files: list[ExportFile], dry_run: bool) -> list[str]:
    """Write the files, or say what would be written. Returns the paths that are removed."""
    changes = folder.changes(files)
    try:
        if not dry_run:
            folder.apply(changes)
    except OSError as error:
        raise ConfigError(f"{folder.path}: {error.strerror or error}", "check that you may write there") from None
    sys.stdout.write("".join(_change_line(change, dry_run) for change in changes if change.kind in _SHOWN))
    same = sum(change.kind == "keep" for change in changes)
    sys.stdout.write(f"{folder.path}: {len(files)} files{f', {same} unchanged' if same else ''}\n")
    return [change.path for change in changes if change.kind == "remove"]


def _change_line(change: Change, dry_run: bool) -> str:
    """Return a line about a change, and in a dry run the content of the file, unless that is secret."""
    line = f"{'would ' if dry_run else ''}{_SHOWN[change.kind]} {change.path}\n"
    if not dry_run or change.file is None or change.file.link:
        return line
    return line + ("    (secret: not shown)\n" if change.file.is_secret else _quoted(change.file.content))


def _quoted(content: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in content.split("\n")[:-1])
