"""Asks: ``python -m procman``."""

from procman.cli.main import main

raise SystemExit(main())
