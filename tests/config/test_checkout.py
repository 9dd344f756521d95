"""Which checkout a project is in: its name, and whether its ports move."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from procman.config.checkout import MAX_NAME, find_checkout, slug
from procman.config.files import at_checkout
from procman.core.model.settings import Settings

NAMES = ["shop", "My-Shop", "shop.old", "_shop", "1shop", "shop 2", "größe", "\u212aelvin", "x" * 41, "for", "-", "."]
SHA = "0123456789abcdef0123456789abcdef01234567\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(os.path.realpath(tmp_path))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def repository(top: Path, head: str = "ref: refs/heads/main\n", git_dir: Path | None = None) -> Path:
    """Write what git keeps of a checkout; with another `git_dir` as `git init --separate-git-dir` does."""
    write((git_dir or top / ".git") / "HEAD", head)
    if git_dir:
        write(top / ".git", f"gitdir: {git_dir}\n")
    return git_dir or top / ".git"


def worktree(top: Path, git_dir: Path, head: str = "ref: refs/heads/fix\n", relative: bool = False) -> Path:
    """Write what `git worktree add` leaves of a linked worktree of the repository."""
    own = git_dir / "worktrees" / top.name
    write(own / "HEAD", head)
    write(own / "commondir", "../..\n")
    write(own / "gitdir", f"{top}/.git\n")
    write(top / ".git", f"gitdir: {os.path.relpath(own, top) if relative else own}\n")
    return own


def found(top: Path, home: str = "/nowhere") -> tuple[str, str, bool]:
    checkout = find_checkout(str(top), {"HOME": home})
    return os.path.basename(checkout.folder), checkout.name, checkout.is_linked


def test_the_main_checkout_is_not_linked(folder: Path) -> None:
    repository(folder / "shop")
    assert found(folder / "shop") == ("shop", "main", False)


@pytest.mark.parametrize("relative", [False, True])
def test_a_linked_worktree_is_known_by_its_git_file(folder: Path, relative: bool) -> None:
    git_dir = repository(folder / "shop")
    worktree(folder / "other", git_dir, "ref: refs/heads/feat/login\n", relative)
    assert found(folder / "other") == ("other", "feat/login", True)


def test_a_project_may_be_below_the_top_of_its_checkout(folder: Path) -> None:
    worktree(folder / "other", repository(folder / "shop"))
    (folder / "other/services/api").mkdir(parents=True)
    assert found(folder / "other/services/api") == ("other", "fix", True)


def test_a_worktree_of_a_bare_repository_is_linked(folder: Path) -> None:
    write(folder / "shop.git/HEAD", "ref: refs/heads/main\n")
    worktree(folder / "main", folder / "shop.git", "ref: refs/heads/main\n")
    assert found(folder / "main") == ("main", "main", True)


def test_a_detached_head_leaves_the_name_of_the_folder(folder: Path) -> None:
    worktree(folder / "old", repository(folder / "shop", SHA), SHA)
    assert found(folder / "shop") == ("shop", "shop", False)
    assert found(folder / "old") == ("old", "old", True)


@pytest.mark.parametrize("where", ["rebase-merge", "rebase-apply"])
def test_a_rebase_does_not_change_the_name(folder: Path, where: str) -> None:
    git_dir = repository(folder / "shop", SHA)
    write(git_dir / where / "head-name", "refs/heads/feat\n")
    assert found(folder / "shop") == ("shop", "feat", False)


def test_a_format_without_a_branch_in_head_leaves_the_folder(folder: Path) -> None:
    repository(folder / "shop", "ref: refs/heads/.invalid\n")
    assert found(folder / "shop") == ("shop", "shop", False)


def test_a_submodule_belongs_to_the_checkout_around_it(folder: Path) -> None:
    git_dir = repository(folder / "shop")
    repository(folder / "shop/lib", SHA, git_dir / "modules/lib")
    assert found(folder / "shop/lib") == ("shop", "main", False)
    own = worktree(folder / "other", git_dir)
    repository(folder / "other/lib", SHA, own / "modules/lib")
    assert found(folder / "other/lib") == ("other", "fix", True)


def test_a_submodule_alone_is_a_checkout_but_not_linked(folder: Path) -> None:
    repository(folder / "lib", "ref: refs/heads/main\n", folder / "gone/.git/modules/lib")
    assert found(folder / "lib") == ("lib", "main", False)


def test_a_separate_git_dir_does_not_make_a_worktree(folder: Path) -> None:
    repository(folder / "shop", git_dir=folder / "elsewhere")
    assert found(folder / "shop") == ("shop", "main", False)


@pytest.mark.parametrize("text", ["", "gitdir:", "gitdir: /nowhere/.git/worktrees/x\n", "\0\n", "nonsense\n"])
def test_a_git_file_that_leads_nowhere_is_no_checkout(folder: Path, text: str) -> None:
    write(folder / "copy/.git", text)
    assert found(folder / "copy") == ("copy", "copy", False)


def test_without_git_the_folder_has_the_name(folder: Path) -> None:
    (folder / "bakery").mkdir()
    assert found(folder / "bakery") == ("bakery", "bakery", False)


def test_a_repository_of_the_home_is_not_that_of_what_is_below(folder: Path) -> None:
    repository(folder / "home")
    (folder / "home/bakery").mkdir()
    assert found(folder / "home/bakery", str(folder / "home")) == ("bakery", "bakery", False)
    assert found(folder / "home", str(folder / "home")) == ("home", "main", False)


def test_a_pipe_as_git_file_does_not_block(folder: Path) -> None:
    (folder / "odd").mkdir()
    os.mkfifo(folder / "odd/.git")
    assert found(folder / "odd") == ("odd", "odd", False)


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("main", "main"),
        ("feat/Login-2.0", "feat_login_2_0"),
        ("123-fix", "c_123_fix"),
        ("_x", "c__x"),
        ("a" * 40, "a" * 40),
    ],
)
def test_a_name_of_letters_and_separators_stays_readable(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize("name", ["größe", "日本", "", "/", "a b", "x" * 300, "-\udcff", "'; DROP TABLE--", "İ"])
def test_every_name_becomes_safe_for_a_database(name: str) -> None:
    assert re.fullmatch(rf"[a-z][a-z0-9_]{{0,{MAX_NAME - 1}}}", slug(name))


def test_names_that_lose_characters_stay_different() -> None:
    assert slug("größe") != slug("grüße")
    assert slug("x" * 300) != slug("x" * 301)


# Settings


def test_only_a_linked_worktree_gets_a_slot(folder: Path) -> None:
    environ = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    worktree(folder / "other", repository(folder / "shop"))
    main = at_checkout(Settings(root=str(folder / "shop")), environ)
    linked = at_checkout(Settings(root=str(folder / "other")), environ)
    assert (main.checkout, main.slot, linked.checkout) == ("main", 0, "fix")
    assert linked.slot > 0
    assert not linked.notes


@pytest.mark.parametrize("given", [{"port_offset": 0}, {"port_offset": 300}, {"port": 0}])
def test_a_slot_is_taken_only_if_it_matters(folder: Path, given: dict[str, int]) -> None:
    environ = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    worktree(folder / "other", repository(folder / "shop"))
    settings = at_checkout(Settings({}, root=str(folder / "other"), **given), environ)
    assert (settings.checkout, settings.slot) == ("fix", 0)
    assert not (folder / "state").exists()


@given(
    st.one_of(
        st.sampled_from(NAMES), st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
    )
)
def test_outside_of_any_checkout_the_name_is_that_of_the_folder(name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = os.path.join(os.path.realpath(place), name[:50])
        assume(name not in (".", "..") and len(os.fsencode(name[:50])) < 256)
        os.mkdir(folder)
        settings = at_checkout(Settings({}, root=folder), {"HOME": folder})
        assert settings.checkout == slug(os.path.basename(folder))


def test_a_missing_root_is_left_to_whatever_needs_it() -> None:
    assert at_checkout(Settings(root="gone"), {}).checkout == ""


STRANGER = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")


@as_root
@pytest.mark.parametrize("is_linked", [False, True])
def test_a_repository_that_a_stranger_has_put_above_does_not_count(folder: Path, is_linked: bool) -> None:
    git_dir = repository(folder / "theirs" if is_linked else folder)
    if is_linked:
        git_dir = worktree(folder, git_dir)
    (folder / "mine").mkdir()
    assert found(folder / "mine") == (folder.name, "fix" if is_linked else "main", is_linked)
    os.chown(folder / ".git", STRANGER, STRANGER)
    assert found(folder / "mine") == ("mine", "mine", False)
    os.chown(folder / ".git", os.geteuid(), -1)
    os.chown(git_dir, STRANGER, STRANGER)  # what a .git file of ours names may have been replaced
    assert found(folder / "mine") == ("mine", "mine", False)


@as_root
def test_the_link_of_a_stranger_to_a_repository_of_ours_does_not_count(folder: Path) -> None:
    git_dir = repository(folder / "ours")
    (folder / ".git").symlink_to(git_dir)
    (folder / "mine").mkdir()
    os.lchown(folder / ".git", STRANGER, STRANGER)
    assert found(folder / "mine") == ("mine", "mine", False)


@as_root
def test_the_repository_of_the_owner_of_the_project_counts(folder: Path) -> None:
    """Root in a container runs the project of the user outside."""
    worktree(folder / "app", repository(folder / "shop"))
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, STRANGER, STRANGER)
    assert found(folder / "app") == ("app", "fix", True)
