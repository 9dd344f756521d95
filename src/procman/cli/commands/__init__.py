"""The commands that work on a project."""
