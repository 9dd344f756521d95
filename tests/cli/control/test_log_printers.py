"""How `procman logs` prints lines."""

from __future__ import annotations

import json
import sys

import pytest

from procman.cli.control.log_printers import BLOCK, JsonPrinter, Printer
from procman.output.palette import Palette

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.cli.control.connection import Record

Capture = pytest.CaptureFixture[str]
NASTY = ["plain", 'a "quote" and a \\\\n', "\\n", "tab\tbell\x07", "\x7f", "é 😀", "\u2028", "", " "]


def record(**more: object) -> Record:
    return {"log": "web.1", "stream": "stdout", "time": 1780308000.25, "at": 7, "session": "1a-2b", **more}


@pytest.mark.parametrize("log", ["web.1", 'we"b.1', "wéb.1"])
def test_objects_are_those_of_json_with_the_position_after_each_line(log: str, capsys: Capture) -> None:
    printer = JsonPrinter()
    printer.print(record(log=log), "".join(f"{text}\n" for text in NASTY).encode())
    assert capsys.readouterr().out == ""
    printer.flush()
    at, expected = 7, []
    for text in NASTY:
        at += len(text.encode()) + 1
        head = {"time": "2026-06-01T10:00:00.250000Z", "instance": log, "type": log[:-2], "stream": "stdout"}
        expected.append(json.dumps({**head, "line": text, "cursor": f"1a-2b:{at}"}))
    assert capsys.readouterr().out.split("\n") == [*expected, ""]


def test_colors_and_broken_characters_count_for_the_position_alone(capsys: Capture) -> None:
    printer = JsonPrinter()
    printer.print(record(at=0), b"\x1b[31mred\x1b[0m\n\xe2\x82\nend\n")
    printer.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["line"], line["cursor"]) for line in lines] == [
        ("red", "1a-2b:13"),
        ("\ufffd", "1a-2b:16"),
        ("end", "1a-2b:20"),
    ]


def test_messages_come_after_the_lines_before_them(capsys: Capture) -> None:
    printer = Printer(Palette(False))
    printer.print(record(), b"one\ntwo\n")
    printer.report_skipped({"skipped": 3, "unit": "lines"})
    out, err = capsys.readouterr()
    assert [line.partition(" ")[2] for line in out.splitlines()] == ["web.1  | one", "web.1  | two"]
    assert err == "procman: 3 lines skipped because they were read too slowly\n"


def test_stderr_and_system_have_marks_of_their_own(capsys: Capture) -> None:
    printer = Printer(Palette(True))
    printer.print(record(stream="stderr"), b"lost\n")
    printer.print(record(log="system", stream="system"), b"web.1 started\nweb.1 ready\n")
    printer.flush()
    lost, *own = capsys.readouterr().out.splitlines()
    assert " !" in lost
    assert [line.rpartition(" | ")[2] or line for line in own]
    assert all(line.endswith("\x1b[0m") for line in own)


@pytest.mark.parametrize("printer", [JsonPrinter(), Printer(Palette(False))], ids=["json", "plain"])
def test_no_line_costs_a_call_and_no_chunk_a_write(printer: JsonPrinter | Printer, capsys: Capture) -> None:
    def calls(lines: bytes) -> int:
        count = 0

        def on_event(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event == "call"

        sys.setprofile(on_event)
        try:
            printer.print(record(), lines)
        finally:
            sys.setprofile(None)
        return count

    calls(b"first\n")  # makes what is kept
    assert calls(b"x\n") <= calls(b"x\n" * 2) == calls(b"x\n" * 500)
    assert capsys.readouterr().out == ""
    printer.print(record(), b"x" * BLOCK + b"\n")
    assert capsys.readouterr().out != ""
