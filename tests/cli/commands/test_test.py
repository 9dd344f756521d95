"""`procman test` says why its session did not start, at whatever moment that ends."""

from __future__ import annotations

import os
import tempfile

import pytest

from procman.cli.commands import test
from procman.cli.control.connection import NoSessionError
from procman.core.model.settings import Settings
from procman.runtime.guardian.background import Background

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def test_a_session_that_ends_after_it_has_begun_to_listen_is_shown_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def hung_up(*_: object) -> None:
        raise NoSessionError("the session has ended")

    def refuse() -> int:
        os.write(2, b"port 5000 of web.1 is taken\n")
        return 3

    monkeypatch.setattr(test, "_connect", hung_up)
    background = Background(refuse, str(tmp_path / "log"))
    with pytest.raises(test.NotReadyError, match=r"could not be started \(exit status 3\)"):
        test._ready("sock", background, str(tmp_path / "log"), 60.0, Settings())
    assert "port 5000 of web.1 is taken" in capfd.readouterr().err


def test_its_socket_has_a_short_path_wherever_temporary_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    assert test._parent_folder() == "/var/tmp"
    monkeypatch.setattr(tempfile, "tempdir", "/" + "long" * 25)
    assert test._parent_folder() == "/tmp"
