"""Why a command cannot be run, in the words of `run`, of a failed start and of `check`."""

from __future__ import annotations

import errno
import os
import sys

from procman.core.procfile.command import is_shell_word
from procman.core.procfile.shell_line import ShellLine, is_assignment
from procman.errors import EXIT_CANNOT_EXECUTE, EXIT_NOT_FOUND
from procman.runtime.processes.spawn import FolderError, SpawnError, candidates, find_program, is_executable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procman.core.lifecycle.instance import Instance
    from procman.core.model.plan import Environment, InstancePlan
    from procman.core.procfile.shell_line import SimpleCommand, Word

MAX_READ = 4096  # bytes of a script that are looked at
_FOLDERS = {  # where projects keep their own programs, and how they are usually run
    ".venv/bin": "activate the virtual environment, or write {path}",
    "venv/bin": "activate the virtual environment, or write {path}",
    "env/bin": "activate the virtual environment, or write {path}",
    "node_modules/.bin": "write npx {name}, or {path}",
    "vendor/bin": "write {path}",
    "bin": "write {path}",
    ".": "write ./{name}",
}
_INSTALLED = frozenset((".venv", "venv", "env", "node_modules", "vendor"))  # folders that are not in git
_OTHER_NAMES = {"python": "python3", "pip": "pip3"}  # a bare Debian has only the second
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh"))
_BEFORE = frozenset(("!", "{", "if", "then", "while", "do", "else", "exec", "command", "nohup"))  # a program follows
_UNKNOWN = frozenset("$`*?~<>(")  # a word with one of these is not yet what the shell will look for
LONGEST_STRING = 32 * 4096  # bytes of one argument or variable on Linux: MAX_ARG_STRLEN with pages of 4 KiB
_ELSEWHERE = frozenset(("cd", "pushd", "chdir"))
_ANYTHING = frozenset((".", "source", "export", "eval", "alias", "set", "hash"))  # PATH may change with it


class Trouble:
    """Why one program cannot be run: a sentence, a hint or an empty string, and the exit code of a shell.

    ``missing``: PATH does not have it, so that only the hint says more than a shell would. ``certain``: the files show
    that it is so, and it is not only this machine that lacks a program.
    """

    __slots__ = ("certain", "code", "hint", "message", "missing")

    def __init__(
        self, message: str, hint: str, code: int = EXIT_NOT_FOUND, missing: bool = False, certain: bool = True
    ) -> None:
        self.certain = certain
        self.message = message
        self.hint = hint
        self.code = code
        self.missing = missing


class Search:
    """Where programs are looked for: a PATH (None if unset), the folder that commands run in, and where PATH is set.

    ``origin`` is an empty string for the PATH that procman inherited, ``inherited``.
    """

    __slots__ = ("cwd", "inherited", "origin", "path")

    def __init__(self, path: str | None, cwd: str, origin: str = "", inherited: str | None = None) -> None:
        self.path = path
        self.cwd = cwd
        self.origin = origin
        self.inherited = inherited

    def trouble_of(self, name: str) -> Trouble | None:
        """Return why the program ``name`` cannot be run, or None if it seems that it can."""
        program = find_program(name, self.path, self.cwd)
        if program is not None and sys.platform == "win32":
            return None  # it has neither `#!` nor loaders
        if program is not None:
            return self._script_trouble(name, os.path.join(self.cwd, program))
        paths = [name] if "/" in name else candidates(name, self.path, self.cwd)
        if name and any(os.path.isfile(os.path.join(self.cwd, path)) for path in paths):
            return Trouble(f"{name}: permission denied", f"it is not executable: chmod +x {name}", EXIT_CANNOT_EXECUTE)
        if "/" in name and os.path.isdir(os.path.join(self.cwd, name)):
            return Trouble(f"{name} is a folder", "", EXIT_CANNOT_EXECUTE)
        where = self._whereabouts(name)
        origin = f"PATH comes from {self.origin}" if self.origin and "/" not in name else ""
        hint = where or origin or self._missing_folder(name)
        return Trouble(f'"{name}": command not found', hint, missing=True, certain=bool(where))

    def first_trouble(self, command: str) -> tuple[int, Trouble] | None:
        """Return the first program of a command that cannot be run, as its offset, and why; None if that is unclear."""
        search: Search | None = self
        for one in ShellLine(command).commands:
            words = _unassigned(one)
            if words is None or (words and words[0].text in _ANYTHING):
                return None
            if not words:
                continue
            name = words[0].text
            if name in _ELSEWHERE:
                search = search and search._below(words)
            elif search is not None and not is_shell_word(name) and _UNKNOWN.isdisjoint(name):
                trouble = search.trouble_of(name) or search._given_to_shell(words)
                if trouble is not None:
                    return words[0].offset, trouble
        return None

    def _below(self, words: list[Word]) -> Search | None:
        """Return the search in the folder that ``cd`` enters, or None if it is not known."""
        if len(words) != 2 or not _UNKNOWN.isdisjoint(words[1].text) or words[1].text.startswith("-"):
            return None
        return Search(self.path, os.path.join(self.cwd, words[1].text), self.origin, self.inherited)

    def _whereabouts(self, name: str) -> str:
        """Return where a program that is not on PATH is, or an empty string."""
        if not name or "/" in name:
            return ""
        if self.origin and find_program(name, self.inherited, self.cwd):
            return f"PATH comes from {self.origin}, which leaves out its folder"
        for folder, how in _FOLDERS.items():
            path = os.path.normpath(f"{folder}/{name}")
            if is_executable(os.path.join(self.cwd, path)):
                shown = path if "/" in path else f"./{path}"
                return f"{shown} exists: {how.format(path=path, name=name)}"
        other = _OTHER_NAMES.get(name, "")
        return f"{other} exists: write {other}" if other and find_program(other, self.path, self.cwd) else ""

    def _missing_folder(self, name: str) -> str:
        """Return that a folder is missing which only an installation makes, as in a new clone or worktree."""
        first, slash, _ = name.removeprefix("./").partition("/")
        if not slash or first not in _INSTALLED or os.path.isdir(os.path.join(self.cwd, first)):
            return ""
        return f"there is no folder {first} here: install what the project needs first"

    def _script_trouble(self, name: str, path: str) -> Trouble | None:
        """Return what is wrong with the first line of a script, or with the loader of a binary."""
        data = _beginning(path)
        loader = _loader(data)
        if loader and not os.path.exists(loader):
            message = f"{name}: the loader that it names, {loader}, does not exist"
            return Trouble(message, "it was built for another system, or another C library")
        first, newline, _ = data.partition(b"\n")
        if not first.startswith(b"#!"):
            return None
        if newline and first.endswith(b"\r"):
            return _windows(name)
        words = os.fsdecode(first[2:]).split()
        if not words:
            return None
        if not is_executable(os.path.join(self.cwd, words[0])):
            message = f"{name}: the interpreter that its first line names does not exist"
            return Trouble(message, f"check its #! line: {words[0]}")
        wanted = words[1] if len(words) > 1 and words[0].endswith("/env") else ""
        if not wanted or wanted.startswith("-") or "=" in wanted or find_program(wanted, self.path, self.cwd):
            return None
        return Trouble(f"{name} needs {wanted}, which is not on PATH", self._whereabouts(wanted))

    def _given_to_shell(self, words: list[Word]) -> Trouble | None:
        """Return what is wrong with the script in ``sh script``."""
        if words[0].text.rpartition("/")[2] not in _SHELLS or len(words) < 2:
            return None
        script = words[1].text
        if script.startswith("-") or not _UNKNOWN.isdisjoint(script):
            return None
        return _windows(script) if b"\r\n" in _beginning(os.path.join(self.cwd, script)) else None


def search_for(plan: InstancePlan, environment: Environment, inherited: Mapping[str, str]) -> Search:
    """Return where the programs of an instance are looked for; ``inherited`` are procman's own variables."""
    return search_in(plan.env.get("PATH"), plan.cwd, environment, inherited)


def search_in(path: str | None, cwd: str, environment: Environment, inherited: Mapping[str, str]) -> Search:
    """Return where programs are looked for with this PATH, which may be that of one process type."""
    origin = ""
    if path != inherited.get("PATH"):
        is_known = environment.values.get("PATH") == path
        origin = environment.origin.get("PATH", "") if is_known else "an env file or the overlay"
    return Search(path, cwd, origin, inherited.get("PATH"))


def launch_hint(instance: Instance, environment: Environment, inherited: Mapping[str, str]) -> str:
    """Return what to do about an instance whose command could not be run, or an empty string."""
    found = search_for(instance.plan, environment, inherited).first_trouble(instance.plan.command)
    if found is None or not os.path.isdir(instance.plan.cwd):
        return ""
    trouble = found[1]
    is_told = trouble.missing or trouble.message in instance.failure
    return trouble.hint if is_told else "; ".join(filter(None, (trouble.message, trouble.hint)))


def _windows(name: str) -> Trouble:
    return Trouble(f"{name} has Windows line endings", f"convert it: sed -i 's/\\r$//' {name}")


def _unassigned(one: SimpleCommand) -> list[Word] | None:
    """Return the words after assignments and reserved words; None if PATH is assigned."""
    words = list(_behind_assignments(one))
    return None if any(word.text.startswith("PATH=") for word in one.words) else words


def _behind_assignments(one: SimpleCommand) -> Iterator[Word]:
    begun = False
    for word in one.words:
        begun = begun or not (is_assignment(word.text) or word.text in _BEFORE)
        if begun:
            yield word


def _loader(data: bytes) -> str:
    """Return the program interpreter (PT_INTERP) of a 64-bit little-endian ELF file, or an empty string; see elf(5)."""
    if not data.startswith(b"\x7fELF\x02\x01"):
        return ""

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    table, size, count = number(0x20, 8), number(0x36, 2), number(0x38, 2)
    for at in range(table, min(table + size * count, len(data)), size or 1):
        if number(at, 4) == 3:  # PT_INTERP
            start = number(at + 0x08, 8)
            return os.fsdecode(data[start : start + number(at + 0x20, 8)].partition(b"\0")[0])
    return ""


def _beginning(path: str) -> bytes:
    """Return the first bytes of a regular file, or nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, MAX_READ)
    except OSError:
        return b""
    finally:
        os.close(fd)


def lasting_spawn_error(plan: InstancePlan, error: OSError) -> SpawnError:
    """Return the error for a spawn that will fail each time, with the status that a shell would exit with."""
    from procman.core.model.status import ExitStatus  # `check`, which only looks for programs, needs none

    if isinstance(error, FolderError):
        return SpawnError(error.words, ExitStatus(code=126))
    if error.errno == errno.ENOENT:
        return SpawnError(_missing(plan), ExitStatus(code=127))
    if error.errno == errno.E2BIG:
        return SpawnError(f"cannot start: {what_is_too_large(plan.command, plan.env)}", ExitStatus(code=126))
    return SpawnError(f"cannot start: {error.strerror or error}", ExitStatus(code=126))


def _missing(plan: InstancePlan) -> str:
    """Return why a file that PATH has is missing: it is a script, and its interpreter is what is missing."""
    name = plan.command.split()[0]
    trouble = Search(plan.env.get("PATH"), plan.cwd).trouble_of(name)
    return trouble.message if trouble is not None and not trouble.missing else f"{name}: not found"


def what_is_too_large(command: str, env: Mapping[str, str]) -> str:
    """Return why the system finds a command and its variables too large; see execve(2)."""
    sizes = {name: len(os.fsencode(f"{name}={value}")) + 1 for name, value in env.items()}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    for what, size in (("the command", len(os.fsencode(command)) + 1), (largest, sizes.get(largest, 0))):
        if sys.platform == "linux" and size > LONGEST_STRING:
            kind = "a command" if what == "the command" else "a variable"
            return f"{what} has {size:,} bytes, and the system takes at most {LONGEST_STRING:,} for {kind}"
    return f"its variables have {sum(sizes.values()):,} bytes, more than the system takes; {largest} is the largest"
