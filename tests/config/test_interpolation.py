"""What ``${NAME}`` in an env file means."""

from __future__ import annotations

import pytest

from procman.config.envfile import parse_env
from procman.config.interpolation import MAX_DEPTH, expand
from procman.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def expanded(
    *texts: str,
    under: Mapping[str, str] | None = None,
    over: Mapping[str, str] | None = None,
    ports: Mapping[str, str] | None = None,
) -> dict[str, str]:
    files = [(f"{number}.env", parse_env(text.encode(), f"{number}.env")) for number, text in enumerate(texts, 1)]
    merged: dict[str, str] = {}
    for values in expand(files, under or {}, over or {}, lambda: ports or {}):
        merged |= values
    return merged


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (("A=1\nX=${A}/${HOME}/${NONE:-x}/$A\n",), "1//h/x/$A"),
        (("X=${A}\nA=1\n",), "1"),
        (("A=1\nX=${A}\nA=2\n",), "2"),
        (("A=1\nX=${A}\n", "A=2\n"), "2"),
        (("A=1\n", "X=${A}${HOME}\n"), "1/h"),
        (("X=${X}:1\n",), "x:1"),
        (("X=${X}:1\nX=${X}:2\n", "X=${X}:3\n"), "x:1:2:3"),
        (("X=${A}\nA=${B}\nB=${A}b\n",), "b"),
        (("X=${NONE}${NONE:-}\n",), ""),
    ],
)
def test_it_is_the_value_that_wins(texts: tuple[str, ...], value: str) -> None:
    assert expanded(*texts, under={"HOME": "/h", "X": "x"})["X"] == value


def test_variables_that_win_over_the_files_win_in_values_too() -> None:
    text = "HOST=localhost\nURL=pg://${HOST}/x\n"
    assert expanded(text, under={"HOST": "db"})["URL"] == "pg://localhost/x"
    assert expanded(text, under={"HOST": "db"}, over={"HOST": "db"})["URL"] == "pg://db/x"


def test_ports_of_the_session_are_known() -> None:
    text = "URL=redis://localhost:${PROCMAN_REDIS_PORT}\nOTHER=${PROCMAN_NONE_PORT:-7}\n"
    values = expanded(text, under={"PROCMAN_REDIS_PORT": "1"}, ports={"PROCMAN_REDIS_PORT": "5100"})
    assert values == {"URL": "redis://localhost:5100", "OTHER": "7"}


def test_ports_are_not_looked_up_in_vain() -> None:
    file = parse_env(b"A=${B}\n", ".env")

    def never() -> dict[str, str]:
        raise AssertionError

    assert expand([(".env", file)], {}, {}, never) == [{"A": ""}]


def test_many_lines_take_time_in_proportion() -> None:
    text = "".join(f"V{number}=${{V{number - 1}}}\n" for number in range(1, 20_000))
    assert expanded("V0=x\n" + text)["V19999"] == "x"


def test_values_that_grow_without_end_are_refused() -> None:
    text = "".join(f"V{number}=${{V{number - 1}}}${{V{number - 1}}}\n" for number in range(1, 60))
    with pytest.raises(ConfigError, match=r"^1\.env:\d+: the value of V\d+ is longer than 1 MiB$"):
        expanded("V0=0123456789\n" + text)


def test_a_chain_without_end_is_refused() -> None:
    text = "".join(f"V{number}=${{V{number + 1}}}\n" for number in range(MAX_DEPTH + 2))
    with pytest.raises(ConfigError, match=f"are nested more than {MAX_DEPTH} deep$"):
        expanded(text)
