from __future__ import annotations

import pytest

from procman.output.messages.summary import MAX_ROWS, Row, end_summary, failure_card
from procman.output.palette import Palette

PLAIN = Palette(False)


def test_it_is_a_table_and_a_sentence() -> None:
    rows = [Row("web.1", "exited with 0", 0, "3 min 2 s", 12345), Row("worker.12", "killed", 2, "2 s", 0)]
    assert end_summary(rows, 1) == [
        "instance   exit           restarts     uptime   lines",
        "web.1      exited with 0         0  3 min 2 s  12,345",
        "worker.12  killed                2        2 s       0",
        "all stopped: 2 instances, 2 restarts; exit status 1",
    ]


def test_it_fits_the_width() -> None:
    lines = end_summary([Row("web.1", "killed by SIGKILL, perhaps out of memory, " * 3, 10, "12 min 3 s", 10**8)], 137)
    assert max(map(len, lines)) <= 60
    assert "…" in lines[1]


def test_a_reason_is_shown_whole_or_not_at_all() -> None:
    rows = [Row("web.1", "failed: code 127 (command not found)", 0, "0.0 s", 1)]
    assert end_summary(rows, 127)[1] == "web.1     failed: code 127                  0   0.0 s      1"
    assert "failed: code 127 (command not found)  " in end_summary(rows, 127, 80)[1]


def test_long_names_leave_columns_out_rather_than_wrap() -> None:
    rows = [
        Row("sidekiq-default.1", "killed by SIGTERM", 0, "12 s", 4),
        Row("web.1", "failed: code 137, perhaps", 4, "1.0 s", 5),
    ]
    assert end_summary(rows, 1, 51)[:3] == [
        "instance           exit                    restarts",
        "sidekiq-default.1  killed by SIGTERM              0",
        "web.1              failed: code 137, per…         4",
    ]


def test_a_name_wider_than_the_screen_is_shortened_and_how_it_ended_stays() -> None:
    rows = [Row("a-rather-long-name-for-a-process-type.1", "failed: code 137, perhaps", 4, "12 s", 4)]
    assert end_summary(rows, 1, 31)[:2] == ["instance   exit                ", "a-rather…  failed: code 137, p…"]


def test_a_code_is_never_cut_off() -> None:
    rows = [Row("x" * 65, "exited with code 127 (command not found)", 0, "12 s", 4)]
    assert end_summary(rows, 127, 44)[1] == "x" * 21 + "…  exited with code 127"


def test_hundreds_of_instances_are_not_listed() -> None:
    lines = end_summary([Row(f"web.{number}", "done", 0, "1 s", 1) for number in range(200)], 0)
    assert len(lines) == MAX_ROWS + 3
    assert lines[-2] == "and 160 instances more"


def test_of_hundreds_what_has_failed_is_listed() -> None:
    rows = [
        Row(f"web.{number}", "failed: code 1" if number in (3, 190) else "done", 0, "1 s", 1) for number in range(200)
    ]
    lines = end_summary(rows, 1)
    assert [line.split()[0] for line in lines[1:-2]] == [*(f"web.{number}" for number in range(39)), "web.190"]


def test_nothing_ran_is_a_sentence_alone() -> None:
    assert end_summary([], 2) == ["all stopped: 0 instances; exit status 2"]


def test_the_card_says_how_it_ended_and_shows_the_last_words() -> None:
    assert failure_card("web.1 FAILED: exited with status 1", "0.4 s", [b"Traceback", b"  boom"], PLAIN) == [
        "web.1 FAILED: exited with status 1",
        "it ran for 0.4 s; its last lines:",
        "    Traceback",
        "      boom",
    ]


def test_the_card_shows_twenty_lines_and_no_blank_ones() -> None:
    card = failure_card("web.1 FAILED: killed", "1 s", [b"%d" % number for number in range(30)] + [b"", b" "], PLAIN)
    assert card[2:] == [f"    {number}" for number in range(10, 30)]


def test_silence_is_said() -> None:
    assert failure_card("web.1 FAILED: not found", "0.0 s", [b""], PLAIN)[1:] == [
        "it ran for 0.0 s and printed nothing"
    ]


def test_bytes_that_are_no_text_survive() -> None:
    assert (
        failure_card("web.1 FAILED: x", "0 s", [b"\xff"], PLAIN)[-1].encode("utf-8", "surrogateescape") == b"    \xff"
    )


def test_the_cards_first_line_is_red_and_nothing_else_is_colored() -> None:
    first, *others = failure_card("web.1 FAILED: killed", "1 s", [b"boom"], Palette(True))
    assert first == "\x1b[1m\x1b[31mweb.1 FAILED: killed\x1b[0m"
    assert "\x1b" not in "".join(others)


def test_a_single_restart_is_counted() -> None:
    assert end_summary([Row("web.1", "done", 1, "1 s", 1)], 0)[-1].startswith("all stopped: 1 instance, 1 restart;")


def test_a_table_that_just_fits_is_shown_whole() -> None:
    rows = [Row("web.1", "exited with code 0", 0, "12 s", 4)]
    width = max(map(len, end_summary(rows, 0, 200)))
    assert end_summary(rows, 0, width)[0].endswith("lines")
    assert not end_summary(rows, 0, width - 1)[0].endswith("lines")


def test_on_the_narrowest_screen_name_and_end_keep_the_least_they_need() -> None:
    rows = [Row("a-rather-long-name.1", "exited with code 255 (perhaps)", 0, "12 s", 4)]
    assert end_summary(rows, 1, 10)[1] == "a-rathe…  exited with code 255"


def test_a_single_last_line_is_one_line() -> None:
    assert failure_card("web.1 FAILED", "0.4 s", [b"boom"], PLAIN)[1] == "it ran for 0.4 s; its last line:"


def test_the_card_says_how_often_it_was_tried_and_what_to_do() -> None:
    card = failure_card("web.1 FAILED: x", "0.4 s", [b"boom"], PLAIN, 5, ["start it again"])
    assert card[1:] == ["it ran for 0.4 s, 5 times in a row; its last line:", "    boom", "start it again"]
    assert failure_card("web.1 FAILED: x", "0.4 s", [], PLAIN, 2)[1:] == [
        "it ran for 0.4 s, 2 times in a row, and printed nothing"
    ]


def test_crashes_are_counted_among_the_restarts() -> None:
    rows = [Row("web.1", "done", 3, "1 s", 1, crashes=2), Row("db.1", "done", 0, "1 s", 1, crashes=1)]
    *table, last = end_summary(rows, 0)
    assert "  3 (2 crashes)  " in table[1]
    assert "(" not in table[2]
    assert last == "all stopped: 2 instances, 3 restarts, 3 crashes; exit status 0"
    assert end_summary([Row("web.1", "done", 1, "1 s", 1, crashes=1)], 0)[-1].endswith(
        "1 restart, 1 crash; exit status 0"
    )


def test_without_a_restart_a_crash_is_the_end_and_not_counted() -> None:
    assert end_summary([Row("web.1", "failed", 0, "1 s", 1, crashes=1)], 3)[-1] == (
        "all stopped: 1 instance; exit status 3"
    )


@pytest.mark.parametrize(("number", "rest"), [(MAX_ROWS, []), (MAX_ROWS + 1, ["and 1 instance more"])])
def test_what_is_left_out_is_counted(number: int, rest: list[str]) -> None:
    lines = end_summary([Row(f"web.{one}", "done", 0, "1 s", 1) for one in range(number)], 0)
    assert lines[MAX_ROWS + 1 : -1] == rest


def test_a_reason_within_a_reason_is_left_out_with_it() -> None:
    rows = [Row("web.1", "failed: code 3 (it said so (again and again and again))", 0, "0.0 s", 1)]
    assert end_summary(rows, 3)[1].startswith("web.1     failed: code 3    ")


def test_what_stopped_on_request_is_listed_only_if_it_was_restarted() -> None:
    rows = [
        Row("web.1", "stopped", 0, "1 s", 1),
        Row("db.1", "stopped", 1, "1 s", 1),
        Row("job.1", "done", 0, "1 s", 1),
    ]
    assert [line.split()[0] for line in end_summary(rows, 0)[1:-1]] == ["db.1", "job.1"]


def test_rows_of_failures_are_red() -> None:
    rows = [Row("web.1", "failed: code 3", 0, "1 s", 1), Row("db.1", "done", 0, "1 s", 1)]
    title, failed, done, last = end_summary(rows, 3, palette=Palette(True))
    assert failed.startswith("\x1b[31mweb.1")
    assert failed.endswith("\x1b[0m")
    assert "\x1b" not in title + done + last
