"""The output of pods: merged by time, and followed over the lives and the births of pods."""

from __future__ import annotations

import pytest

from engines.driver import Driver, said
from engines.kubernetes.rig import Rig
from procman.engines.interface import EngineError
from procman.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procman.engines.calls import Call, Outcome


def deployed() -> Rig:
    rig = Rig(lines="web: ./serve --port $PORT\nworker: ./work\n")
    rig.deploy("1")
    for second, pod in enumerate(rig.cluster.pods()):
        lines = [f"2026-01-02T03:00:{second:02}.{part}00000000Z line {part}" for part in range(2)]
        rig.cluster.logs[pod["metadata"]["name"]] = lines
    return rig


def test_lines_of_all_pods_are_in_the_order_of_their_times() -> None:
    rig = deployed()
    pods = [pod["metadata"]["name"] for pod in rig.cluster.pods()]
    rig.cluster.logs[pods[0]] = ["2026-01-02T03:00:09.5Z late", "no time: it is left out"]
    found = rig.driver.perform(rig.engine().logs([], follow=False, lines=3, since=None))
    assert [line.line for line in found] == [b"line 0", b"line 1", b"late"]
    assert {line.node for line in found} == {"n1"}
    assert found[-1].time is not None
    assert found[-1].time % 60 == 9.5
    words = rig.cluster.commands[-1].split()
    assert {"--prefix", "--timestamps", "--tail=3", "--max-log-requests=1000", "--ignore-errors"} <= set(words)


def test_names_and_a_time_choose_lines() -> None:
    rig = deployed()
    found = rig.driver.perform(rig.engine().logs(["web.2"], follow=False, lines=10, since=90.0))
    assert {line.instance for line in found} == {"web.2"}
    assert "--since=90s" in rig.cluster.commands[-1]
    assert rig.driver.perform(rig.engine().logs(["web.2"], follow=False, lines=0, since=None)) == []


def test_an_unknown_name_is_a_mistake() -> None:
    rig = deployed()
    with pytest.raises(UsageError, match=r'^there is no process "wbe" at live$'):
        rig.driver.perform(rig.engine().logs(["wbe"], follow=False, lines=1, since=None))


def test_what_is_followed_begins_after_the_last_lines() -> None:
    rig = deployed()
    rig.driver.perform(rig.engine().logs(["web"], follow=True, lines=1, since=None))
    assert [(line.instance, line.line) for line in rig.driver.lines] == [("web.2", b"line 1")], "no line comes twice"
    follow = [command for command in rig.driver.commands if "--follow" in command]
    assert len(follow) == 2
    assert all("--since-time=2026-01-02T03:00:0" in command for command in follow)
    assert not any("--request-timeout" in command for command in follow), "it would end after 20 s"


def test_pods_that_are_born_later_are_followed_from_their_first_line() -> None:
    rig = deployed()
    (web, _) = (pod["metadata"]["name"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web")
    rows = (
        f"{web}   web   <none>   2026-01-02T03:00:00Z   n1   <none>\n"
        f"{web}   web   <none>   2026-01-02T03:00:00Z   n1   2026-01-02T03:01:00Z\n"
        "shop-web-new   web   <none>   <none>   <none>   <none>\n"
        "shop-web-new   web   <none>   2026-01-02T03:02:00Z   n2   <none>\n"
        "shop-web-new   web   <none>   2026-01-02T03:02:00Z   n2   <none>\n"
    )
    rig.cluster.logs["shop-web-new"] = ["2026-01-02T03:02:00.1Z hello"]

    watches = [rows, ""]

    def answer(call: Call) -> Outcome:
        return said(watches.pop(0)) if "--watch" in call.argv and "pods" in call.argv else rig.cluster(call)

    rig.driver = Driver(answer)
    rig.driver.perform(rig.engine().logs([], follow=True, lines=0, since=None))
    (line,) = rig.driver.lines
    assert (line.instance, line.line, line.node) == ("web.1", b"hello", "n2"), "the number of the one that ends is free"


def test_a_second_life_of_a_container_is_followed_too() -> None:
    rig = deployed()
    (web, _) = (pod["metadata"]["name"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web")
    row = f"{web}   web   <none>   2026-01-02T03:0{{}}:00Z   n1   <none>\n"
    lives = [["2026-01-02T03:00:00.0Z line 0", "2026-01-02T03:00:00.1Z line 1"], ["2026-01-02T03:05:00.1Z again"], []]
    watches = [row.format(0) + row.format(5), ""]

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "pods" in call.argv:
            return said(watches.pop(0))
        if "--follow" in call.argv:
            return said("".join(f"{line}\n" for line in lives.pop(0)))
        return rig.cluster(call)

    rig.driver = Driver(answer)
    rig.driver.perform(rig.engine().logs(["web.1"], follow=True, lines=0, since=None))
    assert [line.line for line in rig.driver.lines][-1] == b"again"


def test_lines_of_both_streams_need_not_be_in_order() -> None:
    rig = deployed()
    (web, _) = (pod["metadata"]["name"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web")
    watches = [f"{web}   web   <none>   2026-01-02T03:00:00Z   n1   <none>\n", ""]
    logs = ["2026-01-02T04:00:00.2Z one\n2026-01-02T04:00:00.1Z two\n2026-01-02T04:00:00.2Z three\n", ""]

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "pods" in call.argv:
            return said(watches.pop(0))
        return said(logs.pop(0)) if "--follow" in call.argv else rig.cluster(call)

    rig.driver = Driver(answer)
    rig.driver.perform(rig.engine().logs(["web.1"], follow=True, lines=0, since=None))
    assert [line.line for line in rig.driver.lines] == [b"one", b"two", b"three"]


def test_what_is_followed_ends_when_the_application_is_removed() -> None:
    rig = deployed()
    (pod, *_) = (one["metadata"]["name"] for one in rig.cluster.pods())
    began, ended = "2026-01-02T03:00:00Z", "2026-01-02T03:09:00Z"
    row = f"{pod}   web   <none>   {began}   n1   "
    others = "another   web   <none>   <none>   n1   <none>\n"

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "pods" in call.argv:
            rig.cluster.objects.clear()  # by a command in another terminal
            return said(f"{row}<none>\n{others}{row}{ended}\n")
        if call.argv[-1].startswith("jsonpath={.kind}"):
            return said("".join(["List", *(f" {name}" for name in rig.names("deployment.apps"))]))
        return rig.cluster(call)

    rig.driver = Driver(answer)
    assert rig.driver.perform(rig.engine().logs([], follow=True, lines=0, since=None)) == []
    assert rig.driver.said == ["shop has been removed from live"]
    assert all("--watch" in watch.argv for watch in rig.driver.stopped)


NOTES = ("configmap", "shop-deploy")


@pytest.mark.parametrize("rows", ["ADDED   shop-deploy   2   9s\nDELETED   shop-deploy   2   9s\n", ""])
def test_what_is_followed_ends_when_an_application_is_removed_that_was_stopped(rows: str) -> None:
    rig = deployed()
    for one in rig.cluster.pods():
        del rig.cluster.objects["pod", one["metadata"]["name"]]
    first = ["ADDED   shop-deploy   2   9s\n"] if not rows else []  # then the connection is cut

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "configmap" in call.argv:
            rig.cluster.objects.pop(NOTES, None)
            absent = said("", 1, 'Error from server (NotFound): configmaps "shop-deploy" not found\n')
            return said(rows or first.pop()) if rows or first else absent
        return rig.cluster(call)

    rig.driver = Driver(answer)
    assert rig.driver.perform(rig.engine().logs([], follow=True, lines=0, since=None)) == []
    assert rig.driver.said == ["shop has been removed from live"]


def test_what_another_tool_has_applied_is_followed_without_a_watch_of_the_notes() -> None:
    rig = deployed()
    del rig.cluster.objects[NOTES]
    rig.driver.said.clear()
    rig.driver.perform(rig.engine().logs(["web"], follow=True, lines=1, since=None))
    assert ([line.line for line in rig.driver.lines], rig.driver.said) == ([b"line 1"], [])


def test_what_is_stopped_is_still_followed() -> None:
    rig = deployed()
    (pod, *_) = (one["metadata"]["name"] for one in rig.cluster.pods())
    watches = [f"{pod}   web   <none>   2026-01-02T03:00:00Z   n1   2026-01-02T03:09:00Z\n", ""]

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "pods" in call.argv:
            return said(watches.pop(0))
        return said("List shop-web shop-worker") if call.argv[-1].startswith("jsonpath={.kind}") else rig.cluster(call)

    rig.driver = Driver(answer)
    rig.driver.perform(rig.engine().logs([], follow=True, lines=0, since=None))
    assert (rig.driver.said, watches) == ([], [])


@pytest.mark.parametrize("rows", ["", "shop-web-1   web   <none>   <none>   n1   <none>\n"])
def test_a_cluster_that_is_lost_ends_it_with_an_error(rows: str) -> None:
    rig = deployed()
    watches = [said(rows)] if rows else []
    refused = said("", 1, "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host?\n")

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "pods" in call.argv:
            return watches.pop(0) if watches else refused
        return rig.cluster(call)

    rig.driver = Driver(answer)
    message = r"^the output is no longer followed: the API server 10\.0\.0\.1:6443 refuses connections$"
    with pytest.raises(EngineError, match=message) as caught:
        rig.driver.perform(rig.engine().logs([], follow=True, lines=0, since=None))
    assert caught.value.exit_code == 1


def test_a_connection_that_is_cut_is_made_again() -> None:
    rig = deployed()
    (web, _) = (pod["metadata"]["name"] for pod in rig.cluster.pods() if pod["owner"] == "shop-web")
    row = f"{web}   web   <none>   2026-01-02T03:00:00Z   n1   <none>\n"
    watches = [f"Welcome to the wrapper\n{row}", row, ""]
    last = "2026-01-02T04:00:00.5Z two"
    logs = [["2026-01-02T04:00:00.1Z one"], ["2026-01-02T04:00:00.1Z one", last], [last]]

    def answer(call: Call) -> Outcome:
        if "--watch" in call.argv and "pods" in call.argv:
            return said(watches.pop(0))
        if "--follow" in call.argv:
            return said("".join(f"{line}\n" for line in logs.pop(0)))
        return rig.cluster(call)

    rig.driver = Driver(answer)
    rig.driver.perform(rig.engine().logs(["web.1"], follow=True, lines=0, since=None))
    assert [line.line for line in rig.driver.lines] == [b"one", b"two"]
    assert (watches, logs) == ([], [])
