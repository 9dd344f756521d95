"""Which files are shipped."""

from __future__ import annotations

import pytest

from procman.engines.hosts.shipped_files import Ignored, names, tar_input, without_secrets


def test_env_files_stay_here() -> None:
    listed = names(b"./Procfile\0.env\0deploy/.env.production\0sub/.env\0Procfile\0")
    found = without_secrets(listed, ["./deploy/.env.production"])
    assert found == [b"Procfile", b"sub/.env"]
    assert tar_input([b"-rf", b"a b"]) == b"./-rf\0./a b\0"


@pytest.mark.parametrize(
    ("pattern", "ignored", "kept"),
    [
        ("node_modules", ["node_modules/a/b.js"], ["src/node_modules/a.js"]),
        ("**/node_modules", ["node_modules/a", "src/node_modules/a"], ["src/node_modulesX"]),
        ("*.log", ["a.log"], ["logs/a.log", "a.logs"]),
        ("/dist/", ["dist/x"], ["src/dist/x"]),
        ("temp?", ["temp1/x", "tempa"], ["temp", "temp12"]),
        ("*/b[0-9]", ["a/b1/c"], ["a/bx", "b1"]),
        ("**/*.md\n!README.md", ["docs/a.md"], ["README.md", "a.txt"]),
        ("*\n!src", ["Makefile", "docs/x"], ["src/a/b"]),
        ("# a\n\n", [], ["# a", "a"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a\\*", ["a*"], ["ab"]),
    ],
)
def test_dockerignore_is_read_as_docker_reads_it(pattern: str, ignored: list[str], kept: list[str]) -> None:
    rules = Ignored(pattern)
    assert [name for name in ignored if name.encode() not in rules] == []
    assert [name for name in kept if name.encode() in rules] == []
