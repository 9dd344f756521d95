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
