"""What a page sends is read with care, and what goes wrong is a sentence."""

from __future__ import annotations

import logging

import pytest

from procman.cli.tui.page_messages import UNKNOWN, FailureLog, LastWords, read


@pytest.mark.parametrize(
    ("text", "envelope"),
    [
        ('["stdin", "q"]', ("stdin", "q")),
        ('["resize", {"width": 80, "height": 24}]', ("resize", (80, 24))),
        ('["ping", 12.5]', ("ping", 12.5)),
        ('["focus"]', ("focus", None)),
        ('["blur", {}]', ("blur", {})),
    ],
)
def test_what_a_page_sends_is_read(text: str, envelope: object) -> None:
    assert read(text) == envelope


@pytest.mark.parametrize(
    "text",
    [
        *("", "nothing", "null", "7", "true", "[]", "{}", "[[1]]", '{"a": 1}', '["quit"]', "[" * 50_000),
        *('["stdin"]', '["stdin", null]', '["stdin", ["q"]]', '["resize"]', '["resize", [80, 24]]'),
        *(
            '["resize", {"width": 80}]',
            '["resize", {"width": true, "height": 2}]',
            '["resize", {"width": 8e9, "height": 2}]',
        ),
    ],
)
def test_anything_else_is_not(text: str) -> None:
    assert read(text) == UNKNOWN


def test_a_failure_is_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.Logger("pages")
    log.addHandler(FailureLog())
    try:
        raise ValueError("one\nand \x1b[31mmore")
    except ValueError as error:
        log.exception(error)
    log.error("it did not start")
    failed = "procman: a page has failed"
    assert capsys.readouterr().err == f"{failed}: ValueError: one\\nand \\x1b[31mmore\n{failed}: it did not start\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("procman: nothing is running\nhint: start it\n", "nothing is running"),
        ("Traceback (most recent call last):\n  File x\nKeyError: 3\n", "KeyError: 3"),
    ],
)
def test_the_last_words_of_a_page_are_one_line(text: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    LastWords().write(text)
    assert capsys.readouterr() == ("", f"procman: a page has ended: {line}\n")


def test_without_last_words_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    LastWords().write("\n \n")
    LastWords().flush()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((80, 24), (80, 24)), ((1 << 80, 1 << 80), (500, 200)), ((-1, 0), (1, 1)), ((501, 12), (500, 12))],
)
def test_a_size_is_bounded(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    pytest.importorskip("textual", reason="the extra tui is not installed")
    from procman.cli.tui.web_driver import bounded

    assert bounded(*size) == drawn
