"""``python -m procman``: the same as the installed command."""

from procman.cli.program import program

program()
