"""Processes in package.json: its scripts, and the parts of a ``concurrently`` or ``npm-run-all`` line."""

from __future__ import annotations

import re
from itertools import islice

from procman.core.detection.proposal import MOST, Proposal
from procman.core.procfile.command import quoted
from procman.core.procfile.shell_line import base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FILE = "package.json"
LOCK_FILES = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
}
# How a package manager runs a program of node_modules/.bin, which is on PATH only within a script.
_PROGRAM_RUNNERS = {"npm": "npx", "pnpm": "pnpm exec", "yarn": "yarn run", "bun": "bunx"}
_PROCFILE_TOOLS = {"procman", "procman-cli", "foreman", "honcho", "overmind", "hivemind", "nf", "goreman"}
_PARALLEL_OPTIONS = {"-p", "--parallel"}
_CONCURRENTLY_VALUES = (  # options of concurrently that take a value
    *("-n", "--names", "-m", "--max-processes", "-c", "--prefix-colors", "-p", "--prefix", "-l", "--prefix-length"),
    *("-t", "--timestamp-format", "-s", "--success", "--restart-tries", "--restart-after", "--hide", "--kill-signal"),
    *("--name-separator", "--default-input-target", "--teardown", "--cwd", "--kill-timeout"),
)
_ON_PATH = frozenset(  # programs that are not installed by a package
    (  # noqa: SIM905 (a list would be a screen long)
        "node npm npx pnpm pnpx yarn bun bunx deno python python3 uv poetry ruby bundle php composer go cargo java mvn "
        "docker docker-compose podman make sh bash zsh env exec cd echo sleep redis-server postgres stripe ngrok"
    ).split()
)
_PORT_OPTIONS = {  # servers that do not read PORT: their subcommands that serve, and the options for the port
    "vite": (("", "dev", "serve"), " --port $PORT --strictPort"),
    "astro": (("dev",), " --port $PORT"),
    "ng": (("serve",), " --port $PORT"),
}
_NAMED = ("dev", "start", "worker")
_MOST_SCRIPTS = 1000
_LONGEST_LINE = 10_000  # characters; a longer script is not taken apart
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*')+""", re.DOTALL)
_PIECE = re.compile(r"""\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'|([^\s"'\\]+)""", re.DOTALL)


def package_manager(files: Sequence[str]) -> str:
    """Return the package manager whose lock file is among the files; npm without any."""
    return next((manager for name, manager in LOCK_FILES.items() if name in files), "npm")


def of_package(data: object, manager: str) -> Iterator[Proposal]:
    """Yield the processes of a parsed package.json: `dev` or else `start`, `worker`, and all of `watch:*`."""
    found = data.get("scripts") if isinstance(data, dict) else None
    scripts = _scripts(found) if isinstance(found, dict) else {}
    main = next((name for name in ("dev", "start") if name in scripts), "")
    done: set[str] = set()
    if main:
        parts = list(islice(_parts(scripts, main, manager), MOST + 1))
        yield from parts or [_main_script(scripts, main, manager)]
        done = {part.command for part in parts}
    for name in scripts:
        if name == "worker" or name.startswith("watch:"):
            command = _script(scripts, name, manager)
            if command not in done:
                yield Proposal(name, command, f"{FILE}: scripts.{name}", other=f"{manager}-{name}")


def _scripts(found: Mapping[str, object]) -> dict[str, str]:
    """Return the scripts: all that a person has written, and not those of a file made to keep us busy."""
    names = [*_NAMED, *found][:_MOST_SCRIPTS]
    return {name: text for name in dict.fromkeys(names) if isinstance(text := found.get(name), str)}


def _main_script(scripts: Mapping[str, str], name: str, manager: str) -> Proposal:
    source = f"{FILE}: scripts.{name}"
    reason = ""
    if any(base_name(word) in _PROCFILE_TOOLS for word in words(scripts[name])):
        reason = "it would start a Procfile, perhaps this one"
    return Proposal("web", _script(scripts, name, manager), source, reason=reason, other=name)


def _port_options(script: str) -> str:
    """Return the options that give the script its port: none if it has one, does more than serve, or reads PORT."""
    line = words(script[:_LONGEST_LINE])
    while line and (line[0] in ("npx", "exec", "cross-env") or re.match(r"[A-Za-z_]\w*=", line[0])):
        line = line[1:]
    subcommands, options = _PORT_OPTIONS.get("".join(line[:1]), ((), ""))
    subcommand = next(iter(line[1:2]), "")
    is_plain = not any(word.startswith("--port") or re.fullmatch(r"[&|;<>]+.*", word) for word in line)
    if not is_plain or ("" if subcommand.startswith("-") else subcommand) not in subcommands:
        return ""
    return options


def _script(scripts: Mapping[str, str], name: str, manager: str) -> str:
    """Return the command that runs a script, with its port if it needs that."""
    options = _port_options(scripts[name])
    return f"{manager} run {quoted(name)}{' --' if options and manager == 'npm' else ''}{options}"


def words(line: str) -> list[str]:
    """Split a command line as a shell does, except that it expands nothing."""
    return [_unquoted(found[0]) for found in _WORD.finditer(line)]


def _unquoted(word: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[2] is not None:
            return re.sub(r'\\(["\\$`])', r"\1", found[2])
        return found[1] or found[3] or found[4] or ""

    return _PIECE.sub(plain, word)


# Parts ----------------------------------------------------------------------------------------------------------------


def _parts(scripts: Mapping[str, str], name: str, manager: str) -> Iterator[Proposal]:
    """Yield the parts of a script that only runs others side by side."""
    line = words(scripts[name][:_LONGEST_LINE])
    while line and (line[0] in ("npx", "exec", "cross-env") or re.match(r"[A-Za-z_]\w*=", line[0])):
        if "=" in line[0]:
            return  # the parts need this variable: let the script set it
        line = line[1:]
    if not line or len(scripts[name]) > _LONGEST_LINE or {"&&", "||", "|", ";", "&"} & set(line):
        return
    source = f"{FILE}: scripts.{name}"
    if line[0] in ("concurrently", "conc"):
        yield from _of_concurrently(scripts, line[1:], manager, source)
    elif line[0] == "run-p" or (line[0] == "npm-run-all" and _PARALLEL_OPTIONS & set(line)):
        for word in line[1:]:
            if not word.startswith("-"):
                yield from _matching(scripts, word, manager, source)


def _of_concurrently(scripts: Mapping[str, str], line: Sequence[str], manager: str, source: str) -> Iterator[Proposal]:
    names: list[str] = []
    commands: list[str] = []
    at = 0
    while at < len(line):
        option, equals, value = line[at].partition("=")
        takes_next = option in _CONCURRENTLY_VALUES and not equals
        if option in ("-n", "--names"):
            names = (value if equals else "".join(line[at + 1 : at + 2])).split(",")
        elif not option.startswith("-"):
            commands.append(line[at])
        at += 2 if takes_next else 1
    for number, part in enumerate(commands):
        name = names[number].strip() if number < len(names) else ""
        script = _script_of(part)
        found = list(_matching(scripts, script, manager, source)) if script else []
        command = _with_programs(part, manager)
        for one in found or [Proposal(_name(command), command, source)]:
            yield Proposal(name or one.name, one.command, source)


def _script_of(command: str) -> str:
    """Return the script, or the pattern of scripts, that a part runs: ``npm:watch-*`` or ``yarn run watch``."""
    found = re.fullmatch(
        r"(?:npm|pnpm|yarn|bun|node):(\S+)|(?:npm|pnpm|yarn|bun) run (\S+)|yarn (\S+)", command.strip()
    )
    return next((group for group in found.groups() if group), "") if found else ""


def _matching(scripts: Mapping[str, str], pattern: str, manager: str, source: str) -> Iterator[Proposal]:
    """Yield the scripts that a name means; in a pattern, ``*`` matches anything."""
    for name in [pattern] if pattern in scripts else scripts if "*" in pattern else ():
        if name == pattern or _fits(name, pattern):
            yield Proposal(name, _script(scripts, name, manager), source)


def _fits(name: str, pattern: str) -> bool:
    first, *others, last = pattern.split("*")
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in others:
        at = name.find(part, at, end) + len(part)
        if at < len(part):
            return False
    return True


def _name(command: str) -> str:
    """Return a name for a command: that of its program, or of what an interpreter runs."""
    line = [word for word in words(command) if not word.startswith("-") and "=" not in word]
    runners = ("npm", "pnpm", "yarn", "bun", "npx", "run", "exec", "node", "python", "python3")
    while len(line) > 1 and line[0] in runners:
        line = line[1:]
    return base_name(line[0]).partition(".")[0] if line else ""


def _with_programs(command: str, manager: str) -> str:
    """Return the command so that it finds a program of node_modules/.bin, which is on PATH only within scripts."""
    command = re.sub(r"^(?:npm|pnpm|yarn|bun|node):(?=\S)", f"{manager} run ", command)
    command += _port_options(command)
    program = "".join(words(command[:_LONGEST_LINE])[:1])
    if not re.fullmatch(r"[\w@-][\w@.-]*", program) or program in _ON_PATH:
        return command
    return f"{_PROGRAM_RUNNERS[manager]} {command}"
