"""The order of a deployment, and what is left after each way in which it can fail."""

from __future__ import annotations

import pytest

from engines.driver import Driver, said
from engines.scripted import BROKEN, STARTING, UP, destination, order, scripted
from procman.engines.deployment import alone, deploy, difference
from procman.engines.interface import EngineError
from procman.engines.records import Deployed
from procman.engines.waiting import wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.calls import Call, Outcome

WHOLE = [
    "check",
    "lock ann@laptop",
    "deployed",
    "ship",
    "release",
    "apply 2",
    "look web=1",
    "prune",
    "unlock ann@laptop",
]


def failing(name: str, error: BaseException | None = None) -> Driver:
    """Return a driver in which the first call of this name fails or raises."""

    def answer(call: Call) -> Outcome | BaseException:
        if call.argv[0] != name:
            return said()
        return error or said("", 1, "it broke\n")

    return Driver(answer)


def test_a_deployment_has_one_order() -> None:
    driver = Driver(lambda call: said())
    done = driver.perform(deploy(scripted(), order()))
    assert driver.commands == WHOLE
    assert (done.before, done.version, done.instances) == ("1", "2", UP.instances)


@pytest.mark.parametrize("name", ["deployed", "ship", "release"])
def test_a_failure_before_the_switch_changes_nothing(name: str) -> None:
    driver = failing(name)
    with pytest.raises(EngineError, match="it broke"):
        driver.perform(deploy(scripted(), order()))
    assert driver.commands == [*WHOLE[: WHOLE.index(name) + 1], "unlock ann@laptop"]


def test_a_failed_release_says_what_runs() -> None:
    with pytest.raises(EngineError, match="it broke; 1 still runs"):
        failing("release").perform(deploy(scripted(), order()))


def test_a_lock_of_another_is_not_removed_by_its_own_error() -> None:
    driver = failing("lock", EngineError("bob deploys"))
    with pytest.raises(EngineError, match="bob deploys"):
        driver.perform(deploy(scripted(), order()))
    assert driver.commands == ["check", "lock ann@laptop", "unlock ann@laptop"]  # which is for that owner only


def test_what_does_not_come_up_is_explained_and_the_old_version_restored() -> None:
    engine = scripted()
    engine.looks = [STARTING, BROKEN, UP]
    driver = Driver(lambda call: said("one\ntwo\n") if call.argv[0] == "last" else said())
    with pytest.raises(EngineError, match=r"web\.1 did not come up; 1 runs again"):
        driver.perform(deploy(engine, order()))
    assert driver.commands[5:] == [
        *("apply 2", "look web=1", "look web=1", "last web.1", "restore 1", "look web=1", "unlock ann@laptop"),
    ]
    assert [card.lines for card in driver.cards] == [("one", "two")]
    assert driver.said[:2] == ["web.1 starting", "web.1 failed"]


def test_what_is_never_ready_ends_by_the_time_limit() -> None:
    engine = scripted()
    engine.looks = [STARTING]
    with pytest.raises(EngineError, match=r"web\.1 did not come up within 10 s; 1 was restored, but") as caught:
        Driver(lambda call: said()).perform(deploy(engine, order()))
    assert caught.value.exit_code == 124


@pytest.mark.parametrize(
    ("before", "clause"),
    [(None, "nothing ran before"), (Deployed("1", {"web": 1}, has_run=False), "1 never came up")],
)
def test_a_first_version_that_fails_stays_to_be_looked_at(before: Deployed | None, clause: str) -> None:
    engine = scripted()
    engine.before, engine.looks = before, [BROKEN]
    driver = Driver(lambda call: said())
    with pytest.raises(EngineError, match=f"did not come up; {clause}, so what was started stays") as caught:
        driver.perform(deploy(engine, order()))
    assert not any(command.startswith("restore") for command in driver.commands)
    assert "down --on production" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("release", "interrupted; 1 still runs"), ("look", "interrupted while 2 is rolled out")],
)
def test_an_interrupt_unlocks_and_says_what_runs(name: str, sentence: str) -> None:
    driver = failing(name, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        driver.perform(deploy(scripted(), order()))
    assert driver.commands[-1] == "unlock ann@laptop"
    assert driver.said[-1].startswith(sentence)


def test_a_dry_run_changes_nothing() -> None:
    driver = Driver(lambda call: said())
    assert driver.perform(difference(scripted(), order())) == "-1\n+2\n"
    assert driver.commands == ["check", "deployed", "diff"]


def test_the_user_builds_and_pushes_before_the_lock() -> None:
    place = destination(build="docker build -t {image} .", push="push {image} # {version}")
    driver = Driver(lambda call: said())
    driver.perform(deploy(scripted(place), order(place)))
    assert driver.commands[1:4] == [
        "/bin/sh -c docker build -t shop:2 .",
        "/bin/sh -c push shop:2 # 2",
        "lock ann@laptop",
    ]


@pytest.mark.parametrize("version", ["1;reboot", "$(id)", "a b", "1|x"])
def test_a_version_is_not_a_piece_of_a_shell_line(version: str) -> None:
    driver = Driver(lambda call: said())
    with pytest.raises(EngineError, match="has characters with a meaning in a shell"):
        driver.perform(deploy(scripted(), order(destination(build="make", push="push {version}"), version)))
    assert driver.commands == ["check"]
    driver.perform(deploy(scripted(), order(destination(build="make"), version)))


def test_a_failed_build_changes_nothing() -> None:
    place = destination(build="make")
    driver = failing("/bin/sh")
    with pytest.raises(EngineError, match="build failed with exit code 1; nothing has changed"):
        driver.perform(deploy(scripted(place), order(place)))
    assert driver.commands == ["check", "/bin/sh -c make"]


def test_git_names_the_version() -> None:
    driver = Driver(lambda call: said("v1.2-3-gabc\n") if call.argv[0] == "git" else said())
    assert driver.perform(deploy(scripted(), order(version=""))).version == "v1.2-3-gabc"


def test_without_git_there_is_no_version_unless_it_is_wanted() -> None:
    driver = failing("git", EngineError("git is not installed"))
    assert driver.perform(deploy(scripted(), order(version=""))).version == ""
    place = destination(version="git")
    with pytest.raises(EngineError, match="git is not installed"):
        failing("git", EngineError("git is not installed")).perform(deploy(scripted(place), order(place, "")))


def test_looks_follow_each_other_closely_after_each_change() -> None:
    engine = scripted()
    engine.looks = [STARTING, STARTING, STARTING, STARTING, UP]
    driver = Driver(lambda call: said())
    began = driver.time
    driver.perform(wait(engine, {"web": 1}, 10.0))
    assert driver.time - began < 1.0
    driver, engine.looks = Driver(lambda call: said()), [STARTING]
    with pytest.raises(EngineError, match="within 10 s"):
        driver.perform(wait(engine, {"web": 1}, 10.0))
    assert len(driver.calls) < 30, "looks cost something, so a long wait has few"


def test_whoever_has_the_lock_keeps_others_from_changing_what_runs() -> None:
    engine, driver = scripted(), Driver(lambda call: said())
    driver.perform(alone(engine, "ann", 10.0, engine.stop(["web"])))
    assert driver.commands == ["lock ann", "stop web", "unlock ann"]
    driver = failing("lock")
    with pytest.raises(EngineError, match="it broke"):
        driver.perform(alone(engine, "ann", 10.0, engine.stop(["web"])))
    assert driver.commands == ["lock ann", "unlock ann"]


def test_a_lock_that_is_left_behind_is_said() -> None:
    engine, driver = scripted(), failing("unlock", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        driver.perform(alone(engine, "ann", 10.0, engine.stop([])))
    assert driver.said == ["the lock may be left behind; procman deploy --unlock removes it"]
