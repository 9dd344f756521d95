"""``procman env``: the variables that a process gets from procman, for other programs and for shells."""

from __future__ import annotations

import os
import shlex
import sys

from procman.cli.control.connection import Connection, own_options, print_json
from procman.cli.options.option import Invocation
from procman.cli.options.precedence import settle
from procman.config.envfile import is_shell_name
from procman.config.files import at_checkout
from procman.config.plan_source import read_plan
from procman.core.procfile.formation import port_variables
from procman.core.text.suggest import did_you_mean
from procman.errors import EXIT_OK, ProcmanError, UsageError
from procman.runtime.control.endpoint import find, socket_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record
    from procman.core.model.plan import InstancePlan, Plan
    from procman.core.model.settings import Settings

OWN = ("as_json", "as_exports")  # settings of this command alone
_OF_AN_INSTANCE = ("PORT", "PS", "PROCMAN_INSTANCE", "PROCMAN_PROCESS")


def perform(invocation: Invocation) -> int:
    """Print the variables that a process, or without a name any process, gets beyond those of this environment."""
    own = own_options(invocation)
    if own.get("as_json") and own.get("as_exports"):
        raise UsageError("--json and --export contradict each other", "leave one of them out")
    if len(invocation.words) > 1:
        raise UsageError("env takes the name of one process", "without a name, it prints what all of them share")
    given = {option: texts for option, texts in invocation.given.items() if option.setting not in OWN}
    settings = settle(Invocation(invocation.command, given, ()))
    variables = variables_for(settings, invocation.words[0] if invocation.words else "")
    shown = added(variables)
    if own.get("as_json"):
        print_json(shown)
        return EXIT_OK
    _write(_exports(shown) if own.get("as_exports") else "".join(f"{name}={text}\n" for name, text in shown.items()))
    return EXIT_OK


def _exports(variables: dict[str, str]) -> str:
    """Return lines for a shell, without the names that are none to it: it would run what these contain."""
    odd = [name for name in variables if not is_shell_name(name)]
    if odd:
        sys.stderr.write(f"procman: warning: --export leaves out what a shell cannot have as a name: {' '.join(odd)}\n")
    return "".join(f"export {name}={shlex.quote(text)}\n" for name, text in variables.items() if name not in odd)


def _write(text: str) -> None:
    """Write to stdout: to a program each byte as it is, to a terminal without what it would act on."""
    if sys.stdout.isatty():
        sys.stdout.write(text)
    else:
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def added(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables that this environment does not have, or has with other values."""
    return {name: value for name, value in variables.items() if os.environ.get(name) != value}


def variables_for(settings: Settings, wanted: str) -> dict[str, str]:
    """Return the variables of the wanted process, or without a name those that all have. Raises ProcmanError."""
    settings = at_checkout(settings, os.environ)
    session = _session(settings)
    settings.checkout = str(session.get("checkout") or settings.checkout)
    plan = read_plan(settings, os.environ, moved=_ports(session))
    instance = _instance(plan, wanted) if wanted else None
    if instance is not None:
        variables = instance.env
    else:
        variables = {name: text for name, text in plan.instances[0].env.items() if name not in _OF_AN_INSTANCE}
    variables.pop("PROCMAN_SESSION", None)
    variables.pop("PWD", None)  # of the process; the reader's shell has one of its own
    return {**variables, **_decided(session, instance)}


def _instance(plan: Plan, wanted: str) -> InstancePlan:
    for instance in plan.instances:
        if wanted in (instance.name, instance.type):
            return instance
    known = dict.fromkeys(name for one in plan.instances for name in (one.type, one.name))
    raise UsageError(f'{plan.procfile.name} has no process "{wanted}"', did_you_mean(wanted, tuple(known)))


def _session(settings: Settings) -> Record:
    """Return the answer of the running session to `ps`; nothing if there is none, or if it does not answer."""
    paths = socket_paths(settings.procfile, settings.root, settings.socket, os.environ)
    try:
        found = find(paths, bool(settings.socket))
        return Connection(found).request({"verb": "ps"}) if found is not None else {}
    except ProcmanError:  # it is suspended, for example
        return {}


def _rows(session: Record) -> list[Record]:
    rows = session.get("instances", [])
    assert isinstance(rows, list)
    return [row for row in rows if row["port"] is not None]


def _ports(session: Record) -> dict[str, int]:
    return {str(row["name"]): int(str(row["port"])) for row in _rows(session)}


def _decided(session: Record, instance: InstancePlan | None) -> dict[str, str]:
    """Return what the running session has decided: its id, and its ports, also those of types that are not planned."""
    known = {"PROCMAN_SESSION": str(session["session"])} if "session" in session else {}
    ports = _ports(session)
    own = {"PORT": str(ports[instance.name])} if instance is not None and instance.name in ports else {}
    firsts = {str(row["type"]): ports[str(row["name"])] for row in _rows(session) if row["number"] == 1}
    return {**known, **port_variables(firsts), **own}
