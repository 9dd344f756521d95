"""Asks: ``python -m procman``."""

from procman.cli.program import program

program()
