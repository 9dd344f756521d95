"""What a command imports is what its start costs: named here, module by module."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import uuid

import pytest

import harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

RUN = "import sys; from procman.cli.main import main; sys.exit(main())"

# Cheap, and needed: written in C, or a page long.
ALLOWED = {
    "--version": {"__future__", "gc"},
    "check": {"__future__", "errno", "gc"},
    "run": {"__future__", "errno", "gc", "select", "_ctypes"},
    "start": {
        "__future__",
        "_collections",  # deque
        "_ctypes",  # prctl
        "_socket",  # only asked whether a port is free
        "errno",
        "fcntl",
        "gc",
        "resource",
        "select",
    },
}
# How many modules of ours, rooms included, with one setting that is given. Each costs a tenth of a millisecond: let
# these numbers only become smaller.
MOST_OF_OURS = {"--version": 10, "check": 41, "run": 44, "start": 87}
MOST_BEFORE_THE_FIRST_INSTANCE = {"pipe": 67, "terminal": 68, "color": 67}
# click makes `--help` slow enough; nothing may be added to it.
NOT_FOR_HELP = {
    "asyncio",
    "logging",
    "psutil",
    "importlib.metadata",
    "json",
    "dotenv",
    "colorama",
    "tomllib",
    "subprocess",
}


def imported(folder: Path, *words: str, env: dict[str, str] | None = None) -> set[str]:
    """The modules that a command imports, in all its processes, over those of a bare interpreter."""
    command = [sys.executable, "-X", "importtime", "-c"]
    return _import_times([*command, RUN, *words], folder, env) - _import_times([*command, "pass"], folder, env)


def _import_times(command: list[str], folder: Path, env: dict[str, str] | None) -> set[str]:
    # A test beside us that looks for sessions would be a client, and make the session import json.
    hidden = {"PROCMAN_SOCKET": f"{tempfile.gettempdir()}/{uuid.uuid4().hex}.sock"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=harness.environment({**hidden, **(env or {})}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def free_port() -> str:
    """A busy one would be named with its owner, which takes psutil."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def foreign(modules: set[str]) -> set[str]:
    return {module for module in modules if module.split(".")[0] != "procman"}


def ours(modules: set[str]) -> set[str]:
    return modules - foreign(modules)


@pytest.mark.parametrize(
    "words", [["--version"], ["check"], ["run", "true"], ["start", "--restart", "never"]], ids=" ".join
)
def test_a_command_imports_nothing_but_what_is_named(place: harness.Place, words: list[str]) -> None:
    place.procfile("web: echo $PORT\nworker: true\n")
    modules = imported(place.folder, *words, env={"PORT": free_port()})
    assert foreign(modules) <= ALLOWED[words[0]]
    assert len(ours(modules)) <= MOST_OF_OURS[words[0]], sorted(ours(modules))


def test_what_a_primary_needs_is_imported_for_one_only(place: harness.Place) -> None:
    place.procfile("web: true\n")
    lending = {
        "procman.runtime.terminal.primary",
        "procman.output.screen.passthrough",
        "procman.output.screen.emulator",
        "procman.output.screen.grid",
    }
    assert not lending & imported(place.folder, "start", "--restart", "never")


@pytest.mark.parametrize(("output", "options"), [("pipe", []), ("terminal", ["--pty"]), ("color", ["--color"])])
def test_the_first_instance_does_not_wait_for_what_will_look_after_it(
    place: harness.Place, output: str, options: list[str]
) -> None:
    place.procfile("web: nohup true\n")  # with a warning
    code = f"import os; os.posix_spawn = lambda *_, **__: os._exit(print(*sys.modules, flush=True) or 7)\n{RUN}"
    command = [sys.executable, "-c", f"import sys; {code}", "start", "--no-guardian", "-p", free_port(), *options]
    done = subprocess.run(
        command, cwd=place.folder, env=harness.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 7, done
    late = {"procman.runtime.loop.engine", "procman.runtime.loop.pumps", "procman.cli.commands.wiring", "colorama"}
    modules = set(done.stdout.split())
    assert not late & modules
    assert len(ours(modules)) <= MOST_BEFORE_THE_FIRST_INSTANCE[output], sorted(ours(modules))


def test_a_plain_env_file_does_not_change_that(place: harness.Place) -> None:
    place.procfile("web: true\n")
    place.write(".env", "A=1\nB='two words'\n# note\n")
    modules = imported(place.folder, "start", "--restart", "never", "-p", free_port())
    assert foreign(modules) <= ALLOWED["start"]


def test_help_imports_click_and_nothing_else_that_costs(place: harness.Place) -> None:
    modules = imported(place.folder, "start", "--help")
    assert "click" in modules
    assert not NOT_FOR_HELP & modules
    own = modules - {"procman.output", "procman.output.palette"}  # whether there are colors, not the colors themselves
    assert not {module for module in own if module.startswith(("procman.output", "procman.runtime.loop.engine"))}
    assert "colorama" not in modules


def test_version_reads_no_more_than_the_table_of_options(place: harness.Place) -> None:
    assert {module for module in imported(place.folder, "--version") if module.startswith("procman.")} == {
        "procman.cli",
        "procman.cli.failures",
        "procman.cli.interrupts",
        "procman.cli.main",
        "procman.cli.options",
        "procman.cli.options.option",
        "procman.cli.options.reader",
        "procman.cli.options.table",
        "procman.errors",
    }


def test_the_toml_parser_is_imported_only_for_a_file_of_ours(place: harness.Place) -> None:
    place.procfile("web: true\n")
    place.write("pyproject.toml", "[project]\nname = 'bakery'\n")
    assert "tomllib" not in imported(place.folder, "check")
    place.write("procman.toml", "port = 6000\n")
    assert "tomllib" in imported(place.folder, "check")


def test_the_sdk_is_imported_for_mcp_only(place: harness.Place) -> None:
    place.procfile("web: true\n")
    sdk = {"mcp", "mcp_types", "pydantic", "anyio", "asyncio"}
    for words in (["agents", "--json"], ["check"], ["mcp", "--help"]):
        assert not sdk & imported(place.folder, *words)
    assert sdk <= imported(place.folder, "mcp")


def test_textual_is_imported_for_the_screen_only(place: harness.Place) -> None:
    place.procfile("web: true\n")
    screen = {"textual", "rich", "asyncio"}
    for words in (["check"], ["tui", "--help"]):
        assert not screen & imported(place.folder, *words)


def test_the_record_is_imported_only_for_a_session_that_is_recorded(place: harness.Place) -> None:
    place.procfile("web: true\n")
    words = ("start", "--restart", "never", "--no-port")
    recording = {"procman.output.sinks.record", "procman.runtime.loop.recorder", "json"}
    assert not recording & imported(place.folder, *words)
    assert recording <= imported(place.folder, *words, "--record", "always")


def test_colorama_is_imported_only_for_colors(place: harness.Place) -> None:
    place.procfile("web: true\n")
    words = ("start", "--restart", "never", "--no-port")
    assert "colorama" not in imported(place.folder, *words)
    assert not {"click", "json", "psutil"} & imported(place.folder, *words, "--color")
