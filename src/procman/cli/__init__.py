"""Asks: one file a command; the only place that knows click and exit codes."""
