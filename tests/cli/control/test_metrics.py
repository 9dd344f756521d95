"""The text of ``metrics``, for answers of a session."""

from __future__ import annotations

import os

import pytest

from procman.cli.control import metrics
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def row(name: str = "web.1", **more: object) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "type": name.partition(".")[0], "pid": 7, "ready": True, "uptime": 1.5}
    found |= {"restarts": 2, "crashes": 1, "code": None, "lines": 3, "bytes": 40, "queues": {}}
    return found | {"cpu": 0.25, "memory": 4096, "processes": 2} | more


def text_of(*rows: dict[str, Any], procfile: str = "/app/Procfile") -> str:
    return metrics.rendered({"procfile": procfile, "since": 0.0, "instances": list(rows)})


def test_each_instance_has_its_samples_and_the_text_its_end() -> None:
    lines = text_of(row(), row("worker.1", pid=None, ready=False, uptime=None, code=137)).splitlines()
    labels = '{process="web.1",type="web",procfile="/app/Procfile"}'
    for sample in ("up", "ready"):
        assert f"procman_{sample}{labels} 1" in lines
    assert f"procman_restarts_total{labels} 2" in lines
    assert f"procman_cpu_seconds_total{labels} 0.25" in lines
    assert 'procman_up{process="worker.1",type="worker",procfile="/app/Procfile"} 0' in lines
    assert [line for line in lines if line.startswith("procman_last_exit_code{")] == [
        'procman_last_exit_code{process="worker.1",type="worker",procfile="/app/Procfile"} 137'
    ]
    assert lines[-1] == "# EOF"


def test_a_family_without_samples_is_left_out() -> None:
    text = text_of(row())
    assert "last_exit_code" not in text
    assert "waiting_connections" not in text
    assert "# TYPE procman_waiting_connections gauge" in text_of(row(queues={"127.0.0.1:5000": 12}))


def test_labels_are_escaped() -> None:
    assert r'procfile="/a\"b\\c\n\ud/Procfile"'.replace(r"\ud", "?") in text_of(
        row(), procfile='/a"b\\c\n\udcff/Procfile'
    )


def test_a_session_that_is_not_there_has_one_sample() -> None:
    lines = metrics.rendered({"procfile": "/app/Procfile"}).splitlines()
    assert [line for line in lines if line[0] != "#"] == ['procman_session_up{procfile="/app/Procfile"} 0']


def test_the_official_parser_reads_it() -> None:
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="prometheus-client is not installed")
    text = text_of(row(), row("worker.1", code=1, queues={"/run/a.sock": 1}), procfile='/a"b\\c/Procfile')
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert families["procman_cpu_seconds"].unit == "seconds"
    assert families["procman_up"].samples[0].labels["procfile"] == '/a"b\\c/Procfile'
    assert len(families) == 14


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.prom"
    path.write_text("old")
    reader = path.open()
    metrics._replace(str(path), "new\n")
    assert (path.read_text(), reader.read()) == ("new\n", "old")
    reader.close()
    assert os.listdir(tmp_path) == ["shop.prom"]


def test_a_file_that_cannot_be_written_is_named_and_leaves_no_draft(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none/shop.prom cannot be written: no such file"):
        metrics._replace(str(tmp_path / "none" / "shop.prom"), "new\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="is a directory"):
        metrics._replace(str(tmp_path / "folder"), "new\n")
    assert os.listdir(tmp_path) == ["folder"]
