"""Why a command cannot be run, from the files of a small project."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from procman.core.lifecycle.instance import Instance
from procman.core.model.plan import InstancePlan, RestartPolicy, StopPolicy
from procman.runtime.processes.diagnosis import Search, launch_hint, search_for
from runtime.fakes import open_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

UNIX = b"#!/bin/sh\necho up\n"
FILES = {
    "usr/knead": UNIX,
    ".venv/bin/rise": UNIX,
    "node_modules/.bin/glaze": UNIX,
    "vendor/bin/sift": UNIX,
    "bin/bake": UNIX,
    "weigh": UNIX,
    "site/node_modules/.bin/ice": UNIX,
    "bin/pasted": b"#!/bin/sh\r\necho up\r\n",
    "bin/orphan": b"#!/opt/no/such/oven\n",
    "bin/env": b"#!/usr/bin/env no-such-oven\n",
    "bin/plain": b"echo up\n",
    "steps.sh": b"echo up\r\n",
    "good.sh": b"echo up\n",
    "empty": b"#!\n",
    "bin/words": b"#!/bin/sh no-such-oven\n",
    "bin/nothing": b"#!/usr/bin/env\n",
    "-e": b"echo up\r\n",
}


@pytest.fixture
def search(tmp_path: Path) -> Search:
    for name, data in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)
    (tmp_path / "bin" / "locked").write_bytes(UNIX)
    return Search(f"{tmp_path}/usr:/usr/bin:/bin", str(tmp_path))


@pytest.mark.parametrize("folder", [".venv", "node_modules", "vendor"])
def test_a_folder_that_an_installation_makes_is_missing(tmp_path: Path, folder: str) -> None:
    search = Search("/usr/bin:/bin", str(tmp_path))
    trouble = search.trouble_of(f"{folder}/bin/rise")
    assert trouble
    assert trouble.hint == f"there is no folder {folder} here: install what the project needs first"
    assert not trouble.certain  # `check` also runs before the installation, in CI
    (tmp_path / folder).mkdir()
    trouble = search.trouble_of(f"{folder}/bin/rise")
    assert trouble
    assert trouble.hint == ""


@pytest.mark.parametrize(("name", "other"), [("python", "python3"), ("pip", "pip3")])
def test_the_name_that_debian_gives_a_program(tmp_path: Path, name: str, other: str) -> None:
    search = Search(f"{tmp_path}/usr", str(tmp_path))
    before = search.trouble_of(name)
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / other).write_bytes(UNIX)
    (tmp_path / "usr" / other).chmod(0o755)
    after = search.trouble_of(name)
    assert (before and before.hint) == ""
    assert (after and after.hint) == f"{other} exists: write {other}"


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        ("rise --all", '"rise": command not found', ".venv/bin/rise exists: activate the virtual environment"),
        ("exec glaze --port $PORT", '"glaze": command not found', "write npx glaze, or node_modules/.bin/glaze"),
        ("A=1 sift", '"sift": command not found', "vendor/bin/sift exists: write vendor/bin/sift"),
        ("bake", '"bake": command not found', "bin/bake exists: write bin/bake"),
        ("weigh", '"weigh": command not found', "./weigh exists: write ./weigh"),
        ("cd site && ice", '"ice": command not found', "node_modules/.bin/ice exists"),
        ("knead && rise", '"rise": command not found', ".venv/bin/rise exists"),
        ("bin/pasted", "bin/pasted has Windows line endings", "sed -i"),
        ("if true; then bin/pasted; fi", "bin/pasted has Windows line endings", "sed -i"),
        ("sh steps.sh", "steps.sh has Windows line endings", "sed -i"),
        (
            "bin/orphan",
            "bin/orphan: the interpreter that its first line names does not exist",
            "#! line: /opt/no/such/oven",
        ),
        ("bin/env", "bin/env needs no-such-oven, which is not on PATH", ""),
        ("bin/locked", "bin/locked: permission denied", "chmod +x bin/locked"),
        ("./site", "./site is a folder", ""),
        ("site", '"site": command not found', ""),
        ("A=1; rise", '"rise": command not found', ".venv/bin/rise exists"),
        ("no-such-oven", '"no-such-oven": command not found', ""),
    ],
)
def test_the_first_program_that_cannot_be_run_is_named(search: Search, command: str, message: str, hint: str) -> None:
    found = search.first_trouble(command)
    assert found is not None
    assert found[1].message == message
    assert hint in found[1].hint
    assert bool(found[1].hint) == bool(hint)


@pytest.mark.parametrize(
    "command",
    [
        "knead --all",
        "bin/bake",
        "echo rise",
        "sh good.sh",
        "sh -c rise",
        "bin/plain",
        "./empty",
        "$OVEN --hot",
        "cd $SITE && ice",
        ". .venv/bin/activate && rise",
        "export PATH=.venv/bin:$PATH; rise",
        "PATH=.venv/bin:$PATH rise",
        "# rise",
        "knead 'rise && bake' > rise",
        "bin/words",
        "bin/nothing",
        "knead steps.sh",
        "sh",
        "sh -e",
    ],
)
def test_nothing_is_said_where_it_is_not_certain(search: Search, command: str) -> None:
    assert search.first_trouble(command) is None


def test_a_path_from_elsewhere_is_named(search: Search) -> None:
    moved = Search("/nowhere", search.cwd, ".env:2", search.path)
    knead, oven = moved.trouble_of("knead"), moved.trouble_of("no-such-oven")
    assert knead is not None
    assert oven is not None
    assert (knead.hint, knead.certain) == ("PATH comes from .env:2, which leaves out its folder", True)
    assert (oven.hint, oven.certain) == ("PATH comes from .env:2", False)


def an_elf_file(loader: bytes) -> bytes:
    """A header, followed by a table with two entries, PT_INTERP the second, and the loader's name."""
    header = b"\x7fELF\x02\x01".ljust(0x20, b"\xff") + (0x40).to_bytes(8, "little")
    header = header.ljust(0x36, b"\xff") + (0x38).to_bytes(2, "little") + (2).to_bytes(2, "little")
    other = (6).to_bytes(4, "little").ljust(0x38, b"\xff")
    entry = (3).to_bytes(4, "little") + b"\xff" * 4 + (0xB0).to_bytes(8, "little")
    entry = entry.ljust(0x20, b"\xff") + (len(loader) + 1).to_bytes(8, "little")
    return header.ljust(0x40, b"\xff") + other + entry.ljust(0x38, b"\xff") + loader + b"\0" + b"\xff" * 64


def test_a_binary_for_another_system_is_one_without_its_loader(search: Search, tmp_path: Path) -> None:
    for name, loader in (("alien", b"/lib/ld-no-such.so.1"), ("native", b"/bin/sh"), ("static", b"")):
        (tmp_path / name).write_bytes(an_elf_file(loader))
        (tmp_path / name).chmod(0o755)
    found = search.first_trouble("./alien --port 1")
    assert found is not None
    assert found[1].message == "./alien: the loader that it names, /lib/ld-no-such.so.1, does not exist"
    assert search.first_trouble("./native") is None
    assert search.first_trouble("./static") is None


@pytest.mark.parametrize("size", range(0, 0xD0, 7))
def test_a_binary_that_is_cut_off_is_no_reason_to_fail(search: Search, tmp_path: Path, size: int) -> None:
    (tmp_path / "cut").write_bytes(an_elf_file(b"/bin/sh")[:size])
    (tmp_path / "cut").chmod(0o755)
    assert search.first_trouble("./cut") is None or size >= 0xB0


@pytest.mark.parametrize(("command", "code"), [("./site", 126), ("bin/locked", 126), ("no-such-oven", 127)])
def test_the_code_is_that_of_a_shell(search: Search, command: str, code: int) -> None:
    found = search.first_trouble(command)
    assert found is not None
    assert found[1].code == code


def test_a_pipe_is_no_script_and_nothing_stays_open(search: Search, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bin" / "pipe")
    before = open_descriptors()
    assert search.first_trouble("sh bin/pipe") is None
    assert search.first_trouble("bin/bake") is None
    assert open_descriptors() == before


# Where PATH comes from ------------------------------------------------------------------------------------------------

OURS = {"PATH": "/usr/bin:/bin"}


def in_folder(command: str, path: str, cwd: str) -> InstancePlan:
    return InstancePlan("web.1", "web", 1, None, command, cwd, {"PATH": path}, RestartPolicy(), StopPolicy())


def environment(path: str | None) -> Any:
    """What the env files set."""
    values = {} if path is None else {"PATH": path}
    return SimpleNamespace(values=values, origin={"PATH": ".env:2"} if values else {})


@pytest.mark.parametrize(
    ("path", "of_files", "origin"),
    [
        ("/usr/bin:/bin", None, ""),
        ("/usr/bin:/bin", "/usr/bin:/bin", ""),
        ("/opt", "/opt", ".env:2"),
        ("/opt", None, "an env file or the overlay"),
        ("/opt", "/srv", "an env file or the overlay"),
    ],
)
def test_the_file_that_set_path_is_named(path: str, of_files: str | None, origin: str) -> None:
    plan = in_folder("serve", path, "/srv")
    found = search_for(plan, environment(of_files), OURS)
    assert (found.path, found.cwd, found.origin, found.inherited) == (path, "/srv", origin, "/usr/bin:/bin")


@pytest.mark.parametrize(
    ("command", "failure", "hint"),
    [
        ("knead", "", ""),
        ("bake", "bake: not found", "bin/bake exists: write bin/bake"),
        ("bin/locked", "", "bin/locked: permission denied; it is not executable: chmod +x bin/locked"),
        ("bin/locked", "bin/locked: permission denied", "it is not executable: chmod +x bin/locked"),
        ("./site", "", "./site is a folder"),
    ],
)
def test_a_launch_that_failed_is_followed_by_what_is_not_said_yet(
    search: Search, tmp_path: Path, command: str, failure: str, hint: str
) -> None:
    path = f"{tmp_path}/usr:/usr/bin:/bin"
    instance = Instance(in_folder(command, path, str(tmp_path)))
    instance.failure = failure
    assert launch_hint(instance, environment(None), {"PATH": path}) == hint
