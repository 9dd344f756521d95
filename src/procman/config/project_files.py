"""Looks at the files of other tools in a folder, and drafts a Procfile from them."""

from __future__ import annotations

import os
import sys
from itertools import islice

from procman.config.reading import read_text
from procman.core.detection import languages, listed, scripts
from procman.core.detection.proposal import MOST, Draft, Proposal
from procman.core.procfile.parser import parse_procfile
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LARGEST_YAML = 128 << 10  # bytes; its parser reads 100 KiB in a second
_MOST_FOLDERS = 200  # that are searched for a celery.py
_COPIES = (".bak", ".orig", ".rej", ".swp", ".tmp", "~")  # of an editor, or of a merge
_ENVIRONMENTS = (".venv", "venv", "env")
_PROCESS_COMPOSE = ("process-compose.yaml", "process-compose.yml")
_MPROCS = ("mprocs.yaml", "mprocs.yml")
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


class ProjectFiles:
    """The files of one folder. What cannot be read becomes a note, and is treated as missing."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.names = self.list_folder("")

    def list_folder(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none if it is missing or cannot be read."""
        try:
            return sorted(os.listdir(os.path.join(self.folder, path) or "."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.notes.append(f"{path or 'this folder'} cannot be read: {error.strerror}")
            return []

    def has(self, path: str) -> bool:
        """Whether this is a file."""
        return os.path.isfile(os.path.join(self.folder, path))

    def text(self, path: str) -> str:
        """Return the text of a file; an empty string if it is missing or cannot be read."""
        try:
            return read_text(os.path.join(self.folder, path))[0] or ""
        except ConfigError as error:
            self.notes.append(error.message)
            return ""

    def parsed(self, path: str) -> object:
        """Return what a JSON, TOML or YAML file says; an empty mapping if it is missing or invalid."""
        text = self.text(path) if path in self.names else ""
        parse = _PARSERS[path.rpartition(".")[2]]
        try:
            return parse(text) if text.strip() else {}
        except _UnreadableError as error:
            self.notes.append(f"{path} is not used: {error}")
        except RecursionError:
            self.notes.append(f"{path} is not used: it is nested too deeply")
        except ValueError as error:
            self.notes.append(f"{path} is not used: {error}")
        return {}

    def first_of(self, names: tuple[str, ...]) -> str:
        """Return the first of these files that is here; an empty string for none."""
        return next((name for name in names if name in self.names), "")


class _UnreadableError(Exception):
    """A file is not used, for a reason that is not in its text."""


def _json(text: str) -> object:
    import json

    return json.loads(text)


def _toml(text: str) -> object:
    import tomllib

    return tomllib.loads(text)


def _yaml(text: str) -> object:
    """Parse YAML without its types and tags: every scalar is a string."""
    try:
        import yaml
    except ImportError:
        from procman.config.extras import installation

        command = installation("pyyaml")
        raise _UnreadableError(f"PyYAML, which reads it, is not installed; `{command}` installs it") from None
    if len(text) > _LARGEST_YAML:
        raise _UnreadableError(f"it is larger than {_LARGEST_YAML >> 10} KiB")
    try:
        return yaml.load(text, yaml.BaseLoader)  # noqa: S506 (it constructs strings, lists and dictionaries only)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


_PARSERS: dict[str, Callable[[str], object]] = {"json": _json, "toml": _toml, "yaml": _yaml, "yml": _yaml}


def procfiles(folder: str) -> list[str]:
    """Return the files of a folder that are Procfiles by their names (``Procfile.dev``) and by what they say."""
    files = ProjectFiles(folder)
    names = [name for name in files.names if name.lower().startswith("procfile") and not name.endswith(_COPIES)]
    return [name for name in names if files.has(name) and parse_procfile(files.text(name).encode()).process_types]


def draft_of(folder: str) -> Draft:
    """Return a draft of a Procfile for the folder. A file that lists processes is the only source then."""
    files = ProjectFiles(folder)
    proposals = list(islice(_listed(files), MOST + 1)) or list(islice(_shown(files), MOST + 1))
    if not proposals:
        _note_workspaces(files)
    draft = Draft(_with_folders(proposals, folder))
    draft.notes = list(dict.fromkeys((*files.notes, *draft.notes)))
    return draft


def _listed(files: ProjectFiles) -> Iterator[Proposal]:
    """Yield the processes that a process-compose file lists, or else an mprocs file."""
    file = files.first_of(_PROCESS_COMPOSE)
    if file:
        found = list(listed.of_process_compose(files.parsed(file), file, files.notes))
        if found:
            yield from found
            return
    file = files.first_of(_MPROCS)
    if file:
        yield from listed.of_mprocs(files.parsed(file), file, files.notes)


def _with_folders(proposals: list[Proposal], folder: str) -> Iterator[Proposal]:
    """Yield the proposals; one whose folder does not exist becomes a comment, since it could not start."""
    for proposal in proposals:
        cwd = str(proposal.overlay.get("cwd", ""))
        if cwd and not os.path.isdir(os.path.join(folder, os.path.expanduser(cwd))):
            proposal.reason = proposal.reason or f"there is no folder {cwd}"
        yield proposal


def _shown(files: ProjectFiles) -> Iterator[Proposal]:
    """Yield the processes that other files show. The first to use a name has it."""
    yield from _python(files)
    if "Gemfile" in files.names or "config.ru" in files.names:
        yield from languages.of_gemfile(files.text("Gemfile"), files.has("config.ru"))
    if files.has("artisan"):
        yield from languages.of_artisan()
    if "mix.exs" in files.names:
        yield from languages.of_mix(files.text("mix.exs"))
    if scripts.FILE in files.names:
        yield from scripts.of_package(files.parsed(scripts.FILE), scripts.package_manager(files.names))
    if "Cargo.toml" in files.names:
        yield from _cargo(files)
    if "go.mod" in files.names:
        commands = [name for name in files.list_folder("cmd") if files.has(f"cmd/{name}/main.go")]
        yield from languages.of_go(files.text("go.mod"), files.has("main.go"), commands)
    file = files.first_of(_COMPOSE)
    if file:
        yield from listed.of_compose(files.parsed(file), file, files.notes)


def _python(files: ProjectFiles) -> Iterator[Proposal]:
    prefix = languages.runner(files.names) or _environment(files)
    if files.has("manage.py"):
        yield from languages.of_django(prefix, "python" if prefix else _python_on_path())
    for module in ("main", "app"):
        if files.has(f"{module}.py"):
            yield from languages.of_python(module, files.text(f"{module}.py"), prefix)
    for package in [name for name in files.names if name.isidentifier()][:_MOST_FOLDERS]:
        if files.has(f"{package}/celery.py"):
            yield from languages.of_celery(package, files.text(f"{package}/celery.py"), prefix)


def _environment(files: ProjectFiles) -> str:
    """Return the folder of the programs in a virtual environment, which need no activation there; empty for none."""
    return next((f"{name}/bin/" for name in _ENVIRONMENTS if files.has(f"{name}/bin/python")), "")


def _python_on_path() -> str:
    """Return `python`, or `python3` on a system that calls it only that, as Debian does."""
    if sys.platform == "win32":
        return "python"  # `python3` may be there only to offer an installation
    from shutil import which

    return "python3" if which("python3") and not which("python") else "python"


def _cargo(files: ProjectFiles) -> Iterator[Proposal]:
    data = files.parsed("Cargo.toml")
    programs = [name.removesuffix(".rs") for name in files.list_folder("src/bin") if name.endswith(".rs")]
    if isinstance(data, dict):
        yield from languages.of_cargo(data, files.has("src/main.rs"), programs)


def _note_workspaces(files: ProjectFiles) -> None:
    """Add a note for each file that lists the folders of a workspace, which may show what this one does not."""
    keys = {scripts.FILE: ("workspaces",), "Cargo.toml": ("workspace",), "pyproject.toml": ("tool", "uv", "workspace")}
    lists = ("pnpm-workspace.yaml", "go.work")
    found: list[str] = [name for name in lists if name in files.names]
    for name, path in keys.items():
        data = files.parsed(name) if name in files.names else {}
        for key in path:
            data = data.get(key) if isinstance(data, dict) else None
        found += [name] if data else []
    files.notes += [f"{name} is a workspace: run procman init in the folder of a member" for name in found]
