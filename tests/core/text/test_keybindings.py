"""Keys become commands, without a terminal."""

from __future__ import annotations

import pytest

from procman.core.text.keybindings import HELP, IMMEDIATE, PROMPTING, Command, Keys, split_at_switch

NAMES = ("web", "worker", "web.1", "worker.1")


def test_single_keys_act_at_once() -> None:
    assert Keys().feed(b"R?q") == [Command("restart failed"), Command("help"), Command("quit")]


def test_a_key_that_asks_takes_a_line() -> None:
    keys = Keys(NAMES)
    assert keys.feed(b"rwe") == []
    assert keys.prompt == "restart: we"
    assert keys.feed(b"b\r") == [Command("restart", "web")]
    assert keys.prompt == ""


def test_of_a_long_answer_the_end_is_seen_where_it_is_typed() -> None:
    keys = Keys(NAMES)
    keys.feed(b"/GET /index")
    assert keys.prompt_within(22) == "highlight: GET /index"
    assert keys.prompt_within(20) == "highlight: ET /index"
    assert keys.prompt_within(11) == "highlight: "
    assert keys.prompt_within(5) == "highl"
    keys.feed(b"\x15")
    assert keys.prompt_within(15) == "highlight: (Ent"


def test_what_a_mouse_reports_is_no_key() -> None:
    assert Keys(NAMES).feed(b"\x1b[M qq\x1b[<0;5;5M\x1b[<0;5;5m?") == [Command("help")]
    keys = Keys(NAMES)
    keys.feed(b"r\x1b[M")
    assert keys.feed(b" qqweb\r") == [Command("restart", "web")]


@pytest.mark.parametrize("key", PROMPTING)
def test_a_question_says_what_enter_alone_means(key: str) -> None:
    keys = Keys(NAMES)
    keys.feed(key.encode())
    assert keys.prompt.startswith(f"{PROMPTING[key]}: (Enter alone: ")
    keys.feed(b"w")
    assert keys.prompt == f"{PROMPTING[key]}: w"
    keys.feed(b"\x7f")
    assert "Enter alone" in keys.prompt


def test_the_help_names_every_key_and_fits_beside_the_prefix() -> None:
    assert all(f"{key} {word}" in HELP for key, word in (PROMPTING | IMMEDIATE).items())
    assert all(len(line) <= 60 for line in HELP.splitlines())


def test_letters_of_an_answer_are_no_keys() -> None:
    assert Keys(NAMES).feed(b"sqR\r") == [Command("stop", "qR")]


def test_escape_never_minds() -> None:
    keys = Keys(NAMES)
    assert keys.feed(b"sweb\x1b") == []
    assert keys.feed(b"q") == [Command("quit")]


def test_mistakes_can_be_taken_back() -> None:
    assert Keys().feed(b"/errx\x7for\r") == [Command("highlight", "error")]
    assert Keys().feed(b"/wrong\x15right\r") == [Command("highlight", "right")]


def test_tab_completes_as_far_as_is_certain() -> None:
    keys = Keys(NAMES)
    keys.feed(b"rwo\t")
    assert keys.prompt == "restart: worker"
    keys = Keys(NAMES)
    keys.feed(b"rw\t")
    assert keys.prompt == "restart: w"


def test_arrow_keys_mean_nothing() -> None:
    keys = Keys()
    assert keys.feed(b"\x1b[A\x1b[1;5C\x1bOP") == []
    assert keys.prompt == ""
    assert keys.feed(b"sa\x1b[Db\r") == [Command("stop", "ab")]


def test_an_arrow_key_may_come_in_two_reads() -> None:
    keys = Keys()
    assert keys.feed(b"\x1b[") == []
    assert keys.feed(b"A") == []
    assert keys.feed(b"q") == [Command("quit")]


PASTE, PASTED = b"\x1b[200~", b"\x1b[201~"


def test_what_is_pasted_is_no_key() -> None:
    keys = Keys(NAMES)
    assert keys.feed(PASTE + b"questions\rRs\r" + PASTED) == []
    assert keys.prompt == ""
    assert keys.feed(b"?") == [Command("help")]


def test_what_is_pasted_behind_a_question_is_typed_there_but_sends_nothing() -> None:
    keys = Keys(NAMES)
    assert keys.feed(b"r" + PASTE + b"web.1\r" + PASTED) == []
    assert keys.prompt == "restart: web.1 "
    assert keys.feed(b"\r") == [Command("restart", "web.1")]
    keys.feed(b"/" + PASTE + b"two\r\n\x1b[31mlines\t\x7f" + PASTED)
    assert keys.feed(b"\r") == [Command("highlight", "two  lines")]


@pytest.mark.parametrize("size", range(1, 9))
def test_what_is_pasted_may_come_in_many_reads(size: int) -> None:
    keys = Keys(NAMES)
    pasted = PASTE + b"qs\r\x1b" + PASTED + b"R"
    start = len(PASTE)  # a terminal writes that at once, and an ESC at the end of a read is the key
    assert keys.feed(pasted[:start]) == []
    commands = [one for at in range(start, len(pasted), size) for one in keys.feed(pasted[at : at + size])]
    assert commands == [Command("restart failed")]


def test_a_paste_whose_end_went_to_the_shell_is_over() -> None:
    keys = Keys(NAMES)
    keys.feed(PASTE + b"half of it \x1b[20")
    keys.resume()
    assert keys.feed(b"R") == [Command("restart failed")]


def test_an_answer_is_as_long_as_an_answer_may_be() -> None:
    keys = Keys(NAMES)
    keys.feed(b"/" + PASTE + b"x" * 100_000 + PASTED + b"y" * 100_000)
    (command,) = keys.feed(b"\r")
    assert command == Command("highlight", "x" * 1000)


def test_commands_are_equal_by_verb_and_line() -> None:
    assert Command("stop", "web") == Command("stop", "web")
    assert len({Command("stop", "web"), Command("stop", "web"), Command("stop")}) == 2
    assert Command("stop", "web") not in (Command("start", "web"), Command("stop", "db"), ("stop", "web"))
    assert repr(Command("stop", "web")) == "Command('stop', 'web')"


def test_without_a_question_there_is_no_prompt() -> None:
    keys = Keys()
    assert (keys.prompt, keys.prompt_within(10)) == ("", "")
    keys.feed(b"/GET")
    assert keys.prompt_within(12) == "highlight: T"


def test_one_process_that_waits_is_attached_to_without_a_question() -> None:
    keys = Keys(NAMES)
    keys.waiting = "web.1"
    assert keys.feed(b"a") == [Command("attach", "web.1")]
    assert keys.feed(b"rweb\r") == [Command("restart", "web")]
    keys.waiting = ""
    assert keys.feed(b"a") == []
    assert keys.prompt.startswith("attach: ")


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"", (b"", b"", b"")),
        (b"abc", (b"abc", b"", b"")),
        (b"\x1d", (b"", b"\x1d", b"")),
        (b"ab\x1dcd\x1de", (b"ab", b"\x1d", b"cd\x1de")),
        (b"a\x1b[27;5;93~b", (b"a", b"\x1b[27;5;93~", b"b")),
        (b"a\x1b[93;5u\x1d", (b"a", b"\x1b[93;5u", b"\x1d")),
        (b"a\x1d\x1b[93;5u", (b"a", b"\x1d", b"\x1b[93;5u")),
    ],
)
def test_the_first_switch_key_divides_what_is_typed(data: bytes, parts: tuple[bytes, bytes, bytes]) -> None:
    assert split_at_switch(data) == parts


def test_keys_that_mean_nothing_ask_nothing() -> None:
    keys = Keys(NAMES)
    assert keys.feed(b"x \r\t\x7fw") == []
    assert keys.prompt == ""
