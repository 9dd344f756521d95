"""The rules of ARCHITECTURE.md: allowed imports, what core may know, which files may start processes."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[1] / "src" / "procman"
FILES = sorted(SOURCE.rglob("*.py"))

# What each ring may import, besides itself; `procman` is the package's own version.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "output": {"core", "errors"},
    "config": {"core", "errors"},
    "runtime": {"config", "output", "core", "errors"},
    "export": {"core", "errors"},
    "engines": {"export", "core", "errors"},
    "cli": {"config", "runtime", "output", "core", "errors", "export", "engines", "procman"},
    "procman": {"cli"},
    "pytest_plugin": set(),  # it runs in a process of its user, and runs our commands in others
}
PURE = {
    "__future__",
    "collections",
    "collections.abc",
    "enum",
    "heapq",
    "ipaddress",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
    "sys",
    "textwrap",
    "warnings",
}

# Processes of an application come from two places only, commands of engines from a third; the
# guardian, the watcher of `run` and what looks after them are ours, and fork without executing anything.
SPAWNERS = {
    "runtime/processes/fork_exec.py",
    "runtime/processes/spawn.py",
    "runtime/guardian/foreground_run.py",
    "runtime/processes/windows_run.py",
    "engines/runner.py",
    "pytest_plugin.py",
}
FORKERS = {"runtime/guardian/guardian.py", "runtime/guardian/run_watcher.py", "runtime/guardian/background.py"}
EXECUTING = ("os.posix_spawn", "os.exec", "os.spawn", "os.system", "os.popen", "os.forkpty")


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def ring_of(module: str) -> str:
    """`procman.core.planner` is in the ring core."""
    _, _, rest = module.partition(".")
    return rest.split(".")[0] or "procman"


def own_ring(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "procman" if parts[0] in ("__init__", "__main__") else parts[0]


def imports(path: Path) -> Iterator[str]:
    """Every module imported anywhere in the file, late imports too; what only the type checker sees does not count."""
    hidden = {id(inner) for block in _type_checking_blocks(path) for inner in ast.walk(block)}
    for node in ast.walk(tree(path)):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import hides its ring"
            yield node.module or ""
            if node.module == "procman" or (node.module or "").count(".") == 1:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _type_checking_blocks(path: Path) -> list[ast.stmt]:
    return [
        statement
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
    ]


_trees: dict[Path, ast.Module] = {}


def tree(path: Path) -> ast.Module:
    if path not in _trees:
        _trees[path] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return _trees[path]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of what it does; a record's constructor has as many parameters as the record has fields."""
    return (node.end_lineno or node.lineno) - node.body[0].lineno + 1


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_inward_only(path: Path) -> None:
    ring = own_ring(path)
    for module in imports(path):
        if module.split(".")[0] == "procman" and module.count(".") >= 1 and (SOURCE / ring_of(module)).exists():
            assert ring_of(module) in {ring, *ARROWS[ring]}, f"{ring} must not import {module}"


def module_of(path: Path) -> str:
    """`procman.core.planner`; a package's own file is called like its folder."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def all_imports(path: Path) -> set[str]:
    """The modules of ours that the file imports, at any time, for the type checker only as well."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found & MODULES - {module_of(path), "procman"}


MODULES = {module_of(path) for path in FILES}


def room_of(module: str) -> str:
    """`procman.core.text.lines` is in the room procman.core.text; a file outside all rooms is one of its own."""
    return ".".join(module.split(".")[:3])


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of two nodes and more that can reach one another."""
    reach = {node: _reachable(graph, node) for node in graph}
    groups = {frozenset(other for other in reach[node] if node in reach[other]) | {node} for node in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph.get(ahead.pop(), set()) - seen
        seen |= new
        ahead += new
    return seen


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles({module_of(path): all_imports(path) for path in FILES}) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for path in FILES:
        here = room_of(module_of(path))
        there = {room_of(module) for module in all_imports(path)} - {here}
        rooms.setdefault(here, set()).update(there)
    assert circles(rooms) == []


def test_module_names_are_unique() -> None:
    names = [path.stem for path in FILES if not path.stem.startswith("__")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("path", [path for path in FILES if own_ring(path) in ("core", "errors")], ids=name_of)
def test_core_knows_no_process_file_or_clock(path: Path) -> None:
    foreign = {module for module in imports(path) if module.split(".")[0] != "procman"} - PURE
    assert not foreign
    used = {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert {name for name in used if name.startswith("sys.")} <= {"sys.platform"}
    called = {
        node.func.id for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


@pytest.mark.parametrize("path", [path for path in FILES if own_ring(path) != "cli"], ids=name_of)
def test_only_cli_knows_click_and_exits(path: Path) -> None:
    assert "click" not in {module.split(".")[0] for module in imports(path)}
    assert not [
        node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.exit"
    ]


@pytest.mark.parametrize(
    "path", [path for path in FILES if own_ring(path) in ("core", "output", "runtime")], ids=name_of
)
def test_only_the_outlet_writes_to_standard_output(path: Path) -> None:
    names = {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute | ast.Name)}
    assert "print" not in names
    if name_of(path) not in {"output/outlet.py", "runtime/guardian/guardian.py"}:  # it flushes before it forks
        assert "sys.stdout" not in names


@pytest.mark.parametrize("path", [path for path in FILES if own_ring(path) != "cli"], ids=name_of)
def test_only_these_files_start_programs(path: Path) -> None:
    names = {ast.unparse(node) for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    if name_of(path) not in SPAWNERS:
        assert not [name for name in names if name.startswith(EXECUTING)]
        assert not {"subprocess", "multiprocessing", "pty", "_posixsubprocess"} & set(imports(path))
    if name_of(path) not in SPAWNERS | FORKERS:
        assert "os.fork" not in names


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_says_what_it_does_and_stays_short(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a module opens with one line that says what it does"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    for function in functions(path):
        assert length(function) <= 40, f"{function.name} is {length(function)} lines long"


def test_most_functions_are_short() -> None:
    lengths = sorted(length(function) for path in FILES for function in functions(path))
    assert statistics.median(lengths) <= 8
    assert lengths[len(lengths) * 9 // 10] <= 25


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_called_by_a_name_that_says_nothing(path: Path) -> None:
    classes = [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    vague = ("Manager", "Handler", "Helper", "Base", "Utils")
    assert not [name for name in (*classes, path.stem.title()) if name.endswith(vague)]
