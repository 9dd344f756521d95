"""The table of commands and options, and what reads it."""
