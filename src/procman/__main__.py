"""``python -m procman``: the same as the installed command."""

import os
import sys

# `-m` puts the current folder first, and a stranger's repository may contain a re.py.
if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
    del sys.path[0]

from procman.cli.program import program

program()
