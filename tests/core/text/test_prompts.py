"""Which unfinished lines are prompts of debuggers."""

from __future__ import annotations

import pytest

from procman.core.text.prompts import debugger_prompt


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        (b"(Pdb) ", "(Pdb)"),
        (b"\x1b[?2004h(Pdb++) ", "(Pdb++)"),
        (b"\x1b[0;32mipdb> \x1b[0m", "ipdb>"),
        (b"(rdb:1) ", "(rdb:1)"),
        (b"(rdbg) ", "(rdbg)"),
        (b"(byebug) ", "(byebug)"),
        (b"[1] pry(main)> ", "[1] pry(main)>"),
        (b"irb(main):001> ", "irb(main):001>"),
        (b"\x1b[1mirb(#<Post:0x0001>):002:0> ", "irb(#<Post:0x0001>):002:0>"),
        (b"irb:rdbg(PostsController):003* ", "irb:rdbg(PostsController):003*"),
        (b"pry(1)> ", "pry(1)>"),
        (b"iex(shop@host)2> ", "iex(shop@host)2>"),
        (b"debug> ", "debug>"),
        (b"(dlv) ", "(dlv)"),
        (b"  DB<1> ", "DB<1>"),
        (b">>> ", ">>>"),
        (b"In [12]: ", "In [12]:"),
        (b"", ""),
        (b"loading 10 %", ""),
        (b"(Pdb) p se", ""),
        (b"the (Pdb) prompt is", ""),
        (b"Continue? [y/N] ", ""),
    ],
)
def test_prompts_of_debuggers(line: bytes, prompt: str) -> None:
    assert debugger_prompt(line) == prompt


def test_only_the_end_of_a_long_line_is_looked_at() -> None:
    prompt = b"(rdbg@" + b"x" * 292 + b") "
    assert len(prompt) == 300
    assert debugger_prompt(b"a" * 1000 + prompt) == prompt.decode().strip()
    assert debugger_prompt(b"(rdbg@" + b"x" * 293 + b") ") == ""
