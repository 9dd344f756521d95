"""`procman logs` shows the lines that match a pattern, a level or a stream."""

from __future__ import annotations

import json
import re
import signal

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness import Place, Session

PROCFILE = """\
shop: cat shop.log; exec sleep 1000
till: echo "till is open"; exec sleep 1000
"""
LINES = """\
start
{"level": 30, "msg": "one apple"}
between
level=warn msg="two Apples"
\x1b[31mlost\x1b[0m the cart
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!
{"level": "error", "msg": "three apples"}
end
"""


@pytest.fixture
def session(place: Place) -> Session:
    place.procfile(PROCFILE)
    place.write("shop.log", LINES)
    session = place.start()
    session.wait_for("end")
    assert place.call("wait").code == 0
    return session


def texts(place: Place, *words: str) -> list[str]:
    done = place.call("logs", *words)
    assert done.code == 0, done
    return [line.partition("| ")[2] for line in done.out.splitlines()]


def test_a_pattern_chooses_lines_and_n_counts_matches(place: Place, session: Session) -> None:
    assert texts(place, "--grep", "apple")[0] == '{"level": 30, "msg": "one apple"}'
    assert texts(place, "-n", "1", "--grep", "apple") == ['{"level": "error", "msg": "three apples"}']
    assert len(texts(place, "-i", "--grep=apple", "shop")) == 3
    assert texts(place, "--grep", "open") == ["till is open"]
    (line,) = texts(place, "--grep", "[et ]", "-v", "--since", "1h", "shop")
    assert re.fullmatch("a+!", line)


def test_what_is_masked_is_neither_shown_nor_found(place: Place) -> None:
    place.write(".env", "PAYMENT_KEY=sk-4711-0815\n")
    place.procfile("web: printf 'key \\033[1msk-\\033[0m4711-0815\\nend\\n'; exec sleep 1000\n")
    place.start().wait_for("end")
    assert texts(place, "--mask", "web") == ["key ********", "end"]
    assert texts(place, "--mask", "--grep", "key") == ["key ********"]
    assert place.call("logs", "--mask", "--grep", "4711").code == 1
    raw, masked = (
        [json.loads(line) for line in place.call("logs", "--json", *mask, "web").out.splitlines()]
        for mask in ((), ("--mask",))
    )
    assert [line["line"] for line in masked] == ["key ********", "end"]
    assert [line["cursor"] for line in masked] == [line["cursor"] for line in raw]


def test_a_session_of_another_procfile_cannot_be_masked(place: Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    session = place.start("--record=always")
    session.wait_for("hello")
    session.signal(signal.SIGINT)
    session.wait()
    recorded = json.loads(place.call("logs", "--json", "-n", "1").out.splitlines()[-1])["session"]
    place.write("other", "web: true\n")
    done = place.call("logs", "--procfile", "other", "--session", recorded, "--mask")
    assert (done.code, "is of another one" in done.err) == (2, True), done
    assert "hello" in place.call("logs", "--procfile", "other", "--session", recorded).out


def test_colors_do_not_hide_a_match(place: Place, session: Session) -> None:
    assert texts(place, "--grep", "lost the") == ["lost the cart"]
    record = json.loads(place.call("logs", "--json", "--grep", "^lost the cart$").out)
    assert (record["instance"], record["line"]) == ("shop.1", "lost the cart")


def test_context_is_lines_of_the_same_process(place: Place, session: Session) -> None:
    assert texts(place, "--grep", "between", "-C", "1") == [
        '{"level": 30, "msg": "one apple"}',
        "between",
        'level=warn msg="two Apples"',
    ]


def test_a_level_chooses_structured_lines(place: Place, session: Session) -> None:
    assert texts(place, "--level", "warn") == [
        'level=warn msg="two Apples"',
        '{"level": "error", "msg": "three apples"}',
    ]
    assert place.call("logs", "--level", "fatal").code == 0


def test_the_exit_status_says_whether_the_pattern_matched(place: Place, session: Session) -> None:
    done = place.call("logs", "--grep", "no such thing")
    assert (done.code, done.out, done.err) == (1, "", "")
    assert place.call("logs", "--grep", "lost", "nothing").code == 2


def test_a_slow_pattern_ends_this_client_only(place: Place, session: Session) -> None:
    done = place.call("logs", "--grep", "(a+)+$")
    assert done.code == 2
    assert 'takes more than 1 s to search for "(a+)+$"' in done.err
    assert texts(place, "--grep", "cart") == ["lost the cart"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--grep", "cart("), "unterminated subpattern at position 4"),
        (("-i",), "--ignore-case needs --grep"),
        (("--invert",), "--invert needs --grep"),
        (("-C", "2"), "--context needs --grep, --level or --stderr"),
        (("--level", "warned"), 'did you mean "warn"?'),
    ],
)
def test_a_mistake_is_named(place: Place, words: tuple[str, ...], error: str) -> None:
    done = place.call("logs", *words)
    assert done.code == 2
    assert error in done.err


def test_stderr_alone_where_the_session_keeps_it_apart(place: Place) -> None:
    place.procfile("shop: echo good; echo bad >&2; exec sleep 1000\n")
    session = place.start("--format", "json")
    assert place.call("wait").code == 0
    session.wait_for('"line": "bad"')
    done = place.call("logs", "--stderr")
    assert [line.partition("! ")[2] for line in done.out.splitlines()] == ["bad"]


def test_stderr_says_so_where_the_session_does_not(place: Place, session: Session) -> None:
    done = place.call("logs", "--stderr")
    assert (done.code, done.out) == (0, "")
    assert "a session with --format json keeps it apart" in done.err


def test_following_shows_the_last_matches_and_then_those_that_come(place: Place, session: Session) -> None:
    place.write("shop.log", "a new apple\nnothing\nthe last apple\n")
    follower = place.session("logs", "-f", "-n", "1", "--grep", "apple")
    follower.wait_for("three apples")
    assert "one apple" not in follower.text
    assert place.call("restart", "shop").code == 0
    follower.wait_for("a new apple")
    follower.wait_for("the last apple")
    assert "nothing" not in follower.text
    assert place.call("stop").code == 0
    assert follower.wait() == 0


def test_following_without_a_match_ends_with_1(place: Place, session: Session) -> None:
    follower = place.session("logs", "-f", "--grep", "pear|nd")
    follower.wait_for("end")  # it follows
    silent = place.session("logs", "-f", "--grep", "pear")
    assert place.call("stop").code == 0
    assert (follower.wait(), silent.wait()) == (0, 1)


def test_following_an_unknown_name_is_refused(place: Place, session: Session) -> None:
    done = place.call("logs", "-f", "--grep", "x", "nowhere")
    assert done.code == 2
    assert 'there is no process "nowhere"' in done.err


def test_an_interrupt_ends_following(place: Place, session: Session) -> None:
    follower = place.session("logs", "-f", "--grep", "end")
    follower.wait_for("end")
    follower.signal(signal.SIGINT)
    assert follower.wait() == 130


TALKERS = """\
shop: while read -r line; do echo "sold $line"; done < orders; exec sleep 1000
till: echo open; exec sleep 1000
"""


def records(place: Place, *words: str) -> list[dict[str, str]]:
    done = place.call("logs", "--json", *words)
    assert done.code == 0, done
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def talkers(place: Place) -> Session:
    place.procfile(TALKERS)
    place.write("orders", "".join(f"{number}\n" for number in range(100)))
    session = place.start()
    session.wait_for("sold 99")
    assert place.call("wait").code == 0
    return session


def test_each_line_has_a_cursor_and_what_comes_after_it_can_be_read(place: Place, talkers: Session) -> None:
    everything = records(place)
    assert len({record["cursor"] for record in everything}) == len(everything)
    for at in (0, 1, len(everything) // 2, len(everything) - 1):
        assert records(place, "--after", everything[at]["cursor"]) == everything[at + 1 :]
    third = everything[3]["cursor"]
    assert records(place, "--after", third, "-n", "7") == everything[4:11]
    sold = [record for record in everything[4:] if record["instance"] == "shop.1"]
    assert records(place, "--after", third, "-n", "5", "shop") == sold[:5]
    assert (
        records(place, "--after", third, "-n", "2", "--grep", "sold .7")
        == [record for record in everything[4:] if re.search("sold .7", record["line"])][:2]
    )


def test_following_after_a_cursor_shows_what_was_missed_and_then_what_comes(place: Place, talkers: Session) -> None:
    *_, last = records(place, "-n", "1")
    place.write("orders", "of bread\n")
    assert place.call("restart", "shop").code == 0
    follower = place.session("logs", "-f", "--json", "--after", last["cursor"], "shop")
    follower.wait_for("sold of bread")
    place.write("orders", "of cake\n")
    assert place.call("restart", "shop").code == 0
    follower.wait_for("sold of cake")
    assert place.call("stop").code == 0
    assert follower.wait() == 0
    lines = [json.loads(line)["line"] for line in follower.text.splitlines()]
    assert [line for line in lines if line.startswith("sold")] == ["sold of bread", "sold of cake"]


def test_output_that_is_no_longer_there_is_counted_first(place: Place) -> None:
    place.procfile("flood: cat large; exec sleep 1000\n")
    place.write("large", "".join(f"{number:01000}\n" for number in range(1000)))
    session = place.start()
    session.wait_for("0999$")
    assert place.call("wait").code == 0
    first = records(place, "-n", "1", "system")[0]["cursor"].rpartition(":")[0] + ":0"
    skipped, *rest = records(place, "--after", first, "flood")
    assert skipped["unit"] == "bytes"
    assert int(skipped["skipped"]) + sum(len(record["line"]) + 1 for record in rest) == 1000 * 1001
    start = int(rest[0]["cursor"].rpartition(":")[2]) - 1001  # a line ends with its cursor
    assert int(skipped["cursor"].rpartition(":")[2]) <= start
    assert "bytes of output are missing here" in place.call("logs", "--after", first, "flood", "-n", "1").err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--since", "soon"), 'must be a duration such as 30, 500ms or 1m30s, not "soon"'),
        (("--after", "yesterday"), 'must be a cursor of logs --json, such as 1a2b-0123456789ab:4096, not "yesterday"'),
        (("--after", "a-1:2", "-f", "-n", "3"), "--lines with --after means the first lines"),
    ],
)
def test_a_mistake_with_a_cursor_is_named(place: Place, words: tuple[str, ...], error: str) -> None:
    done = place.call("logs", *words)
    assert done.code == 2
    assert error in done.err
