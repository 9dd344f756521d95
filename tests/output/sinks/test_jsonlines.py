from __future__ import annotations

import json
from pathlib import PurePath

from hypothesis import given
from hypothesis import strategies as st

from procman.output.hub import Hub
from procman.output.sinks.jsonlines import JsonLines, escaped


def shown(*publications: tuple[str, str, bytes], hidden: str = "", raw: bool = False) -> list[dict[str, object]]:
    parts: list[bytes] = []
    sink = JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.5, lambda name: name == hidden)
    hub = Hub(sink, raw=raw)
    hub.child_started("web.1", 42)
    for publication in publications:
        hub.publish(*publication)
    return [json.loads(line) for line in b"".join(parts).splitlines()]


def test_each_line_is_an_object() -> None:
    assert shown(("web.1", "stderr", b"one\ntwo\n")) == [
        {
            "time": "1970-01-01T00:00:00.500000Z",
            "instance": "web.1",
            "type": "web",
            "stream": "stderr",
            "pid": 42,
            "line": line,
        }
        for line in ("one", "two")
    ]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x1b")))
def test_any_text_comes_back(text: str) -> None:
    objects = shown(("web.1", "stdout", text.encode() + b"\n"), raw=True)
    assert [found["line"] for found in objects] == text.split("\n")


@given(st.binary())
def test_any_bytes_make_valid_json(lines: bytes) -> None:
    assert len(shown(("web.1", "stdout", lines + b"\n"))) <= lines.count(b"\n") + 1


def test_bytes_that_system_quotes_become_replacement_characters_too() -> None:
    parts: list[bytes] = []
    sink = JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.5, lambda _: False)
    Hub(sink).announce(b"    caf\xe9".decode("utf-8", "surrogateescape"))
    assert json.loads(b"".join(parts))["line"] == "    caf\ufffd"


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    assert shown(("web.1", "stdout", b"caf\xe9\n"))[0]["line"] == "caf�"


def test_colors_are_left_out() -> None:
    assert shown(("web.1", "stdout", b"\x1b[31mred\x1b[0m\n"))[0]["line"] == "red"


def test_hidden_ones_are_left_out() -> None:
    assert shown(("web.1", "stdout", b"x\n"), hidden="web.1") == []


def test_events_and_sentences_of_system_are_objects_too() -> None:
    parts: list[bytes] = []
    hub = Hub(JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.5, lambda _: False))
    hub.record({"event": "exited", "instance": "web.1", "code": 3, "signal": None})
    hub.announce('"web.1" exited')
    event, sentence = (json.loads(line) for line in b"".join(parts).splitlines())
    assert event == {"event": "exited", "instance": "web.1", "code": 3, "signal": None}
    assert (sentence["instance"], sentence["line"], sentence["pid"]) == ("system", '"web.1" exited', None)


def test_lines_are_counted() -> None:
    hub = Hub(JsonLines(lambda *_: None, lambda: 0.5, lambda name: name == "css.1"))
    for name in ("web.1", "css.1"):
        hub.publish(name, "stdout", b"1\n2\n")
        hub.publish(name, "stdout", b"3\n")
    assert (hub.line_count("web.1"), hub.line_count("css.1"), hub.line_count("nobody")) == (3, 3, 0)


def test_long_lines_are_counted_as_one_each() -> None:
    hub = Hub(JsonLines(lambda *_: None, lambda: 0.5, lambda _: False))
    hub.publish("web.1", "stdout", (b"x" * 1000 + b"\n") * 2)
    assert hub.line_count("web.1") == 2


def test_controls_of_c1_are_escaped_since_json_may_be_read_on_a_terminal() -> None:
    assert escaped("a\u009b2J \u00e9\u00c2\n".encode()) == "a\\u009b2J \u00e9\u00c2\n".encode()


def test_the_first_and_the_last_control_of_c1_are_escaped_and_no_other_character() -> None:
    assert escaped("\x7f\u0080\u009f\u00a0\n".encode()) == "\x7f\\u0080\\u009f\u00a0\n".encode()


def test_a_value_of_an_event_that_json_has_no_type_for_is_its_text() -> None:
    parts: list[bytes] = []
    sink = JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.5, lambda _: False)
    sink.record({"event": "exited", "where": PurePath("/srv")})
    assert json.loads(b"".join(parts)) == {"event": "exited", "where": "/srv"}


def test_our_own_lines_have_a_type_and_all_lines_are_counted() -> None:
    parts: list[bytes] = []
    sink = JsonLines(lambda *given: parts.extend(map(bytes, given)), lambda: 0.5, lambda name: name == "db.1")
    sink.announce("hello")
    (said,) = (json.loads(line) for line in b"".join(parts).splitlines())
    assert (said["instance"], said["type"], said["stream"], said["pid"]) == ("system", "system", "system", None)
    for name in ("web.1", "db.1"):
        assert sink.line_count(name) == 0
        for _ in range(2):
            sink.publish(name, "stdout", b"x\n" * 1000)
        assert sink.line_count(name) == 2000
