"""The text that ``agents`` prints: short, and true about the commands that it names."""

from __future__ import annotations

import re

from procman.cli.commands.agents import HINT, text
from procman.cli.options.session_table import COMMANDS
from procman.cli.options.table import ALIASES

COMMAND = re.compile(r"procman ([a-z]+)((?: -{1,2}[a-z]+)*)")


def test_it_is_a_paragraph_and_not_a_page() -> None:
    lines = text(("web", "worker")).splitlines()
    assert 10 <= len(lines) <= 15
    assert max(map(len, lines)) <= 120


def test_each_command_in_it_exists_and_has_its_options() -> None:
    found = COMMAND.findall(text(()).replace("procman runs", "")) + COMMAND.findall(HINT)
    assert {"up", "ps", "logs", "why", "restart", "down", "stop"} <= {name for name, _ in found}
    for name, options in found:
        command = COMMANDS[ALIASES.get(name, name)]
        flags = {flag for option in command.options for flag in option.flags}
        assert set(options.split()) <= flags, (name, options)


def test_a_procfile_of_another_name_is_named_in_a_form_that_every_command_takes() -> None:
    assert "`web`, `job`" in text(("web", "job"))
    assert "--procfile" not in text(("web",))
    assert "`--procfile 'my procs'`" in text(("web",), "my procs")
    used = {ALIASES.get(name, name) for name, _ in COMMAND.findall(text(()).replace("procman runs", ""))}
    assert all(any("--procfile" in option.flags for option in COMMANDS[name].options) for name in used)
