"""Why a command cannot be run, from the files of a small project."""

from __future__ import annotations

import pytest

from procman.runtime.processes.diagnosis import Search

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
    """A header, and a table with one entry, PT_INTERP, right behind it; the loader's name follows."""
    header = b"\x7fELF\x02\x01".ljust(0x20, b"\0") + (0x40).to_bytes(8, "little")
    header = header.ljust(0x36, b"\0") + (0x38).to_bytes(2, "little") + (1).to_bytes(2, "little")
    entry = (3).to_bytes(8, "little") + (0x78).to_bytes(8, "little")
    entry = entry.ljust(0x20, b"\0") + (len(loader) + 1).to_bytes(8, "little")
    return header.ljust(0x40, b"\0") + entry.ljust(0x38, b"\0") + loader + b"\0"


def test_a_binary_for_another_system_is_one_without_its_loader(search: Search, tmp_path: Path) -> None:
    for name, loader in (("alien", b"/lib/ld-no-such.so.1"), ("native", b"/bin/sh"), ("static", b"")):
        (tmp_path / name).write_bytes(an_elf_file(loader))
        (tmp_path / name).chmod(0o755)
    found = search.first_trouble("./alien --port 1")
    assert found is not None
    assert found[1].message == "./alien: the loader that it names, /lib/ld-no-such.so.1, does not exist"
    assert search.first_trouble("./native") is None
    assert search.first_trouble("./static") is None


@pytest.mark.parametrize("size", range(0, 0x90, 7))
def test_a_binary_that_is_cut_off_is_no_reason_to_fail(search: Search, tmp_path: Path, size: int) -> None:
    (tmp_path / "cut").write_bytes(an_elf_file(b"/bin/sh")[:size])
    (tmp_path / "cut").chmod(0o755)
    assert search.first_trouble("./cut") is None or size >= 0x78
