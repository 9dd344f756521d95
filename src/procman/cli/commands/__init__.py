"""The commands that work on a project, and ``start``."""
