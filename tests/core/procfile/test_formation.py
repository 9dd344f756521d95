"""Formations, names and exclusions: how many instances of each type run, and which mistakes are refused."""

from __future__ import annotations

import pytest

from procman.core.procfile.formation import MOST_INSTANCES, parse_formation, select
from procman.core.procfile.parser import parse_procfile
from procman.errors import UsageError

PROCFILE = parse_procfile(b"web: a\nworker: b\nclock: c\n")


def chosen(formation: str | None = None, *names: str, exclude: tuple[str, ...] = ()) -> str:
    wanted = None if formation is None else parse_formation(formation)
    return " ".join(f"{type_.name}={count}" for type_, count in select(PROCFILE, wanted, names, exclude))


@pytest.mark.parametrize(
    ("formation", "expected"),
    [
        (None, "web=1 worker=1 clock=1"),
        ("all=1", "web=1 worker=1 clock=1"),
        ("all=2", "web=2 worker=2 clock=2"),
        ("web=1", "web=1"),
        ("web=2,worker=4", "web=2 worker=4"),
        ("worker=4,web=2", "web=2 worker=4"),
        ("all=2,worker=0", "web=2 clock=2"),
        ("worker=0,all=2", "web=2 clock=2"),
        ("all=1,web=3", "web=3 worker=1 clock=1"),
        ("web=3,all=1", "web=3 worker=1 clock=1"),
        ("all=0,web=1", "web=1"),
        ("web=1,worker=0", "web=1"),
        (" web = 2 , worker = 1 ", "web=2 worker=1"),
        ("web=2,\tclock=1\n", "web=2 clock=1"),
        ("web=2,", "web=2"),
        ("web=02", "web=2"),
        ("web=1,web=1", "web=1"),
    ],
)
def test_formation(formation: str | None, expected: str) -> None:
    assert chosen(formation) == expected


@pytest.mark.parametrize(
    ("formation", "names", "exclude", "expected"),
    [
        (None, ("web",), (), "web=1"),
        (None, ("clock", "web"), (), "web=1 clock=1"),
        (None, ("web", "web"), (), "web=1"),
        (None, ("web=2",), (), "web=2"),
        (None, ("web=2", "worker"), (), "web=2 worker=1"),
        (None, ("web,worker=3",), (), "web=1 worker=3"),
        ("web=3,worker=2", ("web",), (), "web=3"),
        ("web=3", ("web=1",), (), "web=1"),
        ("worker=2", ("web",), (), "web=1"),
        ("all=2", ("web",), (), "web=2"),
        (None, (), ("clock",), "web=1 worker=1"),
        (None, (), ("clock,web",), "worker=1"),
        (None, (), ("clock", "web"), "worker=1"),
        ("web=2,clock=1", (), ("clock",), "web=2"),
        (None, ("web", "clock"), ("clock",), "web=1"),
        (None, ("web=0", "clock"), (), "clock=1"),
    ],
)
def test_names_and_exclusions(
    formation: str | None, names: tuple[str, ...], exclude: tuple[str, ...], expected: str
) -> None:
    assert chosen(formation, *names, exclude=exclude) == expected


@pytest.mark.parametrize(
    ("formation", "message"),
    [
        ("", "the formation is empty"),
        (" , ", "the formation is empty"),
        ("web", 'missing count for "web" in the formation'),
        ("2", 'missing count for "2" in the formation'),
        ("web=", 'invalid count "" for "web": it must be 0, 1, 2 …'),
        ("web=x", 'invalid count "x" for "web": it must be 0, 1, 2 …'),
        ("web=-1", 'invalid count "-1" for "web": it must be 0, 1, 2 …'),
        ("web=+1", 'invalid count "+1" for "web": it must be 0, 1, 2 …'),
        ("web=1.5", 'invalid count "1.5" for "web": it must be 0, 1, 2 …'),
        ("web=1_0", 'invalid count "1_0" for "web": it must be 0, 1, 2 …'),
        ("web=٣", 'invalid count "٣" for "web": it must be 0, 1, 2 …'),
        ("web=1=2", 'invalid count "1=2" for "web": it must be 0, 1, 2 …'),
        ("web=1 worker=2", 'invalid count "1 worker=2" for "web": it must be 0, 1, 2 …'),
        ("all=x", 'invalid count "x" for "all": it must be 0, 1, 2 …'),
        ("=1", 'no name before "=1" in the formation'),
        ("web=1,web=2", 'the formation counts "web" twice: 1 and 2'),
        ("wbe=1", 'Procfile has no process type "wbe"'),
        ("all=1,cron=0", 'Procfile has no process type "cron"'),
        ("Web=1", 'Procfile has no process type "Web"'),
        ("all=0", "nothing to start: every process type is excluded or has the count 0"),
        ("web=0", "nothing to start: every process type is excluded or has the count 0"),
        ("web=10001", "10001 instances are too many: procman starts 10000 at most"),
        ("all=4000", "12000 instances are too many: procman starts 10000 at most"),
        ("web=1000000000000", "1000000000000 instances are too many: procman starts 10000 at most"),
        ("web=" + "9" * 5000, f'invalid count "{"9" * 5000}" for "web": it must be 0, 1, 2 …'),
    ],
)
def test_wrong_formation(formation: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(formation)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("formation", "names", "exclude", "message", "hint"),
    [
        (None, ("wbe",), (), 'Procfile has no process type "wbe"', 'did you mean "web"?'),
        (None, ("web.1",), (), 'Procfile has no process type "web.1"', ""),
        (None, ("db",), (), 'Procfile has no process type "db"', "there are: web, worker, clock"),
        (None, (), ("clok",), 'Procfile has no process type "clok"', 'did you mean "clock"?'),
        (None, ("web=x",), (), 'invalid count "x" for "web": it must be 0, 1, 2 …', ""),
        (None, ("web=1", "web=2"), (), '"web" is counted twice: 1 and 2', ""),
        (None, ("web",), ("web",), "nothing to start: every process type is excluded or has the count 0", ""),
        (None, (), ("web,worker,clock",), "nothing to start: every process type is excluded or has the count 0", ""),
        (None, ("web=0",), (), "nothing to start: every process type is excluded or has the count 0", ""),
        ("all=1,clock=0", ("clock",), (), "nothing to start", "its count in the formation is 0: write clock=1"),
    ],
)
def test_wrong_names(
    formation: str | None, names: tuple[str, ...], exclude: tuple[str, ...], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(formation, *names, exclude=exclude)
    assert caught.value.message == message
    assert hint in caught.value.hint


def test_the_most_instances_are_still_accepted() -> None:
    assert chosen(f"web={MOST_INSTANCES}") == f"web={MOST_INSTANCES}"
