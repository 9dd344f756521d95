"""What package.json shows."""

from __future__ import annotations

import pytest

from procman.core.detection.scripts import of_package, package_manager, words

VITE = " --port $PORT --strictPort"


def found(manager: str = "npm", **scripts: object) -> dict[str, str]:
    data = {"scripts": {name.replace("__", ":"): line for name, line in scripts.items()}}
    return {one.name: one.command for one in of_package(data, manager) if not one.reason}


def test_dev_wins_over_start() -> None:
    assert found(dev="node --watch .", start="node .", build="x") == {"web": "npm run dev"}
    assert found(start="node .") == {"web": "npm run start"}


@pytest.mark.parametrize(
    ("manager", "line", "command"),
    [
        ("npm", "vite", "npm run dev -- --port $PORT --strictPort"),
        ("pnpm", "vite dev --open", "pnpm run dev --port $PORT --strictPort"),
        ("yarn", "NODE_ENV=development vite serve", "yarn run dev --port $PORT --strictPort"),
        ("bun", "npx vite --host", "bun run dev --port $PORT --strictPort"),
        ("npm", "astro dev", "npm run dev -- --port $PORT"),
        ("npm", "ng serve --open", "npm run dev -- --port $PORT"),
        ("npm", "vite --port 3000", "npm run dev"),
        ("npm", "vite --port=3000", "npm run dev"),
        ("npm", "vite build --watch", "npm run dev"),
        ("npm", "vite && node .", "npm run dev"),
        ("npm", "next dev", "npm run dev"),
    ],
)
def test_a_server_that_does_not_read_port_gets_it(manager: str, line: str, command: str) -> None:
    assert found(manager, dev=line) == {"web": command}


def test_a_watcher_that_serves_is_there_once() -> None:
    assert found(dev="run-p watch:*", watch__web="vite") == {"watch:web": f"npm run watch:web --{VITE}"}
    assert found(watch__web="vite") == {"watch:web": f"npm run watch:web --{VITE}"}


def test_workers_and_watchers() -> None:
    assert found(worker="x", watch__css="y", watch="z") == {
        "worker": "npm run worker",
        "watch:css": "npm run watch:css",
    }


@pytest.mark.parametrize(
    ("files", "manager"),
    [((), "npm"), (("yarn.lock",), "yarn"), (("pnpm-lock.yaml", "package-lock.json"), "pnpm"), (("bun.lockb",), "bun")],
)
def test_the_lock_file_names_the_package_manager(files: tuple[str, ...], manager: str) -> None:
    assert package_manager(files) == manager


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ('concurrently "npm:one" "npm run two"', {"one": "npm run one", "two": "npm run two"}),
        ("concurrently -k -n a,b --success first 'npm:one' npm:two", {"a": "npm run one", "b": "npm run two"}),
        ("concurrently --names=a npm:one", {"a": "npm run one"}),
        ('npx concurrently "vite --host" "node s.js"', {"vite": f"npx vite --host{VITE}", "s": "node s.js"}),
        ('concurrently "npm:t*"', {"two": "npm run two"}),
        ('concurrently "cd x && make"', {"cd": "cd x && make"}),
        ('concurrently "npm:one -- --fast"', {"one": "npm run one -- --fast"}),
        ('concurrently "npm:web" "node api.js"', {"web": f"npm run web --{VITE}", "api": "node api.js"}),
        ("run-p web one", {"web": f"npm run web --{VITE}", "one": "npm run one"}),
        ('concurrently "vite --port 80" "astro build"', {"vite": "npx vite --port 80", "astro": "npx astro build"}),
        ("run-p one two", {"one": "npm run one", "two": "npm run two"}),
        ("npm-run-all --parallel o*", {"one": "npm run one"}),
    ],
)
def test_a_line_that_runs_others_side_by_side_becomes_its_parts(line: str, parts: dict[str, str]) -> None:
    assert found(dev=line, one="x", two="y", web="vite dev") == parts


@pytest.mark.parametrize(
    "line", ["npm-run-all one two", "A=b concurrently npm:one", "concurrently npm:one && x", 'concurrently "', ""]
)
def test_any_other_line_is_run_as_it_is(line: str) -> None:
    assert found(dev=line, one="x") == {"web": "npm run dev"}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("a*", "abc ac a"), ("*c", "abc ac"), ("a*b*c", "abc"), ("*a", "a"), ("ab*bc", ""), ("**b**", "abc b"), ("x", "")],
)
def test_a_star_matches_anything(pattern: str, fits: str) -> None:
    assert list(found(dev=f"run-p {pattern}", abc="1", ac="2", a="3", b="4")) == (fits.split() or ["web"])


def test_a_file_made_to_keep_us_busy_ends() -> None:
    scripts = {f"s{number}": "x" for number in range(100_000)}
    for line in ("run-p " + "*a*a*a* " * 1000, "run-p " + "s* " * 1_000_000):
        (one,) = of_package({"scripts": {**scripts, "dev": line}}, "npm")
        assert one.command == "npm run dev"


def test_a_part_is_not_there_twice() -> None:
    assert found(dev="run-p watch:*", watch__css="x") == {"watch:css": "npm run watch:css"}


def test_a_script_that_starts_a_procfile_is_not_a_line_of_one() -> None:
    (one,) = of_package({"scripts": {"dev": "npx foreman start -f Procfile"}}, "npm")
    assert "would start a Procfile" in one.reason


@pytest.mark.parametrize("data", [None, [], 3, {}, {"scripts": []}, {"scripts": {"dev": 3, "start": None}}], ids=str)
def test_a_strange_shape_shows_nothing(data: object) -> None:
    assert list(of_package(data, "npm")) == []


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ("a  b", ["a", "b"]),
        (r'"a b" c\ d', ["a b", "c d"]),
        (r'"say \"x\""', ['say "x"']),
        ("'a\"b'c", ['a"bc']),
        ("", []),
        ('"open', ["open"]),
    ],
)
def test_words_are_those_of_a_shell(line: str, split: list[str]) -> None:
    assert words(line) == split


def test_a_long_line_takes_no_longer_than_its_length() -> None:
    assert len(words('"' + "\\" * 100_000 + "a" * 100_000)) >= 1
