from __future__ import annotations

import os
import pty
import time

import pytest

from procman.core.model.plan import Environment, Plan
from procman.core.model.settings import Settings
from procman.core.planner import make_plan
from procman.core.procfile.parser import parse_procfile
from procman.errors import ConfigError, UsageError
from procman.output.factory import open_output
from procman.output.outlet import Outlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def plan(quiet: tuple[str, ...] = ()) -> Plan:
    procfile = parse_procfile(b"web: python web.py\nlong-worker: python worker.py\n")
    return make_plan(procfile, Environment({}, {}), Settings(quiet=quiet))


def shown(
    environ: dict[str, str] | None = None,
    isatty: bool = False,
    said: bytes = b"\x1b[31mGET\x1b[0m /\n",
    **settings: object,
) -> bytes:
    """Return the output on a pipe after two instances have written."""
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    hub = open_output(plan(), Settings(None, **settings), outlet, environ or {}, isatty)
    hub.announce("hello")
    hub.publish("web.1", "stdout", said)
    hub.close()
    outlet.close(time.monotonic())
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        return file.read()


def test_names_are_as_wide_as_the_longest() -> None:
    assert shown(timestamps="off") == b"system        | hello\nweb.1         | \x1b[31mGET\x1b[0m /\n"


def test_an_explicit_no_takes_the_colors_of_children_too() -> None:
    assert b"\x1b" not in shown(color=False)
    assert b"\x1b" not in shown({"NO_COLOR": "1"})


def test_force_color_colors_a_pipe() -> None:
    assert b"\x1b[36mweb.1 " in shown({"FORCE_COLOR": "1"}, timestamps="off")


@pytest.mark.parametrize("prefix", ["", "none"])
def test_no_prefix(prefix: str) -> None:
    assert shown(prefix=prefix, color=False) == b"hello\nGET /\n"


def test_tabs_are_lined_up_behind_a_prefix_of_a_terminal_only() -> None:
    said = b"a\tb\n"
    assert shown(said=said, isatty=True, color=False).endswith(b"web.1         | a       b\n")
    assert shown(said=said, isatty=True, color=False, prefix="{name}: ").endswith(b": a       b\n")
    for plain in (
        {},
        {"isatty": True, "prefix": "none"},
        {"isatty": True, "prefix": ""},
        {"isatty": True, "raw": True},
    ):
        assert shown(said=said, **plain).endswith(b"a\tb\n")


def test_json_has_no_colors_even_on_a_terminal() -> None:
    lines = shown({"FORCE_COLOR": "1"}, isatty=True, format="json").splitlines()
    assert all(line.startswith(b'{"time"') and b"u001b" not in line for line in lines)


def test_quiet_types_are_not_shown() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    hub = open_output(plan(quiet=("web",)), Settings(), outlet, {}, False)
    hub.publish("web.1", "stdout", b"x\n")
    hub.publish("long-worker.1", "stdout", b"y\n")
    outlet.close(time.monotonic())
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert file.read().count(b"\n") == 1


def test_pretty_and_highlight_work_together() -> None:
    text = shown(pretty=True, highlight="GET", color=True, prefix="")
    assert text.endswith(b"\x1b[31m\x1b[7mGET\x1b[27m\x1b[0m /\n")


def test_highlight_marks_nothing_without_color() -> None:
    assert b"\x1b[7m" not in shown(highlight="GET")


@pytest.mark.parametrize(("name", "value"), [("prefix", "{nope}"), ("highlight", "(")])
def test_wrong_settings_are_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        open_output(plan(), Settings(None, **{name: value}), Outlet(1), {}, False)


def test_log_files_hear_everybody(tmp_path: Path) -> None:
    shown(log_dir=str(tmp_path), only=("long-worker",))
    assert (tmp_path / "web.1.log").read_bytes() == b"GET /\n"


def test_a_log_folder_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError):
        shown(log_dir=str(tmp_path / "file"))


def test_a_terminal_has_a_footer_unless_it_is_dumb() -> None:
    master, slave = pty.openpty()
    for environ, settings, footer in (
        ({"TERM": "xterm"}, {}, True),
        ({"TERM": "dumb"}, {}, False),
        ({}, {}, False),
        ({"TERM": "xterm"}, {"raw": True}, False),
        ({"TERM": "xterm"}, {"format": "json"}, False),
    ):
        outlet = Outlet(slave)
        hub = open_output(plan(), Settings(None, **settings), outlet, environ, True)
        assert hub.has_footer is footer
        outlet.close(time.monotonic())
    os.close(master)
    os.close(slave)


def test_tables_know_the_room_beside_the_prefix() -> None:
    outlet = Outlet(1)
    hub = open_output(plan(), Settings(), outlet, {}, False)
    assert hub.message_columns == 80 - len("00:00:00 long-worker.1 | ")


def test_what_we_say_is_no_more_trusted_than_a_child(capfd: pytest.CaptureFixture[str]) -> None:
    outlet = Outlet(1)
    hub = open_output(plan(), Settings(None, prefix=""), outlet, {}, False)
    hub.announce("a \x1b[2Jb \x9b \x1b[31mred")
    outlet.close(time.monotonic())
    assert capfd.readouterr().out == "a b \\x9b \x1b[31mred\x1b[0m\n"


def test_structured_lines_are_laid_out_only_when_that_is_asked_for() -> None:
    line = b'{"level":"info","msg":"hello"}\n'
    assert shown(said=line, pretty=True, prefix="none", color=False) == b"hello\nINFO  hello\n"
    assert shown(said=line, prefix="none", color=False) == b"hello\n" + line


def test_a_process_type_with_a_log_file_of_its_own_writes_to_it(tmp_path: Path) -> None:
    both = plan()
    both.instances[0].log_file = str(tmp_path / "web.log")
    hub = open_output(both, Settings(), Outlet(1), {}, False)
    for name in ("web.1", "long-worker.1"):
        hub.publish(name, "stdout", b"\x1b[31m" + name.encode() + b"\x1b[0m\n")
    hub.close()
    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]
    assert (tmp_path / "web.log").read_bytes() == b"web.1\n"


def test_no_log_file_is_opened_where_none_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "isatty", "said"),
    [
        ({"LANG": "C"}, True, b"still waiting..."),
        ({"LANG": "C.UTF-8"}, True, "still waiting…".encode()),
        ({"LANG": "C"}, False, "still waiting…".encode()),
    ],
)
def test_only_a_terminal_that_cannot_show_more_gets_ascii_from_us(
    environ: dict[str, str], isatty: bool, said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    outlet = Outlet(1)
    open_output(plan(), Settings(None, prefix="", color=False), outlet, environ, isatty).announce("still waiting…")
    outlet.close(time.monotonic())
    assert capfd.readouterr().out.encode().strip() == said


def test_a_process_type_has_the_color_that_it_was_given() -> None:
    both = plan()
    both.instances[0].color = 3
    for name, code in (("web.1", "\x1b[34m"), ("long-worker.1", "\x1b[32m")):
        reader, writer = os.pipe()
        outlet = Outlet(writer)
        open_output(both, Settings(color=True, timestamps="off"), outlet, {}, False).publish(name, "stdout", b"x\n")
        outlet.close(time.monotonic())
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            assert file.read().decode().startswith(code + name)


def test_only_a_terminal_is_guarded_from_the_controls_of_others() -> None:
    said = b"a\xc2\x9b2Jb\n"
    assert shown(said=said, isatty=True, prefix="").endswith(b"a\\x9b2Jb\n")
    assert shown(said=said, isatty=True, prefix="", raw=True).endswith(said)
    assert shown(said=said, prefix="").endswith(said)


def test_a_terminal_is_lent_only_where_that_is_asked_for() -> None:
    environ = {"TERM": "xterm"}
    assert open_output(plan(), Settings(), Outlet(1), environ, True).passthrough is None
    hub = open_output(plan(), Settings(), Outlet(1), environ, True, lends=True)
    assert hub.passthrough is not None
    assert hub.has_footer


@pytest.mark.parametrize(("status", "wanted"), [(None, True), (True, True), (False, False)])
def test_a_terminal_that_may_be_lent_has_a_status_line_unless_it_is_refused(status: bool | None, wanted: bool) -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    hub = open_output(plan(), Settings(None, status=status), outlet, {"TERM": "xterm"}, True, lends=True)
    hub.show_status(lambda _columns: b"web 1/1")
    outlet.flush()
    os.close(writer)
    os.set_blocking(reader, False)
    outlet.close(0.0)
    with os.fdopen(reader, "rb") as file:
        assert (b"web 1/1" in file.read()) is wanted
