"""The finder of our own modules: it finds the files and folders that Python's finder finds, and nothing else."""

from __future__ import annotations

import zipfile
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

import procman
from procman.cli.program import OwnModules

ROOT = Path(procman.__path__[0])
MODULES = sorted(path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py"))
NAMES = [".".join(path.parts) for path in MODULES if path.name != "__init__"]
ROOMS = [".".join(path.parent.parts) for path in MODULES if path.name == "__init__" and len(path.parts) > 2]

UNEXECUTED = {"from __future__ import annotations", "TYPE_CHECKING = False", "if TYPE_CHECKING:"}


def folder_of(name: str) -> str:
    return str(ROOT.parent.joinpath(*name.split(".")[:-1]))


@pytest.mark.parametrize("name", NAMES)
def test_a_module_of_ours_is_found_as_python_finds_it(name: str) -> None:
    ours, usual = (finder.find_spec(name, [folder_of(name)]) for finder in (OwnModules, PathFinder))
    assert ours is not None
    assert usual is not None
    assert (ours.origin, ours.cached, ours.parent) == (usual.origin, usual.cached, usual.parent)
    assert (ours.submodule_search_locations, type(ours.loader)) == (
        usual.submodule_search_locations,
        type(usual.loader),
    )


@pytest.mark.parametrize("name", ["procman", "procman.no_such_module", "os.path", "procmania.cli"])
def test_everything_else_is_left_to_other_finders(name: str) -> None:
    assert OwnModules.find_spec(name, [str(ROOT)]) is None
    assert OwnModules.find_spec(name, None) is None


def test_a_module_in_a_zip_file_is_left_to_its_finder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as file:
        file.writestr("procman/errors.py", "")
    assert OwnModules.find_spec("procman.errors", [f"{tmp_path}/app.zip/procman"]) is None
