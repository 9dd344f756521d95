"""Where each key of an overlay stands, in whatever form TOML allows it to be written."""

from __future__ import annotations

import pytest

from procman.config.overlays import lines_below

TEXT = '''\
timeout = 3 # process.web = 1
note = """
[process.web]
restart = "x"
"""

[process.web]
restart = "always"
ready = { http = "/" }
"stop-signal" = 'INT'

[process.web.env] # a comment
A = "b = c"

[process."odd.name"]
cwd = "x"

[process]
db.port = 5
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("web",), 7),
        (("web", "restart"), 8),
        (("web", "ready"), 9),
        (("web", "stop_signal"), 10),
        (("web", "env"), 12),
        (("web", "env", "A"), 13),
        (("odd.name", "cwd"), 16),
        (("db", "port"), 19),
    ],
)
def test_the_line_of_each_key(path: tuple[str, ...], line: int) -> None:
    assert lines_below(TEXT, ("process",))[path] == line


def test_the_tables_of_a_pyproject() -> None:
    text = "[tool.procman.process.web]\nport = 1\n[tool.other]\nport = 2\n"
    assert lines_below(text, ("tool", "procman", "process")) == {("web",): 1, ("web", "port"): 2}
