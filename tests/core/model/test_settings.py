"""Settings: every name has a default, and procfile and root fill each other in."""

from __future__ import annotations

import pytest

from procman.core.model.settings import NAMES, Settings


def test_nothing_given_means_the_defaults() -> None:
    settings = Settings()
    assert (settings.procfile, settings.root, settings.env, settings.timeout) == ("Procfile", ".", (), 5.0)
    assert (settings.restart, settings.exit, settings.port, settings.port_step) == ("on-failure", None, None, 100)
    assert settings.origin == {}
    assert all(hasattr(settings, name) for name in NAMES)


def test_what_is_on_without_a_word_is_named_here() -> None:
    settings = Settings()
    switches = {name: getattr(settings, name) for name in NAMES if isinstance(getattr(settings, name), bool)}
    assert {name for name, on in switches.items() if on} == {"guardian", "control", "wait"}


@pytest.mark.parametrize(
    ("given", "procfile", "root"),
    [
        ({"root": "app"}, "app/Procfile", "app"),
        ({"root": "app/"}, "app/Procfile", "app/"),
        ({"root": "/"}, "/Procfile", "/"),
        ({"procfile": "Procfile.dev"}, "Procfile.dev", "."),
        ({"procfile": "app/Procfile"}, "app/Procfile", "app"),
        ({"procfile": "/Procfile"}, "/Procfile", "/"),
        ({"procfile": "deploy/Procfile", "root": "app"}, "deploy/Procfile", "app"),
    ],
)
def test_procfile_and_root_fill_each_other_in(given: dict[str, str], procfile: str, root: str) -> None:
    settings = Settings(None, **given)
    assert (settings.procfile, settings.root) == (procfile, root)


def test_an_unknown_setting_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError, match="prot"):
        Settings(prot=5000)


def test_one_settings_does_not_leak_into_the_next() -> None:
    Settings({"port": "--port"}, port=3000)
    assert Settings().port is None
    assert Settings().origin == {}


def test_port_zero_means_no_port() -> None:
    assert Settings(port=0).no_port
    assert not Settings(port=5000).no_port
    assert not Settings().no_port


def test_a_copy_differs_only_in_what_was_changed() -> None:
    settings = Settings({"root": "-d"}, root="app", port=3000)
    settings.overridden = ("restart",)
    copy = settings.but(port=4000, formation="web=2")
    assert (copy.port, copy.formation, copy.procfile, copy.root) == (4000, "web=2", "app/Procfile", "app")
    assert (copy.origin, copy.overridden) == ({"root": "-d"}, ("restart",))
    assert (settings.port, settings.formation) == (3000, None)
    with pytest.raises(TypeError, match="prot"):
        settings.but(prot=5000)


def test_flags_and_variables_are_given_directly() -> None:
    settings = Settings({"port": "--port", "timeout": "PROCMAN_TIMEOUT", "restart": "procman.toml:3"})
    assert [name for name in NAMES if settings.is_given_directly(name)] == ["port", "timeout"]


def test_a_message_names_the_place_of_a_setting_unless_the_command_line_gives_it() -> None:
    settings = Settings(
        {"port": "--port", "timeout": "PROCMAN_TIMEOUT", "quiet": "procman.toml:3", "root": "the folder"}
    )
    names = ("port", "timeout", "quiet", "root", "only")
    assert [settings.place(name) for name in names] == ["", "PROCMAN_TIMEOUT: ", "procman.toml:3: ", "", ""]


def test_settings_have_no_notes_and_no_folder_of_config_files_yet() -> None:
    settings = Settings()
    assert (settings.project, settings.notes, settings.overridden) == ("", (), ())
