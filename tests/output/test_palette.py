from __future__ import annotations

import pytest

from procman.output.palette import Palette, refuses_color, wants_color
from procman.output.sinks.label import WITH_TIME, Labels


@pytest.mark.parametrize(
    ("wish", "environ", "isatty", "colored"),
    [
        (None, {}, True, True),
        (None, {}, False, False),
        (None, {"TERM": "dumb"}, True, False),
        (None, {"NO_COLOR": "1"}, True, False),
        (None, {"NO_COLOR": ""}, True, True),
        (None, {"FORCE_COLOR": "1"}, False, True),
        (None, {"FORCE_COLOR": "3", "TERM": "dumb"}, False, True),
        (None, {"FORCE_COLOR": "0"}, True, False),
        (None, {"FORCE_COLOR": "false"}, True, False),
        (None, {"CLICOLOR_FORCE": "1"}, False, True),
        (None, {"CLICOLOR_FORCE": "0"}, False, False),
        (None, {"CLICOLOR": "0"}, True, False),
        (None, {"CLICOLOR": "1"}, False, False),
        (None, {"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, False, True),
        (None, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        (True, {"NO_COLOR": "1"}, False, True),
        (False, {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_the_wish_wins_then_no_then_force_then_the_terminal(
    wish: bool | None, environ: dict[str, str], isatty: bool, colored: bool
) -> None:
    assert wants_color(wish, environ, isatty) is colored


def test_only_a_spoken_no_takes_the_colors_of_children() -> None:
    assert refuses_color(False, {})
    assert refuses_color(None, {"NO_COLOR": "1"})
    assert not refuses_color(None, {})
    assert not refuses_color(True, {"NO_COLOR": "1"})


def test_types_are_colored_in_a_fixed_order_and_then_brightly() -> None:
    palette = Palette(True)
    assert [palette.of(index) for index in range(7)] == [f"\x1b[{code}m" for code in (36, 32, 35, 34, 31, 33, 96)]
    assert palette.of(12) == palette.of(0)


def test_without_color_every_code_is_empty() -> None:
    palette = Palette(False)
    codes = (palette.of(3), palette.reset, palette.bold, palette.dim, palette.failure, palette.good, palette.warning)
    assert set(codes) == {""}


def test_the_codes_are_looked_up_when_the_first_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the library that has them takes longer than starting the first child."""
    looked: list[Palette] = []
    fill = Palette._fill

    def noted(palette: Palette) -> None:
        looked.append(palette)
        fill(palette)

    monkeypatch.setattr(Palette, "_fill", noted)
    palette = Palette(True)
    assert Labels(WITH_TIME, palette, ["web.1"], {"web": 0}).width("12:00:00") == len("12:00:00 system | ")
    assert not looked
    assert palette.of(0) == "\x1b[36m"
    assert palette.bold + palette.reset == "\x1b[1m\x1b[0m"
    assert looked == [palette]


def test_a_palette_has_no_other_codes() -> None:
    with pytest.raises(AttributeError):
        Palette(True).purple  # noqa: B018 (asked for, not used)


def test_each_meaning_has_its_usual_color() -> None:
    palette = Palette(True)
    assert (palette.failure, palette.good, palette.warning) == ("\x1b[31m", "\x1b[32m", "\x1b[33m")
    assert (palette.bold, palette.dim, palette.reset) == ("\x1b[1m", "\x1b[2m", "\x1b[0m")
