"""`procman export` as a user types it."""

from __future__ import annotations

import os

import pytest

import harness
from procman.export.registry import BUILT_IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Procfile").write_text("web: ./web $PORT\nworker: ./work\n")
    (folder / ".env").write_text("TOKEN=s3cr3t\n")
    (folder / ".env").chmod(0o600)
    return folder


def test_list_names_every_format(shop: Path) -> None:
    done = harness.call("export", "--list", cwd=shop)
    assert [line.split()[0] for line in done.out.splitlines()][: len(BUILT_IN)] == list(BUILT_IN)


@pytest.mark.parametrize("words", [("systemd", "out"), ("systemd", "--out", "out"), ("--out=out", "systemd")])
def test_the_folder_is_a_second_word_as_in_foreman_or_an_option(shop: Path, words: tuple[str, ...]) -> None:
    done = harness.call("export", *words, cwd=shop)
    assert done.code == 0, done
    assert (shop / "out/shop-web@.service").is_file()


@pytest.mark.parametrize("target", BUILT_IN)
def test_commands_for_events_are_not_exported_and_it_says_so(shop: Path, target: str) -> None:
    (shop / "procman.toml").write_text('[on]\nfailed = "true"\n[on.production]\nengine = "compose"\n')
    done = harness.call("export", target, "-o", "-", "--image", "shop:1", cwd=shop)
    assert "not exported: commands for events in [on]: failed; only a session runs them" in done.err
    (shop / "procman.toml").write_text('[on.production]\nengine = "compose"\n')
    assert "events" not in harness.call("export", target, "-o", "-", "--image", "shop:1", cwd=shop).err


def test_a_dry_run_shows_and_writes_nothing(shop: Path) -> None:
    done = harness.call("export", "systemd", "out", "--dry-run", cwd=shop)
    assert "would write shop-web@.service" in done.out
    assert "ExecStart=" in done.out
    assert "s3cr3t" not in done.out
    assert not (shop / "out").exists()


def test_a_dash_prints_every_file(shop: Path) -> None:
    done = harness.call("export", "kubernetes", "-", "--image", "shop:1", cwd=shop)
    assert done.code == 0
    assert "kind: Deployment" in done.out
    assert "s3cr3t" in done.out


def test_a_bare_user_asks_for_units_of_a_user(shop: Path) -> None:
    done = harness.call("export", "systemd", "--out", "out", "--user", cwd=shop)
    assert done.code == 0, done
    assert "EnvironmentFile=%E/systemd/user/shop/shared.env" in (shop / "out/shop-web@.service").read_text()


def test_a_named_user_is_the_account(shop: Path) -> None:
    harness.call("export", "systemd", "out", "--user", "deploy", cwd=shop)
    assert "User=deploy\n" in (shop / "out/shop-web@.service").read_text()


def test_the_folder_at_the_target_has_no_owner_here(shop: Path) -> None:
    done = harness.call("export", "supervisord", "out", "--target-dir", "/srv/elsewhere/", cwd=shop)
    assert done.code == 0, done
    script = (shop / "out/shop/web.1.sh").read_text()
    assert "\ncd /srv/elsewhere || exit 111\n" in script
    assert str(shop) not in script
    assert "id -un" not in script


def test_only_what_the_env_files_say_comes_along(shop: Path) -> None:
    done = harness.call("export", "runit", "-", cwd=shop, env={"SHELLS_OWN": "x", "PORT": "7000"})
    assert "SHELLS_OWN" not in done.out
    assert "export PORT=7000" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "takes a format and a folder"),
        (("sytemd", "-"), 'unknown export format "sytemd"'),
        (("systemd",), "missing output folder"),
        (("systemd", "a", "-o", "b"), "contradict each other"),
        (("systemd", "-", "--app", "a/b"), "cannot name an application"),
        (("compose", "-", "--user"), "needs the name of an account"),
        (("systemd", "Procfile"), "is not a folder"),
        (("systemd", "-", "-m", "web=0"), "nothing"),
        (("systemd", "-", "--target-dir", "srv/shop"), "must be an absolute path"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(shop: Path, words: tuple[str, ...], message: str) -> None:
    done = harness.call("export", *words, cwd=shop)
    assert done.code == 2, done
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_value_that_a_target_cannot_hold_is_refused_by_name(shop: Path) -> None:
    (shop / ".env").write_text("my.name=1\n")
    done = harness.call("export", "systemd", "-", cwd=shop)
    assert done.code == 2
    assert 'systemd cannot hold a variable called "my.name"' in done.err


@pytest.mark.parametrize("out", ["-", "out"])
def test_a_name_that_is_not_utf_8_is_refused_in_words(tmp_path: Path, out: str) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "Procfile").write_text("web: ./web $PORT\n")
    done = harness.call("export", "supervisord", out, cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert "would not be valid UTF-8" in done.err
