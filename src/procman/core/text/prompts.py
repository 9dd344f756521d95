"""Recognizes the prompts of debuggers in unfinished lines."""

from __future__ import annotations

import re

# pdb, pdb++, ipdb, node inspect, byebug and debug, rdb, pry, irb, iex, gdb, lldb, delve, perl -d
_PROMPT = re.compile(
    rb"(\((?:i?[Pp]db\+*|rdb:\d+|rdbg(?:[:@][^)]*)?|byebug|gdb|lldb|dlv|Cmd)\)"
    rb"|ipdb>|debug>|pudb>|\[\d+\] pry\([^)]*\)>|\s\sDB<\d+>|>>>"
    rb"|irb(?::rdbg)?\([^)]*\):\d+(?::\d+)?[>*]|(?:iex|pry)\([^)]*\)\d*>|In \[\d+\]:)\s*$"
)
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0e-\x1f]")
_LONGEST = 300  # bytes at the end of the line that are looked at


def debugger_prompt(unfinished: bytes) -> str:
    """Return the prompt that an unfinished line ends with, ``(Pdb)``; empty if it is not one of a debugger."""
    if not unfinished:
        return ""
    found = _PROMPT.search(_ESCAPES.sub(b"", unfinished[-_LONGEST:]))
    return found[1].decode().strip() if found else ""
