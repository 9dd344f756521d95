"""``procman mcp``: its tools by the client of the official SDK, and what else may arrive on stdin."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

import harness

anyio = pytest.importorskip("anyio", reason="the extra mcp is not installed")
mcp = pytest.importorskip("mcp.client.client", reason="the extra mcp is not installed")  # since version 2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp import Client
    from mcp_types import CallToolResult

    Work = Callable[[Client], Awaitable[None]]

READING = {"status", "logs", "wait", "why", "check"}
ALL = READING | {"up", "stop", "restart"}
STAY = "web: echo hello; exec sleep 1000\ndb: sleep 1000\n"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def served(place: harness.Place, work: Work, *words: str, env: dict[str, str] | None = None) -> harness.Session:
    """Run ``work`` with a client. What the tools start has the mark of the session that is returned."""
    holder = place.session("1000", program="/bin/sleep")
    surroundings = harness.environment({**(env or {}), harness.MARK: holder.mark})
    server = mcp.StdioServerParameters(
        command=harness.PROCMAN,
        args=["mcp", *words],
        cwd=place.folder,
        env=surroundings,
        encoding_error_handler="strict",
    )

    failures: list[BaseException] = []

    async def main() -> None:
        async with mcp.Client(server, read_timeout_seconds=harness.LIMIT) as client:
            try:
                await work(client)
            except Exception as error:
                failures.append(error)  # not in the groups of the client

    anyio.run(main)
    if failures:
        raise failures[0]
    return holder


async def given(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool that must succeed, and return its structured result."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: object) -> str:
    """Call a tool that must fail, and return the message."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    return message_of(result)


def message_of(result: CallToolResult) -> str:
    return "\n".join(str(getattr(part, "text", "")) for part in result.content)


def piped(*messages: object) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in (INITIALIZE, INITIALIZED, *messages))


def call(number: int, tool: str, **arguments: object) -> dict[str, object]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def started(place: harness.Place, *words: str) -> harness.Session:
    session = place.start(*words)
    session.wait_for("hello")
    return session


def test_an_agent_starts_waits_reads_restarts_and_stops(place: harness.Place) -> None:
    place.procfile(STAY)

    async def work(client: Client) -> None:
        assert "call the tool up" in await refused(client, "status")
        up = await given(client, "up")
        assert (up["ready"], up["begun"]) == (True, True)
        assert [row["name"] for row in up["processes"]] == ["web.1", "db.1"]
        assert not (await given(client, "up", names=["web"]))["begun"]
        status = await given(client, "status", names=["web"])
        assert [(row["name"], row["state"]) for row in status["processes"]] == [("web.1", "running")]
        assert (await given(client, "wait", timeout=30))["ready"]
        assert ("web.1", "hello") in [(line["name"], line["text"]) for line in (await given(client, "logs"))["lines"]]
        assert (await given(client, "logs"))["session_ended"] is None
        assert "stopping web.1" in (await given(client, "restart", names=["web"]))["messages"]
        assert not (await given(client, "stop", names=["db"]))["session_ended"]
        assert "stopped by you" in (await given(client, "why", names=["db"]))["processes"][0]["why"]
        assert (await given(client, "stop"))["session_ended"]
        last = await given(client, "logs", names=["web"])  # of the record
        ended = last["lines"]
        assert "with exit status 0" in last["session_ended"]
        assert "hello" in [line["text"] for line in ended]

    served(place, work)
    assert place.call("ps").code == 1


def test_every_tool_says_whether_it_changes_something_and_what_it_returns(place: harness.Place) -> None:
    async def work(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == ALL
        assert all(tool.output_schema and tool.description for tool in tools.values())
        kinds = {name: tool.annotations for name, tool in tools.items()}
        assert {name for name, kind in kinds.items() if kind and kind.read_only_hint} == READING
        assert {name for name, kind in kinds.items() if kind and kind.destructive_hint} == {"stop", "restart"}

    served(place, work)


def test_read_only_offers_only_tools_that_change_nothing(place: harness.Place) -> None:
    place.procfile(STAY)

    async def work(client: Client) -> None:
        assert {tool.name for tool in (await client.list_tools()).tools} == READING
        assert "procman up starts it" in await refused(client, "status")
        assert "nknown tool" in await refused(client, "up")

    served(place, work, "--read-only")


def test_a_failure_arrives_with_its_last_lines(place: harness.Place) -> None:
    place.procfile("web: echo the reason; exit 3\n")
    place.write("procman.toml", "max_restarts = 1\n")

    async def work(client: Client) -> None:
        message = await refused(client, "up")
        assert "web.1" in message
        assert "the reason" in message
        assert (await given(client, "stop"))["session_ended"]

    served(place, work)


def test_a_wait_that_ends_in_vain_returns_the_reasons(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    place.write("procman.toml", "process.web.ready = { exec = 'false' }\n")
    session = started(place)

    async def work(client: Client) -> None:
        found = await given(client, "wait", timeout=0.1)
        assert (found["ready"], found["processes"][0]["name"]) == (False, "web.1")
        assert "not ready" in found["message"]
        assert "less than or equal to 55" in await refused(client, "wait", timeout=56)
        assert 'no process "wbe"' in await refused(client, "wait", names=["wbe"], timeout=50)

    served(place, work)
    session.signal(signal.SIGINT)
    session.wait()


@pytest.mark.parametrize("name", ["--replace", "--procfile=other", "-f", "", "web\n"])
def test_a_name_never_becomes_an_option(place: harness.Place, name: str) -> None:
    place.procfile(STAY)

    async def work(client: Client) -> None:
        for tool in sorted(ALL - {"check"}):
            assert "invalid name" in await refused(client, tool, names=[name])

    served(place, work)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [("a\0b", "takes no NUL characters"), ("x" * 300_000, "argument list too long")],
    ids=["NUL", "long"],  # pytest passes the id on in a variable, which may not be so long either
)
def test_what_no_command_can_be_given_is_refused_with_a_reason(place: harness.Place, pattern: str, reason: str) -> None:
    place.procfile(STAY)

    async def work(client: Client) -> None:
        assert reason in await refused(client, "logs", grep=pattern)

    served(place, work)


def test_lines_are_searched_and_bounded(place: harness.Place) -> None:
    place.write(
        "web.py", "print('x' * 40000)\nfor n in range(100):\n    print(n, 'y' * 300)\nprint('hello', flush=True)\n"
    )
    place.procfile(f"web: {sys.executable} web.py; exec sleep 1000\n")
    session = started(place)

    async def work(client: Client) -> None:
        found = await given(client, "logs", names=["web"], lines=200)
        assert (found["truncated"], found["lines"][-1]["text"]) == (True, "hello")
        assert len(json.dumps(found["lines"])) < 17000
        alone = await given(client, "logs", grep="^7 ")
        assert [line["text"][:2] for line in alone["lines"]] == ["7 "]
        assert not (await given(client, "logs", grep="nothing like this"))["lines"]
        long = await given(client, "logs", grep="xxx")
        assert long["truncated"]
        assert len(json.dumps(long["lines"])) < 17000
        assert "--grep" in await refused(client, "logs", grep="(")
        assert "200" in await refused(client, "logs", lines=201)

    served(place, work)
    session.signal(signal.SIGINT)
    session.wait()


def test_the_cursor_of_a_result_leads_to_every_later_line_once(place: harness.Place) -> None:
    place.write("web.py", "for n in range(1000):\n    print(n, 'y' * 50)\nprint('hello', flush=True)\n")
    place.procfile(f"web: {sys.executable} web.py; while test ! -e more; do sleep 0.05; done; echo later; sleep 1000\n")
    session = started(place)

    async def work(client: Client) -> None:
        found = await given(client, "logs", names=["web"], grep="^0 ")
        numbers = []
        while (found := await given(client, "logs", names=["web"], after=found["cursor"], lines=200))["lines"]:
            numbers += [line["text"].partition(" ")[0] for line in found["lines"]]
            assert found["truncated"] or numbers[-1] == "hello"
        assert numbers == [*map(str, range(1, 1000)), "hello"]
        place.write("more", "")
        session.wait_for("later")
        later = await given(client, "logs", names=["web"], after=found["cursor"])
        assert [line["text"] for line in later["lines"]] == ["later"]
        assert "--after" in await refused(client, "logs", after="nonsense")

    served(place, work)
    session.signal(signal.SIGINT)
    session.wait()


def test_no_result_has_a_secret(place: harness.Place) -> None:
    secrets = {"API_TOKEN": "t0ken-of-the-env-file", "DB_PASSWORD": "in-the-overlay", "SHELL_SECRET": "in-the-shell"}
    place.procfile(
        "web: echo $API_TOKEN $DB_PASSWORD $SHELL_SECRET $DATABASE_URL hello; test -e go && exec sleep 1000\n"
    )
    place.write(".env", "API_TOKEN=t0ken-of-the-env-file\nDATABASE_URL=postgres://ada:pass-of-the-url@db/shop\n")
    place.write("procman.toml", "max_restarts = 1\nprocess.web.env = { DB_PASSWORD = 'in-the-overlay' }\n")
    found: list[str] = []

    async def work(client: Client) -> None:
        found.append(await refused(client, "up"))
        place.write("go", "")
        for tool in ("up", "restart", "status", "logs", "why", "check", "stop"):
            result = await client.call_tool(tool, {})
            found.append(json.dumps(result.model_dump(mode="json")))

    served(place, work, env={"SHELL_SECRET": "in-the-shell"})
    text = "\n".join(found)
    assert "******** ******** ******** postgres://ada:********@db/shop hello" in text
    assert [value for value in (*secrets.values(), "pass-of-the-url") if value in text] == []


def test_no_pattern_finds_out_what_is_masked(place: harness.Place) -> None:
    place.write(".env", "API_TOKEN=t0ken-of-the-env-file\n")
    place.procfile("web: echo token $API_TOKEN hello; exec sleep 1000\n")
    session = started(place)

    async def matches(client: Client, pattern: str) -> list[str]:
        return [line["text"] for line in (await given(client, "logs", grep=pattern))["lines"]]

    async def work(client: Client) -> None:
        assert await matches(client, "^token .* hello") == ["token ******** hello"]
        for pattern in ("^token t", "t0k", "-file hello", "token [a-z0-9]", "^token .{10,} hello"):
            assert await matches(client, pattern) == []
        whole = await given(client, "logs", names=["web"], lines=1)
        later = await given(client, "logs", names=["web"], after=whole["cursor"])
        assert later["lines"] == []  # cursors are those of the output as it is

    served(place, work)
    session.signal(signal.SIGINT)
    session.wait()


def test_no_result_has_the_half_of_a_secret_where_a_line_is_cut(place: harness.Place) -> None:
    token = "abcdefghijklmnop" * 40
    place.write(".env", f"API_TOKEN={token}\n")
    place.write("procman.toml", "max_restarts = 0\n")
    place.write("long.py", "import os\nprint('-' * 16000 + os.environ['API_TOKEN'])\n")
    place.procfile(f"web: {sys.executable} long.py; printf '%0400d %s\\n' 0 $API_TOKEN; exit 3\n")
    found: list[str] = []

    async def work(client: Client) -> None:
        found.append(await refused(client, "up"))
        found.append(json.dumps((await client.call_tool("logs", {})).model_dump(mode="json")))

    served(place, work)
    assert ["abc" in text for text in found] == [False, False]
    assert ["0 ********" in text for text in found] == [True, True]


def test_the_end_of_stdin_leaves_the_session_alone(place: harness.Place) -> None:
    place.procfile(STAY)
    session = started(place)
    done = place.call("mcp", stdin=piped(call(1, "status"), call(2, "wait", timeout=0)))
    assert done.code == 0, done
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert sorted(answer["id"] for answer in answers) == [0, 1, 2]
    assert place.call("ps").code == 0
    session.signal(signal.SIGINT)
    session.wait()


def test_a_closed_stdin_is_its_end(place: harness.Place) -> None:
    place.procfile(STAY)
    closed = place.session("-c", f"exec {harness.PROCMAN} mcp <&-", program="/bin/sh")
    assert (closed.wait(), closed.text) == (0, "")


def test_the_end_of_stdin_does_not_wait_for_a_call_that_takes_long(place: harness.Place) -> None:
    place.procfile("web: echo hello; exec sleep 1000\n")
    place.write("procman.toml", "process.web.ready = { exec = 'false' }\n")
    holder = place.session("1000", program="/bin/sleep")
    begun = time.monotonic()
    env = {harness.MARK: holder.mark}
    done = place.call("mcp", stdin=piped(call(1, "up", timeout=55)), env=env)
    assert done.code == 0, done
    assert time.monotonic() - begun < 40
    assert place.call("wait", "--timeout", "0").code in (1, 124)


def test_it_ends_quietly_when_nobody_reads_its_answers(place: harness.Place) -> None:
    place.procfile(STAY)
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [harness.PROCMAN, "mcp"],
        cwd=place.folder,
        env=harness.environment(),
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    _, err = process.communicate(piped(), timeout=harness.LIMIT)
    assert (process.returncode, err) == (141, b"")


def _noise(chance: random.Random) -> bytes:
    """Return something that may arrive on stdin: garbage, halves of messages, wrong types, far too much."""
    number: Any = chance.choice([1, "a", None, 1.5, [], 2**80, -1])
    method = chance.choice(["tools/call", "tools/list", "nope", "initialize", "notifications/cancelled", 7, None])
    params: Any = chance.choice([{}, [], None, 3, {"name": "status", "arguments": {"names": 7}}, {"name": "\ud800"}])
    message = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
    return chance.choice(
        [
            chance.randbytes(80).replace(b"\n", b"") + b"\n",
            b"[" * chance.randrange(50_000) + b"\n",
            b"x" * 2_500_000 + b"\n",
            b"\0" * 100 + b"\n\r\n \n",
            message + b"\n",
            message[: chance.randrange(len(message))] + b"\n",
            b'{"jsonrpc": "2.0", "id": 77, "result": {}}\n',
        ]
    )


def answers_to(place: harness.Place, *lines: bytes) -> dict[object, dict[str, Any]]:
    """Return what a server answers to lines, and to a request after each of them, by the ids."""
    place.procfile(STAY)
    requests = (
        json.dumps({"jsonrpc": "2.0", "id": f"after {n}", "method": "ping"}).encode() for n in range(len(lines))
    )
    stdin = b"".join(line + b"\n" for pair in zip(lines, requests, strict=True) for line in pair)
    done = place.call("mcp", stdin=piped() + stdin)
    assert (done.code, done.err) == (0, ""), done
    answers = {answer["id"]: answer for answer in map(json.loads, done.out.splitlines())}
    assert [answers[f"after {n}"].get("result") for n in range(len(lines))] == [{}] * len(lines)
    return answers


@pytest.mark.parametrize("keys", ["jsonrpc id method params", "method params jsonrpc id"], ids=["python", "typescript"])
def test_a_request_that_is_too_long_is_answered_with_an_error(place: harness.Place, keys: str) -> None:
    request = call(7, "logs", grep="x" * 2_500_000)
    answer = answers_to(place, json.dumps({key: request[key] for key in keys.split()}).encode())[7]
    assert (answer["error"]["code"], "1048576 bytes" in answer["error"]["message"]) == (-32600, True)


def test_what_is_not_a_request_is_answered_with_an_error(place: harness.Place) -> None:
    answers = answers_to(
        place,
        json.dumps(call(8, "logs", grep="\ud800")).encode(),
        b'{"jsonrpc": "2.0", "id": 9, "method": 7}',
        b'{"jsonrpc": "2.0", "id": 10, "method": "ping", "params": "\\udfff"}',
        b'{"jsonrpc": "2.0", "id": 11, "result": "no request"}',
        b'{"jsonrpc": "2.0", "method": 7}',
    )
    assert [number for number in (8, 9, 10, 11) if number in answers] == [8, 9, 10]
    assert {answers[number]["error"]["code"] for number in (8, 9, 10)} == {-32600}
    assert "surrogate" in answers[8]["error"]["message"]
    assert None not in answers
    assert answers_to(place, b"[" * 9999)[None]["error"]["code"] == -32700
    assert answers_to(place, b"x" * 2_500_000)[None]["error"]["code"] == -32600
    assert answers_to(place, b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}')[None]["error"]["code"] == -32600
    assert None not in answers_to(place, b"  ")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_arrives_a_request_after_it_is_answered(place: harness.Place, seed: int) -> None:
    place.procfile(STAY)
    chance = random.Random(seed)
    noise = b"".join(_noise(chance) for _ in range(40))
    request = json.dumps(call(4711, "check")).encode()
    place.write("input", piped() + noise + request + b"\n" + noise + b'{"half')
    feed = "cat input; until test -e answered; do sleep 0.05; done"  # a call has only a second after the end of input
    session = place.session("-c", f"{{ {feed}; }} | {harness.PROCMAN} mcp", program="/bin/sh")
    session.wait_for(r'"id":4711\b')
    place.write("answered", "")
    assert (session.wait(), session.err) == (0, b"")
    answers = [json.loads(line) for line in session.text.splitlines()]
    assert [answer["result"]["structuredContent"]["ok"] for answer in answers if answer["id"] == 4711] == [True]


def test_it_takes_no_names(place: harness.Place) -> None:
    done = place.call("mcp", "web")
    assert (done.code, done.out, "mcp takes no names" in done.err) == (2, "", True), done


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/ada/.local/share/pipx/venvs/procman-cli", "pipx inject procman-cli 'mcp>=2'"),
        ("/home/ada/.local/share/uv/tools/procman-cli", "uv tool install --with 'mcp>=2' procman-cli"),
        ("/home/ada/shop/.venv", "pip install 'mcp>=2'"),
    ],
)
def test_without_the_sdk_one_sentence_says_how_to_install_it(place: harness.Place, prefix: str, command: str) -> None:
    code = (
        f"import sys; sys.modules['mcp'] = None; sys.prefix = {prefix!r};"
        " from procman.cli.main import main; sys.exit(main(['mcp']))"
    )
    session = place.session("-c", code, program=sys.executable)
    assert session.wait() == 2
    assert session.text == ""
    expected = f"procman: procman mcp needs the MCP SDK, which is not installed; `{command}` installs it\n"
    assert session.err.decode() == expected
