"""The order in which process types stop at a destination."""

from __future__ import annotations

import pytest

from procman.engines.stop_order import stop_order

CHAIN = {"web": ["cache"], "cache": ["db"], "db": []}


@pytest.mark.parametrize(
    ("types", "needs", "groups"),
    [
        (["web", "cache", "db"], CHAIN, [{"web"}, {"cache"}, {"db"}]),
        (["db", "web"], CHAIN, [{"web"}, {"db"}]),  # cache has no instances
        (["db", "web", "other"], CHAIN, [{"web", "other"}, {"db"}]),
        (["db", "web"], {}, [{"db", "web"}]),
        ([], CHAIN, []),
        (["a", "b"], {"a": ["b"], "b": ["a"]}, [{"a", "b"}]),
    ],
)
def test_what_depends_on_another_stops_before_it(
    types: list[str], needs: dict[str, list[str]], groups: list[set[str]]
) -> None:
    assert stop_order(types, needs) == groups
