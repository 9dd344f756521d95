"""The list keeps the selected row wherever it moves, and measures what it shows."""

from __future__ import annotations

import pytest

from cli.tui.fake_session import row
from procman.cli.tui.formation_list import ALL, INSTANCE, SAMPLES, TYPE, FormationList, size_text


def names(rows: FormationList) -> list[str]:
    return [one.name for one in rows.rows]


def test_a_type_with_several_instances_has_a_row_of_its_own() -> None:
    rows = FormationList()
    rows.update([row("web.1"), row("worker.1"), row("worker.2", "failed")])
    assert names(rows) == ["all", "web.1", "worker", "worker.1", "worker.2"]
    assert [one.state for one in rows.rows] == ["2/3 up", "running", "1/2 up", "running", "failed"]
    assert [one.worst for one in rows.rows] == ["failed", "running", "failed", "running", "failed"]


def test_large_counts_fit_their_column() -> None:
    rows = FormationList()
    rows.update([row(f"web.{number}", "running" if number <= 99 else "failed") for number in range(1, 101)])
    assert rows.rows[0].state == "99/100 up"
    rows.update([row(f"web.{number}") for number in range(1, 1001)])
    assert rows.rows[0].state == "1000/1000"


def test_all_names_each_type_since_no_name_would_mean_the_session() -> None:
    rows = FormationList()
    rows.update([row("web.1"), row("worker.1"), row("worker.2")])
    assert rows.rows[0].names == ["web", "worker"]
    assert rows.rows[0].log_names == []
    assert rows.rows[2].names == rows.rows[2].log_names == ["worker"]


def test_the_selected_row_keeps_its_name() -> None:
    rows = FormationList()
    rows.update([row("web.1"), row("worker.1")])
    rows.select(INSTANCE, "worker.1")
    rows.update([row("web.1"), row("web.2"), row("worker.1")])
    assert rows.row is not None
    assert rows.row.name == "worker.1"
    rows.update([row("web.1")])
    assert (rows.selected, rows.row.name) == (1, "web.1")
    rows.update([])
    assert (rows.row.kind, rows.row.state) == (ALL, "empty")


def test_folding_hides_the_instances_of_a_type() -> None:
    rows = FormationList()
    rows.update([row("web.1"), row("worker.1"), row("worker.2")])
    rows.select(INSTANCE, "worker.2")
    rows.fold(True)
    assert names(rows) == ["all", "web.1", "worker"]
    assert rows.row is not None
    assert (rows.row.kind, rows.is_folded(rows.row)) == (TYPE, True)
    rows.update([row("web.1"), row("worker.1")])  # nothing to fold any more
    assert (names(rows), rows.row.name) == (["all", "web.1", "worker.1"], "worker.1")
    rows.update([row("web.1"), row("worker.1"), row("worker.2")])
    rows.select(TYPE, "worker")
    rows.fold(False)
    assert names(rows)[-1] == "worker.2"


def test_moving_ends_at_both_ends() -> None:
    rows = FormationList()
    assert rows.row is None
    rows.move(1)
    rows.update([row("web.1"), row("db.1")])
    rows.move(9)
    assert rows.selected == 2
    rows.move(-9)
    assert rows.selected == 0


def test_measurements_are_added_and_become_bars() -> None:
    rows = FormationList()
    for percent in (0, 50, 100):
        used = [row(f"web.{number}", cpu_percent=percent, memory_bytes=3 << 20) for number in (1, 2)]
        rows.update([*used, row("db.1")])
    everything, web, first, _, database = rows.rows
    assert (everything.cpu, everything.memory, database.cpu) == (200, 6 << 20, None)
    assert rows.sparkline(first, 4) == " ▁▅█"
    assert rows.sparkline(web, 3) == "▁▅█"
    assert rows.sparkline(database, 3) == "   "
    for _ in range(2 * SAMPLES):
        rows.update([row("web.1", cpu_percent=1)])
    assert rows.sparkline(rows.rows[1], 99).strip() == "▁" * SAMPLES


def test_a_port_is_shown_only_if_it_is_used() -> None:
    rows = FormationList()
    rows.update([row("web.1", port=5000, has_port=True, url="http://localhost:5000"), row("db.1", port=5100)])
    assert [(one.port, one.url) for one in rows.rows[1:]] == [(5000, "http://localhost:5000"), (None, "")]


@pytest.mark.parametrize(
    ("size", "text"), [(None, "-"), (0, "0K"), (900 << 10, "900K"), (12 << 20, "12M"), (1500 << 20, "1.5G")]
)
def test_sizes_are_short(size: int | None, text: str) -> None:
    assert size_text(size) == text
