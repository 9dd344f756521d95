"""The places that can set a setting (flag, PROCMAN_*, config files, default), and messages for wrong values."""

from __future__ import annotations

import pytest

from procman.cli.options.precedence import settle, wants_guardian
from procman.cli.options.reader import read
from procman.cli.options.table import OPTIONS
from procman.core.model.settings import NAMES, Settings
from procman.core.text.values import DURATION
from procman.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settled(*argv: str, **environ: str) -> Settings:
    invocation = read(argv or ("start",))
    assert invocation is not None
    return settle(invocation, environ)


def test_every_option_has_its_setting_and_every_setting_its_option() -> None:
    # words of the command line, tables of a config file, and the entries of `env` that are tables
    elsewhere = {"names", "process", "on", "env_optional"}
    assert {option.setting for option in OPTIONS} - {"foreman", "processes"} == set(NAMES) - elsewhere


def test_each_place_wins_over_the_places_below_it(folder: Path) -> None:
    places = [
        (".foreman", "port: 1001\n", ".foreman:1"),
        ("pyproject.toml", "[tool.procman]\nport = 1002\n", "pyproject.toml:2"),
        ("procman.toml", "# first\n\nport = 1003\n", "procman.toml:3"),
        ("procman.local.toml", "port = 1004\n", "procman.local.toml:1"),
    ]
    assert settled().port is None
    for number, (name, text, origin) in enumerate(places, 1001):
        (folder / name).write_text(text)
        assert (settled().port, settled().origin["port"]) == (number, origin)
    assert settled("start", PROCMAN_PORT="1005").port == 1005
    assert settled("start", PROCMAN_PORT="1005").origin["port"] == "PROCMAN_PORT"
    assert settled("start", "-p", "1006", PROCMAN_PORT="1005").port == 1006
    assert settled("start", "-p", "1006", PROCMAN_PORT="1005").origin["port"] == "--port"


def test_an_env_file_of_a_config_file_may_be_optional(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app" / "procman.toml").write_text('env = [".env", { path = ".env.local", required = false }]\n')
    settings = settled("start", "-d", "app")
    assert (settings.env, settings.env_optional) == (("app/.env", "app/.env.local"), ("app/.env.local",))
    assert settings.origin["env"] == "app/procman.toml:1"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{ required = false }", "procman.toml:1: env needs a path"),
        ('{ path = "a", needed = false }', "procman.toml:1: env.needed is not a known key"),
        ('{ path = "a", required = 1 }', "procman.toml:1: env.required must be true or false, not the number 1"),
    ],
)
def test_a_wrong_entry_of_env_is_named_with_its_place(folder: Path, entry: str, message: str) -> None:
    (folder / "procman.toml").write_text(f"env = [{entry}]\n")
    with pytest.raises(UsageError) as caught:
        settled()
    assert str(caught.value) == message


def test_procman_toml_stands_in_for_pyproject_toml(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.procman]\ntimeout = 1\n")
    (folder / "procman.toml").write_text("port = 1\n")
    assert settled().timeout == 5.0


def test_a_pyproject_of_others_is_none_of_our_business(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.other]\nbroken = = 1\n")
    assert settled().origin == {}
    (folder / "pyproject.toml").write_text("[project]\nname = 'procman'\n")
    assert settled().origin == {}


def test_flags_reach_their_settings() -> None:
    line = (
        "start web worker=2 -f P -d r -e a -e b,c -m web=2 -p 80 --port-step 10 -t 2.5 -x css,js -x clock "
        "--restart always --exit never -q a --only b --no-color --timestamps iso --no-prefix --format json "
        "--raw --no-pty --os-env-wins --env-interpolate --no-guardian --highlight x+ --pretty --log-dir l "
        "--status --max-restarts 3"
    )
    settings = settled(*line.split())
    told = {name: getattr(settings, name) for name in settings.origin}
    assert told == {
        "names": ("web", "worker=2"),
        "procfile": "P",
        "root": "r",
        "env": ("a", "b,c"),  # not split before the files are opened
        "formation": "web=2",
        "port": 80,
        "port_step": 10,
        "timeout": 2.5,
        "exclude": ("css", "js", "clock"),
        "restart": "always",
        "exit": "never",
        "quiet": ("a",),
        "only": ("b",),
        "color": False,
        "timestamps": "iso",
        "prefix": "",
        "format": "json",
        "raw": True,
        "pty": False,
        "os_env_wins": True,
        "env_interpolate": True,
        "guardian": False,
        "highlight": "x+",
        "pretty": True,
        "log_dir": "l",
        "status": True,
        "max_restarts": 3,
    }


def test_the_aliases_of_other_tools_are_heard() -> None:
    assert settled("start", "-c", "web=2").formation == "web=2"
    assert settled("start", "--concurrency=web=2").formation == "web=2"
    assert settled("start", PROCMAN_CONCURRENCY="web=2").formation == "web=2"


def test_every_option_can_come_from_the_environment() -> None:
    settings = settled(
        "start",
        PROCMAN_ENV="a,b",
        PROCMAN_EXCLUDE="css, js",
        PROCMAN_NO_TIMESTAMP="yes",
        PROCMAN_OS_ENV_WINS="1",
        PROCMAN_COLOR="false",
        PROCMAN_NO_PTY="0",
        PROCMAN_RAW="",
        PROCMAN_NO_PORT="on",
        PROCMAN_SESSION="of a parent",
    )
    assert (settings.env, settings.exclude) == (("a,b",), ("css", "js"))
    assert (settings.timestamps, settings.os_env_wins, settings.color) == ("off", True, False)
    assert (settings.pty, settings.raw, settings.port) == (True, False, 0)
    assert "raw" not in settings.origin


def test_foreman_is_a_wish_of_its_place() -> None:
    assert (settled("start", "--foreman").restart, settled("start", "--foreman").exit) == ("never", "any")
    assert settled("start", "--foreman", "--exit", "all").exit == "all"
    assert settled("start", "--restart", "always", PROCMAN_FOREMAN="1").restart == "always"
    assert settled("start", "--foreman", PROCMAN_RESTART="always").restart == "never"


def test_no_port_and_port_zero_are_the_same() -> None:
    assert settled("start", "-p", "0").no_port
    assert settled("start", "--no-port", PROCMAN_PORT="5000").no_port
    assert not settled("start", "-p", "5000", PROCMAN_NO_PORT="1").no_port


FIRST_ROWS = {option.setting: option for option in reversed(OPTIONS) if option.config}
SWITCHES = {setting for setting, option in FIRST_ROWS.items() if option.kind == "switch"} - {"foreman"}  # sets others


@pytest.mark.parametrize("setting", sorted(SWITCHES))
@pytest.mark.parametrize("value", [True, False])
def test_a_switch_of_a_config_file_is_what_its_key_says(folder: Path, setting: str, value: bool) -> None:
    (folder / "procman.toml").write_text(f"{setting} = {str(value).lower()}\n")
    assert getattr(settled(), setting) is value


def test_toml_has_its_own_types(folder: Path) -> None:
    (folder / "procman.toml").write_text(
        'env = [".env", "b"]\nexclude = "css,js"\nquiet = []\ncolor = false\ntimestamps = "iso"\nport = false\n'
        "timeout = 2\nport-step = 10\nprefix = false\n[formation]\nweb = 2\nall = 1\n"
    )
    settings = settled()
    assert (settings.env, settings.exclude, settings.quiet) == ((".env", "b"), ("css", "js"), ())
    assert (settings.color, settings.timestamps, settings.port, settings.timeout) == (False, "iso", 0, 2.0)
    assert (settings.port_step, settings.prefix, settings.formation) == (10, "", "web=2,all=1")
    assert settings.origin["formation"] == "procman.toml:10"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("prot = 5000\n", 'procman.toml:1: unknown setting "prot"', 'did you mean "port"?'),
        (
            "port = '5000'\n",
            'procman.toml:1: port must be a port from 1 to 65535, or 0 for none, not the string "5000"',
            "",
        ),
        ("\nport = 70000\n", 'procman.toml:2: port must be a port from 1 to 65535, or 0 for none, not "70000"', ""),
        ("port = true\n", "procman.toml:1: port must be a port from 1 to 65535, or 0 for none, not true", ""),
        ("timeout = -1\n", 'procman.toml:1: timeout must be a duration such as 30, 500ms or 1m30s, not "-1"', ""),
        ("timeout = 1979-05-27\n", f"procman.toml:1: timeout must be {DURATION}, not a date or time", ""),
        ("color = 'red'\n", 'procman.toml:1: color must be auto, always or never, not "red"', ""),
        ("env = 1\n", "procman.toml:1: env must be a list of strings, not the number 1", ""),
        ("exclude = ['a', 1]\n", "procman.toml:1: exclude must be a list of strings, not a list", ""),
        ("exit = 'some'\n", 'procman.toml:1: exit must be all, any, failure or never, not "some"', ""),
        ("root = ''\n", 'procman.toml:1: root must be the path of a file or folder, not ""', ""),
        ('procfile = "a\\u0000"\n', "procman.toml:1: procfile must be a string without a NUL", ""),
        ("port = = 1\n", "procman.toml:1:8: invalid value", "it is not TOML; see https://toml.io"),
        ("port = 1\nport = 2\n", "procman.toml:2:9: cannot overwrite a value", "it is not TOML; see https://toml.io"),
        (
            "guardian = false\n",
            'procman.toml:1: unknown setting "guardian"',
            "--no-guardian is for the command line only",
        ),
        ("detach = true\n", 'procman.toml:1: unknown setting "detach"', "--detach is for the command line only"),
        ("for = '2h'\n", 'procman.toml:1: unknown setting "for"', "--for is for the command line only"),
        ("no-color = true\n", 'procman.toml:1: unknown setting "no-color"', "the key for --no-color is color"),
        ("names = ['web']\n", 'procman.toml:1: unknown setting "names"', None),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(
    folder: Path, text: str, message: str, hint: str | None
) -> None:
    (folder / "procman.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        settled()
    assert caught.value.message == message
    assert hint is None or caught.value.hint == hint


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-p", "http"), '--port must be a port from 1 to 65535, or 0 for none, not "http"'),
        (("-p", "1", "--port=2"), "--port is given twice, but takes one value"),
        (("-m", "web=1", "-c", "web=2"), "--formation is given twice, but takes one value"),
        (("-f", "a", "-f", "a"), "--procfile is given twice, but takes one value"),
        (("--color", "--no-color"), "--color and --no-color contradict each other"),
        (("-p", "1", "--no-port"), "--port and --no-port contradict each other"),
        (("-t", "soon"), '--timeout must be a duration such as 30, 500ms or 1m30s, not "soon"'),
        (("--exit", "some"), '--exit must be all, any, failure or never, not "some"'),
        (("--max-restarts", "many"), '--max-restarts must be a whole number, not "many"'),
        (("-f", ""), '--procfile must be the path of a file or folder, not ""'),
        (("-e", ""), "--env must be the name of a file"),
        (("--highlight", "("), "--highlight must be a regular expression"),
        (("--timestamps", "isso"), '--timestamps must be off, iso, elapsed or a format such as %H:%M, not "isso"'),
    ],
)
def test_what_is_wrong_in_a_flag_is_told_by_its_name(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        settled("start", *argv)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(("argv", "near"), [(("--exit", "al"), "all"), (("--restart", "allways"), "always")])
def test_a_mistyped_choice_brings_the_nearest_one(argv: tuple[str, ...], near: str) -> None:
    with pytest.raises(UsageError) as caught:
        settled("start", *argv)
    assert caught.value.hint == f'did you mean "{near}"?'


def test_a_switch_may_be_repeated() -> None:
    assert settled("start", "--raw", "--raw").raw


def test_what_is_wrong_in_a_variable_is_told_by_its_name() -> None:
    with pytest.raises(UsageError, match='PROCMAN_RAW must be "true" or "false", not "red"'):
        settled("start", PROCMAN_RAW="red")
    with pytest.raises(UsageError, match='PROCMAN_COLOR must be auto, always or never, not "red"'):
        settled("start", PROCMAN_COLOR="red")


@pytest.mark.parametrize("word", ["auto", "always", "never", "1", "0"])
def test_colors_always_never_or_where_they_fit(folder: Path, word: str) -> None:
    expected = {"auto": None, "always": True, "never": False, "1": True, "0": False}[word]
    assert settled("start", PROCMAN_COLOR=word).color is expected
    if word.isalpha():
        (folder / "procman.toml").write_text(f"color = '{word}'\n")
        assert settled("start").color is expected
        assert settled("start", f"--color={word}", PROCMAN_COLOR="1").color is expected


def test_config_files_are_looked_for_in_the_root_or_beside_the_procfile(folder: Path) -> None:
    (folder / "app").mkdir()
    (folder / "app" / "procman.toml").write_text("port = 1\nenv = ['.env.dev']\nlog_dir = 'log'\n")
    assert settled().port is None
    for argv in (("start", "-d", "app"), ("start", "-f", "app/Procfile")):
        settings = settled(*argv)
        assert (settings.port, settings.env, settings.log_dir) == (1, ("app/.env.dev",), "app/log")
    assert settled("start", PROCMAN_ROOT="app").port == 1


def test_a_config_file_may_name_procfile_and_root(folder: Path) -> None:
    (folder / "procman.toml").write_text("procfile = 'deploy/Procfile'\n")
    assert (settled().procfile, settled().root) == ("deploy/Procfile", "deploy")
    (folder / "procman.toml").write_text("root = 'app'\n")
    assert (settled().procfile, settled().root) == ("app/Procfile", "app")


def test_foremans_own_file_is_read_as_far_as_it_concerns_us(folder: Path) -> None:
    (folder / ".foreman").write_text(
        "---\n# ours\nprocfile: Procfile.dev\nenv: .env,.env.local\nformation: 'web=2' # two\nport: \"3000\"\n"
        "timeout: 10\napp: bakery\nuser: www\n"
    )
    settings = settled()
    assert (settings.procfile, settings.env, settings.formation) == ("Procfile.dev", (".env", ".env.local"), "web=2")
    assert (settings.port, settings.timeout) == (3000, 10.0)
    assert settings.origin["formation"] == ".foreman:5"
    assert settings.notes == (
        '.foreman:8: procman does not use the key "app"',
        '.foreman:9: procman does not use the key "user"',
    )


def test_the_guardian_is_decided_without_any_file(folder: Path) -> None:
    (folder / "procman.toml").write_text("broken = = \n")
    for argv, environ, wanted in (
        (("start",), {}, True),
        (("start", "--no-guardian"), {}, False),
        (("start",), {"PROCMAN_NO_GUARDIAN": "1"}, False),
    ):
        invocation = read(argv)
        assert invocation is not None
        assert wants_guardian(invocation, environ) is wanted


@pytest.mark.parametrize("name", ["procman.toml", "procman.local.toml", "pyproject.toml", ".foreman"])
def test_a_config_file_that_is_no_text_is_told(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"port = 1 # procman\n\xff\n")
    with pytest.raises(ConfigError, match=rf"{name}:2: this is not UTF-8"):
        settled()
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(ConfigError, match=rf"{name} is a folder, not a file"):
        settled()


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(folder: Path) -> None:
    (folder / "procman.toml").write_bytes(b"\xef\xbb\xbfport = 1\r\ntimeout = 2\r\n")
    assert (settled().port, settled().timeout) == (1, 2.0)
    assert settled().origin["timeout"] == "procman.toml:2"


def test_a_duration_is_written_alike_in_a_flag_a_variable_and_a_file(folder: Path) -> None:
    (folder / "procman.toml").write_text('timeout = "1m30s"\n')
    assert settled().timeout == 90
    assert settled(PROCMAN_TIMEOUT="500ms").timeout == 0.5
    assert settled("start", "-t", "2m").timeout == 120
