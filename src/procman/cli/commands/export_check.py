"""``procman export --check``: the target's own validator, if it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from procman.cli.commands.export_folder import Folder
from procman.errors import ProcmanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from procman.export.file import ExportFile

VALIDATOR_TIMEOUT = 120.0  # seconds; only a validator that hangs takes that long
_NEWER_KEYS = r"Unknown key( name)? 'Restart(Steps|MaxDelaySec|Mode)' in section"  # systemd before 254
_SCRIPTS = (".sh", "run", "finish", "control/t", "env")  # what a shell executes, or sources
_QUADLETS = ("/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet")


@dataclass(frozen=True, slots=True)
class Validator:
    """A program that checks the files of an export.

    ``wants`` selects them by path. It is called once for all of them, or once for each.
    """

    argv: tuple[str, ...]
    wants: Callable[[str], bool]
    each: bool = False
    silent: bool = False  # its exit code says little: any output on stderr is an error
    accepts: str = "(?!)"  # a pattern of lines on stderr that are not errors
    probe: tuple[str, ...] = ()  # a call whose output has ``plugin`` if a plug-in of the program is installed
    plugin: str = ""
    topic: str = ""  # validators of different topics complete each other; of one topic, the first installed one runs


def check(format_name: str, files: Sequence[ExportFile], *, user_units: bool) -> None:
    """Run the installed validators on a copy of the files. Raises ValidatorError if one of them finds an error."""
    known = _validators(format_name, user_units)
    found = [next(filter(_is_installed, one), None) for one in _by_topic(known)]
    if not any(found):
        sys.stderr.write(f"warning: no validator for {format_name} is installed\n")
    for validator in filter(None, found):
        _check(validator, format_name, files)


def _by_topic(known: list[Validator]) -> Iterator[list[Validator]]:
    for topic in dict.fromkeys(validator.topic for validator in known):
        yield [validator for validator in known if validator.topic == topic]


def _is_installed(validator: Validator) -> bool:
    if shutil.which(validator.argv[0]) is None:
        return False
    if not validator.probe:
        return True
    done = subprocess.run(validator.probe, capture_output=True, check=False, text=True)  # noqa: S603 (a fixed program)
    return done.returncode == 0 and validator.plugin in done.stdout


def _check(validator: Validator, format_name: str, files: Sequence[ExportFile]) -> None:
    with tempfile.TemporaryDirectory(prefix="procman-check-") as folder:
        copy = Folder(folder, format_name, "")
        copy.apply(copy.changes(files))
        paths = [file.path for file in files if not file.link and validator.wants(file.path)]
        for argv in _calls(validator, paths):
            _run(validator, argv, folder)
    sys.stderr.write(f"{_title(validator.argv)}: no problems found\n")


def _validators(format_name: str, user_units: bool) -> list[Validator]:
    scope = ("--user",) if user_units else ()
    units = (".service", ".target", ".slice", ".socket", ".timer")
    verify = ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *scope)
    scripts = Validator(("sh", "-n"), lambda path: path.endswith(_SCRIPTS), each=True)
    compose = ("config", "-q")
    known = {
        "systemd": [Validator(verify, lambda path: path.endswith(units), silent=True, accepts=_NEWER_KEYS)],
        "supervisord": [scripts],
        "runit": [scripts],
        "s6": [scripts],
        "compose": [
            Validator(("docker-compose", *compose), lambda _: False),
            Validator(("docker", "compose", *compose), lambda _: False, probe=("docker", "compose", "version")),
            Validator(
                ("docker", "stack", "config", "-c", "compose.yaml"),  # also reads what Compose ignores
                lambda _: False,
                probe=("docker", "stack", "config", "--help"),
                plugin="docker stack config",
                topic="Swarm",
            ),
        ],
        "kubernetes": [
            Validator(("kubeconform", "-strict"), _is_yaml),
            Validator(("kubernetes-validate", "--strict"), _is_yaml),
        ],
        "nomad": [Validator(("nomad", "job", "validate"), lambda path: path.endswith(".hcl"), each=True)],
        "quadlet": [Validator((path, "-dryrun", *scope), lambda _: False) for path in _QUADLETS],
        "launchd": [Validator(("plutil", "-lint"), lambda path: path.endswith(".plist"))],
        "upstart": [Validator(("init-checkconf",), lambda path: path.endswith(".conf"), each=True)],
    }
    return known.get(format_name, [])


def _is_yaml(path: str) -> bool:
    return path.endswith(".yaml")


def _calls(validator: Validator, paths: list[str]) -> list[tuple[str, ...]]:
    if validator.each:
        return [(*validator.argv, path) for path in paths]
    return [(*validator.argv, *(f"./{path}" for path in paths))]


def _run(validator: Validator, argv: tuple[str, ...], folder: str) -> None:
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:", "QUADLET_UNIT_DIRS": folder}
    try:
        done = subprocess.run(  # noqa: S603 (a fixed program and our own paths)
            argv, cwd=folder, env=environment, capture_output=True, timeout=VALIDATOR_TIMEOUT, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise ValidatorError(f"{argv[0]} did not finish within {VALIDATOR_TIMEOUT:.0f} s") from None
    said = "\n".join(line for line in done.stderr.splitlines() if not re.search(validator.accepts, line)).strip()
    failed = done.returncode and not (validator.silent and done.stderr)
    if failed or (validator.silent and said):
        output = (said or done.stdout.strip()).replace(f"{folder}/", "").expandtabs()
        sys.stderr.write(f"{output}\n")
        raise ValidatorError(f"{_title(argv)} reports the problems above")


def _title(argv: tuple[str, ...]) -> str:
    """Return the program with its subcommands, without options."""
    return " ".join(argv[: next((at for at, word in enumerate(argv) if at > 1 and not word.isalpha()), 2)])


class ValidatorError(ProcmanError):
    """A validator rejected the files."""

    exit_code = 1
