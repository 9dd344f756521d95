"""``procman check``: the problems of the Procfile, and with ``--json`` a dry run of ``start``."""

from __future__ import annotations

import os
import sys

from procman.cli.colors import palette_for, with_severity, write
from procman.cli.failures import visible
from procman.cli.options.precedence import settle
from procman.config.configfiles import collected
from procman.config.files import at_checkout, env_paths, read_environment, read_procfile, uses_overlay
from procman.config.plan_source import plan_for
from procman.core.model.plan import REAL, Layer, merge
from procman.core.model.settings import NAMES
from procman.core.planner import formation_of, offset_of
from procman.errors import EXIT_OK, EXIT_PROBLEMS, ConfigError, Problem, ProcmanError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from procman.cli.options.option import Invocation
    from procman.config.env_advice import Advice
    from procman.core.model.plan import Environment, InstancePlan, Plan
    from procman.core.model.process_overlay import Overlay, OverlayProblem
    from procman.core.model.procfile import Procfile
    from procman.core.model.settings import Settings


def perform(invocation: Invocation) -> int:
    """Perform ``procman check``. With ``--json``, whatever is wrong is in the JSON object."""
    try:
        settings = at_checkout(settle(invocation, mistakes=[]), os.environ)
    except ProcmanError as error:
        if all(option.setting != "json" for option in invocation.given):
            raise
        return _print_failure(error)
    if not settings.json:
        return check(settings)
    try:
        return check(settings)
    except ProcmanError as error:
        return _print_failure(error, settings.procfile)


def _print_failure(error: ProcmanError, procfile: str = "") -> int:
    """Print the report of a check that could not look at the Procfile. Returns the exit code."""
    import json

    empty: dict[str, object] = {"ok": False, "procfile": procfile, "process_types": [], "instances": [], "env": {}}
    sys.stdout.write(f"{json.dumps({**empty, 'problems': [_error_record(error)]}, indent=2)}\n")
    return error.exit_code


def _error_record(error: ProcmanError) -> dict[str, object]:
    """Return an error that is not in a line of a file, as a problem of the report."""
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    return {"severity": "error", "line": 0, "column": 0, "message": message}


def check(settings: Settings) -> int:
    """Print every problem of the Procfile and the config files, or that there is none. Returns the exit code.

    Raises ConfigError if a file cannot be read, UsageError if the command line asks for something impossible.
    """
    if settings.target:
        from procman.export.limits import check_target

        check_target(settings.target)
    if settings.show_config and not settings.json:
        from procman.cli.columns import aligned

        _print(aligned((name, "=", _shown(value), source) for name, value, source in _config(settings)))
    failures = list(settings.mistakes)
    try:
        procfile = read_procfile(settings.procfile, settings.place("procfile"))
    except ConfigError:
        _print(map(str, _located(failures)[0]), settings.color)
        raise
    if not settings.json:
        _print((problem.at(procfile.name) for problem in procfile.problems), settings.color)
    found = _look(settings, procfile, failures)
    if settings.json:
        sys.stdout.write(f"{_as_json(settings, found)}\n")
    else:
        _print((problem.at(procfile.name) for problem in found.cannot_run), settings.color)
    for severity, sentence in found.advice:
        _warn(severity, sentence, settings)
    if not settings.json:
        _print(map(str, found.problems), settings.color)
        _print((f"{limit.severity}: {limit.message}" for limit in found.limits), settings.color)
        _raise_first(found.unlocated)
        _print(_summary(settings, found), settings.color)
    if found.unlocated:
        return found.unlocated[0].exit_code
    return EXIT_PROBLEMS if found.has_errors else EXIT_OK


class _Findings:
    """What a look at the files has found."""

    def __init__(self, procfile: Procfile, environment: Environment) -> None:
        self.procfile = procfile
        self.environment = environment
        self.instances: tuple[InstancePlan, ...] = ()
        self.cannot_run: list[Problem] = []
        self.advice: list[tuple[str, str]] = []  # "warning" or "hint", and the sentence
        self.problems: list[OverlayProblem] = []  # of the config files
        self.limits: list[Problem] = []  # what the target cannot hold
        self.offset = 0  # what is added to the usual ports
        self.unlocated: list[UsageError] = []  # errors that do not come from a line of a config file

    @property
    def has_errors(self) -> bool:
        severities = [*(problem.severity for problem in self.problems), *(limit.severity for limit in self.limits)]
        return bool(self.procfile.errors) or "error" in severities


def _look(settings: Settings, procfile: Procfile, failures: list[UsageError]) -> _Findings:
    """Look at all files, whatever is wrong in one of them. `failures` are the mistakes that are known already."""
    read = collected(lambda: read_environment(settings, os.environ, procfile), failures)
    environment, warnings = read or (merge([Layer(REAL, os.environ)]), ())
    found = _Findings(procfile, environment)
    overlay = collected(lambda: _overlay(settings, procfile, environment), failures)
    plan = None
    if overlay and overlay.errors and not procfile.errors:
        collected(lambda: formation_of(settings, procfile), failures)  # which needs no overlay
    elif not procfile.errors:
        plan = collected(lambda: plan_for(settings, procfile, environment, overlay=overlay), failures)
    destinations = collected(lambda: _destination_problems(settings), failures) or []
    located, found.unlocated = _located(failures)
    found.problems = [*located, *(overlay.problems if overlay else ()), *destinations]
    reported = {f"{problem.location}: {problem.message}" for problem in found.problems}
    notes = plan.warnings if plan else settings.notes
    found.advice = [("warning", text) for text in dict.fromkeys((*warnings, *notes)) if text not in reported]
    if plan is not None:
        found.instances = plan.instances
        found.cannot_run = list(_cannot_run(plan))
        found.procfile = procfile.with_problems(found.cannot_run)
        if settings.target:
            found.limits = list(_limits(settings, settings.target))
        found.offset = offset_of(settings, environment)
        if settings.slot and overlay is not None:
            from procman.cli.commands.worktree_hints import worktree_hints

            found.advice += worktree_hints(found.instances, overlay, found.offset)
    if read:
        found.advice += _env_advice(settings, overlay)
    return found


def _located(failures: Iterable[UsageError]) -> tuple[list[OverlayProblem], list[UsageError]]:
    """Return the problems in lines of config files, and the other errors."""
    problems: list[OverlayProblem] = []
    others: list[UsageError] = []
    for error in failures:
        location, _, message = error.message.partition(": ")
        if location.rpartition(":")[2].isdigit():
            from procman.core.model.process_overlay import OverlayProblem

            problems.append(OverlayProblem(location, message, error.hint))
        else:
            others.append(error)
    return problems, others


def _raise_first(errors: Sequence[UsageError]) -> None:
    if errors:
        raise errors[0]


def _warn(severity: str, sentence: str, settings: Settings) -> None:
    write(sys.stderr, f"{with_severity(f'{severity}: {visible(sentence)}', palette_for(sys.stderr, settings.color))}\n")


def _limits(settings: Settings, target: str) -> Iterator[Problem]:
    """Yield what the target cannot hold. What an export would still ask for, such as an image, is taken as given."""
    from procman.cli.commands.export import read_plan
    from procman.export.application import app_name
    from procman.export.limits import limits
    from procman.export.options import ExportOptions

    try:
        plan = read_plan(settings, os.environ)
        app = app_name(os.path.basename(plan.root))
        sentences = limits(target, plan, ExportOptions(app, user="1000", image=f"{app}:latest"))
    except UsageError as error:
        yield Problem("error", 0, 0, f"{error.message}; {error.hint}" if error.hint else error.message)
    else:
        yield from (Problem("warning", 0, 0, sentence) for sentence in sentences)


def _cannot_run(plan: Plan) -> Iterator[Problem]:
    """Yield why commands cannot be run, if the files show it."""
    from procman.runtime.processes.diagnosis import search_for

    commands = {instance.type: instance for instance in reversed(plan.instances)}
    for process in plan.procfile.process_types:
        instance = commands.get(process.name)
        found = instance and search_for(instance, plan.environment, os.environ).first_trouble(process.command)
        if found:
            offset, trouble = found
            if trouble.certain:
                sentence = f"{trouble.message}; {trouble.hint}" if trouble.hint else trouble.message
                yield Problem("hint" if trouble.missing else "warning", process.line, process.column + offset, sentence)


def _overlay(settings: Settings, procfile: Procfile, environment: Environment) -> Overlay | None:
    if not uses_overlay(settings):
        return None
    from procman.config.overlays import read_overlay

    return read_overlay(settings, procfile, environment)


def _destination_problems(settings: Settings) -> list[OverlayProblem]:
    """Return the mistakes in the destinations of `deploy` and in the commands for events, if there are any."""
    if not settings.on:
        return []
    from procman.config.destinations import read_destinations
    from procman.config.event_commands import read_hooks
    from procman.engines.engine_registry import unknown_engines

    destinations = read_destinations(settings)
    return [*destinations.problems, *unknown_engines(destinations.found.values()), *read_hooks(settings)[1]]


def _env_advice(settings: Settings, overlay: Overlay | None) -> list[Advice]:
    if overlay is None and not env_paths(settings):
        return []
    from procman.config.env_advice import env_advice

    return env_advice(settings, overlay)


def _summary(settings: Settings, found: _Findings) -> list[str]:
    lines = []
    procfile = found.procfile
    if not found.has_errors:
        names = procfile.names
        lines.append(f"{procfile.name}: ok — {len(names)} process type{'s'[: len(names) > 1]} ({', '.join(names)})")
        if found.offset and settings.slot:
            lines.append(f"{settings.checkout}: a linked worktree, so its ports are moved by {found.offset}")
    if settings.show_env or settings.show_values:
        from procman.cli.columns import aligned

        lines += aligned(_variables(settings, found.environment)) or ["no env file sets any variable"]
    return lines


def _variables(settings: Settings, environment: Environment) -> list[tuple[str, str]]:
    """Return a row for each variable of the env files: its location, and its value unless that is secret."""
    from procman.core.text.printable import masked

    rows = []
    for name in environment.given:
        value = environment.values[name]
        shown = value if settings.show_values else masked(name, value)
        differs = environment.origin[name] != REAL and os.environ.get(name, value) != value
        note = "  (the environment has a different value)" if differs else ""
        rows.append((environment.origin[name], f"{name}={shown}{note}"))
    return rows


def _as_json(settings: Settings, found: _Findings) -> str:
    import json

    procfile, environment = found.procfile, found.environment
    report = {
        "ok": not found.has_errors and not found.unlocated,
        "procfile": procfile.name,
        "process_types": [{"name": t.name, "command": t.command, "line": t.line} for t in procfile.process_types],
        "instances": [_instance_record(instance) for instance in found.instances],
        "env": {name: environment.values[name] if settings.show_values else None for name in environment.given},
        "problems": [
            {"severity": p.severity, "line": p.line, "column": p.column, "message": p.message}
            for p in procfile.problems
        ]
        + [p.as_record() for p in found.problems]
        + [_error_record(error) for error in found.unlocated],
    }
    if found.offset:
        report["checkout"] = settings.checkout
        report["port_offset"] = found.offset
    if settings.target:
        report["target"] = settings.target
        report["limits"] = [{"severity": limit.severity, "message": limit.message} for limit in found.limits]
    if settings.show_env:
        report["env_sources"] = {name: environment.origin[name] for name in environment.given}
    if settings.show_config:
        report["config"] = {name: {"value": value, "source": source} for name, value, source in _config(settings)}
    return json.dumps(report, indent=2)


def _instance_record(instance: InstancePlan) -> dict[str, object]:
    """Return an instance for the report; one that `start` leaves for the user to start says so."""
    record: dict[str, object] = {"name": instance.name, "type": instance.type, "number": instance.number}
    record["port"] = instance.port
    return record if instance.autostart else {**record, "autostart": False}


def _config(settings: Settings) -> list[tuple[str, object, str]]:
    """Return the name, the value and the origin of each setting."""
    return [(name, getattr(settings, name), settings.origin.get(name, "default")) for name in NAMES]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if value is None or isinstance(value, bool):
        return "-" if value is None else "yes" if value else "no"
    return str(value)


def _print(lines: Iterable[str], color: bool | None = None) -> None:
    palette = palette_for(sys.stdout, color)
    for line in lines:
        write(sys.stdout, f"{with_severity(visible(line), palette)}\n")
