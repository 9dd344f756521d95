"""Asks: ``python -m procman``."""

from procman.cli.main import program

program()
