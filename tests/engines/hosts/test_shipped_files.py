"""Which files are shipped."""

from __future__ import annotations

import pytest

from engines.hosts.fake_hosts import archive_of
from procman.engines.hosts.shipped_files import Ignored, names, objection, secrets, tar_input


def test_env_files_stay_here() -> None:
    listed = names(b"./Procfile\0.env\0deploy/staging\0sub/.env\0Procfile\0")
    assert secrets(listed, ["./deploy/staging"]) == [b".env", b"deploy/staging", b"sub/.env"]
    assert secrets(listed, ["./deploy/staging"], tracked=listed) == [b".env", b"deploy/staging"]
    assert secrets([b"procman.local.toml", b".env.ci"], [], tracked=[b"procman.local.toml", b".env.ci"]) == [
        b"procman.local.toml"
    ]
    others = [
        b"a/.env.local",
        b".envrc",
        b"b/procman.local.toml",
        b".env.example",
        b".env.d/x",
        b".environment",
        b"x.env",
    ]
    assert secrets(others, []) == [b"a/.env.local", b".envrc", b"b/procman.local.toml"]
    assert tar_input([b"-rf", b"a b"]) == b"./-rf\0./a b\0"


FIFO, LINK, FILE = b"6", b"2", b"0"


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ((FIFO, 0o644, ""), "x is a device or a pipe"),
        ((b"3", 0o644, ""), "x is a device or a pipe"),
        ((FILE, 0o4755, ""), "x has the setuid or setgid bit"),
        ((FILE, 0o2755, ""), "x has the setuid or setgid bit"),
        ((LINK, 0o777, "../other"), "x is a link out of the folder: ../other"),
        ((LINK, 0o777, "sub/../../y"), "x is a link out of the folder: sub/../../y"),
        ((LINK, 0o777, "/home/me/shop/y"), "x is a link out of the folder: /home/me/shop/y"),
        ((LINK, 0o777, "/var/lib/shop"), ""),
        ((LINK, 0o777, "sub/../y"), ""),
        ((FILE, 0o755, ""), ""),
    ],
)
def test_what_root_would_unpack_is_looked_at(member: tuple[bytes, int, str], reason: str) -> None:
    assert objection(archive_of(x=member), "/home/me/shop") == reason


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
